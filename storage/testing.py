"""A fresh database for a test: a file in the folder the test gives, or one of a PostgreSQL server.

The migrations are run once for each test process; every further database is a copy of that one.
"""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, create_engine, make_url

from storage.database import FILE_NAME, Database, open_database

_numbers = itertools.count(1)


@contextmanager
def fresh_database(folder: Path, *, server: str = "") -> Iterator[Database]:
    """Open a new, migrated database and close it at the end.

    It lies in the folder; or, given the address of a PostgreSQL server, there, and is dropped.
    """
    with fresh_url(folder, server=server) as url:
        database = open_database(url, data=folder)
        try:
            database.check_current()
            yield database
        finally:
            database.close()


@contextmanager
def fresh_url(
    folder: Path, *, server: str = "", fill: Callable[[Database], None] | None = None
) -> Iterator[str]:
    """Give the address of a new, migrated database; `fill` is called once for all of its copies."""
    if server:
        with _copy_on(make_url(server), fill) as url:
            yield url
        return
    for name, content in _migrated(fill).items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(content)
    yield f"sqlite:///{folder.resolve() / FILE_NAME}"


@contextmanager
def empty_url(folder: Path, *, server: str = "") -> Iterator[str]:
    """Give the address of a database without a table."""
    if not server:
        yield f"sqlite:///{folder.resolve() / FILE_NAME}"
        return
    with _made(make_url(server), template="template0") as url:
        yield url


@contextmanager
def _copy_on(server: URL, fill: Callable[[Database], None] | None) -> Iterator[str]:
    with _made(server, template=_template(server, fill)) as url:
        yield url


@contextmanager
def _made(server: URL, *, template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    _command(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield _text(server.set(database=name))
    finally:
        _command(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@functools.cache
def _template(server: URL, fill: Callable[[Database], None] | None) -> str:
    """Return the name of a migrated database on the server that nobody is connected to."""
    name = f"template_{os.getpid()}_{next(_numbers)}"
    _command(server, f'CREATE DATABASE "{name}" TEMPLATE template0')
    database = open_database(_text(server.set(database=name)))
    try:
        database.migrate()
        if fill is not None:
            fill(database)
    finally:
        database.close()
    return name


def _command(server: URL, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as conn:
            conn.exec_driver_sql(statement)
    finally:
        engine.dispose()


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


@functools.cache
def _migrated(fill: Callable[[Database], None] | None = None) -> dict[str, bytes]:
    """Return the files of a migrated and closed database."""
    folder = Path(tempfile.mkdtemp(prefix="lysbro-migrated-"))
    try:
        database = open_database("sqlite", data=folder)
        try:
            database.migrate()
            if fill is not None:
                fill(database)
        finally:
            database.close()
        files = [path for path in folder.iterdir() if path.suffix not in {".lock"}]
        return {path.name: path.read_bytes() for path in files}
    finally:
        shutil.rmtree(folder)
