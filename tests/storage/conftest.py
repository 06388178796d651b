"""Builders for tests of the index: a fresh database with its sites, and records of the spool."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from casework.access import Scope
from casework.custody import Door, Origin
from storage.casebook_tables import sites
from storage.database import Database
from storage.header import Header, PixelLayout
from storage.index import Index
from storage.objects import ObjectStore
from storage.records import SpoolRecord
from storage.register import register
from storage.testing import fresh_database
from tests.storage.archives import Clock, OpenArchive, archives

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
NOON = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)

MakeRecord = Callable[..., SpoolRecord]


@pytest.fixture
def database(tmp_path: Path, database_server: str) -> Iterator[Database]:
    """Give a fresh database, of each kind that we run on."""
    with fresh_database(tmp_path, server=database_server) as fresh:
        yield fresh


@pytest.fixture
def sited(database: Database) -> Database:
    """Give a fresh database with two hospitals, a GP office and the centre."""
    with database.begin() as conn:
        conn.execute(
            sites.insert(),
            [
                {"slug": "hammer", "name": "Hammer", "kind": "hospital", "issuer": ""},
                {"slug": "vardo", "name": "Vardø", "kind": "hospital", "issuer": "1.2.3.4"},
                {"slug": "gp", "name": "GP", "kind": "gp", "issuer": ""},
                {"slug": "centre", "name": "Centre", "kind": "centre", "issuer": ""},
            ],
        )
    return database


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands until a test moves it."""
    return Clock()


@pytest.fixture
def open_archive(
    sited: Database, tmp_path: Path, clock: Clock, store: ObjectStore
) -> Iterator[OpenArchive]:
    """Give what opens archives on one folder, over the store of the test's module."""
    with archives(tmp_path, sited, clock, store) as opening:
        yield opening


@pytest.fixture
def index(sited: Database) -> Index:
    """Give an index over the sites."""
    return Index(sited)


@pytest.fixture(scope="session")
def everything() -> Scope:
    """Give the sight of somebody at the centre who sees all that is submitted."""
    return Scope(sites=None, specialties=None, own_site="centre")


@pytest.fixture
def make_record() -> MakeRecord:
    """Give a builder of records: one CT image unless told otherwise, each at its own place."""
    placed = iter(range(0, 10**9, 2000))

    def make(
        *,
        site: str = "hammer",
        door: Door = Door.DICOM,
        received_at: datetime | None = None,
        segment: str = "segment-1",
        after_s: float = 0,
        pixel: PixelLayout | None = None,
        warnings: tuple[str, ...] = (),
        **attributes: Any,
    ) -> SpoolRecord:
        offset = next(placed)
        given = {
            "SOPClassUID": CT,
            "SOPInstanceUID": f"1.2.3.1.1.{offset}",
            "StudyInstanceUID": "1.2.3",
            "SeriesInstanceUID": "1.2.3.1",
            "PatientID": "12345",
            "PatientName": "NESS^KARI",
            "PatientBirthDate": "19500102",
            "PatientSex": "F",
            "Modality": "CT",
            "StudyDate": "20250301",
            "StudyTime": "1015",
            "AccessionNumber": "A1",
            "InstanceNumber": 1,
        } | attributes
        kept = {keyword: value for keyword, value in given.items() if value is not None}
        return SpoolRecord(
            origin=Origin(site=site, door=door, calling_ae="CT_1", association="a1"),
            header=Header(
                sop_class_uid=kept["SOPClassUID"],
                sop_instance_uid=kept["SOPInstanceUID"],
                study_uid=kept["StudyInstanceUID"],
                series_uid=kept["SeriesInstanceUID"],
                transfer_syntax_uid=EXPLICIT_LE,
                attributes=kept,
                pixel=pixel,
                warnings=warnings,
            ),
            received_at=(received_at or NOON) + timedelta(seconds=after_s),
            sha256=hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest(),
            size_bytes=1000,
            segment=segment,
            offset=offset,
            length=1400,
            dataset_offset=340,
        )

    return make


@pytest.fixture
def take(sited: Database) -> Callable[..., None]:
    """Give a way to take records over into the index, in one transaction."""

    def take_over(*records: SpoolRecord) -> None:
        with sited.begin() as conn:
            register(conn, records)

    return take_over


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory, database_server: str) -> Iterator[Database]:
    """Give one empty, migrated database to all tests that only look at it."""
    with fresh_database(tmp_path_factory.mktemp("migrated"), server=database_server) as fresh:
        yield fresh
