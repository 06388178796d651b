"""Finds the coded pictures of a track in movie fragments (ISO 14496-12 8.8), as browsers write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from derm_capture.clip_samples import MOST_SAMPLES, Sample, too_many
from derm_capture.mp4 import Bytes, boxes, find, need, places, unpack


def fragment_samples(data: Bytes, movie: memoryview, number: int) -> Iterator[Sample]:
    """Yield the samples of movie fragments (8.8), as browsers and streams write them."""
    extends = find(movie, b"mvex")
    if extends is None:
        return
    usual = next(
        (
            _Usual(*unpack("III", box, 12))
            for kind, box in boxes(extends)
            if kind == b"trex" and unpack("I", box, 4)[0] == number
        ),
        _Usual(0, 0, 0),
    )
    view, found = memoryview(data), list[Sample]()
    clock = 0
    for kind, start, content, end in places(view):
        if kind != b"moof":
            continue
        for part, fragment in boxes(view[content:end]):
            if part != b"traf" or unpack("I", need(fragment, b"tfhd"), 4)[0] != number:
                continue
            begins = _begins(fragment)
            if begins is not None and found:
                found[-1] = replace(found[-1], duration=_stretched(found[-1], begins - clock))
                clock = max(clock, begins)
            elif begins is not None:
                clock = begins
            for sample in _runs_of_fragment(fragment, start, usual):
                found.append(sample)
                clock += sample.duration
                if len(found) > MOST_SAMPLES:
                    raise too_many()
    yield from found


@dataclass(frozen=True)
class _Usual:
    """What holds for the samples of a fragment that do not say otherwise."""

    duration: int
    size: int
    flags: int


def _stretched(last: Sample, gap: int) -> int:
    """Return how long the last picture before a gap is shown."""
    return last.duration + max(gap, 0)


def _begins(fragment: memoryview) -> int | None:
    time = find(fragment, b"tfdt")
    return None if time is None else unpack("Q" if time[0] else "I", time, 4)[0]


def _runs_of_fragment(fragment: memoryview, start: int, usual: _Usual) -> Iterator[Sample]:
    header = need(fragment, b"tfhd")
    flags, at = unpack("I", header)[0] & 0xFFFFFF, 8
    base = start
    if flags & 1:
        (base,), at = unpack("Q", header, at), at + 8
    at += 4 if flags & 2 else 0
    given = [usual.duration, usual.size, usual.flags]
    for i, flag in enumerate((8, 0x10, 0x20)):
        if flags & flag:
            (given[i],), at = unpack("I", header, at), at + 4
    usual, place = _Usual(*given), base
    for kind, run in boxes(fragment):
        if kind == b"trun":
            for sample in _run(run, base, place, usual):
                yield sample
                place = sample.offset + sample.size


def _run(run: memoryview, base: int, place: int, usual: _Usual) -> Iterator[Sample]:
    head, count = unpack("II", run)
    flags, at = head & 0xFFFFFF, 8
    if count > MOST_SAMPLES:
        raise too_many()
    if flags & 1:
        place, at = base + unpack("i", run, at)[0], at + 4
    first_flags = None
    if flags & 4:
        (first_flags,), at = unpack("I", run, at), at + 4
    for i in range(count):
        values = [usual.duration, usual.size, usual.flags, 0]
        for j, (flag, form) in enumerate(((0x100, "I"), (0x200, "I"), (0x400, "I"), (0x800, "i"))):
            if flags & flag:
                (values[j],), at = unpack(form, run, at), at + 4
        if i == 0 and first_flags is not None:
            values[2] = first_flags
        duration, size, told, shift = values
        yield Sample(place, size, duration, shift, not told & 0x10000)
        place += size
