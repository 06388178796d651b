"""Reads objects where a mirror stands by: what does not have its hash is read from there instead.

Up to 64 MiB an object is hashed before any of it is given out, for a single frame as well; a larger
one while it is given out, which ends with an error when its hash is wrong, and comes from the
mirror from then on. A few frames of many are given without a hash: reading all would cost too much.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO, cast

from casework.errors import LysbroError, Unavailable
from storage.fallback import CORRUPT, FallbackStore
from storage.journal import new_digest
from storage.reading import Reader
from storage.rows import InstanceRow
from storage.tables import IN_SPOOL

_HELD_BYTES = 64 << 20
_FRAMES_HASHED = 4
"""An object of at most so many frames is read whole for one of them."""


class CheckedReader:
    """Reads as another reader does, and checks."""

    def __init__(self, reader: Reader, store: FallbackStore) -> None:
        self._reader = reader
        self._store = store

    def open_part10(self, ref: InstanceRow) -> BinaryIO:
        """Open the Part 10 file of an instance as a stream."""
        if ref.location.where == IN_SPOOL:
            return self._reader.open_part10(ref)
        if ref.location.length <= _HELD_BYTES:
            return io.BytesIO(self.read_part10(ref))
        stream = _Hashed(self._reader.open_part10(ref), ref, self._store)
        return cast(BinaryIO, io.BufferedReader(stream, buffer_size=1 << 20))

    def read_part10(self, ref: InstanceRow) -> bytes:
        """Return the Part 10 file of an instance."""
        if ref.location.where == IN_SPOOL:
            return self._reader.read_part10(ref)
        where = ref.location
        data, trouble = b"", None
        try:
            data = self._reader.read_part10(ref)
        except LysbroError as error:
            trouble = error
        if trouble is None and has_its_hash(ref, data):
            return data
        found = self._store.of_mirror(where.container, where.offset, where.length, fault=CORRUPT)
        if found is not None:
            with found:
                data = found.read()
            if has_its_hash(ref, data):
                return data
        if trouble is not None:
            raise trouble
        raise _damaged(ref)

    def open_each(self, refs: Sequence[InstanceRow]) -> Iterator[BinaryIO]:
        """Open Part 10 files one after the other."""
        return map(self.open_part10, refs)

    def read(self, ref: InstanceRow, offset: int, length: int) -> bytes:
        """Return a stretch of the Part 10 file of an instance."""
        if self.hashes(ref) or (not ref.location.in_spool and length == ref.location.length):
            return self.read_part10(ref)[offset : offset + length]
        return self._reader.read(ref, offset, length)

    def read_dataset(self, ref: InstanceRow) -> bytes:
        """Return the data set of an instance as it was received."""
        if ref.location.where == IN_SPOOL:
            return self._reader.read_dataset(ref)
        return self.read_part10(ref)[ref.location.dataset_offset :]

    def hashes(self, ref: InstanceRow) -> bool:
        """Tell whether a stretch of an object is given only once all of it was hashed."""
        is_of_many = ref.pixel is not None and ref.pixel.frames > _FRAMES_HASHED
        return not (ref.location.in_spool or is_of_many or ref.location.length > _HELD_BYTES)


def has_its_hash(ref: InstanceRow, data: bytes) -> bool:
    """Tell whether a Part 10 file is that of an instance."""
    digest = new_digest(ref.transfer_syntax_uid)
    digest.update(memoryview(data)[ref.location.dataset_offset :])
    size = len(data) - ref.location.dataset_offset
    return bool(size == ref.size_bytes and digest.hexdigest() == ref.bytes_sha256)


def _damaged(ref: InstanceRow) -> Unavailable:
    return Unavailable(
        f"The bytes of {ref.sop_instance_uid} do not have their hash, in the store or in the "
        "mirror. Run `lysbro verify --repair`.",
        code="hash-mismatch",
    )


class _Hashed(io.RawIOBase):
    """A Part 10 file that is hashed while it is given out."""

    def __init__(self, stream: BinaryIO, ref: InstanceRow, store: FallbackStore) -> None:
        super().__init__()
        self._stream = stream
        self._ref = ref
        self._store = store
        self._digest = new_digest(ref.transfer_syntax_uid)
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(min(len(buffer), 1 << 20))
        skipped = max(0, self._ref.location.dataset_offset - self._position)
        self._digest.update(memoryview(data)[skipped:])
        self._position += len(data)
        if self._position >= self._ref.location.length or not data:
            self._judge()
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()

    def _judge(self) -> None:
        ref = self._ref
        if self._digest.hexdigest() == ref.bytes_sha256 and self._position == ref.location.length:
            return
        self._store.at_fault(ref.location.container, CORRUPT)
        raise _damaged(ref)
