"""The durability `store`: nothing is acknowledged before the store gave it back."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from casework.access import Scope
from casework.custody import Receipt
from casework.errors import Unavailable
from storage import care, express
from storage.archive import Archive
from storage.database import Database
from storage.index import Index
from storage.mover import Mover
from storage.objects import MemoryStore, read_range
from storage.part10 import EXPLICIT_LE
from storage.segments import segment_paths
from storage.tables import copies, instances, pack_intents
from tests.databases import let_change, refusing_rows
from tests.flows.waiting import until
from tests.storage.archives import Clock, OpenArchive
from tests.storage.building import CT, ORIGIN, dataset

QUIET_S = 60.0
GRACE_S = 3600.0


class Store(MemoryStore):
    """A store that counts its puts, and can be down, spoil what it is given, or be slow."""

    def __init__(self) -> None:
        super().__init__()
        self.puts: list[str] = []
        self.is_down = False
        self.spoils = False
        self.gate = threading.Event()
        self.gate.set()

    def put(self, key: str, source: Path | bytes, *, sha256: str) -> None:
        self.puts.append(key)
        assert self.gate.wait(30)
        if self.is_down:
            raise Unavailable("The store does not answer.", code="store-failed")
        data = source if isinstance(source, bytes) else source.read_bytes()
        if self.spoils:
            data = data[:-1] + bytes([data[-1] ^ 1])
            sha256 = hashlib.sha256(data).hexdigest()
        super().put(key, data, sha256=sha256)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def archive(open_archive: OpenArchive) -> Archive:
    return open_archive("store")


def receive(archive: Archive, uid: str, **how: Any) -> Receipt:
    return archive.receive(
        dataset(uid, **how),
        ORIGIN,
        sop_class_uid=CT,
        sop_instance_uid=uid,
        transfer_syntax_uid=EXPLICIT_LE,
    )


def copies_of(database: Database, uid: str) -> list[Any]:
    with database.read() as conn:
        return list(conn.execute(select(copies).where(copies.c.sop_instance_uid == uid)))


def intents_left(database: Database) -> int:
    with database.read() as conn:
        return len(list(conn.execute(select(pack_intents))))


def indexed(database: Database) -> int:
    with database.read() as conn:
        return len(list(conn.execute(select(instances.c.pk))))


def row_of(archive: Archive, everything: Scope, uid: str) -> Any:
    archive.settle()
    return Index(archive.database).instance(everything, uid)


def lose_the_spool(archive: Archive) -> None:
    archive.settle()
    archive.close()
    for path in segment_paths(archive.spool.folder):
        path.unlink()


def test_what_is_acknowledged_is_in_the_store_and_its_place_is_known(
    archive: Archive, store: Store, sited: Database, everything: Scope
) -> None:
    receipt = receive(archive, "1.2.3.4")
    (copy,) = copies_of(sited, "1.2.3.4")
    assert copy.sha256 == receipt.sha256
    file = read_range(store, copy.container, copy.offset, copy.length)
    assert file[copy.dataset_offset :] == dataset("1.2.3.4")
    whole = read_range(store, copy.container, 0, store.size(copy.container))
    with zipfile.ZipFile(BytesIO(whole)) as pack:
        assert pack.testzip() is None
        assert pack.namelist() == ["000001.dcm", "metadata.json", "custody.json"]
        assert b"HAMMER_CT" in pack.read("custody.json")
    assert intents_left(sited) == 0
    assert row_of(archive, everything, "1.2.3.4").location.in_spool
    assert list((archive.data / "express").iterdir()) == []


def test_what_waits_together_is_put_together_one_pack_for_each_series(
    archive: Archive, store: Store, sited: Database
) -> None:
    store.gate.clear()
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(receive, archive, "1.2.3.0")
        until(lambda: bool(store.puts), "a put")
        others = [
            pool.submit(receive, archive, f"1.2.3.{i}", series=f"1.2.3.1.{i % 2}")
            for i in range(1, 9)
        ]
        until(lambda: archive.spool_status().waiting == 8, "the others to wait")
        assert not any(future.done() for future in [first, *others])
        store.gate.set()
        for future in [first, *others]:
            future.result()
    assert len(store.puts) == 3
    assert all(len(copies_of(sited, f"1.2.3.{i}")) == 1 for i in range(9))


def test_a_large_object_keeps_no_other_waiting(
    archive: Archive, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(express, "ALONE_BYTES", 10_000)
    store.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(
            receive, archive, "1.2.3.1", rows=100, columns=100, pixels=bytes(20_000)
        )
        until(lambda: bool(store.puts), "a put")
        store.gate.set()
        receive(archive, "1.2.3.2")
        large.result()
    assert len(store.puts) == 2


def test_nothing_is_acknowledged_while_the_store_is_down_and_the_spool_does_not_fill(
    archive: Archive, store: Store, clock: Clock, sited: Database, everything: Scope
) -> None:
    store.is_down = True
    for _ in range(3):  # the first is tried, and for a moment nothing else is
        with pytest.raises(Unavailable) as caught:
            receive(archive, "1.2.3.4")
        assert caught.value.code == "store-failed"
    assert len(store.puts) == 1
    archive.settle()
    assert archive.spool_status().instances <= 1
    clock.later(2)
    store.is_down = False
    receive(archive, "1.2.3.4")
    receive(archive, "1.2.3.5")
    assert row_of(archive, everything, "1.2.3.4").state == "current"
    assert len(copies_of(sited, "1.2.3.4")) == 1
    assert archive.spool_status().instances == 2


def test_the_pause_after_a_failure_grows_and_many_who_fail_at_once_count_as_one(
    archive: Archive, store: Store, clock: Clock
) -> None:
    store.is_down = True
    with ThreadPoolExecutor(6) as pool:
        errors = [pool.submit(receive, archive, f"1.2.3.{i}").exception() for i in range(6)]
    assert all(isinstance(error, Unavailable) for error in errors)
    tried = len(store.puts)
    clock.later(1.1)
    with pytest.raises(Unavailable):
        receive(archive, "1.2.3.9")
    assert len(store.puts) == tried + 1
    clock.later(1.1)
    with pytest.raises(Unavailable):
        receive(archive, "1.2.3.9")
    assert len(store.puts) == tried + 1
    clock.later(1)
    with pytest.raises(Unavailable):
        receive(archive, "1.2.3.9")
    assert len(store.puts) == tried + 2


def test_a_store_that_gives_other_bytes_back_is_not_believed(
    archive: Archive, store: Store, sited: Database
) -> None:
    store.spoils = True
    with pytest.raises(Unavailable) as caught:
        receive(archive, "1.2.3.4")
    assert caught.value.code == "store-differs"
    assert copies_of(sited, "1.2.3.4") == []


@pytest.mark.parametrize("table", ["copies", "pack_intents"])
def test_nothing_is_acknowledged_while_the_database_takes_no_place(
    archive: Archive, sited: Database, clock: Clock, table: str
) -> None:
    with refusing_rows(sited, table), pytest.raises(Unavailable) as caught:
        receive(archive, "1.2.3.4")
    assert caught.value.code == "database-failed"
    clock.later(2)
    receive(archive, "1.2.3.4")
    assert len(copies_of(sited, "1.2.3.4")) == 1


def test_where_it_may_the_spool_stands_in_for_a_store_that_is_down_and_says_so(
    open_archive: OpenArchive, store: Store, clock: Clock, sited: Database
) -> None:
    archive, other = open_archive("store-or-disk"), open_archive("disk")
    receive(archive, "1.2.3.1")
    assert other.spool_status().fallback == ""
    store.is_down = True
    for i in range(2, 5):
        receive(archive, f"1.2.3.{i}")
    assert len(store.puts) == 2  # nobody waits for a store that has just not answered
    assert "does not answer" in other.spool_status().fallback
    other.require_sound()
    store.is_down = False
    clock.later(2)
    receive(archive, "1.2.3.5")
    assert other.spool_status().fallback == ""
    assert [len(copies_of(sited, f"1.2.3.{i}")) for i in range(1, 6)] == [1, 0, 0, 0, 1]


def test_what_the_store_has_already_is_not_put_again(archive: Archive, store: Store) -> None:
    first = receive(archive, "1.2.3.4")
    second = receive(archive, "1.2.3.4")
    assert first.sha256 == second.sha256
    assert len(store.puts) == 1


def test_with_disk_nothing_is_put(open_archive: OpenArchive, store: Store, sited: Database) -> None:
    receive(open_archive("disk"), "1.2.3.4")
    assert store.puts == []
    assert copies_of(sited, "1.2.3.4") == []


def test_an_object_whose_node_is_lost_is_read_from_its_copy_and_repaired_with_it(
    archive: Archive, open_archive: OpenArchive, everything: Scope, clock: Clock
) -> None:
    receive(archive, "1.2.3.4")
    lose_the_spool(archive)
    again = open_archive("store")
    row = row_of(again, everything, "1.2.3.4")
    assert again.read_dataset(row) == dataset("1.2.3.4")
    assert again.open_part10(row).read()[row.location.dataset_offset :] == dataset("1.2.3.4")
    assert care.verify(again).missing == ("hammer 1.2.3.4",)
    assert care.verify(again, repair=True).repaired == ("hammer 1.2.3.4",)
    assert care.verify(again) == care.VerifyReport(checked=1)
    mover = Mover(again, quiet_s=QUIET_S, copies_grace_s=0)
    for _ in range(3):
        assert mover.run_once(clock.later(QUIET_S)).failure == ""
    assert again.read_dataset(row_of(again, everything, "1.2.3.4")) == dataset("1.2.3.4")


def test_a_start_without_the_spool_is_no_alarm_where_copies_stand_for_it(
    archive: Archive, sited: Database, tmp_path: Path, clock: Clock, store: Store
) -> None:
    receive(archive, "1.2.3.4")
    lose_the_spool(archive)

    def start() -> int:
        started = Archive(
            data=tmp_path, database=sited, store=store, limits=archive.spool.limits, clock=clock
        )
        report = started.start()
        started.close()
        return report.missing

    assert start() == 0
    with sited.begin() as conn:
        conn.execute(copies.delete())
    assert start() == 1


def test_what_a_lost_node_had_not_indexed_is_taken_in_again_from_its_copy(
    archive: Archive, open_archive: OpenArchive, everything: Scope, clock: Clock, sited: Database
) -> None:
    receive(archive, "1.2.3.4")
    lose_the_spool(archive)
    with sited.begin() as conn:  # as if the node had been lost before its index knew
        let_change(conn, "custody")
        conn.exec_driver_sql("DELETE FROM custody")
        conn.execute(instances.delete())
    again = open_archive("store")
    mover = Mover(again, quiet_s=1e9)
    mover.run_once(clock())
    assert indexed(sited) == 0
    mover.run_once(clock.later(16 * 60))
    row = row_of(again, everything, "1.2.3.4")
    assert again.read_dataset(row) == dataset("1.2.3.4")
    (line, *_) = Index(sited).custody(everything, "1.2.3.4")
    assert line.detail["calling_ae"] == "HAMMER_CT"
    mover.run_once(clock.later(60))
    assert indexed(sited) == 1


def test_copies_go_in_two_phases_once_their_series_is_packed(
    archive: Archive, store: Store, sited: Database, everything: Scope, clock: Clock
) -> None:
    for i in range(4):
        receive(archive, f"1.2.3.{i}")
    archive.settle()
    small = set(store.puts)
    mover = Mover(archive, quiet_s=QUIET_S, copies_grace_s=GRACE_S)
    mover.run_once(clock())
    assert all(row.superseded_at is None for row in copies_of(sited, "1.2.3.0"))
    assert mover.run_once(clock.later(QUIET_S)).packed == 4
    (pack,) = set(store.puts) - small
    assert all(store.exists(key) for key in small)
    assert all(row.superseded_at is not None for row in copies_of(sited, "1.2.3.0"))
    assert care.verify(archive) == care.VerifyReport(checked=4)
    mover.run_once(clock.later(GRACE_S + 31))
    assert [o.key for o in store.list()] == [pack]
    assert copies_of(sited, "1.2.3.0") == []
    assert archive.read_dataset(row_of(archive, everything, "1.2.3.0")) == dataset("1.2.3.0")
    assert care.verify(archive) == care.VerifyReport(checked=4)


def test_the_pack_of_one_object_may_be_its_copy_and_stays(
    archive: Archive, store: Store, sited: Database, everything: Scope, clock: Clock
) -> None:
    receive(archive, "1.2.3.4")
    archive.settle()
    mover = Mover(archive, quiet_s=QUIET_S, copies_grace_s=0)
    assert mover.run_once(clock.later(QUIET_S)).packed == 1
    assert len(set(store.puts)) == 1
    for _ in range(3):
        assert mover.run_once(clock.later(60)).failure == ""
    assert copies_of(sited, "1.2.3.4") == []
    assert archive.read_dataset(row_of(archive, everything, "1.2.3.4")) == dataset("1.2.3.4")
    assert care.verify(archive) == care.VerifyReport(checked=1)


def packed_with_copies(archive: Archive, store: Store, clock: Clock) -> tuple[set[str], str]:
    """Receive two objects and pack them; return the small packs and the pack of the series."""
    for i in range(2):
        receive(archive, f"1.2.3.{i}")
    archive.settle()
    small = set(store.puts)
    mover = Mover(archive, quiet_s=QUIET_S, copies_grace_s=GRACE_S)
    assert mover.run_once(clock.later(QUIET_S)).packed == 2
    (pack,) = set(store.puts) - small
    return small, pack


def test_a_copy_stays_when_the_pack_that_replaced_it_is_gone(
    archive: Archive, store: Store, clock: Clock
) -> None:
    small, pack = packed_with_copies(archive, store, clock)
    store.delete(pack)
    Mover(archive, quiet_s=QUIET_S, copies_grace_s=0).run_once(clock.later(60))
    assert {o.key for o in store.list()} == small


def test_a_copy_stays_when_a_repair_has_put_its_member_back_into_the_spool(
    archive: Archive, store: Store, clock: Clock, sited: Database
) -> None:
    small, _ = packed_with_copies(archive, store, clock)
    with sited.begin() as conn:
        where = instances.c.sop_instance_uid == "1.2.3.0"
        conn.execute(instances.update().where(where).values(location="spool", container="gone"))
    Mover(archive, quiet_s=1e9, copies_grace_s=0).run_once(clock.later(60))
    assert len(small & {o.key for o in store.list()}) == 1
    assert len(copies_of(sited, "1.2.3.0")) == 1


def test_a_repeat_that_is_packed_already_leaves_no_copy_behind(
    archive: Archive, store: Store, clock: Clock, sited: Database
) -> None:
    receive(archive, "1.2.3.4")
    archive.settle()
    Mover(archive, quiet_s=QUIET_S, copies_grace_s=0).run_once(clock.later(QUIET_S))
    puts = len(store.puts)
    receive(archive, "1.2.3.4")
    assert len(store.puts) == puts
