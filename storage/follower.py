"""Follows a journal that another process writes: reads what it says is durable, and indexes it.

The process that receives answers at once and never waits for the database or for the interpreter
lock; this one, beside it, derives the rows from the records as a start would. It hears of segments
on standard input, says on standard output how far each is indexed, and ends when its input ends.

    > 20261127t101500-abc.seg 73728 1764238500000000     durable up to there, since then (µs)
    > 20261127t101500-abc.seg 80000 sealed
    < 20261127t101500-abc.seg 73728
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import structlog

from casework.errors import Unavailable
from storage.database import Database
from storage.derived import header_of, record_of
from storage.indexer import Indexer
from storage.journal import SEGMENT_HEADER_BYTES, Entry, Erased, Part, scan
from storage.positions import positions
from storage.segments import read_segment_header
from storage.walker import WalkLimits

log = structlog.get_logger()

SEALED, UNSYNCED = "sealed", "-"
_DRAIN_S = 30.0


def follow(
    spool: Path,
    database: Database,
    *,
    node: str,
    clock: Callable[[], datetime],
    told: BinaryIO,
    tell: Callable[[str, int], None],
    walk_limits: WalkLimits | None = None,
) -> None:
    """Index what `told` announces line by line until it ends; `tell` is given what is committed."""

    def indexed(through: Mapping[str, int]) -> None:
        for segment, end in through.items():
            tell(segment, end)

    indexer = Indexer(database, node=node, clock=clock, housekeeping=_nothing, on_indexed=indexed)
    indexer.start()
    follower = _Follower(spool, database, indexer, walk_limits or WalkLimits())
    try:
        for line in told:
            segment, end, note = line.decode().split()
            if note == SEALED:
                follower.hear_sealed(segment, int(end))
            else:
                follower.hear(segment, int(end), synced_at=_time(note))
    finally:
        indexer.stop(timeout_s=_DRAIN_S)


class _Follower:
    """How far each segment has been read."""

    def __init__(
        self, spool: Path, database: Database, indexer: Indexer, walk_limits: WalkLimits
    ) -> None:
        self._spool = spool
        self._database = database
        self._indexer = indexer
        self._walk_limits = walk_limits
        self._open: dict[str, tuple[int, bytes, int]] = {}  # descriptor, nonce, read through

    def hear(self, segment: str, end: int, *, synced_at: datetime | None) -> None:
        """Read a segment up to where it is durable, which it is since `synced_at` at the latest."""
        descriptor, nonce, through = self._open.get(segment) or self._begin(segment)
        if end > through:
            for part in scan(descriptor, nonce=nonce, size=end, start=through):
                self._take(descriptor, segment, part, synced_at)
            self._open[segment] = (descriptor, nonce, end)

    def hear_sealed(self, segment: str, end: int) -> None:
        """Pass on that a segment is whole; nothing more of it will be read."""
        self._indexer.note_sealed(segment, end)
        descriptor, _, _ = self._open.pop(segment, (-1, b"", 0))
        if descriptor >= 0:
            os.close(descriptor)

    def _begin(self, segment: str) -> tuple[int, bytes, int]:
        descriptor = os.open(self._spool / segment, os.O_RDONLY | os.O_CLOEXEC)
        header = read_segment_header(descriptor)
        if header is None:
            os.close(descriptor)
            raise Unavailable(f"The segment {segment} has no header.", code="segment-unreadable")
        with self._database.read() as conn:
            known = positions(conn).get(segment)
        through = SEGMENT_HEADER_BYTES if known is None else known.indexed_through
        self._open[segment] = (descriptor, header.nonce, max(through, SEGMENT_HEADER_BYTES))
        return self._open[segment]

    def _take(self, descriptor: int, segment: str, part: Part, synced_at: datetime | None) -> None:
        if isinstance(part, Erased):
            return
        if not isinstance(part, Entry):
            log.error("record_unreadable", segment=segment, offset=part.offset)
            return
        header = header_of(descriptor, part, self._walk_limits)
        if header is not None:
            record = record_of(part, header, segment, synced_at=synced_at, adopted=False)
            self._indexer.add(record)


def _time(note: str) -> datetime | None:
    return None if note == UNSYNCED else datetime.fromtimestamp(int(note) / 1e6, UTC)


def _nothing() -> None:
    """Seal nothing: the process that writes the segments does."""
