"""The audit on disk: appended in or beside a transaction, searched, verified, and never changed."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DBAPIError

from storage.casebook_tables import audit
from tests.databases import let_change
from tests.storage.room import WORKER, open_room


@pytest.fixture
def room(tmp_path: Path, database_server: str):
    with open_room(tmp_path, server=database_server) as furnished:
        yield furnished


def fill(room, count=5):
    for n in range(1, count + 1):
        room.ledger.append(
            None, actor=WORKER, action="opened", subject=f"s{n}", site="hammer", detail={"n": n}
        )


def tamper(room, statement):
    """Change the table as somebody could who owns the file."""
    with room.database.begin() as conn:
        let_change(conn, "audit")
        conn.execute(text(statement))


def test_entries_are_numbered_and_chained(room):
    assert room.ledger.verify() is None
    fill(room)
    entries = room.ledger.entries()
    assert [e.seq for e in entries] == [5, 4, 3, 2, 1]
    assert [e.subject for e in entries] == ["s5", "s4", "s3", "s2", "s1"]
    assert entries[0].previous == entries[1].hash
    assert (entries[0].at, entries[0].site) == (room.clock.now, "hammer")
    assert room.ledger.verify() is None


def test_an_entry_shares_the_fate_of_its_transaction(room):
    with room.database.begin() as conn:
        room.ledger.append(conn, actor=WORKER, action="kept", subject="a", site="")
    with suppress(OSError), room.database.begin() as conn:
        room.ledger.append(conn, actor=WORKER, action="lost", subject="b", site="")
        raise OSError
    assert [e.action for e in room.ledger.entries()] == ["kept"]
    assert room.ledger.verify() is None


def test_entries_are_found_by_words_and_paged(room):
    fill(room, 12)
    room.ledger.append(
        None, actor=WORKER, action="signed", subject="x", case_id="7K3M-2QXF", outcome="ok"
    )
    assert [e.action for e in room.ledger.entries(q="7k3m")] == ["signed"]
    assert [e.subject for e in room.ledger.entries(q="hammer S12")] == ["s12"]
    assert room.ledger.entries(q="100%") == ()
    assert [e.seq for e in room.ledger.entries(2, before=4)] == [3, 2]


@pytest.mark.parametrize(
    "statement", [update(audit).values(action="x"), delete(audit)], ids=["update", "delete"]
)
def test_the_database_refuses_to_change_an_entry(room, statement):
    fill(room)
    with pytest.raises(DBAPIError, match="never changed"), room.database.begin() as conn:
        conn.execute(statement)
    assert room.ledger.verify() is None


@pytest.mark.parametrize(
    ("statement", "bad"),
    [
        ("UPDATE audit SET actor_id = 'user:9' WHERE seq = 3", 3),
        ("UPDATE audit SET detail = '{}' WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 2", 3),
        ("DELETE FROM audit WHERE seq = 1", 2),
        ("DELETE FROM audit WHERE seq = 5", 5),
        ("DELETE FROM audit", 1),
        ("UPDATE audit SET seq = CASE seq WHEN 2 THEN 30 ELSE seq END", 3),
        ("UPDATE audit SET hash = previous WHERE seq = 4", 4),
        ("UPDATE audit_head SET seq = 4", 5),
        ("UPDATE audit_head SET hash = 'x'", 6),
    ],
)
def test_what_was_tampered_with_is_named(room, statement, bad):
    fill(room)
    tamper(room, statement)
    assert room.ledger.verify() == bad


def test_writers_at_once_make_one_chain(room):
    start = threading.Barrier(6)

    def write():
        start.wait()
        fill(room, 5)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(room.ledger.entries(100)) == 30
    assert room.ledger.verify() is None


def test_a_long_chain_is_verified_in_parts(room, monkeypatch):
    monkeypatch.setattr("storage.ledger._BATCH", 4)
    fill(room, 10)
    assert room.ledger.verify() is None
    tamper(room, "UPDATE audit SET subject = 'x' WHERE seq = 9")
    assert room.ledger.verify() == 9
