"""What a camera says against its picture is told where it explains something, and never as poor."""

from __future__ import annotations

import pytest

from derm_capture import quality
from derm_capture.camera_hints import hints_of
from derm_capture.exif import Camera
from derm_capture.photo import open_photo
from derm_capture.quality import Verdict
from tests.derm_capture import pictures

PHONE = {"make": "Nordcam", "model": "Fjellfone 9"}


def names(camera: Camera, *not_good: str, side: int = 4032, is_dermoscopic: bool = False):
    found = hints_of(
        camera, rows=side * 3 // 4, columns=side, not_good=not_good, is_dermoscopic=is_dermoscopic
    )
    return [hint.name for hint in found]


@pytest.mark.parametrize(
    ("numbers", "not_good", "hints"),
    [
        ({"flash": 0x19}, ["glare"], ["flash"]),
        ({"flash": 0x19}, [], []),
        ({"flash": 0x18}, ["glare"], []),  # bit 0: it did not fire
        ({"exposure_s": 1 / 15}, ["motion"], ["slow-shutter"]),
        ({"exposure_s": 1 / 15}, [], []),  # sharp all the same
        ({"exposure_s": 1 / 60}, ["focus"], []),
        ({"iso": 3200}, [], ["high-iso"]),
        ({"iso": 1600}, [], []),
        ({"digital_zoom": 4}, [], ["digital-zoom"]),
        ({"digital_zoom": 1.7}, [], []),  # a change of lenses
        ({}, ["focus", "glare"], []),
    ],
)
def test_hints_when_the_camera_says_so_then_only_what_explains_something(numbers, not_good, hints):
    assert names(Camera(numbers=numbers, **PHONE), *not_good) == hints


def test_hints_when_through_a_dermatoscope_then_its_own_light_is_no_flash():
    camera = Camera(numbers={"flash": 1}, **PHONE)
    assert names(camera, "glare", is_dermoscopic=True) == []


@pytest.mark.parametrize(
    ("camera", "side", "hints"),
    [(Camera(), 1600, ["messenger"]), (Camera(**PHONE), 1600, []), (Camera(), 4032, [])],
)
def test_hints_when_a_messenger_took_the_camera_away_then_it_asks_for_the_original(
    camera, side, hints
):
    assert names(camera, side=side) == hints


def test_advice_when_a_messenger_reduced_it_then_it_is_doubtful_in_both_languages():
    photo = open_photo(pictures.jpeg(pictures.skin(1600, 1200), exif=b""))
    found = next(each for each in quality.assess(photo) if each.check == "camera")
    assert found.verdict is Verdict.DOUBTFUL
    assert "original" in found.message
    assert "originalen" in found.message_nb
