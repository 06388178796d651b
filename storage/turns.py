"""Gives work that one process does for all its turn: held for a while, renewed while it goes on.

Who dies in the middle loses the turn when its time is over, and the next one takes it. Knows
nothing of what is done meanwhile.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, insert, update

from casework.errors import LysbroError
from storage.database import Database, take_turns
from storage.tables import turns

log = structlog.get_logger()


@dataclass(frozen=True)
class Turns:
    """The turns that one process takes; another name for the holder is another process."""

    database: Database
    clock: Callable[[], datetime]
    lease_s: float
    holder: str = field(default_factory=lambda: secrets.token_hex(8))

    @contextmanager
    def held(self, work: str) -> Iterator[bool]:
        """Yield whether the turn is ours; while it is, it is renewed, and given back at the end."""
        if not self.take(work):
            yield False
            return
        done = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(work, done), daemon=True)
        renewing.start()
        try:
            yield True
        finally:
            done.set()
            renewing.join()
            self.give_back(work)

    def take(self, work: str) -> bool:
        """Take or renew a turn; tell whether it is ours now."""
        now = self.clock()
        until = now + timedelta(seconds=self.lease_s)
        with self.database.begin() as conn:
            take_turns(conn, [f"turn {work}"])
            mine = (turns.c.until <= now) | (turns.c.holder == self.holder)
            changed = conn.execute(
                update(turns)
                .where(turns.c.work == work, mine)
                .values(holder=self.holder, until=until)
            )
            if changed.rowcount:
                return True
            taken = conn.execute(turns.select().where(turns.c.work == work)).first()
            if taken is None:
                conn.execute(insert(turns).values(work=work, holder=self.holder, until=until))
            return taken is None

    def give_back(self, work: str) -> None:
        """Let the next one take the turn at once."""
        with self.database.begin() as conn:
            conn.execute(delete(turns).where(turns.c.work == work, turns.c.holder == self.holder))

    def _renew(self, work: str, done: threading.Event) -> None:
        while not done.wait(self.lease_s / 4):
            try:
                self.take(work)
            except LysbroError as error:
                log.warning("turn_not_renewed", work=work, reason=error.code)
            except Exception:
                log.exception("turn_not_renewed", work=work)  # boundary of a thread
