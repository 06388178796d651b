"""Puts many rows into a database as fast as it takes them, past what the product does on the way.

For a database made for the purpose only: checks between tables are off, and a crash may spoil it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from sqlalchemy import Table
from sqlalchemy.schema import CreateIndex, DropIndex

from storage.database import Database

_SQLITE = (
    "PRAGMA journal_mode=OFF",  # a journal would be as large as the database
    "PRAGMA synchronous=OFF",
    "PRAGMA foreign_keys=OFF",
    "PRAGMA cache_size=-400000",
    "BEGIN IMMEDIATE",
)
_POSTGRES = (
    "SET statement_timeout = 0",
    "SET session_replication_role = replica",
    "SET synchronous_commit = off",
    "SET maintenance_work_mem = '512MB'",
)


class Loader:
    """One transaction that fills tables whose indexes are made at its end."""

    def __init__(self, database: Database, without_indexes: Sequence[Table]) -> None:
        self._database = database
        self._indexes = [
            index
            for table in without_indexes
            for index in sorted(table.indexes, key=lambda each: str(each.name))
        ]

    def __enter__(self) -> Loader:
        self._database.close()  # nobody else may have it open when its journal goes
        self._raw = self._database.engine.raw_connection()
        self._cursor = self._raw.cursor()
        for statement in _SQLITE if self._database.is_embedded else _POSTGRES:
            self.run(statement)
        for index in self._indexes:
            if not index.unique:
                self.run(str(DropIndex(index).compile(self._database.engine)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._raw.rollback() if kind else self._raw.commit()
        self._raw.invalidate()
        if kind is None:
            self._settle()

    def run(self, statement: str) -> None:
        """Run a statement."""
        self._cursor.execute(statement)

    def rows(self, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        """Insert rows, all with the same keys."""
        names = tuple(rows[0])
        listed = ", ".join(names)
        if self._database.is_embedded:
            places = ", ".join("?" * len(names))
            self._cursor.executemany(
                f"INSERT INTO {table.name} ({listed}) VALUES ({places})",
                [tuple(row.values()) for row in rows],
            )
            return
        with self._cursor.copy(f"COPY {table.name} ({listed}) FROM STDIN") as copy:  # type: ignore[attr-defined]
            for row in rows:
                copy.write_row(tuple(row.values()))

    def index(self, tell: Callable[[str], None]) -> None:
        """Make the indexes that were left out."""
        for index in self._indexes:
            if not index.unique:
                tell(f"index {index.name}")
                self.run(str(CreateIndex(index).compile(self._database.engine)))

    def _settle(self) -> None:
        """Leave it as a server leaves it that has been up for a while."""
        raw = self._database.engine.raw_connection()
        cursor = raw.cursor()
        if self._database.is_embedded:
            cursor.execute("PRAGMA journal_mode=WAL")
        else:
            raw.rollback()
            raw.driver_connection.autocommit = True  # type: ignore[union-attr]
            for statement in ("SET statement_timeout = 0", "VACUUM ANALYZE", "CHECKPOINT"):
                cursor.execute(statement)
        raw.invalidate()
