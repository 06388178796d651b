"""Packs are hashed again in the background within a budget, and what is wrong is remembered."""

from __future__ import annotations

from datetime import timedelta

import pytest

from casework.access import Scope
from storage import care, pack_checks
from storage.archive import Archive
from storage.index import Index
from storage.mover import Mover
from storage.pack_checks import Standing
from storage.part10 import EXPLICIT_LE
from storage.scrub import Scrubber
from tests.storage.archives import Clock, LooseStore, OpenArchive
from tests.storage.building import CT, ORIGIN, dataset

pytestmark = pytest.mark.slow

PLENTY = 1 << 30


@pytest.fixture
def store() -> LooseStore:
    return LooseStore()


@pytest.fixture
def archive(open_archive: OpenArchive, clock: Clock) -> Archive:
    """Give an archive with three packs of two instances, put at the same moment."""
    archive = open_archive()
    for i in range(6):
        archive.receive(
            dataset(f"1.2.3.{i}", series=f"1.2.3.{i // 2}", number=i),
            ORIGIN,
            sop_class_uid=CT,
            sop_instance_uid=f"1.2.3.{i}",
            transfer_syntax_uid=EXPLICIT_LE,
        )
    archive.settle()
    assert Mover(archive, quiet_s=0).run_once(clock.later(1)).packs == 3
    return archive


def standing(archive: Archive) -> Standing:
    with archive.database.read() as conn:
        return pack_checks.standing(conn)


def scrub_all(archive: Archive, clock: Clock, *, days: int = 2) -> int:
    scrubber = Scrubber(archive, daily_bytes=PLENTY)
    scrubber.run_once(clock())
    clock.later(days * 86400)
    count = 0
    while scrubber.run_once(clock()):
        count += 1
    return count


def test_every_pack_is_hashed_once_a_day_when_the_budget_is_large(
    archive: Archive, clock: Clock
) -> None:
    assert scrub_all(archive, clock) == 3
    assert standing(archive) == Standing(0, 0, clock(), 0)
    assert scrub_all(archive, clock, days=0) == 0


def test_the_budget_is_kept_and_the_oldest_come_first(archive: Archive, clock: Clock) -> None:
    size = archive.store.size(next(iter(archive.store.list("v1/"))).key)
    scrubber = Scrubber(archive, daily_bytes=size)
    scrubber.run_once(clock.later(30 * 86400))
    counts = []
    for _ in range(8):
        clock.later(86400 / 2)
        counts.append(int(scrubber.run_once(clock())))
    assert sum(counts) == 4
    oldest = standing(archive).oldest_checked_at
    assert oldest is not None
    assert clock() - oldest <= timedelta(days=4)


def test_without_a_budget_nothing_is_read(archive: Archive, clock: Clock) -> None:
    scrubber = Scrubber(archive, daily_bytes=0)
    assert not any(scrubber.run_once(clock.later(86400)) for _ in range(3))


def test_a_flipped_bit_and_a_lost_pack_are_counted_until_they_are_mended(
    archive: Archive, clock: Clock, store: LooseStore, everything: Scope
) -> None:
    rows = Index(archive.database).instances_of(everything, "1.2.3")
    flipped, lost = rows[0].location, rows[2].location
    data = {key: store.open_range(key, 0, store.size(key)).read() for key in sorted(store.keys())}
    store.flip(flipped.container, flipped.offset + flipped.length - 1)
    store.delete(lost.container)
    scrub_all(archive, clock)
    found = standing(archive)
    assert (found.hash_mismatch, found.acked_missing) == (1, 2)
    store.flip(flipped.container, flipped.offset + flipped.length - 1)
    store.put(lost.container, data[lost.container], sha256=lost.container[-68:-4])
    scrub_all(archive, clock)
    found = standing(archive)
    assert (found.hash_mismatch, found.acked_missing) == (0, 0)


def test_a_whole_verification_counts_as_well(
    archive: Archive, clock: Clock, store: LooseStore, everything: Scope
) -> None:
    clock.later(86400)
    where = Index(archive.database).instance(everything, "1.2.3.1").location
    store.flip(where.container, where.offset + where.length - 1)
    assert len(care.verify(archive).corrupt) == 2
    assert standing(archive) == Standing(1, 0, clock(), 0)


def test_a_sample_hashes_so_many_and_names_every_pack_that_is_not_listed(
    archive: Archive, store: LooseStore
) -> None:
    assert care.verify(archive, sample=2).checked == 2
    assert care.verify(archive, sample=100).checked == 6
    store.put("v1/hammer/ab/" + "ab" * 32 + ".zip", b"", sha256=EMPTY)
    gone = sorted(store.keys())[0]
    if gone.startswith("v1/hammer/ab/" + "ab" * 32):
        gone = sorted(store.keys())[1]
    store.delete(gone)
    report = care.verify(archive, sample=1)
    assert f"pack {gone}" in report.missing
    assert report.orphaned == ("v1/hammer/ab/" + "ab" * 32 + ".zip",)


EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
