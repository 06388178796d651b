"""How long to wait after failed sign-ins. Grows fast, ends by itself, locks nobody out for good."""

from __future__ import annotations

from datetime import datetime, timedelta

LONGEST_WAIT_S = 900
FORGOTTEN_AFTER = timedelta(hours=24)
FREE_FAILURES = 3
FREE_FAILURES_OF_ADDRESS = 10  # a hospital comes from one address
ADDRESS_PREFIX = "address:"


def wait_s(key: str, failures: int, *, last_at: datetime, now: datetime) -> float:
    """Return how many seconds a key must still wait after so many failures in a row."""
    free = FREE_FAILURES_OF_ADDRESS if key.startswith(ADDRESS_PREFIX) else FREE_FAILURES
    if failures < free or now - last_at >= FORGOTTEN_AFTER:
        return 0.0
    whole = min(1 << min(failures - free, 16), LONGEST_WAIT_S)
    return max(0.0, whole - (now - last_at).total_seconds())
