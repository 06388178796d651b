"""What verifying finds, in both directions, and what puts it right: over a folder and over S3."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from casework.custody import CustodyEvent
from storage import care, custodian
from storage.archive import Archive, SpoolLimits
from storage.database import Database
from storage.mirroring import Mirrorer
from storage.mover import Mover
from storage.objects import FolderStore, ObjectStore
from storage.objects.s3 import S3Store
from storage.rows import InstanceRow, instance_row
from storage.segments import segment_paths
from storage.tables import instances, packs
from storage.testing import fresh_database
from tests.storage.building import EXPLICIT_LE, ORIGIN, dataset, part10
from tests.storage.s3.servers import Server

pytestmark = pytest.mark.slow

STUDY = "1.2.3"
COUNT = 3


class Place:
    """A store, and what an accident does to it behind its back."""

    def __init__(self, store: ObjectStore, server: Server | None = None) -> None:
        self.store = store
        self._server = server

    def read(self, key: str) -> bytes:
        with self.store.open_range(key, 0, self.store.size(key)) as stream:
            return stream.read()

    def write(self, key: str, data: bytes) -> None:
        if isinstance(self.store, FolderStore):
            path = self.store.folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            return
        assert isinstance(self.store, S3Store)
        assert self._server is not None
        bucket = self.store.place.bucket
        self._server.client().put_object(bucket, key, io.BytesIO(data), len(data))

    def listed(self, prefix: str = "v1/") -> list[str]:
        return [o.key for o in self.store.list(prefix)]


@dataclass
class World:
    """An archive with one packed series of three objects, and a mirror beside it."""

    archive: Archive
    database: Database
    place: Place
    mirror: FolderStore
    sent: dict[str, bytes]

    @property
    def pack(self) -> str:
        (key,) = {row.location.container for row in self.rows().values()}
        return key

    def rows(self) -> dict[str, InstanceRow]:
        with self.database.read() as conn:
            found = [instance_row(row) for row in conn.execute(instances.select())]
        return {row.sop_instance_uid: row for row in found}

    def read_all(self) -> dict[str, bytes]:
        return {uid: self.archive.read_dataset(row) for uid, row in self.rows().items()}

    def fill_mirror(self) -> None:
        mirrorer = Mirrorer(self.archive, self.mirror)
        while mirrorer.run_once(self.archive.clock() + timedelta(minutes=1)):
            pass
        assert [o.key for o in self.mirror.list("v1/")] == [self.pack]

    def release_spool(self) -> None:
        self.archive.spool.seal_idle()
        self.archive.close()
        mover = Mover(self.archive, quiet_s=0, grace_s=0)
        now = self.archive.clock()
        for _ in range(3):
            now += timedelta(seconds=60)
            mover.run_once(now)
        assert segment_paths(self.archive.spool.folder) == []

    def sources(self) -> set[str]:
        """Return from where the ledger says that objects were repaired."""
        found = set()
        with self.database.read() as conn:
            for row in self.rows().values():
                for line in custodian.lines_of(conn, row.pk):
                    if line.event == CustodyEvent.VERIFIED and "repaired_from" in line.detail:
                        found.add(line.detail["repaired_from"])
        return found


@pytest.fixture(params=["folder", pytest.param("rclone", marks=pytest.mark.peers)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return Place(FolderStore(tmp_path / "store"))
    server: Server = request.getfixturevalue("rclone")
    return Place(S3Store(server.place()), server)


@pytest.fixture
def world(place: Place, tmp_path: Path) -> Iterator[World]:
    mirror = FolderStore(tmp_path / "mirror")
    with fresh_database(tmp_path) as database:
        archive = Archive(
            data=tmp_path / "data",
            database=database,
            store=place.store,
            limits=SpoolLimits(spool_bytes=1 << 30),
            mirror=mirror,
        )
        archive.start()
        sent = {}
        for number in range(COUNT):
            uid = f"1.2.3.{number}"
            sent[uid] = dataset(uid, number=number, pixels=bytes([number + 1] * 32), study=STUDY)
            archive.receive_part10(part10(sent[uid], uid, syntax=EXPLICIT_LE), ORIGIN)
        archive.settle()
        mover = Mover(archive, quiet_s=0)
        assert mover.run_once(archive.clock() + timedelta(seconds=1)).packs == 1
        yield World(archive, database, place, mirror, sent)
        archive.close()


def flip(world: World) -> None:
    data = bytearray(world.place.read(world.pack))
    data[data.index(bytes([2] * 32))] ^= 1
    world.place.write(world.pack, bytes(data))


def lose(world: World) -> None:
    world.place.store.delete(world.pack)


def cut(world: World) -> None:
    data = world.place.read(world.pack)
    world.place.write(world.pack, data[: data.index(bytes([2] * 32))])


def swap(world: World) -> None:
    """Let two members of the pack stand in each other's place."""
    data = world.place.read(world.pack)
    one, two = world.rows()["1.2.3.0"].location, world.rows()["1.2.3.1"].location
    assert one.length == two.length
    first, second = (data[at.offset : at.offset + at.length] for at in (one, two))
    changed = bytearray(data)
    changed[one.offset : one.offset + one.length] = second
    changed[two.offset : two.offset + two.length] = first
    world.place.write(world.pack, bytes(changed))


ACCIDENTS = {
    flip: {"1.2.3.1"},
    lose: {"1.2.3.0", "1.2.3.1", "1.2.3.2"},
    cut: {"1.2.3.1", "1.2.3.2"},
    swap: {"1.2.3.0", "1.2.3.1"},
}


@pytest.mark.parametrize("accident", ACCIDENTS)
@pytest.mark.parametrize("source", ["mirror", "spool", "nothing"])
def test_what_an_accident_damages_is_found_and_comes_back_from_where_it_is_whole(
    world: World, accident: object, source: str
) -> None:
    assert callable(accident)
    damaged, pack = ACCIDENTS[accident], world.pack  # type: ignore[index]
    if source == "mirror":
        world.fill_mirror()
    if source != "spool":
        world.release_spool()
    accident(world)
    spoilt = world.place.read(pack) if accident is not lose else b""
    found = care.verify(world.archive)
    names = {f"hammer {uid}" for uid in damaged} | {f"pack {pack}"}
    assert {*found.missing, *found.corrupt} == names
    assert bool(found.missing) == (accident is lose)
    assert care.verify(world.archive, study_uid=STUDY).left == found.left
    mended = care.verify(world.archive, repair=True)
    if source == "nothing":
        assert (mended.repaired, set(mended.left)) == ((), names)
        assert world.place.listed() == ([] if accident is lose else [pack])
        return
    assert (set(mended.repaired), mended.left) == (names, ())
    assert world.read_all() == world.sent
    assert world.sources() == {source}
    assert {f.repaired_from for f in mended.faults if f.sop_instance_uid} == {source}
    assert (world.pack == pack) == (source == "mirror")
    aside = world.place.listed("quarantine/")
    assert list(mended.set_aside) == aside
    assert [world.place.read(key) for key in aside] == ([spoilt] if spoilt else [])
    after = care.verify(world.archive)
    assert after == care.VerifyReport(checked=COUNT)
    assert after.packs_checked == 1


def test_members_that_are_whole_nowhere_stay_and_the_others_move(world: World) -> None:
    world.fill_mirror()
    world.release_spool()
    pack = world.pack
    cut(world)
    path = world.mirror.folder / pack
    spoilt = bytearray(path.read_bytes())
    spoilt[spoilt.index(bytes([3] * 32))] ^= 1  # of the mirror's pack one object is damaged
    path.write_bytes(spoilt)
    mended = care.verify(world.archive, repair=True)
    assert mended.repaired == ("hammer 1.2.3.1",)
    assert mended.left == ("hammer 1.2.3.2", f"pack {pack}")
    assert mended.set_aside == ()
    where = {uid: row.location.container for uid, row in world.rows().items()}
    assert (where["1.2.3.0"], where["1.2.3.2"]) == (pack, pack)
    assert world.archive.read_dataset(world.rows()["1.2.3.1"]) == world.sent["1.2.3.1"]
    assert where["1.2.3.1"] in world.place.listed()


def test_an_object_that_the_index_looks_for_in_the_wrong_place_is_found_by_its_pack(
    world: World,
) -> None:
    world.release_spool()
    wrong = world.rows()["1.2.3.0"].location
    with world.database.begin() as conn:
        conn.execute(
            update(instances)
            .where(instances.c.sop_instance_uid == "1.2.3.1")
            .values(offset=wrong.offset, length=wrong.length)
        )
    mended = care.verify(world.archive, repair=True)
    assert mended.repaired == ("hammer 1.2.3.1",)
    assert mended.set_aside == ()
    assert world.sources() == {"pack"}
    assert care.verify(world.archive) == care.VerifyReport(checked=COUNT)


def test_packs_and_members_that_the_index_does_not_know_are_named_for_their_study_too(
    world: World,
) -> None:
    pack = world.pack
    with world.database.begin() as conn:
        conn.execute(  # the index forgets one member of the pack
            update(instances)
            .where(instances.c.sop_instance_uid == "1.2.3.2")
            .values(sop_instance_uid="9.9.9", container="elsewhere", study_uid="9.9")
        )
    stranger = f"hammer 1.2.3.2 in pack {pack}"
    assert stranger in care.verify(world.archive).orphaned
    assert care.verify(world.archive, study_uid=STUDY).orphaned == (stranger,)
    with world.database.begin() as conn:  # and then the whole pack
        conn.execute(packs.delete())
        conn.execute(update(instances).values(container="elsewhere"))
    assert care.verify(world.archive, study_uid=STUDY).orphaned == (pack,)
    junk = "v1/hammer/ab/" + "ab" * 32 + ".zip"
    world.place.write(junk, b"no pack at all")
    assert set(care.verify(world.archive).orphaned) == {junk, pack}
    assert care.verify(world.archive, study_uid=STUDY).orphaned == (pack,)
    assert care.verify(world.archive, sample=1).orphaned == tuple(sorted((junk, pack)))
