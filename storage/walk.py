"""Gives what a query finds in its order, a window at a time: patients by name, or newest studies.

Few candidates are sorted; where no key leaves few, the index in the order of the answers is walked
from where the last window ended, so that a window costs the same however long the list is. Every
other condition is checked row by row. Fetches no more than keys; what is shown is `find`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    false,
    literal,
    or_,
    select,
    tuple_,
)

from casework.access import Scope
from storage import postgres
from storage.criteria import Criterion, Empty
from storage.database import chunks
from storage.drive import Candidates, beginning, candidates, plain
from storage.query import COLUMNS, Query
from storage.tables import instances, patients, series, studies
from storage.visibility import only_site, seen_copy_clause, study_clause

Head = Row[Any]
Cursor = tuple[Any, ...]

_TWIN = patients.alias("twin")  # made once: it costs more than the query
_OF_TWIN = studies.alias("of_twin")
_NEWEST = (studies.c.study_date, studies.c.study_time, studies.c.pk)
_BY_NAME = (patients.c.name_fold, patients.c.pk)
_LAST = "\U0010ffff"  # behind every letter
_OF_DAYS = frozenset({"StudyDate", "StudyTime"})


@dataclass
class Walk:
    """A way through what a query finds: begin it with the cursor of an earlier one, or none."""

    scope: Scope
    query: Query
    cursor: Cursor | None = None
    _few: list[Head] | None = None
    _beginning: str = ""
    _is_begun: bool = False

    def window(self, conn: Connection, size: int) -> Sequence[Head]:
        """Return the next patients or studies, the last of a row being its pk; none at the end."""
        if not self._is_begun:
            self._begin(conn)
        if self._few is not None:
            page, self._few = self._few[:size], self._few[size:]
            return page
        onward = self._onward().limit(size)
        with postgres.in_order_of_an_index(conn):
            rows = conn.execute(onward).all()
        if rows:
            self.cursor = tuple(rows[-1])
        return rows

    def skip(self, conn: Connection, count: int) -> int:
        """Pass over so many, and return how many there were: all of them, or none that count."""
        if not self._is_begun:
            self._begin(conn)
        if self._few is not None:
            return len(self.window(conn, count))
        onward = self._onward().limit(1).offset(count - 1)
        with postgres.in_order_of_an_index(conn):
            last = conn.execute(onward).one_or_none()
        if last is None:
            return 0
        self.cursor = tuple(last)
        return count

    def _begin(self, conn: Connection) -> None:
        self._is_begun = True
        found = None if self.cursor else candidates(conn, self.scope, self.query)
        if found is not None:
            self._few = _sorted(conn, self.scope, self.query, found)
        elif self.query.level == "PATIENT":
            self._beginning = beginning(conn, self.query)

    def _onward(self) -> Select[Any]:
        onward = next_of(self.scope, self.query, self.cursor)
        if self._beginning:
            name = patients.c.name_fold
            onward = onward.where(name >= self._beginning, name < self._beginning + _LAST)
        return onward


def next_of(scope: Scope, query: Query, after: Cursor | None) -> Select[Any]:
    """Return the statement that walks on from a cursor, in the order of the answers."""
    if query.level == "PATIENT":
        wanted = [*_of_patients(scope, query, walked=True)]
        if after is not None:
            wanted.append(tuple_(*_BY_NAME) > tuple_(*after))
        return select(*_BY_NAME).where(*wanted).order_by(*_BY_NAME)
    wanted = [*_of_studies(scope, query, walked=True)]
    site = only_site(scope)
    if site is not None:
        wanted.append(studies.c.site == site)
    if after is not None:
        wanted.append(tuple_(*_NEWEST) < tuple_(*after))
    return select(*_NEWEST).where(*wanted).order_by(*(column.desc() for column in _NEWEST))


def among(scope: Scope, query: Query, of: ColumnElement[Any], pks: Sequence[int]) -> Select[Any]:
    """Return the statement that gives those of some candidates that match, in no order."""
    if query.level == "PATIENT":
        return select(*_BY_NAME).where(of.in_(pks), *_of_patients(scope, query))
    return select(*_NEWEST).where(of.in_(pks), *_of_studies(scope, query))


def _sorted(conn: Connection, scope: Scope, query: Query, found: Candidates) -> list[Head]:
    if query.level == "PATIENT":
        of: ColumnElement[Any] = patients.c.pk
    else:
        of = studies.c.patient_pk if found.of is patients else studies.c.pk
    rows = [row for pks in chunks(found.pks) for row in conn.execute(among(scope, query, of, pks))]
    return sorted(rows, key=tuple, reverse=query.level != "PATIENT")


def _of_patients(scope: Scope, query: Query, *, walked: bool = False) -> list[ColumnElement[bool]]:
    """Return what is checked of each patient."""
    wanted = _clauses(query, "PATIENT")
    site = only_site(scope)
    if walked and site is not None:
        wanted.append(patients.c.site == site)
    return [*wanted, _has_studies(scope, patients, studies), *_first_of_sites(scope, query)]


@lru_cache(maxsize=32)  # to make it costs more than to ask it
def _has_studies(scope: Scope, whose: FromClause, of: FromClause) -> ColumnElement[bool]:
    """Return the condition that a patient has studies within sight."""
    return (
        select(literal(1))
        .where(of.c.patient_pk == whose.c.pk, of.c.instance_count != 0, study_clause(scope, of))
        .correlate(whose)
        .limit(1)
        .scalar_subquery()
        .is_not(None)
    )


def _first_of_sites(scope: Scope, query: Query) -> list[ColumnElement[bool]]:
    """Return the condition that leaves one row of a patient whom several sites know alike.

    That is the number of one issuer; the oldest row that matches and has studies within sight.
    """
    if only_site(scope) is not None:
        return []
    wanted = [
        criterion.clause(*plain([_TWIN.c[column.name] for column in COLUMNS["PATIENT"][keyword]]))
        for keyword, criterion in query.at("PATIENT").items()
    ]
    an_older_one = (
        select(literal(1))
        .where(
            _TWIN.c.patient_id == patients.c.patient_id,
            _TWIN.c.issuer + literal("") == patients.c.issuer,
            _TWIN.c.pk < patients.c.pk,
            *wanted,
            _has_studies(scope, _TWIN, _OF_TWIN),
        )
        .correlate(patients)
        .limit(1)
        .scalar_subquery()
    )
    return [or_(patients.c.patient_id == "", an_older_one.is_(None))]


def _of_studies(scope: Scope, query: Query, *, walked: bool = False) -> list[ColumnElement[bool]]:
    """Return what is checked of each study, the cheapest first; in a walk, its day bounds it."""
    wanted = _clauses(query, "STUDY", indexed=_OF_DAYS if walked else frozenset())
    wanted.append(studies.c.instance_count != 0)
    of_patient = _clauses(query, "PATIENT")
    if of_patient:
        wanted.append(
            _exists(select(literal(1)).where(patients.c.pk == studies.c.patient_pk, *of_patient))
        )
    for keyword in ("ModalitiesInStudy", "Modality", "SOPClassesInStudy"):
        if keyword in query.criteria:
            wanted.append(_has_part(keyword, query.criteria[keyword]))
    return [*wanted, study_clause(scope), *seen_copy_clause(scope)]


def _has_part(keyword: str, wanted: Criterion) -> ColumnElement[bool]:
    if isinstance(wanted, Empty) and keyword != "Modality":
        return studies.c.modalities == "" if keyword == "ModalitiesInStudy" else false()
    parts = select(literal(1)).where(
        series.c.study_pk == studies.c.pk, series.c.instance_count != 0
    )
    if keyword == "SOPClassesInStudy":
        parts = parts.join_from(series, instances, instances.c.series_pk == series.c.pk)
        return _exists(parts.where(wanted.clause(instances.c.sop_class_uid)))
    return _exists(parts.where(wanted.clause(series.c.modality)))


def _exists(found: Select[Any]) -> ColumnElement[bool]:
    """Return EXISTS in a form that is looked up for each study and never made a join of."""
    return found.correlate(studies).limit(1).scalar_subquery().is_not(None)


def _clauses(
    query: Query, level: str, *, indexed: frozenset[str] = frozenset()
) -> list[ColumnElement[bool]]:
    return [
        wanted.clause(*(columns if keyword in indexed else plain(columns)))
        for keyword, wanted in query.at(level).items()
        for columns in [COLUMNS[level][keyword]]
    ]
