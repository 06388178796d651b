"""The description for `lysbro wrap`: read whole, or refused with every fault at once."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from casework.errors import Invalid
from derm_capture.context import Device, Kind, Lesion
from derm_capture.meta import read_meta
from tests.derm_capture.wrapping import FOREARM

PATIENT = {"id": "1", "name": "NESS^KARI", "birth_date": "1950-01-01", "sex": "F"}
WHOLE = {
    "patient": PATIENT | {"issuer": "2.16.578"},
    "kind": "dermoscopic",
    "site_code": FOREARM,
    "laterality": "L",
    "lesion": {"label": "A", "uid": "2.25.7"},
    "device": {"model": "DL5", "contact": "CONTACT", "immersion": "WATER", "magnification": 10},
    "captured_at": "2026-02-03T10:42:00+01:00",
}


def test_read_when_whole_then_the_context_says_it_all():
    context = read_meta(WHOLE)
    assert context.patient.birth_date == date(1950, 1, 1)
    assert context.kind is Kind.DERMOSCOPIC
    assert context.lesion == Lesion("A", "2.25.7")
    assert context.device.magnification == 10.0
    assert context.captured_at == datetime(2026, 2, 3, 9, 42, tzinfo=UTC)


def test_read_when_short_then_the_rest_is_empty_and_a_lesion_label_always_is_one_lesion():
    short = {"patient": PATIENT, "kind": "closeup", "site_code": FOREARM, "lesion": "A"}
    assert read_meta(short).lesion == read_meta(short).lesion
    assert read_meta(short | {"lesion": "B"}).lesion != read_meta(short).lesion
    assert read_meta(short).laterality == ""


def test_read_when_the_device_is_a_name_then_it_is_the_model():
    named = {"patient": PATIENT, "kind": "closeup", "site_code": FOREARM, "device": "Phone 12"}
    assert read_meta(named).device == Device(model="Phone 12")


def test_read_when_many_faults_then_all_are_told_by_their_field():
    with pytest.raises(Invalid) as refused:
        read_meta(
            {
                "patient": {"name": 7, "birth_date": "3.2.1950", "sex": "K", "pin": 1},
                "kind": "selfie",
                "site_code": "nose",
                "laterality": "up",
                "device": {"immersion": "BEER", "magnification": -1, "contact": "NON_CONTACT"},
                "captured_at": "2026-02-03T10:42:00",
                "burned_in": "maybe",
                "colour": "red",
            }
        )
    message = refused.value.message
    for field in (
        "patient.id is missing", "patient.name must", "patient.birth_date must", "patient.sex must",
        "patient.pin is not known", "kind must", "site_code cannot", "laterality must",
        "device.immersion must", "device.magnification must", "captured_at must", "burned_in must",
        "colour is not known",
    ):  # fmt: skip
        assert field in message


@pytest.mark.parametrize("given", [None, [], "x", {"patient": []}])
def test_read_when_it_is_no_object_then_it_is_refused(given):
    with pytest.raises(Invalid):
        read_meta(given)
