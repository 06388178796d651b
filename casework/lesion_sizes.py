"""What a lesion's longest diameter does over time, and whether measuring can tell so much.

Pure. Only lengths in millimetres by a scale in the picture count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

READER, OUTLINE = "reader", "outline"
_DIAMETERS = ("length", "bidirectional")  # of the latter the longer axis is the value
_READER_SHARE = 0.05  # of a length: the marker's own certainty
_READER_MM = 0.2  # where a person puts the two ends
_DAYS_A_MONTH = 30.44


@dataclass(frozen=True)
class Size:
    """How long a lesion was on a day."""

    day: date
    longest_mm: float
    off_by_mm: float  # either way
    by: str  # reader: a person measured it; outline: found by its colour
    sop_instance_uid: str


@dataclass(frozen=True)
class Trend:
    """From the first size to the last."""

    first: Size
    last: Size
    days: int
    is_certain: bool  # the difference is more than both may be off

    @property
    def months(self) -> int:
        """Return how many months lie between."""
        return round(self.days / _DAYS_A_MONTH)


def measured_lengths(
    measurements: Iterable[Mapping[str, Any]], days: Mapping[str, date]
) -> list[Size]:
    """Return what a reader measured in millimetres on these pictures (UID to day)."""
    found = []
    for each in measurements:
        uid, value = str(each.get("instance_uid") or ""), each.get("value")
        if each.get("kind") not in _DIAMETERS or each.get("unit") != "mm" or uid not in days:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            continue
        off = math.hypot(_READER_SHARE * value, _READER_MM)
        found.append(Size(days[uid], float(value), off, READER, uid))
    return found


def one_a_day(sizes: Iterable[Size]) -> list[Size]:
    """Return one size a day: a reader's longest, else the outline that is off by the least."""
    days: dict[date, list[Size]] = {}
    for size in sizes:
        days.setdefault(size.day, []).append(size)
    return [_best(days[day]) for day in sorted(days)]


def trend_of(sizes: Sequence[Size]) -> Trend | None:
    """Return what becomes of it from the first day to the last, or None with fewer than two."""
    if len(sizes) < 2:
        return None
    first, last = sizes[0], sizes[-1]
    apart = abs(last.longest_mm - first.longest_mm)
    return Trend(
        first=first,
        last=last,
        days=(last.day - first.day).days,
        is_certain=apart > math.hypot(first.off_by_mm, last.off_by_mm),
    )


def _best(sizes: Sequence[Size]) -> Size:
    readers = [size for size in sizes if size.by == READER]
    if readers:
        return max(readers, key=lambda size: size.longest_mm)
    return min(sizes, key=lambda size: (size.off_by_mm / size.longest_mm, size.sop_instance_uid))
