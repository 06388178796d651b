"""When each pack was last hashed again, and what was wrong with it. Rows only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from storage.rows import InstanceRow, instance_row
from storage.tables import instances, packs

MISSING, CORRUPT = "missing", "corrupt"


@dataclass(frozen=True)
class DuePack:
    """A pack that is to be hashed again."""

    key: str
    sha256: str
    size_bytes: int
    checked_at: datetime | None  # None: never, not even when it was put


@dataclass(frozen=True)
class Standing:
    """How well what was acknowledged is kept, as far as packs have been looked at."""

    hash_mismatch: int  # instances that do not have their hash; must be 0
    acked_missing: int  # instances whose pack is not there; must be 0
    oldest_checked_at: datetime | None  # of all packs that ever were
    unchecked: int  # packs that nobody has hashed yet, after a rebuild


def next_due(conn: Connection, *, before: datetime) -> DuePack | None:
    """Return the pack that was hashed the longest ago, or None when all were since then.

    One that never was comes first.
    """
    asked = select(packs.c.key, packs.c.sha256, packs.c.size_bytes, packs.c.checked_at).limit(1)
    never = asked.where(packs.c.checked_at.is_(None)).order_by(packs.c.key)
    oldest = asked.where(packs.c.checked_at <= before).order_by(packs.c.checked_at)
    found = conn.execute(never).one_or_none() or conn.execute(oldest).one_or_none()
    return None if found is None else DuePack(*found)


def note_check(conn: Connection, key: str, *, fault: str, faulty: int, now: datetime) -> None:
    """Remember that a pack was hashed, and what was wrong; a whole one is verified from then on."""
    values = {"checked_at": now, "fault": fault, "faulty_instances": max(faulty, 1) if fault else 0}
    conn.execute(update(packs).where(packs.c.key == key).values(values))
    if not fault:
        conn.execute(
            update(packs)
            .where(packs.c.key == key, packs.c.verified_at.is_(None))
            .values(verified_at=now)
        )


def flag(conn: Connection, key: str, *, fault: str, now: datetime) -> None:
    """Note for repair that a read found a pack at fault, unless that is known already."""
    values = {"checked_at": now, "fault": fault, "faulty_instances": 1}
    conn.execute(update(packs).where(packs.c.key == key, packs.c.fault == "").values(values))


def note_faulty(conn: Connection, key: str, *, faulty: int) -> None:
    """Note how many instances of a pack at fault are damaged still, after a repair of others."""
    conn.execute(
        update(packs).where(packs.c.key == key, packs.c.fault != "").values(faulty_instances=faulty)
    )


def at_fault(conn: Connection) -> dict[str, str]:
    """Return the packs that are known to be missing or damaged, and what is wrong with each."""
    found = conn.execute(select(packs.c.key, packs.c.fault).where(packs.c.fault != ""))
    return {row.key: row.fault for row in found}


def members(conn: Connection, key: str) -> list[InstanceRow]:
    """Return the instances that lie in a pack."""
    found = conn.execute(
        select(instances).where(instances.c.container == key).order_by(instances.c.offset)
    )
    return [instance_row(row) for row in found]


def standing(conn: Connection) -> Standing:
    """Return how well what was acknowledged is kept; a pack that is nobody's place counts not."""
    is_a_place = select(instances.c.pk).where(instances.c.container == packs.c.key).exists()
    found = conn.execute(
        select(packs.c.fault, func.sum(packs.c.faulty_instances))
        .where(packs.c.fault != "", is_a_place)
        .group_by(packs.c.fault)
    )
    faults = {fault: int(count) for fault, count in found}
    oldest = conn.execute(select(func.min(packs.c.checked_at))).scalar_one()
    unchecked = conn.execute(select(func.count()).where(packs.c.checked_at.is_(None))).scalar_one()
    return Standing(
        hash_mismatch=faults.get(CORRUPT, 0),
        acked_missing=faults.get(MISSING, 0),
        oldest_checked_at=oldest,
        unchecked=int(unchecked),
    )
