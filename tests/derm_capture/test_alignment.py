"""A lesion that is photographed again is laid on its earlier picture, and on no other lesion's."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.alignment import FOLDERS, on_others
from benchmarks.retakes import RETAKES, Retake, blur, error_px, gain, hairs, jpeg, take_again
from derm_capture.alignment import Sight, align, see
from derm_capture.photo import open_photo
from derm_capture.raster import Pixels
from derm_capture.skin_only import skin_of
from tests.derm_capture.test_scale import with_card

FOLDER = Path(__file__).resolve().parents[2] / "lysbro" / "samples" / "photos"
PICTURES = ("closeup.png", "dermoscopic.jpg")


def picture(name: str) -> Pixels:
    return open_photo((FOLDER / name).read_bytes()).working


@cache
def seen(name: str) -> tuple[Pixels, Sight]:
    pixels = picture(name)
    return pixels, see(pixels)


@pytest.fixture(scope="module")
def sights():
    return {name: seen(name) for name in PICTURES}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize(
    "how", [each for each in RETAKES if each.strength != "strong"], ids=lambda h: f"{h.name}"
)
def test_alignment_when_taken_again_then_it_is_exact_or_not_claimed(sights, name, how):
    pixels, sight = sights[name]
    taken = take_again(pixels, how, seed=11)
    found = align(sight, see(taken.pixels))
    if found is None:
        assert how.name in ("hairs and bubbles", "all at once")
        return
    assert error_px(found.matrix, taken.matrix, pixels.shape) < 3
    assert found.points >= 8
    assert found.residual < 3.5


@given(
    turn=st.floats(0, 180), scale=st.floats(0.7, 1.5), shift=st.floats(0, 0.15),
    tilt=st.floats(0, 0.12), seed=st.integers(0, 50), factor=st.floats(0.7, 1.2),
)  # fmt: skip
@example(turn=0, scale=1, shift=0, tilt=0.0625, seed=0, factor=1)
@settings(max_examples=4, deadline=None)
def test_alignment_when_the_camera_stands_anywhere_near_then_it_is_found(
    turn, scale, shift, tilt, seed, factor
):
    pixels, sight = seen("dermoscopic.jpg")
    how = Retake("any", "any", turn, scale, shift, tilt, (gain(factor), blur(0.8), jpeg(80)))
    taken = take_again(pixels, how, seed=seed)
    found = align(sight, see(taken.pixels))
    assert found is not None
    assert error_px(found.matrix, taken.matrix, pixels.shape) < 3


def test_alignment_when_it_is_the_same_picture_then_nothing_moves(sights):
    pixels, sight = sights["closeup.png"]
    found = align(sight, sight)
    assert found is not None
    assert np.allclose(found.matrix, np.eye(3), atol=1e-3)
    assert found.agreement > 0.99
    assert align(sight, see(pixels)).points == found.points  # the same each time


def test_alignment_when_the_pictures_are_copies_of_larger_ones_then_it_is_in_their_pixels(sights):
    pixels, sight = sights["dermoscopic.jpg"]
    rows, columns = pixels.shape[:2]
    found = align(sight, see(pixels, full_side=4 * max(rows, columns)))
    x, y = cv2.perspectiveTransform(np.float64([[[100, 50]]]), found.matrix)[0, 0]
    assert (x, y) == pytest.approx((400, 200), abs=1)


def test_alignment_when_the_lesions_are_others_then_there_is_none(sights):
    (_, one), (_, other) = sights.values()
    assert align(one, other) is None
    assert align(other, one) is None


def test_alignment_when_only_hairs_or_the_card_agree_then_there_is_none(sights):
    one, other = (cv2.resize(pixels, (1024, 768)) for pixels, _ in sights.values())
    haired = [hairs(80)(each, np.random.default_rng(n)) for n, each in enumerate((one, other))]
    assert align(see(haired[0]), see(haired[1])) is None
    carded = [with_card(each, 60, turn=0) for each in (one, other)]
    assert align(see(carded[0]), see(carded[1])) is None


def test_alignment_when_a_picture_is_mirrored_or_empty_then_there_is_none(sights):
    pixels, sight = sights["dermoscopic.jpg"]
    assert align(sight, see(np.ascontiguousarray(pixels[:, ::-1]))) is None
    for flat in (np.zeros((300, 400, 3), np.uint8), np.full((300, 400, 3), 190, np.uint8)):
        assert align(sight, see(flat)) is None
    assert align(see(np.full((1, 1, 3), 9, np.uint8)), sight) is None


def test_skin_when_there_are_ring_glare_and_card_then_they_are_left_out():
    pixels = np.full((600, 800, 3), (200, 150, 130), np.uint8)
    ring = np.hypot(*np.mgrid[-300:300, -400:400]) > 290
    pixels[ring] = 0
    pixels[290:300, 200:210] = 255
    pixels[350:360, 300:310] = 2  # black, and within the skin
    mask = skin_of(pixels)
    assert mask[5, 5] == 0
    assert mask[295, 205] == 0
    assert mask[355, 305] == 255
    carded = skin_of(with_card(np.full((768, 1024, 3), 180, np.uint8), 60, turn=0))
    assert carded[384, 512] == 0
    assert carded[384, 800] == 0  # the greys beside the marker
    assert carded[100, 200] == 255


@pytest.mark.slow
def test_alignment_when_a_pair_is_new_then_it_takes_less_than_a_second(sights):
    pixels, _ = sights["dermoscopic.jpg"]
    taken = take_again(pixels, RETAKES[1], seed=1)
    times = []
    for _ in range(3):
        begun = time.process_time()
        align(see(pixels), see(taken.pixels))
        times.append(time.process_time() - begun)
    assert min(times) < 1


@pytest.mark.fixtures
@pytest.mark.slow
def test_alignment_when_tried_on_all_pairs_then_no_lesion_is_laid_on_another(fixtures_dir):
    found = [p for f in FOLDERS for p in sorted((fixtures_dir / f).rglob("*.*"))]
    paths = [p for p in found if p.suffix in (".jpg", ".png")][::6]
    assert len(paths) > 7
    seen = [see(open_photo(p.read_bytes()).working) for p in paths]
    falsely, _ = on_others(seen)
    assert falsely == []
