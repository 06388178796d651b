"""Decodes one frame of pixel data to an array: every transfer syntax that carries still images.

Limits hold before anything is decoded. Knows nothing of windows, files or the web.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np

from casework.errors import Invalid, TooLarge
from viewer.codestreams import stated_size
from viewer.planes import Pixels, from_422, from_rle, rgb_of_ybr, stored_values

NATIVE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"})
BIG_ENDIAN = "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
_JPEG = frozenset({JPEG_BASELINE, "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.53"})
_JPEG_LOSSLESS = frozenset({"1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"})
_JPEG_LS = frozenset({"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"})
_JPEG_2000 = frozenset({f"1.2.840.10008.1.2.4.{n}" for n in (90, 91, 92, 93)})
_HTJ2K = frozenset({f"1.2.840.10008.1.2.4.{n}" for n in (201, 202, 203)})
_JPEG_XL = frozenset({f"1.2.840.10008.1.2.4.{n}" for n in (110, 111, 112)})
DECODABLE = (
    NATIVE | {BIG_ENDIAN, RLE} | _JPEG | _JPEG_LOSSLESS | _JPEG_LS | _JPEG_2000 | _HTJ2K | _JPEG_XL
)
"""Transfer syntaxes of still images; what is not one of them is video or a reference."""


@dataclass(frozen=True)
class PixelLimits:
    """What a frame may be at most; past it nothing is decoded."""

    max_pixels: int = 120_000_000
    max_bytes: int = 512 << 20


LIMITS = PixelLimits()


@dataclass(frozen=True)
class Shape:
    """How the header says that one frame lies (PS3.3 C.7.6.3)."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    photometric: str
    planar: bool
    is_float: bool

    @property
    def native_bits(self) -> int:
        """Return the bits of one uncompressed frame."""
        samples = {"YBR_FULL_422": 2, "YBR_PARTIAL_422": 2, "YBR_PARTIAL_420": 1.5}.get(
            self.photometric if self.samples == 3 else "", self.samples
        )
        return int(self.rows * self.columns * samples * self.bits_allocated)


@dataclass(frozen=True)
class Decoded:
    """A frame: stored values (rows, columns) or RGB (rows, columns, 3)."""

    pixels: Pixels
    is_colour: bool
    photometric: str  # MONOCHROME1, MONOCHROME2, PALETTE COLOR or RGB


def shape_of(attributes: Mapping[str, Any], *, limits: PixelLimits = LIMITS) -> Shape:
    """Return the shape that the attributes state, or raise Invalid or TooLarge."""
    rows, columns = _whole(attributes, "Rows", 0), _whole(attributes, "Columns", 0)
    samples = _whole(attributes, "SamplesPerPixel", 1)
    bits = _whole(attributes, "BitsAllocated", 16)
    stored = _whole(attributes, "BitsStored", bits)
    if not rows or not columns or samples not in {1, 3, 4} or bits not in {1, 8, 16, 32, 64}:
        raise Invalid("The object does not say how its pixels lie.", code="no-pixels")
    if (
        rows * columns > limits.max_pixels
        or rows * columns * samples * bits // 8 > limits.max_bytes
    ):
        raise TooLarge(
            f"The image has {columns} x {rows} pixels, more than is shown here.",
            code="image-too-large",
        )
    stored = stored if 0 < stored <= bits else bits
    high = _whole(attributes, "HighBit", stored - 1)
    return Shape(
        rows=rows,
        columns=columns,
        samples=samples,
        bits_allocated=bits,
        bits_stored=stored,
        high_bit=high if stored - 1 <= high < bits else stored - 1,
        signed=_whole(attributes, "PixelRepresentation", 0) == 1,
        photometric=str(attributes.get("PhotometricInterpretation", "MONOCHROME2")).strip(),
        planar=_whole(attributes, "PlanarConfiguration", 0) == 1,
        is_float=bits >= 32 and attributes.get("SOPClassUID") == PARAMETRIC_MAP,
    )


def decode(
    data: bytes,
    transfer_syntax_uid: str,
    attributes: Mapping[str, Any],
    *,
    limits: PixelLimits = LIMITS,
) -> Decoded:
    """Return one frame, colour as RGB; raise Invalid when it cannot be decoded."""
    shape = shape_of(attributes, limits=limits)
    if transfer_syntax_uid in NATIVE:
        pixels = _native(data, shape, "<")
    elif transfer_syntax_uid == BIG_ENDIAN:
        pixels = _native(data, shape, ">")
    elif transfer_syntax_uid in DECODABLE:
        pixels, is_rgb = _compressed(data, transfer_syntax_uid, shape, limits)
        if is_rgb and pixels.ndim == 3:
            return Decoded(np.ascontiguousarray(pixels[:, :, :3]), True, "RGB")
    else:
        raise Invalid(
            "The pixels are in a form that is not shown here (video or a reference).",
            code="not-shown",
        )
    return _coloured(pixels, shape)


def samples_of(
    data: bytes,
    transfer_syntax_uid: str,
    attributes: Mapping[str, Any],
    *,
    limits: PixelLimits = LIMITS,
) -> tuple[Pixels, str]:
    """Return the samples of one compressed frame, and their photometric interpretation.

    Colour stays what the header says, but where the decoder itself has made it RGB.
    """
    if transfer_syntax_uid not in DECODABLE - NATIVE - {BIG_ENDIAN}:
        raise Invalid(
            "The pixels are in a form that is not shown here (video or a reference).",
            code="not-shown",
        )
    shape = shape_of(attributes, limits=limits)
    pixels, is_rgb = _compressed(data, transfer_syntax_uid, shape, limits)
    return pixels, "RGB" if is_rgb and pixels.ndim == 3 else shape.photometric


def decodes_to_rgb(transfer_syntax_uid: str, photometric: str) -> bool:
    """Tell whether colour in a compressed form comes out of its decoder as RGB."""
    if transfer_syntax_uid in _JPEG | _JPEG_XL:
        return True
    is_wavelet = transfer_syntax_uid in _JPEG_2000 | _HTJ2K
    return is_wavelet and photometric in {"YBR_ICT", "YBR_RCT"}


def _native(data: bytes, shape: Shape, order: str) -> Pixels:
    need = (shape.native_bits + 7) // 8
    if len(data) < need:
        raise Invalid("The pixel data is shorter than the image.", code="short-pixels")
    if shape.bits_allocated == 1:
        bits = np.unpackbits(np.frombuffer(data, np.uint8, need), bitorder="little")
        return bits[: shape.rows * shape.columns].reshape(shape.rows, shape.columns)
    kind = np.dtype(f"{order}{'f' if shape.is_float else 'u'}{shape.bits_allocated // 8}")
    flat = np.frombuffer(data, kind, need // kind.itemsize).astype(kind.newbyteorder("="))
    if shape.samples == 1:
        return _stored(flat.reshape(shape.rows, shape.columns), shape)
    if shape.photometric in {"YBR_FULL_422", "YBR_PARTIAL_422"}:
        return from_422(flat, rows=shape.rows, columns=shape.columns)
    if shape.planar:
        flat = flat.reshape(shape.samples, shape.rows, shape.columns).transpose(1, 2, 0)
    return flat.reshape(shape.rows, shape.columns, shape.samples)[:, :, :3]


def _compressed(data: bytes, syntax: str, shape: Shape, limits: PixelLimits) -> tuple[Pixels, bool]:
    """Return the samples of a frame, and whether its decoder has made them RGB."""
    stated = stated_size(data)
    if stated is not None and stated != (shape.columns, shape.rows):
        if stated[0] * stated[1] > limits.max_pixels:
            raise TooLarge(
                "The compressed image is larger than is shown here.", code="image-too-large"
            )
        raise Invalid(
            f"The compressed image has {stated[0]} x {stated[1]} pixels, its header says "
            f"{shape.columns} x {shape.rows}.",
            code="bad-structure",
        )
    try:
        pixels, is_rgb = _decoder_of(syntax)(data, shape)
    except (RuntimeError, ValueError, TypeError) as error:  # what imagecodecs' decoders raise
        raise Invalid("The compressed image cannot be decoded.", code="undecodable") from error
    if pixels.shape[:2] != (shape.rows, shape.columns):
        raise Invalid(
            "The compressed image has another size than its header says.", code="bad-structure"
        )
    if pixels.ndim == 2:
        pixels = _stored(pixels, shape)
    return pixels, is_rgb


_Codec = Callable[[bytes, Shape], tuple[Pixels, bool]]


def _decoder_of(syntax: str) -> _Codec:
    if syntax in _JPEG:
        return _jpeg
    if syntax in _JPEG_LOSSLESS:
        return lambda data, shape: (_jpeg_lossless(data), False)
    if syntax in _JPEG_LS:
        return lambda data, shape: (imagecodecs.jpegls_decode(data), False)
    if syntax in _JPEG_2000:
        # the multiple component transformation is undone by the decoder (PS3.5 section 8.2.4)
        return lambda data, shape: (
            imagecodecs.jpeg2k_decode(data),
            shape.photometric in {"YBR_ICT", "YBR_RCT"},
        )
    if syntax in _HTJ2K:
        return lambda data, shape: (
            imagecodecs.htj2k_decode(data, planar=False),
            shape.photometric in {"YBR_ICT", "YBR_RCT"},
        )
    if syntax in _JPEG_XL:
        return lambda data, shape: (imagecodecs.jpegxl_decode(data), True)
    return lambda data, shape: (
        from_rle(
            data,
            rows=shape.rows,
            columns=shape.columns,
            samples=shape.samples,
            bits_allocated=shape.bits_allocated,
        ),
        False,
    )


def _jpeg(data: bytes, shape: Shape) -> tuple[Pixels, bool]:
    if shape.samples == 1:
        return imagecodecs.jpeg_decode(data), False
    stored_as_rgb = shape.photometric == "RGB" and not _says_ycbcr(data)
    inside = "RGB" if stored_as_rgb else "YCBCR"
    return imagecodecs.jpeg8_decode(data, colorspace=inside, outcolorspace="RGB"), True


def _says_ycbcr(data: bytes) -> bool:
    """Tell whether the stream's own markers say YCbCr: JFIF, or Adobe with transform 1."""
    head = data[:4096]
    adobe = head.find(b"\xff\xee")
    if adobe >= 0 and head[adobe + 4 : adobe + 9] == b"Adobe":
        return head[adobe + 15 : adobe + 16] == b"\x01"
    return b"JFIF\x00" in head[:32]


def _jpeg_lossless(data: bytes) -> Pixels:
    try:
        return np.ascontiguousarray(imagecodecs.ljpeg_decode(data))
    except (RuntimeError, ValueError):
        return np.ascontiguousarray(imagecodecs.jpegsof3_decode(data))


def _stored(pixels: Pixels, shape: Shape) -> Pixels:
    return stored_values(
        pixels, bits_stored=shape.bits_stored, high_bit=shape.high_bit, signed=shape.signed
    )


def _coloured(pixels: Pixels, shape: Shape) -> Decoded:
    """Return colour as RGB, the rest as it is."""
    if pixels.ndim == 2:
        known = {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"}
        photometric = shape.photometric if shape.photometric in known else "MONOCHROME2"
        return Decoded(pixels, False, photometric)
    pixels = pixels[:, :, :3]
    if shape.photometric in {"YBR_FULL", "YBR_FULL_422"}:
        pixels = rgb_of_ybr(pixels)
    return Decoded(np.ascontiguousarray(pixels), True, "RGB")


def _whole(attributes: Mapping[str, Any], keyword: str, default: int) -> int:
    value = attributes.get(keyword, default)
    if isinstance(value, list):
        value = value[0] if value else default
    return int(value) if isinstance(value, int | float) and value >= 0 else default
