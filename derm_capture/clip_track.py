"""Reads the video track of an MP4 or QuickTime file, whole or in fragments (ISO 14496-12): where
each picture lies, how long it is shown, how it is turned.

Everything else in the file is left unread.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from casework.errors import Invalid
from derm_capture.clip_fragments import fragment_samples
from derm_capture.clip_samples import MOST_SAMPLES, Sample, table_samples, too_many
from derm_capture.h264 import Configuration, read_configuration
from derm_capture.mp4 import Bytes, boxes, damaged, find, need, truncated, unpack

_ENTRY_BYTES = 78  # of a visual sample entry, before its own boxes (12.1.3)
_TURNS = {(1, 0, 0, 1): 0, (0, 1, -1, 0): 90, (-1, 0, 0, -1): 180, (0, -1, 1, 0): 270}
_ONE = 1 << 16
_CODINGS = {
    b"hvc1": "HEVC", b"hev1": "HEVC", b"dvh1": "HEVC", b"dvhe": "HEVC", b"vp08": "VP8",
    b"vp09": "VP9", b"av01": "AV1", b"apch": "ProRes", b"apcn": "ProRes", b"ap4h": "ProRes",
    b"mp4v": "MPEG-4 part 2", b"s263": "H.263", b"jpeg": "Motion JPEG",
}  # fmt: skip


@dataclass(frozen=True)
class Edit:
    """A stretch of the track that is shown, in the units of the track; `end` None: to its end."""

    start: int
    end: int | None


@dataclass(frozen=True)
class Track:
    """The video of a file."""

    timescale: int  # units in a second
    samples: tuple[Sample, ...]
    configuration: Configuration
    turn: int = 0  # degrees clockwise that a player turns the pictures by
    pixel_aspect: tuple[int, int] = (1, 1)  # across, down
    edit: Edit | None = None

    @property
    def duration(self) -> int:
        """Return how long all pictures are shown."""
        return sum(each.duration for each in self.samples)


def read_track(data: Bytes) -> Track:
    """Return the video track of a file, or raise Invalid with what to do."""
    movie = need(data, b"moov")
    for kind, track in boxes(movie):
        if kind == b"trak" and bytes(need(track, b"mdia", b"hdlr")[8:12]) == b"vide":
            return _of_track(data, movie, track)
    raise Invalid("The file holds no video. Choose a film that was filmed.", code="no-video")


def _of_track(data: Bytes, movie: memoryview, track: memoryview) -> Track:
    table = need(track, b"mdia", b"minf", b"stbl")
    entry = _entry(need(table, b"stsd"))
    header = need(track, b"mdia", b"mdhd")
    (timescale,) = unpack("I", header, 20 if header[0] else 12)
    if not timescale:
        raise damaged("it has no clock")
    samples = (
        *table_samples(table),
        *fragment_samples(data, movie, _number(track)),
    )
    if not samples:
        raise Invalid("The film has no pictures. Record it again.", code="no-video")
    if len(samples) > MOST_SAMPLES:
        raise too_many()
    for each in samples:
        if each.size <= 0 or each.offset < 0:
            raise damaged("a picture lies nowhere")
        if each.offset + each.size > len(data):
            raise truncated()
    if sum(each.size for each in samples) > len(data):
        raise damaged("its pictures lie over each other")
    boxes_of_entry = entry[_ENTRY_BYTES:]
    aspect = find(boxes_of_entry, b"pasp")
    across, down = unpack("II", aspect) if aspect is not None else (1, 1)
    return Track(
        timescale=timescale,
        samples=samples,
        configuration=read_configuration(need(boxes_of_entry, b"avcC")),
        turn=_turn(need(track, b"tkhd")),
        pixel_aspect=(across, down) if 0 < across < 10_000 and 0 < down < 10_000 else (1, 1),
        edit=_edit(movie, track, timescale),
    )


def _entry(descriptions: memoryview) -> memoryview:
    (count,) = unpack("I", descriptions, 4)
    kind, entry = next(boxes(descriptions[8:]), (b"", memoryview(b"")))
    if kind in (b"avc1", b"avc3"):
        if count != 1:
            raise Invalid(
                "The film is put together from several. Record it again in one go.",
                code="changing-clip",
            )
        return entry
    name = _CODINGS.get(kind, f"'{kind.decode('latin-1')}'")
    raise Invalid(
        f"The film is coded as {name}; H.264 is taken. On an iPhone choose Settings, Camera,"
        " Formats, Most Compatible; on other phones turn off HEVC or 'efficient video'.",
        code="clip-coding",
    )


def _number(track: memoryview) -> int:
    header = need(track, b"tkhd")
    return unpack("I", header, 20 if header[0] else 12)[0]


def _turn(header: memoryview) -> int:
    a, b, _u, c, d, _v, _x, _y, _w = unpack("9i", header, 52 if header[0] else 40)
    quarter = tuple(each // _ONE for each in (a, b, c, d))
    if quarter in _TURNS and not any(each % _ONE for each in (a, b, c, d)):
        return _TURNS[quarter]
    raise Invalid(
        "The film is mirrored or tilted, which changes left and right. Film with the rear camera.",
        code="clip-mirrored",
    )


def _edit(movie: memoryview, track: memoryview, timescale: int) -> Edit | None:
    content = find(track, b"edts", b"elst")
    if content is None:
        return None
    header = need(movie, b"mvhd")
    (movie_scale,) = unpack("I", header, 20 if header[0] else 12)
    form, size = ("Qqi", 20) if content[0] else ("Iii", 12)
    (count,) = unpack("I", content, 4)
    entries = [
        unpack(form, content, 8 + size * i) for i in range(min(count, (len(content) - 8) // size))
    ]
    shown = [each for each in entries if each[1] != -1]  # the others are waits before the start
    if not shown:
        return None
    if len(shown) > 1 or shown[0][2] != _ONE or shown[0][1] < 0 or not movie_scale:
        raise Invalid(
            "The film was cut or slowed down on the phone. Send it as it was filmed.",
            code="clip-edited",
        )
    duration, start, _rate = shown[0]
    length = -(-duration * timescale // movie_scale)
    return Edit(start, start + length if duration else None)


def shown_samples(track: Track) -> tuple[Sample, ...]:
    """Return the pictures that a player shows, or raise Invalid where hidden ones cannot be left
    out: what was cut away on the phone must not travel along.
    """
    samples = track.samples
    times = _times(samples)
    if not samples[0].is_sync:
        raise damaged("its first picture is missing")
    if track.edit is None:
        return samples
    start, end = track.edit.start, track.edit.end
    first = max(
        (i for i, each in enumerate(samples) if each.is_sync and times[i] <= start), default=0
    )
    last = len(samples)
    while end is not None and last > first and times[last - 1] >= end:
        last -= 1
    hidden = [
        i
        for i in range(first, last)
        if times[i] + max(samples[i].duration, 1) <= start or (end is not None and times[i] >= end)
    ]
    if hidden or first == last:
        raise Invalid(
            f"The film was shortened on the phone and still holds {max(len(hidden), 1)} pictures"
            " that were cut away. Send the whole film, or record a new one.",
            code="clip-edited",
        )
    return samples[first:last]


def _times(samples: Sequence[Sample]) -> list[int]:
    begins = itertools.accumulate((each.duration for each in samples), initial=0)
    return [begin + each.shift for begin, each in zip(begins, samples, strict=False)]
