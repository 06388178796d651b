"""What a compressed frame says of itself: its transfer syntax, size, depth and colour.

Reads the head of JPEG, JPEG-LS, JPEG 2000 and RLE streams; decodes nothing, knows no data set.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from casework.errors import Invalid
from storage.source import Source

JPEG_LOSSY = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.57"
JPEG_LOSSLESS_SV1 = "1.2.840.10008.1.2.4.70"
JPEG_LS, JPEG_LS_NEAR = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"
J2K_LOSSLESS, J2K = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"
HTJ2K_LOSSLESS, HTJ2K_RPCL = "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202"
HTJ2K = "1.2.840.10008.1.2.4.203"
RLE = "1.2.840.10008.1.2.5"

RGB, YBR = frozenset({"RGB"}), frozenset({"YBR_FULL_422", "YBR_FULL"})
GREY = frozenset({"MONOCHROME2", "MONOCHROME1", "PALETTE COLOR"})
ANY_COLOUR = RGB | YBR
_SEGMENTS = 4096
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


class NotSupported(Invalid):
    """The stream is whole, and of a transfer syntax that is not taken (PS3.18 I.2-2: C122)."""


@dataclass(frozen=True)
class Facts:
    """What a stream says. `photometric` is what it may be, the most likely one in `likely`."""

    syntaxes: tuple[str, ...]  # that it may be written in, the right one when none is named first
    rows: int = 0  # 0: it does not say
    columns: int = 0
    samples: int = 0
    bits: int = 0
    is_signed: bool = False
    likely: str = ""
    photometric: frozenset[str] = frozenset()
    lossy_method: str = ""  # empty: lossless
    offset: int = 0  # where the code stream begins in what was sent
    length: int = 0
    frames: int = 0  # of a video; 0: it does not say
    frame_time_ms: float = 0.0


def of_jpeg(source: Source) -> Facts:
    """Return what a JPEG stream (ISO 10918-1) says."""
    adobe, is_jfif = -1, False
    for marker, at, length in _jpeg_segments(source):
        if marker == 0xE0 and source.read_at(at, 5) == b"JFIF\0":
            is_jfif = True
        elif marker == 0xEE and length >= 12 and source.read_at(at, 5) == b"Adobe":
            adobe = source.read_at(at + 11, 1)[0]
        elif marker in {0xC0, 0xC1, 0xC3}:
            frame = _jpeg_frame(source, at, length)
            scan = next((a for m, a, _ in _jpeg_segments(source) if m == 0xDA), None)
            if scan is None:
                raise Invalid("The JPEG has no scan.", code="bad-stream")
            return _jpeg_facts(source, marker, frame, scan, adobe=adobe, is_jfif=is_jfif)
        elif 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            raise NotSupported(
                f"A JPEG of process SOF{marker - 0xC0} has no transfer syntax that is taken.",
                code="not-supported",
            )
    raise Invalid("The JPEG has no frame.", code="bad-stream")


def of_jpeg_ls(source: Source) -> Facts:
    """Return what a JPEG-LS stream (ISO 14495-1) says."""
    frame: _Frame | None = None
    for marker, at, length in _jpeg_segments(source):
        if (
            marker == 0xE8
            and source.read_at(at, 4) == b"mrfx"
            and source.read_at(at + 4, 1) != b"\0"
        ):
            raise NotSupported(
                "A colour transform inside JPEG-LS is not taken.", code="not-supported"
            )
        if marker == 0xF7:
            frame = _jpeg_frame(source, at, length)
        elif marker == 0xDA and frame is not None:
            components = source.read_at(at, 1)[0]
            near = source.read_at(at + 1 + 2 * components, 1)
            is_lossy = near not in {b"", b"\0"}
            return Facts(
                syntaxes=(JPEG_LS_NEAR,) if is_lossy else (JPEG_LS, JPEG_LS_NEAR),
                rows=frame.rows,
                columns=frame.columns,
                samples=frame.samples,
                bits=frame.bits,
                likely="MONOCHROME2" if frame.samples == 1 else "RGB",
                photometric=GREY if frame.samples == 1 else ANY_COLOUR,
                lossy_method="ISO_14495_1" if is_lossy else "",
                length=source.size,
            )
    raise Invalid("The JPEG-LS stream has no frame or no scan.", code="bad-stream")


def of_jpeg_2000(source: Source) -> Facts:
    """Return what a JPEG 2000 or HTJ2K code stream says, bare or in a JP2 file (ISO 15444-1)."""
    start, size = _code_stream(source)
    head = source.read_at(start, 4)
    if head != b"\xff\x4f\xff\x51":
        raise Invalid("The JPEG 2000 stream has no SIZ at its beginning.", code="bad-stream")
    siz = source.read_at(start + 6, 36)
    if len(siz) < 36:
        raise Invalid("The JPEG 2000 stream is cut short.", code="bad-stream")
    capabilities, width, height, left, top = struct.unpack_from(">HLLLL", siz)
    samples, depth = struct.unpack_from(">H", siz, 34)[0], source.read_at(start + 42, 1)[0]
    if samples not in {1, 3} or width <= left or height <= top:
        raise Invalid("The JPEG 2000 stream has no size, or not 1 or 3 samples.", code="bad-stream")
    style = _coding_style(source, start)
    is_reversible, is_high = style[9] == 1, bool(capabilities & 0x4000)
    has_transform = bool(style[4])
    if samples == 1:
        likely, allowed = "MONOCHROME2", GREY
    elif has_transform:
        likely = "YBR_RCT" if is_reversible else "YBR_ICT"
        allowed = RGB | {likely}  # many say RGB, and mean what a decoder gives
    else:
        likely, allowed = "RGB", ANY_COLOUR
    return Facts(
        syntaxes=_syntaxes_2000(is_high, is_reversible, is_rpcl=style[1] == 2),
        rows=height - top,
        columns=width - left,
        samples=samples,
        bits=(depth & 0x7F) + 1,
        is_signed=bool(depth & 0x80),
        likely=likely,
        photometric=allowed,
        lossy_method="" if is_reversible else "ISO_15444_15" if is_high else "ISO_15444_1",
        offset=start,
        length=size,
    )


def of_rle(source: Source) -> Facts:
    """Return what an RLE frame (PS3.5 annex G) says: that it is one, and nothing of the image."""
    head = source.read_at(0, 64)
    if len(head) < 64:
        raise Invalid("The RLE frame is cut short.", code="bad-stream")
    count, *offsets = struct.unpack("<16L", head)
    used = offsets[:count]
    if not 1 <= count <= 15 or used[0] != 64 or sorted(used) != used or used[-1] > source.size:
        raise Invalid("The RLE frame has no header of segments.", code="bad-stream")
    return Facts(syntaxes=(RLE,), length=source.size)


READERS: Mapping[str, Callable[[Source], Facts]] = {
    "image/jpeg": of_jpeg,
    "image/jls": of_jpeg_ls,
    "image/x-jls": of_jpeg_ls,
    "image/jp2": of_jpeg_2000,
    "image/jphc": of_jpeg_2000,
    "image/dicom-rle": of_rle,
    "image/x-dicom-rle": of_rle,
}
"""Who reads the frames of a media type (PS3.18 section 8.7.3, and names that are in use)."""


@dataclass(frozen=True)
class _Frame:
    bits: int
    rows: int
    columns: int
    samples: int
    identifiers: bytes
    is_subsampled: bool


def _jpeg_segments(source: Source) -> Iterator[tuple[int, int, int]]:
    """Yield each marker with where its content begins and how long it is, up to the first scan."""
    if source.read_at(0, 2) != b"\xff\xd8":
        raise Invalid("The stream does not begin as a JPEG does.", code="bad-stream")
    at = 2
    for _ in range(_SEGMENTS):
        head = source.read_at(at, 4)
        if len(head) < 4 or head[0] != 0xFF:
            break
        marker = head[1]
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            length = int.from_bytes(head[2:], "big")
            yield marker, at + 4, length - 2
            if marker == 0xDA or length < 2:
                return
            at += 2 + length
    raise Invalid("The JPEG is cut short, or its markers are not in order.", code="bad-stream")


def _jpeg_frame(source: Source, at: int, length: int) -> _Frame:
    head = source.read_at(at, max(length, 0))
    if len(head) < 6 or len(head) < 6 + 3 * head[5]:
        raise Invalid("The header of the JPEG frame is cut short.", code="bad-stream")
    bits, rows, columns, samples = struct.unpack_from(">BHHB", head)
    if samples not in {1, 3} or not rows or not columns:
        raise Invalid("The JPEG has no size, or not 1 or 3 components.", code="bad-stream")
    parts = [head[6 + 3 * n : 9 + 3 * n] for n in range(samples)]
    factors = {part[1] for part in parts}
    return _Frame(bits, rows, columns, samples, bytes(p[0] for p in parts), len(factors) > 1)


def _jpeg_facts(
    source: Source, marker: int, frame: _Frame, scan: int, *, adobe: int, is_jfif: bool
) -> Facts:
    components = source.read_at(scan, 1)
    selector = source.read_at(scan + 1 + 2 * components[0], 1) if components else b""
    syntaxes: tuple[str, ...]
    if marker == 0xC0:
        syntaxes = (JPEG_LOSSY, JPEG_EXTENDED)
    elif marker == 0xC1:
        syntaxes = (JPEG_EXTENDED,)
    else:
        syntaxes = (JPEG_LOSSLESS_SV1, JPEG_LOSSLESS) if selector == b"\1" else (JPEG_LOSSLESS,)
    if frame.bits != 8 and marker == 0xC0:
        raise Invalid("A baseline JPEG has 8 bits.", code="bad-stream")
    is_lossy = marker != 0xC3
    likely, allowed = "MONOCHROME2", GREY
    if frame.samples == 3:
        is_ybr = is_jfif or adobe == 1
        is_rgb = not is_ybr and (adobe == 0 or frame.identifiers == b"RGB")
        is_rgb = is_rgb or (not is_ybr and not is_lossy)
        likely = "RGB" if is_rgb else "YBR_FULL_422" if frame.is_subsampled else "YBR_FULL"
        allowed = YBR if is_ybr else RGB if adobe == 0 else ANY_COLOUR
    return Facts(
        syntaxes=syntaxes,
        rows=frame.rows,
        columns=frame.columns,
        samples=frame.samples,
        bits=frame.bits,
        likely=likely,
        photometric=allowed,
        lossy_method="ISO_10918_1" if is_lossy else "",
        length=source.size,
    )


def _code_stream(source: Source) -> tuple[int, int]:
    """Return where the code stream of a JP2 file lies, or of a bare one: all of it."""
    if source.read_at(4, 4) != b"jP  ":
        return 0, source.size
    at = 0
    for _ in range(_SEGMENTS):
        head = source.read_at(at, 16)
        if len(head) < 8:
            break
        length, kind, inside = int.from_bytes(head[:4], "big"), head[4:8], 8
        if length == 1:
            length, inside = int.from_bytes(head[8:16], "big"), 16
        elif length == 0:
            length = source.size - at
        if length < inside or at + length > source.size:
            break
        if kind == b"jp2c":
            return at + inside, length - inside
        at += length
    raise Invalid("The JP2 file has no code stream.", code="bad-stream")


def _coding_style(source: Source, start: int) -> bytes:
    """Return the content of the COD segment (ISO 15444-1 A.6.1), which is in the main header."""
    at = start + 2
    for _ in range(_SEGMENTS):
        head = source.read_at(at, 4)
        if len(head) < 4 or head[0] != 0xFF or head[1] in {0x90, 0xD9}:
            break
        length = int.from_bytes(head[2:], "big")
        if head[1] == 0x52:
            style = source.read_at(at + 4, length - 2)
            if len(style) >= 10:
                return style
            break
        at += 2 + length
    raise Invalid("The JPEG 2000 stream does not say how it is coded.", code="bad-stream")


def _syntaxes_2000(is_high: bool, is_reversible: bool, *, is_rpcl: bool) -> tuple[str, ...]:
    if not is_high:
        return (J2K_LOSSLESS, J2K) if is_reversible else (J2K,)
    if not is_reversible:
        return (HTJ2K,)
    return (HTJ2K_LOSSLESS, HTJ2K_RPCL, HTJ2K) if is_rpcl else (HTJ2K_LOSSLESS, HTJ2K)
