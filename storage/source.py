"""Where bytes to be walked come from: memory or a stretch of a file. Never reads past its end."""

from __future__ import annotations

import os
from typing import Protocol


class Source(Protocol):
    """A stretch of bytes that can be read at any place."""

    @property
    def size(self) -> int:
        """Return the number of bytes."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end."""
        ...


class BytesSource:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return a slice; the whole is handed out without a copy."""
        if offset == 0 and length >= self.size:
            return self._data
        return self._data[offset : offset + length]


class FileSource:
    """A stretch of an open file, read with `pread` so that no position is shared."""

    def __init__(self, descriptor: int, *, offset: int, size: int) -> None:
        self._descriptor = descriptor
        self._offset = offset
        self.size = size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return a slice; a file that is shorter than it was promises fewer bytes."""
        length = min(length, self.size - offset)
        return read_exactly(self._descriptor, self._offset + offset, length) if length > 0 else b""


def read_exactly(descriptor: int, offset: int, length: int) -> bytes:
    """Return `length` bytes at `offset`, fewer only at the end (one read gives at most 2 GiB)."""
    data = os.pread(descriptor, length, offset)
    if len(data) == length or not data:
        return data
    parts = [data]
    got = len(data)
    while got < length and (data := os.pread(descriptor, length - got, offset + got)):
        parts.append(data)
        got += len(data)
    return b"".join(parts)
