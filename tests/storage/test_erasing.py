"""What is erased is gone from every file; what stays reads back; a rebuild brings nothing back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from casework.access import Scope
from casework.erasure import Target
from storage import care
from storage.archive import Archive
from storage.backup import back_up, backups
from storage.casebook_tables import cases
from storage.database import Database
from storage.erasing import Erasures
from storage.erasing_rows import note_work
from storage.erasure_steps import Eraser, without_node
from storage.erasure_tables import erasures
from storage.index import Index
from storage.ledger import Ledger
from storage.merge import MergeRule
from storage.mover import Mover, packing_folder
from storage.nodes import Nodes
from storage.objects import FolderStore
from storage.objects.s3 import S3Store
from storage.rebuild import rebuild
from storage.tables import copies, custody, instances, metadata, packs, patients, studies
from storage.testing import fresh_database
from tests.databases import ON_SQLITE
from tests.storage.archives import Clock
from tests.storage.erasing import (
    ADMIN,
    NAME,
    OTHER,
    PATIENT,
    PIXELS,
    SERIES,
    STUDY,
    doomed,
    erase,
    files_with,
    finish,
    opened,
    pack,
    receive,
    receive_doomed,
    receive_others,
    receive_twin_in_other_study,
)
from tests.storage.s3.servers import Server

pytestmark = pytest.mark.slow


@pytest.fixture
def archive(sited: Database, tmp_path: Path, clock: Clock) -> Iterator[Archive]:
    with opened(tmp_path, sited, clock) as archive:
        yield archive


def count(database: Database, table: object) -> int:
    with database.read() as conn:
        return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


def tables_with(database: Database, text: str) -> set[str]:
    """Return the tables in a row of which a text stands, whatever the column."""
    with database.read() as conn:
        return {
            table.name
            for table in metadata.sorted_tables
            if any(text in repr(row) for row in conn.execute(select(table)))
        }


def reads_back(archive: Archive, everything: Scope, numbers: range) -> None:
    rows = Index(archive.database).instances_of(everything, "1.2.3")
    assert [row.number for row in rows] == list(numbers)
    for row in rows:
        assert OTHER in archive.read_dataset(row)
    report = care.verify(archive)
    assert (report.is_clean, report.orphaned) == (True, ())


def test_every_byte_of_an_erased_study_is_gone_and_all_else_reads_back(
    archive: Archive, clock: Clock, tmp_path: Path, everything: Scope
) -> None:
    receive_others(archive, 1, 2, 3)
    receive_doomed(archive, 1, 2)
    receive(archive, doomed(1, pixels=b"SECOND" + PIXELS[6:]), f"{SERIES}.1")  # in conflict
    receive_twin_in_other_study(archive, 2)
    assert pack(archive, clock) == 2
    receive_doomed(archive, 2, 3, 4)  # the second again, two in the spool only
    back_up(archive.database, archive.store, packing_folder(tmp_path), now=clock())
    for kind in ("previews", "metadata"):
        made = tmp_path / "cache" / kind / "ab" / "cdef"
        made.parent.mkdir(parents=True)
        made.write_bytes(PIXELS)
    (tmp_path / "spool" / "aside" / "a.seg.512.torn").write_bytes(doomed(9))
    (packing_folder(tmp_path) / ".pack-cut-short").write_bytes(doomed(1))
    assert files_with(tmp_path, NAME, PIXELS)
    assert {"patients", "cases"} <= tables_with(archive.database, NAME.decode())

    clock.later(1)
    erasure = erase(archive, clock)
    assert Index(archive.database).instances_of(everything, STUDY) == []
    assert finish(archive, clock, erasure) == "done"

    assert files_with(tmp_path, NAME, PIXELS, b"SECOND") == []
    assert tables_with(archive.database, NAME.decode().partition("^")[0].lower()) == set()
    assert tables_with(archive.database, NAME.decode()) == set()
    assert tables_with(archive.database, STUDY) == {"audit"}
    reads_back(archive, everything, range(1, 4))
    assert count(archive.database, instances) == 3
    assert count(archive.database, packs) == 1
    assert count(archive.database, patients) == count(archive.database, studies) == 1
    with archive.database.read() as conn:
        of = {row.instance_pk for row in conn.execute(select(custody.c.instance_pk))}
        assert of == set(conn.execute(select(instances.c.pk)).scalars())
    assert len(backups(archive.store)) == 1
    assert Ledger(archive.database).verify() is None


@ON_SQLITE
def test_copies_of_durability_store_go_as_well(
    sited: Database, tmp_path: Path, clock: Clock, everything: Scope
) -> None:
    with opened(tmp_path, sited, clock, durability="store") as archive:
        receive_others(archive, 1, 2)
        receive_doomed(archive, 1, 2)
        assert count(sited, copies) == 4
        erasure = erase(archive, clock)
        assert finish(archive, clock, erasure) == "done"
        assert files_with(tmp_path, NAME, PIXELS) == []
        assert count(sited, copies) == 2
        assert pack(archive, clock) == 1
        reads_back(archive, everything, range(1, 3))


def test_an_object_that_is_sent_again_is_new_and_stays(
    archive: Archive, clock: Clock, tmp_path: Path, everything: Scope
) -> None:
    receive_doomed(archive, 1, 2)
    pack(archive, clock)
    erasure = erase(archive, clock)
    clock.later(1)
    receive_doomed(archive, 1)  # before its bytes of old are gone
    assert finish(archive, clock, erasure) == "done"
    pack(archive, clock)
    (row,) = Index(archive.database).instances_of(everything, STUDY)
    assert archive.read_dataset(row) == doomed(1)
    lines = Index(archive.database).custody(everything, f"{SERIES}.1")
    assert [line.event for line in lines].count("received") == 1
    with archive.database.read() as conn:  # the number of the erased case is not given again
        (case_id,) = conn.execute(select(cases.c.id)).scalars()
    assert case_id not in Erasures(archive.database, clock, node="").listed()[0].stone.case_ids
    told = rebuilt(archive, tmp_path / "again", clock)
    assert (told.instances, told.erased) == (1, 0)


def rebuilt(archive: Archive, folder: Path, clock: Clock):  # type: ignore[no-untyped-def]
    """Rebuild an empty database of the same kind from the store, and return the report."""
    folder.mkdir()
    with (
        fresh_database(folder) as empty,
        opened(folder, empty, clock, store=archive.store) as other,
    ):
        report = rebuild(other)
        folder.joinpath("state").write_text(
            " ".join(str(count(empty, table)) for table in (instances, cases, erasures))
        )
        if report.erased:
            (erasure,) = Erasures(empty, clock, node="").listed()
            assert finish(other, clock, erasure.stone.id) == "done"
        return report


def test_a_rebuild_brings_nothing_back_not_even_from_an_older_backup_and_an_old_pack(
    archive: Archive, clock: Clock, tmp_path: Path
) -> None:
    receive_others(archive, 1)
    receive_doomed(archive, 1, 2)
    pack(archive, clock)
    back_up(archive.database, archive.store, packing_folder(tmp_path), now=clock())
    shutil.copytree(tmp_path / "store", tmp_path / "old")
    clock.later(1)
    assert finish(archive, clock, erase(archive, clock)) == "done"
    told = rebuilt(archive, tmp_path / "first", clock)
    assert (told.casebook, told.instances, told.erased, told.lost) == ("restored", 1, 0, ())
    assert (tmp_path / "first" / "state").read_text() == "1 1 1"

    shutil.copytree(tmp_path / "old", tmp_path / "store", dirs_exist_ok=True)  # all comes back
    assert files_with(tmp_path / "store", NAME, PIXELS)
    told = rebuilt(archive, tmp_path / "second", clock)
    assert (told.instances, told.erased, told.lost) == (1, 2, ())
    assert (tmp_path / "second" / "state").read_text() == "1 1 1"
    assert files_with(tmp_path / "store", NAME, PIXELS) == []
    assert files_with(tmp_path / "second", NAME, PIXELS) == []


@ON_SQLITE
def test_a_pack_that_was_being_made_meanwhile_is_found_by_its_intent(
    archive: Archive, clock: Clock, tmp_path: Path
) -> None:
    receive_doomed(archive, 1, 2)
    put = archive.store.put
    erased: list[str] = []

    def put_then_erase(key: str, source: Path | bytes, *, sha256: str) -> None:
        put(key, source, sha256=sha256)
        if not erased:
            erased.append(erase(archive, clock))

    archive.store.put = put_then_erase  # type: ignore[method-assign]
    assert pack(archive, clock) == 1
    archive.store.put = put  # type: ignore[method-assign]
    assert files_with(tmp_path / "store", PIXELS)
    assert finish(archive, clock, erased[0]) == "done"
    assert files_with(tmp_path, NAME, PIXELS) == []
    assert care.verify(archive).orphaned == ()


def test_what_was_received_before_and_is_indexed_after_goes_as_well(
    archive: Archive, clock: Clock, tmp_path: Path, everything: Scope
) -> None:
    receive_doomed(archive, 1)
    early = clock.now
    clock.later(5)
    erasure = erase(archive, clock)
    late, clock.now = clock.now, early
    receive_doomed(archive, 2)
    clock.now = late
    assert finish(archive, clock, erasure) == "done"
    assert Index(archive.database).instances_of(everything, STUDY) == []
    assert files_with(tmp_path, NAME, PIXELS) == []
    assert Erasures(archive.database, clock, node="").listed()[0].stone.instances == 2


@ON_SQLITE
def test_a_backup_that_is_made_while_something_is_erased_does_not_keep_it(
    archive: Archive, clock: Clock, tmp_path: Path
) -> None:
    receive_doomed(archive, 1)
    put = archive.store.put
    clock.later(1)

    def erase_then_put(key: str, source: Path | bytes, *, sha256: str) -> None:
        archive.store.put = put  # type: ignore[method-assign]
        erased.append(erase(archive, clock))
        assert finish(archive, clock, erased[0]).startswith("erasing .backup-")
        put(key, source, sha256=sha256)

    erased: list[str] = []
    archive.store.put = erase_then_put  # type: ignore[method-assign]
    back_up(archive.database, archive.store, packing_folder(tmp_path), now=clock())
    assert len(backups(archive.store)) == 1
    assert files_with(tmp_path / "store", NAME) == []  # it was made anew
    clock.later(31)
    assert finish(archive, clock, erased[0]) == "done"
    assert files_with(tmp_path, NAME, PIXELS) == []


def test_all_of_a_patient_goes_with_cases_and_lesions(
    archive: Archive, clock: Clock, tmp_path: Path, everything: Scope
) -> None:
    receive_others(archive, 1)
    receive_doomed(archive, 1)
    pack(archive, clock)
    whose = Target(patient_id=PATIENT.decode(), issuer="site:hammer")
    plan = Erasures(archive.database, clock, node="").plan(whose)
    assert (len(plan.studies), plan.instances, len(plan.cases)) == (1, 1, 1)
    assert finish(archive, clock, erase(archive, clock, whose)) == "done"
    assert files_with(tmp_path, NAME, PIXELS, PATIENT) == []
    assert tables_with(archive.database, PATIENT.decode()) == set()
    reads_back(archive, everything, range(1, 2))
    for table in (instances, studies, patients, cases, packs):
        assert count(archive.database, table) == 1
    entries = [e for e in reversed(Ledger(archive.database).entries()) if e.action == "erased"]
    assert [bool(e.case_id) for e in entries] == [False, True]
    assert Ledger(archive.database).verify() is None
    stone = Erasures(archive.database, clock, node="").listed()[0].stone
    assert (stone.instances, stone.actor_id) == (1, ADMIN.id)
    for name in (PATIENT.decode(), STUDY, NAME.decode()):
        assert name not in repr(stone)


@ON_SQLITE
def test_packs_that_were_merged_away_go_as_well(
    archive: Archive, clock: Clock, tmp_path: Path
) -> None:
    mover = Mover(archive, quiet_s=60, copies_grace_s=3600, merge=MergeRule(packs=1, quiet_s=0))
    for number in (1, 2):
        receive_doomed(archive, number)
        assert mover.run_once(clock.later(61)).packs == 1
    assert mover.run_once(clock.later(61)).merged == 2
    assert len(files_with(tmp_path / "store", PIXELS)) == 3
    assert finish(archive, clock, erase(archive, clock)) == "done"
    assert files_with(tmp_path, NAME, PIXELS) == []
    assert count(archive.database, copies) == 0


def test_lines_of_custody_and_reports_still_only_grow(archive: Archive, clock: Clock) -> None:
    receive_doomed(archive, 1)
    for verb in ("DELETE FROM custody", "UPDATE custody SET event = 'sent'"):
        with pytest.raises(DBAPIError, match="never changed"), archive.database.begin() as conn:
            conn.exec_driver_sql(verb)


def test_a_node_without_a_worker_empties_its_folder_whenever_somebody_else_looked_last(
    sited: Database, tmp_path: Path, clock: Clock
) -> None:
    store = FolderStore(tmp_path / "shared")
    with (
        opened(tmp_path / "one", sited, clock, store=store, node="one") as one,
        opened(tmp_path / "two", sited, clock, store=store, node="two") as two,
    ):
        receive_doomed(two, 1, 2)
        erasure = erase(one, clock)
        with sited.begin() as conn:  # as nodes of one database server do
            note_work(conn, erasure, nodes=["two"])
        assert finish(one, clock, erasure).startswith("erasing the data folder of two")
        packer = Eraser(two, actor=ADMIN)
        assert packer.clear_own_folder(clock())
        assert files_with(tmp_path / "two", NAME, PIXELS) == []
        assert not packer.clear_own_folder(clock())
        assert finish(one, clock, erasure) == "done"  # without waiting for its next turn
        assert files_with(tmp_path, NAME, PIXELS) == []


@pytest.mark.peers
@pytest.mark.parametrize("database_server", ["postgresql"], indirect=True)
def test_an_erasure_waits_for_the_other_node_which_empties_its_own_folder(
    sited: Database, tmp_path: Path, clock: Clock
) -> None:
    store = FolderStore(tmp_path / "shared")
    nodes = Nodes(sited, clock)
    with (
        opened(tmp_path / "one", sited, clock, store=store, node="one") as one,
        opened(tmp_path / "two", sited, clock, store=store, node="two") as two,
    ):
        nodes.claim("one", "1")
        nodes.claim("two", "2")
        receive_doomed(one, 1)
        pack(one, clock)
        receive_doomed(two, 1, 2)
        erasure = erase(one, clock)
        assert finish(one, clock, erasure).startswith("erasing the data folder of two")
        assert files_with(tmp_path / "one", NAME, PIXELS) == []
        assert files_with(tmp_path / "shared", NAME, PIXELS) == []
        assert files_with(tmp_path / "two", NAME, PIXELS)
        clock.later(31)
        assert finish(two, clock, erasure) == "done"
        assert files_with(tmp_path, NAME, PIXELS) == []

        receive_doomed(one, 3)
        erasure = erase(one, clock)
        assert without_node(one, "two", actor=ADMIN, now=clock()) == 1
        clock.later(31)
        assert finish(one, clock, erasure) == "done"


@pytest.mark.peers
@ON_SQLITE
def test_a_bucket_keeps_nothing_of_what_was_erased(
    sited: Database, tmp_path: Path, clock: Clock, rclone: Server, everything: Scope
) -> None:
    store = S3Store(rclone.place(), found_in=tmp_path / "self-test.json")
    with opened(tmp_path, sited, clock, store=store) as archive:
        receive_others(archive, 1, 2)
        receive_doomed(archive, 1, 2)
        receive_twin_in_other_study(archive, 1)
        assert pack(archive, clock) == 2
        back_up(sited, store, packing_folder(tmp_path), now=clock())
        clock.later(1)
        assert finish(archive, clock, erase(archive, clock)) == "done"
        reads_back(archive, everything, range(1, 3))
        for each in store.list():
            with store.open_range(each.key, 0, each.size_bytes) as stream:
                path = tmp_path / "looked-at" / Path(each.key).name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(stream.read())
    assert len(list((tmp_path / "looked-at").iterdir())) == 3  # pack, backup, tombstone
    assert files_with(tmp_path, NAME, PIXELS) == []
    store.close()
