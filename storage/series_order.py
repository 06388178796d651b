"""What comes behind an instance in its series, by number and then as they came: conditions only."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, bindparam, select, tuple_

from storage.rows import InstanceRow
from storage.tables import instances

_OF = instances.alias("of")


def in_series_of(row: InstanceRow) -> ColumnElement[bool]:
    """Return the condition of the current instances of a series, by one of them."""
    pk = select(_OF.c.series_pk).where(_OF.c.pk == row.pk).scalar_subquery()
    return instances.c.series_pk == pk


def comes_behind(*, is_numbered: bool) -> ColumnElement[bool]:
    """Return the condition of what comes behind `of_pk` in its series, of number `of_number`.

    Those without a number come last, and only behind another of them.
    """
    pk = bindparam("of_pk", type_=instances.c.pk.type)
    series = select(_OF.c.series_pk).where(_OF.c.pk == pk).scalar_subquery()
    if not is_numbered:
        behind = and_(instances.c.number.is_(None), instances.c.pk > pk)
    else:
        number = bindparam("of_number", type_=instances.c.number.type)
        behind = tuple_(instances.c.number, instances.c.pk) > tuple_(number, pk)
    return and_(instances.c.series_pk == series, behind)
