"""Answers a query: keywords and values of each patient, study, series or instance that matches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Row, Select, exists, func, select

from casework.access import Scope
from storage.levels import shown_issuer
from storage.matching import vr_of
from storage.query import LEVELS, UNIQUE_KEYS, Query
from storage.tables import instances, patients, series, studies
from storage.visibility import seen_copy_clause, study_clause

Answer = dict[str, Any]

_COLUMNS: Mapping[str, Sequence[ColumnElement[Any]]] = {
    "PATIENT": (
        patients.c.pk.label("patient_pk"),
        patients.c.patient_id,
        patients.c.issuer,
        patients.c.name,
        patients.c.birth_date,
        patients.c.sex,
    ),
    "STUDY": (
        studies.c.pk.label("study_pk"),
        studies.c.study_uid,
        studies.c.modalities,
        studies.c.series_count,
        studies.c.instance_count.label("study_instances"),
        studies.c.attributes.label("study_attributes"),
    ),
    "SERIES": (
        series.c.series_uid,
        series.c.instance_count.label("series_instances"),
        series.c.attributes.label("series_attributes"),
    ),
    "IMAGE": (
        instances.c.sop_instance_uid,
        instances.c.attributes.label("image_attributes"),
    ),
}

_OF_PATIENT = ("Studies", "Series", "Instances")


def answers(
    conn: Connection, scope: Scope, query: Query, *, limit: int, offset: int = 0
) -> list[Answer]:
    """Return the answers to a query within sight, from `offset` on and `limit` at most."""
    statement = statement_of(scope, query)
    if not query.on_attributes:
        rows = conn.execute(statement.limit(limit).offset(offset)).all()
        return _answered(conn, scope, query, [(row, _values(query.level, row)) for row in rows])
    found = conn.execute(statement.execution_options(yield_per=200))
    pairs = ((row, _values(query.level, row)) for row in found)
    matching = (pair for pair in pairs if _matches(query, pair[1]))
    page = list(islice(matching, offset, offset + limit))
    found.close()
    return _answered(conn, scope, query, page)


def statement_of(scope: Scope, query: Query) -> Select[Any]:
    """Return the statement that finds the rows of a query, in the order of the answers."""
    down = LEVELS[: LEVELS.index(query.level) + 1]
    columns = [column for level in down for column in _COLUMNS[level]]
    if query.level == "PATIENT":
        seen = exists().where(
            studies.c.patient_pk == patients.c.pk,
            studies.c.instance_count > 0,
            study_clause(scope),
        )
        return (
            select(*columns)
            .where(seen, *query.conditions)
            .order_by(patients.c.name_fold, patients.c.pk)
        )
    source: FromClause = studies.join(patients, patients.c.pk == studies.c.patient_pk)
    order = [studies.c.study_date.desc(), studies.c.study_time.desc(), studies.c.pk.desc()]
    present: list[ColumnElement[bool]] = [studies.c.instance_count > 0]
    if query.level in ("SERIES", "IMAGE"):
        source = source.join(series, series.c.study_pk == studies.c.pk)
        order += [series.c.number.asc().nulls_last(), series.c.pk.asc()]
        present.append(series.c.instance_count > 0)
    if query.level == "IMAGE":
        source = source.join(instances, instances.c.series_pk == series.c.pk)
        order += [instances.c.number.asc().nulls_last(), instances.c.pk.asc()]
    return (
        select(*columns)
        .select_from(source)
        .where(*present, study_clause(scope), *seen_copy_clause(scope), *query.conditions)
        .order_by(*order)
    )


def _matches(query: Query, values: Answer) -> bool:
    return all(wanted.covers(values.get(k)) for k, wanted in query.on_attributes.items())


def _values(level: str, row: Row[Any]) -> Answer:
    """Return all that is known of a row; what a higher level says comes before a lower one's."""
    found = row._mapping
    values: Answer = {}
    for part in ("image", "series", "study"):
        values |= found.get(f"{part}_attributes") or {}
    values |= {
        "PatientID": found["patient_id"],
        "IssuerOfPatientID": shown_issuer(found["issuer"]),
        "PatientName": found["name"],
        "PatientBirthDate": found["birth_date"],
        "PatientSex": found["sex"],
        "QueryRetrieveLevel": level,
        "InstanceAvailability": "ONLINE",
    }
    if level != "PATIENT":
        values |= {
            "StudyInstanceUID": found["study_uid"],
            "ModalitiesInStudy": [part for part in found["modalities"].split("\\") if part],
            "NumberOfStudyRelatedSeries": found["series_count"],
            "NumberOfStudyRelatedInstances": found["study_instances"],
        }
    if level in ("SERIES", "IMAGE"):
        values |= {
            "SeriesInstanceUID": found["series_uid"],
            "NumberOfSeriesRelatedInstances": found["series_instances"],
        }
    if level == "IMAGE":
        values["SOPInstanceUID"] = found["sop_instance_uid"]
    return values


def _answered(
    conn: Connection, scope: Scope, query: Query, page: Sequence[tuple[Row[Any], Answer]]
) -> list[Answer]:
    """Return what was requested of each row, with the unique keys down to the level."""
    down = LEVELS[: LEVELS.index(query.level) + 1]
    unique = [UNIQUE_KEYS[level] for level in (down[1:] or down)]
    keywords = list(dict.fromkeys([*unique, *query.requested]))
    if any(k.startswith("NumberOfPatientRelated") for k in keywords):
        _add_patient_counts(conn, scope, page)
    if "SOPClassesInStudy" in keywords and query.level != "PATIENT":
        _add_sop_classes(conn, page)
    return [{k: values.get(k, _empty(k)) for k in keywords} for _, values in page]


def _empty(keyword: str) -> Any:
    return [] if vr_of(keyword) == "SQ" else ""


def _add_patient_counts(
    conn: Connection, scope: Scope, page: Sequence[tuple[Row[Any], Answer]]
) -> None:
    counted = conn.execute(
        select(
            studies.c.patient_pk,
            func.count(),
            func.sum(studies.c.series_count),
            func.sum(studies.c.instance_count),
        )
        .where(
            studies.c.patient_pk.in_({row.patient_pk for row, _ in page}),
            studies.c.instance_count > 0,
            study_clause(scope),
        )
        .group_by(studies.c.patient_pk)
    )
    counts = {row[0]: row[1:] for row in counted}
    for row, values in page:
        for name, count in zip(_OF_PATIENT, counts[row.patient_pk], strict=True):
            values[f"NumberOfPatientRelated{name}"] = int(count)


def _add_sop_classes(conn: Connection, page: Sequence[tuple[Row[Any], Answer]]) -> None:
    found = conn.execute(
        select(series.c.study_pk, instances.c.sop_class_uid)
        .join(instances, instances.c.series_pk == series.c.pk)
        .where(series.c.study_pk.in_({row.study_pk for row, _ in page}))
        .distinct()
        .order_by(instances.c.sop_class_uid)
    ).all()
    for row, values in page:
        values["SOPClassesInStudy"] = [f.sop_class_uid for f in found if f.study_pk == row.study_pk]
