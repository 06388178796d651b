"""Puts properties and items into a HEIF file, as cameras write them: turns, Exif, XMP, thumbnails.

ISO 14496-12 and 23008-12, as far as a file of one coded picture needs them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">L4s", 8 + len(body), kind) + body


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">L4s", data, at)
        size = size or len(data) - at
        yield kind, data[at + 8 : at + size]
        at += size


def turned(data: bytes, *, quarter_turns: int = 0, mirror: int | None = None) -> bytes:
    """Return the file with irot and imir (ISO 23008-12 6.5.10, 6.5.12), turned first."""
    properties = [box(b"irot", bytes([quarter_turns]))] if quarter_turns else []
    if mirror is not None:
        properties.append(box(b"imir", bytes([mirror])))
    return _rebuilt(data, properties=properties)


def with_items(data: bytes, items: dict[bytes, bytes]) -> bytes:
    """Return the file with items of other types, such as Exif and mime, that describe item 1."""
    return _rebuilt(data, items=items)


def _rebuilt(
    data: bytes, *, properties: list[bytes] | None = None, items: dict[bytes, bytes] | None = None
) -> bytes:
    top = list(boxes(data))
    meta = dict(top)[b"meta"]
    parts = dict(boxes(meta[4:]))
    coded = _coded(data, parts[b"iloc"])
    number = int.from_bytes(parts[b"pitm"][4:6])
    added = list((items or {}).items())
    if properties:
        parts[b"iprp"] = _with_properties(parts[b"iprp"], properties)
    entries = b"".join(
        box(b"infe", struct.pack(">LHH4s", 0x02000000, number + 1 + n, 0, kind) + _name(kind))
        for n, (kind, _) in enumerate(added)
    )
    count = int.from_bytes(parts[b"iinf"][4:6])
    parts[b"iinf"] = (
        parts[b"iinf"][:4] + struct.pack(">H", count + len(added)) + parts[b"iinf"][6:] + entries
    )
    if added:
        parts[b"iref"] = bytes(4) + b"".join(
            box(b"cdsc", struct.pack(">HHH", number + 1 + n, 1, number)) for n in range(len(added))
        )
    bodies = [coded, *(body for _, body in added)]
    return _assembled(top, parts, number, bodies)


def _assembled(
    top: list[tuple[bytes, bytes]], parts: dict[bytes, bytes], number: int, bodies: list[bytes]
) -> bytes:
    def meta_box(start: int) -> bytes:
        rows, at = b"", start
        for n, body in enumerate(bodies):
            rows += struct.pack(">HHHLL", number + n, 0, 1, at, len(body))
            at += len(body)
        parts[b"iloc"] = bytes(4) + b"\x44\x00" + struct.pack(">H", len(bodies)) + rows
        return box(b"meta", bytes(4) + b"".join(box(k, v) for k, v in parts.items()))

    head = box(b"ftyp", dict(top)[b"ftyp"])
    start = len(head) + len(meta_box(0)) + 8
    return head + meta_box(start) + box(b"mdat", b"".join(bodies))


def _with_properties(iprp: bytes, properties: list[bytes]) -> bytes:
    inner = list(boxes(iprp))
    ipco = dict(inner)[b"ipco"]
    known = len(list(boxes(ipco)))
    ipma = dict(inner)[b"ipma"]
    assert ipma[:4] == bytes(4)
    assert int.from_bytes(ipma[4:8]) == 1
    number, count = struct.unpack_from(">HB", ipma, 8)
    more = bytes(0x80 | (known + 1 + n) for n in range(len(properties)))
    told = ipma[:8] + struct.pack(">HB", number, count + len(more)) + ipma[11 : 11 + count] + more
    return box(b"ipco", ipco + b"".join(properties)) + box(b"ipma", told)


def _coded(data: bytes, iloc: bytes) -> bytes:
    """Return the coded picture of a file of one item."""
    sizes, more, count = struct.unpack_from(">BBH", iloc, 4)
    offset_bytes, length_bytes, base_bytes = sizes >> 4, sizes & 15, more >> 4
    assert (iloc[0], count) == (0, 1)
    at = 8 + 4
    base = int.from_bytes(iloc[at : at + base_bytes])
    at += base_bytes + 2
    offset = base + int.from_bytes(iloc[at : at + offset_bytes])
    length = int.from_bytes(iloc[at + offset_bytes : at + offset_bytes + length_bytes])
    return data[offset : offset + length]


def _name(kind: bytes) -> bytes:
    return b"\0application/rdf+xml\0" if kind == b"mime" else b"\0"
