"""How far each segment of the spool is in the index: one row each, in the index's own database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, func, or_, select, true, update

from storage.database import insert_if_absent
from storage.tables import IN_SPOOL, instances, segments

OPEN, SEALED = "open", "sealed"


@dataclass(frozen=True)
class Position:
    """What the index knows of a segment."""

    name: str
    indexed_through: int
    is_sealed: bool


def advance(conn: Connection, through: Mapping[str, int], *, node: str, now: datetime) -> None:
    """Remember how far segments are indexed; a position never goes back."""
    insert_if_absent(
        conn,
        segments,
        (
            {"name": name, "node": node, "indexed_through": 0, "state": OPEN, "created_at": now}
            for name in through
        ),
    )
    for name, end in through.items():
        conn.execute(
            update(segments)
            .where(segments.c.name == name, segments.c.indexed_through < end)
            .values(indexed_through=end)
        )


def mark_sealed(conn: Connection, name: str, *, end: int, node: str, now: datetime) -> None:
    """Remember that a segment is whole, indexed to its end, and never written again."""
    advance(conn, {name: end}, node=node, now=now)
    conn.execute(update(segments).where(segments.c.name == name).values(sealed=True, state=SEALED))


def positions(conn: Connection, *, node: str | None = None) -> dict[str, Position]:
    """Return what the index knows of every segment, or of those of one node."""
    asked = select(segments.c.name, segments.c.indexed_through, segments.c.sealed)
    if node is not None:
        asked = asked.where(segments.c.node == node)
    rows = conn.execute(asked)
    return {name: Position(name, through, bool(sealed)) for name, through, sealed in rows}


def forget(conn: Connection, name: str) -> None:
    """Drop the row of a segment that has been released."""
    conn.execute(delete(segments).where(segments.c.name == name))


def extents(conn: Connection, *, node: str) -> dict[str, int]:
    """Return how many bytes each segment of a node must have for the instances that lie in it.

    Reads the rows of what waits in a spool and no others.
    """
    end = func.max(instances.c.offset + instances.c.length)
    rows = conn.execute(
        select(instances.c.container, end)
        .outerjoin(segments, segments.c.name == instances.c.container)
        .where(
            instances.c.location == IN_SPOOL,
            or_(segments.c.node == node, segments.c.node.is_(None)),
        )
        .group_by(instances.c.container)
    )
    return {name: int(size) for name, size in rows}


def spooled(conn: Connection, *, node: str) -> tuple[int, int, datetime | None]:
    """Return how many instances lie in a node's spool only, their bytes, the oldest's time."""
    row = conn.execute(
        select(
            func.count(),
            func.coalesce(func.sum(instances.c.length), 0),
            func.min(instances.c.received_at),
        ).where(instances.c.location == IN_SPOOL, lies_with(node))
    ).one()
    return int(row[0]), int(row[1]), row[2]


def lies_with(node: str | None) -> ColumnElement[bool]:
    """Return that an instance in the spool is not in that of another node.

    One in a segment that nobody has told of yet may be anybody's; without a node all are meant.
    """
    if node is None:
        return true()
    others = select(segments.c.name).where(segments.c.node != node)
    return instances.c.container.not_in(others)
