"""Says of a process without a port that it goes on: it touches a file in its data folder.

What another process then makes of the file's age is said here too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

TOUCHED_EVERY_S = 2.0
STALE_AFTER_S = 20.0


def keep_alive(data: Path, role: str, *, lives: Callable[[], bool], stop: threading.Event) -> None:
    """Touch the role's file for as long as it lives, until told to stop; then remove it."""
    path = _path(data, role)
    while not stop.is_set():
        if lives():
            path.touch()
        stop.wait(TOUCHED_EVERY_S)
    path.unlink(missing_ok=True)


def is_alive(data: Path, role: str) -> bool:
    """Tell whether the process of a role has touched its file of late."""
    try:
        age_s = time.time() - _path(data, role).stat().st_mtime
    except FileNotFoundError:
        return False
    return age_s < STALE_AFTER_S


def _path(data: Path, role: str) -> Path:
    return data / f"{role}.alive"
