"""Writes and reads the custody ledger: where each instance has been, line by line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from casework.custody import CustodyEvent, CustodyRow, Origin
from storage.database import chunks, insert_if_absent
from storage.rows import SenderRow, StudyCustodyRow, StudyTrail
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


def write_to_staying(conn: Connection, lines: Sequence[Line]) -> None:
    """Add lines about instances that were seen a while ago; what was erased since has no ledger."""
    there = staying(conn, [line.instance_pk for line in lines])
    write(conn, [line for line in lines if line.instance_pk in there])


def staying(conn: Connection, instance_pks: Sequence[int]) -> set[int]:
    """Return those instances that are there, and stay until the transaction ends."""
    found: set[int] = set()
    for some in chunks(sorted(set(instance_pks))):
        asked = select(instances.c.pk).where(instances.c.pk.in_(some)).order_by(instances.c.pk)
        held = asked.with_for_update(read=True, key_share=True)
        found |= set(conn.execute(held).scalars())
    return found


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
    )
    rows = [StudyCustodyRow(**row._mapping) for row in found]
    rows += _synced(conn, study_pk)
    return sorted(rows, key=lambda row: (row.first_at, row.event))


def trail_of_study(conn: Connection, study_pk: int) -> StudyTrail:
    """Return where the current instances of a study have been, as a whole."""
    senders = _senders(conn, study_pk)
    opened = conn.execute(
        select(custody.c.detail)
        .join(instances, instances.c.pk == custody.c.instance_pk)
        .join(series, series.c.pk == instances.c.series_pk)
        .where(series.c.study_pk == study_pk, custody.c.event == CustodyEvent.OPENED.value)
        .order_by(custody.c.pk)
        .limit(1)
    ).scalar()
    by = opened or {}
    return StudyTrail(
        instances=sum(sender.instances for sender in senders),
        senders=senders,
        events={row.event: row for row in lines_of_study(conn, study_pk)},
        opened_by=str(by.get("name") or by.get("actor") or ""),
        committed_by=_committed_by(conn, study_pk),
    )


def _committed_by(conn: Connection, study_pk: int) -> tuple[str, ...]:
    """Return the nodes that have committed to images of a study that they were sent."""
    by = func.coalesce(custody.c.detail["by"].as_string(), "")
    found = conn.execute(
        select(by)
        .join(instances, instances.c.pk == custody.c.instance_pk)
        .join(series, series.c.pk == instances.c.series_pk)
        .where(series.c.study_pk == study_pk, custody.c.event == CustodyEvent.COMMITTED_BY.value)
        .distinct()
    )
    return tuple(sorted(found.scalars()))


def lines_of_each(
    conn: Connection, instance_pks: Sequence[int]
) -> Mapping[int, Sequence[CustodyRow]]:
    """Return the ledger of each of these instances, oldest line first."""
    found: dict[int, list[CustodyRow]] = defaultdict(list)
    for some in chunks(sorted(instance_pks)):
        asked = select(custody.c.instance_pk, custody.c.event, custody.c.at, custody.c.detail)
        for row in conn.execute(
            asked.where(custody.c.instance_pk.in_(some)).order_by(custody.c.pk)
        ):
            found[row.instance_pk].append(CustodyRow(row.event, row.at, row.detail))
    return found


def without(
    conn: Connection, instance_pks: Sequence[int], event: CustodyEvent, *, key: str = ""
) -> list[int]:
    """Return those instances whose ledger has no line of an event; with a key, none under it."""
    have: set[int] = set()
    for some in chunks(sorted(set(instance_pks))):
        asked = select(custody.c.instance_pk).where(
            custody.c.instance_pk.in_(some), custody.c.event == event.value
        )
        if key:
            asked = asked.where(custody.c.record.in_([_first(pk, key) for pk in some]))
        have |= set(conn.execute(asked).scalars())
    return [pk for pk in dict.fromkeys(instance_pks) if pk not in have]


def write_first(
    conn: Connection,
    instance_pks: Sequence[int],
    event: CustodyEvent,
    at: datetime,
    detail: Mapping[str, Any],
    *,
    key: str = "",
) -> None:
    """Add the line of a first time; of two who were first at once, one line stays."""
    write_to_staying(conn, [Line(pk, event, at, detail, _first(pk, key)) for pk in instance_pks])


def _first(instance_pk: int, key: str) -> str:
    return f"first:{instance_pk}:{key}"


def _senders(conn: Connection, study_pk: int) -> tuple[SenderRow, ...]:
    door, ae, actor = (
        func.coalesce(custody.c.detail[name].as_string(), "")
        for name in ("door", "calling_ae", "actor")
    )
    received = (
        select(
            door.label("door"),
            ae.label("calling_ae"),
            actor.label("actor"),
            custody.c.instance_pk,
            custody.c.at,
        )
        .join(instances, instances.c.pk == custody.c.instance_pk)
        .join(series, series.c.pk == instances.c.series_pk)
        .where(series.c.study_pk == study_pk, custody.c.event == CustodyEvent.RECEIVED.value)
        .subquery()
    )
    who = (received.c.door, received.c.calling_ae, received.c.actor)
    found = conn.execute(
        select(
            *who,
            func.count(received.c.instance_pk.distinct()).label("instances"),
            func.min(received.c.at).label("first_at"),
            func.max(received.c.at).label("last_at"),
        )
        .group_by(*who)
        .order_by(func.min(received.c.at))
    )
    return tuple(SenderRow(**row._mapping) for row in found)


def _synced(conn: Connection, study_pk: int) -> list[StudyCustodyRow]:
    """Return when a study's instances became durable, which stands in the line of their arrival."""
    synced_at = custody.c.detail["synced_at"].as_string()
    first, last, count = conn.execute(
        select(
            func.min(synced_at),
            func.max(synced_at),
            func.count(custody.c.instance_pk.distinct()),
        )
        .join(instances, instances.c.pk == custody.c.instance_pk)
        .join(series, series.c.pk == instances.c.series_pk)
        .where(
            series.c.study_pk == study_pk,
            custody.c.event == CustodyEvent.RECEIVED.value,
            synced_at.is_not(None),
        )
    ).one()
    if not count:
        return []
    times = [datetime.fromisoformat(each) for each in (first, last)]
    return [StudyCustodyRow(CustodyEvent.SYNCED.value, count, *times)]


def noted_records(conn: Connection, records: Sequence[str]) -> set[str]:
    """Return which of these spool records are in the ledger already."""
    found = conn.execute(select(custody.c.record).where(custody.c.record.in_(records)))
    return {str(row.record) for row in found}


def is_told(conn: Connection, instance_pk: int, at: datetime) -> bool:
    """Tell whether a pack has told of this very receipt, without the name of its spool record.

    So it is when a spool is read anew that the database was rebuilt without.
    """
    arrivals = (CustodyEvent.RECEIVED.value, CustodyEvent.REPEATED.value)
    found = select(custody.c.pk).where(
        custody.c.instance_pk == instance_pk,
        custody.c.at == at,
        custody.c.event.in_(arrivals),
        custody.c.record.is_(None),
    )
    return conn.execute(found.limit(1)).first() is not None


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
