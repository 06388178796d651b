"""Makes the statements that give the current instances of an address, once for each kind of caller.

To make one takes longer than to answer it. Runs none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, Select, Text, bindparam, select, type_coerce

from casework.access import Scope
from storage.fingerprint import COLUMNS
from storage.rows import HEAVY
from storage.series_order import comes_behind
from storage.tables import instances, series, studies
from storage.visibility import seen_copy_clause, study_clause

_COLUMNS: Mapping[str, Sequence[ColumnElement[Any]]] = {
    "whole": tuple(instances.c),
    "light": tuple(column for column in instances.c if column.name not in HEAVY),
    "unread": tuple(
        type_coerce(column, Text).label(column.name) if column.name == "attributes" else column
        for column in instances.c
    ),
    "fingerprint": COLUMNS,
}


class Address(NamedTuple):
    """Where current instances stand; the names are those of the statement's parameters."""

    study_uid: str
    series_uid: str | None = None
    sop_instance_uid: str | None = None
    site: str | None = None


def asked(scope: Scope, address: Address, what: str) -> tuple[Select[Any], dict[str, str]]:
    """Return the statement that gives the instances of an address, and its values."""
    given = {name: value for name, value in address._asdict().items() if value is not None}
    return _statement(scope, tuple(given), what), given


@lru_cache(maxsize=256)
def behind(scope: Scope, *, is_numbered: bool) -> Select[Any]:
    """Return what comes behind `of_pk`, of number `of_number`, in its series: `count` at most."""
    return (
        current(select(*_COLUMNS["unread"]))
        .where(comes_behind(is_numbered=is_numbered), study_clause(scope))
        .order_by(instances.c.number.asc().nulls_last(), instances.c.pk)
        .limit(bindparam("count", type_=Integer))
    )


@lru_cache(maxsize=256)
def _statement(scope: Scope, given: Sequence[str], what: str) -> Select[Any]:
    """Return a statement whose parameters are those that are given."""
    wanted = [studies.c.study_uid == bindparam("study_uid"), study_clause(scope)]
    if "site" in given:
        wanted.append(studies.c.site == bindparam("site"))
    else:
        wanted += seen_copy_clause(scope)
    if "series_uid" in given:
        wanted.append(series.c.series_uid == bindparam("series_uid"))
    if "sop_instance_uid" in given:
        wanted.append(instances.c.sop_instance_uid == bindparam("sop_instance_uid"))
    return in_order(select(*_COLUMNS[what]), wanted)


def in_order(of: Select[Any], wanted: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """Return the instances that are wanted, by series and instance number."""
    return (
        current(of)
        .where(*wanted)
        .order_by(
            series.c.number.asc().nulls_last(),
            series.c.pk,
            instances.c.number.asc().nulls_last(),
            instances.c.pk,
        )
    )


def current(of: Select[Any]) -> Select[Any]:
    """Return columns of the instances with their series and studies."""
    return of.join(series, series.c.pk == instances.c.series_pk).join(
        studies, studies.c.pk == series.c.study_pk
    )
