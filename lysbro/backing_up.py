"""Backs the casebook up into the store by itself, as often as is set; one worker of all does it.

A casebook that was never backed up does not follow the backups of another: an operator begins.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from casework.model import Actor, SiteKind
from lysbro.mirroring import mirror_soon
from lysbro.wiring import Parts
from storage import backup
from storage.mover import packing_folder
from storage.turns import Turns

log = structlog.get_logger()

WORKER = Actor(id="system:worker", name="Lysbro", site="", site_kind=SiteKind.CENTRE)

_AGAIN_AFTER = timedelta(minutes=15)
_CLOCK_STEP = timedelta(minutes=1)
_ANOTHER_DOES_IT = timedelta(seconds=2)


class Backer:
    """Makes a backup when the newest one in the store has become too old."""

    def __init__(self, parts: Parts, turns: Turns | None = None) -> None:
        self._parts = parts
        self._turns = turns or Turns(parts.database, parts.clock, parts.settings.lease_seconds)
        self._every = timedelta(seconds=parts.settings.backup_every)
        self._not_before: datetime | None = None

    def run_once(self) -> bool:
        """Make a backup when one is due; there is never more to do at once."""
        now = self._parts.clock()
        if not self._every or (self._not_before is not None and now < self._not_before):
            return False
        parts = self._parts
        if not backup.is_anything_to_back_up(parts.database):
            return self._look_again(now)
        with self._turns.held("back up") as is_ours:
            if is_ours:
                self._look_again(now)  # should what follows fail
                self._back_up_if_due(now)
            else:
                self._not_before = now + _ANOTHER_DOES_IT
        return False

    def _look_again(self, now: datetime) -> bool:
        self._not_before = now + min(_AGAIN_AFTER, self._every)
        return False

    def _back_up_if_due(self, now: datetime) -> None:
        parts = self._parts
        newest = next(iter(backup.backups(parts.store)), None)
        is_kept = backup.has_been_kept(parts.database)
        if newest is None and not is_kept:
            parts.note(WORKER, backup.BEGUN, parts.store.describe())
        elif not is_kept and newest is not None:
            log.warning("backup_of_another_casebook", key=newest.key, do="rebuild, or back up once")
            return
        parts.archive.require_store()
        # one of a later time was made while the clock was wrong, and says nothing of its age
        if newest is None or now - newest.at >= self._every or newest.at > now + _CLOCK_STEP:
            folder = packing_folder(parts.archive.data)
            kept = backup.back_up(parts.database, parts.store, folder, now=now)
            mirror_soon(parts, kept)
            parts.note(WORKER, backup.BACKED_UP, kept.key, detail={"rows": kept.rows})
            backup.remove_older(parts.store, keep=parts.settings.backups_kept)
            self._not_before = now + self._every
        else:
            self._not_before = newest.at + self._every
