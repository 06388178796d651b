"""A fresh database for a test, in whatever folder the test gives.

The migrations are run once for each test process; every further database is a copy of that one.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.database import Database, open_database


@contextmanager
def fresh_database(folder: Path) -> Iterator[Database]:
    """Open a new, migrated database in a folder and close it at the end."""
    for name, content in _migrated().items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(content)
    database = open_database("sqlite", data=folder)
    try:
        database.check_current()
        yield database
    finally:
        database.close()


@functools.cache
def _migrated() -> dict[str, bytes]:
    """Return the files of a migrated and closed database."""
    folder = Path(tempfile.mkdtemp(prefix="lysbro-migrated-"))
    try:
        database = open_database("sqlite", data=folder)
        try:
            database.migrate()
        finally:
            database.close()
        files = [path for path in folder.iterdir() if path.suffix not in {".lock"}]
        return {path.name: path.read_bytes() for path in files}
    finally:
        shutil.rmtree(folder)
