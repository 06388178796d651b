"""Reads single frames: from a disk of this machine as they lie, from elsewhere through the cache.

What the system keeps of a local file in memory serves all processes, so it is not kept twice.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

import structlog
from sqlalchemy.exc import SQLAlchemyError

from casework.errors import LysbroError
from storage import read_ahead
from storage.checked_reading import CheckedReader
from storage.database import Database
from storage.exact import read_fully
from storage.frame_cache import CacheFigures, FrameCache
from storage.frames import Cut, cut_of
from storage.objects import ObjectStore
from storage.part10 import DEFLATED_LE, BytesSource, WalkLimits, plain_source
from storage.read_ahead import Pace, Placed
from storage.reading import Reader
from storage.rows import InstanceRow
from storage.spool import Spool

log = structlog.get_logger()

_STREAMS = 4  # reads that go on behind a frame that has been given, at one time


@dataclass(frozen=True)
class Frame:
    """The bytes of one frame as they are kept, and the transfer syntax that they are in."""

    data: bytes
    transfer_syntax_uid: str


class FrameReader:
    """Gives the frames of instances, wherever they lie."""

    def __init__(
        self,
        reader: Reader | CheckedReader,
        spool: Spool,
        store: ObjectStore,
        database: Database,
        *,
        is_local: bool,
        walk_limits: WalkLimits,
        cache_bytes: int,
    ) -> None:
        self._reader = reader
        self._spool = spool
        self._store = store
        self._is_local = is_local
        self._database = database
        self._walk_limits = walk_limits
        self._cache = FrameCache(cache_bytes)
        self._ahead_bytes = min(read_ahead.MOST_BYTES, cache_bytes // 2)
        self._pace = Pace()
        self._idle = threading.Semaphore(_STREAMS)
        self._streams: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def read(self, ref: InstanceRow, frame: int) -> Frame:
        """Return one frame, counted from 1, as it is kept."""
        cut = cut_of(ref.pixel, ref.attributes, frame)
        if ref.transfer_syntax_uid == DEFLATED_LE:
            data = cut.frame_of(self._inflated(ref, cut))
        elif self._lies_here(ref):
            data = self._read(ref, cut)
        else:
            data = self._cache.get(
                (ref.bytes_sha256, frame), lambda: self._from_elsewhere(ref, frame, cut)
            )
        return Frame(data, ref.transfer_syntax_uid)

    def figures(self) -> CacheFigures:
        """Return what the cache has done."""
        return self._cache.figures()

    def close(self) -> None:
        """Let the reads that go on come to their end."""
        with self._lock:
            streams, self._streams = self._streams, None
        if streams is not None:
            streams.shutdown(wait=True)

    def _lies_here(self, ref: InstanceRow) -> bool:
        at = ref.location
        return self._spool.has(at.container) if at.in_spool else self._is_local

    def _read(self, ref: InstanceRow, cut: Cut) -> bytes:
        offset = ref.location.dataset_offset + cut.offset
        return cut.frame_of(self._reader.read(ref, offset, cut.length))

    def _inflated(self, ref: InstanceRow, cut: Cut) -> bytes:
        content = plain_source(
            BytesSource(self._reader.read_dataset(ref)),
            transfer_syntax_uid=ref.transfer_syntax_uid,
            limits=self._walk_limits,
        )
        return read_fully(
            BytesIO(content.read_at(cut.offset, cut.length)), cut.length, ref.sop_instance_uid
        )

    def _from_elsewhere(self, ref: InstanceRow, frame: int, cut: Cut) -> bytes:
        is_alone = ref.location.in_spool or not self._ahead_bytes or self._reader.hashes(ref)
        if is_alone or not self._idle.acquire(blocking=False):
            return self._read(ref, cut)
        goes_on = False
        try:
            first = read_ahead.placed(ref, frame)
            run = self._run(ref, frame, first)
            if not run:
                return self._read(ref, cut)
            stream = self._open(ref, first, run)
            try:
                data = cut.frame_of(read_fully(stream, cut.length, ref.location.container))
                self._pool().submit(self._go_on, ref, stream, first.end, run)
                goes_on = True
            finally:
                if not goes_on:
                    stream.close()
                    self._cache.give_up([one.key for one in run])
            return data
        finally:
            if not goes_on:
                self._idle.release()

    def _run(self, ref: InstanceRow, frame: int, first: Placed) -> list[Placed]:
        """Return what is to be read behind a frame, claimed in the cache."""
        container = ref.location.container
        count = self._pace.frames_for(container, first.offset)
        try:
            with self._database.read() as conn:
                others = read_ahead.following(conn, ref, frame, count)
        except (SQLAlchemyError, LysbroError) as error:  # the frame itself can be read all the same
            log.warning("not read ahead", container=container, reason=type(error).__name__)
            return []
        run = read_ahead.run_behind(first, others, most_bytes=self._ahead_bytes)
        claimed = self._cache.claim(one.key for one in run)
        kept = next((n for n, one in enumerate(run) if one.key not in claimed), len(run))
        self._cache.give_up([one.key for one in run[kept:] if one.key in claimed])
        if run[:kept]:
            self._pace.read_to(container, run[kept - 1].end)
        return run[:kept]

    def _open(self, ref: InstanceRow, first: Placed, run: Sequence[Placed]) -> BinaryIO:
        try:
            return self._store.open_range(
                ref.location.container, first.offset, run[-1].end - first.offset
            )
        except BaseException:
            self._cache.give_up([one.key for one in run])
            raise

    def _go_on(self, ref: InstanceRow, stream: BinaryIO, at: int, run: Sequence[Placed]) -> None:
        """Read the rest of a stream into the cache; the boundary of a thread."""
        container = ref.location.container
        left = list(run)
        try:
            with stream:
                while left:
                    one = left[0]
                    read_fully(stream, one.offset - at, container)
                    data = one.cut.frame_of(read_fully(stream, one.cut.length, container))
                    self._cache.give(left.pop(0).key, data)
                    at = one.end
        except Exception as error:  # noqa: BLE001 - whoever waits reads for himself, and is told
            log.warning("read-ahead ended", container=container, reason=type(error).__name__)
        finally:
            with suppress(Exception):
                self._cache.give_up([one.key for one in left])
            self._idle.release()

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._streams is None:
                self._streams = ThreadPoolExecutor(_STREAMS, "read-ahead")
            return self._streams
