"""Reads a drawing of a part of the body, written as text, into outlines for SVG.

A drawing is made of curves through points, some of which have names; a part of the skin is the
way round it from name to name, along the curve that both lie on or else straight. Neighbours
so share their border exactly. Knows no code and no view.

    box 200 460            the width and the height
    halves R               only the left half is drawn: it is the patient's right, and is mirrored
    edge a@1,2 3,4 b@5,6   a curve that is an outer edge; `curve` is a border within the skin
    mid CODE : a b         a part over the middle; from its top to its bottom on the left side
    pair CODE : a b        a part with a twin on the other half; `one` has none
    line 1,2 3,4           a line to look at only; `shape` is an area of that kind, closed

A line that begins with a space goes on with the one before. A point that begins with `^` is a
corner. After the code may stand `+CODE` for other sites of the same place (`+CODE.L` on the
patient's left only), and `>VIEW` for what is opened instead of chosen (`*` stands for its side).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import hypot

Point = tuple[float, float]

SWAPPED: Mapping[str, str] = {"L": "R", "R": "L", "": ""}

_POINT = re.compile(r"(\^?)(?:(\w+)@)?(\^?)(-?[\d.]+),(-?[\d.]+)")
_PART = re.compile(r"(mid|pair|one) ([\w.+]+)(?:>([\w*-]+))? : (.+)")


@dataclass(frozen=True)
class Part:
    """A part of the skin that can be pressed: its site, the half it lies on, its outline."""

    code: str
    also: tuple[str, ...]  # further sites of the same place, wider or narrower
    side: str  # of the patient: L | R, or empty in the middle
    opens: str  # the view that shows it closer; empty where it is chosen itself
    outline: str


@dataclass(frozen=True)
class Figure:
    """A drawing: parts to press, and lines and shapes to look at."""

    width: float
    height: float
    side: str  # the side that the whole drawing, or its left half, belongs to
    is_halved: bool  # its right half is the mirror image of its left one
    parts: tuple[Part, ...]
    edges: tuple[str, ...]
    lines: tuple[str, ...]
    shapes: tuple[str, ...]


@dataclass(frozen=True)
class _Curve:
    points: tuple[Point, ...]
    corners: frozenset[int]
    names: Mapping[str, int]
    middle: float | None  # where it would be mirrored


@dataclass
class _Sheet:
    width: float = 0.0
    height: float = 0.0
    side: str = ""
    is_halved: bool = False
    curves: list[_Curve] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    edges: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)


def read_figure(text: str) -> Figure:
    """Return the figure that a text draws; raise ValueError where it draws none."""
    sheet = _Sheet()
    for line in filter(None, re.sub(r"\n +", " ", text).splitlines()):
        word, _space, rest = line.partition(" ")
        match word:
            case "box":
                sheet.width, sheet.height = (float(each) for each in rest.split())
            case "halves" | "side":
                sheet.side, sheet.is_halved = rest, word == "halves"
            case "edge" | "curve" | "line" | "shape":
                _draw(sheet, word, rest)
            case _:
                _add_part(sheet, line)
    return Figure(
        sheet.width,
        sheet.height,
        sheet.side,
        sheet.is_halved,
        tuple(sheet.parts),
        tuple(sheet.edges),
        tuple(sheet.lines),
        tuple(sheet.shapes),
    )


def _draw(sheet: _Sheet, word: str, rest: str) -> None:
    curve = _curve_of(rest, middle=sheet.width / 2 if sheet.is_halved else None)
    if word in ("edge", "curve"):
        sheet.curves.append(curve)
    if word == "curve":
        return
    strokes = list(_strokes(curve, 0, len(curve.points) - 1))
    drawn = {"edge": sheet.edges, "line": sheet.lines, "shape": sheet.shapes}[word]
    drawn.append(_path(strokes))
    if sheet.is_halved:
        drawn.append(_path(_mirrored(strokes, sheet.width)))


def _add_part(sheet: _Sheet, line: str) -> None:
    found = _PART.fullmatch(line)
    if found is None:
        raise ValueError(f"not a line of a drawing: {line!r}")
    kind, codes, opens, way = found.groups()
    code, *also = codes.split("+")
    strokes = _way(sheet.curves, way.split(), is_closed=kind != "mid")
    if kind == "mid":
        strokes += list(_reversed(_mirrored(strokes, sheet.width)))
    side = "" if kind == "mid" else sheet.side
    for half in (side, SWAPPED[side]) if kind == "pair" else (side,):
        turned = strokes if half == side else _mirrored(strokes, sheet.width)
        sheet.parts.append(
            Part(
                code=code,
                also=tuple(each.split(".")[0] for each in also if each[-2:] != f".{SWAPPED[half]}"),
                side=half,
                opens=(opens or "").replace("*", half),
                outline=_path(turned) + "Z",
            )
        )


_Stroke = tuple[Point, Point, Point, Point]  # a cubic Bézier curve


def _curve_of(text: str, *, middle: float | None) -> _Curve:
    points, corners, names = [], set(), {}
    for i, word in enumerate(text.split()):
        found = _POINT.fullmatch(word)
        if found is None:
            raise ValueError(f"not a point of a drawing: {word!r}")
        before, name, after, x, y = found.groups()
        points.append((float(x), float(y)))
        if before or after:
            corners.add(i)
        if name and name not in names:
            names[name] = i
    return _Curve(tuple(points), frozenset(corners), names, middle)


def _way(curves: Sequence[_Curve], names: Sequence[str], *, is_closed: bool) -> list[_Stroke]:
    stops = [*names, names[0]] if is_closed else list(names)
    strokes: list[_Stroke] = []
    for start, end in pairwise(stops):
        strokes += _between(curves, start, end)
    return strokes


def _between(curves: Sequence[_Curve], start: str, end: str) -> Iterator[_Stroke]:
    for curve in curves:
        if start in curve.names and end in curve.names:
            yield from _strokes(curve, *_ends(curve, start, end))
            return
    a, b = (_named(curves, name) for name in (start, end))
    yield (a, a, b, b)


def _ends(curve: _Curve, start: str, end: str) -> tuple[int, int]:
    """Return where to go from and to: on a ring its first point is its last one too."""
    a, b, last = curve.names[start], curve.names[end], len(curve.points) - 1
    if curve.points[0] == curve.points[last]:
        a, b = (a if a or b * 2 <= last else last), (b if b or a * 2 < last else last)
    return a, b


def _named(curves: Sequence[_Curve], name: str) -> Point:
    for curve in curves:
        if name in curve.names:
            return curve.points[curve.names[name]]
    raise ValueError(f"no point of the drawing is named {name!r}")


def _strokes(curve: _Curve, start: int, end: int) -> Iterator[_Stroke]:
    if start > end:
        yield from _reversed(list(_strokes(curve, end, start)))
        return
    for i in range(start, end):
        a, b = curve.points[i], curve.points[i + 1]
        third = hypot(b[0] - a[0], b[1] - a[1]) / 3
        (ax, ay), (bx, by) = _heading(curve, i), _heading(curve, i + 1)
        yield (
            a,
            (a[0] + ax * third, a[1] + ay * third),
            (b[0] - bx * third, b[1] - by * third),
            b,
        )


def _heading(curve: _Curve, i: int) -> Point:
    """Return the direction of a curve at a point; none at a corner, or at an open end.

    One that ends in the middle goes on level there, as its mirror image begins.
    """
    points, last = curve.points, len(curve.points) - 1
    if i in curve.corners:
        return (0.0, 0.0)
    before, after = i - 1, i + 1
    if i in (0, last):
        if points[0] != points[last]:
            return _level(curve, i, 1 if i == 0 else last - 1)
        before, after = last - 1, 1
    dx, dy = points[after][0] - points[before][0], points[after][1] - points[before][1]
    length = hypot(dx, dy) or 1.0
    return (dx / length, dy / length)


def _level(curve: _Curve, end: int, neighbour: int) -> Point:
    (x, y), (beside_x, beside_y) = curve.points[end], curve.points[neighbour]
    if x != curve.middle or abs(beside_x - x) < abs(beside_y - y):
        return (0.0, 0.0)
    rightwards = (beside_x > x) == (end < neighbour)
    return (1.0 if rightwards else -1.0, 0.0)


def _mirrored(strokes: Sequence[_Stroke], width: float) -> list[_Stroke]:
    return [
        ((width - a[0], a[1]), (width - b[0], b[1]), (width - c[0], c[1]), (width - d[0], d[1]))
        for a, b, c, d in strokes
    ]


def _reversed(strokes: Sequence[_Stroke]) -> Iterator[_Stroke]:
    return ((d, c, b, a) for a, b, c, d in reversed(strokes))


def _path(strokes: Sequence[_Stroke]) -> str:
    """Return strokes as path data: relative and in tenths, since pages carry many of them."""
    said: list[str] = []
    at: Point | None = None
    for stroke in strokes:
        a, b, c, d = (_tenths(point) for point in stroke)
        if at is None:
            said.append(f"M{_number(a[0])} {_number(a[1])}")
            at = a
        elif a != at:
            said.append("l" + _steps(at, a))
            at = a
        is_straight = (stroke[0], stroke[3]) == (stroke[1], stroke[2])
        said.append("l" + _steps(at, d) if is_straight else "c" + _steps(at, b, c, d))
        at = d
    return "".join(said)


def _tenths(point: Point) -> Point:
    return round(point[0], 1), round(point[1], 1)


def _steps(at: Point, *to: Point) -> str:
    numbers = [_number(each) for x, y in to for each in (x - at[0], y - at[1])]
    return re.sub(r" -", "-", " ".join(numbers))


def _number(value: float) -> str:
    text = f"{round(value, 1):g}"
    return "0" if text == "-0" else text.replace("0.", ".", 1) if abs(value) < 1 else text
