"""The few calls to the disk that durability rests on. Decides nothing."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from storage.source import read_exactly

_IOV_MAX = 512
_BUFFER_BYTES = 1 << 20
_OUT_OF_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

Buffer = bytes | bytearray | memoryview


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries: a new name is lost in a power cut until then (fsync(2))."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_out_of_room(error: OSError) -> bool:
    """Tell whether the disk, or the quota on it, is full."""
    return error.errno in _OUT_OF_ROOM


def write_all(descriptor: int, data: Buffer) -> None:
    """Write the bytes whole at the file's position."""
    view = memoryview(data)
    while view.nbytes:
        view = view[os.write(descriptor, view) :]


def write_all_at(descriptor: int, buffers: Sequence[Buffer], offset: int) -> int:
    """Write the buffers one after the other at an offset, and return the offset after them."""
    waiting = [memoryview(b) for b in buffers if len(b)]
    while waiting:
        written = os.pwritev(descriptor, waiting[:_IOV_MAX], offset)
        offset += written
        while waiting and written >= len(waiting[0]):
            written -= len(waiting.pop(0))
        if written:
            waiting[0] = waiting[0][written:]
    return offset


def free_bytes(folder: Path) -> int:
    """Return the bytes that may still be written on a folder's disk."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def open_stretch(descriptor: int, offset: int, length: int) -> BinaryIO:
    """Return a stream over a stretch of a file; closing it closes the descriptor."""
    return io.BufferedReader(_Stretch(descriptor, offset, length), buffer_size=_BUFFER_BYTES)


class Stretch:
    """A stretch of a file that others read too; a read gives all that it asks for, in one piece.

    No buffer of its own stands between: who asks for much is given it without a copy.
    """

    def __init__(self, descriptor: int, offset: int, length: int) -> None:
        self._descriptor = descriptor
        self._offset = offset
        self._left = length

    def read(self, size: int) -> bytes:
        """Return the next bytes, fewer only where the stretch or the file ends."""
        data = read_exactly(self._descriptor, self._offset, min(size, self._left))
        self._offset += len(data)
        self._left -= len(data)
        return data

    def close(self) -> None:
        """Leave the file open."""


class _Stretch(io.RawIOBase):
    """A stretch of a file, read with `pread`."""

    def __init__(self, descriptor: int, offset: int, length: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._offset = offset
        self._left = length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        view = memoryview(buffer)[: min(len(buffer), self._left)]
        got = os.preadv(self._descriptor, [view], self._offset) if len(view) else 0
        self._offset += got
        self._left -= got
        return got

    def readall(self) -> bytes:
        """Return what is left in one read, not in the small pieces that `io` would read in."""
        parts = []
        while self._left and (part := os.pread(self._descriptor, self._left, self._offset)):
            self._offset += len(part)
            self._left -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()
