"""The room ahead of small records: no damage, given back, and nothing stale in it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from casework.custody import Receipt
from casework.errors import Invalid, Unavailable
from storage import segments as module
from storage.archive import Archive, SpoolLimits
from storage.database import Database
from storage.journal import Damage, Entry, Part, Seal, Unused, scan
from storage.objects import MemoryStore
from storage.part10 import EXPLICIT_LE
from storage.positions import positions
from storage.segments import FIRST_ROOM_BYTES, LONGEST_ROOM_BYTES, read_segment_header
from tests.storage.building import CT, ORIGIN, dataset

OpenArchive = Callable[..., Archive]


@pytest.fixture
def open_archive(sited: Database, tmp_path: Path) -> Iterator[OpenArchive]:
    opened: list[Archive] = []

    def open_it(*, durability: str = "disk", reserve_bytes: int = 0) -> Archive:
        archive = Archive(
            data=tmp_path,
            database=sited,
            store=MemoryStore(),
            limits=SpoolLimits(spool_bytes=1 << 30, reserve_bytes=reserve_bytes),
            durability=durability,  # type: ignore[arg-type]
        )
        archive.start()
        opened.append(archive)
        return archive

    yield open_it
    for archive in opened:
        archive.close()


@pytest.fixture
def archive(open_archive: OpenArchive) -> Archive:
    return open_archive()


def receive(archive: Archive, uid: str, *, pixels: int = 2000) -> Receipt:
    return archive.receive(
        dataset(uid, pixels=os.urandom(pixels), rows=pixels // 200, columns=100),
        ORIGIN,
        sop_class_uid=CT,
        sop_instance_uid=uid,
        transfer_syntax_uid=EXPLICIT_LE,
    )


def the_segment(archive: Archive) -> Path:
    (path,) = archive.spool.folder.glob("*.seg")
    return path


def parts(path: Path) -> list[Part]:
    with path.open("rb") as stream:
        header = read_segment_header(stream.fileno())
        assert header is not None
        return list(scan(stream.fileno(), nonce=header.nonce, size=path.stat().st_size))


def kinds(path: Path) -> list[type]:
    return [type(part) for part in parts(path)]


def test_small_records_overwrite_room_and_the_file_keeps_its_size(archive: Archive) -> None:
    receive(archive, "1.2.3.0")
    size = the_segment(archive).stat().st_size
    assert size == FIRST_ROOM_BYTES
    for i in range(1, 10):
        receive(archive, f"1.2.3.{i}")
        assert the_segment(archive).stat().st_size == size
    assert kinds(the_segment(archive)) == [Entry] * 10 + [Unused]


def test_room_grows_in_steps_up_to_the_longest(archive: Archive) -> None:
    sizes = []
    for i in range(120):
        receive(archive, f"1.2.3.{i}", pixels=100_000)
        sizes.append(the_segment(archive).stat().st_size)
    steps = [after - before for before, after in pairwise(sizes) if after > before]
    assert max(steps) == LONGEST_ROOM_BYTES
    assert steps == sorted(steps)
    assert len(steps) < 12


def test_no_room_is_made_ahead_of_large_objects(archive: Archive) -> None:
    for i in range(3):
        receive(archive, f"1.2.3.{i}", pixels=600_000)
    assert kinds(the_segment(archive)) == [Entry] * 3


def test_a_small_object_that_is_refused_leaves_the_room_as_it_is(archive: Archive) -> None:
    receive(archive, "1.2.3.0")
    before = the_segment(archive).read_bytes()
    with pytest.raises(Invalid):
        archive.receive(
            dataset("1.2.3.1")[:-3],
            ORIGIN,
            sop_class_uid=CT,
            sop_instance_uid="1.2.3.1",
            transfer_syntax_uid=EXPLICIT_LE,
        )
    assert the_segment(archive).read_bytes() == before


def test_nothing_of_an_aborted_large_object_is_left_in_the_room(archive: Archive) -> None:
    receive(archive, "1.2.3.0")
    with archive.begin(
        ORIGIN, sop_class_uid=CT, sop_instance_uid="1.2.3.1", transfer_syntax_uid=EXPLICIT_LE
    ) as intake:
        intake.write(b"\xee" * 400_000)
        assert b"\xee" in the_segment(archive).read_bytes()
    assert b"\xee" * 8 not in the_segment(archive).read_bytes()
    receive(archive, "1.2.3.2")
    receive(archive, "1.2.3.3")
    found = parts(the_segment(archive))
    assert [p.header.sop_instance_uid for p in found if isinstance(p, Entry)] == [
        "1.2.3.0", "1.2.3.2", "1.2.3.3",
    ]  # fmt: skip
    assert not any(isinstance(part, Damage) for part in found)


def test_a_record_that_was_written_in_part_is_never_found_again(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(archive, "1.2.3.0")
    pwritev = os.pwritev

    def full(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        pwritev(descriptor, [b"".join(buffers)[:900]], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwritev", full)
        with pytest.raises(Unavailable):
            receive(archive, "1.2.3.1")
    assert kinds(the_segment(archive)) == [Entry]
    receive(archive, "1.2.3.2")
    assert not any(kind is Damage for kind in kinds(the_segment(archive)))


def test_a_sealed_segment_has_no_room(archive: Archive, sited: Database) -> None:
    receive(archive, "1.2.3.0")
    archive.settle()
    archive.close()
    assert kinds(the_segment(archive)) == [Entry, Seal]
    with sited.read() as conn:
        (position,) = positions(conn).values()
    assert position.is_sealed
    assert position.indexed_through == the_segment(archive).stat().st_size


def test_the_gauge_counts_what_is_used(archive: Archive) -> None:
    receive(archive, "1.2.3.0")
    archive.spool.seal_due()  # the gauge is a moment old
    archive.spool._gauge_at = float("-inf")  # noqa: SLF001 - as if that moment had passed
    assert 2000 < archive.spool.depth_bytes() < 4000 < the_segment(archive).stat().st_size


def test_room_is_not_made_on_a_disk_that_is_nearly_full(open_archive: OpenArchive) -> None:
    free = os.statvfs(open_archive().data)
    archive = open_archive(reserve_bytes=free.f_bavail * free.f_frsize - LONGEST_ROOM_BYTES)
    receive(archive, "1.2.3.0", pixels=30_000)
    receive(archive, "1.2.3.1", pixels=30_000)
    receive(archive, "1.2.3.2", pixels=30_000)
    assert Unused not in kinds(the_segment(archive))


def test_a_disk_without_space_for_room_takes_objects_all_the_same(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, start: int, end: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_write_zeros", full)
    for i in range(3):
        receive(archive, f"1.2.3.{i}")
    assert kinds(the_segment(archive)) == [Entry] * 3
    assert archive.spool.failure == ""


def test_room_that_cannot_be_synced_makes_the_node_read_only(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(descriptor: int, start: int, end: int) -> int:
        raise OSError(errno.EIO, "Input/output error")

    receive(archive, "1.2.3.0", pixels=40_000)
    monkeypatch.setattr(module, "_write_zeros", broken)
    with pytest.raises(Unavailable) as caught:
        receive(archive, "1.2.3.1")
    assert caught.value.code == "read-only"
    assert "writing ahead" in archive.spool.failure


def test_nothing_is_written_ahead_where_nothing_is_synced(open_archive: OpenArchive) -> None:
    archive = open_archive(durability="none")
    for i in range(3):
        receive(archive, f"1.2.3.{i}")
    assert kinds(the_segment(archive)) == [Entry] * 3
