"""Decides which studies a routing rule takes, how much of each, and when it goes.

Knows no queue and no database; what a study is, the caller says. A rule never sends a study back
to a node that any of it came from, and none that was fetched as an earlier one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from casework.completeness import COMPLETE, PRESUMED
from casework.errors import Invalid
from casework.identifiers import is_ae_title, is_slug, is_standard_uid, normal_ae_title
from casework.model import Priority

URGENCY: Mapping[Priority, int] = {
    Priority.STAT: 3,
    Priority.ASAP: 2,
    Priority.URGENT: 1,
    Priority.ROUTINE: 0,
}
"""How urgent a job is; the more urgent goes first."""

_MODALITY = re.compile(r"[A-Z0-9_]{1,16}")
_MAX_PATTERN = 128
_DAYS_AHEAD = 9


class Trigger(StrEnum):
    """When a rule looks at a study."""

    STUDY = "study"  # it is complete, or presumed so
    SERIES = "series"  # a series of it has been packed
    INSTANCE = "instance"  # any of it has been packed


class Within(StrEnum):
    """What a window of time means."""

    ONLY = "only"  # a study that last received something outside of it is not taken
    HOLD = "hold"  # a study is taken at any time, and waits for the window to open


@dataclass(frozen=True)
class Window:
    """A time of day on some days of the week; one over midnight belongs to the day it opens on."""

    start: time = time(0)
    end: time = time(0)  # the same as the start: the whole day
    weekdays: frozenset[int] = frozenset(range(7))  # 0 is Monday

    def has(self, at: datetime, zone: ZoneInfo) -> bool:
        """Tell whether a moment lies in the window."""
        local = at.astimezone(zone)
        now, today = local.time(), local.weekday()
        if self.start < self.end:
            return today in self.weekdays and self.start <= now < self.end
        opened_today = today in self.weekdays and now >= self.start
        opened_before = (today - 1) % 7 in self.weekdays and now < self.end
        return opened_today or opened_before

    def next_opening(self, at: datetime, zone: ZoneInfo) -> datetime:
        """Return the moment itself when it lies in the window, else when that opens next."""
        if self.has(at, zone):
            return at
        day = at.astimezone(zone).date()
        for ahead in range(_DAYS_AHEAD):
            starts = datetime.combine(day + timedelta(days=ahead), self.start, zone)
            for moment in _moments_of(starts):
                if moment > at and self.has(moment, zone):
                    return moment.astimezone(at.tzinfo)
        raise Invalid("The window of time never opens: name a day.", code="bad-route")


@dataclass(frozen=True)
class Conditions:
    """What a study has to be; what is empty asks for nothing."""

    sites: frozenset[str] = frozenset()
    calling_aes: frozenset[str] = frozenset()
    study_description: str = ""
    modalities: frozenset[str] = frozenset()
    sop_classes: frozenset[str] = frozenset()
    series_description: str = ""
    window: Window | None = None


@dataclass(frozen=True)
class Rule:
    """Which studies go to which node, in the order of rules, and how."""

    name: str
    destination: str  # AE title
    conditions: Conditions = field(default_factory=Conditions)
    trigger: Trigger = Trigger.STUDY
    within: Within = Within.ONLY
    priority: Priority = Priority.ROUTINE
    only_matching: bool = False  # of the study, the series that match; else all of it
    own_site: bool = False  # also to a node of the site that the study is from
    enabled: bool = True
    position: int = 0
    since: datetime | None = None  # what last came before is not taken


@dataclass(frozen=True)
class SeriesSeen:
    """A series, as a rule looks at it."""

    uid: str
    modality: str
    description: str
    sop_classes: frozenset[str]
    instances: int
    packed: int  # so many of them

    @property
    def is_packed(self) -> bool:
        """Tell whether all of it has been packed."""
        return 0 < self.instances == self.packed


@dataclass(frozen=True)
class StudySeen:
    """A study, as a rule looks at it."""

    site: str
    study_uid: str
    completeness: str
    description: str
    senders: frozenset[str]  # AE titles
    last_received_at: datetime
    series: tuple[SeriesSeen, ...]
    is_prior: bool = False  # fetched as an earlier study, and nobody has sent it


@dataclass(frozen=True)
class Decision:
    """What a rule makes of a study: taken, or why not; a study may also not be ready yet."""

    taken: bool
    reasons: tuple[str, ...] = ()  # why not
    is_waiting: bool = False  # it would be taken, and is not ready
    series_uids: frozenset[str] | None = None  # None: all of the study
    not_before: datetime | None = None


def decide(
    rule: Rule, study: StudySeen, *, destination_site: str, now: datetime, zone: ZoneInfo
) -> Decision:
    """Return what a rule makes of a study now."""
    matching = [series for series in study.series if _matches(rule.conditions, series)]
    reasons = (*_of_the_way(rule, study, destination_site), *_of_the_study(rule, study, zone))
    if not matching:
        reasons = (*reasons, _no_series(rule.conditions))
    if reasons:
        return Decision(taken=False, reasons=reasons)
    ready = _ready(rule.trigger, study, matching)
    if not ready:
        return Decision(taken=False, reasons=(_not_ready(rule.trigger),), is_waiting=True)
    window = rule.conditions.window
    holds = window is not None and rule.within is Within.HOLD
    return Decision(
        taken=True,
        is_waiting=_has_more_to_come(rule.trigger, study, matching),
        series_uids=_what_goes(rule, study, ready),
        not_before=window.next_opening(now, zone) if window is not None and holds else None,
    )


def matches_pattern(pattern: str, text: str) -> bool:
    """Tell whether a text is as a pattern with * and ? says, whatever the case of its letters."""
    return _compiled(pattern).fullmatch(text.strip()) is not None


def require_sound(rule: Rule) -> Rule:
    """Return a rule in its usual form, or raise Invalid when it cannot be one."""
    name, destination = rule.name.strip(), normal_ae_title(rule.destination)
    if not 0 < len(name) <= 64:
        raise Invalid("Give the rule a name of at most 64 characters.", code="bad-route")
    if not is_ae_title(destination):
        raise Invalid(f"{destination!r} is no AE title to send to.", code="bad-route")
    asked = rule.conditions
    for kind, values, is_sound in (
        ("site", asked.sites, is_slug),
        ("AE title", asked.calling_aes, is_ae_title),
        ("modality", asked.modalities, lambda text: _MODALITY.fullmatch(text) is not None),
        ("SOP class", asked.sop_classes, is_standard_uid),
    ):
        wrong = sorted(value for value in values if not is_sound(value))
        if wrong:
            raise Invalid(f"{wrong[0]!r} is no {kind}.", code="bad-route")
    for pattern in (asked.study_description, asked.series_description):
        if len(pattern) > _MAX_PATTERN:
            raise Invalid("A description has 128 characters at most.", code="bad-route")
    if asked.window is not None and not asked.window.weekdays:
        raise Invalid("The window of time never opens: name a day.", code="bad-route")
    if destination in asked.calling_aes:
        raise Invalid(
            f"What {destination} sends is never sent back to {destination}.", code="bad-route"
        )
    return Rule(
        **{
            **{name_: getattr(rule, name_) for name_ in Rule.__dataclass_fields__},
            "name": name,
            "destination": destination,
        }
    )


def rule_from_json(value: Mapping[str, Any]) -> Rule:
    """Return the rule that `rule_as_json` described."""
    window = value.get("window")
    return Rule(
        name=str(value["name"]),
        destination=str(value["destination"]),
        conditions=Conditions(
            sites=frozenset(value.get("sites", ())),
            calling_aes=frozenset(value.get("calling_aes", ())),
            study_description=str(value.get("study_description", "")),
            modalities=frozenset(value.get("modalities", ())),
            sop_classes=frozenset(value.get("sop_classes", ())),
            series_description=str(value.get("series_description", "")),
            window=None if window is None else _window_from_json(window),
        ),
        trigger=Trigger(value.get("trigger", Trigger.STUDY)),
        within=Within(value.get("within", Within.ONLY)),
        priority=Priority(value.get("priority", Priority.ROUTINE)),
        only_matching=bool(value.get("only_matching", False)),
        own_site=bool(value.get("own_site", False)),
    )


def rule_as_json(rule: Rule) -> dict[str, Any]:
    """Return what a rule asks and does as plain values: not its place, nor whether it is on."""
    asked = rule.conditions
    value: dict[str, Any] = {
        "name": rule.name,
        "destination": rule.destination,
        "sites": sorted(asked.sites),
        "calling_aes": sorted(asked.calling_aes),
        "study_description": asked.study_description,
        "modalities": sorted(asked.modalities),
        "sop_classes": sorted(asked.sop_classes),
        "series_description": asked.series_description,
        "trigger": rule.trigger.value,
        "within": rule.within.value,
        "priority": rule.priority.value,
        "only_matching": rule.only_matching,
        "own_site": rule.own_site,
    }
    if asked.window is not None:
        value["window"] = {
            "start": f"{asked.window.start:%H:%M}",
            "end": f"{asked.window.end:%H:%M}",
            "weekdays": sorted(asked.window.weekdays),
        }
    return value


def read_time(text: str) -> time:
    """Return a time of day such as 22:30, or raise Invalid."""
    try:
        found = time.fromisoformat(text.strip())
    except ValueError as error:
        raise Invalid(f"{text!r} is no time of day such as 22:30.", code="bad-route") from error
    return found.replace(second=0, microsecond=0, tzinfo=None)


def _window_from_json(value: Mapping[str, Any]) -> Window:
    return Window(
        start=read_time(str(value["start"])),
        end=read_time(str(value["end"])),
        weekdays=frozenset(int(day) for day in value["weekdays"]),
    )


def _matches(asked: Conditions, series: SeriesSeen) -> bool:
    if asked.modalities and series.modality not in asked.modalities:
        return False
    if asked.sop_classes and not asked.sop_classes & series.sop_classes:
        return False
    pattern = asked.series_description
    return not pattern or matches_pattern(pattern, series.description)


def _of_the_way(rule: Rule, study: StudySeen, destination_site: str) -> Sequence[str]:
    """Return why a study may not go to the destination at all."""
    found = []
    if rule.destination in study.senders:
        found.append(f"it came from {rule.destination}")
    if destination_site == study.site and not rule.own_site:
        found.append(f"{rule.destination} belongs to the site that it came from")
    if rule.since is not None and study.last_received_at < rule.since:
        found.append("it came before the rule")
    if study.is_prior:
        found.append("it was fetched as an earlier study")
    return found


def _of_the_study(rule: Rule, study: StudySeen, zone: ZoneInfo) -> Sequence[str]:
    asked, found = rule.conditions, []
    if asked.sites and study.site not in asked.sites:
        found.append(f"it is of {study.site}")
    if asked.calling_aes and not asked.calling_aes & study.senders:
        found.append(f"it was sent by {_listed(study.senders) or 'no node'}")
    pattern = asked.study_description
    if pattern and not matches_pattern(pattern, study.description):
        found.append(f"its description is '{study.description}'")
    window = asked.window
    if window is not None and rule.within is Within.ONLY:
        at = study.last_received_at
        if not window.has(at, zone):
            found.append(f"it came at {at.astimezone(zone):%H:%M} on a {_DAYS[_day(at, zone)]}")
    return found


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _day(at: datetime, zone: ZoneInfo) -> int:
    return at.astimezone(zone).weekday()


def _no_series(asked: Conditions) -> str:
    parts = [
        _listed(asked.modalities),
        _listed(asked.sop_classes),
        f"'{asked.series_description}'" if asked.series_description else "",
    ]
    return "none of its series is " + (" and ".join(p for p in parts if p) or "there")


def _ready(
    trigger: Trigger, study: StudySeen, matching: Sequence[SeriesSeen]
) -> Sequence[SeriesSeen]:
    """Return the matching series for which the moment has come."""
    if trigger is Trigger.STUDY:
        return matching if study.completeness in (COMPLETE, PRESUMED) else ()
    if trigger is Trigger.SERIES:
        return [series for series in matching if series.is_packed]
    return [series for series in matching if series.packed]


def _has_more_to_come(trigger: Trigger, study: StudySeen, matching: Sequence[SeriesSeen]) -> bool:
    """Tell whether something that is here already is still to be packed for a rule."""
    return trigger is not Trigger.STUDY and any(
        not series.is_packed for series in (*matching, *study.series)
    )


def _not_ready(trigger: Trigger) -> str:
    if trigger is Trigger.STUDY:
        return "it is still arriving"
    return "nothing of it has been packed yet"


def _what_goes(rule: Rule, study: StudySeen, ready: Sequence[SeriesSeen]) -> frozenset[str] | None:
    """Return which series go; with a trigger before the study is whole, those that are there."""
    if rule.trigger is Trigger.STUDY:
        return frozenset(series.uid for series in ready) if rule.only_matching else None
    if rule.only_matching:
        return frozenset(series.uid for series in ready)
    others = _ready(rule.trigger, study, study.series)
    return frozenset(series.uid for series in others)


def _moments_of(local: datetime) -> Iterator[datetime]:
    """Give the moment of a local time; where clocks change then, every minute around that.

    A local time that does not exist is passed over for the first after it, one that comes twice
    counts twice.
    """
    first, second = (local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        yield first
        return
    around = (max(first, second) - min(first, second)) // timedelta(minutes=1) + 1
    for minutes in range(2 * around):
        yield min(first, second) + timedelta(minutes=minutes)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile(
        "".join(parts.get(c) or re.escape(c) for c in pattern.strip()), re.IGNORECASE | re.DOTALL
    )


def _listed(values: Collection[str]) -> str:
    return ", ".join(sorted(values))
