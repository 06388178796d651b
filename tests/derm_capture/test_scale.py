"""The scale card is found where it lies, says how large a pixel is, and is printed in its size."""

from __future__ import annotations

import io
import re

import cv2
import numpy as np
import pypdf
import pytest
from PIL import Image

from derm_capture import quality
from derm_capture.dicomize import wrap
from derm_capture.photo import open_photo
from derm_capture.quality import Verdict
from derm_capture.raster import Pixels
from derm_capture.scale import MARKER_MM, find_scale, marker
from derm_capture.scale_card import scale_card
from tests.derm_capture import pictures
from tests.derm_capture.wrapping import context, dciodvfy, read

SKIN = pictures.skin(1024, 768)


def with_card(pixels: Pixels, side: float, *, turn: float = 20, seen: float = 1) -> Pixels:
    """Return a picture with the marker in its middle, `side` pixels wide and `seen` as high."""
    printed = np.pad(marker(300), 40, constant_values=255)
    whole = side * 380 / 300
    square = np.float32([[0, 0], [380, 0], [380, 380], [0, 380]])
    laid = (square / 380 - 0.5) * whole * np.float32([1, seen])
    angle = np.radians(turn)
    rotation = np.float32([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = np.float32([pixels.shape[1] / 2, pixels.shape[0] / 2])
    onto = cv2.getPerspectiveTransform(square, (laid @ rotation + middle).astype(np.float32))
    size = pixels.shape[1::-1]
    drawn = cv2.warpPerspective(np.stack([printed] * 3, -1), onto, size, flags=cv2.INTER_AREA)
    covered = cv2.warpPerspective(np.full((380, 380), 255, np.uint8), onto, size) > 127
    return np.where(covered[..., None], drawn, pixels)


@pytest.mark.parametrize("turn", [0, 33, 90, 181, 300])
@pytest.mark.parametrize(("side", "within"), [(32, 0.05), (60, 0.015), (200, 0.005)])
def test_scale_when_the_card_lies_there_then_a_pixel_has_its_size(side, within, turn):
    found = find_scale(with_card(SKIN, side, turn=turn))
    assert found is not None
    assert found.mm_per_pixel == pytest.approx(MARKER_MM / side, rel=within)
    assert found.can_measure


@pytest.mark.parametrize("seed", range(5))
def test_scale_when_there_is_no_card_then_none_is_found(seed):
    assert find_scale(pictures.skin(1024, 768, seed=seed)) is None


def test_scale_when_another_marker_lies_there_then_it_is_not_taken_for_the_card(monkeypatch):
    monkeypatch.setattr("derm_capture.scale.MARKER_ID", 8)
    other = with_card(SKIN, 100)
    monkeypatch.undo()
    assert find_scale(other) is None


@pytest.mark.parametrize("options", [{"side": 20}, {"side": 100, "seen": 0.8}])
def test_advice_when_the_card_is_small_or_tilted_then_it_warns_and_nothing_is_measured(options):
    photo = open_photo(pictures.jpeg(with_card(SKIN, **options)))
    (advice,) = (a for a in quality.assess(photo) if a.check == "scale")
    assert advice.verdict is Verdict.DOUBTFUL
    assert "PixelSpacing" not in read(wrap(photo, context(), scale=photo.scale))


def test_object_when_the_card_is_in_the_picture_then_it_says_the_size_of_its_own_pixels(tmp_path):
    large = with_card(pictures.skin(2048, 1536), 200)
    photo = open_photo(pictures.jpeg(large, orientation=6))

    made = wrap(photo, context(), scale=photo.scale)

    ds = read(made)
    assert [float(each) for each in ds.PixelSpacing] == pytest.approx([0.05, 0.05], rel=0.01)
    assert ds.PixelSpacingCalibrationType == "FIDUCIAL"
    assert not [line for line in dciodvfy(made, tmp_path) if line.startswith("Error")]


def test_advice_when_there_is_no_card_then_it_is_content():
    (advice,) = (a for a in quality.assess(open_photo(pictures.jpeg(SKIN))) if a.check == "scale")
    assert advice.verdict is Verdict.GOOD


def test_card_when_printed_then_its_marker_is_found_and_ten_millimetres_wide():
    page = pypdf.PdfReader(io.BytesIO(scale_card())).pages[0]

    widths = re.findall(
        rb"([\d.]+) 0 0 ([\d.]+) [\d.]+ [\d.]+ cm\s*/", page.get_contents().get_data()
    )
    drawn = np.asarray(
        page.images[0].image.convert("RGB").resize((300, 300), Image.Resampling.NEAREST)
    )

    assert len(widths) == 8
    millimetres = [float(each) * 25.4 / 72 for pair in widths for each in pair]
    assert millimetres == pytest.approx([MARKER_MM] * 16, abs=0.01)
    assert find_scale(np.pad(drawn, ((60, 60), (60, 60), (0, 0)), constant_values=255)) is not None
    assert scale_card() == scale_card()
