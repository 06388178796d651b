"""What is erased is gone from every file; what stays reads back; a rebuild brings nothing back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from casework.access import Scope
from casework.erasure import Target
from storage import care
from storage.archive import Archive
from storage.backup import back_up, backups
from storage.casebook_tables import cases
from storage.database import Database
from storage.erasing import Erasures
from storage.erasure_tables import erasures
from storage.index import Index
from storage.ledger import Ledger
from storage.mover import packing_folder
from storage.rebuild import rebuild
from storage.tables import copies, custody, instances, packs, patients, studies
from storage.testing import fresh_database
from tests.storage.erasing import (
    ADMIN,
    NAME,
    OTHER,
    PIXELS,
    SERIES,
    STUDY,
    Clock,
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

pytestmark = pytest.mark.slow


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def archive(sited: Database, tmp_path: Path, clock: Clock) -> Iterator[Archive]:
    with opened(tmp_path, sited, clock) as archive:
        yield archive


def count(database: Database, table: object) -> int:
    with database.read() as conn:
        return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


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
    preview = tmp_path / "cache" / "previews" / "ab" / "cdef"
    preview.parent.mkdir(parents=True)
    preview.write_bytes(PIXELS)
    (tmp_path / "spool" / "aside" / "a.seg.512.torn").write_bytes(doomed(9))
    (packing_folder(tmp_path) / ".pack-cut-short").write_bytes(doomed(1))
    assert files_with(tmp_path, NAME, PIXELS)

    clock.later(1)
    erasure = erase(archive, clock)
    assert Index(archive.database).instances_of(everything, STUDY) == []
    assert finish(archive, clock, erasure) == "done"

    assert files_with(tmp_path, NAME, PIXELS, b"SECOND") == []
    reads_back(archive, everything, range(1, 4))
    assert count(archive.database, instances) == 3
    assert count(archive.database, packs) == 1
    assert count(archive.database, patients) == count(archive.database, studies) == 1
    with archive.database.read() as conn:
        of = {row.instance_pk for row in conn.execute(select(custody.c.instance_pk))}
        assert of == set(conn.execute(select(instances.c.pk)).scalars())
    assert len(backups(archive.store)) == 1
    assert Ledger(archive.database).verify() is None
