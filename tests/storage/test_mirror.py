"""The mirror: has all that the store has, waits for nobody, is read where the store fails."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from casework.errors import NotFound, Unavailable
from storage import backup, mirror_rows
from storage.archive import Archive, SpoolLimits
from storage.database import Database
from storage.merge import MergeRule
from storage.mirror_restore import restore_from_mirror
from storage.mirroring import Mirrorer
from storage.mover import Mover
from storage.objects import FolderStore, LateStore, MemoryStore, ObjectStore, open_mirror
from storage.objects.aside import put_right
from storage.pace import drain_s
from storage.pack_checks import at_fault
from storage.rows import InstanceRow, instance_row
from storage.tables import instances
from storage.testing import fresh_database
from tests.storage.building import EXPLICIT_LE, ORIGIN, dataset, part10

pytestmark = pytest.mark.slow


class Stubborn(MemoryStore):
    """A store that is away when it is told to be."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False
        self.puts = 0

    def put(self, key: str, source: Path | bytes, *, sha256: str) -> None:
        self._be_there()
        self.puts += 1
        super().put(key, source, sha256=sha256)

    def open_range(self, key: str, offset: int, length: int) -> BinaryIO:
        self._be_there()
        return super().open_range(key, offset, length)

    def size(self, key: str) -> int:
        self._be_there()
        return super().size(key)

    def exists(self, key: str) -> bool:
        self._be_there()
        return super().exists(key)

    def tidy(self) -> int:
        self._be_there()
        return super().tidy()

    def _be_there(self) -> None:
        if self.is_away:
            raise Unavailable("It is away.", code="store-down")

    def spoil(self, key: str) -> None:
        data = bytearray(self._objects[key])
        data[data.index(bytes(range(32)))] ^= 1
        self._objects[key] = bytes(data)

    def cut(self, key: str, size: int) -> None:
        self._objects[key] = self._objects[key][:size]


class World:
    """An archive with a mirror, and the worker's two hands."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.database = database
        self.store, self.mirror = Stubborn(), Stubborn()
        self.archive = Archive(
            data=folder,
            database=database,
            store=self.store,
            limits=SpoolLimits(spool_bytes=1 << 30),
            mirror=self.mirror,
        )
        self.archive.start()
        self.mover = Mover(
            self.archive, quiet_s=0, copies_grace_s=0, merge=MergeRule(packs=1, quiet_s=0)
        )
        self.mirrorer = Mirrorer(self.archive, self.mirror, backups_kept=1)
        self.now = self.archive.clock()

    def pack(self, *numbers: int) -> str:
        """Take objects of one series in, pack them, and return the key of the pack."""
        before = {o.key for o in self.store.list("v1/")}
        for number in numbers:
            uid = f"1.2.3.{number}"
            self.archive.receive_part10(
                part10(dataset(uid, number=number), uid, syntax=EXPLICIT_LE), ORIGIN
            )
        self.archive.settle()
        assert self.mover.run_once(self.later(1)).packed == len(numbers)
        (key,) = {o.key for o in self.store.list("v1/")} - before
        return key

    def later(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    def mirrored(self, *, after_s: float = 1) -> None:
        """Let the mirror catch up."""
        self.later(after_s)
        while self.mirrorer.run_once(self.now):
            pass

    def behind(self) -> mirror_rows.Behind:
        with self.database.read() as conn:
            return mirror_rows.behind(conn)

    def reads(self) -> dict[str, int]:
        with self.database.read() as conn:
            return mirror_rows.reads(conn)

    def instance(self, number: int = 1) -> InstanceRow:
        with self.database.read() as conn:
            found = conn.execute(
                instances.select().where(instances.c.sop_instance_uid == f"1.2.3.{number}")
            ).one()
            return instance_row(found)

    def keys(self, store: ObjectStore) -> list[str]:
        return [o.key for o in store.list("v1/")]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world over SQLite."""
    with fresh_database(tmp_path) as database:
        made = World(tmp_path / "data", database)
        yield made
        made.archive.close()


@pytest.fixture
def each_world(sited: Database, tmp_path: Path) -> Iterator[World]:
    """Give a world over each kind of database: what stands on its rows."""
    made = World(tmp_path / "data", sited)
    yield made
    made.archive.close()


def test_packs_and_backups_come_to_the_mirror_and_are_read_back(each_world: World) -> None:
    world = each_world
    key = world.pack(1, 2)
    kept = backup.back_up(
        world.database, world.store, world.archive.data / "packing", now=world.now
    )
    world.mirrored()
    assert [o.key for o in world.mirror.list()] == [kept.key, key]
    assert world.behind().objects == 0
    assert len(world.behind().trips) == 2
    world.mirrored()
    assert world.mirror.puts == 2


def test_while_the_mirror_is_away_packing_goes_on_and_the_rest_follows(each_world: World) -> None:
    world = each_world
    world.mirror.is_away = True
    first = world.pack(1)
    world.mirrored()
    second = world.pack(2)
    world.mirrored(after_s=600)
    behind = world.behind()
    assert (behind.objects, behind.trips) == (2, ())
    assert behind.size_bytes == world.store.size(first) + world.store.size(second)
    assert behind.oldest_at is not None
    assert world.archive.spool_status().mirroring_failure == "It is away."
    assert not world.mirrorer.run_once(world.later(1))  # it waits before it asks again
    world.mirror.is_away = False
    world.mirrored(after_s=600)
    assert world.keys(world.mirror) == world.keys(world.store)
    assert world.archive.spool_status().mirroring_failure == ""
    assert drain_s(10**6, world.behind().trips)


def test_a_copy_that_was_cut_short_by_a_stop_is_begun_again_at_the_next_start(
    each_world: World,
) -> None:
    world = each_world
    key = world.pack(1)
    world.mirrorer._notice(world.now)
    assert world.mirrorer._lease(world.later(60))  # a worker takes it, and dies
    assert world.mirrorer._lease(world.now) is None
    (world.archive.data / "packing" / ".mirror-left").write_bytes(b"half")
    world.mirrored()
    assert world.keys(world.mirror) == [key]
    assert not list((world.archive.data / "packing").glob(".mirror-*"))


def test_what_the_mirror_has_already_is_read_and_not_put_again(world: World) -> None:
    key = world.pack(1)
    world.mirror._objects[key] = world.store._objects[key]
    world.mirrored()
    assert (world.mirror.puts, world.behind().objects) == (0, 0)


def test_damaged_bytes_in_the_mirror_are_kept_aside_and_replaced(world: World) -> None:
    key = world.pack(1)
    world.mirrored()
    world.mirror.spoil(key)
    with world.database.begin() as conn:
        mirror_rows.look_again(conn, now=world.now)
    world.mirrored()
    assert world.mirror._objects[key] == world.store._objects[key]
    (aside,) = world.mirror.list("quarantine/")
    assert aside.key.startswith(f"quarantine/{key}.")


def test_a_pack_that_is_damaged_in_the_store_is_not_copied_and_is_flagged(world: World) -> None:
    key = world.pack(1)
    world.store.spoil(key)
    other = world.pack(2)
    world.mirrored()
    assert world.keys(world.mirror) == [other]
    assert (world.behind().objects, world.behind().failing) == (1, 1)
    with world.database.read() as conn:
        assert at_fault(conn) == {key: "corrupt"}


def test_merged_packs_leave_the_mirror_after_the_merged_one_is_there(each_world: World) -> None:
    world = each_world
    old = [world.pack(number) for number in (1, 2)]
    world.mirrored()
    assert sorted(old) == world.keys(world.mirror)
    assert world.mover.run_once(world.later(60)).merged == 2
    world.mover.run_once(world.later(60))
    (merged,) = world.keys(world.store)
    world.mirror.is_away = True
    world.mirrored(after_s=600)
    world.mirror.is_away = False
    assert sorted(old) == world.keys(world.mirror)
    world.mirrored(after_s=600)
    assert world.keys(world.mirror) == [merged]
    assert world.behind().objects == 0


def test_a_pack_leaves_not_while_what_is_kept_of_it_lies_elsewhere(world: World) -> None:
    key = world.pack(1, 2)
    world.mirrored()
    world.store.delete(key)
    with world.database.begin() as conn:
        conn.exec_driver_sql("DELETE FROM packs")  # the rows of the instances still speak of it
        conn.exec_driver_sql("UPDATE instances SET container = 'v1/hammer/00/other.zip'")
    world.mirrored(after_s=600)
    assert world.keys(world.mirror) == [key]


def test_a_pack_of_which_nothing_is_kept_leaves_the_mirror(each_world: World) -> None:
    world = each_world
    key = world.pack(1)
    world.mirrored()
    world.store.delete(key)
    with world.database.begin() as conn:  # as an erasure leaves it
        conn.exec_driver_sql("DELETE FROM packs")
        conn.exec_driver_sql("UPDATE instances SET sop_instance_uid = '9.9'")
    world.mirrored(after_s=600)
    assert world.keys(world.mirror) == []


def test_old_backups_leave_the_mirror_by_number_and_never_because_the_store_is_empty(
    world: World,
) -> None:
    folder = world.archive.data / "packing"
    for _ in range(2):
        backup.back_up(world.database, world.store, folder, now=world.later(100))
        world.mirrored(after_s=600)
    assert len(backup.backups(world.mirror)) == 1
    for kept in backup.backups(world.store):
        world.store.delete(kept.key)
    world.mirrored(after_s=600)
    assert len(backup.backups(world.mirror)) == 1


def test_an_empty_place_is_not_the_mirror_that_was_filled(world: World) -> None:
    world.pack(1)
    world.mirrored()
    world.mirror._objects.clear()
    world.pack(2)
    world.mirrored(after_s=600)
    assert "Is it mounted" in world.archive.spool_status().mirroring_failure
    assert world.keys(world.mirror) == []
    with world.database.begin() as conn:
        mirror_rows.look_again(conn, now=world.now)
    world.mirrored(after_s=600)
    assert world.keys(world.mirror) == world.keys(world.store)


def test_a_mirror_that_cannot_be_made_is_away_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    mirror = open_mirror(str(tmp_path / "file" / "mirror"), tmp_path)
    assert isinstance(mirror, LateStore)
    assert mirror.describe().startswith("folder ")
    with pytest.raises(Unavailable) as told:
        mirror.exists("v1/a")
    assert told.value.code == "mirror-failed"
    assert open_mirror("", tmp_path) is None


def both_ways(world: World, number: int = 1) -> list[bytes]:
    ref = world.instance(number)
    with world.archive.open_part10(ref) as stream:
        streamed = stream.read()
    return [streamed, world.archive.read_part10(ref)]


def test_what_the_store_has_lost_is_read_from_the_mirror_counted_and_flagged(
    world: World,
) -> None:
    key = world.pack(1)
    world.mirrored()
    whole = world.archive.read_part10(world.instance())
    world.store.delete(key)
    assert both_ways(world) == [whole, whole]
    assert world.archive.read_frame(world.instance(), 1).data == bytes(range(32))
    world.archive.close()
    assert world.reads() == {"missing": 3}
    with world.database.read() as conn:
        assert at_fault(conn) == {key: "missing"}


def test_bytes_without_their_hash_are_never_given_out(world: World) -> None:
    key = world.pack(1)
    world.mirrored()
    whole = world.archive.read_part10(world.instance())
    world.store.spoil(key)
    assert both_ways(world) == [whole, whole]
    assert world.archive.read_frame(world.instance(), 1).data == bytes(range(32))
    assert world.archive.read_dataset(world.instance()).endswith(bytes(range(32)))
    with world.database.read() as conn:
        assert at_fault(conn) == {key: "corrupt"}
    world.mirror.spoil(key)
    with pytest.raises(Unavailable) as told:
        world.archive.read_part10(world.instance())
    assert told.value.code == "hash-mismatch"


def test_a_pack_that_is_cut_off_is_read_on_from_the_mirror(world: World) -> None:
    key = world.pack(1)
    world.mirrored()
    ref = world.instance()
    whole = world.archive.read_part10(ref)
    world.store.cut(key, ref.location.offset + 10)
    assert both_ways(world) == [whole, whole]
    assert world.reads() != {}


def test_while_the_store_is_away_the_mirror_answers_without_asking_it_each_time(
    world: World,
) -> None:
    world.pack(1)
    world.mirrored()
    whole = world.archive.read_part10(world.instance())
    world.store.is_away = True
    assert both_ways(world) == [whole, whole]
    with world.database.read() as conn:
        assert at_fault(conn) == {}
    world.mirror.is_away = True
    with pytest.raises(Unavailable):
        world.archive.read_part10(world.instance())


def test_an_object_too_large_to_hold_ends_with_an_error_and_comes_from_the_mirror_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.checked_reading._HELD_BYTES", 10)
    key = world.pack(1)
    world.mirrored()
    with world.archive.open_part10(world.instance()) as stream:
        whole = stream.read()
    world.store.spoil(key)
    with world.archive.open_part10(world.instance()) as stream, pytest.raises(Unavailable):
        stream.read()
    with world.archive.open_part10(world.instance()) as stream:
        assert stream.read() == whole


def test_the_verifier_still_sees_what_is_wrong_with_the_store_itself(world: World) -> None:
    key = world.pack(1)
    world.mirrored()
    world.store.delete(key)
    with pytest.raises(NotFound):
        world.archive.open_in_place(world.instance())


def test_a_store_is_filled_from_its_mirror_and_what_is_cut_short_is_kept_aside(
    world: World, tmp_path: Path
) -> None:
    first, second, third = (world.pack(number) for number in (1, 2, 3))
    backup.back_up(world.database, world.store, world.archive.data / "packing", now=world.now)
    world.mirrored()
    was = dict(world.store._objects)
    world.store.delete(first)
    world.store.cut(second, 100)
    done = restore_from_mirror(world.store, world.mirror, tmp_path / "folder")
    assert (done.objects, done.there, done.damaged) == (2, 2, [])
    (aside,) = done.set_aside
    assert {k: v for k, v in world.store._objects.items() if k != aside} == was
    world.store.delete(third)
    world.mirror.spoil(third)
    again = restore_from_mirror(world.store, world.mirror, tmp_path / "folder")
    assert (again.objects, again.damaged) == (0, [third])


def test_a_folder_moves_damaged_bytes_aside_as_they_are(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    good = tmp_path / "good"
    good.write_bytes(b"good")
    sha256 = hashlib.sha256(b"good").hexdigest()
    key = f"v1/hammer/{sha256[:2]}/{sha256}.zip"
    (store.folder / key).parent.mkdir(parents=True)
    (store.folder / key).write_bytes(b"evil")
    aside = put_right(store, key, good, sha256=sha256)
    assert (store.folder / aside).read_bytes() == b"evil"
    assert (store.folder / key).read_bytes() == b"good"
    assert [o.key for o in store.list("v1/")] == [key]
