"""Which instances a retrieve asks for (PS3.4 C.4.2), within sight of a scope.

Gives what is needed to find and send their bytes; what their headers say is left in the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, Row, Select, select

from casework.access import Scope
from casework.errors import Invalid
from storage.database import Database, chunks
from storage.rows import HEAVY, InstanceRow, light_row
from storage.tables import instances, patients, series, studies
from storage.visibility import seen_copy_clause, study_clause


@dataclass(frozen=True)
class Selection:
    """Unique keys of a retrieve; an empty list asks for anything. Values of a list are OR."""

    patient_id: str = ""
    issuer: str = ""
    study_uids: tuple[str, ...] = ()
    series_uids: tuple[str, ...] = ()
    instance_uids: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Tell whether it names nothing, and so would be everything."""
        return not (self.patient_id or self.study_uids or self.series_uids or self.instance_uids)


@dataclass(frozen=True)
class Selected:
    """An instance to send, with the case that its study belongs to."""

    row: InstanceRow
    case_id: str


def select_instances(
    database: Database, scope: Scope, wanted: Selection, *, limit: int
) -> list[Selected]:
    """Return the current instances within sight, by study, series and number.

    One more than `limit` at most. Raises Invalid, coded `ambiguous-patient`, when a patient's
    number is that of several patients and nothing says whose.
    """
    if wanted.is_empty:
        raise ValueError("a retrieve that names nothing")
    found: list[Selected] = []
    with database.read() as conn:
        if not (wanted.study_uids or wanted.series_uids or wanted.instance_uids):
            _require_one_patient(conn, scope, wanted)
        for some in _pieces(wanted):
            statement = _statement(scope, some).limit(limit + 1 - len(found))
            found += [_selected(row) for row in conn.execute(statement)]
            if len(found) > limit:
                break
    return found


def _require_one_patient(conn: Connection, scope: Scope, wanted: Selection) -> None:
    issuers = conn.execute(
        select(patients.c.issuer)
        .join(studies, studies.c.patient_pk == patients.c.pk)
        .where(*_of_patient(wanted), study_clause(scope))
        .distinct()
        .limit(2)
    ).all()
    if len(issuers) > 1:
        raise Invalid(
            "The number is that of several patients. Name Issuer of Patient ID, or the studies.",
            code="ambiguous-patient",
        )


def _pieces(wanted: Selection) -> Iterator[Selection]:
    """Cut the longest list, since a statement takes only so many values."""
    lists = (wanted.instance_uids, wanted.series_uids, wanted.study_uids)
    longest = max(lists, key=len)
    if not longest:
        yield wanted
    for some in map(tuple, chunks(list(dict.fromkeys(longest)))):
        if longest is wanted.instance_uids:
            yield replace(wanted, instance_uids=some)
        elif longest is wanted.series_uids:
            yield replace(wanted, series_uids=some)
        else:
            yield replace(wanted, study_uids=some)


def _statement(scope: Scope, wanted: Selection) -> Select[tuple[object, ...]]:
    light = [c for c in instances.c if c.name not in HEAVY]
    conditions = _of_patient(wanted)
    for column, uids in (
        (studies.c.study_uid, wanted.study_uids),
        (series.c.series_uid, wanted.series_uids),
        (instances.c.sop_instance_uid, wanted.instance_uids),
    ):
        if uids:
            conditions.append(column.in_(uids))
    conditions += [study_clause(scope), *seen_copy_clause(scope)]
    return (
        select(*light, studies.c.case_id)
        .join(series, series.c.pk == instances.c.series_pk)
        .join(studies, studies.c.pk == series.c.study_pk)
        .join(patients, patients.c.pk == studies.c.patient_pk)
        .where(*conditions)
        .order_by(
            studies.c.pk,
            series.c.number.asc().nulls_last(),
            series.c.pk,
            instances.c.number.asc().nulls_last(),
            instances.c.pk,
        )
    )


def _of_patient(wanted: Selection) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.patient_id:
        conditions.append(patients.c.patient_id == wanted.patient_id)
    if wanted.issuer:
        conditions.append(patients.c.issuer == wanted.issuer)
    return conditions


def _selected(row: Row[tuple[object, ...]]) -> Selected:
    return Selected(light_row(row), row._mapping["case_id"] or "")
