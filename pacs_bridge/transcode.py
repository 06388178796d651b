"""Turns an object into an uncompressed transfer syntax, for a peer that takes no other.

Pixel values stay as they are decoded; nothing is compressed here.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from casework.errors import Invalid
from pacs_bridge.syntaxes import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, UNCOMPRESSED, syntax_name

RLE = "1.2.840.10008.1.2.5"
_JPEG = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"})
_JPEG_LOSSLESS = frozenset({"1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"})
_JPEG_LS = frozenset({"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"})
_JPEG_2000 = frozenset({"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"})
_HTJ2K = frozenset({f"1.2.840.10008.1.2.4.{n}" for n in (201, 202, 203)})
CONVERTIBLE = (
    frozenset(UNCOMPRESSED) | {RLE} | _JPEG | _JPEG_LOSSLESS | _JPEG_LS | _JPEG_2000 | _HTJ2K
)
"""Transfer syntaxes that can be left for an uncompressed one."""

_Pixels = NDArray[Any]
_Decode = Callable[[bytes], _Pixels]


def to_uncompressed(part10: bytes, target: str, *, source: str) -> bytes:
    """Return the data set in explicit or implicit VR little endian; Invalid when it cannot be."""
    if target not in (EXPLICIT_LE, IMPLICIT_LE):
        raise ValueError(target)
    ds = decoded(part10, source=source)
    try:
        return encoded(ds, implicit=target == IMPLICIT_LE)
    except FAULTS as error:
        raise not_convertible(source) from error


def decoded(part10: bytes, *, source: str) -> Dataset:
    """Return an object with its pixels uncompressed; Invalid when that cannot be."""
    if source not in CONVERTIBLE:
        raise Invalid(
            f"An object in {syntax_name(source)} cannot be sent in another form.",
            code="not-convertible",
        )
    try:
        ds = dcmread(BytesIO(part10))
        _change_pixels(ds, source)
    except FAULTS as error:
        raise not_convertible(source) from error
    return ds


FAULTS = (ValueError, TypeError, RuntimeError, AttributeError, KeyError, OSError)
"""What the libraries raise about an object that is not as its header says."""


def not_convertible(source: str) -> Invalid:
    """Return the error about an object that cannot be turned into another form."""
    return Invalid(
        f"The object cannot be turned from {syntax_name(source)} into another form.",
        code="not-convertible",
    )


def _change_pixels(ds: Dataset, source: str) -> None:
    if source == EXPLICIT_BE:
        _swap_words(ds)
    elif source == RLE:
        ds.decompress(decoding_plugin="pydicom", generate_instance_uid=False)
    elif source not in UNCOMPRESSED and "PixelData" in ds:
        _decompress(ds, _decoder_of(source, ds))


def _swap_words(ds: Dataset) -> None:
    """Big endian pixel data of words is the one value that is not swapped on writing."""
    if "PixelData" in ds and ds["PixelData"].VR == "OW":
        ds.PixelData = np.frombuffer(ds.PixelData, ">u2").astype("<u2").tobytes()


def _decompress(ds: Dataset, decode: _Decode) -> None:
    kind = np.dtype(f"<{'i' if ds.PixelRepresentation else 'u'}{ds.BitsAllocated // 8}")
    shape = (ds.Rows, ds.Columns, ds.SamplesPerPixel)
    frames = []
    for coded in generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)):
        pixels = decode(coded)
        if pixels.size != shape[0] * shape[1] * shape[2]:
            raise ValueError("the compressed image has another size than its header says")
        frames.append(np.ascontiguousarray(pixels).astype(kind, copy=False).tobytes())
    content = b"".join(frames)
    del ds["PixelData"]
    ds.add_new(0x7FE00010, "OB" if ds.BitsAllocated <= 8 else "OW", _even(content))
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in ds:
            del ds[keyword]
    if ds.SamplesPerPixel > 1:
        ds.PlanarConfiguration = 0


def _decoder_of(source: str, ds: Dataset) -> _Decode:
    """Return the decoder; colour that it turns into RGB is called so in the data set."""
    photometric, is_colour = str(ds.PhotometricInterpretation), ds.SamplesPerPixel == 3
    if source in _JPEG:
        if not is_colour:
            return imagecodecs.jpeg_decode
        ds.PhotometricInterpretation = "RGB"
        inside = "RGB" if photometric == "RGB" else "YCBCR"
        return lambda coded: imagecodecs.jpeg8_decode(coded, colorspace=inside, outcolorspace="RGB")
    if source in _JPEG_LOSSLESS:
        return _jpeg_lossless
    if source in _JPEG_LS:
        return imagecodecs.jpegls_decode
    if photometric in ("YBR_ICT", "YBR_RCT"):  # undone by the decoder (PS3.5 section 8.2.4)
        ds.PhotometricInterpretation = "RGB"
    if source in _HTJ2K:
        return lambda coded: imagecodecs.htj2k_decode(coded, planar=False)
    return imagecodecs.jpeg2k_decode


def _jpeg_lossless(coded: bytes) -> _Pixels:
    try:
        return np.asarray(imagecodecs.ljpeg_decode(coded))
    except (RuntimeError, ValueError):
        return np.asarray(imagecodecs.jpegsof3_decode(coded))


def encoded(ds: Dataset, *, implicit: bool) -> bytes:
    """Return the bytes of a data set, little endian."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = implicit
    buffer.is_little_endian = True
    write_dataset(buffer, ds)
    return buffer.getvalue()


def _even(content: bytes) -> bytes:
    return content + b"\0" if len(content) % 2 else content
