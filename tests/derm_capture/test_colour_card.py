"""A colour card is found where it lies, says how far the colours are off, and changes no pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.laying import with_colour_card
from derm_capture import colour_note, quality
from derm_capture.colour_card import PATCHES, find_colour_card, read_patches
from derm_capture.colour_difference import ciede2000
from derm_capture.dicomize import wrap
from derm_capture.photo import open_photo
from derm_capture.quality import Verdict
from tests.derm_capture import pictures
from tests.derm_capture.wrapping import context, dciodvfy, pixels_of, read

SKIN = pictures.skin(1024, 768)
WARM, COLD = (1.15, 0.9, 0.55), (0.7, 0.9, 1.15)

# From Sharma, Wu, Dalal: The CIEDE2000 color-difference formula (2005), table 1.
PAIRS = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0000),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0011), 7.2195),
    ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ((50.0, 2.5, 0.0), (50.0, 3.2972, 0.0), 1.0000),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619), 2.0373),
    ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
]


def advice(data: bytes, **options: str) -> dict[str, quality.Advice]:
    return {each.check: each for each in quality.assess(open_photo(data), **options)}


@pytest.mark.parametrize(("one", "other", "apart"), PAIRS)
def test_difference_when_compared_with_published_pairs_then_it_is_theirs(one, other, apart):
    found = ciede2000(np.array([one, other]), np.array([other, one]))
    assert found == pytest.approx([apart, apart], abs=1e-4)


@pytest.mark.parametrize("turn", [0, 12, 90, 200])
@pytest.mark.parametrize("width", [160, 500])
def test_card_when_it_lies_there_then_it_is_found_and_its_colours_are_right(width, turn):
    found = find_colour_card(with_colour_card(SKIN, width=width, turn=turn))
    assert found is not None
    assert found.error < 2
    assert found.grey < 2


def test_card_when_seen_from_the_side_then_it_is_still_found():
    assert find_colour_card(with_colour_card(SKIN, width=500, turn=8, seen=0.75)) is not None


@pytest.mark.parametrize("cast", [WARM, COLD, (0.9, 1.1, 0.8)])
def test_card_when_the_light_has_a_colour_then_its_matrix_takes_it_away(cast):
    found = find_colour_card(with_colour_card(SKIN, width=400, cast=cast))
    assert found is not None
    assert found.error > 2 * found.corrected_error
    assert found.grey > 8


@pytest.mark.parametrize("seed", range(4))
def test_card_when_there_is_none_then_none_is_found(seed):
    assert find_colour_card(pictures.skin(1024, 768, seed=seed)) is None


def test_patches_when_they_are_what_they_should_be_then_the_matrix_changes_nothing():
    card = read_patches(PATCHES.astype(float))
    assert card.error == pytest.approx(0, abs=0.01)
    assert np.reshape(card.matrix, (3, 3)) == pytest.approx(np.eye(3), abs=1e-6)


def test_advice_when_the_light_is_warm_then_the_card_decides_where_skin_would_not():
    lit = np.clip(SKIN * np.array(WARM), 0, 255).astype(np.uint8)
    without = advice(pictures.jpeg(lit))
    with_card = advice(pictures.jpeg(with_colour_card(SKIN, width=400, cast=WARM)))

    assert without["colour"].verdict is Verdict.GOOD  # skin in warm light may be skin in any light
    assert with_card["colour"].verdict is Verdict.DOUBTFUL
    assert "grey" in with_card["colour"].message
    assert with_card["colour_card"].value > 2


def test_advice_when_the_card_is_true_then_nothing_is_said_against_the_colours():
    found = advice(pictures.jpeg(with_colour_card(SKIN, width=400)))
    assert found["colour"].verdict is found["colour_card"].verdict is Verdict.GOOD
    assert "kept with the picture" in found["colour_card"].message


def test_object_when_a_card_is_there_then_it_says_how_colours_are_put_right_and_keeps_the_pixels(
    tmp_path,
):
    data = pictures.jpeg(with_colour_card(SKIN, width=400, cast=WARM))
    photo = open_photo(data)

    made = wrap(photo, context(), card=photo.colour_card)

    ds = read(made)
    block = ds.private_block(colour_note.GROUP, colour_note.CREATOR)
    matrix = np.reshape(block[colour_note.MATRIX].value, (3, 3))
    assert matrix == pytest.approx(np.reshape(photo.colour_card.matrix, (3, 3)))
    assert block[colour_note.ERROR].value > block[colour_note.CORRECTED_ERROR].value
    assert "not corrected" in ds.ImageComments
    assert ds.ImageType[0] == "ORIGINAL"
    untouched = wrap(open_photo(data), context())
    assert np.array_equal(pixels_of(made), pixels_of(untouched))
    assert not [line for line in dciodvfy(made, tmp_path) if line.startswith("Error")]


def test_object_when_there_is_no_card_then_nothing_is_said_of_one():
    photo = open_photo(pictures.jpeg(cv2.resize(SKIN, (640, 480))))
    ds = read(wrap(photo, context(), card=photo.colour_card))
    assert "ImageComments" not in ds
    assert not [each for each in ds if each.tag.is_private]
