"""Verifying reads small neighbours of a pack at once, and still says of each what is wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import BinaryIO

import pytest

from casework.access import Scope
from storage import care
from storage.archive import Archive
from storage.index import Index
from storage.mover import Mover
from storage.objects import MemoryStore
from storage.part10 import EXPLICIT_LE
from tests.storage.archives import Clock, OpenArchive
from tests.storage.building import CT, ORIGIN, dataset

COUNT = 30


class Store(MemoryStore):
    """A store that counts readings, and whose objects can be spoilt or cut."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def open_range(self, key: str, offset: int, length: int) -> BinaryIO:
        self.reads += 1
        return super().open_range(key, offset, length)

    def flip(self, key: str, at: int) -> None:
        data = bytearray(self._objects[key])
        data[at] ^= 1
        self._objects[key] = bytes(data)

    def cut(self, key: str, size: int) -> None:
        self._objects[key] = self._objects[key][:size]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def archive(open_archive: OpenArchive, clock: Clock, store: Store) -> Archive:
    """Give an archive with a pack of thirty small objects and one large one."""
    archive = open_archive()
    for number in range(1, COUNT + 1):
        pixels = bytes(9 << 20) if number == 10 else bytes(range(32))
        archive.receive(
            dataset(f"1.2.3.{number}", number=number, pixels=pixels),
            ORIGIN,
            sop_class_uid=CT,
            sop_instance_uid=f"1.2.3.{number}",
            transfer_syntax_uid=EXPLICIT_LE,
        )
    archive.settle()
    assert Mover(archive, quiet_s=0).run_once(clock() + timedelta(seconds=1)).packed == COUNT
    store.reads = 0
    return archive


def test_small_neighbours_are_read_at_once(archive: Archive, store: Store) -> None:
    report = care.verify(archive)
    assert (report.checked, report.is_clean) == (COUNT, True)
    assert store.reads <= 5  # nine, a large one, twenty; and the pack whole


@pytest.mark.parametrize("number", [1, 10, 11, 30])
def test_one_that_lost_its_hash_is_named_among_sound_neighbours(
    archive: Archive, store: Store, everything: Scope, number: int
) -> None:
    row = Index(archive.database).instance(everything, f"1.2.3.{number}")
    store.flip(row.location.container, row.location.offset + row.location.length - 3)
    report = care.verify(archive)
    assert report.corrupt == (f"hammer 1.2.3.{number}", f"pack {row.location.container}")
    assert (report.checked, report.missing) == (COUNT, ())


def test_those_past_the_end_of_a_cut_pack_are_named(
    archive: Archive, store: Store, everything: Scope
) -> None:
    row = Index(archive.database).instance(everything, "1.2.3.20")
    store.cut(row.location.container, row.location.offset + 10)
    report = care.verify(archive)
    assert {name for name in report.corrupt if name.startswith("hammer")} == {
        f"hammer 1.2.3.{number}" for number in range(20, COUNT + 1)
    }


def test_all_of_a_pack_that_is_gone_are_missing(archive: Archive, store: Store) -> None:
    (pack,) = [o.key for o in store.list("v1/")]
    store.delete(pack)
    report = care.verify(archive)
    assert len(report.missing) == COUNT + 1
    assert f"pack {pack}" in report.missing
