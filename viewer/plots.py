"""Lays out plain plots for pages: bars and quartile boxes on one scale. Numbers in, places out.

A template draws them as SVG beside the numbers, which stay the truth for who does not see it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from casework.statistics import Spread

WIDTH = 100.0
"""Of a plot, in its own units."""


@dataclass(frozen=True)
class Bar:
    """A bar with what it stands for; lengths are of WIDTH."""

    label: str
    text: str
    length: float
    second: float | None = None  # a part of it that is drawn stronger


@dataclass(frozen=True)
class Box:
    """The quartiles of some times on the scale of all boxes of a plot."""

    label: str
    spread: Spread
    left: float = 0.0
    middle: float = 0.0
    right: float = 0.0


def bars(rows: Iterable[tuple[str, str, float, float | None]]) -> Sequence[Bar]:
    """Return bars of (label, text, value, part of it) on the scale of the longest."""
    listed = list(rows)
    longest = max((value for _, _, value, _ in listed), default=0.0)
    scale = WIDTH / longest if longest > 0 else 0.0
    return [
        Bar(label, text, value * scale, None if part is None else part * scale)
        for label, text, value, part in listed
    ]


def boxes(rows: Iterable[tuple[str, Spread]]) -> Sequence[Box]:
    """Return boxes from the lower to the upper quartile on the scale of the longest."""
    listed = [(label, spread) for label, spread in rows if spread.count]
    longest = max((spread.upper_s or 0.0 for _, spread in listed), default=0.0)
    scale = WIDTH / longest if longest > 0 else 0.0
    return [
        Box(
            label,
            spread,
            left=(spread.lower_s or 0.0) * scale,
            middle=(spread.median_s or 0.0) * scale,
            right=(spread.upper_s or 0.0) * scale,
        )
        for label, spread in listed
    ]
