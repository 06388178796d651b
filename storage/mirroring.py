"""Copies packs and backups to the mirror in the background, and lets what was removed follow.

One object at a time: fetched and hashed, put, read back and hashed, and only then noted. What a
stop or an outage interrupts is begun again; what the mirror has already is only read. Nothing that
receives or packs waits for it. A pack leaves the mirror when neither index nor store knows it and
all that is kept of its members lies in other packs that the mirror has.
"""

from __future__ import annotations

import hashlib
import time
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from casework.errors import LysbroError, NotFound, Unavailable
from storage import backup, belonging, mirror_rows, pack_checks, tombstones
from storage.archive import Archive
from storage.database import Database
from storage.mirror_rows import Due
from storage.mover import packing_folder
from storage.objects import ObjectStore, read_range, sha256_of_object
from storage.objects.aside import fetch, put_right, remove_stale, temporary
from storage.pack_reader import BrokenPack, PackReader
from storage.packs import sha256_of_key

log = structlog.get_logger()

_TEMPORARY = ".mirror-"
OF_BACKUP = ".mirror-backup-"
_LEASE = timedelta(hours=1)
_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=5)
_LONGEST_RETRY = timedelta(hours=6)
_BACKUPS_EVERY = timedelta(minutes=1)
_REMOVE_EVERY = timedelta(minutes=5)
_ALL_EVERY = timedelta(hours=1)
_PROVEN_FOR = timedelta(minutes=1)
_OVERLAP = timedelta(minutes=10)
_PROOFS = 3


class Mirrorer:
    """Keeps the mirror like the store; one for each worker."""

    def __init__(self, archive: Archive, mirror: ObjectStore, *, backups_kept: int = 0) -> None:
        self._archive = archive
        self._database = archive.database
        self._mirror = mirror
        self._backups_kept = backups_kept
        self._folder = packing_folder(archive.data)
        self._is_begun = self._is_tidy = self._is_marked = False
        self._noticed_all_at: datetime | None = None
        self._noticed_at: datetime | None = None
        self._backups_at: datetime | None = None
        self._removed_at: datetime | None = None
        self._proven_at: datetime | None = None
        self._pause = timedelta(0)
        self._not_before: datetime | None = None

    def run_once(self, now: datetime) -> bool:
        """Copy one object, or let one that was removed follow; tell whether there may be more."""
        if self._not_before is not None and now < self._not_before:
            return False
        try:
            self._begin(now)
            self._notice(now)
            self._tidy()
            self._prove(now)
            self._mark()
            due = self._lease(now)
            done = self._copy(due, now) if due is not None else self._follow(now)
        except (Unavailable, OSError) as error:
            self._pause_after(error, now)
            return False
        if self._pause:
            log.info("mirror_reached_again", mirror=self._mirror.describe())
        self._pause, self._not_before = timedelta(0), None
        self._archive.spool.notices.take_down("mirroring")
        return done

    def _begin(self, now: datetime) -> None:
        """Take up what a worker of this node had begun; nobody else works in its folder."""
        if self._is_begun:
            return
        remove_stale(self._folder)
        for path in self._folder.glob(_TEMPORARY + "*"):
            path.unlink(missing_ok=True)
        with self._database.begin() as conn:
            mirror_rows.release(conn, node=self._archive.spool.node, now=now)
        self._is_begun = True

    def _notice(self, now: datetime) -> None:
        """Note what is new in the store: of packs what their rows say, of backups the listing."""
        is_all = self._noticed_all_at is None or now - self._noticed_all_at >= _ALL_EVERY
        since = None if is_all or self._noticed_at is None else self._noticed_at - _OVERLAP
        after = ""
        while found := self._unnoticed(since, after):
            self._write_down(found)
            after = found[-1][0]
        while small := self._unnoticed_small():
            self._write_down(small)
        self._noticed_at = now
        if is_all:
            self._noticed_all_at = now
        if self._backups_at is None or now - self._backups_at >= _BACKUPS_EVERY:
            self._notice_backups()
            self._backups_at = now
            self._is_marked = False

    def _unnoticed(self, since: datetime | None, after: str) -> list[tuple[str, int, datetime]]:
        with self._database.read() as conn:
            return mirror_rows.unnoticed(conn, since=since, after=after)

    def _unnoticed_small(self) -> list[tuple[str, int, datetime]]:
        with self._database.read() as conn:
            return mirror_rows.unnoticed_small(conn)

    def _write_down(self, found: list[tuple[str, int, datetime]]) -> None:
        with self._database.begin() as conn:
            mirror_rows.notice(conn, found)

    def _notice_backups(self) -> None:
        listed = {b.key: b for b in backup.backups(self._archive.store)}
        with self._database.read() as conn:
            new = listed.keys() - mirror_rows.are_noticed(conn, list(listed))
        if new:
            with self._database.begin() as conn:
                mirror_rows.notice_backups(
                    conn, [(key, listed[key].size_bytes, listed[key].at) for key in sorted(new)]
                )

    def _lease(self, now: datetime) -> Due | None:
        with self._database.read() as conn:
            due = mirror_rows.next_due(conn, now=now)
        if due is None:
            return None
        node = self._archive.spool.node
        with self._database.begin() as conn:
            is_ours = mirror_rows.lease(conn, due, node=node, until=now + _LEASE)
        return due if is_ours else None

    def _tidy(self) -> None:
        """End what puts that were cut short left in the mirror, once it answers."""
        if not self._is_tidy:
            self._mirror.tidy()
            self._is_tidy = True

    def _prove(self, now: datetime) -> None:
        """Look now and then whether it is the mirror that was filled."""
        if self._proven_at is not None and now - self._proven_at < _PROVEN_FOR:
            return
        require_filled(self._database, self._mirror)
        self._proven_at = now

    def _mark(self) -> None:
        """Copy tombstones and marks: they are few and small, and so before all else."""
        if self._is_marked:
            return
        store = self._archive.store
        for prefix in (tombstones.PREFIX, belonging.PREFIX):
            there = {each.key for each in self._mirror.list(prefix)}
            for each in store.list(prefix):
                if each.key not in there:
                    data = read_range(store, each.key, 0, each.size_bytes)
                    self._mirror.put(each.key, data, sha256=hashlib.sha256(data).hexdigest())
        self._is_marked = True

    def _copy(self, due: Due, now: datetime) -> bool:
        started = time.perf_counter()
        sha256 = sha256_of_key(due.key) or backup.sha256_of_backup(due.key)
        path = temporary(self._folder, _TEMPORARY if sha256_of_key(due.key) else OF_BACKUP)
        try:
            if sha256 is None:
                raise NotFound(f"{due.key} is no object of ours.", code="no-such-object")
            if not self._has(due.key, sha256):
                if not self._fetched(due, path, sha256, now):
                    return True
                aside = put_right(self._mirror, due.key, path, sha256=sha256)
                if not self._is_wanted(due.key):
                    self._take_back(due.key, aside)
                    return True
            size = self._mirror.size(due.key)
            with self._database.begin() as conn:
                mirror_rows.kept(
                    conn,
                    due.key,
                    size_bytes=size,
                    took_s=time.perf_counter() - started,
                    now=self._archive.clock(),
                )
        except (LysbroError, OSError) as error:
            with self._database.begin() as conn:
                wait = min(_FIRST_PAUSE * 2 ** min(due.attempts, 16), _LONGEST_PAUSE)
                mirror_rows.failed(conn, due.key, error=str(error), again_at=now + wait)
            raise _as_unavailable(error) from error
        finally:
            path.unlink(missing_ok=True)
        log.info("mirrored", key=due.key, bytes=size)
        return True

    def _has(self, key: str, sha256: str) -> bool:
        """Tell whether the mirror has an object whole; damaged bytes are put right afterwards."""
        try:
            return sha256_of_object(self._mirror, key) == sha256
        except (NotFound, OSError):  # not readable is not there
            return False

    def _fetched(self, due: Due, path: Path, sha256: str, now: datetime) -> bool:
        """Fetch an object from the store; one that is gone or damaged there is noted and waits."""
        fault = ""
        try:
            if fetch(self._archive.store, due.key, path) != sha256:
                fault = pack_checks.CORRUPT
        except NotFound:
            fault = pack_checks.MISSING
        if not fault:
            return True
        wait = min(_FIRST_PAUSE * 2 ** min(due.attempts, 16), _LONGEST_RETRY)
        is_wanted = self._is_wanted(due.key)
        with self._database.begin() as conn:
            if not is_wanted:
                mirror_rows.forget(conn, due.key)  # it was merged or removed meanwhile
                return False
            pack_checks.flag(conn, due.key, fault=fault, now=now)
            mirror_rows.failed(
                conn, due.key, error=f"it is {fault} in the store", again_at=now + wait
            )
        log.error("not_mirrored", key=due.key, fault=fault)
        return False

    def _take_back(self, key: str, aside: str) -> None:
        """Erase what was put while it was erased or merged: nothing of it is to be here."""
        with self._database.begin() as conn:
            mirror_rows.forget(conn, key)
        for name in filter(None, (key, aside)):
            self._mirror.erase(name)
        log.info("not_mirrored", key=key, fault="gone meanwhile")

    def _is_wanted(self, key: str) -> bool:
        if not sha256_of_key(key):
            return self._archive.store.exists(key)
        with self._database.read() as conn:
            return mirror_rows.is_known(conn, key)

    def _follow(self, now: datetime) -> bool:
        """Remove from the mirror what was removed from the store, once it is replaced."""
        if self._removed_at is not None and now - self._removed_at < _REMOVE_EVERY:
            return False
        self._removed_at = now
        after, removed = "", 0
        while True:
            with self._database.read() as conn:
                found = mirror_rows.gone(conn, after=after)
            for key, is_mirrored in found:
                removed += self._removed(key, is_mirrored=is_mirrored)
            if not found:
                break
            after = found[-1][0]
        removed += self._without_old_backups()
        if removed:
            log.info("removed_from_mirror", objects=removed)
        return False

    def _removed(self, key: str, *, is_mirrored: bool) -> int:
        if self._archive.store.exists(key):
            return 0
        if is_mirrored and not self._is_replaced(key):
            return 0
        try:
            self._mirror.delete(key)
        except LysbroError as error:
            if isinstance(error, Unavailable):
                raise
            log.warning("mirror_keeps", key=key, reason=error.message)  # no right to delete
            return 0
        with self._database.begin() as conn:
            mirror_rows.forget(conn, key)
        return 1

    def _is_replaced(self, key: str) -> bool:
        """Tell whether the mirror has all that is kept of the members of a pack in other packs."""
        try:
            size = self._mirror.size(key)
            notes = PackReader(self._mirror, key, size).directory().notes
        except NotFound:
            return True
        except BrokenPack as error:
            log.warning("mirror_keeps", key=key, reason=str(error))
            return False
        with self._database.read() as conn:
            return all(
                mirror_rows.is_replaced(
                    conn, site=note.site, sop_instance_uid=note.sop_instance_uid
                )
                for note in notes
            )

    def _without_old_backups(self) -> int:
        """Keep as many backups in the mirror as in the store, the newest of the store among them.

        By number and not by what the store lists: a store that was lost must not empty the mirror.
        """
        newest = next(iter(backup.backups(self._archive.store)), None)
        if not self._backups_kept or newest is None:
            return 0
        with self._database.read() as conn:
            if not mirror_rows.is_kept(conn, newest.key):
                return 0
        removed = backup.remove_older(self._mirror, keep=self._backups_kept)
        with self._database.begin() as conn:
            for key in removed:
                mirror_rows.forget(conn, key)
        return len(removed)

    def _pause_after(self, error: Exception, now: datetime) -> None:
        self._pause = min(self._pause * 2 or _FIRST_PAUSE, _LONGEST_PAUSE)
        self._not_before = now + self._pause
        self._proven_at = None
        log.warning("mirroring_failed", reason=getattr(error, "code", ""), message=str(error))
        self._archive.spool.notices.put_up("mirroring", str(error), at=now)


def require_filled(database: Database, mirror: ObjectStore) -> None:
    """Raise Unavailable when a mirror has nothing of what was put there last.

    A disk that is not mounted leaves an empty folder behind, which is not the mirror.
    """
    with database.read() as conn:
        proofs = mirror_rows.newest(conn, _PROOFS)
    if proofs and not any(mirror.exists(key) for key in proofs):
        raise Unavailable(
            f"The mirror {mirror.describe()} has not what was put there. Is it mounted, and the "
            "right one? If it is a new one, say so: `lysbro mirror --again`.",
            code="mirror-differs",
        )


def _as_unavailable(error: Exception) -> Unavailable:
    if isinstance(error, Unavailable):
        return error
    code = error.code if isinstance(error, LysbroError) else "mirror-failed"
    return Unavailable(str(error), code=code)
