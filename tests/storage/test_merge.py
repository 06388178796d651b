"""Small packs of a series become one; the old ones go only when the new one was read back."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from casework.access import Scope
from casework.custody import CustodyEvent
from storage import care
from storage.archive import Archive
from storage.database import Database
from storage.index import Index
from storage.merge import MergeRule
from storage.mover import Mover
from storage.part10 import EXPLICIT_LE
from storage.tables import copies, packs
from tests.storage.archives import Clock, LooseStore, OpenArchive
from tests.storage.building import CT, ORIGIN, dataset

pytestmark = pytest.mark.slow

QUIET_S = 60.0
RULE = MergeRule(packs=3, quiet_s=3600)


@pytest.fixture
def store() -> LooseStore:
    return LooseStore()


@pytest.fixture
def archive(open_archive: OpenArchive) -> Archive:
    return open_archive()


def receive(archive: Archive, *numbers: int) -> None:
    for i in numbers:
        archive.receive(
            dataset(f"1.2.3.{i}", number=i),
            ORIGIN,
            sop_class_uid=CT,
            sop_instance_uid=f"1.2.3.{i}",
            transfer_syntax_uid=EXPLICIT_LE,
        )
    archive.settle()


def mover(archive: Archive, rule: MergeRule = RULE) -> Mover:
    return Mover(archive, quiet_s=QUIET_S, copies_grace_s=3600, merge=rule)


@pytest.fixture
def late(archive: Archive, clock: Clock) -> Archive:
    """Give an archive with a series in four packs, the last one just made."""
    for numbers in ((1, 2, 3), (4,), (5,), (6, 7)):
        receive(archive, *numbers)
        assert mover(archive).run_once(clock.later(QUIET_S)).packs == 1
    return archive


def pack_keys(database: Database) -> set[str]:
    with database.read() as conn:
        return set(conn.execute(select(packs.c.key)).scalars())


def places(archive: Archive, everything: Scope) -> set[str]:
    rows = Index(archive.database).instances_of(everything, "1.2.3")
    assert len(rows) == 7
    for row in rows:
        assert archive.read_dataset(row) == dataset(row.sop_instance_uid, number=row.number or 0)
    return {row.location.container for row in rows}


def test_many_small_packs_of_a_quiet_series_become_one_and_the_old_ones_go_after_the_grace(
    late: Archive, store: LooseStore, clock: Clock, everything: Scope
) -> None:
    old = pack_keys(late.database)
    worker = mover(late)
    assert worker.run_once(clock.later(3600)).merged == 4
    (new,) = pack_keys(late.database)
    assert places(late, everything) == {new}
    assert store.keys() == old | {new}
    assert care.verify(late).orphaned == ()
    worker.run_once(clock.later(3599))
    assert store.keys() == old | {new}
    worker.run_once(clock.later(60))
    assert store.keys() == {new}
    assert places(late, everything) == {new}
    report = care.verify(late)
    assert (report.checked, report.is_clean, report.orphaned) == (7, True, ())
    with late.database.read() as conn:
        assert conn.execute(select(copies.c.pk)).all() == []


def test_the_ledger_says_in_which_packs_an_object_has_been(
    late: Archive, clock: Clock, everything: Scope
) -> None:
    mover(late).run_once(clock.later(3600))
    lines = Index(late.database).custody(everything, "1.2.3.4")
    packed = [line.detail["pack"] for line in lines if line.event == CustodyEvent.PACKED]
    assert len(set(packed)) == 2
    assert {packed[-1]} == pack_keys(late.database)


def test_few_packs_a_series_that_is_not_quiet_and_a_rule_that_is_off_are_left(
    late: Archive, clock: Clock
) -> None:
    assert mover(late).run_once(clock.later(3000)).merged == 0
    clock.later(3600)
    assert mover(late, MergeRule(packs=4, quiet_s=0)).run_once(clock()).merged == 0
    assert mover(late, MergeRule(packs=0, quiet_s=0)).run_once(clock()).merged == 0
    assert len(pack_keys(late.database)) == 4


def test_a_series_of_which_something_waits_in_the_spool_is_left(
    late: Archive, clock: Clock
) -> None:
    clock.later(3600)
    receive(late, 8)
    assert mover(late).run_once(clock()).merged == 0


def test_packs_that_do_not_fit_into_one_are_merged_as_far_as_they_do(
    late: Archive, clock: Clock
) -> None:
    rule = MergeRule(packs=3, quiet_s=0, pack_members=4)
    assert mover(late, rule).run_once(clock.later(60)).merged == 3
    assert len(pack_keys(late.database)) == 2


def test_an_object_that_lost_its_hash_stops_the_merge_and_nothing_is_changed(
    late: Archive, store: LooseStore, clock: Clock, everything: Scope
) -> None:
    row = Index(late.database).instance(everything, "1.2.3.4")
    where = row.location
    store.flip(where.container, where.offset + where.length - 1)
    before = pack_keys(late.database)
    assert mover(late).run_once(clock.later(3600)).merged == 0
    assert pack_keys(late.database) == before
    assert store.keys() == before


def test_an_old_pack_stays_when_the_new_one_is_not_there_any_more(
    late: Archive, store: LooseStore, clock: Clock
) -> None:
    old = pack_keys(late.database)
    worker = mover(late)
    worker.run_once(clock.later(3600))
    (new,) = pack_keys(late.database)
    store.delete(new)
    worker.run_once(clock.later(7200))
    assert store.keys() == old
    report = care.verify(late, repair=True)
    assert report.left == ()
    assert len(report.repaired) == 7 + 1  # the objects, and the pack
