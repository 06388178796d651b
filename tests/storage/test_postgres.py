"""What only a database server can do: hang up, make others wait, and not be there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url, select

from casework.errors import Unavailable
from storage import postgres as module
from storage.database import Database, open_database
from storage.tables import segments
from storage.testing import fresh_database
from tests.postgres import Server
from tests.storage.conftest import NOON
from tests.told import in_the_table

pytestmark = pytest.mark.peers


@pytest.fixture
def database(tmp_path: Path, postgres: Server) -> Iterator[Database]:
    with fresh_database(tmp_path, server=postgres.url("postgres")) as fresh:
        yield fresh


def _add(conn: Connection, name: str) -> None:
    conn.execute(segments.insert().values(name=name, node="n", created_at=NOON))


def _names(database: Database) -> list[str]:
    with database.read() as conn:
        return list(conn.execute(select(segments.c.name)).scalars())


def _hang_up_on(conn: Connection, database: Database) -> None:
    pid = conn.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    with database.read() as other:
        other.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("synchronous_commit", "on"),
        ("fsync", "on"),
        ("statement_timeout", "1min"),
        ("lock_timeout", "30s"),
        ("idle_in_transaction_session_timeout", "5min"),
        ("TimeZone", "UTC"),
    ],
)
def test_every_connection_keeps_what_it_commits_and_waits_for_nothing_forever(
    database: Database, name: str, value: str
) -> None:
    with database.read() as conn:
        assert conn.exec_driver_sql(f"SHOW {name}").scalar_one() == value


def test_a_commit_that_is_not_kept_on_the_disk_is_not_taken_from_the_server(
    database: Database,
) -> None:
    with database.begin() as conn:
        conn.exec_driver_sql(
            f"ALTER DATABASE \"{database.engine.url.database}\" SET synchronous_commit = 'off'"
        )
    again = open_database(database.url)
    with again.read() as conn:
        assert conn.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
    again.close()


def test_an_address_without_a_driver_means_ours(database: Database) -> None:
    again = open_database(database.url.replace("postgresql+psycopg:", "postgresql:"))
    with again.read() as conn:
        assert conn.dialect.driver == "psycopg"
    again.close()


def test_a_commit_whose_connection_is_lost_is_said_to_be_unknown_and_may_be_repeated(
    database: Database,
) -> None:
    def write(*, lose: bool) -> None:
        with database.begin() as conn:
            _add(conn, "a")
            if lose:
                _hang_up_on(conn, database)

    with pytest.raises(Unavailable) as caught:
        write(lose=True)
    assert caught.value.code == "commit-unknown"
    assert _names(database) == []  # read back: this time it was not made
    write(lose=False)
    assert _names(database) == ["a"]


def test_a_connection_lost_within_a_change_undoes_it_and_says_so(database: Database) -> None:
    def write() -> None:
        with database.begin() as conn:
            _add(conn, "a")
            _hang_up_on(conn, database)
            _add(conn, "b")

    with pytest.raises(Unavailable) as caught:
        write()
    assert caught.value.code == "database-away"
    assert _names(database) == []


def test_a_server_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    database = open_database(f"postgresql+psycopg://nobody@/none?host={tmp_path}")
    with pytest.raises(Unavailable) as reading, database.read():
        pass
    with pytest.raises(Unavailable) as writing, database.begin() as conn:
        _add(conn, "a")
    assert (reading.value.code, writing.value.code) == ("database-away", "database-away")
    in_the_table("database-away", writing.value.message)
    database.close()


def test_who_waits_in_vain_for_another_change_is_told_to_try_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SESSION", ("SET lock_timeout = '50ms'",))
    other = open_database(database.url)
    with database.begin() as conn:
        _add(conn, "a")
        with pytest.raises(Unavailable) as caught:
            _write_in_a_thread(other, "a")
    assert caught.value.code == "database-busy"
    other.close()


def _write_in_a_thread(database: Database, name: str) -> None:
    faults: list[BaseException] = []

    def write() -> None:
        try:
            with database.begin() as conn:
                _add(conn, name)
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            faults.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    if faults:
        raise faults[0]


def test_a_server_that_was_started_again_is_used_at_once(
    database: Database, postgres: Server
) -> None:
    with database.begin() as conn:
        _add(conn, "a")
    postgres.stop()
    with pytest.raises(Unavailable, match="does not answer"):
        _names(database)
    postgres.start()
    assert _names(database) == ["a"]


def test_its_password_is_kept_for_other_processes_and_shown_to_nobody() -> None:
    database = open_database("postgresql+psycopg://me:secret@db.example/lysbro")
    assert make_url(database.url).password == "secret"
    assert "secret" not in repr(database.engine.url)
    database.close()
