"""Tells how well the fine structure of two pictures agrees once one is laid on the other.

A dark spot on light skin looks like any other, so what is coarse does not count.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Plane = NDArray[np.float32]

_SIDE = 384  # long side in pixels on which it is compared
_FINEST, _COARSE = 1.6, 8.0  # pixels between which structure counts


def agreement_of(
    first: Grey, first_mask: Grey, second: Grey, second_mask: Grey, matrix: NDArray[np.float64]
) -> tuple[float, float]:
    """Return the correlation of what is seen in both, and how much of the smaller that is."""
    rows, columns = second.shape
    factor = _SIDE / max(rows, columns)
    size = (max(1, round(columns * factor)), max(1, round(rows * factor)))
    onto = np.diag([factor, factor, 1.0]) @ matrix
    moved = cv2.warpPerspective(first, onto, size, flags=cv2.INTER_AREA)
    moved_mask = cv2.warpPerspective(first_mask, onto, size, flags=cv2.INTER_NEAREST)
    still = cv2.resize(second, size, interpolation=cv2.INTER_AREA)
    still_mask = cv2.resize(second_mask, size, interpolation=cv2.INTER_NEAREST)
    seen = cv2.erode(((moved_mask > 0) & (still_mask > 0)).astype(np.uint8), np.ones((9, 9)))
    both = seen > 0
    shrunk = float(np.count_nonzero(first_mask)) * abs(np.linalg.det(onto[:2, :2]))
    smaller = min(float(np.count_nonzero(still_mask)), shrunk)
    if smaller <= 0 or both.sum() < 400:
        return 0.0, 0.0
    a, b = fine(moved)[both], fine(still)[both]
    a, b = a - a.mean(), b - b.mean()
    power = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return (float((a * b).sum()) / power if power > 0 else 0.0), float(both.sum()) / smaller


def fine(grey: NDArray[np.generic]) -> Plane:
    """Return structure of middling size, evened: a glare or a hair weighs no more than skin."""
    plane = np.asarray(grey, dtype=np.float32)
    band = cv2.GaussianBlur(plane, (0, 0), _FINEST) - cv2.GaussianBlur(plane, (0, 0), _COARSE)
    strength = np.sqrt(cv2.GaussianBlur(band**2, (0, 0), _COARSE)) + 1.0
    return np.asarray(np.clip(band / strength, -2.5, 2.5), dtype=np.float32)
