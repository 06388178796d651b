"""A search ends soon after it is cancelled, also while the database is at it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from pynetdicom.association import Association
from sqlalchemy import Connection, text

from casework.access import Scope
from casework.errors import Unavailable
from pacs_bridge.syntaxes import STUDY_ROOT_FIND
from storage.database import Database
from storage.index import Index
from storage.stopping import Stopped, Watch
from storage.testing import fresh_database
from tests.databases import is_sqlite
from tests.queries.stored import Exchange, identifier

ALL = Scope(None, None, "nordlys")
WITHOUT_END = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT count(*) FROM n WHERE i < 0",
    "postgresql": "SELECT pg_sleep(40)",
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, database_server: str) -> Iterator[Database]:
    with fresh_database(tmp_path_factory.mktemp("stopping"), server=database_server) as fresh:
        yield fresh


def test_statement_that_would_not_end_is_ended(database: Database) -> None:
    began = time.monotonic()
    asked: list[str] = []

    def is_stopped() -> bool:
        asked.append(threading.current_thread().name)
        return len(asked) > 2

    with pytest.raises(Stopped), database.read() as conn, Watch().over(conn, is_stopped):
        conn.execute(text(WITHOUT_END["sqlite" if is_sqlite(conn) else "postgresql"]))
    assert time.monotonic() - began < 5
    assert len(asked) == 3
    with database.read() as conn:  # the connection is as good as it was
        assert conn.execute(text("SELECT 7")).scalar() == 7


def test_what_asking_raises_ends_the_search(database: Database) -> None:
    def is_stopped() -> bool:
        raise Unavailable("The requester ended the association.", code="gone")

    with (
        pytest.raises(Unavailable, match="ended"),
        database.read() as conn,
        Watch().over(conn, is_stopped),
    ):
        conn.execute(text(WITHOUT_END["sqlite" if is_sqlite(conn) else "postgresql"]))


def test_statement_that_ends_by_itself_is_left_alone(database: Database) -> None:
    for _ in range(20):
        with database.read() as conn, Watch().over(conn, lambda: False):
            assert conn.execute(text("SELECT 7")).scalar() == 7


def test_search_that_is_stopped_before_it_begins_reads_nothing(database: Database) -> None:
    with pytest.raises(Stopped):
        list(Index(database).find(ALL, "STUDY", {}, limit=9, is_stopped=lambda: True))


@dataclass
class Endless:
    """A search that the database is at without end."""

    begun: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def endless(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Endless:
    """Let every search take without end."""
    search = Endless()

    def window(self: object, conn: Connection, size: int) -> object:
        search.begun.set()
        try:
            return conn.execute(text(WITHOUT_END["sqlite" if is_sqlite(conn) else "postgresql"]))
        finally:
            search.ended.set()

    monkeypatch.setattr("storage.walk.Walk.window", window)
    return search


def _cancel(association: Association, search: Endless) -> None:
    search.begun.wait(10)
    association.send_c_cancel(1, query_model=STUDY_ROOT_FIND)


@pytest.mark.parametrize("with_retrieve", [False, True], ids=["find", "retrieve-too"])
def test_cancelled_query_ends_while_the_database_searches(
    exchange: Exchange, endless: Endless, with_retrieve: bool
) -> None:
    with exchange.associated(with_retrieve=with_retrieve) as association:
        began = time.monotonic()
        canceller = threading.Thread(target=_cancel, args=(association, endless))
        canceller.start()
        responses = list(
            association.send_c_find(identifier("STUDY", {}), STUDY_ROOT_FIND, msg_id=1)
        )
        canceller.join()
        assert [status.Status for status, _ in responses] == [0xFE00]
        assert time.monotonic() - began < 8
        assert association.is_established


@pytest.mark.parametrize("with_retrieve", [False, True], ids=["find", "retrieve-too"])
def test_search_ends_when_its_requester_has_gone(
    exchange: Exchange, endless: Endless, with_retrieve: bool
) -> None:
    with exchange.associated(with_retrieve=with_retrieve) as association:
        association.dimse_timeout = 1
        asking = threading.Thread(
            target=lambda: list(association.send_c_find(identifier("STUDY", {}), STUDY_ROOT_FIND))
        )
        asking.start()
        assert endless.begun.wait(10)
        asking.join(10)  # it waits no longer and aborts
        assert endless.ended.wait(10)


def test_search_that_is_at_it_for_too_long_is_too_broad(
    exchange: Exchange, endless: Endless, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("viewer.dicomweb.qido._LONGEST_S", 0.3)
    answer = exchange.clients["hammer"].get("/dicom-web/instances?SeriesDescription=*x*")
    assert answer.status_code == 413
    assert "Ask for less" in answer.get_json()["detail"]
    assert endless.ended.is_set()
