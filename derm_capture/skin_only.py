"""Says which part of a picture is skin to compare: no black ring, no glare, no scale card.

What is printed or ground into an instrument is the same in every picture and would lay any lesion
on any other.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from derm_capture.raster import Pixels
from derm_capture.scale import MARKER_MM, marker_corners

_BLACK = 24  # of 255: the ring of a dermatoscope
_GLARE = 250
_RING_SHARE = 0.012  # of the long side: how far the ring's blur reaches
_CARD_MM = ((-12.0, -18.0), (82.0, -18.0), (82.0, 44.0), (-12.0, 44.0))
"""The card's corners in its own plane, the marker's first corner being 0, with some room."""


def skin_of(pixels: Pixels) -> NDArray[np.uint8]:
    """Return 255 where a picture shows skin that may be compared, else 0."""
    dark = pixels.max(axis=2) < _BLACK
    mask = np.where(_ring(dark), 0, 255).astype(np.uint8)
    reach = max(3, round(_RING_SHARE * max(mask.shape)) | 1)
    mask = np.asarray(cv2.erode(mask, np.ones((reach, reach), np.uint8)), dtype=np.uint8)
    glare = (pixels.min(axis=2) >= _GLARE).astype(np.uint8)
    mask[cv2.dilate(glare, np.ones((5, 5), np.uint8)) > 0] = 0
    for corners in marker_corners(pixels):
        cv2.fillPoly(mask, [_card(corners)], 0)
    edge = max(2, reach // 2)
    mask[:edge], mask[-edge:], mask[:, :edge], mask[:, -edge:] = 0, 0, 0, 0
    return mask


def _ring(dark: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the black that reaches the edge of the picture; a black lesion within is skin."""
    _, labels = cv2.connectedComponents(dark.astype(np.uint8))
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    outer = np.unique(edge[edge > 0])
    return np.asarray(np.isin(labels, outer))


def _card(corners: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return where the card lies that carries a marker."""
    square = np.array([(0, 0), (MARKER_MM, 0), (MARKER_MM, MARKER_MM), (0, MARKER_MM)])
    matrix = cv2.getPerspectiveTransform(square.astype(np.float32), corners)
    card = np.array(_CARD_MM, dtype=np.float32).reshape(-1, 1, 2)
    moved = np.nan_to_num(cv2.perspectiveTransform(card, matrix).reshape(-1, 2))
    return np.asarray(np.clip(moved, -20_000, 20_000), dtype=np.int32)
