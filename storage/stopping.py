"""Lets a search end while the database is at it, when nobody waits for its answer any more.

Asks a few times a second; decides nothing about what is searched.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from casework.errors import LysbroError

_LOOK_S = 0.1
_STEPS = 20_000  # of SQLite's machine between looks at the clock: a millisecond or two

Asked = Callable[[], bool]


class Stopped(Exception):
    """The search was ended as it was asked to be."""


@contextmanager
def stoppable(conn: Connection, is_stopped: Asked | None) -> Iterator[None]:
    """Raise Stopped out of whatever the connection is doing, soon after `is_stopped` says so.

    What `is_stopped` raises itself ends the search as well. It is asked from another thread when
    the database is PostgreSQL, and never from two at one time.
    """
    if is_stopped is None:
        yield
        return
    asking = _Asking(is_stopped)
    way = _in_sqlite if conn.dialect.name == "sqlite" else _in_postgres
    raw: Any = conn.connection.driver_connection
    try:
        with way(raw, asking):
            yield
    except DBAPIError as error:
        asking.tell(error)
        raise
    asking.tell(None)


class _Asking:
    """Asks whether to stop, and remembers the answer."""

    def __init__(self, is_stopped: Asked) -> None:
        self._is_stopped = is_stopped
        self._at = time.monotonic()
        self._error: Exception | None = None
        self._has_stopped = False

    def __call__(self) -> bool:
        if self._has_stopped:
            return True
        try:
            self._has_stopped = self._is_stopped()
        except (LysbroError, OSError) as error:  # told to who waits for the search
            self._error, self._has_stopped = error, True
        return self._has_stopped

    def now_and_then(self) -> bool:
        """Ask when it is time to."""
        now = time.monotonic()
        if now - self._at < _LOOK_S:
            return self._has_stopped
        self._at = now
        return self()

    def tell(self, cause: BaseException | None) -> None:
        """Raise what was found out."""
        if self._error is not None:
            raise self._error
        if self._has_stopped:
            raise Stopped from cause


@contextmanager
def _in_sqlite(raw: Any, asking: _Asking) -> Iterator[None]:
    raw.set_progress_handler(asking.now_and_then, _STEPS)
    try:
        yield
    finally:
        raw.set_progress_handler(None, 0)


@contextmanager
def _in_postgres(raw: Any, asking: _Asking) -> Iterator[None]:
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_LOOK_S):
            if asking():
                raw.cancel_safe(timeout=5.0)
                return

    watcher = threading.Thread(target=watch, name="search-watcher", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
