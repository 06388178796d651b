"""Counts time as a department works: weekly opening hours less its closed days, in its time zone.

Pure; moments are aware, and wall clock times are turned into them, so that a day on which the clock
is moved has 23 or 25 hours. Knows no case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from casework.holidays import norwegian_holidays

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PART = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? (\d{2}):(\d{2})-(\d{2}):(\d{2})")
_DAY_MIN = 24 * 60
_NONE = timedelta(0)
_EXPECTED = "give hours as `mon-thu 08:00-16:00, fri 08:00-15:00`, or `always`"

Opening = tuple[int, int]
"""From and until, in minutes of a day's wall clock; 1440 is its end."""


@dataclass(frozen=True)
class Hours:
    """When a department reads: by weekday from Monday, never on holidays and other closed days."""

    weekly: tuple[tuple[Opening, ...], ...]
    zone: str = "Europe/Oslo"
    keeps_holidays: bool = True
    closed_yearly: frozenset[tuple[int, int]] = field(default=frozenset())  # month and day
    closed_dates: frozenset[date] = field(default=frozenset())

    @property
    def is_always(self) -> bool:
        """Tell whether it never closes."""
        return not (self.keeps_holidays or self.closed_yearly or self.closed_dates) and all(
            day == ((0, _DAY_MIN),) for day in self.weekly
        )

    @property
    def day_length(self) -> timedelta:
        """Return how long the longest day of a week is: what a working day is reckoned as."""
        return timedelta(minutes=max(sum(b - a for a, b in day) for day in self.weekly))

    def is_closed_on(self, day: date) -> bool:
        """Tell whether a day is closed as a whole."""
        return (
            not self.weekly[day.weekday()]
            or (self.keeps_holidays and day in norwegian_holidays(day.year))
            or (day.month, day.day) in self.closed_yearly
            or day in self.closed_dates
        )

    def worked(self, start: datetime, end: datetime) -> timedelta:
        """Return how much open time lies between two moments; none when they are in wrong order."""
        if end <= start:
            return _NONE
        if self.is_always:
            return end - start
        total = _NONE
        for opens, closes in self._open_from(start):
            if opens >= end:
                break
            total += min(closes, end) - opens
        return total

    def after(self, start: datetime, span: timedelta) -> datetime:
        """Return the first moment by which so much open time has passed since a start."""
        if span <= _NONE or self.is_always:
            return start + max(span, _NONE)
        left = span
        for opens, closes in self._open_from(start):
            if closes - opens >= left:
                return opens + left
            left -= closes - opens
        raise ValueError("The opening hours have no open time.")

    def opens_at(self, now: datetime) -> datetime:
        """Return now when it is open, else when it opens next."""
        return next(opens for opens, _closes in self._open_from(now))

    def closes_at(self, now: datetime) -> datetime:
        """Return when the present or the next open day closes for the night."""
        opens = self.opens_at(now)
        day = opens.astimezone(ZoneInfo(self.zone)).date()
        return max(closes for _opens, closes in self._openings(day))

    def _open_from(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the open stretches from a moment on, the first of them cut at it."""
        day = start.astimezone(ZoneInfo(self.zone)).date() - timedelta(days=1)
        closed_days = 0
        while closed_days <= 400:
            closed_days += 1
            for opens, closes in self._openings(day):
                closed_days = 0
                if closes > start:
                    yield max(opens, start.astimezone(UTC)), closes
            day += timedelta(days=1)

    def _openings(self, day: date) -> list[tuple[datetime, datetime]]:
        if self.is_closed_on(day):
            return []
        found = (
            (self._moment(day, opens), self._moment(day, closes))
            for opens, closes in self.weekly[day.weekday()]
        )
        return [(opens, closes) for opens, closes in found if closes > opens]

    def _moment(self, day: date, minute: int) -> datetime:
        on, of_day = divmod(minute, _DAY_MIN)
        wall = datetime.combine(day + timedelta(days=on), time(of_day // 60, of_day % 60))
        return wall.replace(tzinfo=ZoneInfo(self.zone)).astimezone(UTC)


def parse_week(text: str) -> tuple[tuple[Opening, ...], ...]:
    """Return weekly hours from `mon-fri 08:00-16:00, sat 10:00-14:00`; raise ValueError if it is
    none.
    """
    if text.strip().lower() == "always":
        return (((0, _DAY_MIN),),) * 7
    week: list[list[Opening]] = [[] for _ in _DAYS]
    for part in filter(None, (each.strip().lower() for each in text.split(","))):
        found = _PART.fullmatch(part)
        if found is None or not {found[1], found[2] or found[1]} <= set(_DAYS):
            raise ValueError(_EXPECTED)
        first, last = _DAYS.index(found[1]), _DAYS.index(found[2] or found[1])
        opens, closes = (int(found[n]) * 60 + int(found[n + 1]) for n in (3, 5))
        if not 0 <= opens < closes <= _DAY_MIN or int(found[4]) > 59 or int(found[6]) > 59:
            raise ValueError(_EXPECTED)
        for day in range(first, last + 1 if last >= first else last + 8):
            week[day % 7].append((opens, closes))
    for openings in week:
        openings.sort()
        if any(a[1] > b[0] for a, b in pairwise(openings)):
            raise ValueError("two openings of one day overlap")
    if not any(week):
        raise ValueError(_EXPECTED)
    return tuple(tuple(openings) for openings in week)


def parse_closed_day(text: str) -> date | tuple[int, int]:
    """Return a closed day: `12-24` of every year, `2026-05-15` once; raise ValueError if it is
    none.
    """
    try:
        if len(text) == 5:
            once = date.fromisoformat(f"2024-{text}")
            return once.month, once.day
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError("give closed days as 12-24 (every year) or 2026-05-15") from error
