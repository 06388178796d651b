"""Writes a pack: a plain ZIP, stored, that anything can open, whose members lie at known offsets.

Deterministic: the same members give the same bytes and so the same key. Each object is hashed again
while it is copied; one that no longer has its hash is left out and named.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any, BinaryIO

from casework.custody import CustodyRow
from casework.errors import Invalid, NotFound
from storage.dicom_json import dicom_json
from storage.disk import sync_folder
from storage.filemeta import IMPLEMENTATION_VERSION_NAME
from storage.forms import Received
from storage.header import PixelLayout
from storage.journal import new_digest
from storage.part10 import FileSource, Source, WalkLimits, walk
from storage.rows import InstanceRow

METADATA, CUSTODY = "metadata.json", "custody.json"
_TEMPORARY = ".pack-"
_FIRST_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest a ZIP can say
_LOCAL_HEADER = struct.Struct("<26xHH")
_CHUNK = 1 << 20
_ZIP64_FROM = 1 << 31
_KEY = re.compile(r"v1/([a-z0-9-]+)/[0-9a-f]{2}/([0-9a-f]{64})\.zip")


@dataclass(frozen=True)
class Member:
    """An instance that goes into a pack, with its ledger so far."""

    instance: InstanceRow
    ledger: Sequence[CustodyRow]


@dataclass(frozen=True)
class Placed:
    """Where a member's Part 10 file lies in its pack."""

    instance: InstanceRow
    offset: int
    length: int


@dataclass(frozen=True)
class Found:
    """A member of a pack as the pack itself names it."""

    sop_instance_uid: str
    sha256: str
    offset: int
    length: int
    dataset_offset: int
    brought_by: Mapping[str, str]  # the first line of its custody
    transfer_syntax_uid: str = ""
    size_bytes: int = 0
    kept_sha256: str = ""
    received: Received | None = None  # when it is in another form than it came in
    pixel: PixelLayout | None = None  # of that form


@dataclass(frozen=True)
class BuiltPack:
    """A pack on the local disk, ready to be put."""

    path: Path
    key: str
    sha256: str
    size_bytes: int
    placed: tuple[Placed, ...]
    rotten: tuple[InstanceRow, ...]  # no longer had their hash, and were left out


def build_pack(
    folder: Path,
    *,
    site: str,
    study_uid: str,
    series_uid: str,
    members: Sequence[Member],
    open_part10: Callable[[InstanceRow], BinaryIO],
    limits: WalkLimits,
    durable: bool = True,
) -> BuiltPack:
    """Write the pack of a series' instances into a folder; the caller removes the file.

    It need not be durable there when it is put at once.
    """
    path = folder / (_TEMPORARY + secrets.token_hex(8))
    try:
        kept, notes, rotten = _write_members(path, members, open_part10)
        if not rotten:
            told: dict[str, Any] = {
                "version": 1,
                "written_by": IMPLEMENTATION_VERSION_NAME,
                "site": site,
                "study_uid": study_uid,
                "series_uid": series_uid,
                "instances": notes,
            }
            placed = _write_documents(path, kept, told, limits)
            sha256 = _sync_and_hash(path) if durable else _hash(path)
            size = path.stat().st_size
            return BuiltPack(path, pack_key(site, sha256), sha256, size, placed, ())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    path.unlink()  # a ZIP cannot forget a member: begin again without the rotten ones
    again = build_pack(
        folder,
        site=site,
        study_uid=study_uid,
        series_uid=series_uid,
        members=[m for m in members if m.instance not in rotten],
        open_part10=open_part10,
        limits=limits,
        durable=durable,
    )
    return replace(again, rotten=(*rotten, *again.rotten))


def pack_key(site: str, sha256: str) -> str:
    """Return the key of a pack: its content names it, so it can never change."""
    return f"v1/{site}/{sha256[:2]}/{sha256}.zip"


def sha256_of_key(key: str) -> str | None:
    """Return the hash that a pack's key promises, or None when the key is not that of a pack."""
    match = _KEY.fullmatch(key)
    return match[2] if match else None


def site_of_key(key: str) -> str | None:
    """Return the site whose objects a pack holds by its key, or None when it is no pack's."""
    match = _KEY.fullmatch(key)
    return match[1] if match else None


def member_offsets(path: Path) -> dict[str, tuple[int, int]]:
    """Return offset and length of each member's bytes in a stored ZIP."""
    with zipfile.ZipFile(path) as archive, path.open("rb") as stream:
        found = {}
        for entry in archive.infolist():
            stream.seek(entry.header_offset)
            name_bytes, extra_bytes = _LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))
            start = entry.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
            found[entry.filename] = (start, entry.file_size)
        return found


def read_members(path: Path, *, limits: WalkLimits) -> list[Found]:
    """Return what a pack says that is in it, and where that lies."""
    offsets = member_offsets(path)
    with zipfile.ZipFile(path) as archive:
        told = json.loads(archive.read(CUSTODY))
    found = [
        Found(
            note["sop_instance_uid"],
            note["sha256"],
            *offsets[note["member"]],
            note["dataset_offset"],
            note["custody"][0]["detail"] if note["custody"] else {},
            note["transfer_syntax_uid"],
            note["size_bytes"],
            *received_of(note),
        )
        for note in told["instances"]
    ]
    return [f if f.received is None else _with_layout(f, path, limits) for f in found]


def received_of(note: Mapping[str, Any]) -> tuple[str, Received | None]:
    """Return the hash of what is kept of a member and how it came, when it is in another form."""
    told = note.get("received")
    return ("", None) if told is None else (str(note["kept_sha256"]), Received.from_json(told))


def remove_temporaries(folder: Path) -> int:
    """Remove packs that were cut short; only while nobody else packs."""
    stale = list(folder.glob(_TEMPORARY + "*"))
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)


def _with_layout(member: Found, path: Path, limits: WalkLimits) -> Found:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        source = FileSource(
            descriptor, offset=member.offset + member.dataset_offset, size=member.size_bytes
        )
        header = walk(source, transfer_syntax_uid=member.transfer_syntax_uid, limits=limits)
        return replace(member, pixel=header.pixel)
    except Invalid as error:
        raise ValueError("a member cannot be read") from error
    finally:
        os.close(descriptor)


def _write_members(
    path: Path, members: Sequence[Member], open_part10: Callable[[InstanceRow], BinaryIO]
) -> tuple[list[InstanceRow], list[dict[str, Any]], list[InstanceRow]]:
    """Write the objects, and return those that were sound, their notes, and the rotten ones."""
    kept: list[InstanceRow] = []
    notes: list[dict[str, Any]] = []
    rotten: list[InstanceRow] = []
    with zipfile.ZipFile(path, "x", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for i, member in enumerate(sorted(members, key=_order)):
            name = _member_name(i)
            file_sha256 = _copy_member(archive, name, member.instance, open_part10)
            if file_sha256 is None:
                rotten.append(member.instance)
            else:
                kept.append(member.instance)
                notes.append(_note(name, member, file_sha256))
    return kept, notes, rotten


def _write_documents(
    path: Path, kept: Sequence[InstanceRow], told: Mapping[str, Any], limits: WalkLimits
) -> tuple[Placed, ...]:
    """Add the headers and the custody to a pack, and return where its objects lie."""
    offsets = member_offsets(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED, allowZip64=True) as archive:
        with archive.open(_entry(METADATA), "w", force_zip64=True) as stream:
            _write_metadata(stream, path, kept, offsets, limits)
        with archive.open(_entry(CUSTODY), "w", force_zip64=True) as stream:
            stream.write(_json(told))
    return tuple(Placed(instance, *offsets[_member_name(i)]) for i, instance in enumerate(kept))


class _Unreadable(Exception):
    """The source of a member gives no bytes."""


def _copy_member(
    archive: zipfile.ZipFile,
    name: str,
    instance: InstanceRow,
    open_part10: Callable[[InstanceRow], BinaryIO],
) -> str | None:
    """Copy a Part 10 file and return its hash, or None when its data set has lost its own."""
    where = instance.location
    whole = hashlib.sha256()
    dataset = new_digest(instance.transfer_syntax_uid)
    size = 0
    try:
        source = open_part10(instance)
    except NotFound:
        return None
    large = where.length >= _ZIP64_FROM
    with source, archive.open(_entry(name), "w", force_zip64=large) as target:
        try:
            meta = _read(source, where.dataset_offset)
            whole.update(meta)
            target.write(meta)
            while chunk := _read(source, _CHUNK):
                whole.update(chunk)
                dataset.update(chunk)
                target.write(chunk)
                size += len(chunk)
        except _Unreadable:
            return None
    is_sound = dataset.hexdigest() == instance.bytes_sha256 and size == instance.size_bytes
    return whole.hexdigest() if is_sound else None


def _read(source: BinaryIO, length: int) -> bytes:
    try:
        return source.read(length)
    except OSError as error:
        raise _Unreadable from error


def _write_metadata(
    stream: IO[bytes],
    path: Path,
    kept: Sequence[InstanceRow],
    offsets: Mapping[str, tuple[int, int]],
    limits: WalkLimits,
) -> None:
    """Write the headers as one JSON array, one object a line, from the members just written."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for i, instance in enumerate(kept):
            offset, _ = offsets[_member_name(i)]
            source = FileSource(
                descriptor,
                offset=offset + instance.location.dataset_offset,
                size=instance.size_bytes,
            )
            header = _header(source, instance, limits)
            stream.write((b"[\n" if i == 0 else b",\n") + _json(header))
        stream.write(b"\n]\n" if kept else b"[]\n")
    finally:
        os.close(descriptor)


def _header(source: Source, instance: InstanceRow, limits: WalkLimits) -> dict[str, Any]:
    try:
        return dicom_json(source, transfer_syntax_uid=instance.transfer_syntax_uid, limits=limits)
    except Invalid:  # kept under wider limits than those of today: its identity is enough here
        return {"00080018": {"vr": "UI", "Value": [instance.sop_instance_uid]}}


def _note(name: str, member: Member, file_sha256: str) -> dict[str, Any]:
    instance = member.instance
    other_form: dict[str, Any] = {}
    if instance.received is not None:
        other_form = {
            "kept_sha256": instance.kept_sha256,
            "received": instance.received.as_json(),
        }
    return {
        **other_form,
        "member": name,
        "sop_class_uid": instance.sop_class_uid,
        "sop_instance_uid": instance.sop_instance_uid,
        "transfer_syntax_uid": instance.transfer_syntax_uid,
        "sha256": instance.sha256,
        "file_sha256": file_sha256,
        "size_bytes": instance.size_bytes,
        "dataset_offset": instance.location.dataset_offset,
        "state": instance.state,
        "received_at": _time(instance.received_at),
        "custody": [
            {"event": line.event, "at": _time(line.at), "detail": dict(line.detail)}
            for line in member.ledger
        ],
    }


def _member_name(index: int) -> str:
    return f"{index + 1:06d}.dcm"


def _order(member: Member) -> tuple[int, str, str]:
    instance = member.instance
    return (instance.number or 0, instance.sop_instance_uid, instance.sha256)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _FIRST_TIME)
    entry.compress_type = zipfile.ZIP_STORED
    entry.create_system = 3
    entry.external_attr = 0o600 << 16
    return entry


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode(
        "utf-8", errors="replace"
    )


def _time(at: datetime) -> str:
    return at.isoformat()


def _sync_and_hash(path: Path) -> str:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
    sync_folder(path.parent)
    return _hash(path)


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
