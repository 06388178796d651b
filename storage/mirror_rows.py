"""What the mirror has of the store and what it is to have yet. Rows only; copies nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, and_, delete, func, insert, not_, or_, select, update

from storage.database import chunks, insert_if_absent
from storage.pace import Trip
from storage.tables import (
    IN_PACK,
    copies,
    instances,
    mirror_objects,
    mirror_reads,
    pack_intents,
    packs,
)

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE = 500
_LAST_TRIPS = 20


@dataclass(frozen=True)
class Due:
    """An object that is to be copied to the mirror."""

    key: str
    size_bytes: int
    attempts: int
    next_attempt_at: datetime


@dataclass(frozen=True)
class Behind:
    """How far the mirror is behind the store."""

    objects: int
    size_bytes: int
    oldest_at: datetime | None  # since when the oldest of them has been in the store
    failing: int  # of them, tried in vain
    trips: tuple[Trip, ...] = ()  # the last copies


def unnoticed(
    conn: Connection, *, since: datetime | None, after: str = ""
) -> list[tuple[str, int, datetime]]:
    """Return packs that the mirror is to have and that have no row yet, some at a time.

    Those made since then, the oldest first; or all, in the order of keys after one.
    """
    has_row = select(mirror_objects.c.key).where(mirror_objects.c.key == packs.c.key).exists()
    asked = select(packs.c.key, packs.c.size_bytes, packs.c.created_at).where(not_(has_row))
    if since is None:
        asked = asked.where(packs.c.key > after).order_by(packs.c.key)
    else:
        asked = asked.where(packs.c.created_at >= since).order_by(packs.c.created_at)
    return [(row.key, int(row[1]), row[2]) for row in conn.execute(asked.limit(_AT_ONCE))]


def unnoticed_small(conn: Connection) -> list[tuple[str, int, datetime]]:
    """Return small packs that hold what is nowhere else in the store, and have no row yet."""
    container = copies.c.container
    has_row = select(mirror_objects.c.key).where(mirror_objects.c.key == container).exists()
    found = conn.execute(
        select(
            container,
            func.max(copies.c.offset + copies.c.length),
            func.min(copies.c.verified_at),
        )
        .where(copies.c.superseded_at.is_(None), not_(has_row))
        .group_by(container)
        .limit(_AT_ONCE)
    )
    return [(row[0], int(row[1]), row[2]) for row in found]


def notice(conn: Connection, found: Iterable[tuple[str, int, datetime]]) -> None:
    """Note packs that the mirror is to have, the oldest first."""
    _insert(conn, [(key, size, at, at) for key, size, at in found])


def notice_backups(conn: Connection, kept: Iterable[tuple[str, int, datetime]]) -> None:
    """Note backups that the mirror is to have, before everything else."""
    _insert(conn, [(key, size, at, _FIRST) for key, size, at in kept])


def are_noticed(conn: Connection, keys: Sequence[str]) -> set[str]:
    """Return which of these objects have their row."""
    found: set[str] = set()
    for some in chunks(keys):
        asked = select(mirror_objects.c.key).where(mirror_objects.c.key.in_(some))
        found |= set(conn.execute(asked).scalars())
    return found


def next_due(conn: Connection, *, now: datetime) -> Due | None:
    """Return the object whose turn it is, or None when none is due."""
    row = conn.execute(
        select(
            mirror_objects.c.key,
            mirror_objects.c.size_bytes,
            mirror_objects.c.attempts,
            mirror_objects.c.next_attempt_at,
        )
        .where(mirror_objects.c.mirrored_at.is_(None), mirror_objects.c.next_attempt_at <= now)
        .order_by(mirror_objects.c.next_attempt_at, mirror_objects.c.noticed_at)
        .limit(1)
    ).one_or_none()
    return None if row is None else Due(*row)


def lease(conn: Connection, due: Due, *, node: str, until: datetime) -> bool:
    """Lease an object to this node; tell whether no other was first."""
    taken = conn.execute(
        update(mirror_objects)
        .where(
            mirror_objects.c.key == due.key,
            mirror_objects.c.mirrored_at.is_(None),
            mirror_objects.c.next_attempt_at == due.next_attempt_at,
        )
        .values(next_attempt_at=until, taken_by=node)
    )
    return bool(taken.rowcount)


def release(conn: Connection, *, node: str, now: datetime) -> None:
    """Give back what a worker of this node had taken when it ended."""
    conn.execute(
        update(mirror_objects)
        .where(mirror_objects.c.mirrored_at.is_(None), mirror_objects.c.taken_by == node)
        .values(next_attempt_at=now, taken_by="")
    )


def kept(conn: Connection, key: str, *, size_bytes: int, took_s: float, now: datetime) -> None:
    """Note that the mirror has an object whole."""
    conn.execute(
        update(mirror_objects)
        .where(mirror_objects.c.key == key)
        .values(mirrored_at=now, size_bytes=size_bytes, took_s=took_s, taken_by="", last_error="")
    )


def failed(conn: Connection, key: str, *, error: str, again_at: datetime) -> None:
    """Note why an object was not copied, and when that is tried again."""
    conn.execute(
        update(mirror_objects)
        .where(mirror_objects.c.key == key)
        .values(
            attempts=mirror_objects.c.attempts + 1,
            next_attempt_at=again_at,
            taken_by="",
            last_error=error,
        )
    )


def forget(conn: Connection, key: str) -> None:
    """Drop the row of an object that is in neither place any more."""
    conn.execute(delete(mirror_objects).where(mirror_objects.c.key == key))


def is_any(conn: Connection) -> bool:
    """Tell whether a mirror has, or was to have, anything."""
    return conn.execute(select(mirror_objects.c.key).limit(1)).first() is not None


def forget_all(conn: Connection) -> int:
    """Drop all rows, since the mirror is gone for good; return how many there were."""
    return conn.execute(delete(mirror_objects)).rowcount


def look_again(conn: Connection, *, now: datetime) -> int:
    """Let every object be compared anew, as if nothing were known of the mirror."""
    return conn.execute(
        update(mirror_objects).values(
            mirrored_at=None, next_attempt_at=now, attempts=0, taken_by="", last_error=""
        )
    ).rowcount


def newest(conn: Connection, count: int) -> list[str]:
    """Return objects that were copied last: a mirror without them is not that mirror."""
    return list(
        conn.execute(
            select(mirror_objects.c.key)
            .where(mirror_objects.c.mirrored_at.is_not(None))
            .order_by(mirror_objects.c.mirrored_at.desc())
            .limit(count)
        ).scalars()
    )


def gone(conn: Connection, *, after: str = "", limit: int = _AT_ONCE) -> list[tuple[str, bool]]:
    """Return packs that nothing of the index speaks of any more, and whether the mirror has them.

    Those after a key, so that what cannot go yet does not stand before the others.
    """
    key = mirror_objects.c.key
    rows = conn.execute(
        select(key, mirror_objects.c.mirrored_at)
        .where(
            key.like("v1/%"),
            key > after,
            not_(select(packs.c.key).where(packs.c.key == key).exists()),
            not_(select(copies.c.pk).where(copies.c.container == key).exists()),
            not_(select(pack_intents.c.key).where(pack_intents.c.key == key).exists()),
        )
        .order_by(key)
        .limit(limit)
    )
    return [(row.key, row.mirrored_at is not None) for row in rows]


def is_replaced(conn: Connection, *, site: str, sop_instance_uid: str) -> bool:
    """Tell whether all that is kept under a UID of a site lies in packs that the mirror has.

    What was erased lies nowhere, and nothing of it is to be kept.
    """
    elsewhere = (
        select(instances.c.pk)
        .outerjoin(
            mirror_objects,
            and_(
                mirror_objects.c.key == instances.c.container,
                mirror_objects.c.mirrored_at.is_not(None),
            ),
        )
        .where(
            instances.c.site == site,
            instances.c.sop_instance_uid == sop_instance_uid,
            or_(instances.c.location != IN_PACK, mirror_objects.c.key.is_(None)),
        )
        .limit(1)
    )
    return conn.execute(elsewhere).first() is None


def is_known(conn: Connection, key: str) -> bool:
    """Tell whether a pack is one of the index, or a small one of what it keeps."""
    of_series = select(packs.c.key).where(packs.c.key == key)
    small = select(copies.c.pk).where(copies.c.container == key).limit(1)
    return any(conn.execute(asked).first() is not None for asked in (of_series, small))


def is_kept(conn: Connection, key: str) -> bool:
    """Tell whether the mirror has an object."""
    found = select(mirror_objects.c.key).where(
        mirror_objects.c.key == key, mirror_objects.c.mirrored_at.is_not(None)
    )
    return conn.execute(found).first() is not None


def behind(conn: Connection) -> Behind:
    """Return how much waits to be copied, since when, and how long the last copies took."""
    waits = mirror_objects.c.mirrored_at.is_(None)
    row = conn.execute(
        select(
            func.count(),
            func.coalesce(func.sum(mirror_objects.c.size_bytes), 0),
            func.min(mirror_objects.c.noticed_at),
        ).where(waits)
    ).one()
    failing = conn.execute(
        select(func.count()).where(waits, mirror_objects.c.attempts > 0)
    ).scalar_one()
    last = conn.execute(
        select(mirror_objects.c.size_bytes, mirror_objects.c.took_s)
        .where(mirror_objects.c.mirrored_at.is_not(None), mirror_objects.c.took_s.is_not(None))
        .order_by(mirror_objects.c.mirrored_at.desc())
        .limit(_LAST_TRIPS)
    )
    trips = tuple(Trip(int(size), float(took_s)) for size, took_s in last)
    return Behind(int(row[0]), int(row[1]), row[2], int(failing), trips)


def note_reads(conn: Connection, reason: str, count: int, *, now: datetime) -> None:
    """Count reads that were answered from the mirror."""
    done = conn.execute(
        update(mirror_reads)
        .where(mirror_reads.c.reason == reason)
        .values(count=mirror_reads.c.count + count, last_at=now)
    )
    if not done.rowcount:
        conn.execute(insert(mirror_reads).values(reason=reason, count=count, last_at=now))


def reads(conn: Connection) -> dict[str, int]:
    """Return how many reads were answered from the mirror, by what was wrong with the store."""
    rows = conn.execute(select(mirror_reads.c.reason, mirror_reads.c.count))
    return {row.reason: int(row[1]) for row in rows}


def _insert(conn: Connection, found: Iterable[tuple[str, int, datetime, datetime]]) -> None:
    insert_if_absent(
        conn,
        mirror_objects,
        [
            {
                "key": key,
                "size_bytes": size,
                "noticed_at": noticed_at,
                "next_attempt_at": next_attempt_at,
            }
            for key, size, noticed_at, next_attempt_at in found
        ],
    )
