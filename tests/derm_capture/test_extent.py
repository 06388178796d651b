"""The longest diameter of a lesion beside a scale card, and when nothing is said of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from derm_capture.extent import extent_of
from tests.derm_capture.test_scale import with_card


def skin_with(axes: tuple[int, int], *, at=(512, 384), turn=25.0, dark=(95, 60, 45)):
    rng = np.random.default_rng(3)
    pixels = np.full((768, 1024, 3), (205, 165, 140), np.float32)
    cv2.ellipse(pixels, at, axes, turn, 0, 360, dark, -1, cv2.LINE_AA)
    pixels = cv2.GaussianBlur(pixels, (0, 0), 3) + rng.normal(0, 6, pixels.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("axes", [(60, 40), (110, 50), (160, 150)])
@pytest.mark.parametrize("mm", [0.02, 0.05])
def test_extent_when_the_edge_is_clear_then_it_is_within_what_is_said(axes, mm):
    found = extent_of(skin_with(axes), mm_per_pixel=mm)
    true = 2 * max(axes) * mm
    assert found is not None
    assert abs(found.longest_mm - true) <= found.off_by_mm
    assert found.off_by_mm < 0.2 * true
    (ax, ay), (bx, by) = found.ends
    assert np.hypot((bx - ax) * 1024, (by - ay) * 768) * mm == pytest.approx(true, rel=0.1)


def test_extent_when_a_card_lies_beside_then_the_card_is_not_measured():
    pixels = with_card(np.roll(skin_with((60, 60)), 0, axis=0), 60, turn=0)
    lesion_aside = skin_with((60, 45), at=(200, 120))
    carded = with_card(lesion_aside, 60, turn=0)
    found = extent_of(carded, mm_per_pixel=10 / 60)
    assert found is not None
    assert found.longest_mm == pytest.approx(20, abs=found.off_by_mm)
    assert extent_of(pixels, mm_per_pixel=10 / 60) is None  # the lesion is under the card


def test_extent_when_cut_off_or_faint_then_nothing_is_said():
    assert extent_of(skin_with((150, 90), at=(0, 384)), mm_per_pixel=0.05) is None
    assert extent_of(skin_with((80, 60), dark=(196, 156, 132)), mm_per_pixel=0.05) is None
    assert extent_of(np.zeros((300, 300, 3), np.uint8), mm_per_pixel=0.05) is None
