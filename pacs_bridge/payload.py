"""Gives the data set of an instance as it goes out: as it is stored, or in another form.

Small objects are read whole, from a slow store a few ahead of their turn; large ones are streamed,
so that memory does not grow with what is sent. Sends nothing.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import Generic, TypeVar

from casework.errors import TooLarge, Unavailable
from pacs_bridge.compress import FORMS, to_lossless
from pacs_bridge.transcode import to_uncompressed
from storage.archive import Archive
from storage.rows import InstanceRow

SMALL_BYTES = 4 << 20
_CHUNK_BYTES = 1 << 20
_AHEAD = 4
_READERS = 2
_DECODED_BYTES = 1 << 30  # more is not decompressed in memory
_PIXEL_BYTES = 6  # at most: three samples of 16 bits

_TIMED = 8
_SLOW_S = 0.004  # as long as a slice takes to be sent

_Thing = TypeVar("_Thing")


@dataclass(frozen=True)
class Payload:
    """A data set on its way: its length, and its bytes in chunks, once."""

    size_bytes: int
    chunks: Iterator[bytes]


Load = Callable[[], Payload]


@dataclass(frozen=True)
class Job(Generic[_Thing]):
    """A thing to send, what loads it (None: nothing does) and whether it is small."""

    thing: _Thing
    load: Load | None = None
    is_small: bool = True


def loader(archive: Archive, row: InstanceRow, syntax: str) -> Load:
    """Return what gives the data set of an instance in a transfer syntax."""
    received = row.received
    if syntax != row.transfer_syntax_uid:
        if received is not None and syntax == received.restored_syntax:
            return lambda: Payload(received.restored_bytes, _restored(archive, row))
        return lambda: _converted(archive, row, syntax)
    if row.size_bytes > SMALL_BYTES:
        return lambda: Payload(row.size_bytes, _streamed(archive, row))
    return lambda: Payload(row.size_bytes, iter((archive.read_dataset(row),)))


def is_small(row: InstanceRow, syntax: str) -> bool:
    """Tell whether a data set may be held ready in memory before its turn."""
    if syntax == row.transfer_syntax_uid:
        return row.size_bytes <= SMALL_BYTES
    if syntax == row.received_syntax:  # decoded frame by frame while it goes out
        return False
    return max(row.size_bytes, _decoded_bytes(row)) <= SMALL_BYTES


def ahead(jobs: Iterable[Job[_Thing]]) -> Iterator[tuple[_Thing, Load | None]]:
    """Give the jobs in their order, each with what loads it.

    As long as loading is quick it is done when its turn comes, which costs least. Once most loads
    have been slow (a distant store, objects to decode) threads load the small ones among the next
    few ahead of their turn.
    """
    coming = iter(jobs)
    clock = _Clock()
    for job in coming:
        if clock.is_slow:
            yield from _in_threads(chain([job], coming))
            return
        yield job.thing, None if job.load is None else clock.timed(job.load)


def _in_threads(jobs: Iterable[Job[_Thing]]) -> Iterator[tuple[_Thing, Load | None]]:
    waiting: deque[tuple[_Thing, Load | None]] = deque()
    begun: deque[Future[Payload]] = deque(maxlen=_AHEAD + 1)
    with ThreadPoolExecutor(_READERS, thread_name_prefix="retrieve") as readers:

        def begin(job: Job[_Thing]) -> tuple[_Thing, Load | None]:
            if job.load is None or not job.is_small:
                return job.thing, job.load
            future: Future[Payload] = readers.submit(job.load)
            begun.append(future)
            return job.thing, future.result

        coming = iter(jobs)
        waiting.extend(map(begin, islice(coming, _AHEAD)))
        try:
            while waiting:
                yield waiting.popleft()
                waiting.extend(map(begin, islice(coming, 1)))
        finally:
            for future in begun:
                future.cancel()


class _Clock:
    """Times loads, and says whether most of the last few were slow."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=_TIMED)

    @property
    def is_slow(self) -> bool:
        """Tell whether it is worth a thread to load ahead."""
        return sum(took_s > _SLOW_S for took_s in self._last) > _TIMED // 2

    def timed(self, load: Load) -> Load:
        """Return what loads the same and is timed."""

        def loading() -> Payload:
            began_at = time.perf_counter()
            try:
                return load()
            finally:
                self._last.append(time.perf_counter() - began_at)

        return loading


def _streamed(archive: Archive, row: InstanceRow) -> Iterator[bytes]:
    left = row.size_bytes
    with archive.open_part10(row) as stream:
        _skip(stream.read, row.location.dataset_offset)
        while left:
            chunk = stream.read(min(_CHUNK_BYTES, left))
            if not chunk:
                raise Unavailable(
                    f"The object {row.sop_instance_uid} is cut off in the store. "
                    "Run `lysbro verify`.",
                    code="bytes-missing",
                )
            left -= len(chunk)
            yield chunk


def _restored(archive: Archive, row: InstanceRow) -> Iterator[bytes]:
    with archive.open_dataset_as_received(row) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk


def _skip(read: Callable[[int], bytes], count: int) -> None:
    while count and (skipped := len(read(count))):
        count -= skipped


def _converted(archive: Archive, row: InstanceRow, syntax: str) -> Payload:
    if max(row.size_bytes, _decoded_bytes(row)) > _DECODED_BYTES:
        raise TooLarge("The object is too large to be turned into another form.", code="too-large")
    source = row.received_syntax or row.transfer_syntax_uid
    turn = to_lossless if syntax in FORMS.values() else to_uncompressed
    with archive.open_as_received(row) as stream:
        dataset = turn(stream.read(), syntax, source=source)
    return Payload(len(dataset), iter((dataset,)))


def _decoded_bytes(row: InstanceRow) -> int:
    return (row.rows or 0) * (row.columns or 0) * max(1, row.frames or 1) * _PIXEL_BYTES
