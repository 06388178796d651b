"""What is erased goes from the mirror, from what is kept aside, and in whatever form it is kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from casework.access import Scope
from casework.errors import LysbroError
from storage import belonging, care, mirror_rows, tombstones
from storage.backup import backups
from storage.database import Database
from storage.erasing import Erasures
from storage.index import Index
from storage.mirror_restore import restore_from_mirror
from storage.mirroring import Mirrorer
from storage.mover import packing_folder
from storage.objects import FolderStore
from storage.objects.aside import QUARANTINE
from storage.packs import sha256_of_key
from storage.rebuild import rebuild
from storage.testing import fresh_database
from tests.databases import ON_SQLITE
from tests.storage.archives import Clock
from tests.storage.erasing import (
    erase,
    finish,
    opened,
    receive_twin_in_other_study,
)
from tests.storage.everywhere import OTHERS, STUDY, Away, World, let, spoil

pytestmark = pytest.mark.slow


@pytest.fixture
def world(sited: Database, tmp_path: Path, clock: Clock) -> Iterator[World]:
    let(sited)
    mirror = FolderStore(tmp_path / "mirror")
    with opened(tmp_path / "here", sited, clock, mirror=mirror) as archive:
        yield World(tmp_path, sited, clock, archive)


def fill(world: World) -> None:
    """Take objects in, merged, recompressed, kept aside, mirrored; with two backups."""
    world.receive(1, 2, study=STUDY)
    world.receive(1, 2)
    world.pack()
    world.mirrored()
    world.back_up()
    world.receive(3, study=STUDY)
    world.receive(3)
    world.pack()
    world.back_up()
    world.mirrored()


def rebuilt(world: World, folder: Path, store: FolderStore) -> tuple[int, int]:
    """Rebuild an empty exchange from the mirror, finish its erasures; return what came, and not."""
    mirror = world.archive.mirror
    assert mirror is not None
    restore_from_mirror(store, mirror, folder / "restoring")
    with (
        fresh_database(folder) as empty,
        opened(folder / "here", empty, world.clock, store=store, mirror=mirror) as other,
    ):
        report = rebuild(other)
        assert report.is_whole
        mirrorer = Mirrorer(other, mirror)
        for erasure in Erasures(empty, world.clock, node="here").listed():
            finish(other, world.clock, erasure.stone.id)
            while mirrorer.run_once(world.clock.later(61)):
                pass
            assert finish(other, world.clock, erasure.stone.id) == "done"
        rows = Index(empty).instances_of(
            Scope(sites=None, specialties=None, own_site="centre"), OTHERS
        )
        before = {row.sop_instance_uid: row for row in world.rows()}
        for row in rows:
            was = before[row.sop_instance_uid]
            assert (row.received, row.bytes_sha256) == (was.received, was.bytes_sha256)
        report_of_all = care.verify(other)
        assert (report_of_all.is_clean, report_of_all.orphaned) == (True, ())
        return report.instances, report.erased


def test_no_byte_of_the_erased_is_left_in_store_mirror_or_aside(world: World) -> None:
    fill(world)
    assert all(row.received is not None for row in world.rows(STUDY))
    keys = sorted({row.location.container for row in world.rows(STUDY)})
    world.spoil(keys[0])  # in the store, and repaired from the mirror
    assert care.verify(world.archive, repair=True).set_aside
    spoil(world.folder / "mirror" / keys[1])
    with world.database.begin() as conn:
        mirror_rows.look_again(conn, now=world.clock())
    world.mirrored()
    assert len(list(world.archive.mirror.list(QUARANTINE))) == 1  # type: ignore[union-attr]
    (kept, *_) = backups(world.store)
    world.spoil(kept.key)
    assert care.verify(world.archive, repair=True).set_aside
    where = {name.partition("/")[0] for name in world.left()}
    assert {"here", "mirror"} <= where

    erasure = erase(world.archive, world.clock)
    assert finish(world.archive, world.clock, erasure) == "done"

    assert world.left() == []
    assert len(backups(world.store)) == len(backups(world.archive.mirror)) == 2  # type: ignore[arg-type]
    world.others_read_back(3)
    world.mirrored()
    mirror = world.archive.mirror
    assert mirror is not None
    assert [o.key for o in world.store.list()] == [o.key for o in mirror.list()]
    assert list(world.store.list(QUARANTINE)) == []
    with world.database.read() as conn:
        assert mirror_rows.behind(conn).objects == 0
    assert world.archive.spool_status().mirroring_failure == ""


def test_a_pack_with_others_in_it_leaves_the_mirror_once_the_new_one_is_there(
    world: World,
) -> None:
    fill(world)
    world.receive_twin(1)  # these two lie in a pack of the others
    receive_twin_in_other_study(world.archive, 2)
    world.pack()
    world.mirrored()
    world.merge()
    world.mirrored()
    shutil.copytree(world.folder / "mirror", world.folder.parent / "mirror-of-old")
    was = {row.sop_instance_uid: row for row in world.rows()}
    erasure = erase(world.archive, world.clock)
    told = finish(world.archive, world.clock, erasure)
    if told != "done":
        assert "mirror" in told
        world.mirrored()
        world.clock.later(60)
        told = finish(world.archive, world.clock, erasure)
    assert told == "done"
    assert world.left(b"ZEBEDEUS^MARKER", b"PIXEL-MARKER-16!") == []
    for row in world.rows():
        before = was[row.sop_instance_uid]
        assert (row.received, row.kept_sha256) == (before.received, before.kept_sha256)
        with world.archive.database.read() as conn:
            assert mirror_rows.is_kept(conn, row.location.container)
    world.others_read_back(3)

    old = world.folder.parent / "mirror-of-old"
    shutil.copytree(old, world.folder / "mirror", dirs_exist_ok=True)  # all comes back
    shutil.rmtree(old)
    (world.folder / "again").mkdir()
    store = FolderStore(world.folder / "again" / "store")
    assert rebuilt(world, world.folder / "again", store) == (3, 5)
    assert world.left(b"ZEBEDEUS^MARKER", b"PIXEL-MARKER-16!") == []


@ON_SQLITE
def test_while_the_mirror_is_away_all_else_is_erased_and_the_rest_follows(
    sited: Database, tmp_path: Path, clock: Clock
) -> None:
    let(sited)
    mirror = Away(tmp_path / "mirror")
    with opened(tmp_path / "here", sited, clock, mirror=mirror) as archive:
        world = World(tmp_path, sited, clock, archive)
        fill(world)
        mirror.is_away = True
        erasure = erase(archive, clock)
        told = finish(archive, clock, erasure)
        assert told.startswith("cleaning It is not out of the mirror")
        assert "It is away" in told
        assert {name.partition("/")[0] for name in world.left()} == {"mirror"}
        mirror.is_away = False
        assert finish(archive, clock, erasure) == told  # it is not asked again at once
        clock.later(31)
        assert finish(archive, clock, erasure) == "done"
        assert world.left() == []
        world.others_read_back(3)


@ON_SQLITE
def test_who_has_begun_to_fetch_it_is_given_nothing_of_it_out_of_the_mirror(
    sited: Database, tmp_path: Path, clock: Clock
) -> None:
    let(sited)
    mirror = Away(tmp_path / "mirror")
    with opened(tmp_path / "here", sited, clock, mirror=mirror) as archive:
        world = World(tmp_path, sited, clock, archive)
        fill(world)
        begun = world.rows(STUDY)
        mirror.is_away = True  # for an erasure; it can be read
        finish(archive, clock, erase(archive, clock))
        for row in begun:
            for fetch in (
                lambda row=row: archive.open_part10(row).read(),
                lambda row=row: archive.open_as_received(row).read(),
                lambda row=row: archive.read_frame(row, 1),
            ):
                with pytest.raises(LysbroError):
                    fetch()
        (tmp_path / "here" / "store" / world.rows()[0].location.container).unlink()
        with archive.open_part10(world.rows()[0]) as stream:  # what stays is read from there
            assert stream.read()


@ON_SQLITE
def test_an_empty_place_is_not_taken_for_the_mirror(world: World) -> None:
    fill(world)
    (world.folder / "mirror").rename(world.folder / "unmounted")
    (world.folder / "mirror").mkdir()
    erasure = erase(world.archive, world.clock)
    assert "Is it mounted" in finish(world.archive, world.clock, erasure)
    assert list((world.folder / "mirror").rglob("*.json")) == []
    shutil.rmtree(world.folder / "mirror")
    (world.folder / "unmounted").rename(world.folder / "mirror")
    world.clock.later(31)
    assert finish(world.archive, world.clock, erasure) == "done"
    assert world.left() == []


@ON_SQLITE
@pytest.mark.parametrize("kind", ["v1/", "backup/"])
def test_a_copy_that_was_under_way_meanwhile_does_not_stay(world: World, kind: str) -> None:
    world.receive(1, study=STUDY)
    world.pack()
    world.back_up()
    put = world.archive.mirror.put  # type: ignore[union-attr]
    done: list[str] = []

    def erased_meanwhile(key: str, source: Path | bytes, *, sha256: str) -> None:
        if isinstance(source, Path) and key.startswith(kind) and not done:
            done.append(key)
            content = source.read_bytes()
            source.unlink()  # it lies in the data folder of another node
            erasure = erase(world.archive, world.clock)
            assert finish(world.archive, world.clock, erasure) == "done"
            put(key, content, sha256=sha256)
        else:
            put(key, source, sha256=sha256)

    world.archive.mirror.put = erased_meanwhile  # type: ignore[union-attr,method-assign]
    world.mirrored()
    assert done
    assert world.left() == []


@ON_SQLITE
def test_a_rebuild_from_the_mirror_brings_nothing_back_and_keeps_the_form(world: World) -> None:
    fill(world)
    shutil.copytree(world.folder / "mirror", world.folder.parent / "old-mirror")
    erasure = erase(world.archive, world.clock)
    assert finish(world.archive, world.clock, erasure) == "done"
    belonging.mark_as_ours(world.database, world.store)
    world.mirrored()
    marks = [o.key for o in world.store.list() if o.key.startswith(("erased/", "exchange/"))]
    assert len(marks) == 2
    first = world.folder / "first"
    first.mkdir()
    store = FolderStore(first / "store")
    assert rebuilt(world, first, store) == (3, 0)
    assert [o.key for o in store.list() if o.key.startswith(("erased/", "exchange/"))] == marks
    assert world.left() == []

    old = world.folder.parent / "old-mirror"
    shutil.copytree(old, world.folder / "mirror", dirs_exist_ok=True)  # all comes back
    shutil.rmtree(old)
    second = world.folder / "second"
    second.mkdir()
    assert rebuilt(world, second, FolderStore(second / "store")) == (3, 3)
    assert world.left() == []


@ON_SQLITE
def test_a_repair_of_a_lost_store_brings_the_tombstone_back_and_nothing_of_the_erased(
    world: World,
) -> None:
    fill(world)
    erasure = erase(world.archive, world.clock)
    assert finish(world.archive, world.clock, erasure) == "done"
    world.mirrored()
    (stone,) = tombstones.in_store(world.store)
    shutil.rmtree(world.folder / "here" / "store")
    FolderStore(world.folder / "here" / "store")  # an empty one in its place
    assert care.verify(world.archive, repair=True).left == ()
    assert tombstones.in_store(world.store) == [stone]
    world.others_read_back(3)
    assert world.left() == []


@ON_SQLITE
def test_a_lost_pack_that_holds_others_is_repaired_before_the_erasure_goes_on(
    world: World,
) -> None:
    world.receive(1, study=STUDY)
    world.receive(1)
    receive_twin_in_other_study(world.archive, 1)
    world.pack()
    world.mirrored()
    (key,) = {row.location.container for row in world.rows()}
    (world.folder / "here" / "store" / key).unlink()
    erasure = erase(world.archive, world.clock)
    assert "lysbro verify --repair" in finish(world.archive, world.clock, erasure)
    assert care.verify(world.archive, repair=True).left == ()
    world.clock.later(31)
    finish(world.archive, world.clock, erasure)
    world.mirrored()
    world.clock.later(61)
    assert finish(world.archive, world.clock, erasure) == "done"
    assert world.left(b"ZEBEDEUS^MARKER", b"PIXEL-MARKER-16!") == []
    world.others_read_back(1)


@ON_SQLITE
def test_a_repair_that_was_under_way_meanwhile_brings_nothing_back(world: World) -> None:
    fill(world)
    for path in world.archive.spool.folder.glob("*.seg"):
        path.unlink()
    lost = world.folder / "here" / "store" / world.rows(STUDY)[0].location.container
    lost.unlink()
    put = world.archive.store.put
    done: list[str] = []

    def erased_meanwhile(key: str, source: Path | bytes, *, sha256: str) -> None:
        if not done:
            done.append(key)
            erasure = erase(two, world.clock)
            assert finish(two, world.clock, erasure) == "done"
        put(key, source, sha256=sha256)

    places = {"store": world.store, "mirror": world.archive.mirror}
    folder = world.folder / "two"
    with opened(folder, world.database, world.clock, node="two", **places) as two:  # type: ignore[arg-type]
        world.archive.store.put = erased_meanwhile  # type: ignore[method-assign]
        care.verify(world.archive, repair=True)
    assert done
    assert world.left() == []


@ON_SQLITE
def test_a_mirror_that_is_not_set_any_more_is_waited_for_until_it_is_forgotten(
    world: World,
) -> None:
    world.receive(1, study=STUDY)
    world.pack()
    world.mirrored()
    world.archive.mirror = None
    erasure = erase(world.archive, world.clock)
    assert "`lysbro mirror --forget`" in finish(world.archive, world.clock, erasure)
    with world.database.begin() as conn:
        assert mirror_rows.forget_all(conn) == 1
    world.clock.later(31)
    assert finish(world.archive, world.clock, erasure) == "done"


class Versioned(FolderStore):
    """A store that keeps what is deleted, until it is erased by its key."""

    def delete(self, key: str) -> None:
        hidden = self.folder / "versions" / key
        hidden.parent.mkdir(parents=True, exist_ok=True)
        if self.exists(key):
            shutil.copy(self.folder / key, hidden)
        super().delete(key)

    def erase(self, key: str) -> None:
        super().delete(key)
        (self.folder / "versions" / key).unlink(missing_ok=True)


@ON_SQLITE
def test_hidden_versions_of_packs_that_had_left_the_mirror_before_go_as_well(
    sited: Database, tmp_path: Path, clock: Clock
) -> None:
    let(sited)
    store, mirror = Versioned(tmp_path / "here" / "store"), Versioned(tmp_path / "mirror")
    with opened(tmp_path / "here", sited, clock, store=store, mirror=mirror) as archive:
        world = World(tmp_path, sited, clock, archive)
        for number in (1, 2):
            world.receive(number, study=STUDY)
            world.receive(number)
            world.pack()
            world.mirrored()
        world.merge()
        world.mirrored()
        assert {name.split("/")[1] for name in world.left() if name.startswith("mirror")} == {
            "v1",
            "versions",
        }
        assert finish(archive, clock, erase(archive, clock)) == "done"
        assert world.left() == []


@ON_SQLITE
def test_what_a_killed_copy_to_the_mirror_left_on_the_disk_goes(world: World) -> None:
    fill(world)
    packing = packing_folder(world.archive.data)
    for number, row in enumerate(world.rows(STUDY)):
        name = (".mirror-cut", ".aside-cut", ".repair-cut")[number]
        shutil.copy(world.folder / "here" / "store" / row.location.container, packing / name)
    (kept, *_) = backups(world.store)
    shutil.copy(world.folder / "here" / "store" / kept.key, packing / ".mirror-backup-cut")
    erasure = erase(world.archive, world.clock)
    assert "is in use" in finish(world.archive, world.clock, erasure)
    for path in packing.glob(".*-cut"):
        os.utime(path, (0, 0))
    world.clock.later(31)
    assert finish(world.archive, world.clock, erasure) == "done"
    assert world.left() == []
    assert list(packing.glob(".*-cut")) == []


@ON_SQLITE
def test_a_damaged_copy_of_which_nothing_can_be_read_but_the_study_goes(world: World) -> None:
    world.receive(1, study=STUDY)
    world.receive(1)
    world.pack()
    for rows in (world.rows(STUDY), world.rows()):
        key = rows[0].location.container
        data = (world.folder / "here" / "store" / key).read_bytes()
        name = f"{QUARANTINE}v1/hammer/{'0' * 2}/{sha256_of_key(key)}.zip.0123456789abcdef"
        path = world.folder / "here" / "store" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data[: len(data) // 2].replace(b"PK\x03\x04", b"PK\x00\x00"))
    erasure = erase(world.archive, world.clock)
    assert finish(world.archive, world.clock, erasure) == "done"
    assert world.left() == []
    assert len(list(world.store.list(QUARANTINE))) == 1
