"""Second places of objects that lie in a spool: small packs in the store, for a while.

Knows rows only. An object is named by (site, SOP Instance UID, hash), since its row in the index
may come later than its copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    exists,
    func,
    not_,
    or_,
    select,
    tuple_,
    update,
)

from storage.database import chunks, insert_if_absent
from storage.rows import Location
from storage.tables import IN_PACK, IN_SPOOL, copies, instances, packs

ObjectKey = tuple[str, str, str]
"""Site, SOP Instance UID, hash: what makes two objects the same."""


@dataclass(frozen=True)
class Copy:
    """Where the Part 10 file of an object lies in a small pack."""

    site: str
    sop_instance_uid: str
    sha256: str
    container: str
    offset: int
    length: int
    dataset_offset: int
    kept_sha256: str = ""  # when it lies there in another form than it was received in


def note(conn: Connection, found: Sequence[Copy], *, now: datetime) -> None:
    """Remember copies that have been put and read back."""
    insert_if_absent(
        conn,
        copies,
        (
            {
                "site": copy.site,
                "sop_instance_uid": copy.sop_instance_uid,
                "sha256": copy.sha256,
                "container": copy.container,
                "offset": copy.offset,
                "length": copy.length,
                "dataset_offset": copy.dataset_offset,
                "kept_sha256": copy.kept_sha256,
                "verified_at": now,
            }
            for copy in found
        ),
    )


def place_of(conn: Connection, key: ObjectKey, *, kept_sha256: str = "") -> Location | None:
    """Return where a copy of an object lies in a form, or None when there is none.

    Without a hash of another form it is that in which the object was received.
    """
    row = conn.execute(
        select(copies.c.container, copies.c.offset, copies.c.length, copies.c.dataset_offset)
        .where(*_is(key), copies.c.kept_sha256 == kept_sha256)
        .order_by(copies.c.superseded_at.is_not(None), copies.c.pk)
        .limit(1)
    ).one_or_none()
    return None if row is None else Location(IN_PACK, *row)


def already_stored(conn: Connection, keys: Iterable[ObjectKey]) -> set[ObjectKey]:
    """Return which objects the store has by now, as a copy that stays or in a series' pack."""
    found: set[ObjectKey] = set()
    for some in chunks(sorted(set(keys))):
        for table, sha256, holds in (
            (copies, copies.c.sha256, copies.c.superseded_at.is_(None)),
            (instances, instances.c.sha256, instances.c.location == IN_PACK),
            (instances, instances.c.kept_sha256, instances.c.location == IN_PACK),
        ):
            name = (table.c.site, table.c.sop_instance_uid, sha256)
            rows = conn.execute(select(*name).where(tuple_(*name).in_(some), holds))
            found |= {(row[0], row[1], row[2]) for row in rows}
    return found


def are_there(conn: Connection) -> bool:
    """Tell whether there is any copy at all."""
    return conn.execute(select(copies.c.pk).limit(1)).first() is not None


def unindexed(conn: Connection, *, before: datetime) -> list[Copy]:
    """Return copies whose object has no row in the index although it should by now."""
    name = (copies.c.site, copies.c.sop_instance_uid, copies.c.sha256)
    place = (
        copies.c.container,
        copies.c.offset,
        copies.c.length,
        copies.c.dataset_offset,
        copies.c.kept_sha256,
    )
    rows = conn.execute(
        select(*name, *place)
        .outerjoin(instances, _same_object())
        .where(copies.c.verified_at <= before, instances.c.pk.is_(None))
        .order_by(copies.c.pk)
    )
    return [Copy(*row) for row in rows]


def supersede(conn: Connection, *, now: datetime) -> int:
    """Mark the copies of objects that lie in a verified pack of their series; return how many."""
    done = conn.execute(
        update(copies)
        .where(copies.c.superseded_at.is_(None), _is_packed())
        .values(superseded_at=now)
    )
    return done.rowcount


def become_packs(conn: Connection) -> int:
    """Drop the rows of copies that are the very place of their object; return how many.

    The pack of a series of one object may be the same bytes, and so the same pack, as its copy.
    """
    is_the_place = (
        exists()
        .where(
            _same_object(),
            instances.c.location == IN_PACK,
            instances.c.container == copies.c.container,
        )
        .correlate(copies)
    )
    return conn.execute(delete(copies).where(is_the_place)).rowcount


def spent(conn: Connection, *, before: datetime) -> list[str]:
    """Return small packs of which nothing has been needed since then.

    One that has become the place of an instance is a pack like others by now.
    """
    return list(
        conn.execute(
            select(copies.c.container)
            .where(not_(exists().where(packs.c.key == copies.c.container).correlate(copies)))
            .group_by(copies.c.container)
            .having(
                func.count() == func.count(copies.c.superseded_at),
                func.max(copies.c.superseded_at) <= before,
            )
            .order_by(copies.c.container)
        ).scalars()
    )


def still_needed(conn: Connection, container: str) -> int:
    """Count the members of a small pack that lie in no other pack that has been verified."""
    return int(
        conn.execute(
            select(func.count()).where(copies.c.container == container, not_(_is_packed()))
        ).scalar_one()
    )


def packs_instead(conn: Connection, container: str) -> dict[str, int]:
    """Return the packs in which the members of a small pack lie now, and the sizes of these."""
    rows = conn.execute(
        select(packs.c.key, packs.c.size_bytes)
        .distinct()
        .select_from(copies)
        .join(instances, _same_object())
        .join(packs, packs.c.key == instances.c.container)
        .where(copies.c.container == container)
    )
    return {key: int(size) for key, size in rows}


def forget(conn: Connection, container: str) -> None:
    """Drop the rows of a small pack that is deleted, or that has become a pack like others."""
    conn.execute(delete(copies).where(copies.c.container == container))


def containers(conn: Connection) -> dict[str, int]:
    """Return the small packs, and how many members each has."""
    rows = conn.execute(select(copies.c.container, func.count()).group_by(copies.c.container))
    return {key: int(count) for key, count in rows}


def without_copy(conn: Connection, segment: str, *, beyond: int) -> int:
    """Count the instances of a segment that end beyond an offset and have no copy."""
    return int(
        conn.execute(
            select(func.count()).where(
                instances.c.location == IN_SPOOL,
                instances.c.container == segment,
                instances.c.offset + instances.c.length > beyond,
                not_(exists().where(_same_object()).correlate(instances)),
            )
        ).scalar_one()
    )


def _is(key: ObjectKey) -> tuple[ColumnElement[bool], ...]:
    site, uid, sha256 = key
    return (
        copies.c.site == site,
        copies.c.sop_instance_uid == uid,
        copies.c.sha256 == sha256,
    )


def _same_object() -> ColumnElement[bool]:
    return and_(
        instances.c.site == copies.c.site,
        instances.c.sop_instance_uid == copies.c.sop_instance_uid,
        # or the very bytes that it is kept in have come back
        or_(instances.c.sha256 == copies.c.sha256, instances.c.kept_sha256 == copies.c.sha256),
    )


def _is_packed() -> ColumnElement[bool]:
    """Return the condition that a copy's object lies in another pack that was read back."""
    return (
        exists()
        .where(
            _same_object(),
            instances.c.location == IN_PACK,
            instances.c.container != copies.c.container,
            packs.c.key == instances.c.container,
            packs.c.verified_at.is_not(None),
        )
        .correlate(copies)
    )
