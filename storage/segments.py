"""Segment files of the journal: made, locked, written by one owner, sealed. Decides no promise.

Only the owner of a segment writes it, and it holds an `flock` for as long as it lives; so whoever
gets the lock knows that the owner is gone.

A segment of small records is written ahead with zeros. A record that overwrites them changes
neither the size nor the blocks of the file, so its sync needs no commit of the file system's own
log, which costs more than the bytes do. What is ahead of the records is room, not damage.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from storage.disk import Buffer, is_out_of_room, sync_folder, write_all_at
from storage.journal import (
    SEGMENT_HEADER_BYTES,
    SegmentHeader,
    decode_segment_header,
    encode_seal,
    encode_segment_header,
)

SUFFIX = ".seg"
_UNBORN = ".seg-new"

FIRST_ROOM_BYTES = 64 << 10
"""Zeros of a new segment: it is synced anyway, and this much costs nothing beside that."""

LONGEST_ROOM_BYTES = 4 << 20
"""Most zeros ahead of the records: some hundred objects of 10 kB share the cost of one step, and
25 open segments keep no more than 100 MB of disk."""

SMALL_RECORD_BYTES = 128 << 10
"""Up to here a sync costs more than its bytes, so that to write the room twice pays; measured for
one writer it does up to twice this, but many writers share the disk's bandwidth."""

_ZEROS = bytes(1 << 20)


class Segment:
    """An open segment that this process owns; used by one intake at a time."""

    def __init__(self, path: Path, descriptor: int, header: SegmentHeader, *, end: int) -> None:
        self.path = path
        self.name = path.name
        self.descriptor = descriptor
        self.nonce = header.nonce
        self.started_at = header.started_at
        self.end = end  # after the last whole record
        self.synced_to = end
        self.is_broken = False  # a write or a sync failed: never written again
        self.records = 0
        self._last_bytes = 0  # of the last record
        self._room_to = end  # zeros are on stable storage from the last record up to here
        self._room_step = FIRST_ROOM_BYTES
        self._dirty_to = end  # after the last byte that was written, of a whole record or not

    @classmethod
    def create(cls, folder: Path, *, node: str, at: datetime, durable: bool) -> Segment:
        """Make a segment that is on stable storage with its name before it is used."""
        name = f"{at:%Y%m%dt%H%M%S}-{secrets.token_hex(6)}"
        unborn = folder / (name + _UNBORN)
        final = folder / (name + SUFFIX)
        header = SegmentHeader(secrets.token_bytes(16), node, os.getpid(), at)
        descriptor = os.open(unborn, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            write_all_at(descriptor, [encode_segment_header(header)], 0)
            room_to = _room_of_a_new(descriptor) if durable else SEGMENT_HEADER_BYTES
            if durable:
                os.fsync(descriptor)
            # named only once it is locked and has its header: nobody meets it half made
            os.rename(unborn, final)
            if durable:
                sync_folder(folder)
        except BaseException:
            os.close(descriptor)
            unborn.unlink(missing_ok=True)
            raise
        segment = cls(final, descriptor, header, end=SEGMENT_HEADER_BYTES)
        segment._room_to = room_to
        return segment

    def write_at(self, buffers: Sequence[Buffer], offset: int) -> int:
        """Write buffers at an offset and return the offset after them."""
        # noted before: a write that fails may have written a part
        self._dirty_to = max(self._dirty_to, offset + sum(memoryview(b).nbytes for b in buffers))
        return write_all_at(self.descriptor, buffers, offset)

    def took(self, end: int) -> None:
        """Hear that a record is whole up to here, and as durable as it has to be."""
        self._last_bytes = end - self.end
        self.end = end
        self.records += 1

    @property
    def wants_room(self) -> bool:
        """Tell whether the last record was small and there is no room for two more like it."""
        is_small = 0 < self._last_bytes <= SMALL_RECORD_BYTES
        return is_small and self._room_to < self.end + 2 * self._last_bytes

    def make_room(self) -> None:
        """Write zeros ahead of the records and sync them; each step is twice as long.

        Called between two objects: no bytes of an object lie beyond the last whole record.
        """
        start = max(self.end, self._room_to)
        target = start + self._room_step
        try:
            _write_zeros(self.descriptor, start, target)
            os.fdatasync(self.descriptor)
        except OSError as error:
            os.ftruncate(self.descriptor, self.end)
            self._room_to = self.end
            if not is_out_of_room(error):
                raise
            return
        self._room_to = target
        self._room_step = min(2 * self._room_step, LONGEST_ROOM_BYTES)

    def cut_back(self) -> None:
        """Drop what was written after the last whole record, and the room with it.

        Nothing is done when nothing was written: an object that is held in memory until it is whole
        and then refused leaves the room as it is.
        """
        if self._dirty_to > self.end:
            os.ftruncate(self.descriptor, self.end)
            self._dirty_to = self._room_to = self.end

    def sync(self) -> None:
        """Flush the bytes and the size of the file (fdatasync(2))."""
        os.fdatasync(self.descriptor)

    def seal(self, *, durable: bool) -> int:
        """Write the last record, give the room back, close the file, and return its final size.

        When writing fails it may be tried again; when syncing fails the segment is broken.
        """
        end = self.write_at([encode_seal(nonce=self.nonce, synced_to=self.end)], self.end)
        os.ftruncate(self.descriptor, end)
        if durable:
            try:
                self.sync()
            except OSError:
                self.is_broken = True
                raise
        self.close()
        return end

    def close(self) -> None:
        """Close the file and give up its lock."""
        os.close(self.descriptor)


def _room_of_a_new(descriptor: int) -> int:
    """Write the first zeros of a segment, and return how far they reach."""
    try:
        return _write_zeros(descriptor, SEGMENT_HEADER_BYTES, FIRST_ROOM_BYTES)
    except OSError as error:
        if not is_out_of_room(error):
            raise
        os.ftruncate(descriptor, SEGMENT_HEADER_BYTES)
        return SEGMENT_HEADER_BYTES


def _write_zeros(descriptor: int, start: int, end: int) -> int:
    """Write zeros from one offset to another, and return the other."""
    view = memoryview(_ZEROS)
    for offset in range(start, end, len(view)):
        write_all_at(descriptor, [view[: end - offset]], offset)
    return end


def segment_paths(folder: Path) -> list[Path]:
    """Return the segments of a spool, the oldest first."""
    return sorted(p for p in folder.iterdir() if p.name.endswith(SUFFIX))


def adopt_orphan(path: Path) -> int | None:
    """Open and lock a segment whose owner is gone; None while an owner lives, or when unlinked."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def read_segment_header(descriptor: int) -> SegmentHeader | None:
    """Return the header of an open segment, or None when it is no segment."""
    return decode_segment_header(os.pread(descriptor, SEGMENT_HEADER_BYTES, 0))


def remove_unborn(folder: Path) -> int:
    """Remove segments that were never named because their maker died."""
    removed = 0
    for path in folder.glob("*" + _UNBORN):
        descriptor = adopt_orphan(path)
        if descriptor is not None:
            path.unlink(missing_ok=True)
            os.close(descriptor)
            removed += 1
    return removed
