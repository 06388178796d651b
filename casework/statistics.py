"""Counts how cases went: times by step, waits, what could not be judged, the targets, the outcome.

Pure: `History` values in, numbers out. Every share comes with what it is a share of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import quantiles

from casework.codings import Coding, system_of
from casework.histories import History, Second
from casework.model import Priority


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    part: int
    whole: int

    @property
    def percent(self) -> float | None:
        """Return it in percent, or None of nothing."""
        return 100 * self.part / self.whole if self.whole else None


@dataclass(frozen=True)
class Spread:
    """How times are spread, in seconds; the quartiles are those of all times (type 7)."""

    count: int
    median_s: float | None = None
    lower_s: float | None = None
    upper_s: float | None = None
    longest_s: float | None = None


@dataclass(frozen=True)
class GateCode:
    """How often the check of the photographs and the reader named one reason, and both did."""

    code: str
    warned: int
    asked: int
    both: int

    @property
    def foreseen(self) -> Share:
        """Return for how many of the reader's requests the check had warned."""
        return Share(self.both, self.asked)

    @property
    def confirmed(self) -> Share:
        """Return how many of the check's warnings the reader's request has confirmed."""
        return Share(self.both, self.warned)


@dataclass(frozen=True)
class Agreement:
    """How often the first diagnosis of the reply was that of the outcome, for one outcome."""

    diagnosis: str
    agreed: Share


@dataclass(frozen=True)
class Statistics:
    """What is counted of some cases."""

    submitted: int
    signed: int
    declined: int
    withdrawn: int
    to_claim: Spread  # submitted to first claimed
    to_sign: Spread  # first claimed to signed
    turnaround: Spread  # submitted to signed
    working: Spread  # the same without the waits for the referrer
    waiting: Spread  # one wait for the referrer
    to_read: Spread  # signed to read
    unread: int  # signed and not read
    within_target: Mapping[Priority, Share]
    waited: Share  # of the submitted
    wait_reasons: Mapping[str, int]
    not_assessable: Share  # of the signed: could not be judged, or in part only
    not_assessable_reasons: Mapping[str, int]
    gate: Sequence[GateCode]  # of the cases with photographs
    in_primary_care: Share  # of the signed: the reply asks for no appointment
    journeys_avoided: Share  # of those whom the referrer would have sent: need not travel
    km_avoided: float  # there and back
    agreement: Share
    agreements: Sequence[Agreement]
    malignant_missed: Share  # of the malignant: the reply saw no urgency
    read_twice: Share  # of the signed: a second reader has signed a reading
    differed: Share  # of those that were compared: in a minor or a major way
    differed_major: Share  # of the same
    differed_blinded: Share  # of those of them that were read without the first's answer
    decided_by_third: Share  # of the major differences


def count(histories: Sequence[History]) -> Statistics:
    """Count cases; drafts are none, and who was never submitted does not come here."""
    signed = [h for h in histories if h.signed_at is not None]
    would_send = [h for h in signed if h.would_refer == "yes" and h.answer is not None]
    stays = [h for h in would_send if _is_for_primary_care(h)]
    waits = [wait for h in histories for wait in h.waits]
    unclear = [h for h in signed if h.answer is not None and h.answer.assessable != "yes"]
    known = [h for h in signed if h.outcome is not None and h.answer is not None]
    malignant = [h for h in known if h.outcome is not None and h.outcome.malignant == "yes"]
    twice = [h for h in signed if h.second is not None]
    compared = [h.second for h in twice if h.second is not None and h.second.comparison]
    major = [each for each in compared if each.comparison == "major"]
    blinded = [each for each in compared if each.is_blinded]
    return Statistics(
        submitted=len(histories),
        signed=len(signed),
        declined=sum(h.is_declined for h in histories),
        withdrawn=sum(h.is_withdrawn for h in histories),
        to_claim=_spread(histories, lambda h: _between(h.submitted_at, h.claimed_at)),
        to_sign=_spread(histories, lambda h: _between(h.claimed_at, h.signed_at)),
        turnaround=_spread(histories, lambda h: _between(h.submitted_at, h.signed_at)),
        working=_spread(histories, _working),
        waiting=_of(w.until - w.since for w in waits if w.until is not None),
        to_read=_spread(histories, lambda h: _between(h.signed_at, h.read_at)),
        unread=sum(h.read_at is None for h in signed),
        within_target=_within_target(signed),
        waited=Share(sum(bool(h.waits) for h in histories), len(histories)),
        wait_reasons=_tally(wait.reason for wait in waits),
        not_assessable=Share(len(unclear), len(signed)),
        not_assessable_reasons=_tally(h.answer.reason for h in unclear if h.answer is not None),
        gate=_gate(histories),
        in_primary_care=Share(sum(_is_for_primary_care(h) for h in signed), len(signed)),
        journeys_avoided=Share(len(stays), len(would_send)),
        km_avoided=sum(2 * h.travel_km for h in stays if h.travel_km is not None),
        agreement=Share(sum(_agrees(h) for h in known), len(known)),
        agreements=_agreements(known),
        malignant_missed=Share(sum(_is_for_primary_care(h) for h in malignant), len(malignant)),
        read_twice=Share(len(twice), len(signed)),
        differed=Share(sum(map(_differs, compared)), len(compared)),
        differed_major=Share(len(major), len(compared)),
        differed_blinded=Share(sum(map(_differs, blinded)), len(blinded)),
        decided_by_third=Share(sum(each.is_decided for each in major), len(major)),
    )


def by(
    histories: Iterable[History], key: Callable[[History], str]
) -> Mapping[str, Sequence[History]]:
    """Return the cases by a key, such as their site, in the order of the keys."""
    groups: dict[str, list[History]] = {}
    for history in histories:
        groups.setdefault(key(history), []).append(history)
    return dict(sorted(groups.items()))


def _differs(second: Second) -> bool:
    return second.comparison != "agree"


def _is_for_primary_care(history: History) -> bool:
    return history.answer is not None and history.answer.urgency == "none"


def _between(start: datetime | None, end: datetime | None) -> timedelta | None:
    return None if start is None or end is None else end - start


def _working(history: History) -> timedelta | None:
    whole = _between(history.submitted_at, history.signed_at)
    return None if whole is None else whole - history.waited


def _spread(histories: Iterable[History], of: Callable[[History], timedelta | None]) -> Spread:
    return _of(span for span in map(of, histories) if span is not None)


def _of(spans: Iterable[timedelta]) -> Spread:
    times_s = sorted(span.total_seconds() for span in spans)
    if not times_s:
        return Spread(0)
    if len(times_s) == 1:
        return Spread(1, *times_s * 4)
    lower, median, upper = quantiles(times_s, n=4, method="inclusive")
    return Spread(len(times_s), median, lower, upper, times_s[-1])


def _within_target(signed: Iterable[History]) -> Mapping[Priority, Share]:
    wanted = [h for h in signed if h.due_at is not None]
    found = {}
    for priority in Priority:
        here = [h for h in wanted if h.priority is priority]
        if here:
            met = sum(h.signed_at <= h.due_at for h in here if h.signed_at and h.due_at)
            found[priority] = Share(met, len(here))
    return found


def _tally(reasons: Iterable[str]) -> Mapping[str, int]:
    found = Counter(reason or "other" for reason in reasons)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _gate(histories: Iterable[History]) -> Sequence[GateCode]:
    photographed = [h for h in histories if h.photographs]
    codes = sorted({code for h in photographed for code in h.warned | h.asked_for})
    return [
        GateCode(
            code,
            warned=sum(code in h.warned for h in photographed),
            asked=sum(code in h.asked_for for h in photographed),
            both=sum(code in h.warned and code in h.asked_for for h in photographed),
        )
        for code in codes
    ]


def _agrees(history: History) -> bool:
    """Tell whether reply and outcome name one diagnosis: by code where both have one of a system,
    else by their words.
    """
    answer, outcome = history.answer, history.outcome
    if answer is None or outcome is None:
        return False
    for coding in (Coding(answer.system, answer.code), *answer.codes):
        if coding.code and outcome.code and _is_one_system(coding.system, outcome.system):
            return coding.code == outcome.code
    return bool(answer.diagnosis) and _plain(answer.diagnosis) == _plain(outcome.text)


def _is_one_system(one: str, other: str) -> bool:
    return one == other or (system_of(one) is not None and system_of(one) == system_of(other))


def _plain(words: str) -> str:
    return " ".join(words.casefold().split())


def _agreements(known: Iterable[History]) -> Sequence[Agreement]:
    groups = by(known, lambda h: _plain(h.outcome.text) if h.outcome else "")
    return [
        Agreement(
            here[0].outcome.text if here[0].outcome else "",
            Share(sum(_agrees(h) for h in here), len(here)),
        )
        for here in groups.values()
    ]
