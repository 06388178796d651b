"""Measures how long a lesion is in a photograph with a scale, and how far that may be off.

Where no edge is clear, or the lesion is cut off, it says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from derm_capture.framing import Mask, find_region
from derm_capture.raster import Pixels
from derm_capture.skin_only import skin_of

_SCALE_SHARE = 0.03  # of a length: tilt and the marker's own pixels
_STRICTNESS = (0.75, 1.3)  # the edge drawn farther out and nearer
_MOST_SHARE = 0.4  # of a length that it may be off and still be told


@dataclass(frozen=True)
class Extent:
    """The longest diameter of a lesion."""

    longest_mm: float
    off_by_mm: float  # either way
    ends: tuple[tuple[float, float], tuple[float, float]]  # shares of the picture's width, height


def extent_of(pixels: Pixels, *, mm_per_pixel: float) -> Extent | None:
    """Return how long the lesion is; `mm_per_pixel` is of the picture that is given."""
    skin = skin_of(pixels) > 0
    found = find_region(pixels, skin_alone=skin)
    if found is None or not found.is_clear or _is_cut(found.mask):
        return None
    small = max(found.mask.shape)
    mm = mm_per_pixel * max(pixels.shape[:2]) / small  # of a pixel of the small picture
    longest, ends = _longest(found.mask)
    others = [find_region(pixels, skin_alone=skin, strictness=s) for s in _STRICTNESS]
    lengths = [_longest(other.mask)[0] for other in others if other is not None]
    edge = max((abs(length - longest) for length in lengths), default=0.0)
    off = float(np.hypot(np.hypot(edge * mm, mm), _SCALE_SHARE * longest * mm))
    if off > _MOST_SHARE * longest * mm:
        return None
    rows, columns = found.mask.shape
    (ax, ay), (bx, by) = ends
    return Extent(
        longest_mm=longest * mm,
        off_by_mm=off,
        ends=((ax / columns, ay / rows), (bx / columns, by / rows)),
    )


def _is_cut(mask: Mask) -> bool:
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


def _longest(mask: Mask) -> tuple[float, tuple[tuple[float, float], tuple[float, float]]]:
    """Return the longest distance between two points of a region, and the two."""
    y, x = np.nonzero(mask)
    hull = cv2.convexHull(np.stack([x, y], axis=1).astype(np.int32)).reshape(-1, 2)
    apart = np.linalg.norm(hull[:, None].astype(float) - hull[None], axis=2)
    i, j = np.unravel_index(int(apart.argmax()), apart.shape)
    a, b = hull[int(i)], hull[int(j)]
    ends = ((float(a[0]) + 0.5, float(a[1]) + 0.5), (float(b[0]) + 0.5, float(b[1]) + 0.5))
    return float(apart[i, j]) + 1.0, ends
