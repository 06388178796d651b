"""What every database under the index has to do alike."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, literal, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from casework.access import Scope
from casework.custody import Door, Origin
from storage.casebook_tables import sites
from storage.database import Database, insert_if_absent
from storage.header import Header
from storage.index import Index
from storage.matching import criterion
from storage.records import SpoolRecord
from storage.register import register
from storage.tables import custody, instances, segments
from storage.testing import fresh_database

NOON = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
EVERYTHING = Scope(sites=None, specialties=None, own_site="centre")


@pytest.fixture
def database(tmp_path: Path, database_server: str) -> Iterator[Database]:
    """Give an empty, migrated database of each kind."""
    with fresh_database(tmp_path, server=database_server) as opened:
        with opened.begin() as conn:
            conn.execute(sites.insert().values(slug="hammer", name="Hammer", kind="hospital"))
        yield opened


def _record(number: int, *, uid: str = "", marker: str = "", after_s: float = 0) -> SpoolRecord:
    sop = uid or f"1.9.{number}"
    kept = {
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.1",
        "SOPInstanceUID": sop,
        "PatientID": "12345",
        "PatientName": "NESS^KARI",
        "Modality": "CT",
        "StudyDate": "20250301",
        "InstanceNumber": number,
    }
    return SpoolRecord(
        origin=Origin(site="hammer", door=Door.DICOM),
        header=Header(
            "1.2.840.10008.5.1.4.1.1.2", sop, "1.2.3", "1.2.3.1", "1.2.840.10008.1.2.1", kept
        ),
        received_at=NOON + timedelta(seconds=after_s),
        sha256=hashlib.sha256(f"{sop}{marker}".encode()).hexdigest(),
        size_bytes=1000,
        segment="segment",
        offset=number * 2000,
        length=1400,
        dataset_offset=340,
    )


def test_migrating_again_is_harmless(database: Database) -> None:
    database.migrate()
    database.check_current()


def test_times_are_kept_to_the_microsecond_and_in_order(database: Database) -> None:
    times = [NOON + timedelta(microseconds=n * 333_333) for n in range(5)]
    rows = [{"name": str(n), "node": "n", "created_at": t} for n, t in enumerate(times)]
    with database.begin() as conn:
        conn.execute(segments.insert(), list(reversed(rows)))
    with database.read() as conn:
        found = conn.execute(select(segments.c.created_at).order_by(segments.c.created_at))
        assert list(found.scalars()) == times


def test_rows_that_are_there_already_are_left_out(database: Database) -> None:
    rows = [{"name": n, "node": "first", "created_at": NOON} for n in ("a", "b")]
    with database.begin() as conn:
        insert_if_absent(conn, segments, rows[:1])
        insert_if_absent(conn, segments, [{**row, "node": "second"} for row in rows])
        insert_if_absent(conn, segments, [])
    with database.read() as conn:
        found = conn.execute(select(segments.c.name, segments.c.node).order_by(segments.c.name))
        assert [tuple(row) for row in found] == [("a", "first"), ("b", "second")]


def test_what_fails_leaves_nothing(database: Database) -> None:
    def write_and_fail() -> None:
        with database.begin() as conn:
            for _ in range(2):
                conn.execute(segments.insert().values(name="a", node="n", created_at=NOON))

    with pytest.raises(IntegrityError):
        write_and_fail()
    with database.read() as conn:
        assert conn.execute(select(func.count()).select_from(segments)).scalar_one() == 0


@pytest.mark.parametrize(
    ("query", "stored", "expected"),
    [
        ("a*", "A1", False),
        ("A*", "A1", True),
        ("A_*", "A1", False),
        ("A%*", "A%1", True),
        ("Å?", "Åø", True),
        ("A\\B*", "B1", True),
    ],
)
def test_wildcards_mean_the_same(
    database: Database, query: str, stored: str, expected: bool
) -> None:
    wanted = criterion("AccessionNumber", query)
    assert wanted is not None
    with database.read() as conn:
        found = conn.execute(select(literal(1)).where(wanted.clause(literal(stored)))).first()
    assert (found is not None) is expected


def test_one_instance_counts_for_each_uid_of_a_site(database: Database) -> None:
    with database.begin() as conn:
        register(conn, [_record(1, uid="1.9")])
        register(conn, [_record(2, uid="1.9", marker="other")])

    def let_both_count() -> None:
        with database.begin() as conn:
            pk = conn.execute(select(func.max(instances.c.series_pk))).scalar_one()
            conn.execute(instances.update().values(state="current", series_pk=pk))

    with pytest.raises(IntegrityError):
        let_both_count()
    assert len(Index(database).conflicts()) == 1


def test_taking_over_the_same_records_again_changes_nothing(database: Database) -> None:
    records = [_record(n) for n in range(20)]
    for batch in (records[:12], records[8:], records):
        with database.begin() as conn:
            register(conn, batch)
    with database.read() as conn:
        counted = [
            conn.execute(select(func.count()).select_from(t)).scalar_one()
            for t in (instances, custody)
        ]
    assert counted == [20, 20]
    keys = {"PatientName": "ness*", "NumberOfStudyRelatedInstances": ""}
    (found,) = Index(database).find(EVERYTHING, "STUDY", keys, limit=5)
    assert found["NumberOfStudyRelatedInstances"] == 20


def test_several_that_take_over_the_same_objects_make_one_row_each(database: Database) -> None:
    faults: list[BaseException] = []

    def take_over(share: int) -> None:
        records = [
            replace(_record(n), segment=f"segment-{share}", received_at=NOON) for n in range(30)
        ]
        try:
            for start in range(0, 30, 10):
                with database.begin() as conn:
                    register(conn, records[start : start + 10])
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            faults.append(error)

    threads = [threading.Thread(target=take_over, args=(share,)) for share in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    counts = Index(database).counts()
    assert (counts["patients"], counts["studies"], counts["instances"]) == (1, 1, 30)
    with database.read() as conn:
        assert conn.execute(select(func.count()).select_from(custody)).scalar_one() == 120
        assert set(conn.execute(select(instances.c.state)).scalars()) == {"current"}


def test_of_several_objects_under_one_uid_one_counts(database: Database) -> None:
    faults: list[BaseException] = []

    def take_over(share: int) -> None:
        try:
            with database.begin() as conn:
                register(conn, [_record(share, uid="1.9", marker=str(share))])
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            faults.append(error)

    threads = [threading.Thread(target=take_over, args=(share,)) for share in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(Index(database).instances_of(EVERYTHING, "1.2.3")) == 1
    assert len(Index(database).conflicts()) == 3


@pytest.mark.parametrize("change", [custody.delete(), custody.update().values(event="sent")])
def test_lines_of_custody_are_never_changed(database: Database, change: Any) -> None:
    with database.begin() as conn:
        register(conn, [_record(1)])

    def rewrite() -> None:
        with database.begin() as conn:
            conn.execute(change)

    with pytest.raises(DBAPIError, match="never changed or deleted"):
        rewrite()
    with database.read() as conn:
        assert conn.execute(select(custody.c.event)).scalar_one() == "received"


def test_instances_without_a_number_come_last(database: Database) -> None:
    unnumbered = _record(0)
    kept = {k: v for k, v in unnumbered.header.attributes.items() if k != "InstanceNumber"}
    bare = Header(**{**vars(unnumbered.header), "attributes": kept})
    with database.begin() as conn:
        register(
            conn, [SpoolRecord(**{**vars(unnumbered), "header": bare}), _record(2), _record(1)]
        )
    rows = Index(database).instances_of(EVERYTHING, "1.2.3")
    assert [row.number for row in rows] == [1, 2, None]


def test_a_quiet_study_is_presumed_complete(database: Database) -> None:
    with database.begin() as conn:
        register(conn, [_record(1), _record(2, after_s=10)])
    index = Index(database)
    assert index.presume_complete(NOON + timedelta(seconds=69), 60) == 0
    assert index.presume_complete(NOON + timedelta(seconds=70), 60) == 1
    assert len(index.series_ready_to_pack(NOON + timedelta(seconds=70), 60)) == 1
