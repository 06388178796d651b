"""A fresh database for a test, in whatever folder the test gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.database import Database, open_database


@contextmanager
def fresh_database(folder: Path) -> Iterator[Database]:
    """Open a new, migrated database in a folder and close it at the end."""
    database = open_database("sqlite", data=folder)
    try:
        database.migrate()
        yield database
    finally:
        database.close()
