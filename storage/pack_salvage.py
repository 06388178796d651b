"""Reads what is whole in a pack whose ZIP directory or custody is broken, by its local headers.

A member counts when its bytes have the check sum of its own header. What the custody still says is
taken from there, else from the object itself. Writes nothing; the pack stays as it is.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zipfile import ZIP_STORED, ZipInfo

from casework.errors import Invalid
from storage.filemeta import read_file_meta
from storage.journal import new_digest
from storage.pack_reader import BrokenPack, Directory, Note, PackReader, directory_of
from storage.packs import CUSTODY, METADATA, site_of_key
from storage.part10 import walk
from storage.tables import CURRENT
from storage.walker import WalkLimits

_LOCAL = struct.Struct("<4s2xHH4xLLLHH")  # signature, flags, method, crc, sizes, lengths
_SIGNATURE = b"PK\x03\x04"
_ZIP64 = 0xFFFFFFFF
_CHUNK = 1 << 20
_NAME = re.compile(r"\d{6,}\.dcm")


@dataclass(frozen=True)
class _Member:
    """A member that its local header names, whole by the check sum that stands there."""

    name: str
    header_offset: int
    start: int
    length: int


def salvage(reader: PackReader, *, limits: WalkLimits, now: datetime, reason: str) -> Directory:
    """Return what is whole in a broken pack, or raise BrokenPack with the reason.

    An object that no custody tells of counts as received now.
    """
    site = site_of_key(reader.key) or ""
    found = {member.name: member for member in _whole_members(reader)}
    told = _custody(reader, found)
    if told is not None:
        entries = {name: _as_entry(member) for name, member in found.items()}
        try:
            notes = [note for note in told["instances"] if note["member"] in entries]
            read = directory_of({**told, "instances": notes}, entries)
        except (KeyError, ValueError, TypeError):
            read = None
        if read is not None and read.notes:
            return read
    notes_made = [
        note
        for member in found.values()
        if _NAME.fullmatch(member.name)
        and (note := _note(reader, member, site, limits, now)) is not None
    ]
    if not notes_made:
        raise BrokenPack(f"{reason}, and nothing in it is whole")
    first = notes_made[0]
    # a pack is of one series: another one in it would be no member of ours
    of_series = [n for n in notes_made if (n.study_uid, n.series_uid) == _series(first)]
    return Directory(site, *_series(first), tuple(of_series))


def _series(note: Note) -> tuple[str, str]:
    return note.study_uid, note.series_uid


def _whole_members(reader: PackReader) -> Iterator[_Member]:
    """Walk the local headers; where one is broken, go on at the next that looks like ours."""
    position: int | None = 0
    while position is not None and position < reader.size_bytes:
        member = _member_at(reader, position)
        if member is None:
            position = _next_header(reader, position + 1)
        elif _crc(reader, member) == _told_crc(reader, member):
            yield member
            position = member.start + member.length
        else:
            position = _next_header(reader, position + 1)


def _member_at(reader: PackReader, position: int) -> _Member | None:
    raw = reader.read_at(position, _LOCAL.size)
    if len(raw) < _LOCAL.size:
        return None
    signature, flags, method, _, _, length, name_bytes, extra_bytes = _LOCAL.unpack(raw)
    if signature != _SIGNATURE or method != ZIP_STORED or flags & 0b1001:
        return None
    rest = reader.read_at(position + _LOCAL.size, name_bytes + extra_bytes)
    name = rest[:name_bytes].decode("latin-1")
    if not (_NAME.fullmatch(name) or name in (METADATA, CUSTODY)):
        return None
    if length == _ZIP64:
        length = _zip64_length(rest[name_bytes:])
    start = position + _LOCAL.size + name_bytes + extra_bytes
    if length < 0 or start + length > reader.size_bytes:
        return None
    return _Member(name, position, start, length)


def _zip64_length(extra: bytes) -> int:
    """Return the size of a ZIP64 extra field (APPNOTE 4.5.3), -1 when there is none."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 1 and length >= 8 and len(extra) >= 12:
            return int(struct.unpack_from("<Q", extra, 4)[0])
        extra = extra[4 + length :]
    return -1


def _told_crc(reader: PackReader, member: _Member) -> int:
    return int(_LOCAL.unpack(reader.read_at(member.header_offset, _LOCAL.size))[3])


def _crc(reader: PackReader, member: _Member) -> int:
    crc = 0
    for chunk in _bytes_of(reader, member.start, member.length):
        crc = zlib.crc32(chunk, crc)
    return crc


def _next_header(reader: PackReader, position: int) -> int | None:
    """Return where the next signature of a local header stands."""
    while position < reader.size_bytes:
        window = reader.read_at(position, min(_CHUNK, reader.size_bytes - position))
        at = window.find(_SIGNATURE)
        if at >= 0:
            return position + at
        position += max(1, len(window) - len(_SIGNATURE) + 1)
    return None


def _bytes_of(reader: PackReader, start: int, length: int) -> Iterator[bytes]:
    end = start + length
    while start < end:
        chunk = reader.read_at(start, min(_CHUNK, end - start))
        if not chunk:
            return
        yield chunk
        start += len(chunk)


def _custody(reader: PackReader, found: Mapping[str, _Member]) -> dict[str, Any] | None:
    member = found.get(CUSTODY)
    if member is None:
        return None
    try:
        told = json.loads(b"".join(_bytes_of(reader, member.start, member.length)))
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _as_entry(member: _Member) -> ZipInfo:
    entry = ZipInfo(member.name)
    entry.header_offset = member.header_offset
    entry.file_size = member.length
    return entry


def _note(
    reader: PackReader, member: _Member, site: str, limits: WalkLimits, now: datetime
) -> Note | None:
    """Return what an object says of itself, or None when it is no object that we would keep."""
    try:
        meta = read_file_meta(reader.source(member.start, member.length))
        offset = meta.dataset_offset
        syntax = meta.transfer_syntax_uid
        source = reader.source(member.start + offset, member.length - offset)
        header = walk(source, transfer_syntax_uid=syntax, limits=limits)
    except Invalid:
        return None
    digest = new_digest(syntax)
    for chunk in _bytes_of(reader, member.start + offset, member.length - offset):
        digest.update(chunk)
    return Note(
        site=site,
        study_uid=header.study_uid,
        series_uid=header.series_uid,
        sop_instance_uid=header.sop_instance_uid,
        sop_class_uid=header.sop_class_uid,
        transfer_syntax_uid=syntax,
        sha256=digest.hexdigest(),
        size_bytes=member.length - offset,
        state=CURRENT,
        received_at=now,
        ledger=(),
        header_offset=member.header_offset,
        length=member.length,
        dataset_offset=offset,
    )
