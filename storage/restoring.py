"""Opens objects in the form in which they were received, whatever form they are kept in.

Also for one who holds a row from before its object was packed in another form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import BinaryIO

from sqlalchemy import select

from casework.errors import NotFound
from storage.as_received import as_stream, restored_part10
from storage.checked_reading import CheckedReader
from storage.codec import CODEC_OF, decode
from storage.database import Database
from storage.forms import frame_shape
from storage.frame_reader import Frame, FrameReader
from storage.reading import OtherForm, Reader
from storage.rows import InstanceRow, instance_row
from storage.source import BytesSource, Source
from storage.tables import instances

_AT_ONCE = 32 << 20


class Restorer:
    """Gives objects back as they were received, and takes rows that have been overtaken."""

    def __init__(
        self, reader: Reader | CheckedReader, frames: FrameReader, database: Database
    ) -> None:
        self._reader = reader
        self._frames = frames
        self._database = database

    def open_part10(self, ref: InstanceRow) -> BinaryIO:
        """Open the Part 10 file of an instance as its row describes it."""
        try:
            return self._reader.open_part10(ref)
        except OtherForm:
            fresh = self._fresh(ref)
            if fresh.received is None or not fresh.received.comes_back_whole or ref.received:
                raise
            return self.open_as_received(fresh)

    def open_each(
        self, refs: Sequence[InstanceRow], *, as_received: Callable[[InstanceRow], bool]
    ) -> Iterator[BinaryIO]:
        """Open Part 10 files one after the other, each as it is wanted; see `Archive.open_each`."""

        def way(ref: InstanceRow) -> str:
            if ref.received is not None and as_received(ref):
                return "restored"
            return "alone" if ref.location.in_spool else "together"

        for how, run in groupby(refs, key=way):
            if how == "together":
                yield from self._reader.open_each(list(run))
            else:
                yield from map(
                    self.open_as_received if how == "restored" else self.open_part10, run
                )

    def read(self, ref: InstanceRow, offset: int, length: int) -> bytes:
        """Return a stretch of the Part 10 file of an instance as its row describes it."""
        try:
            return self._reader.read(ref, offset, length)
        except OtherForm:
            with self.open_part10(ref) as stream:
                return stream.read()[offset : offset + length]

    def read_frame(self, ref: InstanceRow, frame: int) -> Frame:
        """Return one frame, counted from 1, in the form in which it is kept by now."""
        try:
            return self._frames.read(ref, frame)
        except OtherForm:
            return self._frames.read(self._fresh(ref), frame)

    def open_as_received(self, ref: InstanceRow) -> BinaryIO:
        """Open the Part 10 file of an instance as it was received, in `restored_syntax`."""
        if ref.received is None:
            return self.open_part10(ref)
        ref = self._with_pixels(ref)
        return as_stream(restored_part10(self._source(ref), ref))

    def open_dataset_as_received(self, ref: InstanceRow) -> BinaryIO:
        """Open the data set of an instance as it was received, in `restored_syntax`."""
        if ref.received is None:
            stream = self.open_part10(ref)
            stream.read(ref.location.dataset_offset)
            return stream
        ref = self._with_pixels(ref)
        chunks = restored_part10(self._source(ref), ref)
        next(chunks)  # its file meta
        return as_stream(chunks)

    def native_frame(self, ref: InstanceRow, frame: int) -> Frame:
        """Return one frame as it was received, decoded when it is kept in another form."""
        if ref.received is None:
            read = self.read_frame(ref, frame)
            if read.transfer_syntax_uid == ref.transfer_syntax_uid:
                return read
            ref = self._fresh(ref)
        coded = self._frames.read(ref, frame)
        if ref.received is None:
            return coded
        codec = CODEC_OF[coded.transfer_syntax_uid]
        data = decode(coded.data, frame_shape(ref.attributes), codec)
        return Frame(data, ref.received.restored_syntax)

    def _source(self, ref: InstanceRow) -> Source:
        if ref.location.length <= _AT_ONCE:
            return BytesSource(self._reader.read_part10(ref))
        return _InPlace(self._reader, ref)

    def _with_pixels(self, ref: InstanceRow) -> InstanceRow:
        """Return the whole row where one was made without what its header says."""
        return self._fresh(ref) if ref.pixel is None else ref

    def _fresh(self, ref: InstanceRow) -> InstanceRow:
        with self._database.read() as conn:
            row = conn.execute(
                select(instances).where(
                    instances.c.pk == ref.pk,  # whose number may be another's, when it was erased
                    instances.c.sha256 == ref.sha256,
                    instances.c.sop_instance_uid == ref.sop_instance_uid,
                )
            ).one_or_none()
        if row is None:
            raise NotFound(f"{ref.sop_instance_uid} is not in the index.", code="bytes-missing")
        return instance_row(row)


class _InPlace:
    """The Part 10 file of an instance where it lies, a stretch at a time."""

    def __init__(self, reader: Reader | CheckedReader, ref: InstanceRow) -> None:
        self._reader = reader
        self._ref = ref
        self.size = ref.location.length

    def read_at(self, offset: int, length: int) -> bytes:
        """Return a slice, fewer bytes at the end."""
        length = min(length, self.size - offset)
        return self._reader.read(self._ref, offset, length) if length > 0 else b""
