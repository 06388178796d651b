"""Judges from their positions whether the slices of a series are all there, and evenly spaced.

Pure: distances along one normal in, what is wrong out. Knows no series.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

FEWEST = 4
"""Slices below which nothing is said of their spacing."""

_SAME_MM = 0.01
_UNEVEN = 0.1  # of the usual distance
_WHOLE = 0.15  # how near a multiple of it a gap has to be to be missing slices
_WIDEST = 8  # more missing slices in one place are two stacks, not a gap


@dataclass(frozen=True)
class Gap:
    """Slices that are missing: how many, and after which place (from 1)."""

    after: int
    missing: int
    mm: float


@dataclass(frozen=True)
class Slices:
    """How the slices of a series lie."""

    gaps: tuple[Gap, ...] = ()
    is_uneven: bool = False
    twice: int = 0  # places with more slices than the others have

    @property
    def missing(self) -> int:
        """Return how many slices are missing."""
        return sum(gap.missing for gap in self.gaps)


def judge(distances_mm: Sequence[float]) -> Slices:
    """Return how slices lie at these distances along their normal.

    A series that goes over the same places several times has every place as often; a place that has
    more than the others has a slice twice.
    """
    places = _places(distances_mm)
    if len(places) < FEWEST:
        return Slices()
    distances = sorted(places)
    steps = [b - a for a, b in pairwise(distances)]
    usual = median(steps)
    gaps, is_uneven = [], False
    for place, step in enumerate(steps, 1):
        times = round(step / usual)
        if step > (1 + 2 * _UNEVEN) * usual and times >= 2:
            if abs(step / usual - times) <= _WHOLE and times - 1 <= _WIDEST:
                gaps.append(Gap(place, times - 1, round(step, 2)))
            else:
                is_uneven = True
        elif abs(step - usual) > _UNEVEN * usual:
            is_uneven = True
    if is_uneven:
        gaps = []  # where no distance is the usual one, none is a gap
    often = Counter(places.values()).most_common(1)[0][0]
    return Slices(tuple(gaps), is_uneven, sum(count > often for count in places.values()))


def _places(distances_mm: Sequence[float]) -> dict[float, int]:
    """Return each place with how many slices it has."""
    places: dict[float, int] = {}
    last: float | None = None
    for distance in sorted(distances_mm):
        if last is None or distance - last > _SAME_MM:
            last = distance
            places[last] = 0
        places[last] += 1
    return places
