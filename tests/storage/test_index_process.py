"""The indexer in a process of its own: rows follow the journal, also when the process falls."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select

from storage.archive import Archive, SpoolLimits
from storage.database import Database, open_database
from storage.objects import MemoryStore
from storage.part10 import EXPLICIT_LE
from storage.tables import custody, instances, segments
from storage.testing import fresh_database
from tests.flows.waiting import until
from tests.storage.building import CT, ORIGIN, dataset
from tests.storage.following import command

pytestmark = pytest.mark.slow


@contextmanager
def following(data: Path, server: str = "", **limits: float) -> Iterator[tuple[Archive, Database]]:
    with fresh_database(data, server=server) as database:
        archive = Archive(
            data=data,
            database=database,
            store=MemoryStore(),
            limits=SpoolLimits(spool_bytes=1 << 30, reserve_bytes=0, **limits),  # type: ignore[arg-type]
            follower=command(data, database.url),
        )
        archive.start()
        try:
            yield archive, database
        finally:
            archive.close()


def receive(archive: Archive, number: int) -> None:
    uid = f"1.2.3.{number}"
    archive.receive(
        dataset(uid), ORIGIN, sop_class_uid=CT, sop_instance_uid=uid,
        transfer_syntax_uid=EXPLICIT_LE,
    )  # fmt: skip


def count(database: Database, table: object = instances) -> int:
    with database.read() as conn:
        return conn.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[arg-type]


def test_what_is_acknowledged_is_in_the_index_once_it_is_settled(
    tmp_path: Path, database_server: str
) -> None:
    with following(tmp_path, database_server) as (archive, database):
        for number in range(50):
            receive(archive, number)
        archive.settle(timeout_s=20)
        assert count(database) == 50
        assert archive.spool_status().backlog == 0


def test_what_is_acknowledged_comes_into_the_index_unasked(
    tmp_path: Path, database_server: str
) -> None:
    with following(tmp_path, database_server) as (archive, database):
        receive(archive, 1)
        until(lambda: count(database) == 1, "the row to follow")


def test_a_process_that_falls_is_started_again_and_nothing_is_missing_or_twice(
    tmp_path: Path, database_server: str
) -> None:
    with following(tmp_path, database_server) as (archive, database):
        for number in range(20):
            receive(archive, number)
        fell = archive._indexer._process  # type: ignore[union-attr]
        assert fell is not None
        os.kill(fell.pid, signal.SIGKILL)
        for number in range(20, 40):
            receive(archive, number)
        archive.settle(timeout_s=20)
        assert count(database) == 40
        assert count(database, custody) == 40


def test_sealed_segments_are_known_as_such_when_it_ends(tmp_path: Path) -> None:
    with following(tmp_path, segment_bytes=2000) as (archive, database):
        for number in range(6):
            receive(archive, number)
    database = open_database("sqlite", data=tmp_path)
    with database.read() as conn:
        rows = conn.execute(select(segments.c.name, segments.c.sealed)).all()
    database.close()
    assert len(rows) > 1
    assert all(sealed for _, sealed in rows)


def test_a_start_after_it_adopts_nothing(tmp_path: Path) -> None:
    with following(tmp_path) as (archive, _):
        receive(archive, 1)
    database = open_database("sqlite", data=tmp_path)
    archive = Archive(
        data=tmp_path,
        database=database,
        store=MemoryStore(),
        limits=SpoolLimits(spool_bytes=1 << 30, reserve_bytes=0),
    )
    assert archive.start().adopted == 0
    archive.close()
    database.close()
