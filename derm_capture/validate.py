"""Checks a wrapped photograph or film against its own pixel data: general checkers do not read the
stream inside.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Collection, Iterator

import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments
from pydicom.errors import InvalidDicomError

from casework.errors import Invalid
from derm_capture import jpeg, validate_clip
from derm_capture.header_check import header_problems
from derm_capture.stored import JPEG_BASELINE, JPEG_LS_LOSSLESS

_GPS = range(0x00160070, 0x0016008F)
_NEVER = (0x0016002B, 0x0016004D)  # maker note, camera owner
_SPIFF = 0xE8
_SPIFF_PARTS = (b"SPIFF\x00", b"\x00\x00\x00\x01")  # its header and the end of its directory
_RATIO_TOLERANCE = 0.01


def check(part10: bytes, *, known: Collection[str] | None = None) -> tuple[str, ...]:
    """Return what is wrong with a wrapped photograph, in words; nothing when all is right.

    `known` are the UIDs of the instances of its study, where the caller has them: then what it
    refers to must be among them.
    """
    try:
        ds = pydicom.dcmread(io.BytesIO(part10))
        fragments = list(generate_fragments(ds.PixelData))[1:]  # the first item is the offset table
    except (InvalidDicomError, AttributeError, ValueError, EOFError, struct.error) as error:
        return (f"not a photograph object: {error}",)
    if len(fragments) != 1:
        return (f"{len(fragments)} fragments where one frame is one fragment",)
    stream = fragments[0]
    problems = [*_odd_lengths(stream), *_private_matters(ds)]
    problems += header_problems(ds, known=known)
    syntax = str(ds.file_meta.TransferSyntaxUID)
    if syntax in validate_clip.SYNTAXES:
        return (*problems, *validate_clip.problems(ds, stream))
    problems += _colour(ds)
    if syntax == JPEG_BASELINE:
        problems += _jpeg_problems(ds, stream)
    elif syntax == JPEG_LS_LOSSLESS:
        problems += _jpeg_ls_problems(ds, stream)
    else:
        problems.append(f"transfer syntax {syntax} is none that photographs are stored in")
    return tuple(problems)


def _odd_lengths(stream: bytes) -> Iterator[str]:
    if len(stream) % 2:
        yield "the fragment has an odd length"


def _private_matters(ds: Dataset) -> Iterator[str]:
    for element in ds.iterall():
        if int(element.tag) in _GPS or int(element.tag) in _NEVER:
            yield f"{element.tag} tells where or whose the camera was"


def _colour(ds: Dataset) -> Iterator[str]:
    if ds.SamplesPerPixel == 3 and "ICCProfile" not in ds:
        yield "a colour picture without ICC profile"
    if ds.get("LossyImageCompression") == "00" and "LossyImageCompressionRatio" in ds:
        yield "never lossy, and yet with a compression ratio"
    if ds.get("LossyImageCompression") == "01" and not (
        ds.get("LossyImageCompressionRatio") and ds.get("LossyImageCompressionMethod")
    ):
        yield "lossy, but by which method and how much is not said"


def _jpeg_problems(ds: Dataset, stream: bytes) -> Iterator[str]:
    try:
        found = jpeg.read_jpeg(stream)
    except Invalid as error:
        yield f"the stream is no whole JPEG: {error.message}"
        return
    if found.process != jpeg.SOF_BASELINE or found.precision != 8:
        yield "the stream is not baseline JPEG"
    if (found.rows, found.columns) != (ds.Rows, ds.Columns):
        size = f"{found.columns}x{found.rows}"
        yield f"the stream has {size} pixels, the header {ds.Columns}x{ds.Rows}"
    photometric = {jpeg.Colour.GREY: "MONOCHROME2", jpeg.Colour.YCC: "YBR_FULL_422"}.get(
        found.colour
    )
    if photometric != ds.PhotometricInterpretation:
        yield f"the stream is {found.colour.value}, the header says {ds.PhotometricInterpretation}"
    if len(found.components) != ds.SamplesPerPixel:
        yield f"the stream has {len(found.components)} components, the header {ds.SamplesPerPixel}"
    if not jpeg.is_usual(found):
        factors = " ".join(f"{c.horizontal}x{c.vertical}" for c in found.components)
        yield f"the components are sampled {factors}, which decoders read in different ways"
    for name in jpeg.foreign_segments(found):
        yield f"the stream holds {name}"
    if found.icc.rstrip(b"\x00") != _stated_profile(ds) and found.icc:
        yield "the profile in the stream is not that of the header"
    yield from _behind(stream, found.end)
    if ds.get("LossyImageCompression") != "01":
        yield "JPEG, but not said to be lossy"
        return
    ratio = ds.Rows * ds.Columns * ds.SamplesPerPixel / found.end
    told = float(ds.LossyImageCompressionRatio)
    if abs(told - ratio) > _RATIO_TOLERANCE * ratio:
        yield f"compression ratio {told}, but it is {ratio:.4g}"


def _stated_profile(ds: Dataset) -> bytes:
    return bytes(ds.get("ICCProfile") or b"").rstrip(b"\x00")


def _behind(stream: bytes, end: int) -> Iterator[str]:
    """Say what lies behind a stream but for the byte that makes its length even (A.4)."""
    if stream[end:] not in (b"", b"\x00"):
        yield f"{len(stream) - end} bytes behind EOI"


def _jpeg_ls_problems(ds: Dataset, stream: bytes) -> Iterator[str]:
    at, frame = 2, b""
    while stream[at : at + 1] == b"\xff" and stream[at + 1 : at + 2] not in (b"\xda", b""):
        marker, end = stream[at + 1], at + 2 + int.from_bytes(stream[at + 2 : at + 4])
        if marker == jpeg.SOF_JPEG_LS:
            frame = stream[at + 4 : end]
        elif marker != _SPIFF or not stream.startswith(_SPIFF_PARTS, at + 4):
            yield f"the stream holds FF{marker:02X}"
        at = end
    scan = stream[at + 4 : at + 2 + int.from_bytes(stream[at + 2 : at + 4])]
    if len(frame) < 6 or len(scan) < 4:
        yield "the stream is no JPEG-LS"
        return
    precision, rows, columns, components = struct.unpack_from(">BHHB", frame)
    if (rows, columns, components) != (ds.Rows, ds.Columns, ds.SamplesPerPixel) or precision != 8:
        yield f"the stream has {columns}x{rows}x{components} samples, the header others"
    if scan[-3]:  # NEAR (ISO 14495-1 C.2.3)
        yield "the stream is near-lossless, the transfer syntax lossless"
    if ds.PhotometricInterpretation != "RGB":
        yield f"JPEG-LS holds RGB here, the header says {ds.PhotometricInterpretation}"
    end = stream.find(b"\xff\xd9", at)  # samples never look so (A.1)
    yield from _behind(stream, end + 2) if end >= 0 else ("the stream has no end",)
    if ds.get("LossyImageCompression") == "01" and not _is_ratio(ds.LossyImageCompressionRatio):
        yield f"compression ratio {ds.LossyImageCompressionRatio}"


def _is_ratio(value: object) -> bool:
    try:
        return 0 < float(str(value)) < float("inf")
    except ValueError:
        return False
