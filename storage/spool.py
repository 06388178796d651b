"""The spool: admits objects, lends segments to intakes, seals them, reads from them.

What its journal holds is promised; the index follows. Knows nothing of the index.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import structlog

from casework.errors import NoRoom, NotFound, Unavailable
from storage.commit import GroupCommit, read_only
from storage.disk import free_bytes, is_out_of_room, sync_folder
from storage.notices import Notices
from storage.segments import LONGEST_ROOM_BYTES, Segment, segment_paths
from storage.source import read_exactly

log = structlog.get_logger()

Durability = Literal["disk", "store", "store-or-disk", "none"]
"""When success is answered: after the sync, after the store has it too, after the write."""

_RESERVE_BYTES = 5_000_000_000
_GAUGE_AGE_S = 0.5


@dataclass(frozen=True)
class SpoolLimits:
    """Bounds of the spool; all of them are settings or follow from one."""

    spool_bytes: int  # most bytes of journal on the disk
    object_bytes: int = 8 << 30  # largest data set taken
    reserve_bytes: int | None = None  # free disk left alone; None: 5 GB, or a tenth of a small disk
    segment_bytes: int = 256 << 20  # a segment is sealed when it has grown over this
    segment_age_s: float = 30  # or when it is this old


class Spool:
    """The journal of one data folder, as one process uses it."""

    def __init__(
        self,
        folder: Path,
        *,
        limits: SpoolLimits,
        clock: Callable[[], datetime],
        durability: Durability = "disk",
        sync: Callable[[Segment], None] = Segment.sync,
        node: str = "",
    ) -> None:
        self.folder = folder
        self.aside = folder / "aside"
        self.node = node or platform.node() or "node"
        self.limits = limits
        self.clock = clock
        self.is_durable = durability != "none"
        self.unfolding = threading.Lock()  # held by the one object that is being inflated
        self.on_seal: Callable[[str, int], None] = _ignore
        self._commit = GroupCommit(sync)
        self._lock = threading.Lock()
        self._free: list[Segment] = []
        self._lent: set[Segment] = set()
        self._abandoned: list[Segment] = []
        self._is_closed = False
        self._failure = ""
        self._gauge = 0
        self._gauge_at = float("-inf")
        self._make_folders()
        self.notices = Notices(folder / "notices")
        self.reserve_bytes = _reserve(folder, limits)

    @property
    def failure(self) -> str:
        """Return why the spool takes nothing in; empty while all is well."""
        return self._commit.failure or self._failure

    def admit(self) -> None:
        """Raise NoRoom, or Unavailable, when no object may be taken in now."""
        if self.failure:
            raise read_only(self.failure)
        free = free_bytes(self.folder)
        if free < self.reserve_bytes:
            raise NoRoom(
                f"The disk of the spool has {free} bytes free; {self.reserve_bytes} are kept back. "
                "Make room on it, then send again.",
                code="disk-full",
            )
        depth = self.depth_bytes()
        if depth >= self.limits.spool_bytes:
            raise NoRoom(
                f"The spool holds {depth} of at most {self.limits.spool_bytes} bytes. "
                "Look whether the store takes packs, then send again.",
                code="spool-full",
            )

    def depth_bytes(self) -> int:
        """Return the bytes of all segments, a moment old at most.

        Of this process's own what is used; of another's its size, up to 4 MiB of room included.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._gauge_at > _GAUGE_AGE_S:
                used = {s.name: s.end for s in (*self._lent, *self._free)}
                self._gauge = sum(
                    used.get(path.name) or _size(path) for path in segment_paths(self.folder)
                )
                self._gauge_at = now
            return self._gauge

    def add_to_gauge(self, size_bytes: int) -> None:
        """Count what an intake has written since the spool was last measured."""
        with self._lock:
            self._gauge += size_bytes

    def borrow(self) -> Segment:
        """Lend a segment to one intake; it must be given back or broken off."""
        with self._lock:
            if self._is_closed:
                raise Unavailable("The archive is closing. Send again shortly.", code="closing")
            segment = self._free.pop() if self._free else None
            if segment is not None:
                self._lent.add(segment)
        if segment is None:
            segment = Segment.create(
                self.folder, node=self.node, at=self.clock(), durable=self.is_durable
            )
            with self._lock:
                self._lent.add(segment)
        elif self.is_durable:
            self._make_room(segment)
        return segment

    def give_back(self, segment: Segment) -> None:
        """Take a segment back: kept for the next intake, sealed when it is full or old."""
        with self._lock:
            self._lent.discard(segment)
            keep = not segment.is_broken and not self._is_due(segment) and not self._is_closed
            if keep:
                self._free.append(segment)
        if not keep:
            self._retire(segment)

    def break_off(self, segment: Segment, reason: str) -> None:
        """Never write a segment again and take nothing in from now on: its disk has failed."""
        with self._lock:
            self._lent.discard(segment)
        self._fail(reason)
        segment.is_broken = True
        self._retire(segment)

    def make_durable(self, segment: Segment, end: int) -> datetime | None:
        """Return when a segment is on stable storage up to `end`; else it is broken.

        The time is that of the sync; None where durability is not waited for.
        """
        if not self.is_durable:
            return None
        try:
            self._commit.make_durable(segment, end)
        except Unavailable:
            if self._commit.failure:
                self._fail(self._commit.failure)
            raise
        return self.clock()

    def seal_due(self) -> None:
        """Seal idle segments that are old, so that the mover can release them."""
        with self._lock:
            due = [s for s in self._free if self._is_due(s)]
            self._free = [s for s in self._free if s not in due]
        for segment in due:
            self._retire(segment)

    def seal_idle(self) -> None:
        """Seal every idle segment that holds a record."""
        with self._lock:
            idle, self._free = self._free, []
        for segment in idle:
            self._retire(segment)

    def close(self) -> None:
        """Seal what is idle; a segment that an intake still holds is sealed when it comes back."""
        with self._lock:
            self._is_closed = True
        self.seal_idle()

    def let_go(self) -> None:
        """Give up the locks of what was never sealed: the next start may look at it.

        Only once nothing of it waits for the index any more: the next start moves records.
        """
        with self._lock:
            left = self._abandoned + self._free
            self._abandoned, self._free = [], []
        for segment in left:
            segment.close()
        self.notices.close()

    def read(self, segment: str, offset: int, length: int) -> bytes:
        """Return a stretch of a segment in one read, or raise NotFound when it is released."""
        descriptor = self.open(segment)
        try:
            data = read_exactly(descriptor, offset, length)
        finally:
            os.close(descriptor)
        if len(data) != length:
            raise Unavailable(
                f"The segment {segment} ends before byte {offset + length}. Run `lysbro verify`.",
                code="segment-short",
            )
        return data

    def has(self, segment: str) -> bool:
        """Tell whether a segment lies in this folder."""
        if "/" in segment:
            raise ValueError(segment)
        return (self.folder / segment).exists()

    def open(self, segment: str) -> int:
        """Open a segment for reading, or raise NotFound when it is released or elsewhere."""
        if "/" in segment:
            raise ValueError(segment)
        try:
            return os.open(self.folder / segment, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise NotFound(
                f"The spool has no segment {segment}.", code="no-such-segment"
            ) from error

    def unlink(self, segment: str) -> None:
        """Remove a segment that holds nothing any more that is not elsewhere."""
        (self.folder / segment).unlink(missing_ok=True)
        sync_folder(self.folder)

    def _make_room(self, segment: Segment) -> None:
        """Write ahead of small records, where the disk has more free than is kept back."""
        if not segment.wants_room:
            return
        if free_bytes(self.folder) < self.reserve_bytes + 2 * LONGEST_ROOM_BYTES:
            return
        try:
            segment.make_room()
        except OSError as error:
            self.break_off(segment, f"writing ahead in {segment.name} failed ({error.strerror})")
            raise read_only(self.failure) from error

    def _is_due(self, segment: Segment) -> bool:
        if segment.end >= self.limits.segment_bytes:
            return True
        age = self.clock() - segment.started_at
        return segment.records > 0 and age >= timedelta(seconds=self.limits.segment_age_s)

    def _fail(self, reason: str) -> None:
        """Take nothing in from now on, and say so to whoever asks."""
        with self._lock:
            is_new = not self._failure
            self._failure = self._failure or reason
        if is_new:
            log.error("read_only", reason=reason, code="read-only")
            self.notices.put_up("read-only", reason, at=self.clock())

    def _retire(self, segment: Segment) -> None:
        """Seal a sound segment; leave one whose disk failed to the next start as it is."""
        if segment.is_broken:
            self._abandon(segment)
            return
        if segment.records == 0:
            segment.path.unlink(missing_ok=True)
            segment.close()
            return
        try:
            end = segment.seal(durable=self.is_durable)
        except OSError as error:
            self._not_sealed(segment, error)
            return
        self.on_seal(segment.name, end)

    def _not_sealed(self, segment: Segment, error: OSError) -> None:
        """Try again later when the disk was full; else the disk has failed."""
        log.error("sealing_failed", segment=segment.name, reason=str(error))
        if is_out_of_room(error) and not segment.is_broken:
            with suppress(OSError):
                segment.cut_back()
                with self._lock:
                    self._free.append(segment)
                return
        if not is_out_of_room(error):
            self._fail(f"sealing {segment.name} failed ({error.strerror or error})")
        self._abandon(segment)

    def _abandon(self, segment: Segment) -> None:
        """Never write a segment again; its lock is kept, as its records may wait for the index."""
        segment.is_broken = True
        with self._lock:
            self._abandoned.append(segment)
        log.error("segment_abandoned", segment=segment.name, synced_to=segment.synced_to)

    def _make_folders(self) -> None:
        for folder in (self.folder, self.aside):
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                sync_folder(folder.parent)


def _reserve(folder: Path, limits: SpoolLimits) -> int:
    """Return the bytes of the disk that are left free."""
    if limits.reserve_bytes is not None:
        return limits.reserve_bytes
    found = os.statvfs(folder)
    return min(_RESERVE_BYTES, found.f_blocks * found.f_frsize // 10)


def _ignore(_name: str, _end: int) -> None:
    """Stand in until somebody wants to know of sealed segments."""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
