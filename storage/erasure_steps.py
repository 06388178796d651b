"""Carries erasures out to the last byte: data folders, packs, backups, mirror, database file.

Goes on where a process was stopped, since every step asks what is still there. What it cannot do
now it says, waits, and tries again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, select

from casework.audit import Deed
from casework.erasure import ERASURE_FINISHED, RETENTION, Tombstone
from casework.errors import LysbroError
from casework.model import Actor
from storage import intents, remade, tombstones
from storage.archive import Archive
from storage.backup_erase import clear_backups
from storage.copies import ObjectKey
from storage.database import chunks
from storage.erasing import Erasures
from storage.erasing_rows import note_work
from storage.erasure_aside import Sought, clear_aside
from storage.erasure_mirror import bury_in_mirror, clear_mirror
from storage.erasure_packs import clear_pack, intents_of, unknown_packs
from storage.erasure_spool import Wanted, clear_folder
from storage.erasure_tables import (
    erasure_nodes,
    erasure_objects,
    erasure_packs,
    erasure_studies,
)
from storage.intents import COPY
from storage.ledger import append_entry
from storage.mover import packing_folder, packing_lock
from storage.tombstones import CLEANING, DONE, ERASING, Erasure

log = structlog.get_logger()

_SOONEST, _LATEST = timedelta(seconds=30), timedelta(hours=1)
"""What waits is tried again after a quarter of the time that it has waited, within these bounds."""

_GATHER = timedelta(minutes=10)
"""What retention erases is cleaned up after together: each time is a walk through all backups."""


class Eraser:
    """Carries out what was decided; one for each worker, and one for a command."""

    def __init__(
        self,
        archive: Archive,
        *,
        actor: Actor,
        watch: Callable[[str], None] = lambda _what: None,
    ) -> None:
        """`actor` is who has finished it; `watch` hears of every step before it is taken."""
        self._archive = archive
        self._database = archive.database
        self._actor = actor
        self._erasures = Erasures(archive.database, archive.clock, node=archive.spool.node)
        self._folder = packing_folder(archive.data)
        self._scratch = self._folder / "erasing"
        self._cleaned: set[str] = set()
        self._watch = watch

    def run_once(self, now: datetime, *, at_once: bool = False) -> bool:
        """Take erasures on by a step; tell whether one is further. `at_once`: gather nothing."""
        with self._database.read() as conn:
            is_any = tombstones.is_any_unfinished(conn)
        if not is_any:
            return False
        with packing_lock(self._archive.data, wait=at_once) as is_ours:
            if not is_ours:
                return False
            if self._erase_next(now):
                return True
            ready = self._clean(now, at_once=at_once)
        return bool(ready) and self._end(ready, now)

    def clear_own_folder(self, now: datetime) -> bool:
        """Empty this node's data folder of what is to go; tell whether one erasure is further.

        For a node that has no worker. What is still to be done elsewhere is then tried at once.
        """
        with self._database.read() as conn:
            owed = tombstones.owed_by(conn, self._archive.spool.node)
        if not owed:
            return False
        cleared = 0
        with packing_lock(self._archive.data, wait=False) as is_ours:
            for stone in owed if is_ours else ():
                try:
                    cleared += not self._clear_own(stone)[1]
                except LysbroError as error:
                    log.warning("erasure_waits", erasure=stone.id, reason=error.code)
        if cleared:
            with self._database.begin() as conn:
                for stone in owed:
                    tombstones.try_at_once(conn, stone.id, now=now)
        return cleared > 0

    def finish(self, erasure_id: str, now: datetime) -> Erasure | None:
        """Take all that is due as far as it comes now, and return how far one erasure is."""
        while self.run_once(now, at_once=True):
            pass
        return next((e for e in self._erasures.listed() if e.stone.id == erasure_id), None)

    def _erase_next(self, now: datetime) -> bool:
        with self._database.read() as conn:
            waiting = tombstones.unfinished(conn, state=ERASING, now=now)
        for erasure in waiting:
            try:
                waits_for = self._advance(erasure.stone, now)
            except LysbroError as error:
                log.warning("erasure_waits", erasure=erasure.stone.id, reason=error.code)
                waits_for = error.message
            if not waits_for:
                return True
            self._wait([erasure], waits_for, now)
        return False

    def _advance(self, stone: Tombstone, now: datetime) -> str:
        """Do all that can be done for one erasure; return what has to be waited for, or nothing."""
        archive = self._archive
        stone, waits_for = self._clear_own(stone)
        if waits_for:
            return waits_for
        self._clear_packs(stone, self._packs_of(stone), now)
        if waits_for := self._put_meanwhile(stone, now) or self._other_nodes(stone):
            return waits_for
        self._watch("store")
        unknown = unknown_packs(archive, stone.sites)
        self._clear_packs(stone, unknown, now, are_known=False)
        with self._database.begin() as conn:
            tombstones.change(conn, stone.id, state=CLEANING, waits_for="", not_before=None)
        return ""

    def _clear_own(self, stone: Tombstone) -> tuple[Tombstone, str]:
        """Empty this node's folder; return the erasure as it is then, and what it waits for."""
        archive = self._archive
        self._watch("bury")
        tombstones.bury(archive.store, stone)
        swept = self._erasures.sweep(stone)
        if swept is not stone:
            stone = swept
            tombstones.bury(archive.store, stone)
        bury_in_mirror(archive, Sought([stone], (), ()))
        self._watch("folder")
        waits_for = clear_folder(archive, self._folder, self._wanted(stone))
        if not waits_for:
            with self._database.begin() as conn:
                conn.execute(
                    delete(erasure_nodes).where(
                        erasure_nodes.c.erasure_id == stone.id,
                        erasure_nodes.c.node == archive.spool.node,
                    )
                )
        return stone, waits_for

    def _wanted(self, stone: Tombstone) -> Wanted:
        with self._database.read() as conn:
            asked = select(erasure_studies.c.study_uid)
            uids = set(
                conn.execute(asked.where(erasure_studies.c.erasure_id == stone.id)).scalars()
            )
        objects = self._objects([stone])
        if stone.object_marks:
            uids |= {uid for s, uid, h in objects if stone.has_object(s, uid, h)}
        return Wanted(objects, [uid.encode("ascii", "replace") for uid in uids], stone.until)

    def _objects(self, stones: Sequence[Tombstone]) -> set[ObjectKey]:
        name = (
            erasure_objects.c.site,
            erasure_objects.c.sop_instance_uid,
            erasure_objects.c.sha256,
        )
        ids = [stone.id for stone in stones]
        with self._database.read() as conn:
            rows = conn.execute(select(*name).where(erasure_objects.c.erasure_id.in_(ids)))
            return {(row[0], row[1], row[2]) for row in rows}

    def _packs_of(self, stone: Tombstone) -> list[str]:
        asked = select(erasure_packs.c.key).where(erasure_packs.c.erasure_id == stone.id)
        with self._database.read() as conn:
            return sorted(conn.execute(asked).scalars())

    def _clear_packs(
        self, stone: Tombstone, keys: Sequence[str], now: datetime, *, are_known: bool = True
    ) -> None:
        for key in keys:
            self._watch("pack")
            clear_pack(self._archive, self._folder, key, [stone], is_known=are_known, now=now)
            is_left = self._archive.store.exists(key)
            with self._database.begin() as conn:
                if is_left:  # there was nothing of it in there
                    conn.execute(
                        delete(erasure_packs).where(
                            erasure_packs.c.erasure_id == stone.id, erasure_packs.c.key == key
                        )
                    )
                else:  # a mirror may have it yet, or a damaged copy that is kept aside
                    note_work(conn, stone.id, keys=[key])

    def _put_meanwhile(self, stone: Tombstone, now: datetime) -> str:
        """Look at packs that were about to be put when it was decided; wait for what others put."""
        with self._database.read() as conn:
            found = intents_of(conn, [stone])
        for intent, node, is_orphaned in found:
            is_ours = node == self._archive.spool.node and intent.kind != COPY
            if not (is_ours or is_orphaned):
                return f"node {node} is about to put a pack, or stopped while it did"
            if self._archive.store.exists(intent.key):
                self._clear_packs(stone, [intent.key], now)
            elif not is_orphaned:
                with self._database.begin() as conn:
                    intents.fulfilled(conn, [intent.key])
        return ""

    def _other_nodes(self, stone: Tombstone) -> str:
        asked = select(erasure_nodes.c.node).where(erasure_nodes.c.erasure_id == stone.id)
        with self._database.read() as conn:
            left = sorted(conn.execute(asked).scalars())
        if not left:
            return ""
        return (
            f"the data folder of {', '.join(left)}: start `lysbro serve` there, or say that it is "
            "gone for good with `lysbro erase --without-node`"
        )

    def _clean(self, now: datetime, *, at_once: bool) -> list[Erasure]:
        """Take what is erased out of all but the mirror; return those that have come so far."""
        with self._database.read() as conn:
            ready = tombstones.unfinished(conn, state=CLEANING, now=now)
        is_time = any(
            erasure.stone.kind != RETENTION or now - erasure.stone.at >= _GATHER
            for erasure in ready
        )
        if not ready or not (is_time or at_once):
            return []
        try:
            self._clean_here([erasure.stone for erasure in ready])
        except LysbroError as error:
            self._wait_because(error, ready, now)
            return []
        return ready

    def _end(self, ready: Sequence[Erasure], now: datetime) -> bool:
        """Take it out of the mirror, for which no packing waits, and end what is done then."""
        stones = [erasure.stone for erasure in ready]
        try:
            self._watch("mirror")
            clear_mirror(self._archive, self._folder, self._sought(stones), self._objects(stones))
            with packing_lock(self._archive.data, wait=True):
                return self._end_here(stones, now)
        except LysbroError as error:
            self._wait_because(error, ready, now)
            return False

    def _end_here(self, stones: Sequence[Tombstone], now: datetime) -> bool:
        with self._database.read() as conn:
            open_ = {erasure.stone.id for erasure in tombstones.unfinished(conn, state=CLEANING)}
        stones = [stone for stone in stones if stone.id in open_]  # another may have been here
        if not stones:
            return False
        self._watch("forget")
        self._forget_work(stones)
        self._watch("wipe")
        self._database.wipe_deleted()
        with self._database.begin() as conn:
            for stone in stones:
                tombstones.change(
                    conn, stone.id, state=DONE, finished_at=now, waits_for="", not_before=None
                )
                detail = {"kind": stone.kind, "instances": stone.instances}
                append_entry(
                    conn, Deed(self._actor, ERASURE_FINISHED, stone.id, detail=detail), at=now
                )
        log.info("erasures_finished", count=len(stones))
        return True

    def _clean_here(self, stones: Sequence[Tombstone]) -> None:
        """Do all that no mirror is needed for; when that is away, it is not done each time."""
        # nobody else writes here: what is left in it is of one who was stopped
        shutil.rmtree(self._scratch, ignore_errors=True)
        left = [stone for stone in stones if stone.id not in self._cleaned]
        if not left:
            return
        archive = self._archive
        self._watch("aside")
        remade.forget_all(archive.data)  # of who was reading meanwhile
        clear_aside(archive.store, self._sought(left))
        self._watch("backups")
        clear_backups(archive.store, self._scratch, left, self._objects(left))
        if archive.mirror is not None:
            self._watch("wipe")
            self._database.wipe_deleted()
        self._cleaned |= {stone.id for stone in left}

    def _sought(self, stones: Sequence[Tombstone]) -> Sought:
        ids = [stone.id for stone in stones]
        keys: set[str] = set()
        uids = {uid for _, uid, _ in self._objects(stones)}
        with self._database.read() as conn:
            for some in chunks(ids):
                asked = select(erasure_packs.c.key)
                keys |= set(
                    conn.execute(asked.where(erasure_packs.c.erasure_id.in_(some))).scalars()
                )
                named = select(erasure_studies.c.study_uid)
                uids |= set(
                    conn.execute(named.where(erasure_studies.c.erasure_id.in_(some))).scalars()
                )
        return Sought(stones, keys, uids)

    def _forget_work(self, stones: Sequence[Tombstone]) -> None:
        """Drop the names of what was looked for."""
        with self._database.begin() as conn:
            for ids in chunks([stone.id for stone in stones]):
                for table in (erasure_objects, erasure_studies, erasure_packs):
                    conn.execute(delete(table).where(table.c.erasure_id.in_(ids)))

    def _wait_because(self, error: LysbroError, erasures: Sequence[Erasure], now: datetime) -> None:
        log.warning("erasure_waits", reason=error.code, message=error.message)
        self._wait(erasures, error.message, now)

    def _wait(self, erasures: Sequence[Erasure], reason: str, now: datetime) -> None:
        with self._database.begin() as conn:
            for stone in (erasure.stone for erasure in erasures):
                pause = min(max((now - stone.at) / 4, _SOONEST), _LATEST)
                tombstones.change(conn, stone.id, waits_for=reason, not_before=now + pause)


def without_node(archive: Archive, node: str, *, actor: Actor, now: datetime) -> int:
    """Wait no longer for a node whose disk is gone for good; return how many erasures did."""
    with archive.database.begin() as conn:
        done = conn.execute(delete(erasure_nodes).where(erasure_nodes.c.node == node))
        if done.rowcount:
            deed = Deed(actor, "erasure-without-node", node, detail={"erasures": done.rowcount})
            append_entry(conn, deed, at=now)
    return done.rowcount
