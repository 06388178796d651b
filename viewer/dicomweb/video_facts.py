"""What a video says of itself: its transfer syntax, size, length and pace (PS3.5 section 8.2).

Reads sequence headers of MPEG-2 and the boxes of MPEG-4 files; decodes nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping

from casework.errors import Invalid
from storage.source import BytesSource, Source
from viewer.dicomweb.stream_facts import Facts, NotSupported

_ROOT = "1.2.840.10008.1.2.4."
_HEAD_BYTES = 1 << 20
_MOOV_BYTES = 64 << 20
_BOXES = 10_000
_VIDEO = frozenset({"YBR_PARTIAL_420"})
_RATES = (0.0, 24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60000 / 1001, 60.0)
_SAMPLE_ENTRY_BYTES = 78  # of a visual sample entry, before its own boxes (ISO 14496-12)


def of_mpeg2(source: Source) -> Facts:
    """Return what an MPEG-2 video says in its first sequence header (ISO 13818-2 6.2.2.1)."""
    head = source.read_at(0, _HEAD_BYTES)
    at = head.find(b"\0\0\1\xb3")
    if at < 0 or len(head) < at + 8:
        raise Invalid("The video has no MPEG-2 sequence header.", code="bad-stream")
    packed = int.from_bytes(head[at + 4 : at + 8], "big")
    columns, rows, code = packed >> 20, (packed >> 8) & 0xFFF, packed & 0xF
    if not columns or not rows or not 1 <= code < len(_RATES):
        raise Invalid("The MPEG-2 sequence header says no size or rate.", code="bad-stream")
    main, high = _both("100"), _both("101")
    is_high = columns > 720 or rows > 576
    return _facts(
        (*high,) if is_high else (*main, *high),
        rows,
        columns,
        method="ISO_13818_2",
        frame_time_ms=1000 / _RATES[code],
        length=source.size,
    )


def of_mp4(source: Source) -> Facts:
    """Return what the video track of an MPEG-4 file says (ISO 14496-12, 14496-15)."""
    movie = _find(source, b"moov")
    if movie is None or movie.size > _MOOV_BYTES:
        raise Invalid("The video has no movie box, or a huge one.", code="bad-stream")
    inside = BytesSource(movie.read_at(0, movie.size))
    for kind, track in _boxes(inside):
        if kind != b"trak":
            continue
        media = _find(track, b"mdia")
        handler = None if media is None else _find(media, b"hdlr")
        if media is None or handler is None or handler.read_at(8, 4) != b"vide":
            continue
        table = _path(media, b"minf", b"stbl")
        entry = None if table is None else _find(table, b"stsd")
        if table is None or entry is None:
            break
        return _of_track(source, media, table, entry)
    raise Invalid("The MPEG-4 file has no video track.", code="bad-stream")


READERS: Mapping[str, Callable[[Source], Facts]] = {
    "video/mpeg": of_mpeg2,
    "video/mpeg2": of_mpeg2,
    "video/mp4": of_mp4,
    "video/h265": of_mp4,
    "video/hevc": of_mp4,
}
"""Who reads the videos of a media type."""


def _of_track(source: Source, media: Source, table: Source, entries: Source) -> Facts:
    kind, entry = next(_boxes(entries, start=8), (b"", BytesSource(b"")))
    columns, rows = struct.unpack(">HH", entry.read_at(24, 4).rjust(4, b"\0"))
    if not columns or not rows:
        raise Invalid("The MPEG-4 file does not say how large its images are.", code="bad-stream")
    if kind in {b"avc1", b"avc3"}:
        syntaxes, method, bits = _h264(_configuration(entry, b"avcC")), "ISO_14496_10", 8
    elif kind in {b"hvc1", b"hev1"}:
        (syntaxes, bits), method = _hevc(_configuration(entry, b"hvcC")), "ISO_23008_2"
    else:
        raise NotSupported(
            f"Video of the kind {kind.decode('latin-1')!r} is not taken.", code="not-supported"
        )
    sizes = _find(table, b"stsz")
    count = 0 if sizes is None else int.from_bytes(sizes.read_at(8, 4), "big")
    return _facts(
        syntaxes,
        rows,
        columns,
        method=method,
        bits=bits,
        frames=count,
        frame_time_ms=_frame_time(media, count),
        length=source.size,
    )


def _h264(configuration: bytes) -> tuple[str, ...]:
    """Return the syntaxes of a profile and level: High, and what a decoder of it must read."""
    profile, flags, level = configuration[1], configuration[2], configuration[3]
    fits = profile in {77, 100} or (profile == 66 and flags & 0x40)
    if not fits or level > 42:
        raise NotSupported(
            f"H.264 of profile {profile} at level {level / 10} is not taken: High, at 4.2 at most.",
            code="not-supported",
        )
    lower = (*_both("102"), *_both("103")) if level <= 41 else ()
    return (*lower, *_both("104"), *_both("105"), *_both("106"))


def _hevc(configuration: bytes) -> tuple[tuple[str, ...], int]:
    profile, level = configuration[1] & 0x1F, configuration[12]
    if profile not in {1, 2} or level > 153:  # 30 times the level: 5.1
        raise NotSupported(
            "HEVC is taken of the profiles Main and Main 10, at level 5.1 at most.",
            code="not-supported",
        )
    main_10 = (f"{_ROOT}108",)
    return ((f"{_ROOT}107", *main_10), 8) if profile == 1 else (main_10, 10)


def _both(number: str) -> tuple[str, str]:
    """Return the syntax of one fragment, and the one of several (PS3.5 section A.4.5)."""
    return f"{_ROOT}{number}", f"{_ROOT}{number}.1"


def _facts(
    syntaxes: tuple[str, ...],
    rows: int,
    columns: int,
    *,
    method: str,
    length: int,
    bits: int = 8,
    frames: int = 0,
    frame_time_ms: float = 0.0,
) -> Facts:
    return Facts(
        syntaxes=syntaxes,
        rows=rows,
        columns=columns,
        samples=3,
        bits=bits,
        likely="YBR_PARTIAL_420",
        photometric=_VIDEO,
        lossy_method=method,
        length=length,
        frames=frames,
        frame_time_ms=frame_time_ms,
    )


def _frame_time(media: Source, count: int) -> float:
    header = _find(media, b"mdhd")
    if header is None or not count:
        return 0.0
    is_long = header.read_at(0, 1) == b"\1"
    data = header.read_at(20 if is_long else 12, 12)
    scale, duration = struct.unpack(">LQ" if is_long else ">LL", data[: 12 if is_long else 8])
    return 1000 * duration / scale / count if scale else 0.0


def _configuration(entry: Source, kind: bytes) -> bytes:
    found = next((box for k, box in _boxes(entry, start=_SAMPLE_ENTRY_BYTES) if k == kind), None)
    data = b"" if found is None else found.read_at(0, 32)
    if len(data) < (13 if kind == b"hvcC" else 4):
        raise Invalid("The MPEG-4 file does not say how its video is coded.", code="bad-stream")
    return data


def _path(source: Source, *kinds: bytes) -> Source | None:
    found: Source | None = source
    for kind in kinds:
        found = None if found is None else _find(found, kind)
    return found


def _find(source: Source, kind: bytes) -> Source | None:
    return next((box for k, box in _boxes(source) if k == kind), None)


def _boxes(source: Source, *, start: int = 0) -> Iterator[tuple[bytes, Source]]:
    """Yield the boxes of a stretch with their content; what is not whole ends them."""
    at = start
    for _ in range(_BOXES):
        head = source.read_at(at, 16)
        if len(head) < 8:
            return
        length, kind, inside = int.from_bytes(head[:4], "big"), head[4:8], 8
        if length == 1:
            length, inside = int.from_bytes(head[8:16], "big"), 16
        elif length == 0:
            length = source.size - at
        if length < inside or at + length > source.size:
            return
        yield kind, _Stretch(source, at + inside, length - inside)
        at += length


class _Stretch:
    """A part of another source."""

    def __init__(self, source: Source, offset: int, size: int) -> None:
        self._source = source
        self._offset = offset
        self.size = size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`, none behind the end."""
        length = min(length, self.size - offset)
        return self._source.read_at(self._offset + offset, length) if length > 0 else b""
