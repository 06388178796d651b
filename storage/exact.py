"""A stream of a known length that is an error, and never a short answer, when it ends too soon."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, cast

from casework.errors import Unavailable

CHUNK_BYTES = 1 << 20


def exactly(stream: BinaryIO, length: int, name: str) -> BinaryIO:
    """Return a stream over the same bytes that raises Unavailable where some are missing."""
    return cast(BinaryIO, _Exact(stream, length, name))


def exactly_within(stream: BinaryIO, length: int, name: str) -> BinaryIO:
    """Return a stream over the next bytes of one that goes on, and stays open behind them."""
    return cast(BinaryIO, _Exact(stream, length, name, is_shared=True))


def skip(stream: BinaryIO, length: int, name: str) -> None:
    """Read over bytes that nobody wants."""
    while length:
        length -= len(read_fully(stream, min(length, CHUNK_BYTES), name))


def chunks_of(stream: BinaryIO) -> Iterator[bytes]:
    """Yield a stream in chunks, and close it; in the memory of one chunk."""
    with stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


def read_fully(stream: BinaryIO, length: int, name: str) -> bytes:
    """Return the next bytes of a stream; Unavailable when it has fewer."""
    data = stream.read(length)
    if len(data) != length:
        raise _short(name, length - len(data))
    return data


class _Exact(io.RawIOBase):
    def __init__(self, inner: BinaryIO, length: int, name: str, *, is_shared: bool = False) -> None:
        super().__init__()
        self._inner = inner
        self._is_shared = is_shared
        self._left = length
        self._name = name

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes: as many as asked for, fewer only at the end."""
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        if not wanted:
            return b""
        data = self._inner.read(wanted)
        self._left -= len(data)
        if len(data) != wanted:
            raise _short(self._name, self._left)
        return data

    def readall(self) -> bytes:
        """Return all that is left."""
        return self.read()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read into a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the stream inside, too; one that goes on is brought to the end of this part."""
        if not self.closed:
            if self._is_shared:
                left, self._left = self._left, 0
                skip(self._inner, left, self._name)
            else:
                self._inner.close()
        super().close()


def _short(name: str, missing: int) -> Unavailable:
    return Unavailable(
        f"The last {missing} bytes of {name} are missing where it lies. Run `lysbro verify`.",
        code="object-short",
    )
