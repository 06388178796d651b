"""Nothing is committed but what was read back from the store and has its hash."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from casework.access import Scope
from casework.commitment import Failure, Reference
from casework.custody import Origin
from casework.errors import Unavailable
from storage.archive import Archive, SpoolLimits, utc_now
from storage.commitments import Asked, Commitment, Commitments, Results
from storage.index import Index
from storage.mover import Mover
from storage.objects import MemoryStore
from storage.safekeeping import look
from storage.testing import fresh_database
from tests.storage.building import CT, ORIGIN, dataset, part10

EVERYTHING = Scope(sites=None, specialties=None, own_site="")
SR = "1.2.840.10008.5.1.4.1.1.88.11"


class Shelf(MemoryStore):
    """A store that counts what is read, can be away, and whose disk can rot."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.is_away = False

    def open_range(self, key: str, offset: int, length: int) -> BinaryIO:
        if self.is_away:
            raise Unavailable("The store does not answer.", code="store-failed")
        self.reads += 1
        return super().open_range(key, offset, length)

    def rot(self, place: tuple[str, int, int]) -> None:
        """Flip one bit in the last byte of a stretch."""
        key, offset, length = place
        data = bytearray(self._objects[key])
        data[offset + length - 1] ^= 1
        self._objects[key] = bytes(data)

    def lose(self, key: str) -> None:
        del self._objects[key]


@dataclass
class Keeper:
    """An archive with the queue on it, and the time."""

    archive: Archive
    store: Shelf
    commitments: Commitments
    mover: Mover
    index: Index
    now: datetime

    def receive(self, *contents: bytes, origin: Origin = ORIGIN) -> None:
        for content in contents:
            self.archive.receive_part10(io.BytesIO(content), origin)
        self.archive.settle()

    def ask(self, *uids: str, sop_class: str = CT, wait_s: float = 3600, **other: str) -> None:
        references = [Reference(sop_class, uid) for uid in uids]
        asked = Asked("hammer", "CT_1", "", "1.2.9", references)
        self.commitments.request(replace(asked, **other), wait_s=wait_s)

    def look(self, *, budget_s: float = 60) -> bool:
        taken = self.commitments.lease_waiting(lease_s=60)
        assert taken is not None
        return look(
            self.archive, self.commitments, taken,
            is_class_taken=lambda uid: uid != "1.2.840.10008.1.1", budget_s=budget_s,
        )  # fmt: skip

    def pack_and_look(self) -> None:
        self.look()
        self.mover.run_once(self.now)
        self.passes(1)
        self.look()

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @property
    def results(self) -> Results:
        taken = self.report()
        assert taken is not None, "not judged"
        return self.commitments.results(taken)

    def report(self) -> Commitment | None:
        return self.commitments.lease_report(lease_s=60)

    def place(self, uid: str) -> tuple[str, int, int]:
        where = self.index.instance(EVERYTHING, uid).location
        assert not where.in_spool
        return where.container, where.offset, where.length

    def events(self, uid: str) -> list[str]:
        return [line.event for line in self.index.custody(EVERYTHING, uid)]


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    with fresh_database(tmp_path) as database:
        store = Shelf()
        archive = Archive(
            data=tmp_path, database=database, store=store,
            limits=SpoolLimits(spool_bytes=1 << 30, object_bytes=1 << 24),
        )  # fmt: skip
        made = Keeper(
            archive, store, Commitments(database, lambda: made.now),
            Mover(archive, quiet_s=3600), Index(database), utc_now(),
        )  # fmt: skip
        archive.start()
        yield made
        archive.close()


def image(uid: str, **how: object) -> bytes:
    return part10(dataset(uid, **how), uid)  # type: ignore[arg-type]


def test_what_lies_in_the_spool_is_packed_at_once_and_read_back_before_it_is_committed(
    keeper: Keeper,
) -> None:
    keeper.receive(image("1.2.1"), image("1.2.2", number=2))
    keeper.receive(image("1.2.3", series="1.2.3.2"))
    keeper.ask("1.2.1", "1.2.2")

    keeper.look()
    assert keeper.report() is None
    assert keeper.store.reads == 0, "nothing counts that is read from the spool"
    assert keeper.mover.run_once(keeper.now).packed == 2, "though the series is not quiet yet"
    assert keeper.index.instance(EVERYTHING, "1.2.3").location.in_spool, "nobody asked for this one"
    before = keeper.store.reads
    keeper.passes(1)
    assert keeper.look()

    assert keeper.store.reads == before + 2
    assert keeper.results == Results((Reference(CT, "1.2.1"), Reference(CT, "1.2.2")), ())
    last = keeper.index.custody(EVERYTHING, "1.2.1")[-1]
    assert (last.event, last.detail) == ("committed", {"transaction": "1.2.9", "ae": "CT_1"})


def test_flipped_bit_in_the_store_is_a_failure_and_never_success(keeper: Keeper) -> None:
    keeper.receive(image("1.2.1"), image("1.2.2", number=2))
    keeper.ask("1.2.1", "1.2.2")
    keeper.look()
    keeper.mover.run_once(keeper.now)
    keeper.store.rot(keeper.place("1.2.2"))
    keeper.passes(1)

    keeper.look()

    assert keeper.results == Results(
        (Reference(CT, "1.2.1"),), ((Reference(CT, "1.2.2"), Failure.PROCESSING),)
    )
    assert "committed" in keeper.events("1.2.1")
    assert "committed" not in keeper.events("1.2.2")


def test_pack_that_is_gone_from_the_store_is_a_failure(keeper: Keeper) -> None:
    keeper.receive(image("1.2.1"))
    keeper.ask("1.2.1")
    keeper.look()
    keeper.mover.run_once(keeper.now)
    keeper.store.lose(keeper.place("1.2.1")[0])
    keeper.passes(1)

    keeper.look()

    assert keeper.results.failed == ((Reference(CT, "1.2.1"), Failure.PROCESSING),)


def test_what_has_not_arrived_is_waited_for(keeper: Keeper) -> None:
    keeper.ask("1.2.1", wait_s=60)
    keeper.look()
    assert keeper.report() is None
    keeper.receive(image("1.2.1"))
    keeper.passes(2)

    keeper.pack_and_look()

    assert keeper.results.committed == (Reference(CT, "1.2.1"),)


def test_what_does_not_arrive_in_time_has_failed_and_the_rest_is_committed(keeper: Keeper) -> None:
    keeper.receive(image("1.2.1"))
    keeper.ask("1.2.404", "1.2.1", wait_s=60)
    keeper.pack_and_look()
    assert keeper.report() is None

    keeper.passes(60)
    keeper.look()

    assert keeper.results == Results(
        (Reference(CT, "1.2.1"),), ((Reference(CT, "1.2.404"), Failure.NO_SUCH_OBJECT),)
    )


def test_instance_of_another_site_is_as_one_that_is_not_there(keeper: Keeper) -> None:
    keeper.receive(image("1.2.1"), origin=replace(ORIGIN, site="utsira"))
    keeper.ask("1.2.1", wait_s=60)
    keeper.look()
    assert keeper.mover.run_once(keeper.now).packed == 0, "nor is it packed for another site"

    keeper.passes(60)
    keeper.look()

    assert keeper.results.failed == ((Reference(CT, "1.2.1"), Failure.NO_SUCH_OBJECT),)
    assert "committed" not in keeper.events("1.2.1")


@pytest.mark.parametrize(
    ("uid", "sop_class", "reason"),
    [
        ("1.2.1", SR, Failure.CLASS_CONFLICT),
        ("1.2.404", "1.2.840.10008.1.1", Failure.CLASS_NOT_SUPPORTED),
    ],
)
def test_class_that_is_not_the_instances_own_has_failed_at_once(
    keeper: Keeper, uid: str, sop_class: str, reason: Failure
) -> None:
    keeper.receive(image("1.2.1"))
    keeper.ask(uid, sop_class=sop_class)

    keeper.look()

    assert keeper.results.failed == ((Reference(sop_class, uid), reason),)


@pytest.mark.parametrize("is_rotten", [False, True])
def test_every_version_under_a_uid_has_to_be_whole(keeper: Keeper, is_rotten: bool) -> None:
    keeper.receive(image("1.2.1"), image("1.2.1", name="NESS^KARIN"))
    keeper.ask("1.2.1")
    keeper.look()
    keeper.mover.run_once(keeper.now)
    (conflict,) = keeper.index.conflicts()
    if is_rotten:
        where = conflict.second.instance.location
        keeper.store.rot((where.container, where.offset, where.length))
    keeper.passes(1)

    keeper.look()

    found = keeper.results
    assert (len(found.committed), len(found.failed)) == ((0, 1) if is_rotten else (1, 0))


def test_store_that_does_not_answer_is_tried_again_for_an_hour(keeper: Keeper) -> None:
    keeper.receive(image("1.2.1"))
    keeper.ask("1.2.1", wait_s=0)
    keeper.look()
    keeper.mover.run_once(keeper.now)
    keeper.store.is_away = True
    keeper.passes(1)
    keeper.look()
    assert keeper.report() is None

    keeper.passes(60)
    keeper.store.is_away = False
    keeper.look()

    assert keeper.results.committed == (Reference(CT, "1.2.1"),)


def test_what_cannot_be_brought_to_the_store_is_kept_and_not_committed(keeper: Keeper) -> None:
    keeper.receive(image("1.2.1"))
    keeper.ask("1.2.1", wait_s=0)
    keeper.store.is_away = True
    keeper.look()
    assert keeper.mover.run_once(keeper.now).packed == 0

    keeper.passes(3600)
    keeper.look()

    assert keeper.results.failed == ((Reference(CT, "1.2.1"), Failure.NO_RESOURCES),)
    assert keeper.index.instance(EVERYTHING, "1.2.1").location.in_spool


def test_long_transaction_is_read_back_piece_by_piece(keeper: Keeper) -> None:
    keeper.receive(*(image(f"1.2.{n}", number=n) for n in range(1, 4)))
    keeper.ask("1.2.1", "1.2.2", "1.2.3")
    keeper.look()
    keeper.mover.run_once(keeper.now)
    keeper.passes(1)
    before = keeper.store.reads

    looks = 0
    while (keeper.report()) is None:
        assert keeper.look(budget_s=0)
        looks += 1

    assert looks == 3, "one instance at a time"
    assert keeper.store.reads == before + 3, "none is read twice"
    assert keeper.events("1.2.1").count("committed") == 1
