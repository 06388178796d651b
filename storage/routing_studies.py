"""Reads studies as routing rules look at them, and which have changed since they were looked at.

Changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, literal_column, select

from casework.custody import CustodyEvent
from casework.routing import SeriesSeen, StudySeen
from storage.prior_marks import priors_among
from storage.tables import custody, instances, series, studies

HAS_CHANGED: ColumnElement[bool] = literal_column(
    "(routed_instances <> instance_count OR routed_as <> completeness)"
)
"""Whether a study differs from what rules last looked at, as the partial index has it."""


def studies_to_see() -> Select[Any]:
    """Return the query for studies that have something in them, with what rules ask of them."""
    columns = (
        "pk", "site", "study_uid", "completeness", "description", "instance_count",
        "last_received_at",
    )  # fmt: skip
    return select(*(studies.c[name] for name in columns)).where(studies.c.instance_count > 0)


def changed_since(cutoff: datetime) -> Select[Any]:
    """Return the query for studies that have changed, by the index that holds only those."""
    return (
        select(studies.c.pk)
        .where(HAS_CHANGED, studies.c.last_received_at >= cutoff, studies.c.instance_count > 0)
        .order_by(studies.c.last_received_at, studies.c.pk)
        .limit(5000)
    )


def seen(conn: Connection, rows: Sequence[Row[Any]]) -> Mapping[int, StudySeen]:
    """Return studies as rules look at them, by the number of their row, in the order given."""
    pks = [row.pk for row in rows]
    lines = _series_seen(conn, pks)
    senders = _senders(conn, pks)
    priors = priors_among(conn, pks)
    return {
        row.pk: StudySeen(
            site=row.site,
            study_uid=row.study_uid,
            completeness=row.completeness,
            description=row.description,
            senders=senders.get(row.pk, frozenset()),
            last_received_at=row.last_received_at,
            series=tuple(lines.get(row.pk, ())),
            is_prior=row.pk in priors,
        )
        for row in rows
    }


def _series_seen(conn: Connection, pks: Sequence[int]) -> Mapping[int, list[SeriesSeen]]:
    found: dict[int, list[SeriesSeen]] = defaultdict(list)
    counted = (
        select(
            series.c.pk,
            series.c.study_pk,
            series.c.series_uid,
            series.c.modality,
            series.c.description,
            instances.c.sop_class_uid,
            instances.c.location,
            func.count().label("number"),
        )
        .join(instances, instances.c.series_pk == series.c.pk)
        .where(series.c.study_pk.in_(pks))
        .group_by(
            series.c.pk,
            series.c.study_pk,
            series.c.series_uid,
            series.c.modality,
            series.c.description,
            instances.c.sop_class_uid,
            instances.c.location,
        )
        .order_by(series.c.pk)
    )
    by_series: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in conn.execute(counted):
        by_series[row.pk].append(row)
    for lines in by_series.values():
        first = lines[0]
        found[first.study_pk].append(
            SeriesSeen(
                uid=first.series_uid,
                modality=first.modality,
                description=first.description,
                sop_classes=frozenset(line.sop_class_uid for line in lines),
                instances=sum(line.number for line in lines),
                packed=sum(line.number for line in lines if line.location == "pack"),
            )
        )
    return found


def _senders(conn: Connection, pks: Sequence[int]) -> Mapping[int, frozenset[str]]:
    """Return the nodes that any instance of each study came from, repeats and all."""
    ae = func.coalesce(custody.c.detail["calling_ae"].as_string(), "")
    asked = (
        select(series.c.study_pk, ae.label("ae"))
        .join(instances, instances.c.series_pk == series.c.pk)
        .join(custody, custody.c.instance_pk == instances.c.pk)
        .where(
            series.c.study_pk.in_(pks),
            custody.c.event.in_((CustodyEvent.RECEIVED.value, CustodyEvent.REPEATED.value)),
        )
        .distinct()
    )
    found: dict[int, set[str]] = defaultdict(set)
    for row in conn.execute(asked):
        if row.ae:
            found[row.study_pk].add(row.ae)
    return {pk: frozenset(titles) for pk, titles in found.items()}
