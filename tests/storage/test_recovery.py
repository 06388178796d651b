"""A start after a kill or a power cut: what was promised is found, what was not is set aside."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from casework.access import Scope
from casework.errors import NotFound
from storage.archive import Archive, SpoolLimits, utc_now
from storage.database import Database
from storage.index import Index
from storage.intake import Intake
from storage.journal import SEGMENT_HEADER_BYTES, Entry, Seal, payload_is_whole, scan
from storage.objects import MemoryStore
from storage.part10 import EXPLICIT_LE
from storage.records import SpoolRecord
from storage.recovery import RecoveryReport, SortedSegment, recover, sort_segment
from storage.segments import read_segment_header, segment_paths
from storage.spool import Spool
from storage.walker import WalkLimits
from tests.storage.building import CT, ORIGIN, dataset

LIMITS = SpoolLimits(spool_bytes=1 << 30, reserve_bytes=0)


def open_spool(folder: Path) -> Spool:
    return Spool(folder, limits=LIMITS, clock=utc_now)


def take(spool: Spool, content: bytes, uid: str) -> SpoolRecord:
    """Take an object in as an archive does, and return its record; nothing is indexed."""
    taken: list[SpoolRecord] = []
    with Intake(
        spool,
        ORIGIN,
        sop_class_uid=CT,
        sop_instance_uid=uid,
        transfer_syntax_uid=EXPLICIT_LE,
        walk_limits=WalkLimits(),
        acknowledged=taken.append,
    ) as intake:
        intake.write(content)
        intake.commit()
    return taken[0]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[SpoolRecord]]:
    """Give the bytes of a segment with three records whose owner did not close it."""
    folder = tmp_path_factory.mktemp("killed") / "spool"
    spool = open_spool(folder)
    records = [
        take(spool, dataset(f"1.2.3.{i}", pixels=None, number=i), f"1.2.3.{i}") for i in range(3)
    ]
    (path,) = segment_paths(folder)
    data = path.read_bytes()[: records[-1].end]  # without the room ahead
    spool.close()
    return data, records


def looked_at(path: Path, data: bytes, *, indexed: int = 0) -> tuple[SortedSegment, list[Entry]]:
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        header = read_segment_header(descriptor)
        assert header is not None
        found = sort_segment(descriptor, nonce=header.nonce, size=len(data), indexed=indexed)
        return found, found.settled + found.afresh
    finally:
        os.close(descriptor)


def uids(entries: list[Entry]) -> list[str]:
    return [e.header.sop_instance_uid for e in entries]


def test_a_tail_torn_at_any_byte_is_known_as_torn(
    killed: tuple[bytes, list[SpoolRecord]], tmp_path: Path
) -> None:
    data, records = killed
    start = records[1].end
    for cut in range(start, len(data)):
        found, good = looked_at(tmp_path / "s", data[:cut])
        assert uids(good) == ["1.2.3.0", "1.2.3.1"], cut
        assert found.rotten == []
        written = start + len(data[start:cut].rstrip(b"\x00"))  # zeros at the end are room
        assert found.torn == ([(start, written)] if cut > start else [])
    found, good = looked_at(tmp_path / "s", data)
    assert uids(found.settled) == ["1.2.3.0", "1.2.3.1"]
    assert uids(found.afresh) == ["1.2.3.2"]


def test_a_last_record_damaged_at_any_byte_is_torn(
    killed: tuple[bytes, list[SpoolRecord]], tmp_path: Path
) -> None:
    data, records = killed
    for at in range(records[1].end, len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 0x55
        found, good = looked_at(tmp_path / "s", bytes(damaged))
        assert uids(good) == ["1.2.3.0", "1.2.3.1"], at
        assert found.rotten == []
        ((start, end),) = found.torn
        assert start == records[1].end
        assert end in (len(data), len(data.rstrip(b"\x00")))  # the last zeros may pass for room


def test_an_acknowledged_record_damaged_at_any_byte_is_rot_and_hides_no_other(
    killed: tuple[bytes, list[SpoolRecord]], tmp_path: Path
) -> None:
    data, records = killed
    for at in range(records[0].end, records[1].end):
        damaged = bytearray(data)
        damaged[at] ^= 0x55
        found, good = looked_at(tmp_path / "s", bytes(damaged))
        assert uids(good) == ["1.2.3.0", "1.2.3.2"], at
        assert found.rotten == [(records[0].end, records[1].end)]
        assert found.torn == []


def test_blocks_that_a_power_cut_left_empty_are_room_and_no_damage(
    killed: tuple[bytes, list[SpoolRecord]], tmp_path: Path
) -> None:
    data, records = killed
    for room in (1, 511, 70_000, 3 << 20):
        found, good = looked_at(tmp_path / "s", data[: records[1].end] + bytes(room))
        assert uids(good) == ["1.2.3.0", "1.2.3.1"]
        assert (found.torn, found.rotten) == ([], [])


def test_room_after_a_torn_record_is_not_set_aside_with_it(
    killed: tuple[bytes, list[SpoolRecord]], tmp_path: Path
) -> None:
    data, records = killed
    for torn in (data[:-30], data[: records[1].end + 40]):  # with its header, and without
        found, good = looked_at(tmp_path / "s", torn + bytes(3 << 20))
        assert uids(good) == ["1.2.3.0", "1.2.3.1"]
        ((start, end),) = found.torn
        assert start == records[1].end
        assert end <= records[2].end


def test_zeros_where_something_was_acknowledged_are_rot(
    killed: tuple[bytes, list[SpoolRecord]], tmp_path: Path
) -> None:
    data, records = killed
    emptied = data[: records[1].end] + bytes(100_000)
    found, good = looked_at(tmp_path / "s", emptied, indexed=records[2].end)
    assert good == []
    assert found.rotten == [(records[1].end, records[2].end)]
    assert found.torn == []


def test_what_is_indexed_was_acknowledged(
    killed: tuple[bytes, list[SpoolRecord]], tmp_path: Path
) -> None:
    data, records = killed
    found, good = looked_at(tmp_path / "s", data[:-1], indexed=len(data))
    assert good == []
    assert found.rotten
    assert found.torn == []


def test_a_record_planted_in_an_object_is_not_taken_for_one(
    killed: tuple[bytes, list[SpoolRecord]], tmp_path: Path
) -> None:
    planted = killed[0][SEGMENT_HEADER_BYTES:]
    spool = open_spool(tmp_path / "spool")
    take(spool, dataset("1.2.3.9"), "1.2.3.9")
    with Intake(
        spool,
        ORIGIN,
        sop_class_uid=CT,
        sop_instance_uid="1.2.3.10",
        transfer_syntax_uid=EXPLICIT_LE,
        walk_limits=WalkLimits(),
        acknowledged=lambda _: None,
    ) as intake:
        intake.write(dataset("1.2.3.10", pixels=planted * 400))
        (path,) = segment_paths(spool.folder)
        _, good = looked_at(tmp_path / "s", path.read_bytes())
    assert uids(good) == ["1.2.3.9"]
    spool.close()


def test_a_sealed_segment_is_wholly_known(tmp_path: Path) -> None:
    spool = open_spool(tmp_path / "spool")
    take(spool, dataset(), "1.2.3.4")
    spool.close()
    (path,) = segment_paths(spool.folder)
    found, good = looked_at(tmp_path / "s", path.read_bytes())
    assert isinstance(found.seal, Seal)
    assert uids(found.settled) == ["1.2.3.4"]
    assert found.watermark == path.stat().st_size
    with path.open("rb") as stream:
        header = read_segment_header(stream.fileno())
        assert header is not None
        parts = list(scan(stream.fileno(), nonce=header.nonce, size=path.stat().st_size))
        assert [type(p) for p in parts] == [Entry, Seal]
        assert payload_is_whole(stream.fileno(), good[0])


Start = Callable[[], tuple[Archive, RecoveryReport]]


@pytest.fixture
def start(sited: Database, tmp_path: Path) -> Iterator[Start]:
    """Give a way to start an archive on the test's data folder."""
    started: list[Archive] = []

    def start_it() -> tuple[Archive, RecoveryReport]:
        archive = Archive(data=tmp_path, database=sited, store=MemoryStore(), limits=LIMITS)
        report = archive.start()
        started.append(archive)
        archive.settle()
        return archive, report

    yield start_it
    for archive in started:
        archive.close()


def leave(tmp_path: Path, data: bytes) -> Path:
    """Leave a segment as a killed process does: nobody holds its lock."""
    folder = tmp_path / "spool"
    folder.mkdir(exist_ok=True)
    path = folder / "20250301t120000-00.seg"
    path.write_bytes(data)
    return path


def sights(archive: Archive, everything: Scope) -> dict[str, bytes]:
    rows = Index(archive.database).instances_of(everything, "1.2.3")
    return {r.sop_instance_uid: archive.read_dataset(r) for r in rows}


def expected(*numbers: int) -> dict[str, bytes]:
    return {f"1.2.3.{i}": dataset(f"1.2.3.{i}", pixels=None, number=i) for i in numbers}


def test_a_start_adopts_what_was_promised_and_sets_the_torn_tail_aside(
    killed: tuple[bytes, list[SpoolRecord]], tmp_path: Path, start: Start, everything: Scope
) -> None:
    data, records = killed
    path = leave(tmp_path, data[:-5])
    archive, report = start()
    assert (report.segments, report.adopted, report.torn, report.rotten, report.missing) == (
        1, 2, 1, 0, 0,
    )  # fmt: skip
    assert sights(archive, everything) == expected(0, 1)
    (aside,) = archive.spool.aside.iterdir()
    assert aside.read_bytes() == data[records[1].end : -5]
    with path.open("rb") as stream:
        header = read_segment_header(stream.fileno())
        assert header is not None
        parts = list(scan(stream.fileno(), nonce=header.nonce, size=path.stat().st_size))
    # what told that the second was synced is torn, so it was written anew
    assert [type(p) for p in parts] == [Entry, Seal]


def test_a_good_record_beyond_the_last_sync_is_written_anew(
    killed: tuple[bytes, list[SpoolRecord]], tmp_path: Path, start: Start, everything: Scope
) -> None:
    path = leave(tmp_path, killed[0])
    archive, report = start()
    assert (report.adopted, report.torn) == (3, 0)
    assert sights(archive, everything) == expected(0, 1, 2)
    rows = {
        r.sop_instance_uid: r for r in Index(archive.database).instances_of(everything, "1.2.3")
    }
    assert rows["1.2.3.1"].location.container == path.name
    assert rows["1.2.3.2"].location.container != path.name
    assert rows["1.2.3.2"].received_at == killed[1][2].received_at
    for uid in rows:  # nobody knows when they were synced: now they are, and it is said
        _, synced = Index(archive.database).custody(everything, uid)
        assert (synced.event, synced.detail) == ("synced", {"adopted": True})


def test_a_second_start_changes_nothing(
    killed: tuple[bytes, list[SpoolRecord]], tmp_path: Path, start: Start, everything: Scope
) -> None:
    leave(tmp_path, killed[0])
    first, _ = start()
    before = sights(first, everything)
    first.close()
    second, report = start()
    assert report == RecoveryReport()
    assert sights(second, everything) == before


@pytest.mark.parametrize("stop_after", ["append", "index"])
def test_a_start_that_is_cut_short_is_finished_by_the_next(
    killed: tuple[bytes, list[SpoolRecord]],
    tmp_path: Path,
    sited: Database,
    start: Start,
    everything: Scope,
    stop_after: str,
) -> None:
    leave(tmp_path, killed[0])
    kept = tmp_path / "kept.seg"
    shutil.copy(segment_paths(tmp_path / "spool")[0], kept)
    spool = open_spool(tmp_path / "spool")
    recover(spool, sited, acknowledged=lambda _: None, walk_limits=WalkLimits())
    if stop_after == "append":  # the old segment was not cut yet, and the new one not indexed
        shutil.copy(kept, tmp_path / "spool" / "20250301t120000-00.seg")
    archive, report = start()
    assert report.rotten == 0
    assert report.missing == 0
    spool.close()
    archive.close()
    archive, report = start()
    assert sights(archive, everything) == expected(0, 1, 2)
    counts = Index(sited).counts()
    assert (counts["instances"], counts["conflicts"]) == (3, 0)


def test_rot_below_the_last_sync_is_an_alarm_at_every_start_and_is_never_cut(
    killed: tuple[bytes, list[SpoolRecord]], tmp_path: Path, start: Start, everything: Scope
) -> None:
    data, records = killed
    damaged = bytearray(data)
    damaged[records[0].end - 3] ^= 1
    path = leave(tmp_path, bytes(damaged))
    for _ in range(2):
        archive, report = start()
        assert report.rotten == 1
        assert report.is_alarming
        assert sights(archive, everything) == expected(1, 2)
        assert path.read_bytes()[: records[1].end] == damaged[: records[1].end]
        archive.close()


def test_a_row_whose_segment_is_gone_is_an_alarm(
    killed: tuple[bytes, list[SpoolRecord]], tmp_path: Path, start: Start, everything: Scope
) -> None:
    path = leave(tmp_path, killed[0])
    first, _ = start()
    first.close()
    path.unlink()
    archive, report = start()
    assert report.missing == 1
    row = Index(archive.database).instance(everything, "1.2.3.0")
    with pytest.raises(NotFound):
        archive.read_dataset(row)


def test_a_segment_that_is_none_is_left_alone_and_told(tmp_path: Path, start: Start) -> None:
    path = leave(tmp_path, b"no segment at all" * 100)
    _, report = start()
    assert report.rotten == 1
    assert path.read_bytes() == b"no segment at all" * 100


def test_a_segment_of_a_living_owner_is_left_alone(
    tmp_path: Path, start: Start, everything: Scope
) -> None:
    one, _ = start()
    with one.begin(
        ORIGIN, sop_class_uid=CT, sop_instance_uid="1.2.3.4", transfer_syntax_uid=EXPLICIT_LE
    ) as intake:
        content = dataset(pixels=os.urandom(400_000))
        intake.write(content)
        _, report = start()
        assert report.segments == 0
        intake.commit()
    one.settle()
    row: Any = Index(one.database).instance(everything, "1.2.3.4")
    assert one.read_dataset(row) == content


def test_a_segment_that_was_never_named_is_removed(tmp_path: Path, start: Start) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "x.seg-new").write_bytes(b"half")
    archive, _ = start()
    assert [p for p in archive.spool.folder.iterdir() if p.is_file()] == []
