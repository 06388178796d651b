"""Segment files of the journal: made, locked, written by one owner, sealed. Decides no promise.

Only the owner of a segment writes it, and it holds an `flock` for as long as it lives; so whoever
gets the lock knows that the owner is gone.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from storage.disk import Buffer, sync_folder, write_all_at
from storage.journal import (
    SEGMENT_HEADER_BYTES,
    SegmentHeader,
    decode_segment_header,
    encode_seal,
    encode_segment_header,
)

SUFFIX = ".seg"
_UNBORN = ".seg-new"


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
        return cls(final, descriptor, header, end=SEGMENT_HEADER_BYTES)

    def write_at(self, buffers: Sequence[Buffer], offset: int) -> int:
        """Write buffers at an offset and return the offset after them."""
        return write_all_at(self.descriptor, buffers, offset)

    def cut_back(self) -> None:
        """Drop what was written after the last whole record."""
        os.ftruncate(self.descriptor, self.end)

    def sync(self) -> None:
        """Flush the bytes and the size of the file (fdatasync(2))."""
        os.fdatasync(self.descriptor)

    def seal(self, *, durable: bool) -> int:
        """Write the last record, close the file, and return its final size."""
        end = write_all_at(
            self.descriptor, [encode_seal(nonce=self.nonce, synced_to=self.end)], self.end
        )
        if durable:
            self.sync()
        self.close()
        return end

    def close(self) -> None:
        """Close the file and give up its lock."""
        os.close(self.descriptor)


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
