"""Writes and reads the custody ledger: where each instance has been, line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from casework.custody import CustodyEvent, Origin
from storage.database import insert_if_absent
from storage.rows import CustodyRow, StudyCustodyRow
from storage.tables import custody, instances, series


@dataclass(frozen=True)
class Line:
    """A line to be written; `record` names the spool record that caused it, which is noted once."""

    instance_pk: int
    event: CustodyEvent
    at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)
    record: str | None = None


def write(conn: Connection, lines: Sequence[Line]) -> None:
    """Add lines to the ledger; those of a spool record that is in it already are left out."""
    insert_if_absent(
        conn,
        custody,
        [
            {
                "instance_pk": line.instance_pk,
                "event": line.event.value,
                "at": line.at,
                "detail": dict(line.detail),
                "record": line.record,
            }
            for line in lines
        ],
    )


def lines_of(conn: Connection, instance_pk: int) -> list[CustodyRow]:
    """Return the ledger of an instance, oldest line first."""
    found = conn.execute(
        select(custody.c.event, custody.c.at, custody.c.detail)
        .where(custody.c.instance_pk == instance_pk)
        .order_by(custody.c.pk)
    )
    return [CustodyRow(event=row.event, at=row.at, detail=row.detail) for row in found]


def lines_of_study(conn: Connection, study_pk: int) -> list[StudyCustodyRow]:
    """Return what happened to the current instances of a study, event by event."""
    found = conn.execute(
        select(
            custody.c.event,
            func.count(custody.c.instance_pk.distinct()).label("instances"),
            func.min(custody.c.at).label("first_at"),
            func.max(custody.c.at).label("last_at"),
        )
        .join(instances, instances.c.pk == custody.c.instance_pk)
        .join(series, series.c.pk == instances.c.series_pk)
        .where(series.c.study_pk == study_pk)
        .group_by(custody.c.event)
        .order_by(func.min(custody.c.at), custody.c.event)
    )
    return [StudyCustodyRow(**row._mapping) for row in found]


def noted_records(conn: Connection, records: Sequence[str]) -> set[str]:
    """Return which of these spool records are in the ledger already."""
    found = conn.execute(select(custody.c.record).where(custody.c.record.in_(records)))
    return {str(row.record) for row in found}


def origin_detail(origin: Origin) -> dict[str, Any]:
    """Return what the ledger keeps of who brought an object; what is not known is left out."""
    known = {
        "door": origin.door.value,
        "calling_ae": origin.calling_ae,
        "called_ae": origin.called_ae,
        "peer": origin.peer,
        "association": origin.association,
        "actor": origin.actor,
    }
    return {name: value for name, value in known.items() if value}
