"""Finds a colour card of 24 patches in a picture, and how far off the picture's colours are.

Numbers only, and no pixel is changed: what the card says is kept beside the picture, for a program
that corrects a copy. Its size is not asked: the same card is sold in several.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from derm_capture.colour_difference import ciede2000
from derm_capture.raster import Pixels

Numbers = NDArray[np.float64]

PATCHES: NDArray[np.uint8] = np.array(
    [
        (115, 82, 68), (194, 150, 130), (98, 122, 157), (87, 108, 67), (133, 128, 177),
        (103, 189, 170), (214, 126, 44), (80, 91, 166), (193, 90, 99), (94, 60, 108),
        (157, 188, 64), (224, 163, 46), (56, 61, 150), (70, 148, 73), (175, 54, 60),
        (231, 199, 31), (187, 86, 149), (8, 133, 161), (243, 243, 242), (200, 200, 200),
        (160, 160, 160), (122, 122, 121), (85, 85, 85), (52, 52, 52),
    ],
    dtype=np.uint8,
)  # fmt: skip
"""The colours of the ColorChecker Classic in 8-bit sRGB, as its maker gives them, row by row."""

_GREYS = slice(19, 23)  # neutral 8 to neutral 3.5: the white may be burnt out, the black drowns
_MOST_ERROR = 40.0  # mean difference beyond which it is taken for something else
_LEAST_SIDE = 100  # pixels of the longer side of a card: below, a patch is some ten wide


@dataclass(frozen=True)
class ColourCard:
    """What a colour card in the picture says of the picture's colours."""

    error: float  # mean CIEDE2000 of the patches, as photographed
    corrected_error: float  # the same, once the matrix was applied
    grey: float  # how far the grey patches are from grey (CIELAB chroma)
    matrix: tuple[float, ...]  # nine, by rows: linear sRGB as photographed to linear sRGB as it is


def find_colour_card(pixels: Pixels) -> ColourCard | None:
    """Return what the colour card in a picture says, or None where none is seen."""
    detector = _detector()
    bgr = np.ascontiguousarray(pixels[..., ::-1])
    if not detector.process(bgr, 1):
        return None  # and nothing else may be asked: OpenCV 5.0 crashes on an empty list
    chart = detector.getBestColorChecker()
    box = np.asarray(chart.getBox(), dtype=np.float64)
    if np.ptp(box, axis=0).max() < _LEAST_SIDE:
        return None
    seen = np.asarray(chart.getChartsRGB(), dtype=np.float64).reshape(24, 3, -1)[:, :, 1]
    card = read_patches(seen)
    return card if card.error <= _MOST_ERROR else None


def read_patches(seen: Numbers) -> ColourCard:
    """Return what 24 photographed patches (8-bit sRGB, row by row) say."""
    linear_seen, linear_true = _linear(seen), _linear(PATCHES)
    fitted, *_ = np.linalg.lstsq(linear_seen, linear_true, rcond=None)
    corrected = _gamma(np.clip(linear_seen @ fitted, 0, 1))
    true, photographed = _lab(PATCHES), _lab(seen)
    greys = photographed[_GREYS, 1:].mean(axis=0)
    return ColourCard(
        error=float(ciede2000(photographed, true).mean()),
        corrected_error=float(ciede2000(_lab(corrected), true).mean()),
        grey=float(np.hypot(*greys)),
        matrix=tuple(float(each) for each in fitted.T.ravel()),
    )


def _detector() -> Any:
    detector = cv2.mcc.CCheckerDetector.create()
    # both are left unset by OpenCV 5.0, so that what is found would differ from run to run
    detector.setColorChartType(cv2.mcc.MCC24)
    detector.setUseDnnModel(False)
    return detector


def _linear(colours: NDArray[Any]) -> Numbers:
    """Return 8-bit sRGB as light (IEC 61966-2-1)."""
    value = np.asarray(colours, dtype=np.float64) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _gamma(light: Numbers) -> Numbers:
    return 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _lab(colours: NDArray[Any]) -> Numbers:
    unit = np.asarray(colours, dtype=np.float32).reshape(1, -1, 3) / 255
    return np.asarray(cv2.cvtColor(unit, cv2.COLOR_RGB2LAB)[0], dtype=np.float64)
