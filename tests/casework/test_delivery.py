"""When a delivery is tried again, and how the reason of a dead letter is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from casework.delivery import (
    LONGEST_WAIT_S,
    MAX_ATTEMPTS,
    NotTaken,
    failure_of,
    next_attempt,
    wait_s,
)

NOW = datetime(2026, 3, 2, 9, 42, tzinfo=UTC)


def test_waits_double_up_to_an_hour_and_end() -> None:
    assert [wait_s(n) for n in (1, 2, 3, 50)] == [5, 10, 20, LONGEST_WAIT_S]
    assert next_attempt(1, now=NOW) == NOW + timedelta(seconds=5)
    assert next_attempt(MAX_ATTEMPTS, now=NOW) is None
    assert next_attempt(3, now=NOW, most=3) is None


@pytest.mark.parametrize(
    ("what", "told", "is_hopeless"),
    [
        (NotTaken("1", 0xA700, "disk full"), "has no room: it answered A700", False),
        (NotTaken("1", 0xA7FF), "out of resources", False),
        (NotTaken("1", 0xA900), "refuses the object itself: it answered A900", True),
        (NotTaken("1", 0xC123), "refuses the object itself: it answered C123", True),
        (NotTaken("1", 0x0122), "does not take this kind of object", True),
        (NotTaken("1", 0x0124), "Have LYSBRO allowed to store there", True),
        (NotTaken("1", 0x0110), "answered 0110", False),
        (NotTaken("1", None, "PACS rejected us (1/1/3).", "rejected"), "does not know us", False),
        (
            NotTaken("1", None, "PACS rejected us (2/3/2).", "busy"),
            "takes more once that changes",
            False,
        ),
        (NotTaken("1", None, "PACS at h:1 cannot be reached.", "unreachable"), "cannot be", False),
        (NotTaken("1", None, "CT is not taken", "not-proposed"), "does not take this kind", True),
        (NotTaken("1", None, "No certificate.", "no-certificate"), "No certificate", True),
        (NotTaken("1", None, "The peer went away.", "gone"), "broke off: The peer", False),
        (NotTaken("1", None, "It is cut off.", "bytes-missing"), "verify --repair", False),
    ],
)
def test_a_reason_says_what_happened_to_which_node_and_what_to_do(
    what: NotTaken, told: str, is_hopeless: bool
) -> None:
    failure = failure_of([what], node="PACS", calling="LYSBRO", arrived=3, total=5)
    assert told in failure.reason
    assert "3 of 5 have arrived" in failure.reason
    assert failure.is_hopeless is is_hopeless


def test_a_failure_is_hopeless_only_when_nothing_of_it_can_pass() -> None:
    both = [NotTaken("1", 0x0122), NotTaken("2", 0xA700)]
    failure = failure_of(both, node="PACS", calling="LYSBRO", arrived=0, total=2)
    assert not failure.is_hopeless
    assert "1 more kinds of failure" in failure.reason
