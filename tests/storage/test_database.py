"""The database's modes, transactions and version."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import IntegrityError

from casework.errors import Unavailable
from storage import database as module
from storage.database import Database, open_database
from storage.tables import segments
from storage.testing import empty_url, fresh_database
from tests.databases import ON_SQLITE

NOW = datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def _add(conn: Connection, name: str, at: datetime = NOW) -> None:
    conn.execute(segments.insert().values(name=name, node="n", created_at=at))


def _names(database: Database) -> list[str]:
    with database.read() as conn:
        return list(conn.execute(select(segments.c.name).order_by(segments.c.name)).scalars())


@ON_SQLITE
def test_sqlite_is_opened_in_modes_that_survive_a_power_cut(database: Database) -> None:
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "mmap_size")
    with database.read() as conn:
        found = {p: conn.exec_driver_sql(f"PRAGMA {p}").scalar() for p in pragmas}
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "trusted_schema": 0,
        "mmap_size": 0,
    }


def test_an_old_library_never_uses_wal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_database("sqlite", data=tmp_path).close()
    monkeypatch.setattr(module, "SAFE_WAL", (99, 0, 0))
    database = open_database("sqlite", data=tmp_path)
    with database.read() as conn:
        assert conn.exec_driver_sql("PRAGMA journal_mode").scalar() == "truncate"
        assert conn.exec_driver_sql("PRAGMA synchronous").scalar() == 3
    database.close()


def test_the_standard_library_stands_in_for_a_missing_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pysqlite3", None)
    with fresh_database(tmp_path) as database:
        assert database.engine.dialect.dbapi is sqlite3
        with database.begin() as conn:
            _add(conn, "a")
        assert _names(database) == ["a"]


@ON_SQLITE
def test_the_file_is_read_by_its_owner_only(database: Database, tmp_path: Path) -> None:
    assert (tmp_path / "lysbro.db").stat().st_mode & 0o777 == 0o600


def test_like_tells_case_apart(database: Database) -> None:
    with database.read() as conn:
        assert not conn.exec_driver_sql("SELECT 'a' LIKE 'A%%'").scalar()


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    def add_one_twice() -> None:
        with database.begin() as conn:
            for name in ("a", "b", "a"):
                _add(conn, name)

    with pytest.raises(IntegrityError):
        add_one_twice()
    assert _names(database) == []


def test_what_a_read_writes_is_not_kept(database: Database) -> None:
    with database.read() as conn:
        _add(conn, "a")
    assert _names(database) == []


def test_a_read_sees_one_moment(database: Database) -> None:
    with database.read() as conn:
        before = conn.execute(select(segments.c.name)).all()
        with database.begin() as writing:
            _add(writing, "a")
        after = conn.execute(select(segments.c.name)).all()
    assert (before, after) == ([], [])
    assert _names(database) == ["a"]


def test_a_second_transaction_in_one_thread_is_refused_at_once(database: Database) -> None:
    with database.begin(), pytest.raises(RuntimeError, match="already holds"), database.begin():
        pass
    with database.begin() as conn:
        _add(conn, "a")
    assert _names(database) == ["a"]


def test_threads_take_turns_at_writing(database: Database) -> None:
    faults: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for step in range(20):
                with database.begin() as conn:
                    _add(conn, f"{number}-{step}")
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            faults.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(_names(database)) == 160


def _start_and_write(url: str, number: int) -> None:
    database = open_database(url)
    database.migrate()
    for step in range(10):
        with database.begin() as conn:
            _add(conn, f"{number}-{step}")
    database.close()
    os._exit(0)


@pytest.mark.slow
def test_processes_that_start_at_once_share_one_database(
    tmp_path: Path, database_server: str
) -> None:
    with empty_url(tmp_path, server=database_server) as url:
        _start_at_once(url)


def _start_at_once(url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_start_and_write, args=(url, n)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    database = open_database(url)
    database.check_current()
    assert len(_names(database)) == 30
    assert database.faults() == []
    database.close()


@ON_SQLITE
def test_a_database_that_stays_busy_is_said_to_be_so(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BUSY_S", 0)
    other = open_database("sqlite", data=tmp_path)
    with database.begin(), pytest.raises(Unavailable, match="busy"), other.begin():
        pass
    other.close()


def test_a_database_of_another_version_is_told_apart(tmp_path: Path) -> None:
    database = open_database("sqlite", data=tmp_path)
    with pytest.raises(Unavailable, match="version none"):
        database.check_current()
    database.migrate()
    database.check_current()
    database.close()


def test_a_database_of_a_newer_version_is_left_alone(database: Database) -> None:
    with database.begin() as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Unavailable, match="version 9999.*a newer one") as caught:
        database.migrate()
    assert caught.value.code == "database-newer"


def test_migrating_again_changes_nothing(database: Database) -> None:
    before = inspect(database.engine).get_table_names()
    with database.begin() as conn:
        _add(conn, "a")
    database.migrate()
    assert inspect(database.engine).get_table_names() == before
    assert _names(database) == ["a"]


def test_times_come_back_aware_and_in_order(database: Database) -> None:
    oslo = timezone(timedelta(hours=2))
    times = [
        NOW,
        NOW.replace(microsecond=0),
        datetime(2025, 3, 1, 14, 0, 1, tzinfo=oslo),
        datetime(1950, 1, 1, tzinfo=UTC),
    ]
    with database.begin() as conn:
        for at in times:
            _add(conn, at.isoformat(), at)
    with database.read() as conn:
        found = conn.execute(select(segments.c.created_at).order_by(segments.c.created_at))
        assert list(found.scalars()) == sorted(times)


def test_a_time_without_a_zone_is_a_defect(database: Database) -> None:
    with database.read() as conn, pytest.raises(Exception, match="without a zone"):
        _add(conn, "a", datetime(2025, 1, 1))  # noqa: DTZ001
