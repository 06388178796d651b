"""Restores the index and the newest casebook from the store alone; may be stopped and goes on.

The casebook first, then the packs by their own account, study by study in the order in which they
came, then what only the backup knew of the index. Headers are walked again; whole objects are not
hashed, which is what verifying does. A pack that cannot be read is named and passed over. Deletes
nothing in the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Protocol, TypeVar

import structlog

from casework.errors import Conflict, Unavailable
from storage import backup as keeping
from storage import copies, rebuild_marks
from storage import rebuild_steps as steps
from storage.archive import Archive
from storage.backup_file import BackupReader
from storage.belonging import require_known_format
from storage.mover import packing_folder, packing_lock
from storage.packs import sha256_of_key
from storage.photo_aside import hide_again
from storage.rebuild_graves import Graves
from storage.rebuild_index import register_found, settle_headless
from storage.rebuild_reading import PacksInStore, StudyInPacks
from storage.rebuild_states import FoundInstance, Mark, ObjectKey
from storage.rebuild_steps import Run
from storage.restore import is_empty, require_known, restore_casebook

log = structlog.get_logger()

_AT_ONCE = 500
_READERS = 4
_LISTED_AT_ONCE = 100

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class RebuildReport:
    """What a rebuild found and made. Names are for an operator."""

    casebook: str = ""  # restored | left | none
    backup: str = ""
    backup_at: datetime | None = None
    studies: int = 0
    instances: int = 0
    registered: int = 0  # of the instances, by this call
    conflicts: int = 0
    packs: int = 0
    broken: tuple[str, ...] = ()  # packs that say nothing, and members that are not what they were
    lost: tuple[str, ...] = ()  # packs that the backup knew and the store has not
    unreadable_backups: tuple[str, ...] = ()
    erased: int = 0  # objects of packs that were erased once: left out, and to be erased again

    @property
    def is_whole(self) -> bool:
        """Tell whether all that the store holds, and all that the backup knew, is back."""
        return not self.broken and not self.lost


class Progress(Protocol):
    """Hears how far a rebuild is."""

    def __call__(self, *, done: int, total: int) -> None:
        """Hear that `done` of `total` instances are in the index."""
        ...


@dataclass
class _Knowledge:
    """What is known of studies and conflicts while instances are registered."""

    studies: frozenset[tuple[str, str]]  # of which the casebook has heard
    until: datetime | None = None  # and until when; None: of all that there is
    marks: dict[ObjectKey, Mark] = field(default_factory=dict)

    def is_news(self, found: FoundInstance) -> bool:
        """Tell whether the casebook has not heard of an instance."""
        if (found.site, found.header.study_uid) not in self.studies:
            return True
        return self.until is not None and found.received_at > self.until


def rebuild(
    archive: Archive,
    *,
    backup_key: str | None = None,
    into_existing: bool = False,
    progress: Progress | None = None,
) -> RebuildReport:
    """Rebuild this database from the store; a rebuild that was stopped goes on."""
    with packing_lock(archive.data, wait=False) as is_ours:
        if not is_ours:
            raise Unavailable(
                f"Another process packs or rebuilds in {archive.data}. Stop `lysbro serve` first.",
                code="packing-elsewhere",
            )
        return _Rebuild(archive, progress).run(backup_key, into_existing=into_existing)


class _Rebuild:
    def __init__(self, archive: Archive, progress: Progress | None) -> None:
        self._archive = archive
        self._database = archive.database
        self._store = archive.store
        self._packs = PacksInStore(archive)
        self._progress = progress
        self._done = self._total = 0
        self._registered = 0
        self._bad_members: list[str] = []
        self._unreadable: list[str] = []
        self._graves = Graves(archive)

    def run(self, backup_key: str | None, *, into_existing: bool) -> RebuildReport:
        require_known_format(self._store)
        run = self._begun(backup_key, into_existing=into_existing)
        with self._database.begin() as conn:
            self._graves.keep_shut(conn, backup_at=run.backup_at, casebook=run.casebook)
        self._list_packs()
        with self._backup(run) as backup:
            self._register_all(self._knowledge(run, backup))
            with self._database.begin() as conn:
                settle_headless(conn, now=self._archive.clock())
                hide_again(conn, now=self._archive.clock())
            if backup is not None:
                rebuild_marks.custody_lines(self._database, backup)
                rebuild_marks.study_marks(self._database, backup)
        return self._ended(run)

    def _begun(self, backup_key: str | None, *, into_existing: bool) -> Run:
        with self._database.read() as conn:
            run = steps.run_under_way(conn)
            if run is not None:
                log.info("rebuild_goes_on", backup=run.backup_key)
                return run
            if steps.has_instances(conn) and not into_existing:
                raise Conflict(
                    "The index has instances in it already, and nothing was changed. Rebuild into "
                    "an empty database, or say --into-existing to add what it lacks.",
                    code="not-empty",
                )
            empty = is_empty(conn)
        now = self._archive.clock()
        with self._chosen(backup_key) as backup, self._database.begin() as conn:
            if backup is None:
                casebook = steps.NONE if empty else steps.LEFT
                return steps.begin(conn, backup_key="", backup_at=None, casebook=casebook, now=now)
            key, reader = backup
            if empty:
                rows = restore_casebook(conn, reader)
                log.info("casebook_restored", backup=key, rows=rows)
            rebuild_marks.pack_rows(conn, reader)
            return steps.begin(
                conn,
                backup_key=key,
                backup_at=reader.manifest.at,
                casebook=steps.RESTORED if empty else steps.LEFT,
                now=now,
            )

    @contextmanager
    def _chosen(self, key: str | None) -> Iterator[tuple[str, BackupReader] | None]:
        """Give the backup that was asked for, else the newest that can be read, if there is one."""
        folder = packing_folder(self._archive.data)
        if key is not None:
            with keeping.opened(self._store, key, folder) as reader:
                require_known(reader.manifest)
                yield key, reader
            return
        for kept in keeping.backups(self._store):
            try:
                opening = keeping.opened(self._store, kept.key, folder)
                reader = opening.__enter__()
            except Unavailable as error:
                if error.code != "backup-unreadable":
                    raise
                self._unreadable.append(kept.key)
                log.error("backup_unreadable", key=kept.key, message=error.message)
                continue
            try:
                require_known(reader.manifest)
                yield kept.key, reader
            finally:
                opening.__exit__(None, None, None)
            return
        yield None

    @contextmanager
    def _backup(self, run: Run) -> Iterator[BackupReader | None]:
        if not run.backup_key:
            yield None
            return
        folder = packing_folder(self._archive.data)
        with keeping.opened(self._store, run.backup_key, folder) as reader:
            yield reader

    def _knowledge(self, run: Run, backup: BackupReader | None) -> _Knowledge:
        with self._database.read() as conn:
            studies = rebuild_marks.studies_with_case(conn)
        if backup is None:
            return _Knowledge(studies)
        marks = rebuild_marks.conflict_marks(backup)
        if run.casebook != steps.RESTORED:
            return _Knowledge(studies, marks=marks)
        return _Knowledge(rebuild_marks.known_studies(backup), run.backup_at, marks)

    def _list_packs(self) -> None:
        """Look at what every pack of the store says of itself, but those looked at before."""
        listing = (o for o in self._store.list("v1/") if sha256_of_key(o.key))
        with ThreadPoolExecutor(_READERS) as pool:
            while some := list(islice(listing, _LISTED_AT_ONCE)):
                with self._database.read() as conn:
                    known = steps.seen(conn, [o.key for o in some])
                new = [o for o in some if o.key not in known]
                found = list(pool.map(self._packs.look_at, new))
                with self._database.begin() as conn:
                    steps.note_packs(conn, found)

    def _register_all(self, knowledge: _Knowledge) -> None:
        with self._database.read() as conn:
            left = steps.studies_left(conn)
            self._done, self._total = steps.counts(conn)
        self._tell()
        with ThreadPoolExecutor(_READERS) as pool:
            for read in _ahead(pool, self._packs.read_study, left):
                self._register_study(read, knowledge)

    def _register_study(self, read: StudyInPacks, knowledge: _Knowledge) -> None:
        self._graves.leave_out(read)
        found = sorted(read.found.values(), key=lambda f: (f.received_at, f.key))
        whole = [pack for pack in read.packs if pack.key not in read.broken]
        now = self._archive.clock()
        done = self._done + sum(pack.instance_count for pack in read.packs)
        for start in range(0, len(found), _AT_ONCE):
            with self._database.begin() as conn:
                self._registered += register_found(
                    conn,
                    found[start : start + _AT_ONCE],
                    marks=knowledge.marks,
                    is_news=knowledge.is_news,
                    now=now,
                )
            self._done += min(_AT_ONCE, len(found) - start)
            self._tell()
        with self._database.begin() as conn:
            steps.keep_packs(conn, whole, now=now)
            spare = steps.unused(conn, [pack.key for pack in whole])
            steps.forget_packs(conn, sorted(spare))
            for key in sorted(spare):
                copies.note(conn, read.places[key], now=now)
            steps.mark_done(conn, [pack.key for pack in whole])
            steps.mark_broken(conn, read.broken)
        self._bad_members += read.bad_members
        self._done = done
        self._tell()

    def _ended(self, run: Run) -> RebuildReport:
        with self._database.begin() as conn:
            broken = [f"pack {key}: {why}" for key, why in steps.broken(conn).items()]
            gone = steps.packs_not_listed(conn)
            lost = sorted(set(gone) - rebuild_marks.merged_into_others(conn, gone))
            steps.forget_packs(conn, gone)
            count, instances, conflicts = rebuild_marks.count_of(conn)
            packs = steps.count_packs(conn)
            steps.finish(conn, run, now=self._archive.clock())
        report = RebuildReport(
            casebook=run.casebook,
            backup=run.backup_key,
            backup_at=run.backup_at,
            studies=count,
            instances=instances,
            registered=self._registered,
            conflicts=conflicts,
            packs=packs,
            broken=(*broken, *self._bad_members),
            lost=tuple(lost),
            unreadable_backups=tuple(self._unreadable),
            erased=self._graves.left_out,
        )
        log.info(
            "rebuilt",
            instances=report.instances,
            packs=report.packs,
            broken=len(report.broken),
            lost=len(report.lost),
            casebook=report.casebook,
        )
        return report

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(done=min(self._done, self._total), total=self._total)


def _ahead(
    pool: ThreadPoolExecutor, work: Callable[[_Item], _Result], items: Sequence[_Item]
) -> Iterator[_Result]:
    """Yield the results in order, while a few of the next are worked on."""
    waiting = [pool.submit(work, item) for item in items[:_READERS]]
    for i in range(len(items)):
        done = waiting.pop(0)
        if i + _READERS < len(items):
            waiting.append(pool.submit(work, items[i + _READERS]))
        yield done.result()
