"""Gives a recompressed object back as it was received: the native pixels, in its own data set.

Of an object that came in explicit or implicit VR little endian these are the very bytes that came;
one that came deflated or in RLE comes back in explicit VR, with the same values. Frame by frame.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from casework.errors import Invalid
from storage.codec import CODEC_OF, Codec, decode
from storage.explicit import to_implicit
from storage.filemeta import IMPLICIT_LE, build_file_meta, read_file_meta
from storage.forms import FrameShape, Received, frame_shape
from storage.header import PixelLayout
from storage.rows import InstanceRow
from storage.source import BytesSource, Source

PIXEL_TAG = b"\xe0\x7f\x10\x00"
EXPLICIT_HEAD_BYTES = 12  # tag, VR, reserved, length
DELIMITER_BYTES = 8


def restored_dataset(
    source: Source,
    *,
    transfer_syntax_uid: str,
    pixel: PixelLayout,
    received: Received,
    attributes: Mapping[str, Any],
) -> Iterator[bytes]:
    """Yield the data set, a frame at a time, in the transfer syntax that it is restored in."""
    shape, codec = frame_shape(attributes), CODEC_OF[transfer_syntax_uid]
    is_implicit = received.restored_syntax == IMPLICIT_LE
    head = source.read_at(0, pixel.offset - EXPLICIT_HEAD_BYTES)
    yield to_implicit(head) if is_implicit else head
    padding = bytes.fromhex(received.padding)
    yield native_element(received.vr, pixel.frames * shape.size_bytes + len(padding))
    for frame in range(1, pixel.frames + 1):
        yield native_frame(source, pixel, frame, shape=shape, codec=codec)
    tail_at = pixel.offset + pixel.length + DELIMITER_BYTES
    tail = source.read_at(tail_at, max(0, source.size - tail_at))
    yield padding + (to_implicit(tail) if is_implicit else tail)


def restored_part10(source: Source, row: InstanceRow) -> Iterator[bytes]:
    """Yield the Part 10 file of a recompressed instance as it was received.

    `source` is its Part 10 file as it is kept.
    """
    received, pixel = row.received, row.pixel
    if received is None or pixel is None:
        raise ValueError(row.sop_instance_uid)
    meta = source.read_at(0, row.location.dataset_offset)
    yield build_file_meta(
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=row.sop_instance_uid,
        transfer_syntax_uid=received.restored_syntax,
        source_ae=read_file_meta(BytesSource(meta)).source_ae,
    )
    yield from restored_dataset(
        Stretch(source, row.location.dataset_offset),
        transfer_syntax_uid=row.transfer_syntax_uid,
        pixel=pixel,
        received=received,
        attributes=row.attributes,
    )


def native_frame(
    source: Source, pixel: PixelLayout, frame: int, *, shape: FrameShape, codec: Codec
) -> bytes:
    """Return one frame of a data set that is kept compressed, decoded."""
    if pixel.frame_table is None:
        raise Invalid("The frames of this object cannot be told apart.", code="frames-unknown")
    spans = pixel.frame_table[frame - 1]
    return decode(b"".join(source.read_at(*span) for span in spans), shape, codec)


def native_element(vr: str, length: int) -> bytes:
    """Return what stands before native pixel data; without a VR it is implicit."""
    if not vr:
        return PIXEL_TAG + struct.pack("<L", length)
    return PIXEL_TAG + vr.encode("ascii") + b"\0\0" + struct.pack("<L", length)


class Stretch:
    """What follows an offset of a source."""

    def __init__(self, source: Source, offset: int) -> None:
        self._source = source
        self._offset = offset
        self.size = source.size - offset

    def read_at(self, offset: int, length: int) -> bytes:
        """Return a slice, fewer bytes at the end."""
        return self._source.read_at(self._offset + offset, length)


class _Chunks(io.RawIOBase):
    """Chunks as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes."""
        while not self._left:
            following = next(self._chunks, None)
            if following is None:
                return 0
            self._left = memoryview(following)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def as_stream(chunks: Iterator[bytes]) -> BinaryIO:
    """Return chunks as a stream that is read once."""
    return io.BufferedReader(_Chunks(chunks), buffer_size=1 << 20)
