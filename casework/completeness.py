"""Decides how much of a study has arrived, from the evidence there is. Asks nobody, keeps nothing.

DICOM attaches no meaning to the end of an association (PS3.4 B.4), so a study is whole only by what
somebody has said of it: a number, or the names of its instances. Where nobody has, silence is
taken for the end, and called so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

ARRIVING = "arriving"
COMPLETE = "complete"
PRESUMED = "presumed"

ASK_ATTEMPTS = 4
_FIRST_WAIT = timedelta(seconds=15)


class EvidenceKind(StrEnum):
    """Who or what says how much there is of a study."""

    COUNTS = "counts"  # its own objects (0020,1208), or a client of the site
    MPPS = "mpps"  # the modality, at the end of a performed procedure step
    COMMITMENT = "commitment"  # the sender, by what it asks us to commit to
    SENDER = "sender"  # the sender, asked by C-FIND


@dataclass(frozen=True)
class Evidence:
    """What was said of a study: how many instances it has, or which ones, and when."""

    kind: EvidenceKind
    at: datetime
    expected_instances: int | None = None  # of the whole study
    expected_uids: frozenset[str] | None = None  # some of it, perhaps all
    source: str = ""  # AE title, procedure step or actor


@dataclass(frozen=True)
class Completeness:
    """How much of a study is here, by which evidence."""

    state: str  # arriving | complete | presumed
    evidence: str = ""  # the kind that decided; empty when none did
    expected_instances: int | None = None
    missing_instances: int = 0


def judge(
    *, instances: int, present: Collection[str], evidences: Iterable[Evidence], is_quiet: bool
) -> Completeness:
    """Return how complete a study of `instances` is.

    `present` holds which of the UIDs that the evidence names are here. What anybody expects and is
    not here keeps a study from being complete, and from being presumed so. A number speaks of the
    whole study: the newest of its kind counts, and more than expected is complete too. Names speak
    of what they name and add up: they show a study complete only when they name all that is here,
    for more of it may be on its way from another step or request.
    """
    numbers, names = _sorted(evidences)
    missing = [each for each in _missing(instances, present, numbers, names) if each[1] > 0]
    if missing:
        kind, short = max(missing, key=lambda each: each[1])
        return Completeness(ARRIVING, kind.value, instances + short, short)
    if numbers:
        newest = max(numbers, key=lambda each: each.at)
        return Completeness(COMPLETE, newest.kind.value, newest.expected_instances)
    named = _named(names)
    if named and instances <= len(named):
        newest = max(names, key=lambda each: each.at)
        return Completeness(COMPLETE, newest.kind.value, len(named))
    return Completeness(PRESUMED if is_quiet else ARRIVING)


def is_quiet(last_received_at: datetime, now: datetime, quiet_s: float) -> bool:
    """Tell whether nothing has come for `quiet_s` seconds."""
    return now - last_received_at >= timedelta(seconds=quiet_s)


def ask_again_at(attempts: int, *, now: datetime) -> datetime | None:
    """Return when a sender that did not answer is asked again, or None when it is given up."""
    if attempts >= ASK_ATTEMPTS:
        return None
    return now + _FIRST_WAIT * (1 << max(0, attempts - 1))


def _sorted(evidences: Iterable[Evidence]) -> tuple[list[Evidence], list[Evidence]]:
    """Return what gives a number, the newest of each kind, and what gives names."""
    numbers: dict[EvidenceKind, Evidence] = {}
    names = []
    for each in sorted(evidences, key=lambda one: one.at):
        if each.expected_uids:
            names.append(each)
        elif each.expected_instances:
            numbers[each.kind] = each
    return list(numbers.values()), names


def _missing(
    instances: int, present: Collection[str], numbers: Sequence[Evidence], names: Sequence[Evidence]
) -> list[tuple[EvidenceKind, int]]:
    found = [(each.kind, (each.expected_instances or 0) - instances) for each in numbers]
    for kind in dict.fromkeys(each.kind for each in names):
        named = _named([each for each in names if each.kind is kind])
        found.append((kind, len(named - set(present))))
    return found


def _named(names: Iterable[Evidence]) -> frozenset[str]:
    return frozenset().union(*(each.expected_uids or () for each in names))
