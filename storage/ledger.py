"""Keeps the audit: appends entries to one hash chain, lists them, verifies them. Never changes one.

Casework decides what an entry is and how its hash follows. The head of the chain is a row of its
own, so that a cut at the end shows too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from casework.audit import GENESIS, AuditEntry, Deed, first_bad, follow
from casework.model import Actor
from storage.casebook_tables import audit, audit_head
from storage.database import Database

_BATCH = 1000


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """The audit of one exchange."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = _utc_now) -> None:
        self._database = database
        self._clock = clock

    def append(
        self,
        conn: Connection | None,
        *,
        actor: Actor,
        action: str,
        subject: str,
        case_id: str = "",
        site: str = "",
        outcome: str = "ok",
        detail: Mapping[str, Any] | None = None,
    ) -> AuditEntry:
        """Append an entry, in the transaction of `conn` or in one of its own."""
        deed = Deed(actor, action, subject, case_id, site, outcome, detail or {})
        if conn is not None:
            return append_entry(conn, deed, at=self._clock())
        with self._database.begin() as own:
            return append_entry(own, deed, at=self._clock())

    def entries(
        self, limit: int = 100, q: str = "", *, before: int | None = None
    ) -> tuple[AuditEntry, ...]:
        """Return entries, newest first; `q` is part of an action, actor, case, subject or site."""
        asked = select(audit).order_by(audit.c.seq.desc()).limit(limit)
        if before is not None:
            asked = asked.where(audit.c.seq < before)
        for word in q.split():
            columns = (audit.c.action, audit.c.actor_id, audit.c.actor_name, audit.c.case_id)
            more = (audit.c.subject, audit.c.site, audit.c.outcome)
            asked = asked.where(or_(*(c.icontains(word, autoescape=True) for c in columns + more)))
        with self._database.read() as conn:
            return tuple(_entry(row._mapping) for row in conn.execute(asked))

    def of_case(self, case_id: str) -> tuple[AuditEntry, ...]:
        """Return the entries of a case, oldest first."""
        asked = select(audit).where(audit.c.case_id == case_id).order_by(audit.c.seq)
        with self._database.read() as conn:
            return tuple(_entry(row._mapping) for row in conn.execute(asked))

    def verify(self) -> int | None:
        """Return the number of the first entry that is not what the chain says, or None."""
        with self._database.read() as conn:
            head = _head(conn)
            bad = first_bad(_through(conn, head[0]))
            if bad is not None:
                return bad.seq
            last = _last(conn, through=head[0])
            if last != head:
                return last[0] + 1
            newest = _last(conn)[0]
            head = _head(conn)  # read after the entries, which come with it
            return head[0] + 1 if newest > head[0] else None


def append_entry(conn: Connection, deed: Deed, *, at: datetime) -> AuditEntry:
    """Append an entry in a transaction; writers wait for each other at the head of the chain."""
    head = conn.execute(
        update(audit_head)
        .values(seq=audit_head.c.seq + 1)
        .returning(audit_head.c.seq, audit_head.c.hash)
    ).one()
    entry = follow(head.seq, at, deed, head.hash)
    conn.execute(insert(audit).values({f.name: getattr(entry, f.name) for f in fields(entry)}))
    conn.execute(update(audit_head).values(hash=entry.hash))
    return entry


def _head(conn: Connection) -> tuple[int, str]:
    row = conn.execute(select(audit_head.c.seq, audit_head.c.hash)).one()
    return row.seq, row.hash


def _last(conn: Connection, *, through: int | None = None) -> tuple[int, str]:
    asked = select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
    if through is not None:
        asked = asked.where(audit.c.seq <= through)
    row = conn.execute(asked).one_or_none()
    return (0, GENESIS) if row is None else (row.seq, row.hash)


def _through(conn: Connection, last: int) -> Iterator[AuditEntry]:
    after = -1
    while True:
        rows = conn.execute(
            select(audit)
            .where(audit.c.seq > after, audit.c.seq <= last)
            .order_by(audit.c.seq)
            .limit(_BATCH)
        ).all()
        if not rows:
            return
        yield from (_entry(row._mapping) for row in rows)
        after = rows[-1].seq


def _entry(row: Mapping[Any, Any]) -> AuditEntry:
    return AuditEntry(**{str(name): value for name, value in row.items()})
