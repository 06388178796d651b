"""Reads the data set of an instance in place, a stretch at a time; a deflated one is inflated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from casework.errors import Invalid
from storage.filemeta import DEFLATED_LE
from storage.part10 import plain_source
from storage.rows import InstanceRow
from storage.source import BytesSource, Source
from storage.walker import WalkLimits

_CHUNK_BYTES = 1 << 20


class Stretches(Protocol):
    """What gives stretches of Part 10 files: the archive."""

    walk_limits: WalkLimits

    def read_stretch(self, ref: InstanceRow, offset: int, length: int) -> bytes:
        """Return a stretch; it is whole or Unavailable."""


def content_of(archive: Stretches, row: InstanceRow) -> Source:
    """Return the data set of an instance as a source."""
    if row.transfer_syntax_uid != DEFLATED_LE:
        return _InPlace(archive, row)
    deflated = archive.read_stretch(row, row.location.dataset_offset, row.size_bytes)
    return plain_source(
        BytesSource(deflated), transfer_syntax_uid=DEFLATED_LE, limits=archive.walk_limits
    )


def stretch_of(content: Source, offset: int, length: int) -> Iterator[bytes]:
    """Yield a stretch of a source in chunks; Invalid when it ends before."""
    while length > 0:
        chunk = content.read_at(offset, min(length, _CHUNK_BYTES))
        if not chunk:
            raise Invalid("The object is shorter than its header says.", code="bad-structure")
        yield chunk
        offset += len(chunk)
        length -= len(chunk)


class _InPlace:
    def __init__(self, archive: Stretches, row: InstanceRow) -> None:
        self._archive = archive
        self._row = row
        self.size = row.size_bytes

    def read_at(self, offset: int, length: int) -> bytes:
        """Return a slice, fewer bytes at the end."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        return self._archive.read_stretch(
            self._row, self._row.location.dataset_offset + offset, length
        )
