"""Reads objects, data sets and frames back from a spool or a pack, each with one range read.

What lies in the spool of another node is read from that node, through a port.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Protocol, TypeVar

from sqlalchemy import select

from casework.errors import Invalid, NotFound, Unavailable
from storage import copies
from storage.database import Database
from storage.disk import open_stretch
from storage.header import PixelLayout, Span
from storage.objects import ObjectStore, read_range
from storage.part10 import DEFLATED_LE, BytesSource, WalkLimits, native_frame_bits, plain_source
from storage.rows import InstanceRow, Location
from storage.spool import Spool
from storage.tables import IN_SPOOL, instances, segments

_T = TypeVar("_T")


class OtherSpools(Protocol):
    """Reads from the spools of other nodes. NotFound: released there; Unavailable: node away."""

    def read(self, segment: str, offset: int, length: int) -> bytes:
        """Return a stretch of a segment."""
        ...

    def open(self, segment: str, offset: int, length: int) -> BinaryIO:
        """Open a stretch of a segment as a stream."""
        ...


@dataclass(frozen=True)
class Frame:
    """The bytes of one frame as they were received, and the transfer syntax that they are in."""

    data: bytes
    transfer_syntax_uid: str


class OtherForm(Unavailable):
    """An instance is kept in another form since its row was read."""


class Reader:
    """Finds the bytes of an instance wherever they lie by now."""

    def __init__(
        self,
        spool: Spool,
        store: ObjectStore,
        database: Database,
        *,
        walk_limits: WalkLimits,
        others: OtherSpools | None = None,
    ) -> None:
        self._spool = spool
        self._store = store
        self._database = database
        self._walk_limits = walk_limits
        self._others = others

    def over(self, store: ObjectStore) -> Reader:
        """Return a reader like this one, over another store."""
        return Reader(
            self._spool,
            store,
            self._database,
            walk_limits=self._walk_limits,
            others=self._others,
        )

    def open_part10(self, ref: InstanceRow, *, copies_too: bool = True) -> BinaryIO:
        """Open the Part 10 file of an instance as a stream."""
        return self._wherever(
            ref,
            here=lambda at: open_stretch(self._spool.open(at.container), at.offset, at.length),
            there=lambda others, at: others.open(at.container, at.offset, at.length),
            stored=lambda at: self._store.open_range(at.container, at.offset, at.length),
            copies_too=copies_too,
        )

    def read(self, ref: InstanceRow, offset: int, length: int) -> bytes:
        """Return a stretch of the Part 10 file of an instance."""
        if offset < 0 or length < 0 or offset + length > ref.location.length:
            raise ValueError(f"{length} bytes at {offset} are not within the object")
        return self._wherever(
            ref,
            here=lambda at: self._spool.read(at.container, at.offset + offset, length),
            there=lambda others, at: others.read(at.container, at.offset + offset, length),
            stored=lambda at: read_range(self._store, at.container, at.offset + offset, length),
        )

    def read_part10(self, ref: InstanceRow) -> bytes:
        """Return the Part 10 file of an instance."""
        return self.read(ref, 0, ref.location.length)

    def read_dataset(self, ref: InstanceRow) -> bytes:
        """Return the data set of an instance as it was received."""
        return self.read(ref, ref.location.dataset_offset, ref.size_bytes)

    def read_frame(self, ref: InstanceRow, frame: int) -> Frame:
        """Return one frame, counted from 1, as it was received."""
        pixel = ref.pixel
        if pixel is None:
            raise NotFound("The object has no pixel data.", code="no-pixels")
        if not 1 <= frame <= pixel.frames:
            raise NotFound(
                f"The object has {pixel.frames} frames; there is no frame {frame}.",
                code="no-such-frame",
            )
        if pixel.encapsulated:
            return Frame(self._encapsulated(ref, pixel, frame), ref.transfer_syntax_uid)
        return Frame(self._native(ref, pixel, frame), ref.transfer_syntax_uid)

    def _native(self, ref: InstanceRow, pixel: PixelLayout, frame: int) -> bytes:
        bits = native_frame_bits(ref.attributes) or pixel.length * 8 // pixel.frames
        first_bit = bits * (frame - 1)
        start, end = first_bit // 8, (first_bit + bits + 7) // 8
        if end > pixel.length:
            raise Invalid(
                f"The pixel data ends before frame {frame}. Ask the site to send it again.",
                code="frame-missing",
            )
        data = self._dataset_stretch(ref, (pixel.offset + start, end - start))
        if bits % 8 == 0:
            return data
        # frames of single bits follow each other without a gap (PS3.5 section 8.1.1)
        packed = int.from_bytes(data, "little") >> (first_bit % 8) & ((1 << bits) - 1)
        return packed.to_bytes((bits + 7) // 8, "little")

    def _encapsulated(self, ref: InstanceRow, pixel: PixelLayout, frame: int) -> bytes:
        if pixel.frame_table is None:
            raise Invalid(
                "The frames of this object cannot be told apart. Retrieve the whole object.",
                code="frames-unknown",
            )
        spans = pixel.frame_table[frame - 1]
        start = spans[0][0]
        end = spans[-1][0] + spans[-1][1]
        data = self._dataset_stretch(ref, (start, end - start))
        if len(spans) == 1:
            return data
        return b"".join(data[o - start : o - start + n] for o, n in spans)

    def _dataset_stretch(self, ref: InstanceRow, span: Span) -> bytes:
        """Return a stretch of the data set; of the inflated one when it is deflated."""
        offset, length = span
        if ref.transfer_syntax_uid == DEFLATED_LE:
            content = plain_source(
                BytesSource(self.read_dataset(ref)),
                transfer_syntax_uid=ref.transfer_syntax_uid,
                limits=self._walk_limits,
            )
            return content.read_at(offset, length)
        return self.read(ref, ref.location.dataset_offset + offset, length)

    def _wherever(
        self,
        ref: InstanceRow,
        *,
        here: Callable[[Location], _T],
        there: Callable[[OtherSpools, Location], _T],
        stored: Callable[[Location], _T],
        copies_too: bool = True,
    ) -> _T:
        """Fetch from our spool, else from where the index says by now: the store, another node."""
        if ref.location.where != IN_SPOOL:
            return stored(ref.location)
        try:
            return here(ref.location)
        except NotFound:
            where, node = self._moved(ref, copies_too=copies_too)
        if where.where == IN_SPOOL:
            try:
                return there(self._others_with(ref, node), where)
            except NotFound:  # it is in the store since, or lost
                where, node = self._moved(ref, copies_too=copies_too)
            if where.where == IN_SPOOL:
                raise _missing(ref, f"in the spool of {node}")
        return stored(where)

    def _others_with(self, ref: InstanceRow, node: str) -> OtherSpools:
        if self._others is None:
            raise Unavailable(
                f"The bytes of {ref.sop_instance_uid} are in the spool of node {node}, and nothing "
                "is set here to read from it. Set LYSBRO_NODE_SECRET, or wait until it is packed.",
                code="node-away",
            )
        return self._others

    def _moved(self, ref: InstanceRow, *, copies_too: bool) -> tuple[Location, str]:
        """Return where an instance lies now that it is not in our spool, and on which node.

        Its segment was released, was lost with its node, or is in the spool of another.
        """
        with self._database.read() as conn:
            row = conn.execute(
                select(
                    instances.c.location,
                    instances.c.container,
                    instances.c.offset,
                    instances.c.length,
                    instances.c.dataset_offset,
                    instances.c.kept_sha256,
                ).where(instances.c.pk == ref.pk)
            ).one_or_none()
            if row is None:
                raise _missing(ref, "in the index")
            if row.kept_sha256 != ref.kept_sha256:
                raise OtherForm(
                    f"{ref.sop_instance_uid} is kept in another form by now. Ask again.",
                    code="form-changed",
                )
            where = Location(*row[:5])
            if where.where != IN_SPOOL:
                return where, ""
            key = (ref.site, ref.sop_instance_uid, ref.sha256)
            copy = None
            if copies_too:
                copy = copies.place_of(conn, key, kept_sha256=ref.kept_sha256)
            if copy is not None:
                return copy, ""
            node = conn.execute(
                select(segments.c.node).where(segments.c.name == where.container)
            ).scalar()
        if node is None or node == self._spool.node:
            raise _missing(ref, "in the spool")
        return where, node


def _missing(ref: InstanceRow, place: str) -> NotFound:
    return NotFound(
        f"The bytes of {ref.sop_instance_uid} are not {place}. Run `lysbro verify`.",
        code="bytes-missing",
    )
