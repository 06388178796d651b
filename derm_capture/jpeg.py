"""Reads and rewrites the markers of a JPEG stream (ITU-T T.81 annex B).

Never touches a coded sample.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from casework.errors import Invalid

SOI, EOI, SOS, DQT, DHT, DAC, DRI, DNL, COM = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xCC, 0xDD, 0xDC, 0xFE
SOF_JPEG_LS = 0xF7  # ISO 14495-1 C.1.1
APP0, APP1, APP2, APP14, APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
SOF_BASELINE, SOF_EXTENDED, SOF_PROGRESSIVE, SOF_LOSSLESS = 0xC0, 0xC1, 0xC2, 0xC3
LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
FRAMES = frozenset(range(0xC0, 0xD0)) - {DHT, 0xC8, 0xCC}

_CODING = FRAMES | {DHT, DAC, DQT, DRI, DNL, SOS, EOI}
"""All that a decoder needs; what stands in other segments, reserved ones too, is never kept."""
_STANDALONE = frozenset({0x01, SOI, EOI, *range(0xD0, 0xD8)})
_NO_MARKER = np.zeros(
    256, dtype=bool
)  # what may follow 0xFF among coded samples (B.1.1.2, B.1.1.5)
_NO_MARKER[[0x00, 0xFF, *range(0xD0, 0xD8)]] = True
_ICC = b"ICC_PROFILE\x00"
_EXIF = b"Exif\x00"
_XMP = b"http://ns.adobe.com/xap/1.0/\x00"
_JFIF = b"JFIF\x00"
_PLAIN_JFIF = b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_USUAL_LUMA = frozenset({(1, 1), (2, 1), (1, 2), (2, 2), (4, 1)})
_STRETCH = 1 << 17
_MAX_SCANS = 200  # a progressive file of a camera has about ten
_ICC_CHUNK = 65519  # ITU-T T.872 annex: 65533 less the 14 bytes that name and number a chunk


class Colour(StrEnum):
    """What the components of a frame stand for."""

    GREY = "grey"
    YCC = "ycc"
    RGB = "rgb"
    CMYK = "cmyk"


@dataclass(frozen=True)
class Segment:
    """One marker with its payload; `start` is at 0xFF, `end` behind the last byte (of the scan for
    SOS).
    """

    marker: int
    start: int
    payload: int
    end: int


@dataclass(frozen=True)
class Component:
    """One component of a frame: its identifier and its sampling factors."""

    id: int
    horizontal: int
    vertical: int


@dataclass(frozen=True)
class Jpeg:
    """What the markers of a JPEG stream say; `end` is the offset behind EOI."""

    data: bytes
    segments: tuple[Segment, ...]
    process: int  # the SOF marker
    precision: int
    rows: int
    columns: int
    components: tuple[Component, ...]
    colour: Colour
    wide_tables: bool  # a quantisation table of 16 bits: not baseline
    end: int

    @property
    def mcu(self) -> tuple[int, int]:
        """Return width and height of a minimum coded unit in pixels."""
        return (
            8 * max(c.horizontal for c in self.components),
            8 * max(c.vertical for c in self.components),
        )

    @property
    def trailing_bytes(self) -> int:
        """Return how many bytes lie behind EOI: a second picture, a film, a gain map."""
        return len(self.data) - self.end

    def payloads(self, marker: int, prefix: bytes = b"") -> list[bytes]:
        """Return what stands behind a prefix in each segment of a kind."""
        return [
            self.data[s.payload + len(prefix) : s.end]
            for s in self.segments
            if s.marker == marker and self.data.startswith(prefix, s.payload, s.end)
        ]

    @property
    def exif(self) -> bytes:
        """Return the TIFF structure of the Exif segment, or nothing."""
        found = self.payloads(APP1, _EXIF)
        return found[0][1:] if found else b""

    @property
    def xmp(self) -> bytes:
        """Return the XMP packet, or nothing."""
        return b"".join(self.payloads(APP1, _XMP)[:1])

    @property
    def icc(self) -> bytes:
        """Return the embedded colour profile, put together of its chunks, or nothing."""
        chunks = sorted(self.payloads(APP2, _ICC))
        if not chunks or any(len(c) < 2 or c[0] != at for at, c in enumerate(chunks, 1)):
            return b""
        return b"".join(c[2:] for c in chunks) if len(chunks) == chunks[0][1] else b""


def is_jpeg(data: bytes) -> bool:
    """Tell whether bytes begin as a JPEG stream does."""
    return data.startswith(b"\xff\xd8\xff")


def read_jpeg(data: bytes) -> Jpeg:
    """Return the markers of a stream, or raise Invalid when it is cut off or no JPEG."""
    if not is_jpeg(data):
        raise Invalid("This is no JPEG file. Choose another picture.", code="not-an-image")
    segments = _walk(data)
    frames = [s for s in segments if s.marker in FRAMES]
    if len(frames) != 1 or not any(s.marker == SOS for s in segments):
        raise _broken()
    frame = data[frames[0].payload : frames[0].end]
    if len(frame) < 6 or len(frame) < 6 + 3 * frame[5]:
        raise _broken()
    precision, rows, columns, count = struct.unpack_from(">BHHB", frame)
    components = tuple(
        Component(frame[at], frame[at + 1] >> 4, frame[at + 1] & 15)
        for at in range(6, 6 + 3 * count, 3)
    )
    if not components or not rows or not columns:
        raise _broken()
    if any(not 1 <= f <= 4 for c in components for f in (c.horizontal, c.vertical)):
        raise _broken()
    return Jpeg(
        data=data,
        segments=segments,
        process=frames[0].marker,
        precision=precision,
        rows=rows,
        columns=columns,
        components=components,
        colour=_colour(data, segments, components),
        wide_tables=any(
            _has_wide_table(data[s.payload : s.end]) for s in segments if s.marker == DQT
        ),
        end=segments[-1].end,
    )


def is_usual(stream: Jpeg) -> bool:
    """Tell whether all decoders read this colour layout the same way."""
    if stream.colour is Colour.GREY:
        return stream.precision == 8
    if stream.colour is not Colour.YCC or stream.precision != 8:
        return False
    luma, *chroma = ((c.horizontal, c.vertical) for c in stream.components)
    return luma in _USUAL_LUMA and all(factors == (1, 1) for factors in chroma)


def clean(stream: Jpeg, *, icc: bytes = b"") -> bytes:
    """Return the stream with its coding segments untouched and every other one gone."""
    return b"".join(clean_pieces(stream, icc=icc))


def clean_pieces(stream: Jpeg, *, icc: bytes = b"") -> list[bytes | memoryview]:
    """Return what `clean` does in pieces, those of the stream not copied.

    What stays beside them is a JFIF header without thumbnail and, when given, the colour profile.
    Exif, XMP, IPTC, maker notes, comments, multi-picture tables and all that follows EOI are left
    out.
    """
    parts: list[bytes | memoryview] = [b"\xff\xd8", _segment(APP0, _PLAIN_JFIF)]
    chunks = [icc[at : at + _ICC_CHUNK] for at in range(0, len(icc), _ICC_CHUNK)]
    parts += [_segment(APP2, _ICC + bytes((at, len(chunks))) + c) for at, c in enumerate(chunks, 1)]
    return [*parts, *_coding(stream)]


def without_metadata(stream: Jpeg) -> bytes:
    """Return the stream with those segments alone that a decoder needs: coding segments, JFIF,
    Adobe.
    """
    kept = [
        stream.data[s.start : s.end]
        for s in stream.segments
        if s.marker == APP14 or (s.marker == APP0 and stream.data.startswith(_JFIF, s.payload))
    ]
    return b"".join([b"\xff\xd8", *kept, *_coding(stream)])


def scan_sha256(stream: Jpeg) -> str:
    """Return the hash over all that decides a pixel: tables, frame, scans, EOI, in their order."""
    return hashlib.sha256(b"".join(_coding(stream))).hexdigest()


def foreign_segments(stream: Jpeg) -> tuple[str, ...]:
    """Return the names of the segments that say more than how to decode the picture."""
    allowed = (_JFIF, _ICC)
    names = []
    for segment in stream.segments:
        is_app = APP0 <= segment.marker <= APP15 and segment.marker != APP14
        if segment.marker == COM:
            names.append("COM")
        elif segment.marker not in _CODING and not is_app and segment.marker not in (SOI, APP14):
            names.append(f"FF{segment.marker:02X}")
        elif is_app and not stream.data.startswith(allowed, segment.payload, segment.end):
            names.append(f"APP{segment.marker - APP0}")
    return tuple(names)


def _coding(stream: Jpeg) -> list[memoryview]:
    data = memoryview(stream.data)
    return [data[s.start : s.end] for s in stream.segments if s.marker in _CODING]


def _walk(data: bytes) -> tuple[Segment, ...]:
    segments = [Segment(SOI, 0, 2, 2)]
    position, scans = 2, 0
    starts = _marker_starts(data)
    while True:
        at = int(np.searchsorted(starts, position))
        if at == len(starts):
            raise _cut_off()
        start = int(starts[at])
        if segments[-1].marker == SOS:  # the entropy-coded data belong to their scan
            last = segments[-1]
            segments[-1] = Segment(
                SOS, last.start, last.payload, _before_fill(data, start, position)
            )
        marker = data[start + 1]
        if marker == EOI:
            segments.append(Segment(EOI, start, start + 2, start + 2))
            return tuple(segments)
        if marker == SOI:
            raise _broken()
        if marker == SOF_JPEG_LS:
            raise Invalid(
                "JPEG-LS pictures are not taken. Choose a JPEG, HEIC or PNG file.",
                code="unsupported-format",
            )
        if marker in _STANDALONE:
            position = start + 2
            continue
        if start + 4 > len(data):
            raise _cut_off()
        (length,) = struct.unpack_from(">H", data, start + 2)
        end = start + 2 + length
        if length < 2 or end > len(data):
            raise _cut_off() if length >= 2 else _broken()
        segments.append(Segment(marker, start, start + 4, end))
        position = end
        scans += marker == SOS
        if scans > _MAX_SCANS:
            raise _broken()


def _marker_starts(data: bytes) -> NDArray[np.intp]:
    """Return where 0xFF stands before a byte that makes it a marker, in coded samples too."""
    octets = np.frombuffer(data, dtype=np.uint8)
    found = []
    for first in range(0, len(octets) - 1, _STRETCH):  # no larger than a processor's cache
        here = np.flatnonzero(octets[first : min(first + _STRETCH, len(octets) - 1)] == 0xFF)
        here += first
        found.append(here[~_NO_MARKER[octets[here + 1]]])
    return np.concatenate(found)


def _before_fill(data: bytes, start: int, first: int) -> int:
    """Return where the fill bytes before a marker begin: they are legal (B.1.1.2) and left out."""
    while start > first and data[start - 1] == 0xFF:
        start -= 1
    return start


def _colour(
    data: bytes, segments: tuple[Segment, ...], components: tuple[Component, ...]
) -> Colour:
    if len(components) == 1:
        return Colour.GREY
    if len(components) != 3:
        return Colour.CMYK
    has_jfif = any(s.marker == APP0 and data.startswith(_JFIF, s.payload) for s in segments)
    adobe = [
        data[s.payload + 11]
        for s in segments
        if s.marker == APP14 and data.startswith(b"Adobe", s.payload) and s.end - s.payload >= 12
    ]
    if has_jfif:
        return Colour.YCC
    if adobe:
        return Colour.RGB if adobe[0] == 0 else Colour.YCC
    return Colour.RGB if bytes(c.id for c in components) == b"RGB" else Colour.YCC


def _has_wide_table(payload: bytes) -> bool:
    position = 0
    while position < len(payload):
        if payload[position] >> 4:
            return True
        position += 65
    return False


def _segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _cut_off() -> Invalid:
    return Invalid(
        "The picture is cut off: its end is missing. Take or choose it again.", code="truncated"
    )


def _broken() -> Invalid:
    return Invalid("The picture is damaged and cannot be read. Take it again.", code="damaged")
