"""All that the numbers of a worklist are counted from, in one light look, and its version.

The version changes whenever a row of an open or marked case would say something else, so that who
looks again and again is told quickly that nothing has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Select, String, or_, select, type_coerce

from casework.access import Scope
from casework.model import CaseState, Priority, Specialty
from casework.saved_filters import OPEN, Held
from casework.second_readings import OPEN as READING_OPEN
from casework.second_readings import ReadingState
from storage.case_rows import AnyRow
from storage.casebook_tables import captures, cases
from storage.database import Database, chunks
from storage.reading_tables import readings
from storage.tables import studies
from storage.visibility import case_clause

_MOST = 2000
_OPEN = tuple(state.value for state in OPEN)

_COLUMNS = (
    cases.c.id, cases.c.state, cases.c.specialty, cases.c.priority, cases.c.site,
    cases.c.holder_id, cases.c.holder_name, cases.c.changed_since_report, cases.c.report_version,
    cases.c.waiting_reason,
    *(type_coerce(each, String).label(each.name)
      for each in (cases.c.claimed_at, cases.c.due_at, cases.c.handed_at)),
)  # fmt: skip
"""Times as they are kept: few of those who look need them as times."""


@dataclass(frozen=True)
class Board:
    """The open cases within sight and those that are marked, and a name for what they say now."""

    version: str
    make: Callable[[], tuple[Held, ...]] = field(repr=False, compare=False)

    @cached_property
    def held(self) -> tuple[Held, ...]:
        """Return the cases; who only compares versions does without."""
        return self.make()


class Boards:
    """Looks at all open cases at once."""

    _database: Database
    _clock: Callable[[], datetime]

    def board(self, scope: Scope) -> Board:
        """Return the open and marked cases within sight."""
        with self._database.read() as conn:
            return _board(conn, scope)


def _board(conn: Connection, scope: Scope) -> Board:
    sight = case_clause(scope)
    rows = {row.id: row for row in conn.execute(_light().where(sight, cases.c.state.in_(_OPEN)))}
    for row in conn.execute(_light().where(sight, cases.c.changed_since_report)):
        rows.setdefault(row.id, row)
    asked = _readings(conn)
    beyond = sorted(set(asked) - set(rows))
    for some in chunks(beyond):
        for row in conn.execute(_light().where(sight, cases.c.id.in_(some))):
            rows[row.id] = row
    warned = _warned(conn)
    told = [
        *(tuple(row) for row in rows.values()),
        *(tuple(asked[case_id]) for case_id in sorted(set(asked) & set(rows))),
        *(tuple(row) for row in conn.execute(_images(beyond))),
        sorted(warned & set(rows)),
    ]
    version = hashlib.sha256(repr(told).encode()).hexdigest()[:32]
    return Board(version, lambda: tuple(_held(row, scope, asked, warned) for row in rows.values()))


def _light() -> Select[Any]:
    return select(*_COLUMNS).order_by(cases.c.id).limit(_MOST)


def _readings(conn: Connection) -> Mapping[str, AnyRow]:
    asked = select(
        readings.c.case_id, readings.c.id, readings.c.state, readings.c.wanted_id,
        readings.c.asked_by_id, readings.c.reader_id, readings.c.is_blinded,
    ).where(readings.c.state.in_(sorted(READING_OPEN)))  # fmt: skip
    return {row.case_id: row for row in conn.execute(asked)}


def _warned(conn: Connection) -> frozenset[str]:
    """Return the open cases of which a photograph has a warning."""
    asked = (
        select(captures.c.case_id)
        .distinct()
        .join(cases, cases.c.id == captures.c.case_id)
        .where(
            cases.c.state.in_(_OPEN),
            captures.c.set_aside_at.is_(None),
            captures.c.judged.is_not(None),
        )
    )
    return frozenset(conn.execute(asked).scalars())


def _images(beyond: Sequence[str]) -> Select[Any]:
    """Ask how much is here of the studies of open cases, and of some others."""
    return (
        select(
            studies.c.pk, studies.c.instance_count, studies.c.completeness,
            studies.c.missing_instances,
        )
        .join(cases, cases.c.id == studies.c.case_id)
        .where(or_(cases.c.state.in_(_OPEN), cases.c.id.in_(beyond)))
        .order_by(studies.c.pk)
    )  # fmt: skip


def _held(row: AnyRow, scope: Scope, asked: Mapping[str, AnyRow], warned: Collection[str]) -> Held:
    reading = asked.get(row.id)
    return Held(
        id=row.id,
        state=CaseState(row.state),
        specialty=Specialty(row.specialty),
        priority=Priority(row.priority),
        site=row.site,
        holder_id=row.holder_id,
        holder_name=row.holder_name,
        claimed_at=_time(row.claimed_at),
        due_at=_time(row.due_at),
        is_changed=row.changed_since_report,
        is_warned=row.id in warned,
        reading="" if reading is None else reading.state,
        may_read_second=reading is not None and _is_for(reading, row, scope),
    )


def _time(kept: str | None) -> datetime | None:
    return None if kept is None else datetime.fromisoformat(kept)


def _is_for(reading: AnyRow, row: AnyRow, scope: Scope) -> bool:
    """Tell whether a second reading waits for the one who looks, or is theirs."""
    if reading.state == ReadingState.TAKEN:
        return bool(reading.reader_id == scope.actor_id)
    is_first = scope.actor_id in {row.holder_id, reading.asked_by_id}
    return (
        scope.specialties is not None and not is_first and reading.wanted_id in {"", scope.actor_id}
    )
