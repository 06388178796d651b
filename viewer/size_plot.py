"""Lays out the plot of a lesion's size over time: places in an SVG of fixed width and height.

Pure; draws nothing and says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from casework.lesion_sizes import Size

WIDTH, HEIGHT = 560, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 84, 18, 34
_STEPS_MM = (0.5, 1, 2, 5, 10, 20, 50)
_MOST_LINES = 5


@dataclass(frozen=True)
class Dot:
    """One size in the plot: its place, and from where to where it may be."""

    x: float
    y: float
    low: float
    high: float
    size: Size


@dataclass(frozen=True)
class Line:
    """A line of the grid."""

    y: float
    mm: float


@dataclass(frozen=True)
class SizePlot:
    """All places of a plot."""

    dots: tuple[Dot, ...]
    lines: tuple[Line, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM

    @property
    def path(self) -> str:
        """Return the line through the sizes as the points of a polyline."""
        return " ".join(f"{dot.x:.1f},{dot.y:.1f}" for dot in self.dots)


def plot_of(sizes: Sequence[Size]) -> SizePlot | None:
    """Return the plot of two sizes or more, time to scale, the size from zero."""
    if len(sizes) < 2:
        return None
    first, last = sizes[0].day, sizes[-1].day
    most = max(size.longest_mm + size.off_by_mm for size in sizes)
    step = next((s for s in _STEPS_MM if most / s <= _MOST_LINES), _STEPS_MM[-1])
    top = step * -(-most // step)

    def y(mm: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * max(0.0, mm) / top

    return SizePlot(
        dots=tuple(
            Dot(
                _x(size.day, first, last),
                y(size.longest_mm),
                y(size.longest_mm - size.off_by_mm),
                y(size.longest_mm + size.off_by_mm),
                size,
            )
            for size in sizes
        ),
        lines=tuple(Line(y(n * step), n * step) for n in range(round(top / step) + 1)),
    )


def _x(day: date, first: date, last: date) -> float:
    share = (day - first).days / max(1, (last - first).days)
    return _LEFT + 24 + (WIDTH - _RIGHT - _LEFT - 24) * share
