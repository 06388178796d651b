"""Adds to answers what is counted for them: a patient's studies, the SOP classes of a study.

Takes the rows of a page; finds and orders nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select

from casework.access import Scope
from storage.database import chunks
from storage.tables import instances, patients, series, studies
from storage.visibility import only_site, seen_copy_clause, study_clause

_OF_PATIENT = ("Studies", "Series", "Instances")


def add_patient_counts(
    conn: Connection, scope: Scope, page: Sequence[tuple[Row[Any], dict[str, Any]]]
) -> None:
    """Count what is within sight of each patient, over all sites that know the same number."""
    rows = {row.patient_pk: (row.issuer, row.patient_id) for row, _ in page}
    if only_site(scope) is None:
        numbers = {number for _, number in rows.values() if number}
        twins = select(patients.c.pk, patients.c.issuer, patients.c.patient_id)
        for some in chunks(sorted(numbers)):
            found = conn.execute(twins.where(patients.c.patient_id.in_(some)))
            rows |= {row.pk: (row.issuer, row.patient_id) for row in found}
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    counting = (
        select(
            studies.c.patient_pk,
            func.count(),
            func.sum(studies.c.series_count),
            func.sum(studies.c.instance_count),
        )
        .where(studies.c.instance_count > 0, study_clause(scope), *seen_copy_clause(scope))
        .group_by(studies.c.patient_pk)
    )
    for some_pks in chunks(sorted(rows)):
        for row in conn.execute(counting.where(studies.c.patient_pk.in_(some_pks))):
            held = counts[rows[row[0]]]
            counts[rows[row[0]]] = [a + int(b) for a, b in zip(held, row[1:], strict=True)]
    for row, values in page:
        for name, count in zip(_OF_PATIENT, counts[row.issuer, row.patient_id], strict=True):
            values[f"NumberOfPatientRelated{name}"] = count


def add_sop_classes(conn: Connection, page: Sequence[tuple[Row[Any], dict[str, Any]]]) -> None:
    """Name the SOP classes of the instances of each study."""
    found = conn.execute(
        select(series.c.study_pk, instances.c.sop_class_uid)
        .join(instances, instances.c.series_pk == series.c.pk)
        .where(series.c.study_pk.in_({row.study_pk for row, _ in page}))
        .distinct()
        .order_by(instances.c.sop_class_uid)
    ).all()
    classes: dict[int, list[str]] = defaultdict(list)
    for study_pk, sop_class in found:
        classes[study_pk].append(sop_class)
    for row, values in page:
        values["SOPClassesInStudy"] = classes[row.study_pk]
