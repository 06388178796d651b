"""Finds the earlier studies of a case's patient that the one who asks may see. Fetches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, and_, func, select

from casework.access import Scope
from casework.errors import NotFound
from casework.priors import Earlier, is_earlier, ranked
from storage.case_rows import AnyRow, modalities_of
from storage.casebook_tables import case_studies, cases
from storage.cases import visible_case
from storage.database import Database
from storage.prior_people import (
    body_parts,
    case_row,
    day_of,
    person_of,
    same_person,
    subject_of_case,
)
from storage.tables import patients, studies
from storage.visibility import seen_copy_clause, study_clause

_MOST = 200


@dataclass(frozen=True)
class Prior:
    """An earlier study of a case's patient, as the archive has it."""

    site: str
    study_uid: str
    day: date | None
    description: str
    body_part: str
    modalities: tuple[str, ...]
    instance_count: int
    missing_instances: int
    completeness: str
    case_id: str  # of which it is; empty: of none
    has_report: bool


class Priors:
    """The earlier studies of one exchange's cases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_case(self, scope: Scope, case_id: str) -> list[Prior]:
        """Return the earlier studies within sight for a case within sight, the nearest first."""
        with self._database.read() as conn:
            visible_case(conn, scope, case_id)
            case = case_row(conn, case_id)
            return [] if case is None else _priors(conn, scope, case)

    def one(self, scope: Scope, case_id: str, *, site: str, study_uid: str) -> Prior:
        """Return one earlier study of a case, or raise NotFound: another study is none of it."""
        for prior in self.of_case(scope, case_id):
            if (prior.site, prior.study_uid) == (site, study_uid):
                return prior
        raise NotFound("The case has no such earlier study.", code="no-such-prior")


def _priors(conn: Connection, scope: Scope, case: AnyRow) -> list[Prior]:
    if not case.patient_id:
        return []
    own = select(case_studies.c.study_uid).where(case_studies.c.case_id == case.id)
    rows = conn.execute(
        select(
            studies.c.pk,
            studies.c.site,
            studies.c.study_uid,
            studies.c.study_date,
            studies.c.study_time,
            studies.c.description,
            studies.c.modalities,
            studies.c.instance_count,
            studies.c.missing_instances,
            studies.c.completeness,
            studies.c.case_id,
            func.coalesce(cases.c.report_version, 0).label("reports"),
        )
        .join(patients, patients.c.pk == studies.c.patient_pk)
        .outerjoin(cases, cases.c.id == studies.c.case_id)
        .where(
            and_(
                same_person(person_of(case), case.site),
                studies.c.instance_count > 0,
                studies.c.study_uid.not_in(own),
                study_clause(scope),
                *seen_copy_clause(scope),
            )
        )
        .order_by(studies.c.study_date.desc(), studies.c.study_time.desc(), studies.c.pk.desc())
        .limit(_MOST)
    ).all()
    subject = subject_of_case(conn, case)
    parts = body_parts(conn, [row.pk for row in rows])
    by_uid = {row.study_uid: row for row in rows}
    known = [
        Earlier(
            row.study_uid,
            day_of(row.study_date),
            frozenset(modalities_of(row.modalities)),
            row.description,
            parts.get(row.pk, ""),
            row.instance_count,
            row.study_time,
        )
        for row in rows
    ]
    in_time = [each for each in known if is_earlier(each.day, subject.day)]
    return [_prior(by_uid[each.study_uid], each) for each in ranked(in_time, subject)]


def _prior(row: AnyRow, known: Earlier) -> Prior:
    return Prior(
        site=row.site,
        study_uid=row.study_uid,
        day=known.day,
        description=row.description,
        body_part=known.body_part,
        modalities=modalities_of(row.modalities),
        instance_count=row.instance_count,
        missing_instances=row.missing_instances,
        completeness=row.completeness,
        case_id=row.case_id or "",
        has_report=row.reports > 0,
    )
