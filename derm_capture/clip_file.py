"""Writes one video track as a clean MP4 (ISO 14496-12, 14496-15): its pictures, and nothing that
tells who filmed where and when.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from derm_capture.clip_samples import Sample
from derm_capture.clip_track import Track
from derm_capture.h264 import pictures_of
from derm_capture.mp4 import Bytes, box, damaged, full_box

_MATRICES = {
    0: (1, 0, 0, 1),
    90: (0, 1, -1, 0),
    180: (-1, 0, 0, -1),
    270: (0, -1, 1, 0),
}
_ONE = 1 << 16
_UNDETERMINED = 0x55C4  # the language "und"
_MOST_TICKS = 0xFFFFFFFF


@dataclass(frozen=True)
class CleanFile:
    """A clean MP4: its pieces in their order, and how much was left out of the pictures."""

    pieces: tuple[Bytes, ...]
    dropped_bytes: int

    @property
    def size_bytes(self) -> int:
        """Return its length."""
        return sum(map(len, self.pieces))


def write_file(data: Bytes, track: Track, samples: Sequence[Sample]) -> CleanFile:
    """Return the file of some samples of a track; its length is even, as DICOM needs it."""
    view = memoryview(data)
    kept = [
        pictures_of(view[each.offset : each.offset + each.size], track.configuration)
        for each in samples
    ]
    sizes = [sum(map(len, stretches)) for stretches in kept]
    total = sum(sizes)
    head = box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomiso2avc1mp41")
    length = len(_movie(track, samples, sizes, 0))
    free = box(b"free", b"\0" * ((len(head) + length + total) % 2))
    begins = len(head) + length + len(free) + 8
    if begins + total > _MOST_TICKS:
        raise damaged("it is larger than a film can be")
    pieces: tuple[Bytes, ...] = (
        head
        + _movie(track, samples, sizes, begins)
        + free
        + struct.pack(">I4s", 8 + total, b"mdat"),
        *itertools.chain.from_iterable(kept),
    )
    return CleanFile(pieces, sum(each.size for each in samples) - total)


def _movie(track: Track, samples: Sequence[Sample], sizes: Sequence[int], begins: int) -> bytes:
    duration = sum(each.duration for each in samples)
    if not 0 < duration <= _MOST_TICKS or any(each.duration > _MOST_TICKS for each in samples):
        raise damaged("its times make no sense")
    matrix = _matrix(0)
    header = full_box(
        b"mvhd",
        struct.pack(">4I", 0, 0, track.timescale, duration),
        struct.pack(">IHH2I", _ONE, 0x0100, 0, 0, 0),
        matrix,
        bytes(24),
        struct.pack(">I", 2),
    )
    return box(b"moov", header, _trak(track, samples, sizes, begins, duration))


def _trak(
    track: Track, samples: Sequence[Sample], sizes: Sequence[int], begins: int, duration: int
) -> bytes:
    coding, (across, down) = track.configuration.coding, track.pixel_aspect
    header = full_box(
        b"tkhd",
        struct.pack(">5I", 0, 0, 1, 0, duration),
        bytes(16),
        _matrix(track.turn),
        struct.pack(">II", (coding.columns * across // down) << 16, coding.rows << 16),
        flags=3,
    )
    lowest = min(each.shift for each in samples)
    shifts = [each.shift - lowest for each in samples]
    times = itertools.accumulate((each.duration for each in samples), initial=0)
    start = min(time + shift for time, shift in zip(times, shifts, strict=False))
    edit = b""
    if start:
        shown = full_box(b"elst", struct.pack(">IIiHH", 1, duration, start, 1, 0))
        edit = box(b"edts", shown)
    reference = full_box(b"dref", struct.pack(">I", 1), full_box(b"url ", flags=1))
    media = box(
        b"mdia",
        full_box(b"mdhd", struct.pack(">4IHH", 0, 0, track.timescale, duration, _UNDETERMINED, 0)),
        full_box(b"hdlr", struct.pack(">I4s12x", 0, b"vide"), b"video\0"),
        box(
            b"minf",
            full_box(b"vmhd", bytes(8), flags=1),
            box(b"dinf", reference),
            _table(track, samples, sizes, shifts, begins),
        ),
    )
    return box(b"trak", header, edit, media)


def _table(
    track: Track,
    samples: Sequence[Sample],
    sizes: Sequence[int],
    shifts: Sequence[int],
    begins: int,
) -> bytes:
    coding, count = track.configuration.coding, len(samples)
    entry = [
        struct.pack(">6xH16x2H", 1, coding.columns, coding.rows),
        struct.pack(">3IH32x2H", 72 << 16, 72 << 16, 0, 1, 24, 0xFFFF),
        box(b"avcC", track.configuration.record),
    ]
    if track.pixel_aspect != (1, 1):
        entry.append(box(b"pasp", struct.pack(">II", *track.pixel_aspect)))
    parts = [
        full_box(b"stsd", struct.pack(">I", 1), box(b"avc1", *entry)),
        _runs(b"stts", (each.duration for each in samples)),
    ]
    if any(shifts):
        parts.append(_runs(b"ctts", shifts))
    syncs = [number for number, each in enumerate(samples, 1) if each.is_sync]
    if len(syncs) < count:
        parts.append(full_box(b"stss", struct.pack(f">I{len(syncs)}I", len(syncs), *syncs)))
    parts += [
        full_box(b"stsc", struct.pack(">4I", 1, 1, count, 1)),
        full_box(b"stsz", struct.pack(f">II{count}I", 0, count, *sizes)),
        full_box(b"stco", struct.pack(">II", 1, begins)),
    ]
    return box(b"stbl", *parts)


def _runs(kind: bytes, values: Iterable[int]) -> bytes:
    """Return a table of how often each value follows in a row."""
    runs = [(len(list(same)), value) for value, same in itertools.groupby(values)]
    pairs = b"".join(struct.pack(">II", count, value) for count, value in runs)
    return full_box(kind, struct.pack(">I", len(runs)), pairs)


def _matrix(turn: int) -> bytes:
    a, b, c, d = (each * _ONE for each in _MATRICES[turn])
    return struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
