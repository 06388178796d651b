"""Finds the printed scale card in a photograph: how large a pixel is, and how far it is tilted.

The card carries a marker of known size (ArUco, Garrido-Jurado et al. 2014), so that no ruler has to
be read. Numbers only; what they mean is decided in `quality`, and what is said of the size in
`attributes`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from derm_capture.raster import Pixels

MARKER_MM = 10.0
"""The side of the black square."""
MARKER_ID = 7
_LEAST_PIXELS = 30.0  # of the working picture: below, a pixel is three per cent of the marker
_LEAST_STRAIGHT = 0.9  # a tilt of 26 degrees
_DICTIONARY = cv2.aruco.DICT_4X4_50


@dataclass(frozen=True)
class Scale:
    """The size of a pixel in the plane of the card, and how the card is seen."""

    mm_per_pixel: float
    marker_pixels: float  # a side of the marker where it was found
    straightness: float  # shortest side of the marker over its longest; 1 is from straight above

    def at(self, factor: float) -> Scale:
        """Return the scale of the same picture with `factor` times as many pixels each way."""
        return replace(self, mm_per_pixel=self.mm_per_pixel / factor)

    @property
    def can_measure(self) -> bool:
        """Tell whether lengths by it are within some five per cent."""
        return self.marker_pixels >= _LEAST_PIXELS and self.straightness >= _LEAST_STRAIGHT


def find_scale(pixels: Pixels) -> Scale | None:
    """Return the scale of a picture, or None where no marker is seen."""
    found = marker_corners(pixels)
    if not found:
        return None
    sides = [_sides(corners) for corners in found]
    nearest = max(sides, key=lambda four: float(four.mean()))  # the least pixels are the least sure
    side = float(nearest.mean())
    return Scale(MARKER_MM / side, side, float(nearest.min() / nearest.max()))


def marker_corners(pixels: Pixels) -> list[NDArray[np.float32]]:
    """Return the four corners of each marker that is seen, the marker's own upper left first."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    corners, ids, _ = _detector().detectMarkers(grey)
    if ids is None:
        return []
    pairs = zip(corners, ids.ravel(), strict=True)
    return [np.asarray(c.reshape(4, 2), np.float32) for c, i in pairs if i == MARKER_ID]


def marker(side_pixels: int) -> NDArray[np.uint8]:
    """Return the marker as black and white pixels, without the white margin that it needs."""
    dictionary = cv2.aruco.getPredefinedDictionary(_DICTIONARY)
    drawn = cv2.aruco.generateImageMarker(dictionary, MARKER_ID, side_pixels)
    return np.asarray(drawn, dtype=np.uint8)


@cache
def _detector() -> Any:
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    return cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(_DICTIONARY), parameters)


def _sides(corners: NDArray[np.float32]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
    return np.asarray(lengths, dtype=np.float64)
