"""Writes a pack anew without some of its members; the others stay byte for byte, with their notes.

Works on files, and asks the pack itself what is in it. Deterministic, so that doing it again gives
the same pack under the same key. Puts nothing and deletes nothing.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from storage.copies import Copy
from storage.packs import CUSTODY, METADATA, member_offsets, pack_key

_TEMPORARY = ".pack-erase-"
_CHUNK = 1 << 20
_ZIP64_FROM = 1 << 31

Goes = Callable[[str, str, str, str, datetime], bool]
"""Tells of a member by its site, study, SOP Instance UID, hash and time whether it goes."""


@dataclass(frozen=True)
class Rewritten:
    """A pack on the local disk, ready to be put, and where each member lies in it."""

    path: Path
    key: str
    sha256: str
    size_bytes: int
    site: str
    study_uid: str
    series_uid: str
    placed: tuple[Copy, ...]


def without(source: Path, folder: Path, *, goes: Goes) -> Rewritten:
    """Write the pack in a file anew, without the members that go; the caller removes the file."""
    path = folder / (_TEMPORARY + secrets.token_hex(8))
    try:
        with zipfile.ZipFile(source) as old:
            told = json.loads(old.read(CUSTODY))
            headers = json.loads(old.read(METADATA))
            kept = [not goes(*_named(told, note)) for note in told["instances"]]
            notes = [n for n, stays in zip(told["instances"], kept, strict=True) if stays]
            if len(headers) == len(kept):
                headers = [h for h, stays in zip(headers, kept, strict=True) if stays]
            else:  # nobody can tell which header is whose; the members have them all the same
                headers = []
            with zipfile.ZipFile(path, "x", zipfile.ZIP_STORED, allowZip64=True) as new:
                for note in notes:
                    _copy(old, new, note["member"])
                _write(old, new, METADATA, _lines(headers))
                _write(old, new, CUSTODY, _json({**told, "instances": notes}))
        return _measured(path, told, notes)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _named(told: Mapping[str, Any], note: Mapping[str, Any]) -> tuple[str, str, str, str, datetime]:
    received_at = datetime.fromisoformat(note["received_at"])
    uid, sha256 = str(note["sop_instance_uid"]), str(note["sha256"])
    return str(told["site"]), str(told["study_uid"]), uid, sha256, received_at


def _copy(old: zipfile.ZipFile, new: zipfile.ZipFile, name: str) -> None:
    large = old.getinfo(name).file_size >= _ZIP64_FROM
    with old.open(name) as source, new.open(_entry(old, name), "w", force_zip64=large) as target:
        shutil.copyfileobj(source, target, _CHUNK)


def _write(old: zipfile.ZipFile, new: zipfile.ZipFile, name: str, data: bytes) -> None:
    with new.open(_entry(old, name), "w", force_zip64=True) as stream:
        stream.write(data)


def _entry(old: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    was = old.getinfo(name)
    entry = zipfile.ZipInfo(name, was.date_time)
    entry.compress_type = zipfile.ZIP_STORED
    entry.create_system = was.create_system
    entry.external_attr = was.external_attr
    return entry


def _lines(headers: list[Any]) -> bytes:
    if not headers:
        return b"[]\n"
    return b"[\n" + b",\n".join(_json(header) for header in headers) + b"\n]\n"


def _json(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode("utf-8", errors="replace")


def _measured(path: Path, told: Mapping[str, Any], notes: list[Mapping[str, Any]]) -> Rewritten:
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    site = str(told["site"])
    key = pack_key(site, sha256)
    offsets = member_offsets(path)
    placed = tuple(
        Copy(
            site,
            note["sop_instance_uid"],
            note["sha256"],
            key,
            *offsets[note["member"]],
            int(note["dataset_offset"]),
        )
        for note in notes
    )
    size = path.stat().st_size
    return Rewritten(
        path, key, sha256, size, site, str(told["study_uid"]), str(told["series_uid"]), placed
    )
