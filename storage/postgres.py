"""All that is special to PostgreSQL: how it is opened, what its faults mean, how text is ordered.

Knows no table of ours and no transaction; `storage.database` asks it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, TimeoutError

from casework.errors import Unavailable

OLDEST = (14, 0)
"""Older servers are past their support."""

_STATEMENT_S = 60
_LOCK_S = 30
_IDLE_S = 300
_CONNECT_S = 10
_POOL_SIZE = 6
_POOL_OVERFLOW = 26
_MIGRATION_LOCK = 0x4C595342524F
_SESSION = (
    f"SET statement_timeout = '{_STATEMENT_S}s'",
    f"SET lock_timeout = '{_LOCK_S}s'",
    f"SET idle_in_transaction_session_timeout = '{_IDLE_S}s'",
    "SET TIME ZONE 'UTC'",
    # a query of ours takes a millisecond or two; to compile it, or to start helpers, takes longer
    "SET jit = off",
    "SET max_parallel_workers_per_gather = 0",
)
_WAITED = frozenset({"55P03", "57014", "40P01", "40001"})
_GONE = frozenset({"57P01", "57P02", "57P03", "53300", "25P03"})

_NOT_IN_ORDER_OF_BYTES = text(
    """
    SELECT format('ALTER TABLE %I.%I %s', n.nspname, c.relname, string_agg(
             format('ALTER COLUMN %I TYPE %s COLLATE "C"',
                    a.attname, format_type(a.atttypid, a.atttypmod)), ', '))
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
    JOIN pg_collation o ON o.oid = a.attcollation
    WHERE a.attnum > 0 AND NOT a.attisdropped AND o.collname <> 'C'
    GROUP BY n.nspname, c.relname
    """
)


def open_postgres(url: URL) -> Engine:
    """Return the engine of a database; connects to nothing yet."""
    if url.get_driver_name() != "psycopg":
        url = url.set(drivername="postgresql+psycopg")
    engine = create_engine(
        url,
        pool_pre_ping=True,
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_OVERFLOW,
        pool_timeout=_LOCK_S,
        connect_args={"connect_timeout": _CONNECT_S, "application_name": "lysbro"},
    )
    event.listen(engine, "connect", _set_up)
    return engine


def prepare_to_migrate(conn: Connection) -> None:
    """Wait until no other process migrates, for as long as that takes; refuse an old server."""
    found = conn.dialect.server_version_info or OLDEST
    if found < OLDEST:
        raise Unavailable(
            f"The PostgreSQL server is version {found[0]}; Lysbro needs {OLDEST[0]} or newer.",
            code="database-version",
        )
    conn.exec_driver_sql("SET LOCAL statement_timeout = 0")
    conn.exec_driver_sql("SET LOCAL lock_timeout = 0")
    conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")


@contextmanager
def in_order_of_an_index(conn: Connection) -> Iterator[None]:
    """Let what is read in the block follow an index, in the order that is asked for.

    The planner takes a condition of a kind that it cannot weigh (who may see a row) for one that
    few rows fulfil, and so would read and sort all there are rather than the first hundred.
    """
    if conn.dialect.name != "postgresql":
        yield
        return
    conn.exec_driver_sql("SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off")
    yield
    conn.exec_driver_sql("SET LOCAL enable_sort = on; SET LOCAL enable_bitmapscan = on")


def order_text_by_bytes(conn: Connection) -> None:
    """Let every text column be ordered and compared as SQLite does it, whatever the locale.

    An order by the language's rules would differ between servers, and change under an index when
    the system's library is renewed.
    """
    for statement in conn.execute(_NOT_IN_ORDER_OF_BYTES).scalars().all():
        conn.exec_driver_sql(str(statement))


def in_turn(conn: Connection, names: list[str]) -> None:
    """Let transactions that hold one of these names wait for each other, without a deadlock."""
    for name in sorted(names):
        conn.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name}
        )


@contextmanager
def faults_told() -> Iterator[None]:
    """Raise Unavailable for what a repetition may mend: a lost connection, a lock not given."""
    try:
        yield
    except DBAPIError as error:
        told = _as_unavailable(error)
        if told is None:
            raise
        raise told from error
    except TimeoutError as error:
        raise Unavailable(
            f"No connection to the database was free for {_LOCK_S} seconds. Try again; "
            "if it stays so, start more processes or look for one that hangs.",
            code="database-busy",
        ) from error


def commit(conn: Connection) -> None:
    """Commit; when the connection is lost meanwhile, say that nobody knows whether it is done."""
    try:
        conn.commit()
    except DBAPIError as error:
        if not error.connection_invalidated and _code(error) not in _GONE:
            raise
        raise Unavailable(
            "The connection to the database was lost at the end of a change: it is made whole or "
            "not at all. Look whether it is there, or do the same again.",
            code="commit-unknown",
        ) from error


def vacuum(engine: Engine) -> None:
    """Give the room of deleted rows free in every table, for as long as that takes."""
    with faults_told(), engine.connect() as plain:
        conn = plain.execution_options(isolation_level="AUTOCOMMIT")
        conn.exec_driver_sql("SET statement_timeout = 0")
        conn.exec_driver_sql("VACUUM")
        conn.invalidate()  # with its setting


def _as_unavailable(error: DBAPIError) -> Unavailable | None:
    code = _code(error)
    if code in _WAITED:
        return Unavailable(
            "The database was busy with what this change needs. Try again; "
            "if it stays so, look for a process that hangs.",
            code="database-busy",
        )
    if error.connection_invalidated or code in _GONE or code.startswith("08") or _never_was(error):
        return Unavailable(
            "The database does not answer. Nothing was changed; try again shortly, and look at "
            "the PostgreSQL server if it stays so.",
            code="database-away",
        )
    return None


def _never_was(error: DBAPIError) -> bool:
    """Tell whether no connection came about: the driver has no code of the server then."""
    return type(error.orig).__name__ in {"OperationalError", "ConnectionTimeout"} and not _code(
        error
    )


def _code(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _set_up(raw: Any, _record: Any) -> None:
    was = raw.autocommit
    raw.autocommit = True
    with raw.cursor() as cursor:
        for statement in _SESSION:
            cursor.execute(statement)
        # `remote_apply` and `remote_write` of an operator stay: they promise the disk as well
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') IN ('off', 'local')"
        )
    raw.autocommit = was
