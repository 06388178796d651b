"""Finds the coded pictures of a track: by the tables of its movie box (ISO 14496-12 8.6, 8.7).

Knows no codec and no other track.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from casework.errors import TooLarge
from derm_capture.mp4 import damaged, find, need, unpack

MOST_SAMPLES = 20_000


@dataclass(frozen=True)
class Sample:
    """One coded picture: where it lies in the file, and its times in the units of the track."""

    offset: int
    size: int
    duration: int
    shift: int = 0  # from its time of decoding to that of being shown
    is_sync: bool = True


def too_many() -> TooLarge:
    """Return the error of a file with more pictures than are read."""
    return TooLarge("The film has too many pictures. Record a shorter one.", code="clip-long")


def table_samples(table: memoryview) -> Iterator[Sample]:
    """Yield the samples that the tables of the movie box name (8.6, 8.7)."""
    sizes_box = find(table, b"stsz")
    if sizes_box is None:
        raise damaged("it does not say how large its pictures are")
    size, count = unpack("II", sizes_box, 4)
    if count > MOST_SAMPLES:
        raise too_many()
    if not count:
        return
    sizes = (size,) * count if size else unpack(f"{count}I", sizes_box, 12)
    durations = _runs(need(table, b"stts"), count, "II")
    shifts_box = find(table, b"ctts")
    shifts: Sequence[int] = (0,) * count
    if shifts_box is not None:
        shifts = _runs(shifts_box, count, "Ii")
    sync_box, syncs = find(table, b"stss"), set(range(1, count + 1))
    if sync_box is not None:
        (many,) = unpack("I", sync_box, 4)
        syncs = set(unpack(f"{min(many, MOST_SAMPLES)}I", sync_box, 8))
    offsets = _offsets(table, sizes)
    for i in range(count):
        yield Sample(offsets[i], sizes[i], durations[i], shifts[i], i + 1 in syncs)


def _runs(content: memoryview, count: int, form: str) -> list[int]:
    """Return a value for each sample from runs of equal ones."""
    (many,) = unpack("I", content, 4)
    values: list[int] = []
    for i in range(min(many, MOST_SAMPLES)):
        run, value = unpack(form, content, 8 + 8 * i)
        values += [value] * min(run, count - len(values))
        if len(values) == count:
            return values
    raise damaged("its pictures have no times")


def _offsets(table: memoryview, sizes: Sequence[int]) -> list[int]:
    places_box, form, width = find(table, b"stco"), "I", 4
    if places_box is None:
        places_box, form, width = need(table, b"co64"), "Q", 8
    (chunks,) = unpack("I", places_box, 4)
    runs_box = need(table, b"stsc")
    (many,) = unpack("I", runs_box, 4)
    runs = [unpack("III", runs_box, 8 + 12 * i) for i in range(min(many, MOST_SAMPLES))]
    offsets: list[int] = []
    for i, (first, per_chunk, _description) in enumerate(runs):
        last = runs[i + 1][0] - 1 if i + 1 < len(runs) else chunks
        if not 0 < first <= last + 1 or per_chunk <= 0:
            raise damaged("its pictures are in no order")
        for chunk in range(first, min(last, chunks) + 1):
            (at,) = unpack(form, places_box, 8 + width * (chunk - 1))
            for _ in range(per_chunk):
                if len(offsets) == len(sizes):
                    return offsets
                offsets.append(at)
                at += sizes[len(offsets) - 1]
    if len(offsets) < len(sizes):
        raise damaged("its pictures lie nowhere")
    return offsets
