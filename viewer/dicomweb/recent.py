"""Remembers for minutes what has been noted: a series read image by image is one entry."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=10)
_MOST = 10_000


class Recent:
    """What has been seen within the window; safe for many threads, bounded."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, datetime] = {}
        self._lock = threading.Lock()

    def is_first(self, key: Hashable, now: datetime) -> bool:
        """Tell whether a key is new within the window, and remember it."""
        with self._lock:
            known = self._seen.get(key)
            if known is not None and now - known < WINDOW:
                return False
            if len(self._seen) >= _MOST:
                self._seen = {k: at for k, at in self._seen.items() if now - at < WINDOW}
            if len(self._seen) >= _MOST:
                self._seen.clear()
            self._seen[key] = now
            return True

    def forget(self, key: Hashable) -> None:
        """Let a key be new again."""
        with self._lock:
            self._seen.pop(key, None)
