"""Packs that were put and not located are found by their intents, without a look at the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from casework.access import Scope
from casework.errors import Unavailable
from storage import care
from storage.archive import Archive
from storage.database import Database
from storage.index import Index
from storage.intents import COPY, SERIES, Intent, intend
from storage.mover import Mover
from storage.objects import MemoryStore, ObjectInfo
from storage.part10 import EXPLICIT_LE
from storage.tables import IN_SPOOL, copies, instances, pack_intents
from tests.storage.archives import Clock, OpenArchive
from tests.storage.building import CT, ORIGIN, dataset

QUIET_S = 60.0
KEY = "v1/hammer/ab/" + "ab" * 32 + ".zip"


class Store(MemoryStore):
    """A store that may break off just after a put, and that is never to be listed here."""

    def __init__(self) -> None:
        super().__init__()
        self.puts: list[str] = []
        self.breaks_off = False
        self.may_be_listed = False

    def put(self, key: str, source: Path | bytes, *, sha256: str) -> None:
        super().put(key, source, sha256=sha256)
        self.puts.append(key)
        if self.breaks_off:
            raise Unavailable("The line went dead.", code="store-failed")

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        assert self.may_be_listed, "the whole store was listed"
        return super().list(prefix)


@pytest.fixture
def store() -> Store:
    return Store()


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


def intents_of(database: Database) -> list[tuple[str, bool]]:
    with database.read() as conn:
        found = conn.execute(select(pack_intents.c.key, pack_intents.c.orphaned_at))
        return [(key, orphaned_at is not None) for key, orphaned_at in found]


def mover(archive: Archive) -> Mover:
    """Return a mover as a new process has it."""
    return Mover(archive, quiet_s=QUIET_S)


def break_off_after_a_put(archive: Archive, store: Store, clock: Clock) -> str:
    """Have a pack put whose members are not located, and return its key."""
    store.breaks_off = True
    assert mover(archive).run_once(clock.later(QUIET_S)).failure
    store.breaks_off = False
    (key,) = store.puts
    return key


def places(archive: Archive, everything: Scope) -> dict[str, str]:
    rows = Index(archive.database).instances_of(everything, "1.2.3")
    for row in rows:
        assert archive.read_dataset(row) == dataset(row.sop_instance_uid, number=row.number or 0)
    return {row.sop_instance_uid: row.location.container for row in rows}


def test_an_intent_is_there_before_the_put_and_gone_with_the_location(
    archive: Archive, store: Store, clock: Clock, sited: Database
) -> None:
    receive(archive, 1, 2)
    key = break_off_after_a_put(archive, store, clock)
    assert intents_of(sited) == [(key, False)]
    mover(archive).run_once(clock())
    assert intents_of(sited) == []


def test_an_orphaned_pack_whose_members_wait_in_the_spool_is_adopted_without_a_put(
    archive: Archive, store: Store, clock: Clock, everything: Scope
) -> None:
    receive(archive, 1, 2)
    key = break_off_after_a_put(archive, store, clock)
    report = mover(archive).run_once(clock())
    assert (report.packed, report.failure) == (0, "")
    assert store.puts == [key]
    assert places(archive, everything) == {"1.2.3.1": key, "1.2.3.2": key}
    assert archive.spool_status().orphaned_packs == 0
    store.may_be_listed = True
    assert care.verify(archive) == care.VerifyReport(checked=2)


def test_a_series_that_has_grown_since_keeps_its_orphaned_pack_and_gets_another(
    archive: Archive, store: Store, clock: Clock, everything: Scope
) -> None:
    receive(archive, 1, 2)
    first = break_off_after_a_put(archive, store, clock)
    receive(archive, 3)
    mover(archive).run_once(clock.later(QUIET_S))
    assert len(store.puts) == 2
    found = places(archive, everything)
    assert found == {"1.2.3.1": first, "1.2.3.2": first, "1.2.3.3": store.puts[1]}


def test_an_orphaned_pack_that_is_nobodys_place_is_kept_counted_and_listed(
    archive: Archive, store: Store, clock: Clock, sited: Database
) -> None:
    receive(archive, 1, 2)
    orphan = break_off_after_a_put(archive, store, clock)
    with sited.begin() as conn:  # as if another node had packed one of them
        where = instances.c.sop_instance_uid == "1.2.3.1"
        conn.execute(instances.update().where(where).values(location="pack", container="v1/x"))
    mover(archive).run_once(clock())
    assert store.exists(orphan)
    assert (orphan, True) in intents_of(sited)
    assert archive.spool_status().orphaned_packs == 1
    with sited.begin() as conn:
        conn.execute(instances.update().where(where).values(location=IN_SPOOL, container="x"))
    store.may_be_listed = True
    assert care.verify(archive).orphaned == (orphan,)
    mover(archive).run_once(clock())
    assert archive.spool_status().orphaned_packs == 1


def test_an_orphaned_pack_that_is_not_whole_is_not_adopted(
    archive: Archive, store: Store, clock: Clock, sited: Database, everything: Scope
) -> None:
    receive(archive, 1)
    with sited.begin() as conn:
        intent = Intent(KEY, SERIES, "hammer", "1.2.3", "1.2.3.1")
        intend(conn, [intent], node=archive.spool.node, now=clock())
    store._objects[KEY] = b"not what its name promises"  # noqa: SLF001 - as a broken store has it
    mover(archive).run_once(clock())
    assert intents_of(sited) == [(KEY, True)]
    assert KEY not in places(archive, everything).values()


def test_an_intent_whose_pack_never_came_to_the_store_is_forgotten(
    archive: Archive, clock: Clock, sited: Database
) -> None:
    with sited.begin() as conn:
        intent = Intent(KEY, SERIES, "hammer", "1.2.3", "1.2.3.1")
        intend(conn, [intent], node=archive.spool.node, now=clock())
    mover(archive).run_once(clock())
    assert intents_of(sited) == []


def test_what_another_node_is_about_to_put_is_left_to_it(
    archive: Archive, clock: Clock, sited: Database
) -> None:
    with sited.begin() as conn:
        intend(conn, [Intent(KEY, SERIES, "hammer", "1", "2")], node="elsewhere", now=clock())
    mover(archive).run_once(clock())
    assert intents_of(sited) == [(KEY, False)]


def test_a_copy_that_was_put_and_not_noted_is_adopted_when_nobody_is_at_it(
    open_archive: OpenArchive, store: Store, clock: Clock, sited: Database
) -> None:
    archive = open_archive("store")
    store.breaks_off = True
    with pytest.raises(Unavailable):
        receive(archive, 1)
    store.breaks_off = False
    archive.settle()
    quiet = Mover(archive, quiet_s=1e9)
    quiet.run_once(clock())
    assert [is_orphaned for _, is_orphaned in intents_of(sited)] == [False]
    quiet.run_once(clock.later(16 * 60))
    assert intents_of(sited) == []
    with sited.read() as conn:
        (copy,) = conn.execute(select(copies)).all()
    assert copy.container == store.puts[0]


def test_a_copy_that_is_being_put_is_no_orphan(
    archive: Archive, store: Store, clock: Clock, sited: Database
) -> None:
    with sited.begin() as conn:
        intend(conn, [Intent(KEY, COPY, "hammer", "1", "2")], node=archive.spool.node, now=clock())
    store._objects[KEY] = b"put just now"  # noqa: SLF001 - by another process
    mover(archive).run_once(clock())
    assert intents_of(sited) == [(KEY, False)]
    store.may_be_listed = True
    assert care.verify(archive).orphaned == ()
