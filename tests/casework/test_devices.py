"""What may be entered of a device: all that an object must say, and nothing it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from casework.devices import DeviceKind, EnrolledDevice, checked
from casework.errors import Invalid

WHOLE = {
    "name": " DL5 in room 2 ", "kind": DeviceKind.DERMATOSCOPE, "manufacturer": "Dermlite",
    "model": "DL5", "serial": "A-17", "software": "none", "polarization": "POLARIZED",
    "contact": "CONTACT", "immersion": "ALCOHOL", "magnification": 10.0,
}  # fmt: skip


def device(**given: Any) -> EnrolledDevice:
    return EnrolledDevice(**WHOLE | given)


def test_checked_when_whole_then_its_texts_are_trimmed():
    assert checked(device()).name == "DL5 in room 2"


def test_checked_when_a_camera_then_its_name_is_enough():
    assert checked(EnrolledDevice(name="Telephone", kind=DeviceKind.CAMERA)).is_in_use


@pytest.mark.parametrize(
    ("given", "code", "word"),
    [
        ({"serial": " "}, "device-incomplete", "serial"),
        ({"software": "", "model": ""}, "device-incomplete", "model, software"),
        ({"name": ""}, "device-incomplete", "name"),
        ({"model": "x" * 65}, "device-field", "model"),
        ({"model": "Ø" * 33}, "device-field", "model"),
        ({"serial": "a\\b"}, "device-field", "serial"),
        ({"serial": "a\nb"}, "device-field", "serial"),
        ({"polarization": "MIXED"}, "device-field", "polarization"),
        ({"contact": "NON_CONTACT"}, "device-field", "contact"),
        ({"contact": ""}, "device-field", "contact"),
        ({"immersion": "BEER"}, "device-field", "immersion"),
        ({"magnification": 0.0}, "device-field", "magnification"),
        ({"magnification": float("nan")}, "device-field", "magnification"),
        ({"kind": DeviceKind.CAMERA}, "device-field", "dermatoscope"),
    ],
)
def test_checked_when_an_object_could_not_say_it_then_it_is_refused(given, code, word):
    with pytest.raises(Invalid, match=word) as refused:
        checked(device(**given))
    assert refused.value.code == code
