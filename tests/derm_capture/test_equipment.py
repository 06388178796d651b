"""Which device an object names: the register's, the picture's own, or one behind the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from derm_capture.camera_clock import clock_advice
from derm_capture.context import Device, Kind
from derm_capture.equipment import Made, made_with
from derm_capture.exif import Camera
from tests.derm_capture import pictures
from tests.derm_capture.wrapping import read, wrapped

PHONE = Camera(make="Nordcam", model="Fjellfone 9", software="2.1")
SEEN = Made("Nordcam", "Fjellfone 9", "", "2.1")
SCOPE = Device("Dermlite", "DL5", "A-17", "none")
REGISTERED = Device("Nordcam AS", "fjellfone  9", "S-1", "1.0", is_camera=True)
OTHER = Device("Nordcam AS", "Fjellfone 8", "S-1", "1.0", is_camera=True)
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("device", "camera", "is_dermoscopic", "expected", "behind"),
    [
        (Device(), PHONE, False, SEEN, None),
        (Device(), PHONE, True, SEEN, None),
        (SCOPE, PHONE, True, Made("Dermlite", "DL5", "A-17", "none"), SEEN),
        (SCOPE, Camera(), True, Made("Dermlite", "DL5", "A-17", "none"), None),
        (REGISTERED, PHONE, False, Made("Nordcam", "Fjellfone 9", "S-1", "2.1"), None),
        (REGISTERED, Camera(), False, Made("Nordcam AS", "fjellfone  9", "S-1", "1.0"), None),
        (OTHER, PHONE, False, SEEN, None),
    ],
)
def test_equipment_when_both_say_something_then_the_one_that_knows_counts(
    device, camera, is_dermoscopic, expected, behind
):
    made = made_with(device, camera, is_dermoscopic=is_dermoscopic)
    assert (made.device, made.behind) == (expected, behind)


def test_dermatoscope_when_a_telephone_is_behind_it_then_both_are_named():
    ds = read(wrapped(pictures.jpeg(pictures.skin()), kind=Kind.DERMOSCOPIC, device=SCOPE))
    assert (ds.ManufacturerModelName, ds.DeviceSerialNumber) == ("DL5", "A-17")
    behind = ds.ContributingEquipmentSequence[-1]
    assert behind.PurposeOfReferenceCodeSequence[0].CodeValue == "109101"
    assert behind.ManufacturerModelName == "Fjellfone 9"


@pytest.mark.parametrize(
    ("off", "is_noted"),
    [
        (timedelta(hours=23), False),
        (timedelta(hours=-23), False),
        (timedelta(hours=25), True),
        (timedelta(days=-400), True),
    ],
)
@pytest.mark.parametrize("is_aware", [True, False])
def test_clock_when_it_is_more_than_a_day_off_then_that_is_noted(off, is_noted, is_aware):
    taken = NOON - off
    shown = taken if is_aware else (taken + timedelta(hours=2)).replace(tzinfo=None)  # in summer
    if not is_aware and taken.month not in range(4, 10):
        shown = (taken + timedelta(hours=1)).replace(tzinfo=None)
    advice = clock_advice(Camera(taken_at=shown), received_at=NOON, zone="Europe/Oslo")
    assert bool(advice) is is_noted
    if is_noted:
        assert (advice[0].check, advice[0].verdict.value) == ("clock", "doubtful")
        assert advice[0].value == off / timedelta(hours=1)
        assert advice[0].message_nb


def test_clock_when_the_camera_says_nothing_then_nothing_is_noted():
    assert clock_advice(Camera(), received_at=NOON, zone="Europe/Oslo") == ()
