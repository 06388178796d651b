"""Retention: which rule is for a study, and whether its time is over. Erases nothing.

Without a rule everything is kept for ever. A study of a case that still waits for somebody is kept
whatever the rules say, and so is what a legal hold names; the hold is asked for elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from casework.errors import Invalid
from casework.model import CaseState as S

RECEIVED, CLOSED = "received", "closed"
"""From when the time is counted: the last object came, or the case was closed, if that is later."""

WAITS_FOR_SOMEBODY = frozenset({S.DRAFT, S.SUBMITTED, S.CLAIMED, S.WAITING, S.REPORTED})
ENDED = frozenset({S.CLOSED, S.WITHDRAWN, S.DECLINED})

_LONGEST_DAYS = 200 * 366


@dataclass(frozen=True)
class Rule:
    """Keep what a site has sent, or some modality of it, for so many days since its last activity.

    No modality: every one that no other rule of the site names.
    """

    id: int
    site: str
    modality: str
    keep_days: int
    since: str  # received | closed


@dataclass(frozen=True)
class Age:
    """What decides over a study: whose it is, what is in it, when something last happened."""

    site: str
    study_uid: str
    modalities: frozenset[str]
    last_received_at: datetime
    case_state: S | None = None
    case_ended_at: datetime | None = None


def rule_for(rules: Iterable[Rule], age: Age) -> Rule | None:
    """Return the rule for a study: of those that name its modality, else of those that name none.

    Of several the one that keeps longest.
    """
    of_site = [rule for rule in rules if rule.site == age.site]
    named = [rule for rule in of_site if rule.modality and rule.modality in age.modalities]
    fitting = named or [rule for rule in of_site if not rule.modality]
    return max(fitting, key=lambda rule: (rule.keep_days, rule.since == CLOSED), default=None)


def due_since(rule: Rule, age: Age) -> datetime | None:
    """Return since when a study need not be kept any more; None: it may not be asked yet."""
    if age.case_state in WAITS_FOR_SOMEBODY:
        return None
    last = age.last_received_at
    if rule.since == CLOSED:
        if age.case_state not in ENDED or age.case_ended_at is None:
            return None
        last = max(last, age.case_ended_at)
    return last + timedelta(days=rule.keep_days)


def is_due(rules: Sequence[Rule], age: Age, *, now: datetime) -> bool:
    """Tell whether a study's time is over."""
    rule = rule_for(rules, age)
    since = None if rule is None else due_since(rule, age)
    return since is not None and since <= now


def days_of(text: str) -> int:
    """Return the days of `90`, `90d`, `18m` or `10y`, or raise Invalid; years are generous."""
    number, unit = (text[:-1], text[-1:]) if text[-1:] in ("d", "m", "y") else (text, "d")
    days = {"d": 1, "m": 31, "y": 366}
    if not number.isdecimal() or not 1 <= int(number) * days[unit] <= _LONGEST_DAYS:
        raise Invalid(
            f"'{text}' is no time to keep something: give days, 18m or 10y.", code="bad-retention"
        )
    return int(number) * days[unit]
