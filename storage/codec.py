"""Encodes one native frame without loss and decodes it again: HTJ2K and JPEG-LS.

Knows frames in memory only: no data sets, no files. Colour is never transformed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from casework.errors import Invalid
from storage.forms import FrameShape

_Pixels = NDArray[Any]
_SIZ, _SSIZ_AT, _PER_COMPONENT = b"\xff\x51", 40, 3
_SIGNED = 0x80


class Codec(StrEnum):
    """A lossless form that frames can be kept in."""

    HTJ2K = "htj2k"
    JPEG_LS = "jpeg-ls"


SYNTAX_OF = {Codec.HTJ2K: "1.2.840.10008.1.2.4.201", Codec.JPEG_LS: "1.2.840.10008.1.2.4.80"}
"""The transfer syntax of each codec (PS3.5 sections A.4.3 and A.4.4)."""

CODEC_OF = {syntax: codec for codec, syntax in SYNTAX_OF.items()}


def encode(frame: bytes, shape: FrameShape, codec: Codec) -> bytes:
    """Return the code stream of a frame, or raise Invalid when the codec cannot carry it.

    What stands in bits that the header calls unused would be lost, so it is Invalid too.
    """
    pixels = _as_pixels(np.frombuffer(frame, _dtype(shape)), shape)
    half = 1 << (shape.bits_stored - 1)
    low, high = (-half, half - 1) if shape.is_signed else (0, 2 * half - 1)
    if int(pixels.min()) < low or int(pixels.max()) > high:
        raise Invalid("Bits that the header calls unused are in use.", code="unused-bits")
    try:
        if codec is Codec.HTJ2K:
            return _encode_htj2k(pixels, shape, half)
        return bytes(imagecodecs.jpegls_encode(np.ascontiguousarray(_unsigned(pixels))))
    except (RuntimeError, ValueError, TypeError) as error:
        raise Invalid(f"The frame cannot be encoded as {codec.value}.", code="codec") from error


def decode(coded: bytes, shape: FrameShape, codec: Codec) -> bytes:
    """Return the native frame of a code stream, or raise Invalid."""
    try:
        if codec is Codec.HTJ2K:
            pixels = np.asarray(imagecodecs.htj2k_decode(coded, planar=False))
        else:
            pixels = np.asarray(imagecodecs.jpegls_decode(coded))
    except (RuntimeError, ValueError, TypeError) as error:
        raise Invalid(f"The {codec.value} frame cannot be decoded.", code="undecodable") from error
    if pixels.size * shape.bits_allocated // 8 != shape.size_bytes:
        raise Invalid("The compressed frame has another size than its header says.", code="codec")
    return np.ascontiguousarray(pixels).astype(_dtype(shape), copy=False).tobytes()


def _encode_htj2k(pixels: _Pixels, shape: FrameShape, half: int) -> bytes:
    """Encode with the sample precision that is stored, not the one that is allocated.

    The encoder knows whole bytes only. Signed values have no level shift (ISO 15444-1 annex G.1),
    so values around zero give the same code as unsigned ones of any depth; the depth is then said.
    """
    around_zero = pixels
    if not shape.is_signed:
        kind = np.dtype(f"<i{shape.bits_allocated // 8}")
        around_zero = (pixels.astype(np.int32) - half).astype(kind)
    coded = bytearray(imagecodecs.htj2k_encode(around_zero, reversible=True, rgb=False))
    at = coded.find(_SIZ) + _SSIZ_AT
    depth = shape.bits_stored - 1 | (_SIGNED if shape.is_signed else 0)
    for component in range(shape.samples):
        coded[at + component * _PER_COMPONENT] = depth
    return bytes(coded)


def _dtype(shape: FrameShape) -> np.dtype[Any]:
    return np.dtype(f"<{'i' if shape.is_signed else 'u'}{shape.bits_allocated // 8}")


def _as_pixels(values: _Pixels, shape: FrameShape) -> _Pixels:
    size = (shape.rows, shape.columns)
    return values.reshape(size if shape.samples == 1 else (*size, shape.samples))


def _unsigned(pixels: _Pixels) -> _Pixels:
    """JPEG-LS knows no sign: the bits go as they are."""
    return pixels.view(np.dtype(f"<u{pixels.dtype.itemsize}"))
