"""The one intake behind every door, and the way back out: spool, index and store as one thing.

A durable record of the spool is the promise; its row in the index follows within a second.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from casework.custody import Origin, Receipt
from casework.errors import Invalid, Unavailable
from storage import intents
from storage.checked_reading import CheckedReader
from storage.commit import read_only
from storage.database import Database
from storage.express import Express, remove_stale
from storage.fallback import FallbackStore
from storage.frame_cache import CacheFigures
from storage.frame_reader import Frame, FrameReader
from storage.header import Header
from storage.index_process import IndexProcess
from storage.indexer import Indexer
from storage.intake import Intake
from storage.objects import ObjectStore, is_local
from storage.pace import Pace, drain_s
from storage.part10 import DEFLATED_LE, BytesSource, WalkLimits, peek_identity, read_file_meta
from storage.positions import spooled
from storage.quota_gate import QuotaGate
from storage.reading import OtherSpools, Reader
from storage.records import SpoolRecord
from storage.recovery import RecoveryReport, recover
from storage.restoring import Restorer
from storage.rows import InstanceRow
from storage.segments import Segment
from storage.spool import Durability, Spool, SpoolLimits

__all__ = ["Archive", "Frame", "Intake", "Load", "RecoveryReport", "SpoolLimits", "SpoolStatus"]

_CHUNK = 256 << 10
_HEAD = 1 << 20
_DRAIN_S = 30.0
_STALE = timedelta(hours=1)


@dataclass(frozen=True)
class Load:
    """How much waits here, as cheaply as it can be told."""

    spool_percent: int  # of the spool's limit
    index_backlog: int  # acknowledged by this process and not yet in the index


@dataclass(frozen=True)
class SpoolStatus:
    """How full the spool is, and what in it is not yet in the store."""

    depth_bytes: int
    limit_bytes: int
    instances: int
    oldest_at: datetime | None
    backlog: int = 0  # acknowledged by this process and not yet in the index
    failure: str = ""  # why a process takes nothing in; empty while all is well
    fallback: str = ""  # why `store` durability is `disk` for now; empty while it is not
    orphaned_packs: int = 0  # in the store, and no instance lies in them
    waiting: int = 0  # objects that this process is about to put, before it acknowledges them
    waiting_bytes: int = 0  # of the instances, without what segments hold beside them
    drain_s: float | None = 0.0  # until they are packed, at the pace of the last packs
    packing_failure: str = ""  # why the worker packs nothing for now; empty while it does
    mirroring_failure: str = ""  # why the worker copies nothing to the mirror for now


def utc_now() -> datetime:
    """Return the time, aware and in UTC."""
    return datetime.now(UTC)


class Archive:
    """Takes objects in, keeps the promise, reads them back. One for each process."""

    def __init__(  # noqa: PLR0913 - the parts it is made of, each by its name
        self,
        *,
        data: Path,
        database: Database,
        store: ObjectStore,
        limits: SpoolLimits,
        clock: Callable[[], datetime] = utc_now,
        durability: Durability = "disk",
        walk_limits: WalkLimits | None = None,
        sync: Callable[[Segment], None] = Segment.sync,
        follower: Sequence[str] = (),
        node: str = "",
        others: OtherSpools | None = None,
        quota_warn_percent: int = 80,
        mirror: ObjectStore | None = None,
        require_store: Callable[[], None] = lambda: None,
        frame_cache_bytes: int = 0,
    ) -> None:
        """`follower` is the command of the process that indexes; empty: a thread of this one.

        `node` is the name of this data folder among others; `others` reads from their spools.
        `mirror` is a second store, read where the first one fails.
        `require_store` raises Unavailable when nothing may be put into the store: it is not ours.
        `frame_cache_bytes` bounds what is kept of frames that lie in no file of this machine.
        """
        self.data = data
        self.database = database
        self.store = store
        self.clock = clock
        self.require_store = require_store
        self.walk_limits = walk_limits or WalkLimits()
        self.spool = Spool(
            data / "spool", limits=limits, clock=clock, durability=durability, sync=sync, node=node
        )
        self.mirror = mirror
        self._in_place = Reader(self.spool, store, database, others=others)
        self._reader: Reader | CheckedReader = self._in_place
        self._fallback: FallbackStore | None = None
        if mirror is not None:
            self._fallback = FallbackStore(store, mirror, database, clock=clock)
            self._reader = CheckedReader(self._in_place.over(self._fallback), self._fallback)
        self._frames = FrameReader(
            self._reader,
            self.spool,
            self._fallback or store,
            database,
            is_local=is_local(store),
            walk_limits=self.walk_limits,
            cache_bytes=frame_cache_bytes,
        )
        self._restorer = Restorer(self._reader, self._frames, database)
        self._indexer: Indexer | IndexProcess
        if follower:
            self._indexer = IndexProcess(follower, housekeeping=self.spool.seal_due)
        else:
            self._indexer = Indexer(
                database, node=self.spool.node, clock=clock, housekeeping=self.spool.seal_due
            )
        self._express: Express | None = None
        if durability in ("store", "store-or-disk"):
            self._express = Express(
                self.spool,
                store,
                database,
                folder=data / "express",
                clock=clock,
                walk_limits=self.walk_limits,
                falls_back=durability == "store-or-disk",
                require_store=require_store,
            )
        self.spool.on_seal = self._indexer.note_sealed
        self._quotas = QuotaGate(database, warn_percent=quota_warn_percent)
        self._is_started = False

    def start(self) -> RecoveryReport:
        """Recover what dead processes left in the spool, and begin to index."""
        try:
            report = recover(
                self.spool,
                self.database,
                acknowledged=self._indexer.add,
                walk_limits=self.walk_limits,
            )
        except OSError as error:
            raise Unavailable(
                f"The spool {self.spool.folder} cannot be recovered ({error}). Look at its disk.",
                code="recovery-failed",
            ) from error
        remove_stale(self.data / "express", before=self.clock() - _STALE)
        self._indexer.start()
        self._is_started = True
        return report

    def close(self) -> None:
        """Seal the segments, index what waits, and end the indexer."""
        self._frames.close()
        self.spool.close()
        if self._is_started:
            self._indexer.stop(timeout_s=_DRAIN_S)
            self._is_started = False
        self.spool.let_go()
        if self._fallback is not None:
            self._fallback.close()

    def begin(
        self,
        origin: Origin,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        is_promised: bool = False,
        require: Callable[[Header], None] | None = None,
    ) -> Intake:
        """Begin to take one object in; raises NoRoom before anything is read when there is none.

        What is promised already is taken past its site's quota. `require` sees the header of an
        object that is whole, before it is kept, and raises when it is not wanted.
        """
        if not self._is_started:
            raise Unavailable("The archive takes nothing in: it is not started.", code="closing")
        self._indexer.require_capacity()
        if not is_promised:
            self._quotas.admit(origin)
        if self._express is not None:
            self._express.admit()
        return Intake(
            self.spool,
            origin,
            sop_class_uid=sop_class_uid,
            sop_instance_uid=sop_instance_uid,
            transfer_syntax_uid=transfer_syntax_uid,
            walk_limits=self.walk_limits,
            acknowledged=self._acknowledged,
            keep=None if self._express is None else self._express.keep,
            require=require,
        )

    def receive(
        self,
        dataset: bytes | BinaryIO,
        origin: Origin,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
    ) -> Receipt:
        """Take a data set in whole and return the promise."""
        with self.begin(
            origin,
            sop_class_uid=sop_class_uid,
            sop_instance_uid=sop_instance_uid,
            transfer_syntax_uid=transfer_syntax_uid,
        ) as intake:
            if isinstance(dataset, bytes):
                intake.write(dataset)
            else:
                _pour(dataset, intake)
            return intake.commit()

    def receive_part10(
        self, source: bytes | Path | BinaryIO, origin: Origin, *, is_promised: bool = False
    ) -> Receipt:
        """Take a Part 10 file in; the data set says which object it is, its preamble is dropped."""
        if isinstance(source, Path):
            try:
                with source.open("rb") as stream:
                    return self._receive_stream(stream, origin, is_promised)
            except OSError as error:
                raise Invalid(
                    f"The file {source} cannot be read ({error.strerror}).", code="unreadable"
                ) from error
        return self._receive_stream(
            io.BytesIO(source) if isinstance(source, bytes) else source, origin, is_promised
        )

    def settle(self, *, timeout_s: float = 10) -> None:
        """Wait until all that this process has acknowledged is in the index."""
        self._indexer.settle(timeout_s=timeout_s)

    def open_part10(self, ref: InstanceRow) -> BinaryIO:
        """Open the Part 10 file of an instance as a stream."""
        return self._restorer.open_part10(ref)

    def open_as_received(self, ref: InstanceRow) -> BinaryIO:
        """Open the Part 10 file of an instance as it was received, in its `restored_syntax`."""
        return self._restorer.open_as_received(ref)

    def open_dataset_as_received(self, ref: InstanceRow) -> BinaryIO:
        """Open the data set of an instance as it was received, in its `restored_syntax`."""
        return self._restorer.open_dataset_as_received(ref)

    def open_each(
        self,
        refs: Sequence[InstanceRow],
        *,
        as_received: Callable[[InstanceRow], bool] = lambda _: False,
    ) -> Iterator[BinaryIO]:
        """Open Part 10 files one after the other, with few requests to a distant store.

        Each is closed before the next is asked for. `as_received` says of which the form is wanted
        in which they came.
        """
        return self._restorer.open_each(refs, as_received=as_received)

    def open_in_place(self, ref: InstanceRow) -> BinaryIO:
        """Open the Part 10 file of an instance where its row says that it lies, no copy of it."""
        return self._in_place.open_part10(ref, copies_too=False)

    def read_part10(self, ref: InstanceRow) -> bytes:
        """Return the Part 10 file of an instance."""
        return self._restorer.read(ref, 0, ref.location.length)

    def read_stretch(self, ref: InstanceRow, offset: int, length: int) -> bytes:
        """Return a stretch of the Part 10 file of an instance; it is whole or Unavailable."""
        return self._restorer.read(ref, offset, length)

    def read_dataset(self, ref: InstanceRow) -> bytes:
        """Return the data set of an instance as its row describes it."""
        return self._restorer.read(ref, ref.location.dataset_offset, ref.size_bytes)

    def read_in_place(self, ref: InstanceRow, offset: int, length: int) -> bytes:
        """Return a stretch of the Part 10 file of an instance, as its row describes it."""
        return self._restorer.read(ref, offset, length)

    def read_frame(self, ref: InstanceRow, frame: int) -> Frame:
        """Return one frame of an instance, counted from 1, as it is kept."""
        return self._restorer.read_frame(ref, frame)

    def native_frame(self, ref: InstanceRow, frame: int) -> Frame:
        """Return one frame of an instance, counted from 1, as it was received."""
        return self._restorer.native_frame(ref, frame)

    def frame_figures(self) -> CacheFigures:
        """Return what the cache of frames of this process has done."""
        return self._frames.figures()

    def load(self) -> Load:
        """Return how much waits in the spool and for the index; asks no database."""
        percent = 100 * self.spool.depth_bytes() // self.spool.limits.spool_bytes
        return Load(percent, self._indexer.backlog)

    def spool_status(self) -> SpoolStatus:
        """Return how full the spool is, and what any process on this data folder has to tell."""
        told = {n.kind: n.reason for n in reversed(self.spool.notices.standing())}
        with self.database.read() as conn:
            count, waiting_bytes, oldest_at = spooled(conn, node=self.spool.node)
            orphaned = intents.count_orphaned(conn)
        return SpoolStatus(
            depth_bytes=self.spool.depth_bytes(),
            limit_bytes=self.spool.limits.spool_bytes,
            instances=count,
            oldest_at=oldest_at,
            backlog=self._indexer.backlog,
            failure=self.spool.failure or told.get("read-only", ""),
            fallback=told.get("fallback", ""),
            orphaned_packs=orphaned,
            waiting=0 if self._express is None else self._express.waiting,
            waiting_bytes=waiting_bytes,
            drain_s=drain_s(waiting_bytes, Pace(self.data).trips()),
            packing_failure=told.get("packing", ""),
            mirroring_failure=told.get("mirroring", ""),
        )

    def require_sound(self) -> None:
        """Raise Unavailable when the index does not answer, or when something takes nothing in."""
        failure = self.spool_status().failure
        if failure:
            raise read_only(failure)

    def _acknowledged(self, record: SpoolRecord) -> None:
        self._indexer.add(record)
        self._quotas.took(record.origin.site, record.length)

    def _receive_stream(self, stream: BinaryIO, origin: Origin, is_promised: bool) -> Receipt:
        head = _read_up_to(stream, _HEAD)
        meta = read_file_meta(BytesSource(head))
        if meta.transfer_syntax_uid == DEFLATED_LE:
            head += _read_up_to(stream, self.walk_limits.inflate_bytes)
        sop_class_uid, sop_instance_uid = self._identity(
            head[meta.dataset_offset :], meta.transfer_syntax_uid
        )
        with self.begin(
            origin,
            sop_class_uid=sop_class_uid or _required(meta.sop_class_uid, "SOP Class UID"),
            sop_instance_uid=sop_instance_uid
            or _required(meta.sop_instance_uid, "SOP Instance UID"),
            transfer_syntax_uid=meta.transfer_syntax_uid,
            is_promised=is_promised,
        ) as intake:
            intake.write(memoryview(head)[meta.dataset_offset :])
            _pour(stream, intake)
            return intake.commit()

    def _identity(self, dataset: bytes, transfer_syntax_uid: str) -> tuple[str, str]:
        try:
            return peek_identity(
                BytesSource(dataset),
                transfer_syntax_uid=transfer_syntax_uid,
                limits=self.walk_limits,
            )
        except Invalid:
            return "", ""  # the walk over the whole object says what is wrong with it


def _pour(stream: BinaryIO, intake: Intake) -> None:
    while chunk := stream.read(_CHUNK):
        intake.write(chunk)


def _read_up_to(stream: BinaryIO, length: int) -> bytes:
    """Return the next bytes of a stream, fewer only at its end: one read may give fewer."""
    parts: list[bytes] = []
    while length > 0 and (chunk := stream.read(length)):
        parts.append(chunk)
        length -= len(chunk)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _required(uid: str, name: str) -> str:
    if not uid:
        raise Invalid(f"The file has no {name}. It cannot be kept.", code="uid-missing")
    return uid
