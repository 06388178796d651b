"""Settles which of two different objects under one UID from one site counts. Deletes neither."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Row, Select, and_, func, select, update

from casework.custody import CustodyEvent, Door
from casework.errors import Invalid, NotFound
from casework.model import Actor
from storage import custodian
from storage.arrivals import arrived
from storage.hierarchy import Arrival, place, recount
from storage.rows import ConflictRow, ConflictSide, instance_row
from storage.tables import CURRENT, QUARANTINED, instances, series, studies

log = structlog.get_logger()

_UNSETTLED = and_(instances.c.state == QUARANTINED, instances.c.settled_at.is_(None))


def waiting(conn: Connection) -> list[ConflictRow]:
    """Return the conflicts that wait for a person, the oldest first."""
    found = conn.execute(_unsettled().order_by(instances.c.pk)).all()
    return [_conflict(conn, row) for row in found]


def count(conn: Connection) -> int:
    """Return how many conflicts wait for a person."""
    return conn.execute(select(func.count()).select_from(instances).where(_UNSETTLED)).scalar_one()


def count_of_study(conn: Connection, study_uid: str, site: str) -> int:
    """Return how many conflicts of a site's study wait for a person."""
    first = instances.alias()  # what counts: the second of a conflict stands in no series
    return conn.execute(
        select(func.count())
        .select_from(studies)
        .join(series, series.c.study_pk == studies.c.pk)
        .join(first, first.c.series_pk == series.c.pk)
        .join(
            instances,
            (instances.c.site == first.c.site)
            & (instances.c.sop_instance_uid == first.c.sop_instance_uid),
        )
        .where(_UNSETTLED, studies.c.study_uid == study_uid, studies.c.site == site)
    ).scalar_one()


def settle(conn: Connection, pk: int, *, keep: str, actor: Actor, now: datetime) -> ConflictRow:
    """Let the first or the second object count from now on, and return the conflict as it was."""
    if keep not in ("first", "second"):
        raise Invalid("Say which object counts: the first or the second.", code="bad-choice")
    row = conn.execute(_unsettled().where(instances.c.pk == pk).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(
            f"There is no conflict {pk} that waits to be settled.", code="no-such-conflict"
        )
    conflict = _conflict(conn, row)
    if keep == "first":
        _set(conn, pk, settled_at=now, settled_by=actor.id)
    else:
        _swap(conn, conflict, actor=actor, now=now)
    detail = {"settled": keep, "by": actor.id}
    custodian.write(
        conn,
        [
            custodian.Line(side.instance.pk, CustodyEvent.CONFLICTED, now, detail)
            for side in (conflict.first, conflict.second)
        ],
    )
    log.info("conflict_settled", sop=conflict.sop_instance_uid, site=conflict.site, kept=keep)
    return conflict


def _swap(conn: Connection, conflict: ConflictRow, *, actor: Actor, now: datetime) -> None:
    first, second = conflict.first.instance, conflict.second.instance
    left = conn.execute(
        select(instances.c.series_pk).where(instances.c.pk == first.pk)
    ).scalar_one()
    _set(
        conn,
        first.pk,
        state=QUARANTINED,
        series_pk=None,
        conflict=conflict.reason,
        settled_at=now,
        settled_by=actor.id,
    )
    (stand,) = place(
        conn,
        [
            Arrival(
                site=second.site,
                study_uid=second.study_uid,
                series_uid=second.series_uid,
                attributes=second.attributes,
                received_at=second.received_at,
            )
        ],
    )
    _set(conn, second.pk, state=CURRENT, series_pk=stand.series_pk, settled_at=now)
    recount(conn, {left, stand.series_pk})
    arrived(
        conn,
        site=second.site,
        study_uid=second.study_uid,
        study_pk=stand.study_pk,
        new_study=stand.new_study,
        attributes=second.attributes,
        door=Door(conflict.second.door),
        received_at=now,
    )


def _set(conn: Connection, pk: int, **values: Any) -> None:
    conn.execute(update(instances).where(instances.c.pk == pk).values(**values))


def _unsettled() -> Select[Any]:
    return select(instances).where(_UNSETTLED)


def _conflict(conn: Connection, row: Row[Any]) -> ConflictRow:
    first = conn.execute(
        select(instances).where(
            instances.c.site == row.site,
            instances.c.sop_instance_uid == row.sop_instance_uid,
            instances.c.state == CURRENT,
        )
    ).one()
    return ConflictRow(
        pk=row.pk,
        site=row.site,
        sop_instance_uid=row.sop_instance_uid,
        reason=row.conflict,
        first=_side(conn, first),
        second=_side(conn, row),
    )


def _side(conn: Connection, row: Row[Any]) -> ConflictSide:
    received = next(
        line.detail
        for line in custodian.lines_of(conn, row.pk)
        if line.event == CustodyEvent.RECEIVED
    )
    return ConflictSide(
        instance=instance_row(row),
        door=received["door"],
        sender=received.get("calling_ae") or received.get("actor") or received["door"],
    )
