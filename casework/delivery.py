"""When a delivery that failed is tried again, when it is given up, and how its reason is told.

Knows no queue and no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from casework.model import Delivery

FIRST_WAIT_S = 5
LONGEST_WAIT_S = 3600
MAX_ATTEMPTS = 60  # the waits add up to a little over two days: a weekend without the receiver
HOPELESS_ATTEMPTS = 3  # of what the receiver refuses for good, until a person has changed something

_SUPERSEDED = "superseded by version "
_OUT_OF_RESOURCES = range(0xA700, 0xA800)
_DOES_NOT_MATCH = range(0xA900, 0xAA00)
_CANNOT_UNDERSTAND = range(0xC000, 0xD000)
_CLASS_NOT_SUPPORTED, _NOT_AUTHORISED = 0x0122, 0x0124


@dataclass(frozen=True)
class NotTaken:
    """One instance that has not arrived: the receiver's status, or None and what happened."""

    sop_instance_uid: str
    status: int | None
    comment: str = ""
    code: str = ""


@dataclass(frozen=True)
class Failure:
    """Why something did not go through, and whether trying again can help by itself."""

    reason: str
    is_hopeless: bool = False


def wait_s(attempts: int) -> int:
    """Return how long to wait after so many failed attempts: doubled each time, up to an hour."""
    doublings = min(max(attempts, 1) - 1, 16)
    return min(FIRST_WAIT_S << doublings, LONGEST_WAIT_S)


def next_attempt(attempts: int, *, now: datetime, most: int = MAX_ATTEMPTS) -> datetime | None:
    """Return when to try again after `attempts` failures, or None when a person must look."""
    if attempts >= most:
        return None
    return now + timedelta(seconds=wait_s(attempts))


def newer_there(delivery: Delivery, others: Sequence[Delivery]) -> int | None:
    """Return the newest later version that has reached the same destination, or None."""
    found = [
        each.report_version
        for each in others
        if each.state == "done"
        and (each.channel, each.destination) == (delivery.channel, delivery.destination)
        and each.report_version > delivery.report_version
    ]
    return max(found, default=None)


def superseded_by(version: int) -> str:
    """Return the acknowledgement of a reply that need not go: a later one, whole, is there."""
    return f"{_SUPERSEDED}{version}"


def superseding(acknowledgement: str) -> int | None:
    """Return by which version a reply was superseded, or None when it went."""
    number = acknowledgement.removeprefix(_SUPERSEDED)
    return int(number) if number != acknowledgement and number.isdigit() else None


def failure_of(
    not_taken: Sequence[NotTaken], *, node: str, calling: str, arrived: int, total: int
) -> Failure:
    """Return in plain words why instances did not arrive: what happened, and what to do."""
    first = not_taken[0]
    what, do, is_hopeless = _explained(first, node=node, calling=calling)
    count = f"{arrived} of {total} have arrived"
    others = len({(each.status, each.code) for each in not_taken}) - 1
    more = f" {others} more kinds of failure are in the log." if others else ""
    return Failure(
        f"{what}; {count}. {do}{more}",
        is_hopeless and all(_explained(each, node=node, calling=calling)[2] for each in not_taken),
    )


def _explained(each: NotTaken, *, node: str, calling: str) -> tuple[str, str, bool]:
    """Return what happened, what to do, and whether trying again cannot help by itself."""
    said = f" ('{each.comment}')" if each.comment else ""
    status = each.status
    if status is None:
        return _without_an_answer(each, node=node, calling=calling)
    shown = f"{node} answered {status:04X}{said}"
    if status in _OUT_OF_RESOURCES:
        return (
            f"{node} has no room: it answered {status:04X}, out of resources{said}",
            "Look at the disk of that node.",
            False,
        )
    if status == _CLASS_NOT_SUPPORTED:
        return (
            f"{node} does not take this kind of object: it answered 0122{said}",
            f"Have {node} set up for that SOP class, then send again.",
            True,
        )
    if status == _NOT_AUTHORISED:
        return (
            f"{node} does not allow us to store: it answered 0124{said}",
            f"Have {calling} allowed to store there, then send again.",
            True,
        )
    if status in _DOES_NOT_MATCH or status in _CANNOT_UNDERSTAND:
        return (
            f"{node} refuses the object itself: it answered {status:04X}{said}",
            f"Ask the operator of {node} what it finds wrong, then send again.",
            True,
        )
    return shown, f"Ask the operator of {node} what its log says of it.", False


def _without_an_answer(each: NotTaken, *, node: str, calling: str) -> tuple[str, str, bool]:
    code, comment = each.code, each.comment.rstrip(".")
    if code == "rejected":
        return (
            f"{node} does not know us: {comment}",
            f"Have {calling} registered at {node}, then send again.",
            False,
        )
    if code == "busy":
        return (
            comment,
            "It has too many associations open, and takes more once that changes.",
            False,
        )
    if code in ("unreachable", "no-answer", "no-tls", "no-certificate"):
        return (
            comment or f"{node} cannot be reached",
            f"See that {node} runs and can be reached from here.",
            code == "no-certificate",
        )
    if code == "not-proposed":
        return (
            f"{node} does not take this kind of object: {comment}",
            f"Have {node} set up for that SOP class and form, then send again.",
            True,
        )
    if code == "not-convertible":
        return (
            comment or "The object cannot be turned into a form that the node takes",
            f"Have {node} set up for the form in which it is kept, then send again.",
            True,
        )
    if code in ("bytes-missing", "unreadable"):
        return (
            comment or "An object cannot be read",
            "Run `lysbro verify --repair`, then send again.",
            False,
        )
    return (
        f"{node} broke off: {comment or 'the association ended'}",
        "What has arrived does not go again; look at that node's log.",
        False,
    )
