"""A stream of a known length that is an error, and never a short answer, when it ends too soon."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Protocol, cast

from casework.errors import Unavailable

CHUNK_BYTES = 1 << 20


class Readable(Protocol):
    """What a stream is made of."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


def exactly(
    stream: Readable, length: int, name: str, *, at_end: Callable[[], None] | None = None
) -> BinaryIO:
    """Return a stream over the same bytes that raises Unavailable where some are missing.

    `at_end` is called before the last of them are given out, and may raise.
    """
    return cast(BinaryIO, _Exact(stream, length, name, at_end=at_end))


def parts_of(stream: BinaryIO, parts: Iterable[tuple[int, int, str]]) -> Iterator[BinaryIO]:
    """Yield parts of a stream, each with a gap before it, a length and a name.

    What nobody has read of a part is passed over when the next is asked for, and only then.
    """
    for gap, length, name in parts:
        skip(stream, gap, name)
        part = _Exact(stream, length, name, is_shared=True)
        yield cast(BinaryIO, part)
        skip(stream, part.left, name)


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
    def __init__(
        self,
        inner: Readable,
        length: int,
        name: str,
        *,
        is_shared: bool = False,
        at_end: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self._at_end = at_end
        self._inner = inner
        self._is_shared = is_shared
        self.left = length
        self._name = name

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes: as many as asked for, fewer only at the end."""
        wanted = self.left if size is None or size < 0 else min(size, self.left)
        if not wanted:
            return b""
        data = self._inner.read(wanted)
        self.left -= len(data)
        if len(data) != wanted:
            raise _short(self._name, self.left)
        if self._at_end is not None and not self.left:
            self._at_end()
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
        """Close the stream inside, too, unless others go on with it."""
        if not self.closed and not self._is_shared:
            self._inner.close()
        super().close()


def _short(name: str, missing: int) -> Unavailable:
    return Unavailable(
        f"The last {missing} bytes of {name} are missing where it lies. Run `lysbro verify`.",
        code="object-short",
    )
