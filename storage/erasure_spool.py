"""Empties a data folder of what is erased: spool records, torn ones, temporary files, previews.

A record is overwritten where it lies, so that no other one moves; its header then says that it was
erased. What waits for the index is left until it has come there. Knows one folder, that of this
node.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import select

from storage import remade
from storage.archive import Archive
from storage.disk import sync_folder, write_all_at
from storage.journal import Entry, Seal, encode_erased, scan
from storage.packs import remove_temporaries
from storage.positions import Position, positions
from storage.segments import adopt_orphan, read_segment_header, segment_paths
from storage.tables import IN_SPOOL, instances

log = structlog.get_logger()

_ABANDONED_S = 900.0
"""A file that nobody has written for so long is nobody's."""

_OF_PACKS = (".mirror-", ".aside-", ".repair-", ".restore-")
_OF_BACKUPS = (".backup-", ".mirror-backup-")  # compressed: nobody sees what is in them
"""How names of files begin that mirror, repair and backup leave behind when they are killed."""

_ZEROS = bytes(1 << 20)


@dataclass(frozen=True)
class Wanted:
    """What is looked for in a data folder."""

    objects: Collection[tuple[str, str, str]]  # site, SOP Instance UID, hash
    needles: Collection[bytes]  # UIDs, as they stand in files that were cut short
    until: datetime


def clear_folder(archive: Archive, packing: Path, wanted: Wanted) -> str:
    """Empty this node's data folder; return what has to be waited for, or nothing.

    Called by the one who holds the packing lock.
    """
    remade.forget_all(archive.data)
    remove_temporaries(packing)
    archive.store.tidy()
    _clear_aside(archive.spool.aside, wanted)
    waits = [_clear_spool(archive, wanted), _clear_leftovers(archive.data, packing, wanted)]
    return next(filter(None, waits), "")


def _clear_spool(archive: Archive, wanted: Wanted) -> str:
    waits = ""
    for path in segment_paths(archive.spool.folder):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            waits = _clear_segment(archive, path, descriptor, wanted) or waits
        finally:
            os.close(descriptor)
    return waits


def _clear_segment(archive: Archive, path: Path, descriptor: int, wanted: Wanted) -> str:
    header = read_segment_header(descriptor)
    if header is None:
        return ""  # told at every start; nothing in it can be named
    with archive.database.read() as conn:
        known = positions(conn, node=None).get(path.name, Position(path.name, 0, False))
        live = set(
            conn.execute(
                select(instances.c.offset).where(
                    instances.c.location == IN_SPOOL, instances.c.container == path.name
                )
            ).scalars()
        )
    waits, is_sealed, erased = "", known.is_sealed, 0
    is_old = _age_s(path) > _ABANDONED_S
    for part in scan(descriptor, nonce=header.nonce, size=os.fstat(descriptor).st_size):
        is_sealed = is_sealed or isinstance(part, Seal)
        if not isinstance(part, Entry) or part.payload_offset in live:
            continue
        told = part.header
        is_ours = (told.origin.site, told.sop_instance_uid, told.sha256) in wanted.objects
        is_past = told.received_at <= wanted.until
        if is_ours and (part.end <= known.indexed_through or (is_past and is_old)):
            _erase(descriptor, part, nonce=header.nonce)
            erased += 1
        elif is_past and part.end > known.indexed_through and not is_old:
            waits = "what was received just before is not in the index yet"
    if erased:
        log.info("records_erased", segment=path.name, records=erased)
    if not is_sealed and is_old and _is_left_behind(path):
        waits = f"the segment {path.name} was left by a process that died: start `lysbro serve`"
    return waits


def _erase(descriptor: int, entry: Entry, *, nonce: bytes) -> None:
    """Overwrite a record: its bytes first, so that after a stop in between it is found again."""
    position = entry.payload_offset
    while position < entry.end:
        position = write_all_at(descriptor, [_ZEROS[: entry.end - position]], position)
    os.fdatasync(descriptor)
    write_all_at(descriptor, [encode_erased(entry, nonce=nonce)], entry.offset)
    os.fdatasync(descriptor)


def _is_left_behind(path: Path) -> bool:
    """Tell whether nobody owns a segment that was never sealed."""
    descriptor = adopt_orphan(path)
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def _clear_aside(folder: Path, wanted: Wanted) -> None:
    """Remove torn records that were set aside and name what is erased; nobody was promised them."""
    removed = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        if _names(path, wanted.needles):
            path.unlink(missing_ok=True)
            removed += 1
    if removed:
        sync_folder(folder)
        log.info("torn_records_erased", count=removed)


def _clear_leftovers(data: Path, packing: Path, wanted: Wanted) -> str:
    """Remove temporary files of processes that died; young ones may be in use: wait for them."""
    whole = [p for name in _OF_PACKS for p in packing.glob(name + "*")]
    mine = [p for p in [*_files(data / "express"), *whole] if _names(p, wanted.needles)]
    backups = [p for name in _OF_BACKUPS for p in packing.glob(name + "*")]
    for path in [*mine, *backups]:
        if _age_s(path) <= _ABANDONED_S:
            return f"{path.name} is in use, or was left by a process that died just now"
        path.unlink(missing_ok=True)
    return ""


def _files(folder: Path) -> Iterator[Path]:
    yield from (folder.iterdir() if folder.is_dir() else ())


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _names(path: Path, needles: Collection[bytes]) -> bool:
    """Tell whether one of the needles stands in a file."""
    longest = max(map(len, needles), default=0)
    rest = b""
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                window = rest + chunk
                if any(needle in window for needle in needles):
                    return True
                rest = window[-longest:]
    except FileNotFoundError:
        return False
    return False
