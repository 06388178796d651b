"""Opens the database of the index and the casebook: its modes, transactions and version.

All that is special to SQLite stands here, to PostgreSQL in `storage.postgres`. Knows no table.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Table,
    create_engine,
    event,
    func,
    make_url,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from casework.errors import Unavailable
from storage import postgres

SAFE_WAL = (3, 51, 3)
"""Older SQLite libraries may corrupt a WAL database that two connections write at once."""

FILE_NAME = "lysbro.db"

_BUSY_S = 30
_CACHE_KIB = 32_768  # of a connection; within 2 MB a long list is read over and over
_POOL_SIZE = 8
_POOL_OVERFLOW = 56
_WRITES = "lysbro_writes"
_SNAPSHOT = "REPEATABLE READ"
_MAX_KEYS = 500

_Item = TypeVar("_Item")


class Database:
    """One database, shared by the threads of a process and by other processes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._snapshots = (
            engine if self._is_sqlite else engine.execution_options(isolation_level=_SNAPSHOT)
        )
        self._writer = threading.Lock()
        self._writing = threading.local()

    @property
    def is_embedded(self) -> bool:
        """Tell whether it is a file of this data folder, and so of this node only."""
        return self._is_sqlite

    @property
    def url(self) -> str:
        """Return the address, with its password: for another process of ours."""
        return self.engine.url.render_as_string(hide_password=False)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Give a connection in one write transaction: committed at the end, undone on an error."""
        if not self._is_sqlite:
            with self._alone(), postgres.faults_told(), self.engine.connect() as conn:
                yield conn
                postgres.commit(conn)
            return
        with self._turn(), self.engine.connect() as plain:
            conn = plain.execution_options(**{_WRITES: True})
            with self._begun(conn):
                yield conn

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one moment of the database; what it writes is not kept."""
        with ExitStack() as stack:
            if not self._is_sqlite:
                stack.enter_context(postgres.faults_told())
            yield stack.enter_context(self._snapshots.connect())

    def migrate(self, revision: str = "head") -> None:
        """Bring the tables to this version of Lysbro; several processes may do so at once."""
        with self.begin() as conn:
            if not self._is_sqlite:
                postgres.prepare_to_migrate(conn)
            config = _alembic_config()
            _refuse_newer(conn, ScriptDirectory.from_config(config))
            config.attributes["connection"] = conn
            command.upgrade(config, revision)
            if not self._is_sqlite:
                postgres.order_text_by_bytes(conn)

    def check_current(self) -> None:
        """Raise Unavailable unless the tables are those of this version of Lysbro."""
        head = ScriptDirectory.from_config(_alembic_config()).get_current_head()
        with self.read() as conn:
            present = MigrationContext.configure(conn).get_current_revision()
        if present != head:
            raise Unavailable(
                f"The database is at version {present or 'none'}, this Lysbro needs {head}. "
                "Stop the older processes, start `lysbro serve`: it brings the tables up to date.",
                code="database-version",
            )

    def faults(self) -> list[str]:
        """Return what the database finds wrong with its own file; empty when it is whole."""
        if not self._is_sqlite:
            return []
        with self.read() as conn:
            found = conn.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        return [str(line) for line in found if line != "ok"]

    def wipe_deleted(self) -> None:
        """Let nothing of deleted rows stay in the database's own files, as far as that is ours.

        SQLite's file is written anew and its log emptied. PostgreSQL is told that the room is free;
        what its own files, log and backups still hold is for whoever runs the server.
        """
        if not self._is_sqlite:
            postgres.vacuum(self.engine)
            return
        with self._turn():
            raw = self.engine.raw_connection()
            try:
                cursor = raw.cursor()
                cursor.execute("VACUUM")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                found = cursor.fetchall()
                cursor.close()
            except Exception as error:
                if "lock" in str(error) or "full" in str(error):
                    raise _not_wiped(str(error)) from error
                raise
            finally:
                raw.close()
        if found and found[0][0]:
            raise _not_wiped("its log is being read")

    def close(self) -> None:
        """Close every connection that is not in use."""
        self.engine.dispose()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for this thread's turn to write; processes wait on the file's lock."""
        with self._alone():
            if not self._writer.acquire(timeout=_BUSY_S):
                raise _busy()
            try:
                yield
            finally:
                self._writer.release()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Refuse a second write transaction in one thread: it would wait for the first."""
        if getattr(self._writing, "now", False):
            raise RuntimeError(
                "this thread already holds a write transaction; pass its connection on"
            )
        self._writing.now = True
        try:
            yield
        finally:
            self._writing.now = False

    @contextmanager
    def _begun(self, conn: Connection) -> Iterator[None]:
        try:
            transaction = conn.begin()
        except OperationalError as error:
            if "locked" in str(error.orig):
                raise _busy() from error
            if "unable to open" in str(error.orig):
                raise _not_writable(str(self.engine.url.database), error) from error
            raise
        try:
            with transaction:
                yield
        except OperationalError as error:
            if "readonly" in str(error.orig):
                raise _not_writable(str(self.engine.url.database), error) from error
            raise


def revisions() -> tuple[str, ...]:
    """Return the versions of the tables that this Lysbro knows, the newest first."""
    script = ScriptDirectory.from_config(_alembic_config())
    return tuple(each.revision for each in script.walk_revisions())


def count_on_from(conn: Connection, column: Column[Any]) -> None:
    """Let a table that numbers its rows go on after the highest number that was put in by hand."""
    if conn.dialect.name == "sqlite":  # it looks for the highest by itself
        return
    table = column.table.name
    name = conn.execute(select(func.pg_get_serial_sequence(table, column.name))).scalar()
    highest = conn.execute(select(func.max(column))).scalar()
    if name is not None and highest is not None:
        conn.execute(select(func.setval(name, highest)))


def open_database(url: str, *, data: Path | None = None) -> Database:
    """Open the database of a URL; `sqlite` alone means a file in the data folder."""
    if url in ("", "sqlite", "sqlite://"):
        if data is None:
            raise ValueError("an SQLite database without a path needs the data folder")
        url = f"sqlite:///{data.resolve() / FILE_NAME}"
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return Database(postgres.open_postgres(parsed))
    return Database(_open_sqlite(parsed))


def insert_if_absent(conn: Connection, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert the rows that break no unique rule of the table, and leave out the others."""
    values = [dict(row) for row in rows]
    if not values:
        return
    if conn.dialect.name == "sqlite":
        conn.execute(sqlite.insert(table).on_conflict_do_nothing(), values)
    else:
        conn.execute(postgresql.insert(table).on_conflict_do_nothing(), values)


def take_turns(conn: Connection, names: Iterable[str]) -> None:
    """Let write transactions that share a name follow each other; in SQLite all of them do."""
    if conn.dialect.name != "sqlite":
        postgres.in_turn(conn, sorted(names))


def chunks(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """Give a long list of keys in parts that one statement can take."""
    for start in range(0, len(items), _MAX_KEYS):
        yield items[start : start + _MAX_KEYS]


def _open_sqlite(url: URL) -> Engine:
    module = _sqlite_module()
    engine = create_engine(
        url,
        module=module,
        connect_args={"timeout": _BUSY_S, "check_same_thread": False, "isolation_level": None},
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_OVERFLOW,
        pool_timeout=_BUSY_S,
    )
    safe_wal = module.sqlite_version_info >= SAFE_WAL
    event.listen(engine, "connect", _set_up(safe_wal=safe_wal))
    event.listen(engine, "begin", _begin)
    if url.database:
        _settle_journal_mode(engine, Path(url.database), "WAL" if safe_wal else "TRUNCATE")
    return engine


def _sqlite_module() -> ModuleType:
    try:
        from pysqlite3 import dbapi2  # noqa: PLC0415 - the standard library's one stands in for it
    except ImportError:
        import sqlite3  # noqa: PLC0415

        return sqlite3
    module: ModuleType = dbapi2
    return module


def _set_up(*, safe_wal: bool) -> Any:
    synchronous = "FULL" if safe_wal else "EXTRA"

    def set_up(raw: Any, _record: Any) -> None:
        for pragma in (
            f"busy_timeout={_BUSY_S * 1000}",
            f"synchronous={synchronous}",
            "foreign_keys=ON",
            "trusted_schema=OFF",
            "cell_size_check=ON",
            f"cache_size=-{_CACHE_KIB}",
            "mmap_size=0",  # made the WAL-reset corruption worse
            "case_sensitive_like=ON",  # as PostgreSQL's LIKE is; it can then use an index
        ):
            raw.execute(f"PRAGMA {pragma}").close()

    return set_up


def _begin(conn: Connection) -> None:
    # A deferred transaction that turns to writing fails at once when another has written meanwhile.
    writes = conn.get_execution_options().get(_WRITES, False)
    conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _settle_journal_mode(engine: Engine, path: Path, mode: str) -> None:
    """Put the file into its journal mode, one process at a time: SQLite would not wait."""
    # A file that is there stays untouched: closing it here would drop the locks SQLite holds on it.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    lock = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        present = _set_journal_mode(engine, path, mode)
    finally:
        os.close(lock)
    if present.upper() != mode:
        engine.dispose()
        raise Unavailable(
            f"The database {path} stays in journal mode {present} and needs {mode}. "
            "Stop every other process that has it open, and keep it on a local disk.",
            code="database-mode",
        )


def _set_journal_mode(engine: Engine, path: Path, mode: str) -> str:
    """Ask for a journal mode and return the one that the file has then."""
    driver = engine.dialect.loaded_dbapi
    try:
        raw = engine.raw_connection()
        try:
            cursor = raw.cursor()
            cursor.execute(f"PRAGMA journal_mode={mode}")
            present = str(*cursor.fetchall()[0])
            cursor.close()
        finally:
            raw.close()
    except (OperationalError, driver.OperationalError) as error:
        raise _not_writable(str(path), error) from error
    return present


def _refuse_newer(conn: Connection, known: ScriptDirectory) -> None:
    present = MigrationContext.configure(conn).get_current_revision()
    if present is None or any(present == each.revision for each in known.walk_revisions()):
        return
    raise Unavailable(
        f"The database is at version {present}, which this Lysbro does not know: a newer one has "
        "been here. Start that one.",
        code="database-newer",
    )


def _alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _not_wiped(reason: str) -> Unavailable:
    return Unavailable(
        f"What was deleted is not wiped from the database file yet ({reason}). It is tried again; "
        "it takes as much free disk as the file has, and a moment without other work.",
        code="database-not-wiped",
    )


def _not_writable(path: str, error: Exception) -> Unavailable:
    reason = error.orig if isinstance(error, OperationalError) else error
    return Unavailable(
        f"The database {path} cannot be written ({reason}). Give the user that runs Lysbro the "
        "right to read and write it and its folder, and look at that disk.",
        code="database-file",
    )


def _busy() -> Unavailable:
    return Unavailable(
        f"The database was busy for {_BUSY_S} seconds. Try again; "
        "if it stays so, look for a process that hangs.",
        code="database-busy",
    )
