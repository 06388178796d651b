"""A start reads what is not packed yet, and no more however much is stored."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from storage import recovery
from storage.archive import Archive, SpoolLimits, utc_now
from storage.database import Database, open_database
from storage.index import Index
from storage.mover import Mover
from storage.objects import MemoryStore, ObjectInfo
from storage.part10 import EXPLICIT_LE
from storage.segments import segment_paths
from storage.testing import fresh_database
from tests.storage.building import CT, ORIGIN, dataset

FEW = 100
MANY = 20_000
A_LOT = 200_000
GROWS = ("instances", "custody", "series", "studies", "patients", "packs", "audit")

FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
INSERT INTO instances (site, sop_instance_uid, sha256, study_uid, series_uid, series_pk, state,
    sop_class_uid, transfer_syntax_uid, size_bytes, attributes, location, container, "offset",
    length, dataset_offset, received_at)
SELECT 'hammer', '1.9.' || i, printf('%064x', i), '1.2.3', '1.2.3.1', (SELECT min(pk) FROM series),
    'current', '1.2', '1.2', 1000, '{}', 'pack', 'v1/hammer/' || (i / 50), i, 1400, 340, :at
FROM n
"""
FILL_PACKS = """
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :count / 50)
INSERT INTO packs (key, site, study_uid, series_uid, sha256, size_bytes, instance_count,
    created_at, verified_at)
SELECT 'v1/hammer/' || i, 'hammer', '1.2.3', '1.2.3.1', printf('%064x', i), 1, 50, :at, :at FROM n
"""
FILL_CUSTODY = """
INSERT INTO custody (instance_pk, event, at, record, detail)
SELECT pk, 'received', received_at, 'old:' || pk, '{}' FROM instances WHERE location = 'pack'
"""


class Store(MemoryStore):
    """A store that may not be listed."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        raise AssertionError("the store was listed")


def receive(archive: Archive, count: int) -> None:
    for i in range(count):
        archive.receive(
            dataset(f"1.2.3.{i}", number=i),
            ORIGIN,
            sop_class_uid=CT,
            sop_instance_uid=f"1.2.3.{i}",
            transfer_syntax_uid=EXPLICIT_LE,
        )
    archive.settle()


def open_archive(folder: Path, database: Database, store: Store) -> Archive:
    limits = SpoolLimits(spool_bytes=1 << 30, reserve_bytes=0)
    return Archive(data=folder, database=database, store=store, limits=limits, durability="store")


class Watch:
    """What was asked of the database, and how many steps it took."""

    def __init__(self) -> None:
        self.steps = 0
        self.asked: list[tuple[str, Any]] = []


@contextmanager
def watched(database: Database) -> Iterator[Watch]:
    watch = Watch()

    def tick() -> int:  # at each step of the library's virtual machine
        watch.steps += 1
        return 0

    def connected(raw: Any, *_: Any) -> None:
        raw.set_progress_handler(tick, 1)

    def executed(_c: Any, _u: Any, statement: str, parameters: Any, *_: Any) -> None:
        watch.asked.append((statement, parameters))

    event.listen(database.engine, "connect", connected)
    event.listen(database.engine, "before_cursor_execute", executed)
    database.engine.dispose()  # connections that are open already do not tell
    yield watch
    event.remove(database.engine, "connect", connected)
    event.remove(database.engine, "before_cursor_execute", executed)


def steps_of_a_start(folder: Path, count: int) -> int:
    """Start over an index with that many packed instances, and return how much was read."""
    folder.mkdir()
    store = Store()
    with fresh_database(folder) as database:
        archive = open_archive(folder, database, store)
        archive.start()
        receive(archive, 5)
        with database.begin() as conn:
            at = "2025-03-01T12:00:00.000000Z"
            for statement in (FILL, FILL_PACKS):
                conn.execute(text(statement), {"count": count, "at": at})
            conn.execute(text(FILL_CUSTODY))
            assert conn.execute(text("SELECT count(*) FROM custody")).scalar_one() >= count
            assert conn.execute(text("SELECT count(*) FROM copies")).scalar_one() == 5
        Index(database).presume_complete(utc_now() + timedelta(days=1), 0)
        archive.close()
    database = open_database("sqlite", data=folder)
    try:
        with watched(database) as watch:
            database.migrate()
            database.check_current()
            archive = open_archive(folder, database, store)
            report = archive.start()
            mover = Mover(archive, quiet_s=1e9)
            assert mover.run_once(utc_now() + timedelta(hours=1)).failure == ""
            archive.require_sound()
            Index(database).presume_complete(utc_now(), 60)
            archive.close()
        assert (report.segments, report.missing) == (0, 0)
        for statement, parameters in watch.asked:
            assert scans(database, statement, parameters) == [], statement
        return watch.steps
    finally:
        database.close()


def scans(database: Database, statement: str, parameters: Any) -> list[str]:
    """Return the steps of a query plan that read a growing table from end to end."""
    if not statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
        return []
    with database.read() as conn:
        plan = conn.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters).all()
    return [row[3] for row in plan if row[3].startswith(tuple(f"SCAN {name}" for name in GROWS))]


@pytest.mark.parametrize("count", [MANY, pytest.param(A_LOT, marks=pytest.mark.slow)])
def test_a_start_reads_as_little_over_many_packed_instances_as_over_few(
    tmp_path: Path, count: int
) -> None:
    few = steps_of_a_start(tmp_path / "few", FEW)
    many = steps_of_a_start(tmp_path / "many", count)
    assert 100 < few < 5000
    assert many <= few + 20  # one row more would cost some steps; a scan some hundred thousand


def test_the_measure_sees_a_scan(tmp_path: Path) -> None:
    with fresh_database(tmp_path) as database:
        assert scans(database, "SELECT count(*) FROM instances WHERE size_bytes > 5", ())
        assert not scans(database, "SELECT pk FROM instances WHERE pk = 5", ())
        with database.begin() as conn:
            conn.execute(text(FILL_PACKS), {"count": 50_000, "at": "2025-03-01T12:00:00.000000Z"})
        with watched(database) as watch, database.read() as conn:
            conn.execute(text("SELECT sum(size_bytes) FROM packs"))
        assert watch.steps > 1000


def test_a_start_opens_no_segment_that_was_closed_in_peace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store()
    with fresh_database(tmp_path) as database:
        for _ in range(3):
            archive = open_archive(tmp_path, database, store)
            archive.start()
            receive(archive, 3)
            archive.close()
        assert len(segment_paths(tmp_path / "spool")) == 3

        def never(path: Path) -> int | None:
            raise AssertionError(f"{path} was opened")

        monkeypatch.setattr(recovery, "adopt_orphan", never)
        archive = open_archive(tmp_path, database, store)
        assert archive.start().segments == 0
        archive.close()


def test_tidying_a_folder_store_walks_none_of_its_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from storage.objects import FolderStore  # noqa: PLC0415

    store = FolderStore(tmp_path / "store")
    looked_at: list[str] = []
    listdir = os.listdir
    scandir = os.scandir
    monkeypatch.setattr(os, "listdir", lambda p=".": looked_at.append(str(p)) or listdir(p))
    monkeypatch.setattr(os, "scandir", lambda p=".": looked_at.append(str(p)) or scandir(p))
    store.tidy()
    assert looked_at == [str(tmp_path / "store" / ".putting")]
