"""Finds the few candidates of a query by its most telling key, or says that no key tells enough.

Every access path is chosen here, not by the database's statistics: a key is asked how many rows it
has, up to a bound, in an index. Orders nothing and looks at no sight; that is `walk`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    String,
    Table,
    literal,
    literal_column,
    select,
    union,
)

from casework.access import Scope
from storage import trigrams
from storage.criteria import AnyOf, Between, Criterion, Empty, Like, Name, OneOf
from storage.query import COLUMNS, LEVELS, Query
from storage.tables import instances, patients, series, studies
from storage.visibility import only_site

FEW = 2000
"""So many candidates are sorted rather than walked to: either takes some hundredths of a second."""

_NAMES_ONE = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_TELLING = ("AccessionNumber", "PatientID")
_ASKED = (
    "StudyID", "PatientBirthDate", "PatientName", "ReferringPhysicianName", "Modality",
    "ModalitiesInStudy",
)  # fmt: skip
"""Keys with an index, the most telling first."""

_TABLES = {"PATIENT": patients, "STUDY": studies, "SERIES": series, "IMAGE": instances}

_Pks = Select[Any] | CompoundSelect[Any]


@dataclass(frozen=True)
class Candidates:
    """The rows among which all that match are: patients, or studies."""

    of: Table
    pks: Sequence[int]
    by: str  # the key that told


def candidates(conn: Connection, scope: Scope, query: Query) -> Candidates | None:
    """Return all candidates when a key leaves few of them, else None."""
    for keyword in (*_NAMES_ONE, *_TELLING, *_ASKED):
        wanted = query.criteria.get(keyword)
        if wanted is None or _tells_nothing(keyword, wanted):
            continue
        of, asked = _asked(conn, scope, keyword, wanted)
        bound = None if _names_few(keyword, wanted) else FEW
        pks = conn.execute(asked if bound is None else asked.limit(bound + 1)).scalars().all()
        if bound is None or len(pks) <= bound:
            return Candidates(of, pks, keyword)
    return None


def beginning(conn: Connection, query: Query) -> str:
    """Return with what the folded names of all patients begin who match; nothing if unknown."""
    name = query.criteria.get("PatientName")
    if not isinstance(name, Name):
        return ""
    (first, wanted), *others = _groups(name)
    begins = _begins(wanted)
    if first is not patients.c.name_fold or not begins:
        return ""
    for column, group in others:
        written = select(patients.c.pk).where(column != literal_column("''"), group.clause(column))
        if conn.execute(written.limit(1)).first() is not None:
            return ""
    return begins


def _begins(group: Criterion) -> str:
    if isinstance(group, AnyOf):  # `DOE^*` is DOE alone as well
        each = [_begins(option) for option in group.options]
        return min(each, key=len) if all(e.startswith(min(each, key=len)) for e in each) else ""
    if isinstance(group, OneOf):
        return group.values[0] if len(group.values) == 1 else ""
    return group.beginning if isinstance(group, Like) else ""


def plain(columns: Sequence[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    """Return columns such that a condition on them is checked, and no index looked up for it."""
    return [c + literal("") if isinstance(c.type, String) else c for c in columns]


def level_of(keyword: str) -> str:
    """Return the level whose table has the column of a key."""
    if keyword == "ModalitiesInStudy":
        return "SERIES"
    return next(level for level in LEVELS if keyword in COLUMNS[level])


def _names_few(keyword: str, wanted: Criterion) -> bool:
    return keyword in (*_NAMES_ONE, *_TELLING) and isinstance(wanted, OneOf)


def _tells_nothing(keyword: str, wanted: Criterion) -> bool:
    """Tell whether a range is open, or what has no value asked for: counting is for nothing."""
    if isinstance(wanted, Empty):
        return True
    return keyword == "PatientBirthDate" and isinstance(wanted, Between) and not wanted.high


def _asked(conn: Connection, scope: Scope, keyword: str, wanted: Criterion) -> tuple[Table, _Pks]:
    if keyword == "PatientName":
        return patients, _named(conn, scope, wanted)
    level = level_of(keyword)
    column = series.c.modality if keyword == "ModalitiesInStudy" else COLUMNS[level][keyword][0]
    found = wanted.clause(column)
    if level == "IMAGE":
        of_study = select(series.c.study_pk).join(instances, instances.c.series_pk == series.c.pk)
        return studies, of_study.where(found).distinct()
    if level == "SERIES":
        of_study = select(series.c.study_pk).where(found).distinct()
        site = only_site(scope)
        if column is series.c.modality and site is not None:
            of_study = of_study.where(series.c.site == site)
        return studies, of_study
    table = _TABLES[level]
    return table, select(table.c.pk).where(found)


def _named(conn: Connection, scope: Scope, wanted: Criterion) -> _Pks:
    """Return the patients of a name: of each group of it by that group's own index."""
    names = wanted.options if isinstance(wanted, AnyOf) else (wanted,)
    parts = [
        select(_of_group(conn, scope, column, group).limit(FEW + 1).subquery().c.pk)
        for name in names
        for column, group in _groups(name)
    ]
    return union(*parts) if len(parts) > 1 else parts[0]


def _groups(name: Criterion) -> Iterator[tuple[ColumnElement[Any], Criterion]]:
    """Give the groups that tell; of several, each its own, one does: all are checked later."""
    if not isinstance(name, Name):
        return
    columns = COLUMNS["PATIENT"]["PatientName"]
    if len(name.groups) == 1 and name.groups[0] is not None:
        yield from ((column, name.groups[0]) for column in columns)
        return
    pairs = zip(columns, name.groups, strict=False)
    yield from islice(((c, group) for c, group in pairs if group is not None), 1)


def _of_group(
    conn: Connection, scope: Scope, column: ColumnElement[Any], group: Criterion
) -> Select[Any]:
    found = select(patients.c.pk).where(group.clause(column))
    site = only_site(scope)
    if column is patients.c.name_fold:
        found = trigrams.narrowed(conn, found, group)
        return found if site is None else found.where(patients.c.site == site)
    found = found.where(column != literal_column("''"))  # as the index of those few says
    return found if site is None else found.where(*(c == site for c in plain([patients.c.site])))
