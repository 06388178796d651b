"""The durability `store`: puts what has just been synced as small packs, before it is answered.

The first to wait leads: what has come meanwhile is put at once, one pack for each series among it.
Each pack is read back and its members' places are committed before anyone is told. What fails here
stays in the spool and is not acknowledged; nothing in this module takes an object in.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import structlog
from sqlalchemy.exc import SQLAlchemyError

from casework.errors import LysbroError, Unavailable
from storage import copies, intents
from storage.database import Database
from storage.disk import open_stretch
from storage.notices import Notices
from storage.objects import ObjectStore, sha256_of_object
from storage.packs import BuiltPack
from storage.records import SpoolRecord
from storage.rows import InstanceRow
from storage.small_packs import Series, build_small_pack, copies_in, key_of, series_of
from storage.spool import Spool
from storage.walker import WalkLimits

log = structlog.get_logger()

ALONE_BYTES = 16 << 20
"""A larger object is put by itself beside the others, who would wait for it in vain."""

_FIRST_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(minutes=1)


@dataclass(eq=False)
class _Waiter:
    """A record whose sender waits."""

    record: SpoolRecord
    is_done: bool = False
    failure: Unavailable | None = None


class Express:
    """Keeps records in the store at once; one for each process."""

    def __init__(
        self,
        spool: Spool,
        store: ObjectStore,
        database: Database,
        *,
        folder: Path,
        clock: Callable[[], datetime],
        walk_limits: WalkLimits,
        falls_back: bool,
        require_store: Callable[[], None] = lambda: None,
    ) -> None:
        self._spool = spool
        self._store = store
        self._database = database
        self._require_store = require_store
        self._folder = folder
        self._clock = clock
        self._walk_limits = walk_limits
        self._falls_back = falls_back
        self._notices: Notices = spool.notices
        self._condition = threading.Condition()
        self._waiting: list[_Waiter] = []
        self._is_leading = False
        self._failure: Unavailable | None = None
        self._pause = timedelta(0)
        self._not_before: datetime | None = None

    @property
    def waiting(self) -> int:
        """Return how many objects wait for their turn to be put."""
        with self._condition:
            return len(self._waiting)

    def admit(self) -> None:
        """Raise Unavailable for a while after a failure: each try leaves a record in the spool."""
        failure = self._failure_of_late()
        if failure is not None and not self._falls_back:
            raise _afresh(failure)

    def keep(self, record: SpoolRecord) -> None:
        """Return when the store has the object, or, where that is allowed, the spool alone."""
        if self._falls_back and self._failure_of_late() is not None:
            return
        try:
            if record.length > ALONE_BYTES:
                self._put_alone(record)
            else:
                self._join(record)
        except Unavailable as error:
            self._failed(error)
            if not self._falls_back:
                raise
        else:
            self._succeeded()

    def _put_alone(self, record: SpoolRecord) -> None:
        failure = self._put([record]).get(series_of(record))
        if failure is not None:
            raise failure

    def _join(self, record: SpoolRecord) -> None:
        waiter = _Waiter(record)
        with self._condition:
            self._waiting.append(waiter)
            while self._is_leading and not waiter.is_done:
                self._condition.wait()
            batch: list[_Waiter] = []
            if not waiter.is_done:
                self._is_leading = True
                batch, self._waiting = self._waiting, []
        if batch:
            self._lead(batch)
        if waiter.failure is not None:
            raise _afresh(waiter.failure)

    def _lead(self, batch: Sequence[_Waiter]) -> None:
        failures: dict[Series, Unavailable] | None = None
        try:
            failures = self._put([waiter.record for waiter in batch])
        finally:
            with self._condition:
                for waiter in batch:
                    waiter.is_done = True
                    waiter.failure = (
                        _interrupted()
                        if failures is None
                        else failures.get(series_of(waiter.record))
                    )
                self._is_leading = False
                self._condition.notify_all()

    def _put(self, records: Sequence[SpoolRecord]) -> dict[Series, Unavailable]:
        """Put records that are not in the store yet, and return what failed of which series."""
        failures: dict[Series, Unavailable] = {}
        built: dict[Series, BuiltPack] = {}
        try:
            with _as_unavailable():
                groups = self._groups(records)
            for series, group in groups.items():
                with _noting(failures, series):
                    built[series] = build_small_pack(
                        self._folder,
                        series,
                        group,
                        open_part10=self._open_part10,
                        limits=self._walk_limits,
                    )
            with _as_unavailable():
                self._intend(built)
            for series, pack in built.items():
                with _noting(failures, series):
                    self._put_and_read_back(pack)
            with _as_unavailable():
                self._note({s: pack for s, pack in built.items() if s not in failures})
        except Unavailable as error:
            return {series_of(record): error for record in records}
        finally:
            for pack in built.values():
                pack.path.unlink(missing_ok=True)
        return failures

    def _groups(self, records: Sequence[SpoolRecord]) -> dict[Series, list[SpoolRecord]]:
        with self._database.read() as conn:
            stored = copies.already_stored(conn, [key_of(record) for record in records])
        groups: dict[Series, list[SpoolRecord]] = defaultdict(list)
        taken: set[copies.ObjectKey] = set(stored)
        for record in records:
            if key_of(record) not in taken:
                taken.add(key_of(record))
                groups[series_of(record)].append(record)
        return groups

    def _open_part10(self, instance: InstanceRow) -> BinaryIO:
        where = instance.location
        return open_stretch(self._spool.open(where.container), where.offset, where.length)

    def _intend(self, built: dict[Series, BuiltPack]) -> None:
        if not built:
            return
        planned = [intents.Intent(pack.key, intents.COPY, *s) for s, pack in built.items()]
        with self._database.begin() as conn:
            intents.intend(conn, planned, node=self._spool.node, now=self._clock())

    def _put_and_read_back(self, pack: BuiltPack) -> None:
        self._require_store()
        self._store.put(pack.key, pack.path, sha256=pack.sha256)
        if sha256_of_object(self._store, pack.key) != pack.sha256:
            raise Unavailable(
                f"The store gives other bytes back for {pack.key} than were put. "
                "Nothing was acknowledged; look at the store.",
                code="store-differs",
            )

    def _note(self, put: dict[Series, BuiltPack]) -> None:
        if not put:
            return
        with self._database.begin() as conn:
            copies.note(
                conn, [copy for pack in put.values() for copy in copies_in(pack)], now=self._clock()
            )
            intents.fulfilled(conn, [pack.key for pack in put.values()])

    def _failure_of_late(self) -> Unavailable | None:
        with self._condition:
            is_over = self._not_before is None or self._clock() >= self._not_before
            return None if is_over else self._failure

    def _failed(self, error: Unavailable) -> None:
        with self._condition:
            if self._not_before is not None and self._clock() < self._not_before:
                return  # another of the same moment has told it
            self._failure = error
            self._pause = min(self._pause * 2 or _FIRST_PAUSE, _LONGEST_PAUSE)
            self._not_before = self._clock() + self._pause
        log.warning("store_not_reached", reason=error.code, message=error.message)
        if self._falls_back:
            self._notices.put_up("fallback", error.message, at=self._clock())

    def _succeeded(self) -> None:
        with self._condition:
            was_failing = self._failure is not None
            self._failure, self._not_before, self._pause = None, None, timedelta(0)
        if was_failing:
            log.info("store_reached_again")
            self._notices.take_down("fallback")


def remove_stale(folder: Path, *, before: datetime) -> int:
    """Remove packs that a process left behind when it died; younger ones may be under way."""
    removed = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.stat().st_mtime < before.timestamp():
            path.unlink(missing_ok=True)
            removed += 1
    return removed


@contextmanager
def _as_unavailable() -> Iterator[None]:
    """Turn whatever the store, the database or the disk says into one error for the sender."""
    try:
        yield
    except Unavailable:
        raise
    except LysbroError as error:
        raise Unavailable(error.message, code=error.code) from error
    except SQLAlchemyError as error:
        raise Unavailable(
            "The database does not take the place of the object, so it is not acknowledged. "
            "Look at the database.",
            code="database-failed",
        ) from error
    except OSError as error:
        raise Unavailable(
            f"The object cannot be packed for the store ({error.strerror or error}). "
            "Look at the disk of the data folder.",
            code="packing-failed",
        ) from error


@contextmanager
def _noting(failures: dict[Series, Unavailable], series: Series) -> Iterator[None]:
    """Note what fails of one series; the others go on."""
    try:
        with _as_unavailable():
            yield
    except Unavailable as error:
        failures[series] = error


def _afresh(error: Unavailable) -> Unavailable:
    """Return the same error for another thread: one that is raised twice mixes its traces."""
    return type(error)(error.message, code=error.code)


def _interrupted() -> Unavailable:
    return Unavailable("Keeping the object in the store was interrupted. Send again.", code="store")
