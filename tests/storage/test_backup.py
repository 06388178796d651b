"""The casebook goes into the store whole, in one moment, and comes back into a database without."""

from __future__ import annotations

import hashlib
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from casework.errors import Unavailable
from storage import backup
from storage.backup_file import BackupReader
from storage.backup_tables import WHOLE
from storage.casebook_tables import audit, cases, messages, sessions, users
from storage.database import Database, revisions
from storage.objects import MemoryStore
from storage.restore import is_empty, require_known, restore_casebook
from storage.testing import fresh_database
from tests.storage.room import EVERYTHING, MORNING, Room, open_room

pytestmark = pytest.mark.slow


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    (tmp_path / "room").mkdir()
    with open_room(tmp_path / "room") as room:
        yield room


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    (tmp_path / "empty").mkdir()
    with fresh_database(tmp_path / "empty") as database:
        yield database


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def keep(room: Room, store: MemoryStore, tmp_path: Path) -> Callable[[], backup.Kept]:
    """Return what backs the room up."""
    return lambda: backup.back_up(room.database, store, tmp_path / "tmp", now=room.clock())


def rows(database: Database) -> dict[str, list[Any]]:
    with database.read() as conn:
        return {
            table.name: sorted(map(repr, conn.execute(select(table)).mappings())) for table in WHOLE
        }


def put_back(database: Database, store: MemoryStore, key: str, folder: Path) -> None:
    with backup.opened(store, key, folder) as reader, database.begin() as conn:
        restore_casebook(conn, reader)


def test_a_casebook_comes_back_row_by_row_and_its_audit_holds(
    room: Room, store: MemoryStore, empty: Database, keep: Callable[[], backup.Kept], tmp_path: Path
) -> None:
    room.add_reply_node()
    room.signed()
    case = room.claimed()
    room.casebook.ask(room.elle, case.id, reason="", text="Since when?")
    before = rows(room.database)
    kept = keep()
    put_back(empty, store, kept.key, tmp_path / "tmp")
    after = Room(empty)
    assert rows(empty) == before
    assert after.ledger.verify() is None
    assert after.casebook.dossier(EVERYTHING, case.id) == room.casebook.dossier(EVERYTHING, case.id)
    after.casebook.answer(after.gp, case.id, text="Since May.")  # rows are numbered on from there
    assert after.ledger.verify() is None
    with empty.read() as conn:
        assert len(set(conn.execute(select(messages.c.id)).scalars())) == 2


def test_a_backup_is_a_zip_of_json_lines_that_says_what_is_in_it(
    room: Room, store: MemoryStore, keep: Callable[[], backup.Kept]
) -> None:
    room.signed()
    key = keep().key
    data = store.open_range(key, 0, store.size(key)).read()
    assert key == f"backup/casebook/20260302t094200z-{hashlib.sha256(data).hexdigest()}.zip"
    with zipfile.ZipFile(BytesIO(data)) as archive:
        told = json.loads(archive.read("manifest.json"))
        assert told["schema"] == revisions()[0]
        for table in told["tables"]:
            content = archive.read(f"{table['name']}.jsonl")
            assert hashlib.sha256(content).hexdigest() == table["sha256"]
            assert len(content.splitlines()) == table["rows"]
        people = [json.loads(line) for line in archive.read("users.jsonl").splitlines()]
    assert "elle@nordlys.example" in {person["email"] for person in people}


def test_sessions_and_failures_to_sign_in_are_left_out(
    room: Room, store: MemoryStore, keep: Callable[[], backup.Kept]
) -> None:
    with room.database.begin() as conn:
        pk = conn.execute(select(users.c.id).limit(1)).scalar_one()
        conn.execute(
            sessions.insert(),
            [
                {
                    "token_hash": "secret" * 10,
                    "user_id": pk,
                    "opened_at": MORNING,
                    "seen_at": MORNING,
                }
            ],
        )
    key = keep().key
    with zipfile.ZipFile(store.open_range(key, 0, store.size(key))) as archive:
        assert not {"sessions.jsonl", "sign_in_failures.jsonl"} & set(archive.namelist())
        assert not any(b"secretsecret" in archive.read(name) for name in archive.namelist())


def test_a_backup_is_of_one_moment_while_others_write(
    room: Room, store: MemoryStore, empty: Database, tmp_path: Path
) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            room.sent()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        kept = [
            backup.back_up(
                room.database, store, tmp_path / "tmp", now=room.clock() + timedelta(seconds=i)
            )
            for i in range(5)
        ]
    finally:
        stop.set()
        writer.join()
    put_back(empty, store, kept[-1].key, tmp_path / "tmp")
    assert Room(empty).ledger.verify() is None
    with empty.read() as conn:
        made = conn.execute(select(cases.c.id).where(cases.c.state == "submitted")).scalars().all()
        noted = conn.execute(select(audit.c.case_id).where(audit.c.action == "submitted")).scalars()
        assert set(noted) == set(made)


def test_the_newest_comes_first_and_older_ones_go_only_when_told(
    room: Room, store: MemoryStore, keep: Callable[[], backup.Kept]
) -> None:
    made = []
    for _ in range(4):
        made.append(keep().key)
        room.clock.passes(hours=1)
    assert [kept.key for kept in backup.backups(store)] == made[::-1]
    assert backup.remove_older(store, keep=0) == []
    assert backup.remove_older(store, keep=3) == made[:1]
    assert [kept.key for kept in backup.backups(store)] == made[:0:-1]


def test_a_spoilt_backup_is_refused_with_its_name(
    room: Room, store: MemoryStore, keep: Callable[[], backup.Kept], tmp_path: Path
) -> None:
    key = keep().key
    store._objects[key] = store._objects[key][:-1] + b"\1"
    with (
        pytest.raises(Unavailable, match="not what its hash says"),
        backup.opened(store, key, tmp_path / "tmp"),
    ):
        pass
    assert list((tmp_path / "tmp").iterdir()) == []


def changed(
    store: MemoryStore, key: str, change: Callable[[dict[str, Any]], None], folder: Path
) -> Path:
    """Return a backup as a file, with another manifest."""
    folder.mkdir(exist_ok=True)
    path = folder / "changed.zip"
    with (
        zipfile.ZipFile(store.open_range(key, 0, store.size(key))) as old,
        zipfile.ZipFile(path, "w") as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            if name == "manifest.json":
                told = json.loads(content)
                change(told)
                content = json.dumps(told).encode()
            new.writestr(name, content)
    return path


def of_table(told: dict[str, Any], name: str) -> dict[str, Any]:
    return next(table for table in told["tables"] if table["name"] == name)


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda told: told.update(schema="9999"), "backup-newer", "a newer one has written it"),
        (
            lambda told: of_table(told, "cases")["columns"].append("mood"),
            "backup-older",
            "cases.mood is not known any more",
        ),
        (
            lambda told: of_table(told, "cases")["columns"].remove("specialty"),
            "backup-older",
            "it does not have cases.specialty",
        ),
        (
            lambda told: of_table(told, "lesions").update(name="moles"),
            "backup-older",
            "its table moles is not known any more",
        ),
    ],
)
def test_what_cannot_be_put_back_is_refused_before_anything_is_written(
    room: Room,
    store: MemoryStore,
    empty: Database,
    keep: Callable[[], backup.Kept],
    tmp_path: Path,
    change: Callable[[dict[str, Any]], None],
    code: str,
    said: str,
) -> None:
    reader = BackupReader(changed(store, keep().key, change, tmp_path / "changed"))
    with pytest.raises(Unavailable, match=said) as refused, empty.begin() as conn:
        restore_casebook(conn, reader)
    assert refused.value.code == code
    with empty.read() as conn:
        assert is_empty(conn)
    reader.close()


def test_what_was_added_since_an_older_backup_takes_its_default(
    room: Room, store: MemoryStore, keep: Callable[[], backup.Kept], tmp_path: Path
) -> None:
    def older(told: dict[str, Any]) -> None:
        told["schema"] = revisions()[1]
        of_table(told, "cases")["columns"].remove("changed_since_report")

    reader = BackupReader(changed(store, keep().key, older, tmp_path / "changed"))
    require_known(reader.manifest)
    reader.close()


def test_an_exchange_without_a_site_has_nothing_to_back_up(room: Room, empty: Database) -> None:
    assert backup.is_anything_to_back_up(room.database)
    assert not backup.is_anything_to_back_up(empty)
