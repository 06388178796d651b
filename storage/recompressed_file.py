"""Writes an object in another lossless form, and proves it before anybody relies on it.

What was written is read back from the disk, walked as any object is, and restored as it would be
for a reader; that must give the hash of what was received. What cannot be proven is left alone.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import imagecodecs
import numpy as np

from casework.errors import Invalid
from storage.as_received import (
    DELIMITER_BYTES,
    EXPLICIT_HEAD_BYTES,
    PIXEL_TAG,
    native_element,
    restored_dataset,
)
from storage.codec import SYNTAX_OF, Codec, encode
from storage.explicit import to_explicit, to_implicit
from storage.filemeta import EXPLICIT_LE, IMPLICIT_LE, build_file_meta, read_file_meta
from storage.forms import FrameShape, Received, frame_shape
from storage.header import PixelLayout
from storage.journal import new_digest
from storage.part10 import plain_source, walk
from storage.recompression import RLE
from storage.rows import InstanceRow
from storage.source import BytesSource, FileSource, Source
from storage.walker import UNDEFINED, WalkLimits, walk_structure

_CHUNK = 1 << 20
_LARGEST_HEADER = 64 << 20
_IMPLICIT_HEAD_BYTES = 8
_ITEM = b"\xfe\xff\x00\xe0"
_DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"
_BINDING = {0x7FE00001: "offset-table", 0x7FE00002: "offset-table"} | {
    0x4FFE0001: "signed",  # what is signed may name the transfer syntax (PS3.15 annex C)
    0xFFFAFFFA: "signed",
}


class LeftAlone(Exception):
    """An object stays as it came; the reason is one word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class _Original:
    """The object as it came, cut at its pixel data."""

    content: Source  # of the data set, inflated when it was deflated
    head: bytes
    tail: bytes
    vr: str
    padding: bytes
    is_implicit: bool


def recompress(
    source: Source,
    instance: InstanceRow,
    *,
    meta: bytes,
    codec: Codec,
    path: Path,
    limits: WalkLimits,
    now: datetime,
) -> Generator[None, None, InstanceRow]:
    """Write the Part 10 file of an instance in another form; yields between frames.

    `source` is its data set, `meta` its file meta. Returns the row of what is kept, located at the
    start of the file; raises LeftAlone, and leaves no file then.
    """
    try:
        return (yield from _recompress(source, instance, meta, codec, path, limits, now))
    except Invalid as error:
        path.unlink(missing_ok=True)
        raise LeftAlone(error.code or "undecodable") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _recompress(
    source: Source,
    instance: InstanceRow,
    meta: bytes,
    codec: Codec,
    path: Path,
    limits: WalkLimits,
    now: datetime,
) -> Generator[None, None, InstanceRow]:
    shape, pixel = frame_shape(instance.attributes), instance.pixel
    if pixel is None:
        raise LeftAlone("no-pixels")
    restored_syntax = IMPLICIT_LE if instance.transfer_syntax_uid == IMPLICIT_LE else EXPLICIT_LE
    is_whole = instance.transfer_syntax_uid == restored_syntax
    if not is_whole:
        _require_hash(source, instance)
    original = _cut(source, instance, pixel, limits)
    plain = new_digest(restored_syntax)
    plain.update(original.head)
    plain.update(
        native_element(original.vr, pixel.frames * shape.size_bytes + len(original.padding))
    )
    new_meta = build_file_meta(
        sop_class_uid=instance.sop_class_uid,
        sop_instance_uid=instance.sop_instance_uid,
        transfer_syntax_uid=SYNTAX_OF[codec],
        source_ae=read_file_meta(BytesSource(meta)).source_ae,
    )
    limit = instance.size_bytes
    with path.open("xb") as target:
        target.write(new_meta)
        target.write(_explicit_part(original.head, original, shape))
        target.write(PIXEL_TAG + b"OB\0\0" + struct.pack("<L", UNDEFINED))
        table_at = target.tell() + 8
        target.write(_ITEM + struct.pack("<L", 4 * pixel.frames) + bytes(4 * pixel.frames))
        first_at, offsets = target.tell(), []
        for frame in _frames(original, instance, pixel, shape):
            plain.update(frame)
            offsets.append(target.tell() - first_at)
            _write_frame(target, encode(frame, shape, codec))
            if target.tell() - len(new_meta) >= limit:
                raise LeftAlone("not-smaller")
            yield
        target.write(_DELIMITER + _explicit_part(original.tail, original, shape))
        size_bytes = target.tell() - len(new_meta)
        target.seek(table_at)
        target.write(struct.pack(f"<{len(offsets)}L", *offsets))
    plain.update(original.padding + original.tail)
    if is_whole and plain.hexdigest() != instance.sha256:
        raise LeftAlone("hash")
    if size_bytes >= limit:
        raise LeftAlone("not-smaller")
    received = Received(
        transfer_syntax_uid=instance.transfer_syntax_uid,
        size_bytes=instance.size_bytes,
        pixel=pixel,
        recompressed_at=now,
        restored_syntax=restored_syntax,
        restored_sha256=plain.hexdigest(),
        restored_bytes=_restored_bytes(original, pixel, shape),
        vr=original.vr,
        padding=original.padding.hex(),
    )
    kept = replace(
        instance,
        transfer_syntax_uid=SYNTAX_OF[codec],
        size_bytes=size_bytes,
        received=received,
        location=replace(
            instance.location,
            length=len(new_meta) + size_bytes,
            dataset_offset=len(new_meta),
        ),
    )
    return (yield from _proven(kept, path, limits))


def _proven(
    kept: InstanceRow, path: Path, limits: WalkLimits
) -> Generator[None, None, InstanceRow]:
    """Return the row with its hash and layout, once what lies on the disk gives the original."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        source = FileSource(descriptor, offset=kept.location.dataset_offset, size=kept.size_bytes)
        header = walk(source, transfer_syntax_uid=kept.transfer_syntax_uid, limits=limits)
        received, layout = kept.received, header.pixel
        if received is None or layout is None or layout.frame_table is None:
            raise LeftAlone("proof")
        if len(layout.frame_table) != received.pixel.frames:
            raise LeftAlone("proof")
        if dict(header.attributes) != dict(kept.attributes):
            raise LeftAlone("header")
        restored, size_bytes = new_digest(received.restored_syntax), 0
        for chunk in restored_dataset(
            source,
            transfer_syntax_uid=kept.transfer_syntax_uid,
            pixel=layout,
            received=received,
            attributes=kept.attributes,
        ):
            restored.update(chunk)
            size_bytes += len(chunk)
            yield
        if restored.hexdigest() != received.restored_sha256:
            raise LeftAlone("proof")
        if size_bytes != received.restored_bytes:
            raise LeftAlone("proof")
        digest = new_digest(kept.transfer_syntax_uid)
        for chunk in _all_of(source):
            digest.update(chunk)
        return replace(kept, pixel=layout, kept_sha256=digest.hexdigest())
    finally:
        os.close(descriptor)


def _cut(
    source: Source, instance: InstanceRow, pixel: PixelLayout, limits: WalkLimits
) -> _Original:
    syntax = instance.transfer_syntax_uid
    content = plain_source(source, transfer_syntax_uid=syntax, limits=limits)
    is_implicit = syntax == IMPLICIT_LE
    _require_free(content, limits, is_implicit=is_implicit)
    head_bytes = _IMPLICIT_HEAD_BYTES if is_implicit else EXPLICIT_HEAD_BYTES
    before = content.read_at(pixel.offset - head_bytes, head_bytes)
    vr = "" if is_implicit else before[4:6].decode("latin-1")
    if before[:4] != PIXEL_TAG or vr not in ("", "OB", "OW"):
        raise LeftAlone("header")
    shape = frame_shape(instance.attributes)
    padding = b""
    tail_at = pixel.offset + pixel.length
    if pixel.encapsulated:
        vr = "OW" if shape.bits_allocated == 16 else "OB"
        tail_at += DELIMITER_BYTES
        padding = bytes(pixel.frames * shape.size_bytes % 2)
    else:
        frames_bytes = pixel.frames * shape.size_bytes
        padding = content.read_at(pixel.offset + frames_bytes, pixel.length - frames_bytes)
    if pixel.offset + content.size - tail_at > _LARGEST_HEADER:
        raise LeftAlone("header")
    head = content.read_at(0, pixel.offset - head_bytes)
    tail = content.read_at(tail_at, max(0, content.size - tail_at))
    if is_implicit:
        for part in (head, tail):
            if to_implicit(to_explicit(part, is_signed=shape.is_signed)) != part:
                raise LeftAlone("header")
    return _Original(content, head, tail, vr, padding, is_implicit)


def _require_free(content: Source, limits: WalkLimits, *, is_implicit: bool) -> None:
    """Raise LeftAlone when something in the data set counts on the form of its pixel data."""
    walked = walk_structure(
        content,
        implicit=is_implicit,
        little_endian=True,
        wanted=dict.fromkeys(_BINDING),
        limits=limits,
    )
    for tag in walked.node:
        raise LeftAlone(_BINDING[tag])


def _require_hash(source: Source, instance: InstanceRow) -> None:
    digest = new_digest(instance.transfer_syntax_uid)
    for chunk in _all_of(source):
        digest.update(chunk)
    if digest.hexdigest() != instance.sha256:
        raise LeftAlone("hash")


def _explicit_part(part: bytes, original: _Original, shape: FrameShape) -> bytes:
    return to_explicit(part, is_signed=shape.is_signed) if original.is_implicit else part


def _frames(
    original: _Original, instance: InstanceRow, pixel: PixelLayout, shape: FrameShape
) -> Iterator[bytes]:
    content = original.content
    for frame in range(pixel.frames):
        if instance.transfer_syntax_uid == RLE and pixel.frame_table is not None:
            coded = b"".join(content.read_at(*span) for span in pixel.frame_table[frame])
            yield _from_rle(coded, shape)
        else:
            data = content.read_at(pixel.offset + frame * shape.size_bytes, shape.size_bytes)
            if len(data) != shape.size_bytes:
                raise LeftAlone("length")
            yield data


def _from_rle(coded: bytes, shape: FrameShape) -> bytes:
    """Return a native frame, colour by pixel (PS3.5 annex G: most significant byte first)."""
    count, *offsets = struct.unpack_from("<16L", coded.ljust(64, b"\0"))
    bytes_each = shape.bits_allocated // 8
    size = shape.rows * shape.columns
    if count != shape.samples * bytes_each:
        raise LeftAlone("rle")
    planes: list[np.ndarray[Any, Any]] = []
    bounds = [*offsets[:count], len(coded)]
    for start, end in pairwise(bounds):
        try:
            plane = imagecodecs.packbits_decode(coded[start:end])
        except (RuntimeError, ValueError) as error:
            raise LeftAlone("rle") from error
        if not size <= len(plane) <= size + 1:
            raise LeftAlone("rle")
        planes.append(np.frombuffer(plane, np.uint8, size))
    order = [s * bytes_each + b for s in range(shape.samples) for b in reversed(range(bytes_each))]
    return np.stack([planes[i] for i in order], axis=-1).tobytes()


def _write_frame(target: BinaryIO, coded: bytes) -> None:
    coded += b"\0" * (len(coded) % 2)
    target.write(_ITEM + struct.pack("<L", len(coded)) + coded)


def _restored_bytes(original: _Original, pixel: PixelLayout, shape: FrameShape) -> int:
    element = len(native_element(original.vr, 0))
    frames = pixel.frames * shape.size_bytes
    return len(original.head) + element + frames + len(original.padding) + len(original.tail)


def _all_of(source: Source) -> Iterator[bytes]:
    position = 0
    while chunk := source.read_at(position, _CHUNK):
        yield chunk
        position += len(chunk)


def run_through(work: Generator[None, None, InstanceRow]) -> InstanceRow:
    """Return what a recompression gives, without a pause."""
    with closing(work):
        while True:
            try:
                next(work)
            except StopIteration as done:
                found = done.value
                if not isinstance(found, InstanceRow):
                    raise TypeError(found) from None
                return found
