"""Which packs are about to be put: said before a put, taken back with the rows of its members.

What a stop in between leaves in the store is found by these few rows, not by listing the store.
Touches no bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, or_, select, update

from storage.database import insert_if_absent
from storage.tables import pack_intents

SERIES, COPY = "series", "copy"


@dataclass(frozen=True)
class Intent:
    """A pack that was about to be put, and perhaps was."""

    key: str
    kind: str  # series: the pack of a quiet series; copy: of what was acknowledged just now
    site: str
    study_uid: str
    series_uid: str


def intend(conn: Connection, intents: Sequence[Intent], *, node: str, now: datetime) -> None:
    """Say that packs are about to be put; committed before the first byte is."""
    insert_if_absent(conn, pack_intents, [_values(intent, node, now) for intent in intents])


def fulfilled(conn: Connection, keys: Iterable[str]) -> None:
    """Take back what was said of packs whose members are located, or that are not in the store."""
    conn.execute(delete(pack_intents).where(pack_intents.c.key.in_(list(keys))))


def unfulfilled(conn: Connection, *, node: str, copies_before: datetime) -> list[Intent]:
    """Return what this node left undone: its packs of series, and copies that are not quite new.

    Packs of series are put by the one who holds the packing lock, copies by any process.
    """
    found = conn.execute(
        select(
            pack_intents.c.key,
            pack_intents.c.kind,
            pack_intents.c.site,
            pack_intents.c.study_uid,
            pack_intents.c.series_uid,
        )
        .where(
            pack_intents.c.node == node,
            pack_intents.c.orphaned_at.is_(None),
            or_(pack_intents.c.kind == SERIES, pack_intents.c.at <= copies_before),
        )
        .order_by(pack_intents.c.at)
    )
    return [Intent(*row) for row in found]


def orphaned(conn: Connection, key: str, *, now: datetime) -> None:
    """Note that a pack lies in the store and that its members are not located in it."""
    conn.execute(update(pack_intents).where(pack_intents.c.key == key).values(orphaned_at=now))


def under_way(conn: Connection) -> set[str]:
    """Return the keys of packs that are being put, as far as anyone knows."""
    found = select(pack_intents.c.key).where(pack_intents.c.orphaned_at.is_(None))
    return set(conn.execute(found).scalars())


def count_orphaned(conn: Connection) -> int:
    """Return how many packs lie in the store without being any instance's place."""
    found = select(func.count()).where(pack_intents.c.orphaned_at.is_not(None))
    return int(conn.execute(found).scalar_one())


def _values(intent: Intent, node: str, now: datetime) -> dict[str, object]:
    return {
        "key": intent.key,
        "node": node,
        "kind": intent.kind,
        "site": intent.site,
        "study_uid": intent.study_uid,
        "series_uid": intent.series_uid,
        "at": now,
    }
