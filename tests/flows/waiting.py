"""The one way in which tests wait for another process: for a condition, up to a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(
    condition: Callable[[], T],
    what: str,
    *,
    timeout_s: float = 20.0,
    alive: Callable[[], bool] = lambda: True,
) -> T:
    """Return the condition's first true value; fail when it does not come in time or the process is
    gone.
    """
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while True:
        found = condition()
        if found:
            return found
        assert alive(), f"the process ended while waiting for {what}"
        assert time.monotonic() < deadline, f"waited {timeout_s:.0f} s in vain for {what}"
        pause.wait(0.05)
