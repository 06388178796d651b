"""Takes what is erased out of the store: a pack of which nothing stays goes, another is made anew.

The new pack is put, read back and made the place of what stays before the old one goes. Every step
may be done again, and by several nodes at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import Connection, bindparam, delete, select, update

from casework.custody import CustodyEvent
from casework.erasure import Tombstone
from casework.errors import NotFound, Unavailable
from storage import custodian, intents
from storage.archive import Archive
from storage.database import insert_if_absent
from storage.intents import SERIES, Intent
from storage.objects import sha256_of_object
from storage.pack_reader import BrokenPack, Note, PackReader
from storage.pack_rewrite import Rewritten, without
from storage.packs import sha256_of_key
from storage.tables import copies, instances, pack_intents, packs

log = structlog.get_logger()

_TEMPORARY = ".pack-erased-"
_CHUNK = 1 << 20


def clear_pack(
    archive: Archive,
    folder: Path,
    key: str,
    stones: Sequence[Tombstone],
    *,
    is_known: bool,
    now: datetime,
) -> bool:
    """Take what is erased out of one pack of the store; return whether there was anything.

    A broken one goes when it is known to have held something, and else stays for `lysbro verify`.
    """
    try:
        size = archive.store.size(key)
    except NotFound:
        archive.store.erase(key)  # versions of it may be hidden
        with archive.database.begin() as conn:
            is_used = _is_used(conn, key)
            if not is_used:
                _forget(conn, key)
        if is_used and archive.mirror is not None and archive.mirror.exists(key):
            raise Unavailable(
                f"The pack {key} is missing in the store; the mirror has it, with something that "
                "is erased and something that stays. Run `lysbro verify --repair`; the erasure "
                "goes on then.",
                code="pack-missing",
            ) from None
        return False
    try:
        notes = PackReader(archive.store, key, size).directory().notes
    except BrokenPack as error:
        with archive.database.read() as conn:
            is_used = _is_used(conn, key)
        if is_used:
            raise Unavailable(
                f"The pack {key} holds something that is erased and something that stays, and "
                f"it {error}. Run `lysbro verify --repair`; the erasure goes on then.",
                code="pack-broken",
            ) from error
        if not is_known:
            log.warning("pack_broken", key=key, reason=str(error))
            return False
        notes = ()
    staying = [note for note in notes if not is_erased(note, stones)]
    if notes and len(staying) == len(notes):
        return False
    if staying:
        _write_anew(archive, folder, key, size, stones, now=now)
    with archive.database.begin() as conn:
        if _is_used(conn, key):
            raise Unavailable(
                f"Something of the pack {key} is in the index again; it is looked at once more.",
                code="erasure-overtaken",
            )
        _forget(conn, key)
    archive.store.erase(key)
    log.info("pack_erased", key=key, stay=len(staying))
    return True


def unknown_packs(archive: Archive, sites: Sequence[str]) -> list[str]:
    """Return packs of sites that lie in the store and that no row speaks of."""
    found = []
    for site in sites:
        listed = [o.key for o in archive.store.list(f"v1/{site}/") if sha256_of_key(o.key)]
        with archive.database.read() as conn:
            known = set(conn.execute(select(packs.c.key).where(packs.c.site == site)).scalars())
            known |= set(
                conn.execute(
                    select(copies.c.container).where(copies.c.site == site).distinct()
                ).scalars()
            )
        found += [key for key in listed if key not in known]
    return found


def intents_of(conn: Connection, stones: Sequence[Tombstone]) -> list[tuple[Intent, str, bool]]:
    """Return packs that were about to be put for what is erased: with the node, and if orphaned."""
    rows = conn.execute(select(pack_intents).order_by(pack_intents.c.at)).all()
    return [
        (
            Intent(row.key, row.kind, row.site, row.study_uid, row.series_uid),
            row.node,
            row.orphaned_at is not None,
        )
        for row in rows
        if any(stone.has_study(row.site, row.study_uid) for stone in stones)
    ]


def is_erased(note: Note, stones: Sequence[Tombstone]) -> bool:
    """Tell whether a member of a pack is erased."""
    return any(
        stone.covers(
            site=note.site,
            study_uid=note.study_uid,
            sop_instance_uid=note.sop_instance_uid,
            sha256=note.sha256,
            received_at=note.received_at,
        )
        for stone in stones
    )


def _write_anew(
    archive: Archive,
    folder: Path,
    key: str,
    size: int,
    stones: Sequence[Tombstone],
    *,
    now: datetime,
) -> None:
    def goes(site: str, study_uid: str, uid: str, sha256: str, at: datetime) -> bool:
        return any(
            stone.covers(
                site=site, study_uid=study_uid, sop_instance_uid=uid, sha256=sha256, received_at=at
            )
            for stone in stones
        )

    old = folder / (_TEMPORARY + secrets.token_hex(8))
    try:
        _fetch(archive, key, size, old)
        made = without(old, folder, goes=goes)
    except OSError as error:
        raise Unavailable(
            f"The pack {key} cannot be made anew in {folder} ({error.strerror or error}). "
            "Look at that disk.",
            code="packing-failed",
        ) from error
    finally:
        old.unlink(missing_ok=True)
    try:
        _put(archive, made, now=now)
    finally:
        made.path.unlink(missing_ok=True)
    with archive.database.begin() as conn:
        _move(conn, key, made, now=now)
    log.info("pack_written_anew", key=made.key, instead_of=key, members=len(made.placed))


def _fetch(archive: Archive, key: str, size: int, target: Path) -> None:
    with archive.store.open_range(key, 0, size) as source, target.open("xb") as stream:
        while chunk := source.read(_CHUNK):
            stream.write(chunk)


def _put(archive: Archive, made: Rewritten, *, now: datetime) -> None:
    intent = Intent(made.key, SERIES, made.site, made.study_uid, made.series_uid)
    with archive.database.begin() as conn:
        intents.intend(conn, [intent], node=archive.spool.node, now=now)
    archive.store.put(made.key, made.path, sha256=made.sha256)
    if sha256_of_object(archive.store, made.key) != made.sha256:
        raise Unavailable(
            f"The store gives other bytes back for {made.key} than were put. "
            "Nothing was deleted; look at the store.",
            code="store-differs",
        )


def _move(conn: Connection, key: str, made: Rewritten, *, now: datetime) -> None:
    """Say that what stays of a pack lies in the new one."""
    was = conn.execute(select(packs).where(packs.c.key == key)).one_or_none()
    if was is not None:
        values = dict(was._mapping) | {
            "key": made.key,
            "sha256": made.sha256,
            "size_bytes": made.size_bytes,
            "instance_count": len(made.placed),
            "created_at": now,
            "verified_at": now,
            "checked_at": now,
        }
        insert_if_absent(conn, packs, [values])
    moved: list[int] = []
    for one in made.placed:
        moved += conn.execute(
            update(instances)
            .where(
                instances.c.container == key,
                instances.c.site == one.site,
                instances.c.sop_instance_uid == one.sop_instance_uid,
                instances.c.sha256 == one.sha256,
            )
            .values(container=made.key, offset=one.offset, length=one.length)
            .returning(instances.c.pk)
        ).scalars()
    if made.placed:
        conn.execute(
            update(copies)
            .where(
                copies.c.container == key,
                copies.c.sop_instance_uid == bindparam("of_uid"),
                copies.c.sha256 == bindparam("of_sha256"),
            )
            .values(container=made.key, offset=bindparam("at"), length=bindparam("bytes")),
            [
                {
                    "of_uid": o.sop_instance_uid,
                    "of_sha256": o.sha256,
                    "at": o.offset,
                    "bytes": o.length,
                }
                for o in made.placed
            ],
        )
    detail = {"pack": made.key, "instead_of": key}
    lines = [custodian.Line(pk, CustodyEvent.PACKED, now, detail) for pk in moved]
    lines += [custodian.Line(pk, CustodyEvent.VERIFIED, now, detail) for pk in moved]
    custodian.write(conn, lines)
    if _is_used(conn, made.key):
        intents.fulfilled(conn, [made.key])
    else:  # the old one was nobody's place either
        intents.orphaned(conn, made.key, now=now)


def _is_used(conn: Connection, key: str) -> bool:
    for table in (instances, copies):
        if conn.execute(select(table.c.pk).where(table.c.container == key).limit(1)).first():
            return True
    return False


def _forget(conn: Connection, key: str) -> None:
    conn.execute(delete(packs).where(packs.c.key == key))
    intents.fulfilled(conn, [key])
