"""Finds urgent replies that nobody has read in time, marks their cases, and has people reminded.

Once for each signed version; opening the reply ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select, update

from casework.audit import Deed
from casework.model import Actor, CaseState, SiteKind
from casework.reply_channels import URGENT, Way
from storage.casebook_tables import cases, reply_channels, reports, sites
from storage.database import Database
from storage.ledger import append_entry
from storage.outbox import enqueue_delivery

ESCALATED = "reply-unread"
REMINDER = "reminder:"
"""What the destination of a delivery begins with that reminds of a reply by a channel of mail."""

_WORKER = Actor("system:worker", "Lysbro", "", SiteKind.CENTRE)
_UNREAD = (CaseState.SIGNED, CaseState.DELIVERED)


class Escalation:
    """The replies of one exchange that must not lie."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def look(self, after: timedelta) -> int:
        """Mark cases whose urgent reply is unread for so long; return how many are new."""
        now = self._clock()
        due = and_(
            cases.c.state.in_(_UNREAD),
            cases.c.read_at.is_(None),
            cases.c.signed_at <= now - after,
            cases.c.escalated_at.is_(None),
        )
        with self._database.read() as conn:
            if conn.execute(select(cases.c.id).where(due).limit(1)).first() is None:
                return 0
        with self._database.begin() as conn:
            asked = select(cases.c.id, cases.c.site, cases.c.report_version).where(due)
            urgent = [row for row in conn.execute(asked) if _is_urgent(conn, row.id)]
            for row in urgent:
                _mark(conn, row, now)
        return len(urgent)

    def count(self) -> int:
        """Return how many cases are marked and still unread."""
        asked = select(func.count()).where(
            cases.c.state.in_(_UNREAD), cases.c.escalated_at.is_not(None)
        )
        with self._database.read() as conn:
            return int(conn.execute(asked).scalar_one())


def _is_urgent(conn: Connection, case_id: str) -> bool:
    """Tell whether the reply as it stands, or anything added to it, asks to be acted on."""
    asked = (
        select(reports.c.kind, reports.c.content)
        .where(reports.c.case_id == case_id)
        .order_by(reports.c.version.desc())
    )
    for row in conn.execute(asked):
        if row.content.get("urgency") in URGENT:
            return True
        if row.kind != "addendum":
            return False
    return False


def _mark(conn: Connection, row: Row[Any, Any, Any], now: datetime) -> None:
    conn.execute(update(cases).where(cases.c.id == row.id).values(escalated_at=now))
    told = []
    for name in _reminded(conn, row.site):
        enqueue_delivery(
            conn,
            case_id=row.id,
            report_version=row.report_version,
            channel=Way.MAIL.value,
            site=row.site,
            destination=f"{REMINDER}{name}",
            now=now,
        )
        told.append(name)
    detail = {"report_version": row.report_version, "reminded": told}
    append_entry(conn, Deed(_WORKER, ESCALATED, row.id, row.id, detail=detail), at=now)


def _reminded(conn: Connection, site: str) -> list[str]:
    """Return the channels of mail of the site, and those of the centre that are told of all."""
    asked = (
        select(reply_channels.c.name, reply_channels.c.site, reply_channels.c.options)
        .join(sites, sites.c.slug == reply_channels.c.site)
        .where(
            reply_channels.c.way == Way.MAIL.value,
            reply_channels.c.is_on,
            or_(reply_channels.c.site == site, sites.c.kind == SiteKind.CENTRE.value),
        )
        .order_by(reply_channels.c.name)
    )
    return [
        row.name
        for row in conn.execute(asked)
        if row.site == site or row.options.get("escalations") == "yes"
    ]
