"""Makes whole Part 10 files in another transfer syntax than the one in which they are kept.

The elements around the pixel data keep their bytes, but for those that say how the pixels lie and
that they are lossy. Native pixels go out while they are read; what is compressed is made first.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO

from casework.errors import Invalid
from storage.archive import Archive
from storage.bulk import swapped, word_bytes
from storage.content import content_of, stretch_of
from storage.explicit import to_explicit
from storage.forms import frame_shape
from storage.header import PixelLayout
from storage.little_endian import to_little_endian
from storage.part10 import (
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    BytesSource,
    build_file_meta,
    read_file_meta,
)
from storage.rows import InstanceRow
from storage.source import Source
from storage.walker import UNDEFINED, Node, Wanted, walk_structure
from viewer.making import FrameMaker
from viewer.syntaxes import is_declared_late, photometric_made

_LARGEST_HEADER = 64 << 20
_IN_MEMORY = 4 << 20
_PIXEL_GROUP, _PIXEL_NUMBERS = 0x7FE0, (0x0008, 0x0009, 0x0010)
_PHOTOMETRIC, _PLANAR, _LOSSY = 0x00280004, 0x00280006, 0x00282110
_BEFORE_PIXELS = 0x7FE00000
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0"
_DELIMITER_BYTES = 8
_OFFSETS_END = 0xFFFFFFFF
_VR_OF = {0x0008: "OF", 0x0009: "OD"}


@dataclass(frozen=True)
class Made:
    """A file that is given out: its bytes in order, and how many when that is known."""

    chunks: Iterator[bytes]
    length: int | None


@dataclass(frozen=True)
class _Around:
    """What stands before and behind the pixel data, explicit VR little endian."""

    meta: bytes
    head: bytes
    tail: bytes
    content: Source
    vr: str  # of the pixel data as it is kept; empty when it is implicit
    number: int  # of its element


def made_object(
    archive: Archive, frames: FrameMaker, row: InstanceRow, transfer_syntax_uid: str
) -> Made:
    """Return an instance in another transfer syntax, or raise Invalid when that cannot be."""
    around = _around(archive, row, transfer_syntax_uid)
    if row.pixel is None:
        whole = around.meta + around.head
        return Made(iter((whole,)), len(whole))
    if transfer_syntax_uid != EXPLICIT_LE:
        return _encapsulated(frames, row, row.pixel, around, transfer_syntax_uid)
    if row.pixel.encapsulated:
        return _decoded(frames, row, row.pixel, around)
    return _plain(row, row.pixel, around)


def _plain(row: InstanceRow, pixel: PixelLayout, around: _Around) -> Made:
    """Return native pixels as they are, in the byte order that is wanted."""
    vr = around.vr or _VR_OF.get(around.number, "OW")
    width = word_bytes(vr) if row.transfer_syntax_uid == EXPLICIT_BE else 1
    head = around.head + _pixel_head(vr, pixel.length, number=around.number)

    def chunks() -> Iterator[bytes]:
        yield around.meta + head
        for chunk in stretch_of(around.content, pixel.offset, pixel.length):
            yield swapped(chunk, width)
        yield around.tail

    return Made(chunks(), len(around.meta) + len(head) + pixel.length + len(around.tail))


def _decoded(frames: FrameMaker, row: InstanceRow, pixel: PixelLayout, around: _Around) -> Made:
    shape = frame_shape(row.attributes)
    size = pixel.frames * shape.size_bytes
    head = around.head + _pixel_head("OB" if shape.bits_allocated <= 8 else "OW", size + size % 2)
    first = frames.native(row, 1)  # what cannot be decoded at all is told before anything goes out

    def chunks() -> Iterator[bytes]:
        yield around.meta + head
        yield first
        for number in range(2, pixel.frames + 1):
            yield frames.native(row, number)
        yield bytes(size % 2) + around.tail

    length = len(around.meta) + len(head) + size + size % 2 + len(around.tail)
    return Made(chunks(), length)


def _encapsulated(
    frames: FrameMaker,
    row: InstanceRow,
    pixel: PixelLayout,
    around: _Around,
    transfer_syntax_uid: str,
) -> Made:
    """Return the object with compressed frames; they are made first, so that none fails halfway."""
    offsets, at = [], 0
    made = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - who gives it out closes it
    try:
        for number in range(1, pixel.frames + 1):
            coded = frames.frame(row, number, transfer_syntax_uid)
            coded += b"\0" * (len(coded) % 2)
            offsets.append(at)
            made.write(_ITEM + struct.pack("<L", len(coded)) + coded)
            at += 8 + len(coded)
        made.seek(0)
    except BaseException:
        made.close()
        raise
    table = struct.pack(f"<{len(offsets)}L", *offsets) if at <= _OFFSETS_END else b""
    head = around.meta + around.head + _pixel_head("OB", UNDEFINED)
    head += _ITEM + struct.pack("<L", len(table)) + table
    tail = _END + around.tail
    return Made(_from_file(head, made, tail), len(head) + at + len(tail))


def _from_file(head: bytes, file: IO[bytes], tail: bytes) -> Iterator[bytes]:
    with file:
        yield head
        while chunk := file.read(1 << 20):
            yield chunk
        yield tail


def _around(archive: Archive, row: InstanceRow, transfer_syntax_uid: str) -> _Around:
    content, pixel, syntax = content_of(archive, row), row.pixel, row.transfer_syntax_uid
    kept_meta = archive.read_stretch(row, 0, row.location.dataset_offset)
    meta = build_file_meta(
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=row.sop_instance_uid,
        transfer_syntax_uid=transfer_syntax_uid,
        source_ae=read_file_meta(BytesSource(kept_meta)).source_ae,
    )
    head_end, tail_at, vr, number = content.size, content.size, "", 0x0010
    if pixel is not None:
        vr, number, head_bytes = _before(content, pixel, syntax)
        head_end = pixel.offset - head_bytes
        tail_at = pixel.offset + pixel.length + (_DELIMITER_BYTES if pixel.encapsulated else 0)
    if head_end + max(0, content.size - tail_at) > _LARGEST_HEADER:
        raise Invalid("The object's header is too large to be turned.", code="header")
    head, tail = content.read_at(0, head_end), content.read_at(tail_at, content.size - tail_at)
    if syntax == IMPLICIT_LE:
        signed = frame_shape(row.attributes).is_signed
        head, tail = (to_explicit(part, is_signed=signed) for part in (head, tail))
    elif syntax == EXPLICIT_BE:
        head, tail = to_little_endian(head), to_little_endian(tail)
    is_changed = pixel is not None and (pixel.encapsulated or transfer_syntax_uid != EXPLICIT_LE)
    if is_changed:
        head = _described(archive, row, head, transfer_syntax_uid)
    return _Around(meta, head, tail, content, vr, number)


def _described(archive: Archive, row: InstanceRow, head: bytes, transfer_syntax_uid: str) -> bytes:
    """Return the head of a data set saying how its pixels lie in their new form."""
    source = BytesSource(head)
    kept = _spans(archive, source, (), stop_after=_BEFORE_PIXELS)
    head = head[: kept[1]]  # offset tables behind it count in the old form (PS3.5 section A.4)
    if is_declared_late(row):
        head = _with_value(archive, head, _LOSSY, b"CS", b"01")
    if frame_shape(row.attributes).samples != 3:
        return head
    photometric = photometric_made(row).encode("ascii", errors="replace")
    head = _with_value(
        archive, head, _PHOTOMETRIC, b"CS", photometric + b" " * (len(photometric) % 2)
    )
    is_still_planar = transfer_syntax_uid == EXPLICIT_LE and row.transfer_syntax_uid.endswith(
        ".1.2.5"
    )
    if is_still_planar:
        return head
    return _with_value(archive, head, _PLANAR, b"US", b"\0\0")


def _with_value(archive: Archive, head: bytes, tag: int, vr: bytes, value: bytes) -> bytes:
    """Return elements with one of them put in, or put in place of what is there."""
    node, end = _spans(archive, BytesSource(head), (tag,), stop_after=tag)
    start = end
    if tag in node:
        span = node[tag].span
        if span is None or node[tag].vr != vr:
            raise Invalid("The header is not whole, or of mixed form.", code="header")
        start = span[0] - 8
    element = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value
    return head[:start] + element + head[end:]


def _spans(
    archive: Archive, source: Source, tags: tuple[int, ...], *, stop_after: int
) -> tuple[Node, int]:
    wanted: Wanted = dict.fromkeys(tags)
    walked = walk_structure(
        source,
        implicit=False,
        little_endian=True,
        wanted=wanted,
        limits=replace(archive.walk_limits, max_value_bytes=-1),
        stop_after=stop_after,
    )
    return walked.node, walked.end


def _before(content: Source, pixel: PixelLayout, syntax: str) -> tuple[str, int, int]:
    """Return VR and number of the pixel data, and the length of what stands before its value.

    Some elements of odd files are in implicit VR, whatever their transfer syntax says.
    """
    order = ">" if syntax == EXPLICIT_BE else "<"
    before = content.read_at(pixel.offset - 12, 12)
    if syntax != IMPLICIT_LE:
        group, number = struct.unpack_from(order + "HH", before)
        if group == _PIXEL_GROUP and number in _PIXEL_NUMBERS:
            return before[4:6].decode("latin-1"), number, 12
    return "", struct.unpack_from(order + "H", before, 6)[0], 8


def _pixel_head(vr: str, length: int, *, number: int = 0x0010) -> bytes:
    head = struct.pack("<HH2sH", _PIXEL_GROUP, number, vr.encode("ascii"), 0)
    return head + struct.pack("<L", length)
