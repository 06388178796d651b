"""What is kept in another form comes from the mirror in that form: read, repaired, rebuilt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from storage import care, mirror_rows, pack_checks
from storage.casebook_tables import sites
from storage.codec import SYNTAX_OF, Codec
from storage.database import Database
from storage.objects import FolderStore
from storage.rows import InstanceRow
from storage.scrub import Scrubber
from storage.soundness import fault_of
from storage.testing import fresh_database
from tests.storage.erasing import Clock, opened
from tests.storage.everywhere import OTHERS, World, let, spoil
from tests.storage.pictures import Picture, dataset_in

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give two images in another form, in a pack that the mirror has."""
    with fresh_database(tmp_path) as database:
        register_sites(database)
        let(database)
        clock = Clock()
        mirror = FolderStore(tmp_path / "mirror")
        with opened(tmp_path / "here", database, clock, mirror=mirror) as archive:
            world = World(tmp_path, database, clock, archive)
            world.receive(1, 2)
            world.pack()
            world.mirrored()
            assert all(row.received is not None for row in world.rows())
            yield world


def register_sites(database: Database) -> None:
    with database.begin() as conn:
        conn.execute(
            sites.insert(), [{"slug": "hammer", "name": "H", "kind": "hospital", "issuer": ""}]
        )


def original(number: int = 1) -> bytes:
    picture = Picture(seed=number + len(OTHERS) * int(OTHERS[-1]), frames=2)
    return picture.dataset(f"{OTHERS}.1.{number}", study=OTHERS, number=number)


def native(number: int, frame: int) -> bytes:
    pixels = Picture(seed=number + len(OTHERS) * int(OTHERS[-1]), frames=2).pixels
    size = len(pixels) // 2
    return pixels[size * (frame - 1) : size * frame]


def flip(world: World, row: InstanceRow) -> None:
    """Flip a bit in the pixels of an object where it lies in the store."""
    where = row.location
    spoil(world.folder / "here" / "store" / where.container, at=where.offset + where.length - 300)


def reads(world: World) -> dict[str, int]:
    assert world.archive.mirror is not None
    world.archive.close()  # what was counted is written down
    with world.database.read() as conn:
        return mirror_rows.reads(conn)


def test_every_way_of_reading_gives_the_mirrors_bytes_where_the_stores_are_damaged(
    world: World,
) -> None:
    archive, (row, _) = world.archive, world.rows()
    with archive.open_part10(row) as stream:
        kept = stream.read()
    frames = [archive.read_frame(row, n) for n in (1, 2)]
    flip(world, row)
    assert fault_of(archive, row) == "corrupt"
    with archive.open_part10(row) as stream:
        assert stream.read() == kept
    with archive.open_as_received(row) as stream:
        assert dataset_in(stream.read()) == original()
    assert [archive.read_frame(row, n) for n in (1, 2)] == frames
    assert frames[0].transfer_syntax_uid == SYNTAX_OF[Codec.HTJ2K]
    assert [archive.native_frame(row, n).data for n in (1, 2)] == [native(1, 1), native(1, 2)]
    with world.database.read() as conn:
        assert pack_checks.at_fault(conn) == {row.location.container: "corrupt"}
    assert reads(world)["corrupt"] >= 1


def test_a_lost_pack_is_read_frame_by_frame_from_the_mirror(world: World) -> None:
    archive, (row, _) = world.archive, world.rows()
    (world.folder / "here" / "store" / row.location.container).unlink()
    assert archive.native_frame(row, 2).data == native(1, 2)
    with archive.open_dataset_as_received(row) as stream:
        assert stream.read() == original()


@pytest.mark.parametrize("damage", ["flipped", "lost"])
def test_a_repair_from_the_mirror_keeps_the_form(world: World, damage: str) -> None:
    archive, before = world.archive, world.rows()
    if damage == "lost":
        (world.folder / "here" / "store" / before[0].location.container).unlink()
    else:
        flip(world, before[0])
    report = care.verify(archive, repair=True)
    assert (report.left, report.miscounted) == ((), ())
    assert {f.repaired_from for f in report.faults} == {"mirror"}
    assert world.rows() == before
    world.others_read_back(2)


def test_an_object_of_a_mirrors_pack_that_is_damaged_elsewhere_is_repaired_in_its_form(
    world: World,
) -> None:
    """Nothing else has the first, and the second is whole in the store only."""
    archive, (first, second) = world.archive, world.rows()
    flip(world, first)
    where = second.location
    spoil(world.folder / "mirror" / where.container, at=where.offset + where.length - 300)
    for path in (world.folder / "here" / "spool").glob("*.seg"):
        path.unlink()
    report = care.verify(archive, repair=True)
    assert report.left == ()
    for row, was in zip(world.rows(), (first, second), strict=True):
        assert replace(row, location=was.location) == was
    world.others_read_back(2)
    world.mirrored()
    assert care.verify(archive).is_clean


def test_scrubbing_finds_a_flipped_bit_in_another_form_in_the_store_itself(world: World) -> None:
    scrubber = Scrubber(world.archive, daily_bytes=1 << 30)
    scrubber.run_once(world.clock())
    row, _ = world.rows()
    flip(world, row)
    assert scrubber.run_once(world.clock() + timedelta(days=2))
    with world.database.read() as conn:
        assert pack_checks.standing(conn).hash_mismatch == 1


def test_merged_packs_in_another_form_are_replaced_in_the_mirror(world: World) -> None:
    world.receive(3)
    world.pack()
    before = {row.sop_instance_uid: row for row in world.rows()}
    world.merge()
    world.mirrored()
    (key,) = {row.location.container for row in world.rows()}
    assert world.archive.mirror is not None
    assert [o.key for o in world.archive.mirror.list("v1/")] == [key]
    for row in world.rows():
        was = before[row.sop_instance_uid]
        assert (row.received, row.kept_sha256) == (was.received, was.kept_sha256)
    flip(world, world.rows()[0])
    with world.archive.open_as_received(world.rows()[0]) as stream:
        assert dataset_in(stream.read()) == original()
