"""How far a rebuild has come: kept in the database that is rebuilt, so that it can go on.

Rows only; it reads no pack.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from storage.database import chunks, insert_if_absent
from storage.tables import instances, packs, rebuild_packs, rebuild_runs

FOUND, DONE, BROKEN = "found", "done", "broken"
RESTORED, LEFT, NONE = "restored", "left", "none"


@dataclass(frozen=True)
class Run:
    """A rebuild that has begun and not ended."""

    id: int
    backup_key: str
    backup_at: datetime | None
    casebook: str  # restored | left | none


@dataclass(frozen=True)
class FoundPack:
    """A pack of the listing, and what it says of itself."""

    key: str
    size_bytes: int
    site: str = ""
    study_uid: str = ""
    series_uid: str = ""
    instance_count: int = 0
    first_received_at: datetime | None = None
    broken: str = ""  # why it cannot be read
    damage: str = ""  # why not all of it can, when some can


def run_under_way(conn: Connection) -> Run | None:
    """Return the rebuild that has not ended, or None."""
    row = conn.execute(
        select(
            rebuild_runs.c.id,
            rebuild_runs.c.backup_key,
            rebuild_runs.c.backup_at,
            rebuild_runs.c.casebook,
        )
        .where(rebuild_runs.c.finished_at.is_(None))
        .order_by(rebuild_runs.c.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else Run(*row)


def begin(
    conn: Connection, *, backup_key: str, backup_at: datetime | None, casebook: str, now: datetime
) -> Run:
    """Note that a rebuild begins, in the transaction that restores the casebook."""
    conn.execute(delete(rebuild_packs))
    pk = conn.execute(
        insert(rebuild_runs)
        .values(backup_key=backup_key, backup_at=backup_at, casebook=casebook, started_at=now)
        .returning(rebuild_runs.c.id)
    ).scalar_one()
    return Run(int(pk), backup_key, backup_at, casebook)


def finish(conn: Connection, run: Run, *, now: datetime) -> None:
    """Note that a rebuild has ended, and forget its packs."""
    conn.execute(update(rebuild_runs).where(rebuild_runs.c.id == run.id).values(finished_at=now))
    conn.execute(delete(rebuild_packs))


def has_instances(conn: Connection) -> bool:
    """Tell whether the index has anything in it."""
    return conn.execute(select(instances.c.pk).limit(1)).first() is not None


def seen(conn: Connection, keys: Sequence[str]) -> set[str]:
    """Return which of these packs have been looked at already."""
    found = conn.execute(select(rebuild_packs.c.key).where(rebuild_packs.c.key.in_(keys)))
    return set(found.scalars())


def note_packs(conn: Connection, found: Sequence[FoundPack]) -> None:
    """Remember what packs say of themselves, and which say nothing."""
    insert_if_absent(
        conn,
        rebuild_packs,
        [
            {
                "key": pack.key,
                "site": pack.site,
                "study_uid": pack.study_uid,
                "series_uid": pack.series_uid,
                "size_bytes": pack.size_bytes,
                "instance_count": pack.instance_count,
                "first_received_at": pack.first_received_at,
                "state": BROKEN if pack.broken else FOUND,
                "reason": pack.broken or pack.damage,
            }
            for pack in found
        ],
    )


def studies_left(conn: Connection) -> list[tuple[str, str]]:
    """Return the studies whose packs wait to be taken over, in the order in which they came."""
    key = (rebuild_packs.c.site, rebuild_packs.c.study_uid)
    found = conn.execute(
        select(*key)
        .where(rebuild_packs.c.state == FOUND)
        .group_by(*key)
        .order_by(func.min(rebuild_packs.c.first_received_at), *key)
    )
    return [(site, study_uid) for site, study_uid in found]


def packs_of(conn: Connection, site: str, study_uid: str) -> list[FoundPack]:
    """Return the packs of a study that wait, the largest first: of two places it is the one.

    Damaged ones come last.
    """
    found = conn.execute(
        select(
            rebuild_packs.c.key,
            rebuild_packs.c.size_bytes,
            rebuild_packs.c.site,
            rebuild_packs.c.study_uid,
            rebuild_packs.c.series_uid,
            rebuild_packs.c.instance_count,
        )
        .where(
            rebuild_packs.c.state == FOUND,
            rebuild_packs.c.site == site,
            rebuild_packs.c.study_uid == study_uid,
        )
        .order_by(
            rebuild_packs.c.reason != "",
            rebuild_packs.c.instance_count.desc(),
            rebuild_packs.c.size_bytes.desc(),
            rebuild_packs.c.key,
        )
    )
    return [FoundPack(*row) for row in found]


def mark_done(conn: Connection, keys: Sequence[str]) -> None:
    """Remember that packs are taken over."""
    for some in chunks(sorted(keys)):
        conn.execute(update(rebuild_packs).where(rebuild_packs.c.key.in_(some)).values(state=DONE))


def mark_broken(conn: Connection, reasons: Mapping[str, str]) -> None:
    """Remember why packs cannot be taken over."""
    if reasons:
        conn.execute(
            update(rebuild_packs)
            .where(rebuild_packs.c.key == bindparam("of_key"))
            .values(state=BROKEN, reason=bindparam("why")),
            [{"of_key": key, "why": why} for key, why in sorted(reasons.items())],
        )


def counts(conn: Connection) -> tuple[int, int]:
    """Return how many members the packs have that are taken over, and all."""
    members = func.coalesce(func.sum(rebuild_packs.c.instance_count), 0)
    done = conn.execute(select(members).where(rebuild_packs.c.state == DONE)).scalar_one()
    left = conn.execute(select(members).where(rebuild_packs.c.state == FOUND)).scalar_one()
    return int(done), int(done) + int(left)


def count_packs(conn: Connection) -> int:
    """Return how many packs are some instance's place."""
    return int(conn.execute(select(func.count()).select_from(packs)).scalar_one())


def broken(conn: Connection) -> dict[str, str]:
    """Return the packs that cannot be taken over, or not wholly, and why."""
    found = conn.execute(
        select(rebuild_packs.c.key, rebuild_packs.c.reason)
        .where(rebuild_packs.c.reason != "")
        .order_by(rebuild_packs.c.key)
    )
    return {row.key: row.reason for row in found}


def keep_packs(conn: Connection, found: Sequence[FoundPack], *, now: datetime) -> None:
    """Give packs that no backup knew their rows; nobody has verified them yet."""
    insert_if_absent(
        conn,
        packs,
        [
            {
                "key": pack.key,
                "site": pack.site,
                "study_uid": pack.study_uid,
                "series_uid": pack.series_uid,
                "sha256": pack.key.rpartition("/")[2].removesuffix(".zip"),
                "size_bytes": pack.size_bytes,
                "instance_count": pack.instance_count,
                "created_at": now,
                "verified_at": None,
            }
            for pack in found
        ],
    )


def unused(conn: Connection, keys: Sequence[str]) -> set[str]:
    """Return which of these packs are no instance's place."""
    used: set[str] = set()
    for some in chunks(sorted(keys)):
        found = select(instances.c.container).where(instances.c.container.in_(some)).distinct()
        used |= set(conn.execute(found).scalars())
    return set(keys) - used


def forget_packs(conn: Connection, keys: Sequence[str]) -> None:
    """Drop the rows of packs that are no instance's place."""
    for some in chunks(sorted(keys)):
        conn.execute(delete(packs).where(packs.c.key.in_(some)))


def packs_not_listed(conn: Connection) -> list[str]:
    """Return packs that a backup knew, that were not in the store, and that hold nothing now."""
    listed = select(rebuild_packs.c.key).where(rebuild_packs.c.key == packs.c.key).exists()
    used = select(instances.c.pk).where(instances.c.container == packs.c.key).exists()
    return list(
        conn.execute(select(packs.c.key).where(~listed, ~used).order_by(packs.c.key)).scalars()
    )
