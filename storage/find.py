"""Answers a query: keywords and values of each patient, study, series or instance that matches.

Goes by the windows of `walk`, each of them, or a part of it, one moment of the database, so that a
long answer holds no connection while it is on its way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Row, Select, select

from casework.access import Scope
from storage.computed import add_patient_counts, add_sop_classes
from storage.database import Database
from storage.drive import plain
from storage.levels import shown_issuer
from storage.matching import vr_of
from storage.places import Place, Places
from storage.query import COLUMNS, LEVELS, UNIQUE_KEYS, Query
from storage.stopping import Stop
from storage.tables import instances, patients, series, studies
from storage.walk import Walk

Answer = dict[str, Any]

_SHOWN: Mapping[str, Sequence[ColumnElement[Any]]] = {
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
        series.c.pk.label("series_pk"),
        series.c.series_uid,
        series.c.number.label("series_number"),
        series.c.instance_count.label("series_instances"),
        series.c.attributes.label("series_attributes"),
    ),
    "IMAGE": (
        instances.c.pk.label("image_pk"),
        instances.c.sop_instance_uid,
        instances.c.number.label("image_number"),
        instances.c.attributes.label("image_attributes"),
    ),
}

_SMALLEST, _PAGE, _LARGEST = 25, 201, 1600
_LARGEST_OF_PARTS = 200  # studies, when series or instances are asked for
_SKIPPED = 5000
_AT_ONCE = 2000  # series or instances whose attributes are read at one time, but for one study's


def answers(
    database: Database,
    scope: Scope,
    query: Query,
    *,
    limit: int,
    offset: int,
    places: Places,
    stop: Stop,
) -> Iterator[Answer]:
    """Give the answers to a query within sight, from `offset` on and `limit` at most.

    Raises Stopped soon after `stop` was asked for, also while the database searches.
    """
    is_whole = query.level in ("PATIENT", "STUDY") and not query.on_attributes
    place = places.nearest(scope, query, offset)
    walk = Walk(scope, query, place.cursor)
    passed, wanted, size = place.passed, offset + limit, _SMALLEST
    if is_whole:
        there = _skip(database, walk, offset - passed, places=places, passed=passed, stop=stop)
        if there is None:
            return
        passed = there
        size = max(1, limit) if limit <= _PAGE else _PAGE // 2  # a long answer begins sooner
    while passed < wanted:
        stop.check()
        with database.read() as conn, stop.within(conn):
            heads = walk.window(conn, size)
            if not heads:
                return
            first, *others = _parts(conn, query, [row.pk for row in heads])
            rows = _matching(conn, query, first)
            page = _answered(conn, scope, query, rows[max(0, offset - passed) : wanted - passed])
        yield from page
        passed += len(rows)
        for part in others:
            if passed >= wanted:
                return
            stop.check()
            with database.read() as conn, stop.within(conn):
                rows = _matching(conn, query, part)
                given = rows[max(0, offset - passed) : wanted - passed]
                page = _answered(conn, scope, query, given)
            yield from page
            passed += len(rows)
        places.note(scope, query, Place(passed, walk.cursor))
        if len(heads) < size:
            return
        size = min(size * 4, _LARGEST if is_whole else _LARGEST_OF_PARTS)


def _parts(conn: Connection, query: Query, pks: Sequence[int]) -> list[Sequence[int]]:
    """Cut a window such that what is read of its studies at one time has a bounded size."""
    if len(pks) < 2 or query.level in ("PATIENT", "STUDY"):
        return [pks]
    column = studies.c.instance_count if query.level == "IMAGE" else studies.c.series_count
    counts = {
        row.pk: row[1]
        for row in conn.execute(select(studies.c.pk, column).where(studies.c.pk.in_(pks)))
    }
    parts: list[list[int]] = [[]]
    held = 0
    for pk in pks:
        held += counts.get(pk, 0)
        if held > _AT_ONCE and parts[-1]:
            parts.append([])
            held = counts.get(pk, 0)
        parts[-1].append(pk)
    return list(parts)


def _skip(
    database: Database,
    walk: Walk,
    count: int,
    *,
    places: Places,
    passed: int,
    stop: Stop,
) -> int | None:
    """Pass over answers that are not wanted; return how many have passed, None behind the end."""
    done = 0
    while done < count:
        with database.read() as conn, stop.within(conn):
            some = walk.skip(conn, min(count - done, _SKIPPED))
        if not some:
            return None
        done += some
        places.note(walk.scope, walk.query, Place(passed + done, walk.cursor))
    return passed + done


def shown(query: Query, pks: Sequence[int]) -> Select[Any]:
    """Return the statement that reads what is shown of some patients, or of parts of studies."""
    down = LEVELS[: LEVELS.index(query.level) + 1]
    columns = [column for level in down for column in _SHOWN[level]]
    if query.level == "PATIENT":
        return select(*columns).where(patients.c.pk.in_(pks))
    source: FromClause = studies.join(patients, patients.c.pk == studies.c.patient_pk)
    wanted: list[ColumnElement[bool]] = [studies.c.pk.in_(pks)]
    if query.level in ("SERIES", "IMAGE"):
        source = source.join(series, series.c.study_pk == studies.c.pk)
        wanted += [series.c.instance_count != 0, *_of_parts(query, "SERIES")]
    if query.level == "IMAGE":
        source = source.join(instances, instances.c.series_pk == series.c.pk)
        wanted += _of_parts(query, "IMAGE")
    return select(*columns).select_from(source).where(*wanted)


def _of_parts(query: Query, level: str) -> Iterator[ColumnElement[bool]]:
    """Give the conditions on parts of a study; only their UIDs are looked up in an index."""
    for keyword, wanted in query.at(level).items():
        columns = COLUMNS[level][keyword]
        yield wanted.clause(*(columns if keyword == UNIQUE_KEYS[level] else plain(columns)))


def _matching(conn: Connection, query: Query, pks: Sequence[int]) -> list[tuple[Row[Any], Answer]]:
    """Return rows and values of some patients or studies, in their order and in that of parts."""
    position = {pk: number for number, pk in enumerate(pks)}
    of = "patient_pk" if query.level == "PATIENT" else "study_pk"

    def order(row: Row[Any]) -> tuple[Any, ...]:
        found = row._mapping
        key: tuple[Any, ...] = (position[found[of]],)
        for part in ("series", "image"):
            if f"{part}_pk" in found:
                number = found[f"{part}_number"]
                key += (number is None, number or 0, found[f"{part}_pk"])
        return key

    rows = sorted(conn.execute(shown(query, pks)), key=order)
    pairs = ((row, _values(query.level, row)) for row in rows)
    return [pair for pair in pairs if _matches(query, pair[1])]


def _matches(query: Query, values: Answer) -> bool:
    return all(
        wanted.covers([values.get(part) for part in k.split()] if " " in k else values.get(k))
        for k, wanted in query.on_attributes.items()
    )


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
        add_patient_counts(conn, scope, page)
    if "SOPClassesInStudy" in keywords and query.level != "PATIENT":
        add_sop_classes(conn, page)
    for keyword, names in query.of_items.items():
        for _, values in page:
            values[keyword] = [
                {name: item.get(name, "") for name in names} for item in values.get(keyword, ())
            ]
    empty = {k: list if vr_of(k) == "SQ" else str for k in keywords}
    return [{k: values[k] if k in values else empty[k]() for k in keywords} for _, values in page]
