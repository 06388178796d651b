"""Decides what may be answered for one instance whose safekeeping is asked for (PS3.4 annex J).

Success means that its bytes were read back from the store and have their hash; nothing less counts.
Knows no queue, no store and no association.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

STORE_PATIENCE = timedelta(hours=1)
SAME_ASSOCIATION_GRACE = timedelta(seconds=10)
_SHORTEST_LOOK = timedelta(seconds=1)
_LONGEST_LOOK = timedelta(seconds=30)


class Failure(IntEnum):
    """Why no commitment is made for an instance: Failure Reason (PS3.3 C.14.1.1)."""

    PROCESSING = 0x0110
    NO_SUCH_OBJECT = 0x0112
    CLASS_CONFLICT = 0x0119
    CLASS_NOT_SUPPORTED = 0x0122
    DUPLICATE_TRANSACTION = 0x0131
    NO_RESOURCES = 0x0213


class Result(StrEnum):
    """How far the question about one instance has come."""

    ASKED = "asked"  # not seen yet, or not readable just now
    PACKING = "packing"  # in the spool: to be packed at once
    COMMITTED = "committed"
    FAILED = "failed"


class Evidence(StrEnum):
    """What reading the bytes of an instance has shown; the worst of several versions counts."""

    WHOLE = "whole"  # read back from the store, every byte of the hash
    IN_SPOOL = "in-spool"
    UNREADABLE = "unreadable"  # the store does not answer
    DAMAGED = "damaged"  # other bytes than were received, or none


@dataclass(frozen=True)
class Reference:
    """An instance as a request names it."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class Found:
    """What the asking site has under a UID: the class of the version that counts, and the bytes."""

    sop_class_uid: str
    evidence: Evidence


@dataclass(frozen=True)
class Verdict:
    """What is to be said of an instance now; `reason` only of a failed one."""

    result: Result
    reason: Failure | None = None


def judge(
    asked: Reference,
    found: Found | None,
    *,
    is_class_taken: bool,
    requested_at: datetime,
    wait_until: datetime,
    now: datetime,
) -> Verdict:
    """Return the verdict on one instance; `asked` and `packing` mean: look again later.

    What has not arrived is waited for until `wait_until`; what has arrived is given an hour at
    least to reach the store, or to be read there.
    """
    if found is None:
        if not is_class_taken:
            return _failed(Failure.CLASS_NOT_SUPPORTED)
        return _failed(Failure.NO_SUCH_OBJECT) if now >= wait_until else Verdict(Result.ASKED)
    if found.sop_class_uid != asked.sop_class_uid:
        return _failed(Failure.CLASS_CONFLICT)
    if found.evidence is Evidence.WHOLE:
        return Verdict(Result.COMMITTED)
    if found.evidence is Evidence.DAMAGED:
        return _failed(Failure.PROCESSING)
    is_late = now >= max(wait_until, requested_at + STORE_PATIENCE)
    if found.evidence is Evidence.IN_SPOOL:
        return _failed(Failure.NO_RESOURCES) if is_late else Verdict(Result.PACKING)
    return _failed(Failure.PROCESSING) if is_late else Verdict(Result.ASKED)


def next_look(requested_at: datetime, wait_until: datetime, *, now: datetime) -> datetime:
    """Return when to look again: soon at first, then every half minute, and at the deadline."""
    pause = min(max((now - requested_at) / 10, _SHORTEST_LOOK), _LONGEST_LOOK)
    again = now + pause
    return wait_until if now < wait_until < again else again


def _failed(reason: Failure) -> Verdict:
    return Verdict(Result.FAILED, reason)
