"""What else picks cases of the worklist, and what their rows say beside what the index counts.

Warnings of photographs, what came after a reply, second readings. Orders nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, func, select

from casework.lifecycle import WAITS_FOR_SPECIALIST
from casework.model import Priority, Reading
from casework.photo_notes import worst_of
from casework.saved_filters import SOON, Mark
from casework.second_readings import OPEN
from storage.case_rows import AnyRow
from storage.casebook_tables import captures, cases
from storage.database import chunks
from storage.reading_rows import open_readings
from storage.reading_tables import readings
from storage.tables import instances, series, studies
from storage.worklist_page import Filters

_PAPERS = ("SR", "DOC", "KO", "PR")


@dataclass(frozen=True)
class Notes:
    """What the row of a case says beside the counts of its images."""

    warned_count: int = 0
    worst_warning: tuple[str, str] = ("", "")
    added_since_report: int = 0
    reading: Reading | None = None


def marked(
    filters: Filters,
    *,
    priorities: Collection[Priority] | None,
    mark: Mark | None,
    now: datetime,
) -> Filters:
    """Return filters that ask for some priorities and for a mark as well."""
    also: list[ColumnElement[bool]] = []
    if priorities is not None:
        also.append(cases.c.priority.in_(sorted(priorities)))
    if mark is Mark.WARNED:
        also.append(has_warning())
    elif mark is Mark.SOON:
        waits = cases.c.state.in_(sorted(WAITS_FOR_SPECIALIST))
        also += [waits, cases.c.due_at < now + SOON]
    elif mark is Mark.CHANGED:
        filters = replace(filters, among=select(cases.c.id).where(cases.c.changed_since_report))
    elif mark is Mark.SECOND:
        among = select(readings.c.case_id).where(readings.c.state.in_(sorted(OPEN)))
        filters = replace(filters, among=among)
    return replace(filters, also=(*filters.also, *also))


def has_warning() -> ColumnElement[bool]:
    """Return the condition that the check had something to say of a case's photographs."""
    return (
        exists()
        .where(
            captures.c.case_id == cases.c.id,
            captures.c.set_aside_at.is_(None),
            captures.c.judged.is_not(None),
        )
        .correlate(cases)
    )


def notes_of(conn: Connection, rows: Sequence[AnyRow]) -> Mapping[str, Notes]:
    """Return what the rows of some cases say, by case; `rows` are of `case_query`."""
    ids = [row.id for row in rows]
    warned = _warnings(conn, ids)
    asked = open_readings(conn, ids)
    added = _added(conn, [row for row in rows if row.changed_since_report])
    found = {}
    for case_id in ids:
        count, worst = warned.get(case_id, (0, ("", "")))
        reading = asked.get(case_id)
        found[case_id] = Notes(
            count,
            worst,
            added.get(case_id, 0),
            None if reading is None else replace(reading, draft=None, content=None),
        )
    return found


def _warnings(conn: Connection, ids: Sequence[str]) -> Mapping[str, tuple[int, tuple[str, str]]]:
    kept: dict[str, list[Mapping[str, Any]]] = {}
    for some in chunks(ids):
        asked = select(captures.c.case_id, captures.c.judged).where(
            captures.c.case_id.in_(some),
            captures.c.set_aside_at.is_(None),
            captures.c.judged.is_not(None),
        )
        for row in conn.execute(asked.order_by(captures.c.at, captures.c.capture_id)):
            kept.setdefault(row.case_id, []).append(row.judged)
    return {case_id: (len(each), worst_of(each)) for case_id, each in kept.items()}


def _added(conn: Connection, rows: Sequence[AnyRow]) -> Mapping[str, int]:
    """Return how many images came to cases after they were answered."""
    signed_at = {row.id: row.signed_at for row in rows if row.signed_at is not None}
    found: dict[str, int] = {}
    for case_id, at in signed_at.items():
        came = (
            select(func.count())
            .select_from(instances)
            .join(series, series.c.pk == instances.c.series_pk)
            .join(studies, studies.c.pk == series.c.study_pk)
            .where(
                studies.c.case_id == case_id,
                instances.c.received_at > at,
                series.c.modality.not_in(_PAPERS),  # the reply itself is among them
            )
        )
        found[case_id] = conn.execute(came).scalar_one()
    return found
