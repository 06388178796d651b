"""Makes frames in another form than the one that is kept: native, or compressed without loss.

What is compressed here is decoded again and compared before it is given out, and kept in the cache
of pictures, which an erasure empties. Which forms can be made is decided in `syntaxes`.
"""

from __future__ import annotations

import struct
from itertools import accumulate
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from casework.errors import Invalid
from storage import codec
from storage.archive import Archive
from storage.bulk import swapped, word_bytes
from storage.forms import FrameShape, frame_shape
from storage.part10 import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE
from storage.rows import InstanceRow
from viewer.pixels import samples_of
from viewer.planes import from_rle
from viewer.preview_cache import PreviewCache
from viewer.syntaxes import J2K, RLE

_VERSION = "made-1"
_AS_THEY_ARE = frozenset({EXPLICIT_LE, IMPLICIT_LE, DEFLATED_LE})
_Pixels = NDArray[Any]


class FrameMaker:
    """Gives frames in the form that is asked for."""

    def __init__(self, archive: Archive, cache: PreviewCache) -> None:
        self._archive = archive
        self._cache = cache

    def frame(self, row: InstanceRow, number: int, transfer_syntax_uid: str) -> bytes:
        """Return a frame in explicit VR little endian or in one of the lossless forms."""
        if transfer_syntax_uid == EXPLICIT_LE:
            return self.native(row, number)
        key = f"{row.bytes_sha256}-{number}-{transfer_syntax_uid}-{_VERSION}"
        kept = self._cache.get(key)
        if kept is not None:
            return kept
        shape = frame_shape(row.attributes)
        coded = compressed(self._by_pixel(row, number, shape), shape, transfer_syntax_uid)
        self._cache.put(key, coded)
        return coded

    def native(self, row: InstanceRow, number: int) -> bytes:
        """Return a frame as it stands in native pixel data, little endian."""
        if row.received is not None:
            return self._archive.native_frame(row, number).data
        syntax = row.transfer_syntax_uid
        data = self._archive.read_frame(row, number).data
        if syntax in _AS_THEY_ARE:
            return data
        if syntax == EXPLICIT_BE:
            return swapped(data, word_bytes(vr_of_pixels(self._archive, row)))
        shape = frame_shape(row.attributes)
        if syntax == RLE:
            return _from_rle(data, shape, is_planar=_is_planar(row))
        pixels, _ = samples_of(data, syntax, row.attributes)
        return _as_bytes(pixels, shape)

    def _by_pixel(self, row: InstanceRow, number: int, shape: FrameShape) -> bytes:
        frame = self.native(row, number)
        is_as_the_header_says = row.transfer_syntax_uid in _AS_THEY_ARE | {EXPLICIT_BE, RLE}
        if shape.samples == 1 or not (is_as_the_header_says and _is_planar(row)):
            return frame
        planes = np.frombuffer(frame, _kind(shape)).reshape(shape.samples, -1)
        return planes.T.tobytes()


def compressed(frame: bytes, shape: FrameShape, transfer_syntax_uid: str) -> bytes:
    """Return a native frame in a lossless form, proven to give the frame back; else Invalid."""
    known = codec.CODEC_OF.get(transfer_syntax_uid)
    if known is not None:
        coded = codec.encode(frame, shape, known)
        back = codec.decode(coded, shape, known)
    elif transfer_syntax_uid == RLE:
        coded = _to_rle(frame, shape)
        back = _from_rle(coded, shape, is_planar=False)
    elif transfer_syntax_uid == J2K:
        coded = _to_j2k(frame, shape)
        back = np.asarray(imagecodecs.jpeg2k_decode(coded)).astype(_kind(shape)).tobytes()
    else:
        raise Invalid("The frame is not made in this form.", code="codec")
    if back != frame:
        raise Invalid("The frame does not come back the same from this form.", code="codec")
    return coded


def vr_of_pixels(archive: Archive, row: InstanceRow) -> str:
    """Return the VR of native pixel data in a data set of explicit VR."""
    if row.pixel is None:
        return ""
    at = row.location.dataset_offset + row.pixel.offset - 8
    return archive.read_stretch(row, at, 2).decode("latin-1")


def _is_planar(row: InstanceRow) -> bool:
    return bool(row.attributes.get("PlanarConfiguration", 0) == 1)


def _kind(shape: FrameShape) -> np.dtype[Any]:
    return np.dtype(f"<{'i' if shape.is_signed else 'u'}{shape.bits_allocated // 8}")


def _as_bytes(pixels: _Pixels, shape: FrameShape) -> bytes:
    if pixels.size * shape.bits_allocated // 8 != shape.size_bytes:
        raise Invalid("The compressed image has another size than its header says.", code="codec")
    return np.ascontiguousarray(pixels.astype(_kind(shape), copy=False)).tobytes()


def _from_rle(data: bytes, shape: FrameShape, *, is_planar: bool) -> bytes:
    """Return the bytes of an RLE frame as they were, whatever they mean (PS3.5 annex G)."""
    try:
        pixels = from_rle(
            data,
            rows=shape.rows,
            columns=shape.columns,
            samples=shape.samples,
            bits_allocated=shape.bits_allocated,
        )
    except (RuntimeError, ValueError, IndexError) as error:
        raise Invalid("The compressed image cannot be decoded.", code="undecodable") from error
    if is_planar and pixels.ndim == 3:
        pixels = pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(pixels).tobytes()


def _to_rle(frame: bytes, shape: FrameShape) -> bytes:
    """Return a frame by pixel as RLE: each row of each plane of bytes by itself (PS3.5 G.3.1)."""
    each = shape.bits_allocated // 8
    values = np.frombuffer(frame, np.uint8).reshape(shape.rows, shape.columns, shape.samples, each)
    segments = []
    for sample in range(shape.samples):
        for byte in reversed(range(each)):
            plane = np.ascontiguousarray(values[:, :, sample, byte])
            packed = bytes(imagecodecs.packbits_encode(plane, axis=-1))
            segments.append(packed + b"\0" * (len(packed) % 2))
    starts = list(accumulate((len(s) for s in segments[:-1]), initial=64))
    head = struct.pack("<16L", len(segments), *starts, *[0] * (15 - len(starts)))
    return head + b"".join(segments)


def _to_j2k(frame: bytes, shape: FrameShape) -> bytes:
    pixels = np.frombuffer(frame, _kind(shape))
    size = (shape.rows, shape.columns)
    pixels = pixels.reshape(size if shape.samples == 1 else (*size, shape.samples))
    try:
        return bytes(
            imagecodecs.jpeg2k_encode(
                pixels,
                level=0,
                codecformat="J2K",
                reversible=True,
                mct=False,
                bitspersample=shape.bits_stored,
            )
        )
    except (RuntimeError, ValueError, TypeError) as error:
        raise Invalid("The frame cannot be encoded as JPEG 2000.", code="codec") from error
