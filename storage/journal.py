"""The form of the journal on disk: segment header, record header, and a scan that survives damage.

Knows bytes only: no locks, no index. Every record's magic carries its segment's random nonce, so
that no sender can plant in an object what a later scan would take for a record.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from casework.custody import Door, Origin
from storage.source import read_exactly

SEGMENT_HEADER_BYTES = 512
_SEGMENT_MAGIC = b"LYSBSEG\x00"
_RECORD_MAGIC = b"LREC"
_VERSION = 1
_NONCE_BYTES = 16
_SEAL = 1
_ERASED = 2

# magic, version, header bytes, nonce, started in µs, process, length of the node's name
_SEGMENT = struct.Struct("<8sHH16sQLH")
# magic, nonce, version, flags, header bytes, payload bytes, data set offset, synced to,
# received in µs, hash of the data set, checksum of the file meta, length of the fields
_RECORD = struct.Struct("<4s16sHHLQLQQ32sLL")
_CRC = struct.Struct("<L")
RECORD_FIXED_BYTES = _RECORD.size + _CRC.size
_MAX_FIELDS_BYTES = 1 << 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK = 1 << 20


@dataclass(frozen=True)
class SegmentHeader:
    """Who began a segment, and the nonce of its records."""

    nonce: bytes
    node: str
    process: int
    started_at: datetime


@dataclass(frozen=True)
class RecordHeader:
    """What the journal says of one object: the promise itself."""

    origin: Origin
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    received_at: datetime
    sha256: str
    payload_bytes: int  # of the Part 10 file
    dataset_offset: int  # in the Part 10 file
    meta_crc: int  # of the Part 10 file up to the data set
    synced_to: int  # offset through which the segment was durable when this was written

    @property
    def size_bytes(self) -> int:
        """Return the size of the data set."""
        return self.payload_bytes - self.dataset_offset


@dataclass(frozen=True)
class Entry:
    """A record that a scan found, whole in form; only its hash tells whether its bytes are."""

    offset: int  # of the record
    payload_offset: int  # of the Part 10 file
    end: int
    header: RecordHeader


@dataclass(frozen=True)
class Seal:
    """The last record of a segment that was closed in peace."""

    offset: int
    end: int
    synced_to: int


@dataclass(frozen=True)
class Damage:
    """A stretch that holds no readable record."""

    offset: int
    end: int


@dataclass(frozen=True)
class Unused:
    """The zeros at the end of a segment: room for records that were never written."""

    offset: int
    end: int


@dataclass(frozen=True)
class Erased:
    """The place of a record that was erased: nothing is there any more, and nothing is amiss."""

    offset: int
    end: int
    synced_to: int


Part = Entry | Seal | Damage | Unused | Erased


def encode_segment_header(header: SegmentHeader) -> bytes:
    """Return the first bytes of a segment, always of the same length."""
    node = header.node.encode()[:128]
    fixed = _SEGMENT.pack(
        _SEGMENT_MAGIC,
        _VERSION,
        SEGMENT_HEADER_BYTES,
        header.nonce,
        _microseconds(header.started_at),
        header.process,
        len(node),
    )
    body = (fixed + node).ljust(SEGMENT_HEADER_BYTES - _CRC.size, b"\x00")
    return body + _CRC.pack(zlib.crc32(body))


def decode_segment_header(data: bytes) -> SegmentHeader | None:
    """Return the header of a segment, or None when these bytes are not one."""
    if len(data) < SEGMENT_HEADER_BYTES:
        return None
    body, crc = data[: SEGMENT_HEADER_BYTES - _CRC.size], data[SEGMENT_HEADER_BYTES - _CRC.size :]
    if zlib.crc32(body) != _CRC.unpack(crc[: _CRC.size])[0]:
        return None
    magic, version, _, nonce, started, process, node_bytes = _SEGMENT.unpack_from(body)
    if magic != _SEGMENT_MAGIC or version != _VERSION:
        return None
    node = body[_SEGMENT.size : _SEGMENT.size + node_bytes].decode()
    return SegmentHeader(nonce, node, process, _time(started))


def encode_fields(
    origin: Origin, *, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str
) -> bytes:
    """Return the part of a record header that is known before its object has come in.

    The UIDs are made of digits and dots, as every UID that is taken in is.
    """
    common = _common_fields(origin, sop_class_uid, transfer_syntax_uid)
    encoded = common + f',"sop_instance_uid":"{sop_instance_uid}"}}'.encode("ascii")
    if len(encoded) > _MAX_FIELDS_BYTES:
        raise ValueError("the origin of an object does not fit into a record header")
    return encoded


@lru_cache(maxsize=256)
def _common_fields(origin: Origin, sop_class_uid: str, transfer_syntax_uid: str) -> bytes:
    """Return the fields that the objects of one association share, as JSON without its end."""
    values: dict[str, str] = {f.name: str(getattr(origin, f.name)) for f in fields(Origin)}
    values |= {"sop_class_uid": sop_class_uid, "transfer_syntax_uid": transfer_syntax_uid}
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()[:-1]


def encode_record_header(
    encoded_fields: bytes,
    *,
    nonce: bytes,
    received_at: datetime,
    sha256: bytes,
    payload_bytes: int,
    dataset_offset: int,
    meta_crc: int,
    synced_to: int,
) -> bytes:
    """Return a record header; its length depends on the fields only."""
    fixed = _RECORD.pack(
        _RECORD_MAGIC,
        nonce,
        _VERSION,
        0,
        RECORD_FIXED_BYTES + len(encoded_fields),
        payload_bytes,
        dataset_offset,
        synced_to,
        _microseconds(received_at),
        sha256,
        meta_crc,
        len(encoded_fields),
    )
    return fixed + _CRC.pack(zlib.crc32(encoded_fields, zlib.crc32(fixed))) + encoded_fields


def encode_seal(*, nonce: bytes, synced_to: int) -> bytes:
    """Return the record that closes a segment."""
    fixed = _RECORD.pack(
        _RECORD_MAGIC,
        nonce,
        _VERSION,
        _SEAL,
        RECORD_FIXED_BYTES,
        0,
        0,
        synced_to,
        0,
        bytes(32),
        0,
        0,
    )
    return fixed + _CRC.pack(zlib.crc32(fixed))


def encode_erased(entry: Entry, *, nonce: bytes) -> bytes:
    """Return the header that stands in the place of an erased record's, and is as long as it."""
    payload = entry.end - entry.payload_offset
    length = entry.payload_offset - entry.offset
    blank = b" " * (length - RECORD_FIXED_BYTES)
    fixed = _RECORD.pack(
        _RECORD_MAGIC,
        nonce,
        _VERSION,
        _ERASED,
        length,
        payload,
        0,
        entry.header.synced_to,
        0,
        bytes(32),
        0,
        len(blank),
    )
    return fixed + _CRC.pack(zlib.crc32(blank, zlib.crc32(fixed))) + blank


def scan(
    descriptor: int, *, nonce: bytes, size: int, start: int = SEGMENT_HEADER_BYTES
) -> Iterator[Part]:
    """Yield what a segment holds, in order; after damage goes on at the next readable record."""
    position = start
    while position < size:
        found = _record_at(descriptor, position, nonce=nonce, size=size)
        if found is None:
            following = _next_record(descriptor, position + 1, nonce=nonce, size=size)
            written_to = following
            if following == size:  # the last zeros are room, whatever was torn before them
                written_to = _after_last_written(descriptor, position, size)
            if written_to > position:
                yield Damage(position, written_to)
            if following > written_to:
                yield Unused(written_to, following)
            position = following
            continue
        yield found
        position = found.end


def payload_is_whole(descriptor: int, entry: Entry) -> bool:
    """Tell whether a record's Part 10 file has its hash and its file meta the check sum."""
    header = entry.header
    meta = read_exactly(descriptor, entry.payload_offset, header.dataset_offset)
    if len(meta) != header.dataset_offset or zlib.crc32(meta) != header.meta_crc:
        return False
    digest = new_digest(header.transfer_syntax_uid)
    position = entry.payload_offset + header.dataset_offset
    while position < entry.end:
        chunk = read_exactly(descriptor, position, min(_CHUNK, entry.end - position))
        if not chunk:
            return False
        digest.update(chunk)
        position += len(chunk)
    return bool(digest.hexdigest() == header.sha256)


def new_digest(transfer_syntax_uid: str) -> Any:
    """Return the running hash of a data set: SHA-256 of its transfer syntax UID, then its bytes."""
    return hashlib.sha256(transfer_syntax_uid.encode("ascii"))


def _record_at(
    descriptor: int, position: int, *, nonce: bytes, size: int
) -> Entry | Seal | Erased | None:
    fixed = read_exactly(descriptor, position, RECORD_FIXED_BYTES)
    if len(fixed) < RECORD_FIXED_BYTES:
        return None
    (
        magic,
        found_nonce,
        version,
        flags,
        header_bytes,
        payload,
        dataset_offset,
        synced_to,
        received,
        sha256,
        meta_crc,
        fields_bytes,
    ) = _RECORD.unpack_from(fixed)
    if magic != _RECORD_MAGIC or found_nonce != nonce or version != _VERSION:
        return None
    if fields_bytes > _MAX_FIELDS_BYTES or header_bytes != RECORD_FIXED_BYTES + fields_bytes:
        return None
    encoded = read_exactly(descriptor, position + RECORD_FIXED_BYTES, fields_bytes)
    (crc,) = _CRC.unpack_from(fixed, _RECORD.size)
    end = position + header_bytes + payload
    if zlib.crc32(encoded, zlib.crc32(fixed[: _RECORD.size])) != crc or end > size:
        return None
    if flags & _SEAL:
        return Seal(position, end, synced_to)
    if flags & _ERASED:
        return Erased(position, end, synced_to)
    values = json.loads(encoded)
    origin = Origin(
        **{f.name: values[f.name] for f in fields(Origin)} | {"door": Door(values["door"])}
    )
    header = RecordHeader(
        origin=origin,
        sop_class_uid=values["sop_class_uid"],
        sop_instance_uid=values["sop_instance_uid"],
        transfer_syntax_uid=values["transfer_syntax_uid"],
        received_at=_time(received),
        sha256=sha256.hex(),
        payload_bytes=payload,
        dataset_offset=dataset_offset,
        meta_crc=meta_crc,
        synced_to=synced_to,
    )
    return Entry(position, position + header_bytes, end, header)


def _next_record(descriptor: int, start: int, *, nonce: bytes, size: int) -> int:
    """Return the offset of the next readable record, or the end of the segment."""
    needle = _RECORD_MAGIC + nonce
    position = start
    while position < size:
        window = read_exactly(descriptor, position, min(_CHUNK, size - position))
        at = window.find(needle)
        if at < 0:
            if position + len(window) >= size:
                return size
            position += max(1, len(window) - len(needle) + 1)
            continue
        if _record_at(descriptor, position + at, nonce=nonce, size=size) is not None:
            return position + at
        position += at + 1
    return size


def _after_last_written(descriptor: int, start: int, end: int) -> int:
    """Return the offset after the last byte of a stretch that is not zero, or its start."""
    position = end
    while position > start:
        begin = max(start, position - _CHUNK)
        written = read_exactly(descriptor, begin, position - begin).rstrip(b"\x00")
        if written:
            return begin + len(written)
        position = begin
    return start


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _time(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
