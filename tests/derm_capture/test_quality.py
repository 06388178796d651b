"""Advice on a photograph: what is spoiled is found, the rest is left in peace."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from casework.errors import Invalid
from casework.photo_checks import REASON_OF_CHECK
from casework.questions import REASON_CODES
from derm_capture import quality
from derm_capture.photo import open_photo
from derm_capture.quality import Verdict
from tests.derm_capture import pictures

SHARP = pictures.skin(1280, 960)


def advice(pixels: np.ndarray, check: str, **options: str) -> quality.Advice:
    photo = open_photo(pictures.encoded(pixels, "JPEG", quality=92))
    return next(a for a in quality.assess(photo, **options) if a.check == check)


def test_assess_when_the_picture_is_good_then_every_check_says_so():
    found = quality.assess(open_photo(pictures.encoded(SHARP, "JPEG", quality=92)))
    checks = [
        "focus",
        "motion",
        "exposure",
        "glare",
        "colour",
        "distance",
        "framing",
        "resolution",
        "scale",
        "colour_card",
        "camera",
        "recognizable",
    ]
    assert [a.check for a in found] == checks
    assert {a.verdict for a in found} == {Verdict.GOOD}
    assert quality.worst(found) is Verdict.GOOD


@pytest.mark.parametrize("kind", ["overview", "closeup", "dermoscopic"])
def test_assess_when_blurred_then_it_asks_for_another(kind):
    blurred = advice(cv2.GaussianBlur(SHARP, (0, 0), 6), "focus", kind=kind)
    assert blurred.verdict is not Verdict.GOOD
    assert blurred.value < blurred.threshold
    assert "take it again" in blurred.message
    assert "på nytt" in blurred.message_nb


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(1.0, Verdict.GOOD), (0.6, Verdict.DOUBTFUL), (0.3, Verdict.POOR), (3.0, Verdict.POOR)],
)
def test_assess_when_the_light_is_wrong_then_it_says_which_way(factor, verdict):
    found = advice(np.clip(SHARP * factor, 0, 255).astype(np.uint8), "exposure")
    assert found.verdict is verdict
    if verdict is Verdict.POOR:
        assert ("dark" if factor < 1 else "bright") in found.message


def test_assess_when_a_lamp_mirrors_then_it_warns_and_no_more():
    shiny = SHARP.copy()
    shiny[400:600, 500:800] = 250
    assert advice(shiny, "glare").verdict is Verdict.DOUBTFUL


def test_assess_when_the_light_is_blue_then_it_warns():
    blue = np.clip(SHARP * np.array([0.55, 0.8, 1.4]), 0, 255).astype(np.uint8)
    assert advice(blue, "colour").verdict is Verdict.DOUBTFUL


@pytest.mark.parametrize(
    ("size", "verdict"),
    [((1024, 768), Verdict.GOOD), ((800, 620), Verdict.DOUBTFUL), ((320, 240), Verdict.POOR)],
)
def test_assess_when_pixels_are_few_then_it_says_so(size, verdict):
    assert advice(pictures.skin(*size), "resolution").verdict is verdict


def test_assess_when_repeated_then_the_advice_is_the_same():
    data = pictures.jpeg(SHARP, orientation=6)
    assert quality.assess(open_photo(data)) == quality.assess(open_photo(data))


def test_assess_when_all_of_one_colour_then_it_is_not_called_sharp():
    assert advice(np.full((800, 1000, 3), 150, np.uint8), "focus").verdict is Verdict.POOR


@pytest.mark.parametrize("direction", [0, 45, 90, 135])
def test_assess_when_the_camera_moved_then_it_says_that_and_not_that_it_is_blurred(direction):
    kernel = np.zeros((41, 41), np.float32)
    cv2.line(kernel, (20, 20), _at(direction), 1.0)
    cv2.line(kernel, (20, 20), _at(direction + 180), 1.0)
    moved = cv2.filter2D(SHARP, -1, kernel / kernel.sum())

    assert advice(moved, "motion").verdict is not Verdict.GOOD
    assert advice(moved, "focus").verdict is Verdict.GOOD


def test_assess_when_out_of_focus_then_nobody_is_told_that_the_camera_moved():
    assert advice(cv2.GaussianBlur(SHARP, (0, 0), 3), "motion").verdict is Verdict.GOOD


def test_assess_when_the_lesion_is_tiny_then_it_asks_to_go_closer_but_not_of_an_overview():
    tiny = pictures.skin(1280, 960)
    tiny[:] = np.median(tiny, axis=(0, 1)) + np.random.default_rng(3).normal(0, 4, (960, 1280, 1))
    cv2.circle(tiny, (640, 480), 25, (90, 50, 40), -1)

    assert advice(tiny, "distance").verdict is Verdict.DOUBTFUL
    assert advice(tiny, "distance", kind="overview").verdict is Verdict.GOOD


@pytest.mark.parametrize("middle", [(0, 480), (1279, 480), (640, 0), (640, 959)])
def test_assess_when_the_lesion_is_cut_off_at_an_edge_then_it_says_so(middle):
    cut = pictures.skin(1280, 960)
    cut[:] = np.median(cut, axis=(0, 1)) + np.random.default_rng(3).normal(0, 4, (960, 1280, 1))
    cv2.circle(cut, middle, 300, (110, 60, 50), -1)

    assert advice(cut, "framing").verdict is Verdict.DOUBTFUL


def test_assess_when_nothing_stands_out_then_nothing_is_said_of_the_framing():
    plain = np.full((960, 1280, 3), (200, 160, 140), np.uint8)
    assert {advice(plain, check).verdict for check in ("distance", "framing")} == {Verdict.GOOD}


def _at(direction: int) -> tuple[int, int]:
    angle = np.radians(direction)
    return round(20 + 15 * np.cos(angle)), round(20 + 15 * np.sin(angle))


def test_checks_when_each_is_named_then_a_reader_has_a_reason_code_for_it():
    found = quality.assess(open_photo(pictures.encoded(SHARP, "JPEG")))
    assert {each.check for each in found} | {"clock"} == set(REASON_OF_CHECK)  # by the intake
    assert set(REASON_OF_CHECK.values()) <= {each.value for each in REASON_CODES}


def test_copy_when_small_then_it_is_judged_as_the_photograph_that_it_was_made_of():
    whole = open_photo(pictures.jpeg(pictures.skin(2048, 1536), orientation=6))
    small = pictures.jpeg(cv2.resize(whole.pixels(), (768, 1024), interpolation=cv2.INTER_AREA))

    copy = open_photo(small).as_copy_of(2048, 1536)

    assert (copy.rows, copy.columns) == (whole.rows, whole.columns)
    verdicts = [[(a.check, a.verdict) for a in quality.assess(p)] for p in (whole, copy)]
    assert verdicts[0] == verdicts[1]


def test_copy_when_its_camera_says_how_it_lay_then_it_is_upright_already():
    small = open_photo(pictures.jpeg(pictures.skin(768, 1024), orientation=6))
    copy = small.as_copy_of(2048, 1536)
    assert copy.working.shape[:2] == (1024, 768)
    assert copy.camera.make == "Nordcam"


@pytest.mark.parametrize("size", [(1536, 2048), (600, 450), (2048, 2048)])
def test_copy_when_it_is_none_of_such_a_picture_then_it_is_refused(size):
    with pytest.raises(Invalid, match="Send the photograph itself"):
        open_photo(pictures.jpeg(pictures.skin(768, 1024))).as_copy_of(*size)
