"""Builds data sets byte by byte, so that a test says exactly what stands in them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

from casework.custody import Door, Origin
from storage.part10 import EXPLICIT_LE, build_file_meta
from storage.walker import LONG_VRS

CT = "1.2.840.10008.5.1.4.1.1.2"
ORIGIN = Origin(
    site="hammer", door=Door.DICOM, calling_ae="HAMMER_CT", called_ae="LYSBRO", peer="10.0.0.7:4242"
)
UNDEFINED = 0xFFFFFFFF
ITEM_END = struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
SEQUENCE_END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


def element(
    tag: int,
    vr: str,
    value: bytes | str,
    *,
    implicit: bool = False,
    big: bool = False,
    length: int | None = None,
) -> bytes:
    """Return one element; `length` says something else than the truth."""
    raw = value.encode("latin-1") if isinstance(value, str) else value
    if len(raw) % 2:
        raw += b"\x00" if vr in ("UI", "OB", "UN") else b" "
    said = len(raw) if length is None else length
    order = ">" if big else "<"
    group, number = tag >> 16, tag & 0xFFFF
    if implicit:
        return struct.pack(order + "HHL", group, number, said) + raw
    code = vr.encode()
    if code in LONG_VRS:
        return struct.pack(order + "HH2sHL", group, number, code, 0, said) + raw
    return struct.pack(order + "HH2sH", group, number, code, said) + raw


def item(content: bytes, *, undefined: bool = False, big: bool = False) -> bytes:
    order = ">" if big else "<"
    end = struct.pack(order + "HHL", 0xFFFE, 0xE00D, 0)
    if undefined:
        return struct.pack(order + "HHL", 0xFFFE, 0xE000, UNDEFINED) + content + end
    return struct.pack(order + "HHL", 0xFFFE, 0xE000, len(content)) + content


def sequence(
    tag: int, items: Sequence[bytes], *, undefined: bool = False, vr: str = "SQ", **how: Any
) -> bytes:
    content = b"".join(items)
    if undefined:
        end = struct.pack((">" if how.get("big") else "<") + "HHL", 0xFFFE, 0xE0DD, 0)
        return element(tag, vr, b"", length=UNDEFINED, **how) + content + end
    return element(tag, vr, content, **how)


def us(tag: int, value: int, **how: Any) -> bytes:
    return element(tag, "US", struct.pack(">H" if how.get("big") else "<H", value), **how)


def dataset(
    uid: str = "1.2.3.4",
    *,
    study: str = "1.2.3",
    series: str = "1.2.3.1",
    sop_class: str = CT,
    number: int = 1,
    name: str = "NESS^KARI",
    pixels: bytes | None = bytes(range(32)),
    rows: int = 4,
    columns: int = 4,
    bits: int = 16,
    frames: int | None = None,
    extra: bytes = b"",
    **how: Any,
) -> bytes:
    """Return a small CT image: 4 x 4 pixels of 16 bits unless told otherwise."""
    parts = [
        element(0x00080016, "UI", sop_class, **how),
        element(0x00080018, "UI", uid, **how),
        element(0x00080060, "CS", "CT", **how),
        element(0x00100010, "PN", name, **how),
        element(0x00100020, "LO", "12345", **how),
        element(0x0020000D, "UI", study, **how),
        element(0x0020000E, "UI", series, **how),
        element(0x00200013, "IS", str(number), **how),
        us(0x00280002, 1, **how),
    ]
    if frames is not None:
        parts.append(element(0x00280008, "IS", str(frames), **how))
    parts += [
        us(0x00280010, rows, **how),
        us(0x00280011, columns, **how),
        us(0x00280100, bits, **how),
        extra,
    ]
    if pixels is not None:
        parts.append(element(0x7FE00010, "OW", pixels, **how))
    return b"".join(parts)


def encapsulated(
    fragments: Sequence[bytes], *, table: Sequence[int] = (), ended: bool = True
) -> bytes:
    """Return encapsulated pixel data with a Basic Offset Table (PS3.5 section A.4)."""
    offsets = struct.pack(f"<{len(table)}L", *table)
    content = item(offsets) + b"".join(item(f) for f in fragments)
    start = element(0x7FE00010, "OB", b"", length=UNDEFINED)
    return start + content + (SEQUENCE_END if ended else b"")


def deflated(content: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    out = engine.compress(content) + engine.flush()
    return out + b"\x00" * (len(out) % 2)


def part10(
    content: bytes, uid: str = "1.2.3.4", *, syntax: str = EXPLICIT_LE, sop_class: str = CT
) -> bytes:
    """Return a Part 10 file around a data set."""
    meta = build_file_meta(
        sop_class_uid=sop_class, sop_instance_uid=uid, transfer_syntax_uid=syntax
    )
    return meta + content


class Dribble(io.BytesIO):
    """A stream that gives a few bytes at a time, as a network does."""

    def __init__(self, data: bytes, step: int) -> None:
        super().__init__(data)
        self._step = step

    def read(self, size: int | None = -1) -> bytes:
        wanted = self._step if size is None or size < 0 else min(size, self._step)
        return super().read(wanted)
