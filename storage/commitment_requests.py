"""Takes a request for storage commitment into the queue, once, however often it is asked.

PS3.4 J.3.2.1.2 gives each request a transaction UID that is never used for another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from casework.commitment import SAME_ASSOCIATION_GRACE, Failure, Reference, Result
from casework.errors import NoRoom
from storage.casebook_tables import commitment_items, commitments
from storage.commitment_rows import JUDGED, OPEN, WAITING, Asked

MAX_OPEN = 1000
"""Transactions of one node that may be open at one time."""


@dataclass(frozen=True)
class Taken:
    """The number of a transaction; one that is decided already needs no look at its instances."""

    id: int
    is_decided: bool = False


def take(conn: Connection, asked: Asked, *, now: datetime, wait_s: float) -> Taken:
    """Keep a request; see `Commitments.request`."""
    digest = _digest(asked.references)
    known = conn.execute(
        select(commitments)
        .where(
            commitments.c.site == asked.site,
            commitments.c.ae_title == asked.ae_title,
            commitments.c.transaction_uid == asked.transaction_uid,
        )
        .order_by(commitments.c.use)
        .with_for_update()
    ).all()
    for row in known:
        if row.asked_sha256 == digest:
            return _ask_again(conn, row, asked, now=now, wait_s=wait_s)
    _require_room(conn, asked)
    made = conn.execute(
        insert(commitments)
        .values(
            site=asked.site,
            ae_title=asked.ae_title,
            transaction_uid=asked.transaction_uid,
            use=len(known),
            asked_sha256=digest,
            association=asked.association,
            requested_at=now,
            wait_until=now + timedelta(seconds=wait_s),
            state=WAITING,
            next_attempt_at=now,
        )
        .returning(commitments.c.id)
    ).scalar_one()
    # a UID that was used for other instances: failed as a duplicate (PS3.3 C.14.1.1)
    result = Result.FAILED if known else Result.ASKED
    reason = int(Failure.DUPLICATE_TRANSACTION) if known else None
    conn.execute(
        insert(commitment_items),
        [
            {
                "commitment_id": made,
                "ordinal": ordinal,
                "sop_class_uid": reference.sop_class_uid,
                "sop_instance_uid": reference.sop_instance_uid,
                "result": result,
                "reason": reason,
            }
            for ordinal, reference in enumerate(asked.references)
        ],
    )
    return Taken(int(made), is_decided=bool(known))


def _ask_again(
    conn: Connection, row: Row[Any], asked: Asked, *, now: datetime, wait_s: float
) -> Taken:
    """Let an open transaction go on; begin one anew whose report has gone out or was given up."""
    of_it = commitments.c.id == row.id
    if row.state in OPEN:
        values: dict[str, Any] = {"association": asked.association}
        if row.state == JUDGED:
            values["next_attempt_at"] = now + SAME_ASSOCIATION_GRACE
        conn.execute(update(commitments).where(of_it).values(**values))
        return Taken(row.id)
    _require_room(conn, asked)
    conn.execute(
        update(commitments)
        .where(of_it)
        .values(
            state=WAITING,
            association=asked.association,
            requested_at=now,
            wait_until=now + timedelta(seconds=wait_s),
            attempts=0,
            next_attempt_at=now,
            leased_until=None,
            last_error="",
            judged_at=None,
            reported_at=None,
        )
    )
    if row.use:
        return Taken(row.id, is_decided=True)
    conn.execute(
        update(commitment_items)
        .where(commitment_items.c.commitment_id == row.id)
        .values(result=Result.ASKED, reason=None)
    )
    return Taken(row.id)


def _require_room(conn: Connection, asked: Asked) -> None:
    open_now = conn.execute(
        select(func.count()).where(
            commitments.c.site == asked.site,
            commitments.c.ae_title == asked.ae_title,
            commitments.c.state.in_(OPEN),
        )
    ).scalar_one()
    if open_now >= MAX_OPEN:
        raise NoRoom(f"{MAX_OPEN} transactions are open already; ask later", code="too-many-open")


def _digest(references: Sequence[Reference]) -> str:
    lines = sorted(f"{r.sop_class_uid} {r.sop_instance_uid}\n" for r in references)
    return hashlib.sha256("".join(lines).encode("ascii")).hexdigest()
