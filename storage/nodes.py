"""Which nodes share this database: their data folders, whether they live, where each is reached.

A name belongs to one data folder while that one is heard of. Opens no connection to any node.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from casework.errors import Conflict, NotFound, Unavailable
from storage.database import Database, chunks, take_turns
from storage.disk import sync_folder
from storage.erasure_tables import erasure_nodes
from storage.tables import nodes, pack_intents, segments

HEARD_EVERY_S = 5.0
LIVES_FOR = timedelta(seconds=4 * HEARD_EVERY_S)
"""A node that has not been heard of for so long is away."""


UP, AWAY, STOPPED = "up", "away", "stopped"


@dataclass(frozen=True)
class Told:
    """What a node tells of itself each time that it is heard."""

    kinds: str = ""  # its processes, with commas
    version: str = ""
    spool_instances: int = 0  # not yet packed
    spool_bytes: int = 0
    spool_oldest_at: datetime | None = None
    drain_s: float | None = None  # until they are packed; None: no pace is known


@dataclass(frozen=True)
class Node:
    """One data folder of the exchange and the processes on it."""

    name: str
    address: str  # host:port of the door to its spool; empty: it has none
    heard_at: datetime | None  # None: it was stopped in order, or is the only one
    left_at: datetime | None = None  # when it was stopped in order
    told: Told = Told()

    def state(self, now: datetime) -> str:
        """Return whether it is up, away without a word, or was stopped in order."""
        if self.heard_at is None:
            return STOPPED
        return UP if lives(self.heard_at, now) else AWAY


class Nodes:
    """The nodes of one database."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def claim(self, name: str, folder_id: str, *, holding: Sequence[str] = ()) -> None:
        """Take a name for a data folder and the segments in it; refuse one that another lives by.

        A folder whose node was renamed, or came from another machine, keeps what was its own.
        """
        now = self._clock()
        with self._database.begin() as conn:
            take_turns(conn, ["nodes"])
            other = conn.execute(
                select(nodes.c.heard_at).where(nodes.c.name == name, nodes.c.folder_id != folder_id)
            ).one_or_none()
            if other is not None and lives(other.heard_at, now):
                raise Unavailable(
                    f"Another data folder is the node {name} already. "
                    "Give this one a name of its own with LYSBRO_NODE.",
                    code="node-name-taken",
                )
            mine = select(nodes.c.name, nodes.c.heard_at).where(nodes.c.folder_id == folder_id)
            before = conn.execute(mine).one_or_none()
            conn.execute(
                delete(nodes).where((nodes.c.name == name) | (nodes.c.folder_id == folder_id))
            )
            conn.execute(
                insert(nodes).values(
                    name=name,
                    folder_id=folder_id,
                    started_at=now,
                    heard_at=None if before is None else before.heard_at,
                )
            )
            if before is not None and before.name != name:
                _rename(conn, before.name, name)
            for some in chunks(list(holding)):
                conn.execute(
                    update(segments)
                    .where(segments.c.name.in_(some), segments.c.node != name)
                    .values(node=name)
                )

    def heard(self, name: str, folder_id: str, *, address: str, told: Told | None = None) -> None:
        """Note that a node lives, where its spool is read, and what it tells of itself."""
        values = {"heard_at": self._clock(), "left_at": None, "address": address}
        self._note(name, folder_id, values | asdict(told or Told()))

    def leave(self, name: str, folder_id: str, *, told: Told | None = None) -> None:
        """Note that a node was stopped in order: its name is free at once."""
        values = {"heard_at": None, "left_at": self._clock()}
        self._note(name, folder_id, values | (asdict(told) if told else {}))

    def holder(self, segment: str) -> Node | None:
        """Return the node in whose spool a segment lies, as far as it is known."""
        with self._database.read() as conn:
            row = conn.execute(
                select(segments.c.node, nodes.c.address, nodes.c.heard_at)
                .outerjoin(nodes, nodes.c.name == segments.c.node)
                .where(segments.c.name == segment)
            ).one_or_none()
        return None if row is None else Node(row.node, row.address or "", row.heard_at)

    def listed(self) -> tuple[Node, ...]:
        """Return every node that was heard of or has left something in its spool, by name."""
        with self._database.read() as conn:
            rows = conn.execute(
                select(nodes)
                .where(nodes.c.heard_at.is_not(None) | (nodes.c.spool_instances > 0))
                .order_by(nodes.c.name)
            )
            return tuple(_node(row) for row in rows)

    def forget(self, name: str) -> None:
        """Strike a node off the list that will not come back; refused while it lives."""
        now = self._clock()
        with self._database.begin() as conn:
            take_turns(conn, ["nodes"])
            row = conn.execute(select(nodes).where(nodes.c.name == name)).one_or_none()
            if row is None:
                raise NotFound(f"There is no node {name}.", code="no-such-node")
            if lives(row.heard_at, now):
                raise Conflict(f"The node {name} is up. Stop it first.", code="node-up")
            conn.execute(delete(nodes).where(nodes.c.name == name))

    def _note(self, name: str, folder_id: str, values: Mapping[str, Any]) -> None:
        with self._database.begin() as conn:
            conn.execute(
                update(nodes)
                .where(nodes.c.name == name, nodes.c.folder_id == folder_id)
                .values(**values)
            )


def lives(heard_at: datetime | None, now: datetime) -> bool:
    """Tell whether a node that was last heard of then is there now."""
    return heard_at is not None and now - heard_at < LIVES_FOR


def folder_id(data: Path) -> str:
    """Return what tells a data folder from all others, wherever it is moved; made once."""
    path = data / "node-id"
    with suppress(FileNotFoundError):
        if known := path.read_text("ascii").strip():
            return known
    fresh = data / f".node-id-{secrets.token_hex(8)}"
    fresh.write_text(secrets.token_hex(16), "ascii")
    with suppress(FileExistsError):  # another process of the node was first
        path.hardlink_to(fresh)
    fresh.unlink()
    sync_folder(data)
    return path.read_text("ascii").strip()


def _node(row: Row[Any]) -> Node:
    told = Told(**{each.name: row._mapping[each.name] for each in fields(Told)})
    return Node(row.name, row.address or "", row.heard_at, row.left_at, told)


def _rename(conn: Connection, before: str, name: str) -> None:
    for table in (segments, pack_intents, erasure_nodes):
        conn.execute(update(table).where(table.c.node == before).values(node=name))
