"""What a stop, or a step forward, leaves in the store: orphaned packs, copies, copies nobody needs.

A pack that was put and whose members were not located is found by its intent. It is taken for what
it was meant to be when all that it holds still waits in the spool, and is else left and counted.
What was acknowledged on a node that was lost before its index knew of it is taken in again from its
copy. Small packs are deleted in two phases, when every member lies in another verified pack.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from pathlib import Path
from zipfile import BadZipFile

import structlog
from sqlalchemy import Connection, select

from casework.custody import Door, Origin
from casework.errors import NotFound, Refused, Unavailable
from storage import copies, intents
from storage.archive import Archive
from storage.intents import COPY, Intent
from storage.locate import Form, Pack, Packed, located
from storage.packs import Found, read_members, sha256_of_key
from storage.tables import IN_SPOOL, instances

log = structlog.get_logger()

_TEMPORARY = ".pack-orphan-"
_CHUNK = 1 << 20
_COPIES_UNDER_WAY = timedelta(minutes=15)
"""A process that put a copy this long ago has died, or told its sender that it failed."""


def settle_intents(archive: Archive, folder: Path, *, now: datetime) -> int:
    """Look at every pack of this node that was about to be put; return how many were orphaned.

    Called by the one who holds the packing lock, before it packs anything itself.
    """
    with archive.database.read() as conn:
        waiting = intents.unfulfilled(
            conn, node=archive.spool.node, copies_before=now - _COPIES_UNDER_WAY
        )
    count = 0
    for intent in waiting:
        if archive.store.exists(intent.key):
            count += 1
            is_adopted = _adopt(archive, folder, intent, now)
            log.warning("pack_orphaned", key=intent.key, adopted=is_adopted)
        else:
            with archive.database.begin() as conn:
                intents.fulfilled(conn, [intent.key])
    return count


def take_in_again(archive: Archive, folder: Path, *, now: datetime) -> int:
    """Take in what was acknowledged and is in no index, from its copies; return how many."""
    with archive.database.read() as conn:
        if not copies.are_there(conn):
            return 0
        lost = copies.unindexed(conn, before=now - _COPIES_UNDER_WAY)
    taken = 0
    for container in sorted({copy.container for copy in lost}):
        wanted = {(c.sop_instance_uid, c.sha256) for c in lost if c.container == container}
        site = next(c.site for c in lost if c.container == container)
        for member in _read_back(archive, container, folder):
            if (member.sop_instance_uid, member.sha256) not in wanted:
                continue
            with archive.store.open_range(container, member.offset, member.length) as stream:
                archive.receive_part10(stream, _origin(site, member.brought_by), is_promised=True)
            log.warning("acked_taken_in_again", sop=member.sop_instance_uid, site=site)
            taken += 1
    return taken


def retire_copies(archive: Archive, *, now: datetime, grace: timedelta) -> int:
    """Mark copies that are superseded, delete those that were so for the grace; return how many."""
    database, store = archive.database, archive.store
    with database.read() as conn:
        if not copies.are_there(conn):
            return 0
    with database.begin() as conn:
        copies.become_packs(conn)
        copies.supersede(conn, now=now)
        spent = copies.spent(conn, before=now - grace)
    removed = 0
    for container in spent:
        with database.read() as conn:
            is_needed = copies.still_needed(conn, container) > 0
            instead = copies.packs_instead(conn, container)
        if is_needed or not all(_has(archive, key, size) for key, size in instead.items()):
            log.warning("copy_kept", key=container, reason="a member lies nowhere else")
            continue
        try:
            store.delete(container)
        except Refused as error:  # no right to delete, or a lock: it takes room, and no more
            log.warning("copy_kept", key=container, reason=error.message)
            continue
        # the rows last: a stop in between only has it deleted again
        with database.begin() as conn:
            copies.forget(conn, container)
        removed += 1
    return removed


def _has(archive: Archive, key: str, size_bytes: int) -> bool:
    try:
        return archive.store.size(key) == size_bytes
    except NotFound:
        return False


def _adopt(archive: Archive, folder: Path, intent: Intent, now: datetime) -> bool:
    """Take an orphaned pack for the place of its members, or note that it is none."""
    members = _read_back(archive, intent.key, folder)
    size_bytes = archive.store.size(intent.key)
    with archive.database.begin() as conn:
        if intent.kind == COPY:
            is_adopted = _adopt_copies(conn, intent, members, now)
        else:
            is_adopted = _adopt_series(conn, intent, members, size_bytes, now)
        if is_adopted:
            intents.fulfilled(conn, [intent.key])
        else:
            intents.orphaned(conn, intent.key, now=now)
    return is_adopted


def _read_back(archive: Archive, key: str, folder: Path) -> list[Found]:
    """Return what lies in a pack, read back whole; nothing when it is not what its key says."""
    path = folder / (_TEMPORARY + secrets.token_hex(8))
    digest = hashlib.sha256()
    try:
        size = archive.store.size(key)
        with archive.store.open_range(key, 0, size) as source, path.open("xb") as target:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                target.write(chunk)
        if digest.hexdigest() != sha256_of_key(key):
            return []
        return read_members(path, limits=archive.walk_limits)
    except OSError as error:
        raise Unavailable(
            f"The pack {key} cannot be looked at ({error.strerror or error}). "
            f"Look at the store, and at the disk of {folder}.",
            code="packing-failed",
        ) from error
    except (BadZipFile, KeyError, ValueError):
        return []
    finally:
        path.unlink(missing_ok=True)


def _origin(site: str, brought_by: Mapping[str, str]) -> Origin:
    """Return who brought an object, as its copy tells."""
    names = {f.name for f in fields(Origin)} - {"site", "door"}
    known = {name: brought_by[name] for name in names if name in brought_by}
    return Origin(site=site, door=Door(brought_by.get("door", Door.IMPORT.value)), **known)


def _adopt_series(
    conn: Connection, intent: Intent, members: Sequence[Found], size_bytes: int, now: datetime
) -> bool:
    found = [(member, _spooled(conn, intent.site, member)) for member in members]
    packed = [Packed(pk, m.offset, m.length, _form_of(m)) for m, pk in found if pk is not None]
    if not packed or len(packed) < len(members):
        return False
    pack = Pack(
        key=intent.key,
        site=intent.site,
        study_uid=intent.study_uid,
        series_uid=intent.series_uid,
        sha256=sha256_of_key(intent.key) or "",
        size_bytes=size_bytes,
        verified_at=now,
    )
    located(conn, pack, packed, now=now)
    return True


def _form_of(member: Found) -> Form | None:
    if member.received is None or member.pixel is None:
        return None
    return Form(
        member.transfer_syntax_uid,
        member.size_bytes,
        member.dataset_offset,
        member.kept_sha256,
        member.pixel,
        member.received,
    )


def _adopt_copies(
    conn: Connection, intent: Intent, members: Sequence[Found], now: datetime
) -> bool:
    if not members or any(_spooled(conn, intent.site, m) is None for m in members):
        return False
    found = [
        copies.Copy(
            site=intent.site,
            sop_instance_uid=member.sop_instance_uid,
            sha256=member.sha256,
            container=intent.key,
            offset=member.offset,
            length=member.length,
            dataset_offset=member.dataset_offset,
            kept_sha256=member.kept_sha256,
        )
        for member in members
    ]
    copies.note(conn, found, now=now)
    return True


def _spooled(conn: Connection, site: str, member: Found) -> int | None:
    """Return the instance that a member is, while it still waits in the spool."""
    return conn.execute(
        select(instances.c.pk).where(
            instances.c.site == site,
            instances.c.sop_instance_uid == member.sop_instance_uid,
            instances.c.sha256 == member.sha256,
            instances.c.location == IN_SPOOL,
        )
    ).scalar_one_or_none()
