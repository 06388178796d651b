"""What every object store does, asked of each implementation in the same words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from casework.errors import Conflict, Invalid, NotFound, Unavailable
from storage.objects import (
    FolderStore,
    MemoryStore,
    ObjectInfo,
    ObjectStore,
    read_range,
    sha256_of_object,
)
from storage.objects.s3 import S3Store
from tests.storage.s3.servers import Server

OPENERS: dict[str, Callable[[Path], ObjectStore]] = {
    "folder": lambda folder: FolderStore(folder / "store"),
    "memory": lambda folder: MemoryStore(),
}
SERVERS = ("rclone", "swift", "moto")


@pytest.fixture(
    params=[*sorted(OPENERS), *(pytest.param(name, marks=pytest.mark.peers) for name in SERVERS)]
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    if request.param in OPENERS:
        yield OPENERS[request.param](tmp_path)
        return
    server: Server = request.getfixturevalue(request.param)
    opened = S3Store(server.place(), found_in=tmp_path / "self-test.json")
    yield opened
    opened.close()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def put(store: ObjectStore, key: str, data: bytes) -> None:
    store.put(key, data, sha256=sha256(data))


def test_what_is_put_can_be_read_whole_and_in_part(store: ObjectStore) -> None:
    data = bytes(range(256)) * 5000
    put(store, "v1/skarnes/ab/one.zip", data)
    assert store.exists("v1/skarnes/ab/one.zip")
    assert store.size("v1/skarnes/ab/one.zip") == len(data)
    assert read_range(store, "v1/skarnes/ab/one.zip", 0, len(data)) == data
    assert read_range(store, "v1/skarnes/ab/one.zip", 1000, 77) == data[1000:1077]
    assert read_range(store, "v1/skarnes/ab/one.zip", len(data) - 1, 1) == data[-1:]
    assert sha256_of_object(store, "v1/skarnes/ab/one.zip") == sha256(data)


def test_a_file_can_be_put(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 3_000_000)
    store.put("a/file", source, sha256=sha256(source.read_bytes()))
    assert store.size("a/file") == 3_000_000
    assert source.exists()


def test_an_empty_object_can_be_put(store: ObjectStore) -> None:
    put(store, "a/empty", b"")
    assert store.size("a/empty") == 0
    assert read_range(store, "a/empty", 0, 0) == b""


def test_the_same_bytes_again_are_a_success(store: ObjectStore) -> None:
    put(store, "a/b", b"same")
    put(store, "a/b", b"same")
    assert read_range(store, "a/b", 0, 4) == b"same"


@pytest.mark.parametrize("other", [b"diff", b"longer than before", b""])
def test_other_bytes_under_a_key_are_refused_and_the_first_stay(
    store: ObjectStore, other: bytes
) -> None:
    put(store, "a/b", b"same")
    with pytest.raises(Conflict) as caught:
        put(store, "a/b", other)
    assert caught.value.code == "object-differs"
    assert read_range(store, "a/b", 0, 4) == b"same"


def test_bytes_without_their_hash_are_refused_and_leave_nothing(store: ObjectStore) -> None:
    with pytest.raises(Invalid) as caught:
        store.put("a/b", b"rotten", sha256=sha256(b"sound"))
    assert caught.value.code == "hash-mismatch"
    assert not store.exists("a/b")
    assert list(store.list()) == []


def test_an_object_that_is_not_there_is_not_found(store: ObjectStore) -> None:
    assert not store.exists("a/none")
    with pytest.raises(NotFound):
        store.size("a/none")
    with pytest.raises(NotFound):
        store.open_range("a/none", 0, 1)


def test_a_stretch_past_the_end_is_said_to_be_short(store: ObjectStore) -> None:
    put(store, "a/b", b"12345")
    with pytest.raises(Unavailable) as caught:
        read_range(store, "a/b", 3, 10)
    assert caught.value.code == "object-short"


def test_a_listing_is_by_prefix_and_in_order(store: ObjectStore) -> None:
    for key in ("v1/b/2", "v1/a/1", "v2/a/1", "v1/a/0"):
        put(store, key, key.encode())
    assert list(store.list("v1/")) == [
        ObjectInfo("v1/a/0", 6),
        ObjectInfo("v1/a/1", 6),
        ObjectInfo("v1/b/2", 6),
    ]
    assert [o.key for o in store.list("v1/a/1")] == ["v1/a/1"]
    assert len(list(store.list())) == 4
    assert list(store.list("v3/")) == []


@pytest.mark.parametrize("key", ["", "/a", "a//b", "../a", "a/../b", "A", "a b", "a/", ".a"])
def test_a_key_of_another_form_is_a_defect(store: ObjectStore, key: str) -> None:
    with pytest.raises(ValueError):
        put(store, key, b"")


def test_many_puts_of_one_key_at_once_leave_one_whole_object(store: ObjectStore) -> None:
    data = b"z" * 200_000
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: put(store, "v1/race", data), range(16)))
    assert [o.key for o in store.list()] == ["v1/race"]
    assert sha256_of_object(store, "v1/race") == sha256(data)


def test_an_object_that_is_deleted_is_gone_and_no_other(store: ObjectStore) -> None:
    put(store, "v1/a", b"one")
    put(store, "v1/b", b"two")
    store.delete("v1/a")
    assert not store.exists("v1/a")
    assert [o.key for o in store.list()] == ["v1/b"]
    store.delete("v1/a")  # a repeat is a success
    store.delete("v2/never/there")
    put(store, "v1/a", b"other bytes under a key that is free again")
    with pytest.raises(ValueError):
        store.delete("../a")


def test_tidying_while_others_put_costs_none_of_them_anything(store: ObjectStore) -> None:
    data = b"z" * 100_000
    with ThreadPoolExecutor(4) as pool:
        puts = [pool.submit(put, store, f"v1/{i}", data) for i in range(60)]
        while not all(future.done() for future in puts):
            store.tidy()
        for future in puts:
            future.result()
    assert len(list(store.list("v1/"))) == 60
    assert store.tidy() == 0


def test_tidying_leaves_objects_alone(store: ObjectStore) -> None:
    put(store, "a/b", b"kept")
    assert store.tidy() == 0
    assert store.exists("a/b")


def test_a_store_says_where_it_is(store: ObjectStore) -> None:
    assert store.describe()


def test_what_is_erased_is_gone_and_may_be_put_again(store: ObjectStore) -> None:
    put(store, "v1/a", b"gone")
    put(store, "v1/ab", b"stays")
    store.erase("v1/a")
    store.erase("v1/a")
    assert not store.exists("v1/a")
    assert [o.key for o in store.list()] == ["v1/ab"]
    put(store, "v1/a", b"other")
    assert read_range(store, "v1/a", 0, 5) == b"other"
