"""From the spool into packs and out of them: nothing is released before the store gave it back."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from casework.access import Scope
from casework.errors import Unavailable
from storage import care
from storage.archive import Archive, SpoolLimits
from storage.database import Database
from storage.index import Index
from storage.mover import Mover, packing_folder, packing_lock
from storage.objects import FolderStore, MemoryStore, ObjectStore
from storage.packs import sha256_of_key
from storage.part10 import EXPLICIT_LE
from storage.segments import segment_paths
from tests.storage.archives import Clock
from tests.storage.building import CT, ORIGIN, dataset, element, encapsulated

JPEG = "1.2.840.10008.1.2.4.50"
QUIET_S = 60.0


class ForgetfulStore(MemoryStore):
    """A store whose put does not tell that the bytes went wrong, or that fails."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = False
        self.spoils = False

    def put(self, key: str, source: Path | bytes, *, sha256: str) -> None:
        if self.fails:
            raise Unavailable("The store does not answer.", code="store-failed")
        data = source if isinstance(source, bytes) else source.read_bytes()
        if self.spoils:
            data = data[:-1] + bytes([data[-1] ^ 1])
            sha256 = hashlib.sha256(data).hexdigest()
        super().put(key, data, sha256=sha256)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


OpenArchive = Callable[[ObjectStore], Archive]


@pytest.fixture
def open_archive(sited: Database, tmp_path: Path, clock: Clock) -> Iterator[OpenArchive]:
    opened: list[Archive] = []

    def open_it(store: ObjectStore) -> Archive:
        archive = Archive(
            data=tmp_path,
            database=sited,
            store=store,
            limits=SpoolLimits(spool_bytes=1 << 30, reserve_bytes=0),
            clock=clock,
        )
        archive.start()
        opened.append(archive)
        return archive

    yield open_it
    for archive in opened:
        archive.close()


@pytest.fixture
def archive(open_archive: OpenArchive, store: FolderStore) -> Archive:
    return open_archive(store)


def receive(archive: Archive, content: bytes, uid: str, syntax: str = EXPLICIT_LE) -> None:
    archive.receive(
        content, ORIGIN, sop_class_uid=CT, sop_instance_uid=uid, transfer_syntax_uid=syntax
    )


def fill(archive: Archive, count: int = 5) -> dict[str, bytes]:
    sent = {f"1.2.3.{i}": dataset(f"1.2.3.{i}", number=count - i) for i in range(count)}
    for uid, content in sent.items():
        receive(archive, content, uid)
    archive.settle()
    return sent


def rows(archive: Archive, everything: Scope) -> dict[str, Any]:
    found = Index(archive.database).instances_of(everything, "1.2.3")
    return {r.sop_instance_uid: r for r in found}


def seal(archive: Archive) -> None:
    """Have the segments sealed and the index know it."""
    archive.spool.seal_idle()
    archive.close()


def test_a_quiet_series_is_packed_and_reads_back_as_it_was(
    archive: Archive, everything: Scope, clock: Clock
) -> None:
    sent = fill(archive)
    mover = Mover(archive, quiet_s=QUIET_S)
    assert mover.run_once(clock()).packed == 0
    before = rows(archive, everything)
    report = mover.run_once(clock.later(QUIET_S))
    assert (report.packed, report.packs, report.failure) == (5, 1, "")
    after = rows(archive, everything)
    for uid, content in sent.items():
        assert after[uid].location.where == "pack"
        assert archive.read_dataset(after[uid]) == content
        assert archive.read_part10(after[uid]) == archive.read_part10(before[uid])
        assert archive.read_frame(after[uid], 1).data == content[-32:]
    assert archive.spool_status().instances == 0
    assert [p for p in packing_folder(archive.data).iterdir() if p.name != "lock"] == []
    custody = Index(archive.database).custody(everything, "1.2.3.0")
    assert [line.event for line in custody] == ["received", "synced", "packed", "verified"]


def the_pack(store: FolderStore) -> Path:
    (info,) = list(store.list("v1/"))
    assert (
        sha256_of_key(info.key)
        == hashlib.sha256((store.folder / info.key).read_bytes()).hexdigest()
    )
    return store.folder / info.key


def test_a_pack_is_a_zip_that_anything_can_open(
    archive: Archive, store: FolderStore, clock: Clock, tmp_path: Path
) -> None:
    sent = fill(archive)
    receive(
        archive,
        dataset("1.2.3.77", pixels=None, frames=1, number=99) + encapsulated([b"\xff\xd8\xff\xd9"]),
        "1.2.3.77",
        JPEG,
    )
    archive.settle()
    Mover(archive, quiet_s=QUIET_S).run_once(clock.later(QUIET_S))
    path = the_pack(store)
    with zipfile.ZipFile(path) as pack:
        assert pack.testzip() is None
        assert pack.namelist() == [
            *(f"{i:06d}.dcm" for i in range(1, 7)),
            "metadata.json",
            "custody.json",
        ]
        headers = json.loads(pack.read("metadata.json"))
        custody = json.loads(pack.read("custody.json"))
        for note in custody["instances"]:
            file = pack.read(note["member"])
            assert hashlib.sha256(file).hexdigest() == note["file_sha256"]
            content = file[note["dataset_offset"] :]
            syntax = note["transfer_syntax_uid"]
            assert hashlib.sha256(syntax.encode() + content).hexdigest() == note["sha256"]
            if note["sop_instance_uid"] in sent:
                assert content == sent[note["sop_instance_uid"]]
    assert [h["00200013"]["Value"] for h in headers] == [[1], [2], [3], [4], [5], [99]]
    assert headers[0]["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "NESS^KARI"}]}
    assert headers[0]["7FE00010"] == {"vr": "OW"}
    assert custody["site"] == "hammer"
    assert custody["instances"][0]["custody"][0]["event"] == "received"
    assert custody["instances"][0]["custody"][0]["detail"]["calling_ae"] == "HAMMER_CT"


@pytest.mark.peers
def test_unzip_finds_no_fault_in_a_pack(archive: Archive, store: FolderStore, clock: Clock) -> None:
    fill(archive)
    Mover(archive, quiet_s=QUIET_S).run_once(clock.later(QUIET_S))
    unzip = shutil.which("unzip")
    assert unzip is not None
    done = subprocess.run([unzip, "-t", the_pack(store)], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_segment_is_released_after_its_grace_and_reads_go_on(
    archive: Archive, everything: Scope, clock: Clock
) -> None:
    sent = fill(archive)
    stale = rows(archive, everything)
    mover = Mover(archive, quiet_s=QUIET_S, grace_s=30)
    seal(archive)
    assert mover.run_once(clock.later(QUIET_S)).released == 0
    assert mover.run_once(clock.later(29)).released == 0
    assert mover.run_once(clock.later(1)).released == 1
    assert segment_paths(archive.spool.folder) == []
    for uid, content in sent.items():
        assert archive.read_dataset(stale[uid]) == content
        with archive.open_part10(stale[uid]) as stream:
            assert stream.read().endswith(content)


def test_a_segment_with_a_live_record_is_kept(
    archive: Archive, clock: Clock, everything: Scope
) -> None:
    fill(archive)
    clock.later(QUIET_S)
    receive(archive, dataset("1.2.4.1", study="1.2.4", series="1.2.4.1"), "1.2.4.1")
    archive.settle()
    seal(archive)
    mover = Mover(archive, quiet_s=QUIET_S, grace_s=0)
    assert mover.run_once(clock()).packed == 5
    assert mover.run_once(clock.later(1)).released == 0
    assert len(segment_paths(archive.spool.folder)) == 1
    mover.run_once(clock.later(QUIET_S))
    assert mover.run_once(clock.later(1)).released + len(segment_paths(archive.spool.folder)) <= 1


def test_nothing_is_released_while_the_store_is_down(
    open_archive: OpenArchive, everything: Scope, clock: Clock
) -> None:
    store = ForgetfulStore()
    archive = open_archive(store)
    sent = fill(archive)
    seal(archive)
    store.fails = True
    mover = Mover(archive, quiet_s=QUIET_S, grace_s=0)
    report = mover.run_once(clock.later(QUIET_S))
    assert (report.packed, report.released) == (0, 0)
    assert report.failure
    assert mover.run_once(clock.later(1)).failure == "waiting after a failure"
    store.fails = False
    assert mover.run_once(clock.later(60)).packed == 5
    assert {u: archive.read_dataset(r) for u, r in rows(archive, everything).items()} == sent


def test_a_store_that_gives_other_bytes_back_is_not_believed(
    open_archive: OpenArchive, everything: Scope, clock: Clock
) -> None:
    store = ForgetfulStore()
    archive = open_archive(store)
    sent = fill(archive)
    store.spoils = True
    report = Mover(archive, quiet_s=QUIET_S).run_once(clock.later(QUIET_S))
    assert report.packed == 0
    assert "other bytes" in report.failure
    found = rows(archive, everything)
    assert {r.location.where for r in found.values()} == {"spool"}
    assert {u: archive.read_dataset(r) for u, r in found.items()} == sent


def test_the_same_series_makes_the_same_pack(
    open_archive: OpenArchive, everything: Scope, clock: Clock
) -> None:
    """An interrupted move that is repeated lands on its own object."""
    first = ForgetfulStore()
    archive = open_archive(first)
    fill(archive)
    first.spoils = True
    Mover(archive, quiet_s=QUIET_S).run_once(clock.later(QUIET_S))
    (spoiled,) = first.list()
    second = MemoryStore()
    archive.store = second
    Mover(archive, quiet_s=QUIET_S).run_once(clock.later(60))
    (kept,) = second.list()
    assert kept.key == spoiled.key


def test_a_record_that_rotted_in_the_spool_is_left_out_and_told(
    archive: Archive, everything: Scope, clock: Clock
) -> None:
    sent = fill(archive)
    victim = rows(archive, everything)["1.2.3.2"]
    where = victim.location
    spoil(archive.spool.folder / where.container, where.offset + where.dataset_offset + 30)
    mover = Mover(archive, quiet_s=QUIET_S)
    report = mover.run_once(clock.later(QUIET_S))
    assert (report.packed, report.rotten) == (4, 1)
    after = rows(archive, everything)
    assert after["1.2.3.2"].location.where == "spool"
    assert mover.run_once(clock.later(1)).packs == 0
    assert archive.read_dataset(after["1.2.3.1"]) == sent["1.2.3.1"]


def test_a_record_that_is_gone_does_not_hold_up_the_others(
    archive: Archive, everything: Scope, clock: Clock
) -> None:
    sent = fill(archive, 2)
    seal(archive)
    (lost,) = segment_paths(archive.spool.folder)
    again = Archive(
        data=archive.data,
        database=archive.database,
        store=archive.store,
        limits=archive.spool.limits,
        clock=clock,
    )
    again.start()
    receive(again, dataset("1.2.3.9"), "1.2.3.9")
    again.close()
    lost.unlink()
    report = Mover(again, quiet_s=QUIET_S).run_once(clock.later(QUIET_S))
    assert (report.packed, report.rotten) == (1, 2)
    assert set(rows(again, everything)) == {*sent, "1.2.3.9"}


def spoil(path: Path, at: int) -> None:
    with path.open("r+b") as stream:
        stream.seek(at)
        byte = stream.read(1)
        stream.seek(at)
        stream.write(bytes([byte[0] ^ 0xFF]))


def test_large_series_are_split_and_do_not_wait(
    archive: Archive, everything: Scope, clock: Clock, store: FolderStore
) -> None:
    sent = fill(archive, 7)
    mover = Mover(archive, quiet_s=QUIET_S, large_bytes=1, pack_members=3)
    report = mover.run_once(clock())
    assert (report.packed, report.packs) == (7, 3)
    assert len(list(store.list())) == 3
    assert {u: archive.read_dataset(r) for u, r in rows(archive, everything).items()} == sent


def test_two_movers_do_not_work_at_once(archive: Archive, clock: Clock) -> None:
    fill(archive)
    mover = Mover(archive, quiet_s=QUIET_S)
    with packing_lock(archive.data, wait=False) as is_ours:
        assert is_ours
        assert mover.run_once(clock.later(QUIET_S)).is_elsewhere
    reports = []
    threads = [
        threading.Thread(
            target=lambda: reports.append(Mover(archive, quiet_s=QUIET_S).run_once(clock()))
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(r.packed for r in reports) == 5


def test_what_a_dead_mover_left_is_removed(
    archive: Archive, store: FolderStore, clock: Clock
) -> None:
    folder = packing_folder(archive.data)
    (folder / ".pack-0011").write_bytes(b"half a pack")
    half = store.folder / ".putting" / "0011"
    half.write_bytes(b"half a put")
    Mover(archive, quiet_s=QUIET_S).run_once(clock())
    assert [p.name for p in folder.iterdir()] == ["lock"]
    assert not half.exists()


def test_quarantined_objects_are_packed_too(
    archive: Archive, store: FolderStore, clock: Clock
) -> None:
    receive(archive, dataset(), "1.2.3.4")
    receive(archive, dataset(name="OTHER^NAME"), "1.2.3.4")
    archive.settle()
    assert Mover(archive, quiet_s=QUIET_S).run_once(clock.later(QUIET_S)).packed == 2
    with zipfile.ZipFile(the_pack(store)) as pack:
        states = [n["state"] for n in json.loads(pack.read("custody.json"))["instances"]]
    assert sorted(states) == ["current", "quarantined"]
    (conflict,) = Index(archive.database).conflicts()
    assert archive.read_dataset(conflict.second.instance) == dataset(name="OTHER^NAME")


def test_verify_finds_nothing_wrong_with_what_is_right(archive: Archive, clock: Clock) -> None:
    fill(archive, 3)
    Mover(archive, quiet_s=QUIET_S).run_once(clock.later(QUIET_S))
    receive(archive, dataset("1.2.3.50"), "1.2.3.50")
    archive.settle()
    told: list[tuple[int, int]] = []
    report = care.verify(archive, progress=lambda *, done, total: told.append((done, total)))
    assert report == care.VerifyReport(checked=4)
    assert report.is_clean
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert care.verify(archive, study_uid="1.2.9").checked == 0


def test_verify_names_what_is_missing_corrupt_and_orphaned(
    archive: Archive, store: FolderStore, everything: Scope, clock: Clock
) -> None:
    fill(archive, 3)
    Mover(archive, quiet_s=QUIET_S).run_once(clock.later(QUIET_S))
    path = the_pack(store)
    row = rows(archive, everything)["1.2.3.1"]
    path.chmod(0o600)
    spoil(path, row.location.offset + row.location.dataset_offset + 30)
    data = b"an object nobody knows"
    orphan = hashlib.sha256(data).hexdigest()
    store.put(f"v1/hammer/{orphan[:2]}/{orphan}.zip", data, sha256=orphan)
    report = care.verify(archive)
    assert report.corrupt == ("hammer 1.2.3.1", f"pack {row.location.container}")
    assert report.orphaned == (f"v1/hammer/{orphan[:2]}/{orphan}.zip",)
    assert not report.is_clean
    path.unlink()
    report = care.verify(archive)
    assert len(report.missing) == 4
    assert report.corrupt == ()


def test_verify_repairs_from_the_spool_while_the_record_is_there(
    archive: Archive, store: FolderStore, everything: Scope, clock: Clock
) -> None:
    sent = fill(archive, 3)
    mover = Mover(archive, quiet_s=QUIET_S)
    mover.run_once(clock.later(QUIET_S))
    row = rows(archive, everything)["1.2.3.1"]
    path = the_pack(store)
    spoil(path, row.location.offset + row.location.dataset_offset + 30)
    report = care.verify(archive, repair=True)
    assert report.repaired == ("hammer 1.2.3.1", f"pack {row.location.container}")
    assert archive.read_dataset(rows(archive, everything)["1.2.3.1"]) == sent["1.2.3.1"]
    assert mover.run_once(clock.later(QUIET_S)).packed == 0
    after = rows(archive, everything)["1.2.3.1"]
    assert after.location.where == "pack"
    assert after.location.container != row.location.container
    assert archive.read_dataset(after) == sent["1.2.3.1"]
    assert care.verify(archive) == care.VerifyReport(checked=3)


def test_verify_repairs_nothing_that_is_nowhere(
    archive: Archive, store: FolderStore, clock: Clock
) -> None:
    fill(archive, 2)
    seal(archive)
    mover = Mover(archive, quiet_s=QUIET_S, grace_s=0)
    mover.run_once(clock.later(QUIET_S))
    assert mover.run_once(clock.later(1)).released + len(segment_paths(archive.spool.folder)) <= 1
    mover.run_once(clock.later(1))
    assert segment_paths(archive.spool.folder) == []
    the_pack(store).unlink()
    report = care.verify(archive, repair=True)
    assert len(report.missing) == 3
    assert report.repaired == ()


def test_a_private_element_and_a_long_value_do_not_disturb_the_metadata(
    archive: Archive, store: FolderStore, clock: Clock
) -> None:
    extra = element(0x00091001, "UN", os.urandom(100_000)) + element(
        0x00091010, "AT", b"\x08\x00\x60\x00"
    )
    receive(archive, dataset(extra=extra), "1.2.3.4")
    archive.settle()
    Mover(archive, quiet_s=QUIET_S).run_once(clock.later(QUIET_S))
    with zipfile.ZipFile(the_pack(store)) as pack:
        (header,) = json.loads(pack.read("metadata.json"))
    assert header["00091001"] == {"vr": "UN"}
    assert header["00091010"] == {"vr": "AT", "Value": ["00080060"]}
