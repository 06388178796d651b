"""What a database says, table by table, without the numbers of its rows: to compare two."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, func, inspect, select

from storage.backup_tables import WHOLE
from storage.database import Database
from storage.tables import (
    IN_PACK,
    IN_SPOOL,
    copies,
    custody,
    instances,
    packs,
    patients,
    series,
    studies,
)

UNTOLD = (  # what of a ledger no pack tells: which record of a spool an object was
    "pk", "record", "patient_pk", "study_pk", "series_pk", "instance_pk",
)  # fmt: skip


def rows_of(database: Database, table: Table) -> list[dict[str, Any]]:
    """Return the rows of a table as they are, in the order of their keys."""
    asked = select(table).order_by(*table.primary_key.columns)
    with database.read() as conn:
        return [dict(row) for row in conn.execute(asked).mappings()]


def casebook(database: Database) -> dict[str, list[Any]]:
    """Return every table that a backup has whole."""
    return {table.name: rows_of(database, table) for table in WHOLE}


def kept(database: Database) -> dict[tuple[str, str], str]:
    """Return the hash of every object that lies in a pack, by site and UID."""
    asked = select(instances.c.site, instances.c.sop_instance_uid, instances.c.sha256).where(
        instances.c.location == IN_PACK
    )
    with database.read() as conn:
        return {(row[0], row[1]): row[2] for row in conn.execute(asked)}


def count(database: Database) -> int:
    """Return how many objects are in the index; none while there are no tables."""
    with database.read() as conn:
        if not inspect(conn).has_table(instances.name):
            return 0
        return int(conn.execute(select(func.count()).select_from(instances)).scalar_one())


def in_spool(database: Database) -> int:
    """Return how many objects wait in the spool."""
    asked = select(func.count()).where(instances.c.location == IN_SPOOL)
    with database.read() as conn:
        return int(conn.execute(asked).scalar_one())


def packed(database: Database) -> tuple[int, int]:
    """Return how many packs there are, and their bytes."""
    with database.read() as conn:
        found = conn.execute(select(func.count(), func.sum(packs.c.size_bytes))).one()
    return int(found[0]), int(found[1] or 0)


def content(database: Database) -> Mapping[str, list[Any]]:
    """Return every table by what its rows say, numbers of rows put into words."""
    told = casebook(database)
    with database.read() as conn:
        told["patients"] = _named(conn, select(patients))
        told["studies"] = _named(
            conn,
            select(studies, patients.c.issuer, patients.c.patient_id).join(
                patients, patients.c.pk == studies.c.patient_pk
            ),
        )
        told["series"] = _named(
            conn,
            select(series, studies.c.study_uid).join(studies, studies.c.pk == series.c.study_pk),
        )
        told["instances"] = _named(
            conn,
            select(instances, series.c.series_uid.label("stands_in")).outerjoin(
                series, series.c.pk == instances.c.series_pk
            ),
        )
        told["packs"] = _named(conn, select(packs))
        told["copies"] = _named(conn, select(copies))
        told["custody"] = _named(
            conn,
            select(
                custody,
                instances.c.site,
                instances.c.sop_instance_uid,
                instances.c.sha256,
            ).join(instances, instances.c.pk == custody.c.instance_pk),
        )
    return told


def _named(conn: Any, statement: Any) -> list[str]:
    return sorted(
        json.dumps({k: v for k, v in row.items() if k not in UNTOLD}, sort_keys=True, default=str)
        for row in conn.execute(statement).mappings()
    )
