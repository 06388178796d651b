"""Reads objects and stretches of them back from a spool or a pack, each with one range read.

What lies in the spool of another node is read from that node, through a port.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import BinaryIO, Protocol, TypeVar

from sqlalchemy import ColumnElement, select

from casework.errors import NotFound, Unavailable
from storage import copies
from storage.database import Database
from storage.disk import Stretch, open_stretch
from storage.exact import exactly, parts_of
from storage.objects import ObjectStore, is_local, read_range
from storage.rows import InstanceRow, Location
from storage.spool import Spool
from storage.tables import IN_SPOOL, instances, segments

_T = TypeVar("_T")
_EDGE = 8  # bytes at either end, by which zeros are suspected
_GAP_BYTES = 64 << 10  # read along rather than asked for anew
_OF_ONE_FILE = 64  # then it is opened anew: an erased file must not stay open for long


class OtherSpools(Protocol):
    """Reads from the spools of other nodes. NotFound: released there; Unavailable: node away."""

    def read(self, segment: str, offset: int, length: int) -> bytes:
        """Return a stretch of a segment."""
        ...

    def open(self, segment: str, offset: int, length: int) -> BinaryIO:
        """Open a stretch of a segment as a stream."""
        ...


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
        others: OtherSpools | None = None,
    ) -> None:
        self._spool = spool
        self._store = store
        self._database = database
        self._others = others

    def over(self, store: ObjectStore) -> Reader:
        """Return a reader like this one, over another store."""
        return Reader(self._spool, store, self._database, others=self._others)

    def hashes(self, ref: InstanceRow) -> bool:
        """Tell whether a stretch of an object is given only once all of it was hashed."""
        return False

    def open_part10(self, ref: InstanceRow, *, copies_too: bool = True) -> BinaryIO:
        """Open the Part 10 file of an instance as a stream.

        It is never short: where bytes are missing, reading raises Unavailable.
        """
        stream = self._wherever(
            ref,
            here=lambda at: open_stretch(self._spool.open(at.container), at.offset, at.length),
            there=lambda others, at: others.open(at.container, at.offset, at.length),
            stored=lambda at: self._store.open_range(at.container, at.offset, at.length),
            copies_too=copies_too,
        )
        at_end = partial(self._require_kept, ref) if ref.location.where == IN_SPOOL else None
        return exactly(stream, ref.location.length, ref.sop_instance_uid, at_end=at_end)

    def open_each(self, refs: Sequence[InstanceRow]) -> Iterator[BinaryIO]:
        """Open Part 10 files one after the other; each is closed before the next is asked for.

        What lies side by side in a pack comes with one request, or out of one open file.
        """
        for run in side_by_side(refs):
            if len(run) == 1:
                yield self.open_part10(run[0])
            elif is_local(self._store):
                for some in _some_of(run):
                    yield from _out_of_file(self._store.open_file(some[0].location.container), some)
            else:
                first, last = run[0].location, run[-1].location
                length = last.offset + last.length - first.offset
                with self._store.open_range(first.container, first.offset, length) as stream:
                    yield from parts_of(stream, _parts(run))

    def read(self, ref: InstanceRow, offset: int, length: int) -> bytes:
        """Return a stretch of the Part 10 file of an instance."""
        if offset < 0 or length < 0 or offset + length > ref.location.length:
            raise ValueError(f"{length} bytes at {offset} are not within the object")
        data = self._wherever(
            ref,
            here=lambda at: self._spool.read(at.container, at.offset + offset, length),
            there=lambda others, at: others.read(at.container, at.offset + offset, length),
            stored=lambda at: read_range(self._store, at.container, at.offset + offset, length),
        )
        if ref.location.where == IN_SPOOL and not (any(data[:_EDGE]) and any(data[-_EDGE:])):
            self._require_kept(ref)
        return data

    def read_part10(self, ref: InstanceRow) -> bytes:
        """Return the Part 10 file of an instance."""
        return self.read(ref, 0, ref.location.length)

    def read_dataset(self, ref: InstanceRow) -> bytes:
        """Return the data set of an instance as it was received."""
        return self.read(ref, ref.location.dataset_offset, ref.size_bytes)

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

    def _require_kept(self, ref: InstanceRow) -> None:
        """Raise NotFound when an instance was erased: in a spool zeros lie in its place then.

        Its row goes before its bytes do, so that what was read while there is one is what it was.
        """
        asked = select(instances.c.pk).where(*_is(ref))
        with self._database.read() as conn:
            if conn.execute(asked).first() is None:
                raise _missing(ref, "in the index")

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
                ).where(*_is(ref))
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


def _is(ref: InstanceRow) -> tuple[ColumnElement[bool], ...]:
    """Return what an instance is found by: its number may be another's once it was erased."""
    return (
        instances.c.pk == ref.pk,
        instances.c.sha256 == ref.sha256,
        instances.c.sop_instance_uid == ref.sop_instance_uid,
    )


def side_by_side(refs: Sequence[InstanceRow]) -> Iterator[list[InstanceRow]]:
    """Return instances in runs that lie one behind the other in a pack, with little in between."""
    run: list[InstanceRow] = []
    for ref in refs:
        if run and not _follows(run[-1].location, ref.location):
            yield run
            run = []
        run.append(ref)
    if run:
        yield run


def _some_of(run: Sequence[InstanceRow]) -> Iterator[Sequence[InstanceRow]]:
    for start in range(0, len(run), _OF_ONE_FILE):
        yield run[start : start + _OF_ONE_FILE]


def _out_of_file(descriptor: int, run: Sequence[InstanceRow]) -> Iterator[BinaryIO]:
    try:
        for ref in run:
            at = ref.location
            stretch = Stretch(descriptor, at.offset, at.length)
            yield exactly(stretch, at.length, ref.sop_instance_uid)
    finally:
        os.close(descriptor)


def _parts(run: Sequence[InstanceRow]) -> Iterator[tuple[int, int, str]]:
    position = run[0].location.offset
    for ref in run:
        at = ref.location
        yield at.offset - position, at.length, ref.sop_instance_uid
        position = at.offset + at.length


def _follows(before: Location, at: Location) -> bool:
    if before.in_spool or at.in_spool or before.container != at.container:
        return False
    return 0 <= at.offset - (before.offset + before.length) <= _GAP_BYTES


def _missing(ref: InstanceRow, place: str) -> NotFound:
    return NotFound(
        f"The bytes of {ref.sop_instance_uid} are not {place}. Run `lysbro verify`.",
        code="bytes-missing",
    )
