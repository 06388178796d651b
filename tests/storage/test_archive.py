"""The intake and the way back: what is promised is there, what is refused leaves nothing."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import resource
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from casework.access import Scope
from casework.errors import Invalid, NoRoom, NotFound, TooLarge, Unavailable
from storage.archive import Archive, SpoolLimits, utc_now
from storage.database import Database
from storage.index import Index
from storage.journal import SEGMENT_HEADER_BYTES
from storage.objects import MemoryStore
from storage.part10 import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE
from storage.positions import positions
from storage.segments import Segment, segment_paths
from tests.databases import refusing_rows
from tests.storage.building import (
    CT,
    ORIGIN,
    Dribble,
    dataset,
    deflated,
    element,
    encapsulated,
    part10,
)

JPEG = "1.2.840.10008.1.2.4.50"
LIMITS = SpoolLimits(spool_bytes=1 << 30, object_bytes=4 << 20, reserve_bytes=0)

OpenArchive = Callable[..., Archive]


@pytest.fixture
def open_archive(sited: Database, tmp_path: Path) -> Iterator[OpenArchive]:
    """Give a way to open archives on one data folder; they are closed at the end."""
    opened: list[Archive] = []

    def open_it(**how: Any) -> Archive:
        archive = Archive(
            data=tmp_path,
            database=sited,
            store=how.pop("store", None) or MemoryStore(),
            limits=how.pop("limits", LIMITS),
            **how,
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


def receive(
    archive: Archive, content: bytes, uid: str = "1.2.3.4", syntax: str = EXPLICIT_LE
) -> Any:
    return archive.receive(
        content, ORIGIN, sop_class_uid=CT, sop_instance_uid=uid, transfer_syntax_uid=syntax
    )


def found(archive: Archive, everything: Scope, uid: str = "1.2.3.4") -> Any:
    archive.settle()
    return Index(archive.database).instance(everything, uid)


def spooled_bytes(archive: Archive) -> int:
    """Return what is in the segments between their headers and the room at their ends."""
    found = [p.read_bytes()[SEGMENT_HEADER_BYTES:] for p in segment_paths(archive.spool.folder)]
    return sum(len(data.rstrip(b"\x00")) for data in found)


def test_a_received_object_is_indexed_and_reads_back_as_it_was(
    archive: Archive, everything: Scope
) -> None:
    content = dataset()
    receipt = receive(archive, content)
    assert receipt.sha256 == hashlib.sha256(EXPLICIT_LE.encode() + content).hexdigest()
    assert (receipt.study_uid, receipt.series_uid, receipt.size_bytes, receipt.warning) == (
        "1.2.3",
        "1.2.3.1",
        len(content),
        "",
    )
    row = found(archive, everything)
    assert (row.sha256, row.state, row.location.where) == (receipt.sha256, "current", "spool")
    assert archive.read_dataset(row) == content
    file = archive.read_part10(row)
    assert file[:132] == bytes(128) + b"DICM"
    assert file.endswith(content)
    with archive.open_part10(row) as stream:
        assert stream.read() == file


@pytest.mark.parametrize(
    ("content", "syntax"),
    [
        (dataset(implicit=True), IMPLICIT_LE),
        (dataset(big=True), EXPLICIT_BE),
        (deflated(dataset()), DEFLATED_LE),
        (dataset(pixels=None) + encapsulated([b"\xff\xd8\xff\xd9"]), JPEG),
    ],
)
def test_every_encoding_is_kept_as_sent(
    archive: Archive, everything: Scope, content: bytes, syntax: str
) -> None:
    receive(archive, content, syntax=syntax)
    row = found(archive, everything)
    assert row.transfer_syntax_uid == syntax
    assert archive.read_dataset(row) == content


@pytest.mark.parametrize("step", [1000, 100_000, 300_000])
def test_a_large_object_streams_into_the_segment(
    archive: Archive, everything: Scope, step: int
) -> None:
    content = dataset(
        rows=1000, columns=1000, pixels=os.urandom(2_000_000), extra=element(0x00091001, "OB", b"x")
    )
    archive.receive(
        Dribble(content, step),
        ORIGIN,
        sop_class_uid=CT,
        sop_instance_uid="1.2.3.4",
        transfer_syntax_uid=EXPLICIT_LE,
    )
    row = found(archive, everything)
    assert archive.read_dataset(row) == content
    assert archive.read_frame(row, 1).data == content[-2_000_000:]


def test_a_buffer_that_the_caller_uses_again_does_no_harm(
    archive: Archive, everything: Scope
) -> None:
    content = dataset()
    with archive.begin(
        ORIGIN, sop_class_uid=CT, sop_instance_uid="1.2.3.4", transfer_syntax_uid=EXPLICIT_LE
    ) as intake:
        buffer = bytearray(16)
        for start in range(0, len(content), 16):
            piece = content[start : start + 16]
            buffer[: len(piece)] = piece
            intake.write(memoryview(buffer)[: len(piece)])
            buffer[:] = b"\xee" * 16
        intake.commit()
    assert archive.read_dataset(found(archive, everything)) == content


@pytest.mark.parametrize("size", [0, 100, 400_000])
def test_an_intake_that_is_left_without_commit_leaves_nothing(archive: Archive, size: int) -> None:
    with archive.begin(
        ORIGIN, sop_class_uid=CT, sop_instance_uid="1.2.3.4", transfer_syntax_uid=EXPLICIT_LE
    ) as intake:
        intake.write(bytes(size))
    assert spooled_bytes(archive) == 0
    receive(archive, dataset())
    archive.settle()
    assert archive.spool_status().instances == 1


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (dataset()[:-3], "truncated"),
        (dataset(pixels=bytes(8)), "bad-structure"),
        (dataset(uid="1.2.3.5"), "uid-mismatch"),
        (dataset(sop_class="1.2.840.10008.5.1.4.1.1.4"), "uid-mismatch"),
        (dataset(study=""), "uid-missing"),
        (dataset(pixels=bytes(500_000))[:-3], "truncated"),
    ],
)
def test_what_is_refused_leaves_nothing(
    archive: Archive, everything: Scope, content: bytes, code: str
) -> None:
    with pytest.raises(Invalid) as caught:
        receive(archive, content)
    assert caught.value.code == code
    assert spooled_bytes(archive) == 0
    with pytest.raises(NotFound):
        found(archive, everything)


def test_a_malformed_uid_in_the_command_is_refused_before_anything_is_read(
    archive: Archive,
) -> None:
    with pytest.raises(Invalid) as caught:
        receive(archive, dataset(), uid="1.2.3/../4")
    assert caught.value.code == "uid-malformed"


def test_an_object_over_the_limit_is_refused_while_it_comes(archive: Archive) -> None:
    with pytest.raises(TooLarge):
        receive(archive, dataset(pixels=bytes(5 << 20)))
    assert spooled_bytes(archive) == 0


def test_an_odd_but_whole_object_is_kept_with_a_warning(
    archive: Archive, everything: Scope
) -> None:
    assert "longer than its frames" in receive(archive, dataset(pixels=bytes(64))).warning
    assert found(archive, everything).state == "current"


def test_the_same_bytes_again_are_one_instance(archive: Archive, everything: Scope) -> None:
    first = receive(archive, dataset())
    second = receive(archive, dataset())
    assert first.sha256 == second.sha256
    row = found(archive, everything)
    events = [c.event for c in Index(archive.database).custody(everything, row.sop_instance_uid)]
    assert events == ["received", "synced", "repeated"]
    assert archive.spool_status().instances == 1


def test_custody_says_when_an_object_became_durable(archive: Archive, everything: Scope) -> None:
    receive(archive, dataset())
    uid = found(archive, everything).sop_instance_uid
    received, synced = Index(archive.database).custody(everything, uid)
    assert received.at <= synced.at
    assert (synced.event, synced.detail) == ("synced", {})
    assert "synced_at" not in received.detail


def test_other_bytes_under_one_uid_are_both_kept(archive: Archive, everything: Scope) -> None:
    first = receive(archive, dataset())
    receive(archive, dataset(name="OTHER^NAME"))
    assert found(archive, everything).sha256 == first.sha256
    (conflict,) = Index(archive.database).conflicts()
    assert archive.read_dataset(conflict.second.instance) == dataset(name="OTHER^NAME")


def test_many_threads_may_receive_at_once(archive: Archive, everything: Scope) -> None:
    sent = {f"1.2.3.4.{i}": dataset(f"1.2.3.4.{i}", number=i) for i in range(80)}
    sent |= {
        f"1.2.3.5.{i}": dataset(f"1.2.3.5.{i}", rows=500, columns=400, pixels=os.urandom(400_000))
        for i in range(12)
    }
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda uid: receive(archive, sent[uid], uid), sent))
    archive.settle()
    index = Index(archive.database)
    rows = index.instances_of(everything, "1.2.3")
    assert {r.sop_instance_uid for r in rows} == set(sent)
    assert all(archive.read_dataset(r) == sent[r.sop_instance_uid] for r in rows)


def test_one_object_many_times_at_once_is_one_instance(archive: Archive) -> None:
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda _: receive(archive, dataset()), range(24)))
    assert len({r.sha256 for r in receipts}) == 1
    archive.settle()
    assert Index(archive.database).counts()["instances"] == 1


def test_a_file_is_taken_by_what_its_data_set_says(
    archive: Archive, everything: Scope, tmp_path: Path
) -> None:
    content = dataset()
    file = b"MZ evil".ljust(128, b"\x90") + part10(content, uid="9.9.9")[128:]
    path = tmp_path / "in.dcm"
    path.write_bytes(file)
    for source in (file, path, io.BytesIO(file), Dribble(file, 7)):
        archive.receive_part10(source, ORIGIN)
    row = found(archive, everything)
    assert archive.read_part10(row)[:128] == bytes(128)
    assert archive.read_dataset(row) == content


def test_a_file_that_is_no_dicom_is_refused(archive: Archive, tmp_path: Path) -> None:
    for source in (b"", b"GIF89a" * 100, tmp_path / "none"):
        with pytest.raises(Invalid):
            archive.receive_part10(source, ORIGIN)


@pytest.mark.parametrize(("bits", "rows"), [(16, 4), (8, 3), (1, 3)])
def test_native_frames_are_read_by_their_place(
    archive: Archive, everything: Scope, bits: int, rows: int
) -> None:
    size = (rows * 4 * bits * 3 + 7) // 8
    pixels = os.urandom(size + size % 2)
    content = dataset(rows=rows, columns=4, bits=bits, frames=3, pixels=pixels)
    receive(archive, content)
    row = found(archive, everything)
    whole = int.from_bytes(pixels, "little")
    of_frame = rows * 4 * bits
    for frame in (1, 2, 3):
        expected = whole >> (of_frame * (frame - 1)) & ((1 << of_frame) - 1)
        data = archive.read_frame(row, frame).data
        assert data == expected.to_bytes((of_frame + 7) // 8, "little")
    for frame in (0, 4):
        with pytest.raises(NotFound):
            archive.read_frame(row, frame)


def test_encapsulated_frames_are_read_without_their_items(
    archive: Archive, everything: Scope
) -> None:
    content = dataset(pixels=None, frames=2) + encapsulated(
        [b"aaaa", b"bb", b"cccc"], table=[0, 22]
    )
    receive(archive, content, syntax=JPEG)
    row = found(archive, everything)
    assert archive.read_frame(row, 1).data == b"aaaabb"
    assert archive.read_frame(row, 2).data == b"cccc"
    assert archive.read_frame(row, 2).transfer_syntax_uid == JPEG


def test_a_frame_of_a_deflated_object_is_inflated(archive: Archive, everything: Scope) -> None:
    receive(archive, deflated(dataset()), syntax=DEFLATED_LE)
    assert archive.read_frame(found(archive, everything), 1).data == bytes(range(32))


def test_a_full_spool_refuses_and_keeps_what_it_has(
    open_archive: OpenArchive, everything: Scope
) -> None:
    archive = open_archive(limits=SpoolLimits(spool_bytes=600, reserve_bytes=0))
    receive(archive, dataset())
    with pytest.raises(NoRoom) as caught:
        receive(archive, dataset("1.2.3.5"), uid="1.2.3.5")
    assert caught.value.code == "spool-full"
    assert archive.read_dataset(found(archive, everything)) == dataset()


def test_a_disk_below_its_reserve_refuses(open_archive: OpenArchive) -> None:
    archive = open_archive(limits=SpoolLimits(spool_bytes=1 << 30, reserve_bytes=1 << 60))
    with pytest.raises(NoRoom) as caught:
        receive(archive, dataset())
    assert caught.value.code == "disk-full"


def test_a_sync_that_fails_is_final(open_archive: OpenArchive, everything: Scope) -> None:
    calls = threading.Event()

    def failing(segment: Segment) -> None:
        if calls.is_set():
            raise OSError(errno.EIO, "Input/output error")
        segment.sync()

    archive = open_archive(sync=failing)
    receive(archive, dataset())
    calls.set()
    with pytest.raises(Unavailable) as caught:
        receive(archive, dataset("1.2.3.5"), uid="1.2.3.5")
    assert caught.value.code == "read-only"
    assert "Input/output error" in caught.value.message
    calls.clear()  # the disk says yes again: it is not believed
    with pytest.raises(Unavailable):
        receive(archive, dataset("1.2.3.6"), uid="1.2.3.6")
    assert archive.spool_status().failure
    assert archive.read_dataset(found(archive, everything)) == dataset()
    archive.close()
    again = open_archive()
    receive(again, dataset("1.2.3.6"), uid="1.2.3.6")
    assert archive.read_dataset(found(again, everything, "1.2.3.6")) == dataset("1.2.3.6")


def test_an_archive_that_is_closed_or_not_started_takes_nothing(
    sited: Database, tmp_path: Path
) -> None:
    archive = Archive(data=tmp_path, database=sited, store=MemoryStore(), limits=LIMITS)
    with pytest.raises(Unavailable):
        receive(archive, dataset())
    archive.start()
    receive(archive, dataset())
    archive.close()
    with pytest.raises(Unavailable):
        receive(archive, dataset())
    assert archive.spool_status().instances == 1


def test_without_durability_nothing_is_synced(open_archive: OpenArchive, everything: Scope) -> None:
    def never(segment: Segment) -> None:
        raise AssertionError("synced")

    archive = open_archive(durability="none", sync=never)
    receive(archive, dataset())
    assert archive.read_dataset(found(archive, everything)) == dataset()


def test_segments_are_sealed_when_full_or_old(open_archive: OpenArchive) -> None:
    now = {"s": 0.0}
    start = utc_now()
    archive = open_archive(
        clock=lambda: start + timedelta(seconds=now["s"]),
        limits=SpoolLimits(spool_bytes=1 << 30, reserve_bytes=0, segment_bytes=4000),
    )
    for i in range(12):
        receive(archive, dataset(f"1.2.3.{i}"), uid=f"1.2.3.{i}")
    assert len(segment_paths(archive.spool.folder)) > 1
    now["s"] = 3600
    archive.spool.seal_due()
    archive.settle()
    archive.close()
    with archive.database.read() as conn:
        known = positions(conn)
    sizes = {p.name: p.stat().st_size for p in segment_paths(archive.spool.folder)}
    assert {n: p.indexed_through for n, p in known.items() if p.is_sealed} == sizes


def test_two_archives_on_one_folder_do_not_meet(
    open_archive: OpenArchive, everything: Scope
) -> None:
    one, other = open_archive(), open_archive()
    receive(one, dataset("1.2.3.1"), uid="1.2.3.1")
    receive(other, dataset("1.2.3.2"), uid="1.2.3.2")
    third = open_archive()
    one.settle()
    other.settle()
    assert third.read_dataset(found(third, everything, "1.2.3.1")) == dataset("1.2.3.1")
    assert third.read_dataset(found(third, everything, "1.2.3.2")) == dataset("1.2.3.2")
    segments = segment_paths(one.spool.folder)
    assert len(segments) == 2


@pytest.mark.parametrize("held", [True, False])
def test_a_disk_that_is_full_costs_one_object_only(
    archive: Archive, everything: Scope, held: bool
) -> None:
    receive(archive, dataset("1.2.3.1"), uid="1.2.3.1")
    archive.settle()
    before = spooled_bytes(archive)
    content = dataset(pixels=bytes(100_000 if held else 2_000_000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(NoRoom) as caught:
            receive(archive, content)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.code == "disk-full"
    assert spooled_bytes(archive) == before
    receive(archive, content)
    assert archive.read_dataset(found(archive, everything)) == content


def test_a_record_that_the_index_cannot_take_holds_up_no_other(
    open_archive: OpenArchive, everything: Scope, sited: Database
) -> None:
    def receive_one(uid: str) -> None:
        receive(archive, dataset(uid), uid=uid)

    with refusing_rows(sited, "instances", when="NEW.sop_instance_uid = '1.2.3.1'"):
        archive = open_archive()
        other = open_archive()
        receive_one("1.2.3.1")
        receive(other, dataset("1.2.3.2"), uid="1.2.3.2")
        with pytest.raises(Unavailable) as caught:
            archive.settle(timeout_s=0.1)
        assert caught.value.code == "index-behind"
        assert found(other, everything, "1.2.3.2").state == "current"
        assert archive.spool_status().backlog == 1
        with ThreadPoolExecutor(4) as pool:  # in segments of their own, so that they need not wait
            list(pool.map(receive_one, [f"1.2.4.{i}" for i in range(8)]))
    archive.settle()
    rows = Index(sited).instances_of(everything, "1.2.3")
    assert len(rows) == 10
    assert archive.spool_status().backlog == 0
