"""How each node is sent to: how much at once, in which form, how fast, paused or not; what waits.

Holds no jobs; who may be sent to is `people`. A node without settings is sent to as a new one is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from casework.errors import Invalid, NotFound
from casework.identifiers import normal_ae_title
from storage.casebook_tables import aes, destinations, jobs, promises, sent_instances
from storage.database import Database, insert_if_absent

AS_STORED, UNCOMPRESSED = "", "uncompressed"
FORMS = (UNCOMPRESSED, "jpeg-ls", "jpeg-2000", "htj2k", "rle")
"""What a node may be sent, where it takes that; without one, objects go as they are stored."""

MOST_AT_ONCE = 32


@dataclass(frozen=True)
class Destination:
    """How a node is sent to."""

    title: str
    most_at_once: int = 1  # associations, of all workers together
    form: str = AS_STORED
    rate_bytes: int | None = None  # a second, of all associations together
    asks_commitment: bool = False
    commit_wait_s: int = 3600
    most_attempts: int | None = None
    paused_at: datetime | None = None


@dataclass(frozen=True)
class Waiting:
    """What waits for a destination, what is under way and what was given up."""

    destination: str
    queued: int
    under_way: int
    dead: int
    oldest_at: datetime | None  # of what is queued
    paused_at: datetime | None
    uncommitted: int  # instances that have arrived and are not committed to yet
    asks_commitment: bool


class Destinations:
    """The settings of the nodes that one exchange sends to."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def of(self, title: str) -> Destination:
        """Return how a node is sent to."""
        with self._database.read() as conn:
            return destination_of(conn, title)

    def all(self) -> tuple[Destination, ...]:
        """Return the settings of every node that has some."""
        with self._database.read() as conn:
            rows = conn.execute(select(destinations).order_by(destinations.c.title))
            return tuple(_as_destination(row) for row in rows)

    def set(self, title: str, **changes: Any) -> Destination:
        """Change how a node is sent to; what is not named stays."""
        title = normal_ae_title(title)
        _require_sound(changes)
        with self._database.begin() as conn:
            self._require_node(conn, title)
            insert_if_absent(conn, destinations, [{"title": title}])
            if changes:
                conn.execute(
                    update(destinations).where(destinations.c.title == title).values(**changes)
                )
            return destination_of(conn, title)

    def pause(self, title: str) -> Destination:
        """Send a node nothing more until it is resumed; what has begun goes on to its end."""
        return self.set(title, paused_at=self._clock())

    def resume(self, title: str) -> Destination:
        """Send to a node again."""
        return self.set(title, paused_at=None)

    def waiting(self) -> tuple[Waiting, ...]:
        """Return what waits for each destination, those in trouble and the oldest first."""
        with self._database.read() as conn:
            return _waiting(conn, self._clock())

    def _require_node(self, conn: Connection, title: str) -> None:
        if conn.execute(select(aes.c.title).where(aes.c.title == title)).first() is None:
            raise NotFound(
                f"There is no application entity {title}. Add it with 'lysbro ae add {title} …'.",
                code="no-such-ae",
            )


def destination_of(conn: Connection, title: str) -> Destination:
    """Return how a node is sent to."""
    row = conn.execute(select(destinations).where(destinations.c.title == title)).one_or_none()
    return Destination(title) if row is None else _as_destination(row)


def _require_sound(changes: Mapping[str, Any]) -> None:
    form = changes.get("form", AS_STORED)
    if form and form not in FORMS:
        raise Invalid(
            f"{form!r} is no form to send in. Use {', '.join(FORMS)} or as-stored.",
            code="bad-destination",
        )
    for name, least, most in (
        ("most_at_once", 1, MOST_AT_ONCE),
        ("rate_bytes", 1000, 1 << 40),
        ("commit_wait_s", 10, 30 * 86400),
        ("most_attempts", 1, 1000),
    ):
        value = changes.get(name)
        if value is not None and not least <= value <= most:
            raise Invalid(
                f"{name.replace('_', ' ')} is {value}: it is between {least} and {most}.",
                code="bad-destination",
            )


def _waiting(conn: Connection, now: datetime) -> tuple[Waiting, ...]:
    by_ae = (jobs.c.kind == "send") | (jobs.c.channel == "ae")
    found: dict[str, dict[str, Any]] = {}
    each = (
        select(
            jobs.c.destination,
            jobs.c.state,
            jobs.c.created_at,
            func.coalesce(jobs.c.leased_until > now, False).label("leased"),
        )
        .where(by_ae, jobs.c.state.in_(("queued", "dead")))
        .subquery()
    )
    counted = select(
        each.c.destination,
        each.c.state,
        each.c.leased,
        func.count().label("number"),
        func.min(each.c.created_at).label("oldest_at"),
    ).group_by(each.c.destination, each.c.state, each.c.leased)
    for row in conn.execute(counted):
        one = found.setdefault(row.destination, {"queued": 0, "under_way": 0, "dead": 0})
        if row.state == "dead":
            one["dead"] += row.number
            continue
        one["under_way" if row.leased else "queued"] += row.number
        one["oldest_at"] = min(filter(None, (one.get("oldest_at"), row.oldest_at)))
    open_ = (
        select(promises.c.destination, func.count())
        .join(sent_instances, sent_instances.c.promise_id == promises.c.id)
        .where(promises.c.state.in_(("due", "asked")), sent_instances.c.committed_at.is_(None))
        .group_by(promises.c.destination)
    )
    uncommitted = {row[0]: row[1] for row in conn.execute(open_)}
    known = {row.title: _as_destination(row) for row in conn.execute(select(destinations))}
    titles = {*found, *uncommitted, *(t for t, each in known.items() if each.paused_at)}
    rows = [
        Waiting(
            destination=title,
            **{
                "queued": 0,
                "under_way": 0,
                "dead": 0,
                "oldest_at": None,
                **found.get(title, {}),
            },
            paused_at=known.get(title, Destination(title)).paused_at,
            uncommitted=uncommitted.get(title, 0),
            asks_commitment=known.get(title, Destination(title)).asks_commitment,
        )
        for title in titles
    ]
    return tuple(sorted(rows, key=lambda each: (-each.dead, str(each.oldest_at), each.destination)))


def _as_destination(row: Row[*tuple[Any, ...]]) -> Destination:
    return Destination(**{name: row._mapping[name] for name in Destination.__dataclass_fields__})
