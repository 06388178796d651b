"""Puts the points of a mark into the graphics of a structured report (PS3.3 C.18.6.1.2).

Pure; knows no DICOM object.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

REGIONS = frozenset({"ellipse", "rectangle"})
"""The kinds that enclose an area."""

Graphic = tuple[str, NDArray[np.float32]]
_SQUARE = 1e-6  # so little may two axes miss a right angle


def region_of(kind: str, points: Sequence[Sequence[float]]) -> Graphic:
    """Return a region as an ELLIPSE, its longer axis first, or as a closed POLYLINE."""
    flat = [(float(p[0]), float(p[1])) for p in points]
    if kind == "ellipse":
        return "ELLIPSE", _axes(flat)
    (left, top), (right, bottom) = flat
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    return "POLYLINE", np.array(corners, dtype=np.float32)


def drawn(points: Sequence[Sequence[float]], what: str) -> Graphic:
    """Return what a figure was measured between: of two axes the one that is meant."""
    flat = np.array([point[:2] for point in points], dtype=np.float32)
    if what == "long-axis":
        flat = flat[:2]
    elif what == "short-axis":
        flat = flat[2:]
    return ("POINT" if len(flat) == 1 else "POLYLINE"), flat


def _axes(ends: Sequence[tuple[float, float]]) -> NDArray[np.float32]:
    """Return the ends of the two axes in pixels, major first.

    Axes that stand square in the patient do not where pixels are not square: then they are
    conjugate diameters, and the axes of the same ellipse in pixels follow from them.
    """
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = ends
    middle = np.array([(ax + bx) / 2, (ay + by) / 2])
    u, v = np.array([(bx - ax) / 2, (by - ay) / 2]), np.array([(dx - cx) / 2, (dy - cy) / 2])
    size = math.hypot(*u) * math.hypot(*v)
    if size > 0 and abs(float(u @ v)) > _SQUARE * size:
        directions, lengths, _ = np.linalg.svd(np.column_stack([u, v]))
        u, v = directions[:, 0] * lengths[0], directions[:, 1] * lengths[1]
    if math.hypot(*v) > math.hypot(*u):
        u, v = v, u
    return np.array([middle - u, middle + u, middle - v, middle + v], dtype=np.float32)
