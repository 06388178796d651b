"""Lets a search end while the database is at it, when nobody waits for its answer any more.

Asks a few times a second; decides nothing about what is searched.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from casework.errors import LysbroError

_LOOK_S = 0.1
_IDLE_S = 60.0
_STEPS = 20_000  # of SQLite's machine between looks at the clock: a millisecond or two

Asked = Callable[[], bool]


class Stopped(Exception):
    """The search was ended as it was asked to be."""


class Watch:
    """Looks after the searches of a process, with one thread for those that another server does."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: set[_Search] = set()
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, conn: Connection, is_stopped: Asked | None) -> Iterator[None]:
        """Raise Stopped out of whatever the connection is doing, soon after `is_stopped` says so.

        What `is_stopped` raises itself ends the search as well. It is asked from another thread
        when the database is PostgreSQL, and never from two at one time.
        """
        if is_stopped is None:
            yield
            return
        search = _Search(is_stopped, conn.connection.driver_connection)
        way = _in_sqlite if conn.dialect.name == "sqlite" else self._in_postgres
        try:
            with way(search):
                yield
        except DBAPIError as error:
            search.tell(error)
            raise
        search.tell(None)

    @contextmanager
    def _in_postgres(self, search: _Search) -> Iterator[None]:
        with self._changed:
            self._watched.add(search)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="searches", daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._watched.discard(search)
            search.end()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._watched:
                    if not self._changed.wait(_IDLE_S):
                        self._thread = None
                        return
            time.sleep(_LOOK_S)
            with self._changed:
                watched = list(self._watched)
            for search in watched:
                search.cancel_if_asked()


@dataclass(frozen=True)
class Stop:
    """How a search is stopped; without `is_stopped`, not at all."""

    watch: Watch
    is_stopped: Asked | None = None

    def check(self) -> None:
        """Raise Stopped when that was asked for."""
        if self.is_stopped is not None and self.is_stopped():
            raise Stopped

    def within(self, conn: Connection) -> AbstractContextManager[None]:
        """Return what lets the work of a connection be stopped."""
        return self.watch.over(conn, self.is_stopped)


class _Search:
    """One search: whether it shall end, and how it is ended."""

    def __init__(self, is_stopped: Asked, raw: Any) -> None:
        self.raw = raw
        self._is_stopped = is_stopped
        self._at = time.monotonic()
        self._error: Exception | None = None
        self._has_stopped = False
        self._has_ended = False
        self._asking = threading.Lock()

    def now_and_then(self) -> bool:
        """Ask when it is time to, and tell whether to stop."""
        now = time.monotonic()
        if not self._has_stopped and now - self._at >= _LOOK_S:
            self._at = now
            self._ask()
        return self._has_stopped

    def cancel_if_asked(self) -> None:
        """Cancel what the server is doing for us, when it is time to ask and the answer is yes."""
        with self._asking:
            if not self._has_ended and self.now_and_then():
                self._has_ended = True
                with suppress(psycopg.Error):  # it has ended by itself, or its server has
                    self.raw.cancel_safe(timeout=5.0)

    def end(self) -> None:
        """Wait until nobody asks or cancels any more."""
        with self._asking:
            self._has_ended = True

    def tell(self, cause: BaseException | None) -> None:
        """Raise what was found out."""
        if self._error is not None:
            raise self._error
        if self._has_stopped:
            raise Stopped from cause

    def _ask(self) -> None:
        try:
            self._has_stopped = self._is_stopped()
        except (LysbroError, OSError) as error:  # told to who waits for the search
            self._error, self._has_stopped = error, True


@contextmanager
def _in_sqlite(search: _Search) -> Iterator[None]:
    search.raw.set_progress_handler(search.now_and_then, _STEPS)
    try:
        yield
    finally:
        search.raw.set_progress_handler(None, 0)
