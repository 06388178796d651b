"""What a disk that fails costs: one object when it is full, the node when it is broken."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from casework.access import Scope
from casework.errors import NoRoom, Unavailable
from storage import segments as segments_module
from storage.archive import Archive, SpoolLimits, utc_now
from storage.commit import GroupCommit
from storage.database import Database
from storage.index import Index
from storage.journal import Entry, Seal, scan
from storage.objects import MemoryStore
from storage.part10 import EXPLICIT_LE
from storage.segments import Segment, read_segment_header, segment_paths
from tests.storage.building import CT, ORIGIN, dataset


class Disk:
    """A disk whose next sync fails with an error of choice; afterwards it is well again."""

    def __init__(self) -> None:
        self.next_error: int | None = None
        self.synced: list[str] = []

    def sync(self, segment: Segment) -> None:
        self.synced.append(segment.name)
        error, self.next_error = self.next_error, None
        if error is not None:
            raise OSError(error, os.strerror(error))
        segment.sync()


OpenArchive = Callable[..., Archive]


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def open_archive(sited: Database, tmp_path: Path, disk: Disk) -> Iterator[OpenArchive]:
    opened: list[Archive] = []

    def open_it() -> Archive:
        archive = Archive(
            data=tmp_path,
            database=sited,
            store=MemoryStore(),
            limits=SpoolLimits(spool_bytes=1 << 30, reserve_bytes=0),
            sync=disk.sync,
        )
        archive.start()
        opened.append(archive)
        return archive

    yield open_it
    for archive in opened:
        archive.close()


def receive(archive: Archive, uid: str) -> None:
    archive.receive(
        dataset(uid),
        ORIGIN,
        sop_class_uid=CT,
        sop_instance_uid=uid,
        transfer_syntax_uid=EXPLICIT_LE,
    )


def sights(archive: Archive, everything: Scope) -> set[str]:
    archive.settle()
    rows = Index(archive.database).instances_of(everything, "1.2.3")
    for row in rows:
        assert archive.read_dataset(row) == dataset(row.sop_instance_uid)
    return {row.sop_instance_uid for row in rows}


def test_a_sync_without_room_costs_its_own_segment_and_no_other(tmp_path: Path) -> None:
    full, sound = (
        Segment.create(tmp_path, node="test", at=utc_now(), durable=False) for _ in range(2)
    )

    def sync(segment: Segment) -> None:
        if segment is full:
            raise OSError(errno.ENOSPC, "No space left on device")
        segment.sync()

    commit = GroupCommit(sync)
    with pytest.raises(NoRoom):
        commit.make_durable(full, full.write_at([b"x"], full.end))
    assert full.is_broken
    assert commit.failure == ""
    commit.make_durable(sound, sound.write_at([b"x"], sound.end))
    with pytest.raises(NoRoom):  # it is not asked again: it might say yes
        commit.make_durable(full, full.end + 1)
    for segment in (full, sound):
        segment.close()


def test_a_sync_without_room_refuses_the_object_and_the_next_goes_elsewhere(
    open_archive: OpenArchive, disk: Disk, everything: Scope
) -> None:
    archive = open_archive()
    receive(archive, "1.2.3.1")
    disk.next_error = errno.ENOSPC
    with pytest.raises(NoRoom) as caught:
        receive(archive, "1.2.3.2")
    assert caught.value.code == "disk-full"
    receive(archive, "1.2.3.3")
    assert archive.spool_status().failure == ""
    assert disk.synced[0] == disk.synced[1] != disk.synced[2]
    assert sights(archive, everything) == {"1.2.3.1", "1.2.3.3"}
    archive.close()
    again = open_archive()
    # the record may lie whole in the page cache: adopted, and the sender's repeat is harmless
    assert {"1.2.3.1", "1.2.3.3"} <= sights(again, everything)


def test_a_sync_that_fails_makes_the_node_read_only_and_every_process_says_so(
    open_archive: OpenArchive, disk: Disk
) -> None:
    bridge, web = open_archive(), open_archive()
    receive(bridge, "1.2.3.1")
    web.require_sound()
    disk.next_error = errno.EIO
    for uid in ("1.2.3.2", "1.2.3.3"):
        with pytest.raises(Unavailable) as caught:
            receive(bridge, uid)
        assert caught.value.code == "read-only"
    assert len(disk.synced) == 2
    assert "Input/output error" in web.spool_status().failure
    with pytest.raises(Unavailable):
        web.require_sound()
    bridge.close()
    assert web.spool_status().failure == ""
    web.require_sound()


def test_the_next_start_cuts_a_segment_whose_sync_failed_at_its_watermark(
    open_archive: OpenArchive, disk: Disk, everything: Scope
) -> None:
    archive = open_archive()
    receive(archive, "1.2.3.1")
    archive.settle()
    disk.next_error = errno.EIO
    with pytest.raises(Unavailable):
        receive(archive, "1.2.3.2")
    (path,) = segment_paths(archive.spool.folder)
    archive.close()
    again = open_archive()
    with path.open("rb") as stream:
        header = read_segment_header(stream.fileno())
        assert header is not None
        parts = list(scan(stream.fileno(), nonce=header.nonce, size=path.stat().st_size))
    assert [type(part) for part in parts] == [Entry, Seal]
    assert "1.2.3.1" in sights(again, everything)


def test_a_broken_segment_is_left_to_its_owner_until_all_of_it_is_indexed(
    open_archive: OpenArchive, disk: Disk, everything: Scope
) -> None:
    archive = open_archive()
    receive(archive, "1.2.3.1")
    disk.next_error = errno.ENOSPC
    with pytest.raises(NoRoom):
        receive(archive, "1.2.3.2")
    other = open_archive()  # recovers nothing of a living process, whatever became of its segments
    assert sights(other, everything) <= {"1.2.3.1"}
    assert sights(archive, everything) == {"1.2.3.1"}


def test_a_segment_that_cannot_be_sealed_on_a_full_disk_is_sealed_later(
    open_archive: OpenArchive, everything: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = open_archive()
    receive(archive, "1.2.3.1")

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(segments_module, "write_all_at", full)
        archive.spool.seal_idle()
    assert archive.spool.failure == ""
    (path,) = segment_paths(archive.spool.folder)
    receive(archive, "1.2.3.2")
    archive.spool.clock = lambda: utc_now() + timedelta(hours=1)
    archive.spool.seal_due()
    assert sights(archive, everything) == {"1.2.3.1", "1.2.3.2"}
    with path.open("rb") as stream:
        header = read_segment_header(stream.fileno())
        assert header is not None
        parts = list(scan(stream.fileno(), nonce=header.nonce, size=path.stat().st_size))
    assert [type(part) for part in parts] == [Entry, Entry, Seal]
