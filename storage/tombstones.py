"""Keeps tombstones: a row in the casebook, and an object in the store that a rebuild asks.

What a tombstone says is `casework.erasure`. A tombstone that grew is put beside the one before it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from casework.erasure import Tombstone, as_plain, from_plain
from casework.errors import Unavailable
from storage.database import chunks, insert_if_absent
from storage.erasure_tables import erased_cases, erasure_nodes, erasures
from storage.objects import ObjectStore, read_range

PREFIX = "erased/"
_KEY = re.compile(rf"{PREFIX}[a-z0-9-]+-([0-9a-f]{{16}})\.json")
ERASING, CLEANING, DONE = "erasing", "cleaning", "done"


@dataclass(frozen=True)
class Erasure:
    """An erasure, how far it is, and what it waits for."""

    stone: Tombstone
    state: str  # erasing | cleaning | done
    finished_at: datetime | None
    waits_for: str


def bury(store: ObjectStore, stone: Tombstone) -> None:
    """Put a tombstone into the store; one that is there already is left."""
    data = json.dumps(as_plain(stone), ensure_ascii=False, sort_keys=True).encode()
    sha256 = hashlib.sha256(data).hexdigest()
    key = f"{PREFIX}{stone.id}-{sha256[:16]}.json"
    if not store.exists(key):
        store.put(key, data, sha256=sha256)


def bury_missing(store: ObjectStore, conn: Connection) -> int:
    """Put every tombstone that the database knows and a store lacks there; return how many."""
    there = {each.key.removeprefix(PREFIX).rpartition("-")[0] for each in store.list(PREFIX)}
    rows = conn.execute(select(erasures.c.id, erasures.c.tombstone)).all()
    lacking = [from_plain(row.tombstone) for row in rows if row.id not in there]
    for stone in lacking:
        bury(store, stone)
    return len(lacking)


def sha256_of_stone(key: str) -> str | None:
    """Return how the hash begins that the key of a tombstone promises; None: it is not one."""
    match = _KEY.fullmatch(key)
    return match[1] if match else None


def in_store(store: ObjectStore) -> list[Tombstone]:
    """Return the tombstones of a store, the oldest first, or raise Unavailable for a spoilt one."""
    found: dict[str, Tombstone] = {}
    for each in store.list(PREFIX):
        try:
            stone = from_plain(json.loads(read_range(store, each.key, 0, each.size_bytes)))
        except (KeyError, ValueError, TypeError) as error:
            raise Unavailable(
                f"The tombstone {each.key} cannot be read, so that nobody knows what was erased. "
                "Put it back from a copy of the store; without it what was erased would return.",
                code="tombstone-unreadable",
            ) from error
        before = found.get(stone.id)
        found[stone.id] = stone if before is None else both(before, stone)
    return sorted(found.values(), key=lambda stone: (stone.at, stone.id))


def both(first: Tombstone, second: Tombstone) -> Tombstone:
    """Return one tombstone of two of the same erasure."""
    larger = max(first, second, key=lambda stone: stone.instances)
    return replace(
        larger,
        until=max(first.until, second.until),
        case_ids=tuple(sorted({*first.case_ids, *second.case_ids})),
        sites=tuple(sorted({*first.sites, *second.sites})),
        study_marks=first.study_marks | second.study_marks,
        object_marks=first.object_marks | second.object_marks,
        patient_marks=first.patient_marks | second.patient_marks,
    )


def insert_erasures(conn: Connection, stones: Sequence[Tombstone]) -> None:
    """Give erasures that have none their rows, and keep the numbers of their cases from others."""
    insert_if_absent(
        conn,
        erasures,
        [
            {
                "id": stone.id,
                "kind": stone.kind,
                "state": ERASING,
                "at": stone.at,
                "tombstone": as_plain(stone),
            }
            for stone in stones
        ],
    )
    insert_if_absent(
        conn,
        erased_cases,
        [{"case_id": c, "erasure_id": stone.id} for stone in stones for c in stone.case_ids],
    )


def change(conn: Connection, erasure_id: str, **values: Any) -> None:
    """Change columns of an erasure's row."""
    conn.execute(update(erasures).where(erasures.c.id == erasure_id).values(**values))


def known(conn: Connection, ids: Iterable[str]) -> set[str]:
    """Return which of these erasures have their row."""
    found: set[str] = set()
    for some in chunks(sorted(ids)):
        found |= set(conn.execute(select(erasures.c.id).where(erasures.c.id.in_(some))).scalars())
    return found


def is_any_unfinished(conn: Connection) -> bool:
    """Tell whether some erasure is not done."""
    asked = select(erasures.c.id).where(erasures.c.state != DONE).limit(1)
    return conn.execute(asked).first() is not None


def unfinished(conn: Connection, *, state: str, now: datetime | None = None) -> list[Erasure]:
    """Return erasures in a state, the oldest first; with a time, those that may be tried again."""
    asked = select(erasures).where(erasures.c.state == state).order_by(erasures.c.at)
    if now is not None:
        asked = asked.where((erasures.c.not_before.is_(None)) | (erasures.c.not_before <= now))
    return [_erasure(row) for row in conn.execute(asked)]


def owed_by(conn: Connection, node: str) -> list[Tombstone]:
    """Return the erasures that wait for a node's data folder, the oldest first."""
    asked = (
        select(erasures)
        .join(erasure_nodes, erasure_nodes.c.erasure_id == erasures.c.id)
        .where(erasures.c.state == ERASING, erasure_nodes.c.node == node)
        .order_by(erasures.c.at)
    )
    return [_erasure(row).stone for row in conn.execute(asked)]


def nodes_owing(conn: Connection) -> frozenset[str]:
    """Return the nodes whose data folder some erasure waits for."""
    return frozenset(conn.execute(select(erasure_nodes.c.node).distinct()).scalars())


def try_at_once(conn: Connection, erasure_id: str, *, now: datetime) -> None:
    """Let who waits with an erasure go on, since something has become possible."""
    conn.execute(
        update(erasures)
        .where(erasures.c.id == erasure_id, erasures.c.not_before > now)
        .values(not_before=now)
    )


def listed(conn: Connection, *, limit: int) -> list[Erasure]:
    """Return erasures, the newest first."""
    rows = conn.execute(select(erasures).order_by(erasures.c.at.desc()).limit(limit))
    return [_erasure(row) for row in rows]


def newest_at(conn: Connection) -> datetime | None:
    """Return when the newest erasure was decided on."""
    at: datetime | None = conn.execute(select(func.max(erasures.c.at))).scalar_one()
    return at


def by_rule_since(conn: Connection, since: datetime) -> int:
    """Return how many studies retention has erased since then."""
    asked = select(func.count()).where(erasures.c.kind == "retention", erasures.c.at > since)
    return int(conn.execute(asked).scalar_one())


def _erasure(row: Any) -> Erasure:
    return Erasure(from_plain(row.tombstone), row.state, row.finished_at, row.waits_for)
