"""When an answer is due, and whether it will be late. The clock runs only while the specialist is
the one being waited for.

Each priority says by which clock it counts: every hour, or the hours in which its specialty reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from casework.hours import Hours, parse_week
from casework.model import Priority, Specialty

_TARGET = re.compile(r"(routine|urgent|asap|stat)=(\d{1,4}(?:\.\d)?)(wh|wd|h|d)")


@dataclass(frozen=True)
class Target:
    """How long an answer may take: hours or days, of the calendar or of work."""

    amount: float
    unit: str  # h | d | wh | wd

    @property
    def is_working(self) -> bool:
        """Tell whether only opening hours count."""
        return self.unit.startswith("w")

    def span(self, hours: Hours) -> timedelta:
        """Return it as time of its own clock; a working day is as long as the longest of a week."""
        if self.unit == "wd":
            return self.amount * hours.day_length
        return timedelta(days=self.amount) if self.unit == "d" else timedelta(hours=self.amount)


class Outlook(StrEnum):
    """What becomes of a case that nobody reads now."""

    LATE = "late"  # it is already
    CLOSED = "closed"  # it is due before the department opens again
    TODAY = "today"  # it will be late unless it is read on this open day
    FINE = "fine"


@dataclass(frozen=True)
class Forecast:
    """How a case stands with its clock."""

    outlook: Outlook
    left: timedelta  # until it is due, by the clock that it is counted by; none when late
    is_working: bool
    read_by: datetime  # the last open moment before it is late, or the present when there is none


STANDARD_TARGETS: Mapping[Specialty, str] = MappingProxyType(
    {
        Specialty.RADIOLOGY: "routine=3wd urgent=24h asap=4h stat=1h",
        Specialty.DERMATOLOGY: "routine=5wd urgent=2d asap=24h stat=4h",
    }
)
"""How long a signed answer may take, from submission, where nothing else is set."""

STANDARD_WEEK = "mon-fri 08:00-16:00"


def parse_targets(text: str) -> Mapping[Priority, Target]:
    """Return the targets of a specialty; raise ValueError when one is missing or is none."""
    found: dict[Priority, Target] = {}
    for part in text.replace(",", " ").split():
        matched = _TARGET.fullmatch(part)
        if matched is None or float(matched[2]) <= 0:
            raise ValueError(
                "give targets as `routine=3wd urgent=24h asap=4h stat=1h`: h and d count every "
                "hour, wh and wd those that are worked"
            )
        found[Priority(matched[1])] = Target(float(matched[2]), matched[3])
    if missing := [each.value for each in Priority if each not in found]:
        raise ValueError(f"no target for {', '.join(missing)}")
    return found


def _standard_hours() -> Mapping[Specialty, Hours]:
    week = parse_week(STANDARD_WEEK)
    return {each: Hours(week, closed_yearly=frozenset({(12, 24)})) for each in Specialty}


def _standard_targets() -> Mapping[Specialty, Mapping[Priority, Target]]:
    return {each: parse_targets(text) for each, text in STANDARD_TARGETS.items()}


@dataclass(frozen=True)
class Clocks:
    """The targets and the opening hours of an exchange, by specialty."""

    hours: Mapping[Specialty, Hours] = field(default_factory=_standard_hours)
    targets: Mapping[Specialty, Mapping[Priority, Target]] = field(
        default_factory=_standard_targets
    )

    def target(self, priority: Priority, specialty: Specialty) -> Target:
        """Return how long an answer may take."""
        return self.targets[specialty][priority]

    def due_at(self, submitted_at: datetime, priority: Priority, specialty: Specialty) -> datetime:
        """Return when an answer is due."""
        span = self.target(priority, specialty).span(self.hours[specialty])
        return self._later(submitted_at, span, priority, specialty)

    def resumed(
        self,
        due_at: datetime,
        priority: Priority,
        specialty: Specialty,
        *,
        paused_at: datetime,
        now: datetime,
    ) -> datetime:
        """Return when an answer is due after a pause: as much later as the pause was long, by the
        clock that counts.
        """
        pause = self._between(paused_at, now, priority, specialty)
        return self._later(due_at, pause, priority, specialty)

    def moved(
        self,
        due_at: datetime,
        specialty: Specialty,
        *,
        submitted_at: datetime,
        before: Priority,
        after: Priority,
    ) -> datetime:
        """Return when an answer is due once its priority has changed; its pauses stay."""
        unpaused = self.due_at(submitted_at, before, specialty)
        pauses = self._between(unpaused, due_at, before, specialty)
        return self._later(self.due_at(submitted_at, after, specialty), pauses, after, specialty)

    def forecast(
        self, due_at: datetime, priority: Priority, specialty: Specialty, *, now: datetime
    ) -> Forecast:
        """Return what becomes of a case that waits: late, due while nobody reads, due before the
        next open day, or fine.
        """
        hours = self.hours[specialty]
        is_working = self.target(priority, specialty).is_working
        left = self._between(now, due_at, priority, specialty)
        if due_at < now:
            return Forecast(Outlook.LATE, timedelta(0), is_working, now)
        if not hours.worked(now, due_at):
            return Forecast(Outlook.CLOSED, left, is_working, now)
        closes = hours.closes_at(now)
        if not hours.worked(closes, due_at):
            return Forecast(Outlook.TODAY, left, is_working, min(closes, due_at))
        return Forecast(Outlook.FINE, left, is_working, due_at)

    def _between(
        self, start: datetime, end: datetime, priority: Priority, specialty: Specialty
    ) -> timedelta:
        if self.target(priority, specialty).is_working:
            return self.hours[specialty].worked(start, end)
        return max(end - start, timedelta(0))

    def _later(
        self, start: datetime, span: timedelta, priority: Priority, specialty: Specialty
    ) -> datetime:
        if self.target(priority, specialty).is_working:
            return self.hours[specialty].after(start, span)
        return start + span


STANDARD = Clocks()
"""What holds where an exchange has set nothing: weekdays from eight to four in Norway."""
