"""What is said of an instance whose safekeeping is asked for, row by row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from casework.commitment import (
    Evidence,
    Failure,
    Found,
    Reference,
    Result,
    Verdict,
    judge,
    next_look,
)

ASKED = Reference("1.2.840.10008.5.1.4.1.1.2", "1.2.3")
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def found(evidence: Evidence, sop_class: str = ASKED.sop_class_uid) -> Found:
    return Found(sop_class, evidence)


@pytest.mark.parametrize(
    ("seen", "wait_s", "after_s", "result", "reason"),
    [
        (None, 60, 59, Result.ASKED, None),
        (None, 60, 60, Result.FAILED, Failure.NO_SUCH_OBJECT),
        (None, 0, 0, Result.FAILED, Failure.NO_SUCH_OBJECT),
        (found(Evidence.WHOLE), 60, 0, Result.COMMITTED, None),
        (found(Evidence.WHOLE), 60, 9999, Result.COMMITTED, None),
        (found(Evidence.WHOLE, "1.2.9"), 60, 0, Result.FAILED, Failure.CLASS_CONFLICT),
        (found(Evidence.DAMAGED), 60, 0, Result.FAILED, Failure.PROCESSING),
        (found(Evidence.IN_SPOOL), 60, 0, Result.PACKING, None),
        (found(Evidence.IN_SPOOL), 0, 3599, Result.PACKING, None),
        (found(Evidence.IN_SPOOL), 0, 3600, Result.FAILED, Failure.NO_RESOURCES),
        (found(Evidence.IN_SPOOL), 7200, 3600, Result.PACKING, None),
        (found(Evidence.UNREADABLE), 60, 60, Result.ASKED, None),
        (found(Evidence.UNREADABLE), 60, 3600, Result.FAILED, Failure.PROCESSING),
    ],
)
def test_verdict_follows_from_what_was_read_and_how_long_it_was_waited_for(
    seen: Found | None, wait_s: float, after_s: float, result: Result, reason: Failure | None
) -> None:
    verdict = judge(
        ASKED,
        seen,
        is_class_taken=True,
        requested_at=AT,
        wait_until=AT + timedelta(seconds=wait_s),
        now=AT + timedelta(seconds=after_s),
    )

    assert verdict == Verdict(result, reason)


def test_class_that_is_never_taken_is_not_waited_for() -> None:
    verdict = judge(
        ASKED, None, is_class_taken=False, requested_at=AT,
        wait_until=AT + timedelta(hours=1), now=AT,
    )  # fmt: skip

    assert verdict == Verdict(Result.FAILED, Failure.CLASS_NOT_SUPPORTED)


@pytest.mark.parametrize(
    ("after_s", "wait_s", "pause_s"),
    [(0, 3600, 1), (5, 3600, 1), (100, 3600, 10), (1000, 3600, 30), (3590, 3600, 10), (50, 20, 5)],
)
def test_next_look_is_soon_at_first_and_never_misses_the_deadline(
    after_s: float, wait_s: float, pause_s: float
) -> None:
    now = AT + timedelta(seconds=after_s)

    again = next_look(AT, AT + timedelta(seconds=wait_s), now=now)

    assert again - now == timedelta(seconds=pause_s)
