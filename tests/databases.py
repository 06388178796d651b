"""What tests do to a database that no part of ours does: refuse rows, tamper with what grows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection

from storage.database import Database

ON_SQLITE = pytest.mark.parametrize("database_server", ["sqlite"], indirect=True)
"""Marks a test that looks at what only SQLite has."""


def is_sqlite(conn: Connection) -> bool:
    return conn.dialect.name == "sqlite"


@contextmanager
def refusing_rows(database: Database, table: str, *, when: str = "") -> Iterator[None]:
    """Let a table take no new row, or none of which `when` is true, while this holds."""
    condition = f"WHEN ({when})" if when else ""
    with database.begin() as conn:
        if is_sqlite(conn):
            conn.exec_driver_sql(
                f"CREATE TRIGGER unwilling BEFORE INSERT ON {table} {condition} "
                "BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        else:
            conn.exec_driver_sql(
                "CREATE FUNCTION says_no() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'no'; END $$"
            )
            conn.exec_driver_sql(
                f"CREATE TRIGGER unwilling BEFORE INSERT ON {table} FOR EACH ROW {condition} "
                "EXECUTE FUNCTION says_no()"
            )
    yield
    with database.begin() as conn:
        if is_sqlite(conn):
            conn.exec_driver_sql("DROP TRIGGER unwilling")
        else:
            conn.exec_driver_sql("DROP FUNCTION says_no() CASCADE")


def let_change(conn: Connection, table: str) -> None:
    """Drop the rules by which rows of a table are never changed, as its owner could."""
    if is_sqlite(conn):
        for verb in ("update", "delete"):
            conn.exec_driver_sql(f"DROP TRIGGER {table}_refuses_{verb}")
    else:
        conn.exec_driver_sql(f"DROP FUNCTION {table}_only_grows() CASCADE")
