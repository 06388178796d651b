"""Counts the earlier studies of the cases of a worklist's page, with one question for all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date

from sqlalchemy import Connection, select

from casework.access import Scope
from casework.priors import Person, is_earlier
from storage.case_rows import AnyRow
from storage.database import chunks
from storage.prior_people import day_of, is_same_person, person_of
from storage.tables import patients, studies
from storage.visibility import study_clause


def prior_counts(
    conn: Connection, scope: Scope, rows: Sequence[AnyRow], days: Mapping[str, date | None]
) -> dict[str, int]:
    """Return how many earlier studies within sight each of these cases has; `days` are the cases'.

    Counts what `Priors.of_case` lists.
    """
    people = {row.id: person_of(row) for row in rows}
    numbers = sorted({person.id for person in people.values() if person.id})
    found: dict[str, list[AnyRow]] = defaultdict(list)
    for some in chunks(numbers):
        for row in conn.execute(
            select(
                patients.c.site,
                patients.c.issuer,
                patients.c.patient_id,
                patients.c.birth_date,
                studies.c.study_uid,
                studies.c.study_date,
                studies.c.case_id,
            )
            .join(studies, studies.c.patient_pk == patients.c.pk)
            .where(
                patients.c.patient_id.in_(some),
                studies.c.instance_count > 0,
                study_clause(scope),
            )
        ):
            found[row.patient_id].append(row)
    return {
        row.id: _count(found[row.patient_id], row, people[row.id], days.get(row.id)) for row in rows
    }


def _count(found: Collection[AnyRow], case: AnyRow, person: Person, day: date | None) -> int:
    own = {each.study_uid for each in found if each.case_id == case.id}
    return len(
        {
            each.study_uid
            for each in found
            if each.study_uid not in own
            and is_same_person(person, case.site, of=each)
            and is_earlier(day_of(each.study_date), day)
        }
    )
