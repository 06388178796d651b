"""What comes behind an instance in its series, by number and then as they came: conditions only."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, literal, select, tuple_

from storage.rows import InstanceRow
from storage.tables import instances

_OF = instances.alias("of")


def in_series_of(row: InstanceRow) -> ColumnElement[bool]:
    """Return the condition of the current instances of a series, by one of them."""
    pk = select(_OF.c.series_pk).where(_OF.c.pk == row.pk).scalar_subquery()
    return instances.c.series_pk == pk


def comes_behind(row: InstanceRow) -> ColumnElement[bool]:
    """Return the condition of what comes behind; those without a number come last."""
    if row.number is None:
        return and_(instances.c.number.is_(None), instances.c.pk > row.pk)
    return tuple_(instances.c.number, instances.c.pk) > tuple_(literal(row.number), literal(row.pk))
