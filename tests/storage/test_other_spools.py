"""Archives of two nodes over one index and one store: who reads, packs and releases what."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import pytest
from sqlalchemy import select

from casework.access import Scope
from casework.errors import NotFound, Unavailable
from storage.archive import Archive, SpoolLimits, utc_now
from storage.database import Database
from storage.index import Index
from storage.mover import Mover
from storage.objects import MemoryStore
from storage.part10 import EXPLICIT_LE
from storage.reading import OtherSpools
from storage.rows import InstanceRow
from storage.spool import Spool
from storage.tables import segments
from tests.storage.building import CT, ORIGIN, dataset

EVERYTHING = Scope(sites=None, specialties=None, own_site="centre")
UID = "1.2.3.4"


class Beside:
    """The spools of nodes on this machine, read from their folders."""

    def __init__(self) -> None:
        self.spools: list[Spool] = []
        self.before_reading: Callable[[], object] = lambda: None

    def read(self, segment: str, offset: int, length: int) -> bytes:
        self.before_reading()
        for spool in self.spools:
            try:
                return spool.read(segment, offset, length)
            except NotFound:
                continue
        raise NotFound(segment)

    def open(self, segment: str, offset: int, length: int) -> BinaryIO:
        return io.BytesIO(self.read(segment, offset, length))


Nodes = tuple[Archive, Archive]


@pytest.fixture
def beside() -> Beside:
    return Beside()


@pytest.fixture
def nodes(sited: Database, tmp_path: Path, beside: Beside) -> Iterator[Nodes]:
    store = MemoryStore()
    made = [_archive(sited, store, tmp_path / name, beside) for name in ("north", "south")]
    beside.spools = [archive.spool for archive in made]
    for archive in made:
        archive.start()
    yield made[0], made[1]
    for archive in made:
        archive.close()


def _archive(
    database: Database, store: MemoryStore, data: Path, others: OtherSpools | None
) -> Archive:
    return Archive(
        data=data,
        database=database,
        store=store,
        limits=SpoolLimits(spool_bytes=1 << 30, reserve_bytes=0),
        node=data.name,
        others=others,
    )


def receive(archive: Archive, uid: str = UID) -> bytes:
    content = dataset(uid)
    archive.receive(
        content, ORIGIN, sop_class_uid=CT, sop_instance_uid=uid, transfer_syntax_uid=EXPLICIT_LE
    )
    archive.settle()
    return content


def found(database: Database, uid: str = UID) -> InstanceRow:
    return Index(database).instance(EVERYTHING, uid)


def pack(archive: Archive) -> int:
    return Mover(archive, quiet_s=0, grace_s=0).run_once(utc_now() + timedelta(seconds=1)).packed


def test_what_is_in_the_spool_of_one_node_is_read_through_the_other(
    nodes: Nodes, sited: Database
) -> None:
    north, south = nodes
    content = receive(north)
    ref = found(sited)
    assert south.read_dataset(ref) == content
    with south.open_part10(ref) as stream:
        assert stream.read() == north.read_part10(ref)


def test_each_node_packs_and_counts_only_what_is_in_its_own_spool(
    nodes: Nodes, sited: Database
) -> None:
    north, south = nodes
    receive(north, "1.2.3.1")
    receive(north, "1.2.3.2")
    receive(south, "1.2.3.3")  # of the same series
    assert [node.spool_status().instances for node in nodes] == [2, 1]
    assert pack(south) == 1
    assert [node.spool_status().instances for node in nodes] == [2, 0]
    assert pack(north) == 2
    assert south.read_dataset(found(sited, "1.2.3.1")) == dataset("1.2.3.1")


def test_a_node_releases_no_segment_of_another(nodes: Nodes, sited: Database) -> None:
    north, south = nodes
    receive(north)
    pack(north)
    north.spool.seal_idle()
    north.settle()
    with sited.begin() as conn:
        conn.execute(segments.update().values(sealed=True))
    south_mover = Mover(south, quiet_s=0, grace_s=0)
    assert south_mover.run_once(utc_now() + timedelta(hours=1)).released == 0
    with sited.read() as conn:
        assert list(conn.execute(select(segments.c.node)).scalars()) == ["north"]
    assert len(list(north.spool.folder.glob("*.seg"))) == 1
    north_mover = Mover(north, quiet_s=0, grace_s=0)
    assert north_mover.run_once(utc_now() + timedelta(hours=1)).released == 1


def test_a_start_of_one_node_misses_nothing_that_another_has(
    nodes: Nodes, sited: Database, tmp_path: Path
) -> None:
    receive(nodes[0])
    third = _archive(sited, MemoryStore(), tmp_path / "third", None)
    report = third.start()
    third.close()
    assert (report.missing, report.adopted) == (0, 0)


def test_what_is_packed_while_it_is_asked_for_is_read_from_the_store(
    nodes: Nodes, sited: Database, beside: Beside
) -> None:
    north, south = nodes
    content = receive(north)
    ref = found(sited)

    def pack_and_lose() -> None:
        beside.before_reading = lambda: None
        pack(north)
        beside.spools = []

    beside.before_reading = pack_and_lose
    assert south.read_dataset(ref) == content


def test_what_its_node_has_lost_is_said_to_be_missing_there(
    nodes: Nodes, sited: Database, beside: Beside
) -> None:
    north, south = nodes
    receive(north)
    beside.spools = []
    with pytest.raises(NotFound, match="not in the spool of north") as caught:
        south.read_dataset(found(sited))
    assert caught.value.code == "bytes-missing"


def test_without_a_way_to_the_other_node_it_is_named(
    nodes: Nodes, sited: Database, tmp_path: Path
) -> None:
    receive(nodes[0])
    alone = _archive(sited, MemoryStore(), tmp_path / "alone", None)
    with pytest.raises(Unavailable, match="spool of node north") as caught:
        alone.read_dataset(found(sited))
    assert caught.value.code == "node-away"
    alone.close()
