"""When a delivery that failed is tried again, and when it is given up. Knows no queue."""

from __future__ import annotations

from datetime import datetime, timedelta

FIRST_WAIT_S = 5
LONGEST_WAIT_S = 3600
MAX_ATTEMPTS = 60  # the waits add up to a little over two days: a weekend without the receiver


def wait_s(attempts: int) -> int:
    """Return how long to wait after so many failed attempts: doubled each time, up to an hour."""
    doublings = min(max(attempts, 1) - 1, 16)
    return min(FIRST_WAIT_S << doublings, LONGEST_WAIT_S)


def next_attempt(attempts: int, *, now: datetime) -> datetime | None:
    """Return when to try again after `attempts` failures, or None when a person must look."""
    if attempts >= MAX_ATTEMPTS:
        return None
    return now + timedelta(seconds=wait_s(attempts))
