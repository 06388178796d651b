"""Draws a reader's marks on a picture: lines, outlines, arrows and points, with their values.

From kind and points alone, in the pixels of the image; what a mark says is measured elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

Point = tuple[float, float]
Placing = Callable[[Point], Point]
"""Gives the place on the picture of a place in the image."""

_FONT = Path(__file__).parent / "static" / "fonts" / "DejaVuSans-Bold.ttf"
_LINE, _EDGE = (255, 214, 92), (0, 0, 0)
_STEPS = 72
_FARTHEST = 100_000.0
_PAIRS = frozenset({"bidirectional", "cobb"})
_FINE = 2  # drawn so many times larger and made smaller, so that slanted lines are smooth


def outlines(kind: str, points: Sequence[Point]) -> Sequence[Sequence[Point]]:
    """Return the lines of a mark in image pixels; a point alone is a line of one point."""
    if len(points) < 2:
        return [list(points)]
    if kind == "ellipse":
        return [_ellipse(points)]
    if kind == "rectangle":
        return [_rectangle(points)]
    if kind in _PAIRS or (kind == "angle" and len(points) == 4):
        return [points[at : at + 2] for at in range(0, len(points) - 1, 2)]
    if kind in {"probe", "text"}:
        return [list(points[:1])]
    return [list(points)]


def extent_of(kind: str, points: Sequence[Point]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a mark in image pixels."""
    drawn = [point for line in outlines(kind, points) for point in line]
    across, down = [x for x, _ in drawn], [y for _, y in drawn]
    return min(across), min(down), max(across), max(down)


def points_of(mark: Mapping[str, Any]) -> list[Point]:
    """Return the points of a kept measurement, bounded; a third coordinate is left out."""
    return [(_bounded(point[0]), _bounded(point[1])) for point in mark.get("points") or ()]


def _bounded(value: Any) -> float:
    """Return a coordinate that can be drawn: nobody has an image that is larger."""
    return min(max(float(value), -_FARTHEST), _FARTHEST)


def value_of(mark: Mapping[str, Any]) -> str:
    """Return what stands beside a mark: its value, or its words where it has none."""
    value, kind = mark.get("value"), mark.get("kind")
    if value is None:
        return str(mark.get("label") or "") if kind in {"text", "arrow"} else ""
    figure = f"{value:g}" if isinstance(value, int | float) else str(value)
    return f"{figure} {mark.get('unit') or ''}".strip()


def marked(image: Image.Image, marks: Sequence[Mapping[str, Any]], place: Placing) -> Image.Image:
    """Return a picture with marks drawn on it."""
    if not marks:
        return image
    size = image.width * _FINE, image.height * _FINE
    fine = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(fine)
    width = max(3, round(min(size) / 150))
    for mark in marks:
        points = points_of(mark)
        if points:
            _draw(draw, str(mark.get("kind") or ""), points, width, _finer(place))
    font = ImageFont.truetype(_FONT, max(14, min(size) // 20))
    for mark in marks:
        if points := points_of(mark):
            _label(draw, size, value_of(mark), [_finer(place)(p) for p in points], font)
    return fine.resize(image.size, Image.Resampling.BOX)


def _finer(place: Placing) -> Placing:
    def at(point: Point) -> Point:
        x, y = place(point)
        return x * _FINE, y * _FINE

    return at


def _draw(
    draw: ImageDraw.ImageDraw, kind: str, points: Sequence[Point], width: int, place: Placing
) -> None:
    for line in outlines(kind, points):
        placed = [place(point) for point in line]
        pieces = [placed] if len(placed) > 1 else _cross(placed[0], width * 5)
        if kind == "arrow" and len(placed) > 1:
            pieces = [*pieces, _head(placed[0], placed[1], width * 7)]
        for colour, wide in ((_EDGE, width + 4), (_LINE, width)):
            for piece in pieces:
                draw.line(piece, fill=colour, width=wide, joint="curve")


def _cross(at: Point, reach: float) -> list[list[Point]]:
    x, y = at
    return [[(x - reach, y), (x + reach, y)], [(x, y - reach), (x, y + reach)]]


def _head(tip: Point, tail: Point, reach: float) -> list[Point]:
    along = math.atan2(tail[1] - tip[1], tail[0] - tip[0])
    left, right = (
        (tip[0] + reach * math.cos(along + by), tip[1] + reach * math.sin(along + by))
        for by in (0.45, -0.45)
    )
    return [left, tip, right]


def _ellipse(points: Sequence[Point]) -> list[Point]:
    """Return an ellipse from its box, or from the ends of its axes (PS3.3 C.18.6.1.2)."""
    if len(points) >= 4:
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = points[:4]
        middle = (ax + bx) / 2, (ay + by) / 2
        one, other = ((bx - ax) / 2, (by - ay) / 2), ((dx - cx) / 2, (dy - cy) / 2)
    else:
        (left, top), (right, bottom) = points[:2]
        middle = (left + right) / 2, (top + bottom) / 2
        one, other = ((right - left) / 2, 0.0), (0.0, (bottom - top) / 2)
    turns = [2 * math.pi * step / _STEPS for step in range(_STEPS + 1)]
    return [
        (
            middle[0] + one[0] * math.cos(turn) + other[0] * math.sin(turn),
            middle[1] + one[1] * math.cos(turn) + other[1] * math.sin(turn),
        )
        for turn in turns
    ]


def _rectangle(points: Sequence[Point]) -> list[Point]:
    if len(points) >= 4:
        return [*points[:4], points[0]]
    (left, top), (right, bottom) = points[:2]
    return [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]


def _label(
    draw: ImageDraw.ImageDraw,
    size: tuple[int, int],
    text: str,
    points: Sequence[Point],
    font: ImageFont.FreeTypeFont,
) -> None:
    """Write a value to the right of a mark, moved so that it lies on the picture."""
    if not text:
        return
    right = max(points)
    wide, high = font.getlength(text), font.size
    x, y = right[0] + high * 0.7, right[1] - high / 2
    if x + wide + 6 > size[0]:  # no room beside it: above it, or below where that is over the edge
        x, top = size[0] - wide - 6, min(y for _, y in points)
        y = top - high * 1.6 if top > high * 2 else max(y for _, y in points) + high * 0.6
    x, y = max(x, 4), min(max(y, 4), max(4, size[1] - high - 8))
    draw.text((x, y), text, fill=_LINE, font=font, stroke_width=3, stroke_fill=_EDGE)
