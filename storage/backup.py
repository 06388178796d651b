"""Puts the casebook into the store as one object, lists such backups and reads them back.

One snapshot of the database; works the same over SQLite and PostgreSQL. What is in it is said by
`backup_tables`. Deletes older backups only when told how many to keep.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import structlog
from sqlalchemy import Connection, Select, and_, not_, or_, select

from casework.custody import CustodyEvent
from casework.errors import NotFound, Unavailable
from storage.backup_file import BackupReader, BackupWriter
from storage.backup_tables import WHOLE
from storage.casebook_tables import audit, sites
from storage.database import Database, revisions
from storage.filemeta import IMPLEMENTATION_VERSION_NAME
from storage.objects import ObjectStore, sha256_of_object
from storage.tables import custody, instances, packs, studies
from storage.tombstones import newest_at

log = structlog.get_logger()

PREFIX = "backup/casebook/"
BACKED_UP, BEGUN, REBUILT = "backed-up", "backup-begun", "rebuilt"
"""What the audit calls a backup, the beginning of the first one, and a rebuild."""

STUDIES, INSTANCES, PACKS, CUSTODY = "studies", "instances", "packs", "custody"
"""Parts of a backup that are of the index: what the packs cannot know of it."""

STUDY_COLUMNS = (
    "site", "study_uid", "instance_count", "completeness", "completeness_evidence",
    "expected_instances", "missing_instances", "judged",
)  # fmt: skip
INSTANCE_COLUMNS = (
    "site", "sop_instance_uid", "sha256", "state", "conflict", "settled_at", "settled_by",
)  # fmt: skip
CUSTODY_COLUMNS = (
    "site", "sop_instance_uid", "sha256", "instance_pk", "event", "at", "record", "detail",
)  # fmt: skip

_KEY = re.compile(rf"{PREFIX}(\d{{8}}t\d{{6}}z)-([0-9a-f]{{64}})\.zip")
_TEMPORARY = ".backup-"
_STALE_S = 86400
_CHUNK = 1 << 20
_AT_ONCE = 1000


@dataclass(frozen=True)
class Kept:
    """A backup in the store."""

    key: str
    at: datetime
    size_bytes: int
    rows: int = 0  # 0 when it was only listed


def back_up(database: Database, store: ObjectStore, folder: Path, *, now: datetime) -> Kept:
    """Write the casebook as it is at this moment into the store, and read it back.

    Its name comes after that of every other, whatever the clock says: the newest is the last made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_stale(folder)
    path = folder / (_TEMPORARY + secrets.token_hex(8))
    try:
        rows = _write(database, path, now)
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        size = path.stat().st_size
        named_at = _after_all(store, now)
        key = f"{PREFIX}{named_at.astimezone(UTC):%Y%m%dt%H%M%Sz}-{sha256}.zip"
        store.put(key, path, sha256=sha256)
    except OSError as error:
        raise Unavailable(
            f"The backup cannot be written in {folder} ({error.strerror or error}). "
            "Look at that disk.",
            code="backup-failed",
        ) from error
    finally:
        path.unlink(missing_ok=True)
    if sha256_of_object(store, key) != sha256:
        raise Unavailable(
            f"The store gives other bytes back for {key} than were put. Look at the store.",
            code="store-differs",
        )
    with database.read() as conn:
        erased_at = newest_at(conn)
    if erased_at is not None and erased_at >= now:  # what was erased meanwhile may be in it
        store.erase(key)
        return back_up(database, store, folder, now=erased_at + timedelta(microseconds=1))
    log.info("backed_up", key=key, rows=rows, bytes=size)
    return Kept(key, named_at, size, rows)


def _after_all(store: ObjectStore, now: datetime) -> datetime:
    """Return now, or a second after the newest backup where that is of a later time."""
    newest = next(iter(backups(store)), None)
    if newest is None or newest.at < now.replace(microsecond=0):
        return now
    if newest.at - now > timedelta(seconds=1):
        log.warning("backup_of_a_later_time", newest=newest.at.isoformat(), now=now.isoformat())
    return newest.at + timedelta(seconds=1)


def backups(store: ObjectStore) -> list[Kept]:
    """Return the backups that are in the store, the newest first."""
    found = []
    for each in store.list(PREFIX):
        at = made_at(each.key)
        if at is not None:
            found.append(Kept(each.key, at, each.size_bytes))
    return sorted(found, key=lambda kept: (kept.at, kept.key), reverse=True)


def sha256_of_backup(key: str) -> str | None:
    """Return the hash that the key of a backup promises, or None when it is not one."""
    match = _KEY.fullmatch(key)
    return match[2] if match else None


def made_at(key: str) -> datetime | None:
    """Return the time that the key of a backup tells, or None when it is not one."""
    match = _KEY.fullmatch(key)
    return datetime.strptime(match[1], "%Y%m%dt%H%M%Sz").replace(tzinfo=UTC) if match else None


def remove_older(store: ObjectStore, *, keep: int) -> list[str]:
    """Remove all but the newest backups, and return their keys; none when `keep` is 0."""
    older = [kept.key for kept in backups(store)[keep:]] if keep else []
    for key in older:
        store.delete(key)
        log.info("backup_removed", key=key)
    return older


def is_anything_to_back_up(database: Database) -> bool:
    """Tell whether the casebook has been begun: an exchange without a site has nothing to lose."""
    with database.read() as conn:
        return conn.execute(select(sites.c.slug).limit(1)).first() is not None


def has_been_kept(database: Database) -> bool:
    """Tell whether this casebook has been backed up, or comes from a backup.

    A new one over an old store must not become the newest backup by itself. Of the first one the
    beginning counts, which is noted while the store has none: whoever began it may have died
    between the put and the note.
    """
    with database.read() as conn:
        found = select(audit.c.seq).where(audit.c.action.in_((BACKED_UP, BEGUN, REBUILT))).limit(1)
        return conn.execute(found).first() is not None


@contextmanager
def opened(store: ObjectStore, key: str, folder: Path) -> Iterator[BackupReader]:
    """Give a backup whole, as its hash says, or raise Unavailable with the reason why not."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / (_TEMPORARY + secrets.token_hex(8))
    try:
        reader = _fetched(store, key, path)
        try:
            yield reader
        finally:
            reader.close()
    finally:
        path.unlink(missing_ok=True)


def _fetched(store: ObjectStore, key: str, path: Path) -> BackupReader:
    digest = hashlib.sha256()
    try:
        size = store.size(key)
        with store.open_range(key, 0, size) as source, path.open("xb") as target:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                target.write(chunk)
        if digest.hexdigest() != sha256_of_backup(key):
            raise ValueError("it is not what its hash says")
        return BackupReader(path)
    except (NotFound, BadZipFile, ValueError) as error:
        raise Unavailable(
            f"The backup {key} cannot be used: {error}. Choose another with --backup; "
            "`lysbro backup --list` names them.",
            code="backup-unreadable",
        ) from error


def _write(database: Database, path: Path, now: datetime) -> int:
    writer = BackupWriter(path)
    with database.read() as conn:
        for table in WHOLE:
            names = [column.name for column in table.columns]
            writer.add(
                table.name,
                names,
                _rows(conn, select(table).order_by(*table.primary_key.columns)),
            )
        writer.add(STUDIES, STUDY_COLUMNS, _rows(conn, _studies()))
        writer.add(INSTANCES, INSTANCE_COLUMNS, _rows(conn, _conflicts()))
        names = [column.name for column in packs.columns]
        writer.add(PACKS, names, _rows(conn, select(packs).order_by(packs.c.key)))
        writer.add(CUSTODY, CUSTODY_COLUMNS, _rows(conn, _custody()))
    return writer.close(at=now, schema=revisions()[0], written_by=IMPLEMENTATION_VERSION_NAME)


def _rows(conn: Connection, statement: Select[Any]) -> Iterator[Mapping[str, Any]]:
    found = conn.execution_options(yield_per=_AT_ONCE).execute(statement)
    for row in found.mappings():
        yield {str(name): value for name, value in row.items()}


def _studies() -> Select[Any]:
    return select(*(studies.c[name] for name in STUDY_COLUMNS)).order_by(studies.c.pk)


def _conflicts() -> Select[Any]:
    return (
        select(*(instances.c[name] for name in INSTANCE_COLUMNS))
        .where(instances.c.conflict != "")
        .order_by(instances.c.pk)
    )


def _custody() -> Select[Any]:
    """Return the lines of the ledger that no pack has and no row of a pack implies."""
    line = custody.c
    arrived = line.event == CustodyEvent.RECEIVED.value
    as_the_pack_says = and_(
        or_(
            and_(line.event == CustodyEvent.PACKED.value, line.at == packs.c.created_at),
            and_(
                line.event == CustodyEvent.VERIFIED.value,
                packs.c.verified_at.is_not(None),
                line.at == packs.c.verified_at,
            ),
        ),
        line.detail["repaired_from"].as_string().is_(None),
    )
    return (
        select(
            instances.c.site,
            instances.c.sop_instance_uid,
            instances.c.sha256,
            line.instance_pk,
            line.event,
            line.at,
            line.record,
            line.detail,
        )
        .join(instances, instances.c.pk == line.instance_pk)
        .outerjoin(packs, packs.c.key == instances.c.container)
        .where(not_(arrived), or_(packs.c.key.is_(None), not_(as_the_pack_says)))
        .order_by(line.pk)
    )


def _remove_stale(folder: Path) -> None:
    for path in folder.glob(_TEMPORARY + "*"):
        if path.stat().st_mtime < time.time() - _STALE_S:
            path.unlink(missing_ok=True)
