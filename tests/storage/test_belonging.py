"""Whose a store is, and of which version: marks in it, and what is done when they are not ours."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from casework.errors import Unavailable
from casework.model import Actor, SiteKind
from storage import backup, data_folder
from storage.archive import utc_now
from storage.belonging import (
    FORMAT,
    Belonging,
    Mark,
    identity,
    is_ours,
    mark_as_ours,
    marks,
    require_known_format,
)
from storage.database import Database
from storage.ledger import Ledger
from storage.objects import FolderStore, ObjectStore
from tests.told import in_the_table

ADMIN = Actor("user:1", "Ola", "nordlys", SiteKind.CENTRE)
OTHER = "ab" * 32


@pytest.fixture
def begun(sited: Database) -> Database:
    """Give a database whose exchange has an identity."""
    Ledger(sited).append(None, actor=ADMIN, action="site-added", subject="hammer")
    return sited


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def put_mark(store: ObjectStore, exchange: str, version: int = FORMAT) -> None:
    content = b"{}"
    key = f"exchange/{exchange}/format-{version}.json"
    store.put(key, content, sha256=hashlib.sha256(content).hexdigest())


def test_store_of_nobody_becomes_ours_once(begun: Database, store: FolderStore) -> None:
    us = identity(begun)
    assert us is not None
    for _ in range(2):
        Belonging(begun, store).require()
    assert marks(store) == [Mark(us, FORMAT)]
    (kept,) = store.list()
    told = json.loads((store.folder / kept.key).read_bytes())
    assert (told["exchange"], told["format"]) == (us, FORMAT)
    assert is_ours(kept.key)


def test_exchange_that_has_done_nothing_yet_marks_nothing(
    sited: Database, store: FolderStore
) -> None:
    Belonging(sited, store).require()
    assert list(store.list()) == []


def test_store_of_another_is_refused_until_an_operator_says_so(
    begun: Database, store: FolderStore
) -> None:
    put_mark(store, OTHER)
    with pytest.raises(Unavailable) as told:
        Belonging(begun, store).require()
    in_the_table("store-of-another", told.value.message)
    assert marks(store) == [Mark(OTHER, FORMAT)]
    mark_as_ours(begun, store)
    Belonging(begun, store).require()
    assert len(marks(store)) == 2


def test_store_with_backups_from_before_there_were_marks_is_another_s(
    begun: Database, store: FolderStore, tmp_path: Path
) -> None:
    backup.back_up(begun, store, tmp_path / "packing", now=utc_now())
    with pytest.raises(Unavailable) as told:
        Belonging(begun, store).require()
    in_the_table("store-of-another", told.value.message)


def test_store_of_a_newer_layout_is_refused(begun: Database, store: FolderStore) -> None:
    put_mark(store, str(identity(begun)), FORMAT + 1)
    for ask in (Belonging(begun, store).require, lambda: require_known_format(store)):
        with pytest.raises(Unavailable) as told:
            ask()
        in_the_table("store-newer", told.value.message)


@pytest.mark.parametrize("said", ["2", "99", "", "one", "2 of them"])
def test_data_folder_of_a_newer_version_is_refused_and_stays_as_it_is(
    tmp_path: Path, said: str
) -> None:
    path = tmp_path / data_folder.FILE_NAME
    path.write_text(said)
    with pytest.raises(Unavailable) as told:
        data_folder.settle_format(tmp_path)
    in_the_table("data-newer", told.value.message)
    assert (path.read_text(), [p.name for p in tmp_path.iterdir()]) == (said, [path.name])


def test_new_data_folder_gets_our_version(tmp_path: Path) -> None:
    for _ in range(2):
        data_folder.settle_format(tmp_path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("data-format", "1\n")]
