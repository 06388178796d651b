"""Moves a transform that is about right to where the structure of two pictures agrees best.

After Evangelidis and Psarakis (2008), on small copies without what is thin.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from derm_capture.agreement import fine

Grey = NDArray[np.uint8]
Matrix = NDArray[np.float64]

_SIDE = 320  # long side in pixels
_STEPS = 40
_ENOUGH = 1e-4
_SMOOTH = 5  # pixels


def refined(
    first: Grey, first_mask: Grey, second: Grey, second_mask: Grey, matrix: Matrix
) -> Matrix:
    """Return the better transform, or the one that was given where none is found."""
    a = np.diag([_factor(first), _factor(first), 1.0])
    b = np.diag([_factor(second), _factor(second), 1.0])
    begun = a @ np.linalg.inv(matrix) @ np.linalg.inv(b)  # of the second onto the first
    begun = (begun / begun[2, 2]).astype(np.float32)
    still = np.where(_small(second_mask) > 0, fine(_small(second)), 0).astype(np.float32)
    moved = fine(_small(first))
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _STEPS, _ENOUGH)
    mask = cv2.erode(_small(first_mask), np.ones((5, 5), np.uint8))
    try:
        _, found = cv2.findTransformECC(
            still, moved, begun, cv2.MOTION_HOMOGRAPHY, stop, mask, _SMOOTH
        )
    except cv2.error:  # it does not settle
        return matrix
    inverse = np.linalg.inv(b) @ np.linalg.inv(found.astype(np.float64)) @ a
    return np.asarray(inverse / inverse[2, 2], dtype=np.float64)


def _factor(picture: Grey) -> float:
    return min(1.0, _SIDE / float(max(picture.shape)))


def _small(picture: Grey) -> Grey:
    factor = _factor(picture)
    rows, columns = picture.shape
    size = (max(1, round(columns * factor)), max(1, round(rows * factor)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
