"""Whose earlier studies are whose: the SQL of "the same patient", and what a case is about.

Nobody is recognised by a number alone. A number is a person within its issuer; at another site only
where the issuer is known by an OID, and no birth date speaks against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from casework.model import Specialty
from casework.priors import Earlier, Person, Subject, is_across_sites, subject_of
from storage.case_rows import AnyRow, modalities_of
from storage.casebook_tables import case_studies, cases
from storage.tables import patients, series, studies

_OF_SPECIALTY: Mapping[str, frozenset[str]] = {Specialty.DERMATOLOGY: frozenset({"XC"})}
"""What a case is of while none of its images is in the index yet."""


def person_of(case: AnyRow) -> Person:
    """Return whose a row of `cases` is."""
    born = case.patient_birth_date
    return Person(
        id=case.patient_id,
        issuer=case.patient_issuer,
        name=case.patient_name_fold,
        birth_date=f"{born:%Y%m%d}" if born else "",
    )


def same_person(person: Person, site: str) -> ColumnElement[bool]:
    """Return the condition on `patients` of being a person who is a patient of this site."""
    is_number = and_(patients.c.patient_id == person.id, patients.c.issuer == person.issuer)
    here = patients.c.site == site
    if not is_across_sites(person.issuer):
        return and_(is_number, here)
    born = patients.c.birth_date.in_(("", person.birth_date)) if person.birth_date else None
    elsewhere = here if born is None else or_(here, born)
    return is_number if born is None else and_(is_number, elsewhere)


def is_same_person(person: Person, site: str, *, of: AnyRow) -> bool:
    """Tell of a row with site, issuer, patient_id and birth_date what `same_person` asks."""
    if (of.patient_id, of.issuer) != (person.id, person.issuer):
        return False
    if of.site == site:
        return True
    if not is_across_sites(person.issuer):
        return False
    return not person.birth_date or of.birth_date in ("", person.birth_date)


def subject_of_case(conn: Connection, case: AnyRow) -> Subject:
    """Return what a case is about, by what has arrived of its studies."""
    rows = conn.execute(
        select(
            studies.c.study_uid,
            studies.c.study_date,
            studies.c.study_time,
            studies.c.modalities,
            studies.c.description,
            studies.c.pk,
        )
        .join(
            case_studies,
            and_(
                case_studies.c.site == studies.c.site,
                case_studies.c.study_uid == studies.c.study_uid,
            ),
        )
        .where(case_studies.c.case_id == case.id)
    ).all()
    parts = body_parts(conn, [row.pk for row in rows])
    found = [
        Earlier(
            row.study_uid,
            day_of(row.study_date),
            frozenset(modalities_of(row.modalities)),
            row.description,
            parts.get(row.pk, ""),
        )
        for row in rows
    ]
    since: datetime = case.submitted_at or case.created_at
    subject = subject_of(found, fallback=since.date())
    if subject.modalities:
        return subject
    return Subject(_OF_SPECIALTY.get(case.specialty, frozenset()), subject.regions, subject.day)


def body_parts(conn: Connection, study_pks: list[int]) -> dict[int, str]:
    """Return which body parts the series of studies name, in one text for each study."""
    found: dict[int, str] = {}
    asked = (
        select(series.c.study_pk, series.c.body_part)
        .where(series.c.study_pk.in_(study_pks), series.c.body_part != "")
        .group_by(series.c.study_pk, series.c.body_part)
        .order_by(series.c.study_pk, func.min(series.c.pk))
    )
    for pk, part in conn.execute(asked):
        found[pk] = f"{found[pk]} {part}" if pk in found else part
    return found


def day_of(digits: str) -> date | None:
    """Return the day of a date in the index, or None."""
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None


def case_row(conn: Connection, case_id: str) -> AnyRow | None:
    """Return the row of a case, whoever asks."""
    return conn.execute(select(cases).where(cases.c.id == case_id)).one_or_none()
