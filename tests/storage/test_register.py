"""What becomes of records of the spool in the index."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from casework.access import Scope
from casework.custody import Door
from storage.database import Database, open_database
from storage.header import PixelLayout
from storage.index import Index
from storage.records import SpoolRecord
from storage.register import register
from storage.tables import CURRENT, QUARANTINED, custody, instances, patients, series, studies
from tests.storage.conftest import NOON, MakeRecord

Take = Callable[..., None]


def _count(database: Database, table: Any) -> int:
    with database.read() as conn:
        return conn.execute(select(func.count()).select_from(table)).scalar_one()


def _events(database: Database, uid: str) -> list[str]:
    with database.read() as conn:
        return list(
            conn.execute(
                select(custody.c.event)
                .join(instances, instances.c.pk == custody.c.instance_pk)
                .where(instances.c.sop_instance_uid == uid)
                .order_by(custody.c.pk)
            ).scalars()
        )


def _states(database: Database, uid: str) -> list[tuple[str, str]]:
    with database.read() as conn:
        found = conn.execute(
            select(instances.c.state, instances.c.conflict)
            .where(instances.c.sop_instance_uid == uid)
            .order_by(instances.c.pk)
        )
        return [(row.state, row.conflict) for row in found]


def test_a_record_becomes_an_instance_in_its_place(
    take: Take, make_record: MakeRecord, index: Index, everything: Scope
) -> None:
    layout = PixelLayout(900, 512, True, 2, (((908, 250),), ((1166, 100), (1274, 30))))
    record = make_record(pixel=layout, Rows=512, Columns=256, NumberOfFrames=2, InstanceNumber=7)
    take(record)
    row = index.instance(everything, record.header.sop_instance_uid)
    assert row.pixel == layout
    assert row.attributes == record.header.attributes
    assert (row.number, row.rows, row.columns, row.frames) == (7, 512, 256, 2)
    assert (row.location.where, row.location.container) == ("spool", "segment-1")
    assert (row.location.offset, row.location.length) == (record.offset, record.length)
    assert row.location.dataset_offset == record.dataset_offset
    assert row.received_at == record.received_at
    (study,) = index.studies(everything)
    assert (study.patient_name, study.birth_date, study.sex) == ("NESS^KARI", "19500102", "F")
    assert (study.series_count, study.instance_count, study.modalities) == (1, 1, ("CT",))
    assert study.completeness == "arriving"
    assert study.issuer == "site:hammer"


def test_counts_and_modalities_follow_what_arrives(
    take: Take, make_record: MakeRecord, index: Index, everything: Scope
) -> None:
    take(make_record(), make_record())
    take(
        make_record(SeriesInstanceUID="1.2.3.2", Modality="SR", after_s=5),
        make_record(after_s=3),
    )
    (study,) = index.studies(everything)
    assert (study.series_count, study.instance_count) == (2, 4)
    assert study.modalities == ("CT", "SR")
    assert study.first_received_at == NOON
    assert study.last_received_at == NOON + timedelta(seconds=5)
    counted = {row.series_uid: row.instance_count for row in index.series_of(everything, "1.2.3")}
    assert counted == {"1.2.3.1": 3, "1.2.3.2": 1}


def test_the_same_record_again_changes_nothing(
    take: Take, make_record: MakeRecord, sited: Database
) -> None:
    record = make_record()
    take(record, record)
    take(record)
    assert _count(sited, instances) == 1
    assert _events(sited, record.header.sop_instance_uid) == ["received"]


def test_the_same_bytes_in_another_record_are_a_repeat(
    take: Take, make_record: MakeRecord, sited: Database, index: Index, everything: Scope
) -> None:
    first = make_record(SOPInstanceUID="1.9")
    again = make_record(SOPInstanceUID="1.9", after_s=60)
    take(first)
    take(again)
    take(again)
    assert _states(sited, "1.9") == [(CURRENT, "")]
    assert _events(sited, "1.9") == ["received", "repeated"]
    assert index.instance(everything, "1.9").location.offset == first.offset


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"PatientName": "OTHER^NAME"}, "other-bytes"),
        ({"SeriesInstanceUID": "1.2.3.9"}, "other-series"),
        ({"StudyInstanceUID": "1.2.9"}, "other-study"),
    ],
)
@pytest.mark.parametrize("in_one_batch", [True, False])
def test_another_object_under_the_same_uid_is_kept_in_quarantine(
    take: Take,
    make_record: MakeRecord,
    sited: Database,
    index: Index,
    everything: Scope,
    changed: dict[str, str],
    reason: str,
    in_one_batch: bool,
) -> None:
    first = make_record(SOPInstanceUID="1.9")
    second = make_record(SOPInstanceUID="1.9", **changed)
    if in_one_batch:
        take(first, second)
    else:
        take(first)
        take(second)
    assert _states(sited, "1.9") == [(CURRENT, ""), (QUARANTINED, reason)]
    assert _events(sited, "1.9") == ["received", "received", "conflicted"]
    assert index.instance(everything, "1.9").sha256 == first.sha256
    (study,) = index.studies(everything)
    assert (study.study_uid, study.instance_count) == ("1.2.3", 1)
    take(second)
    assert len(_states(sited, "1.9")) == 2


def test_sites_keep_their_own_objects_under_one_uid(
    take: Take, make_record: MakeRecord, sited: Database, index: Index
) -> None:
    take(
        make_record(SOPInstanceUID="1.9", site="hammer"),
        make_record(SOPInstanceUID="1.9", site="vardo", PatientName="OTHER"),
    )
    assert _states(sited, "1.9") == [(CURRENT, ""), (CURRENT, "")]
    assert index.sites_of_study("1.2.3") == ["hammer", "vardo"]
    assert index.conflicts() == []


def test_the_first_value_stays_and_empty_ones_are_filled(
    take: Take, make_record: MakeRecord, index: Index, everything: Scope
) -> None:
    take(make_record(StudyDescription=None, PatientBirthDate=None, SeriesDescription=None))
    take(
        make_record(
            StudyDescription="CT thorax",
            PatientBirthDate="19500102",
            SeriesDescription="Lung",
            AccessionNumber="OTHER",
            PatientName="NESS^KARI^ANNE",
        )
    )
    (study,) = index.studies(everything)
    assert (study.description, study.accession_number) == ("CT thorax", "A1")
    assert (study.birth_date, study.patient_name) == ("19500102", "NESS^KARI")
    assert study.attributes["StudyDescription"] == "CT thorax"
    (row,) = index.series_of(everything, "1.2.3")
    assert row.description == "Lung"


@pytest.mark.parametrize(
    ("site", "given", "issuer"),
    [
        ("hammer", {"IssuerOfPatientID": "2.16.578"}, "2.16.578"),
        ("vardo", {}, "1.2.3.4"),
        ("hammer", {}, "site:hammer"),
        ("vardo", {"PatientID": None}, "study:1.2.3"),
    ],
)
def test_a_patient_number_belongs_to_its_issuer(
    take: Take,
    make_record: MakeRecord,
    index: Index,
    everything: Scope,
    site: str,
    given: dict[str, Any],
    issuer: str,
) -> None:
    take(make_record(site=site, **given))
    (study,) = index.studies(everything)
    assert study.issuer == issuer


def test_patients_without_a_number_stay_apart(
    take: Take, make_record: MakeRecord, sited: Database
) -> None:
    take(
        make_record(PatientID=None, StudyInstanceUID="1.2.3"),
        make_record(PatientID=None, StudyInstanceUID="1.2.4"),
    )
    assert _count(sited, patients) == 2


def test_an_object_of_another_patient_in_a_study_is_marked(
    take: Take, make_record: MakeRecord, index: Index, everything: Scope
) -> None:
    take(make_record())
    odd = make_record(PatientID="99999")
    take(odd)
    (line,) = index.custody(everything, odd.header.sop_instance_uid)
    assert line.detail["other_patient"] is True


def test_custody_says_who_brought_it_by_which_door(
    take: Take, make_record: MakeRecord, index: Index, everything: Scope
) -> None:
    record = make_record(door=Door.STOW, warnings=("PatientSex cannot be read as CS",))
    take(record)
    (line,) = index.custody(everything, record.header.sop_instance_uid)
    assert (line.event, line.at) == ("received", record.received_at)
    assert line.detail == {
        "door": "stow",
        "calling_ae": "CT_1",
        "association": "a1",
        "warnings": ["PatientSex cannot be read as CS"],
    }


def test_a_late_object_makes_a_complete_study_arrive_again(
    take: Take, make_record: MakeRecord, index: Index, everything: Scope
) -> None:
    take(make_record())
    assert index.presume_complete(NOON + timedelta(seconds=59), 60) == 0
    assert index.presume_complete(NOON + timedelta(seconds=60), 60) == 1
    assert index.presume_complete(NOON + timedelta(seconds=60), 60) == 0
    assert index.studies(everything)[0].completeness == "presumed"
    take(make_record(after_s=90))
    assert index.studies(everything)[0].completeness == "arriving"


def test_a_new_study_of_a_hospital_becomes_a_case(
    take: Take, make_record: MakeRecord, index: Index, everything: Scope
) -> None:
    take(make_record(), make_record(SeriesInstanceUID="1.2.3.2"))
    (study,) = index.studies(everything)
    assert study.case_id is not None
    take(make_record(StudyInstanceUID="1.2.4"))
    assert len({row.case_id for row in index.studies(everything)}) == 2


def test_thousands_of_records_are_taken_over(
    take: Take, make_record: MakeRecord, index: Index, everything: Scope
) -> None:
    for batch in range(10):
        take(
            *(
                make_record(
                    StudyInstanceUID=f"1.2.{batch}",
                    SeriesInstanceUID=f"1.2.{batch}.{number % 4}",
                    AccessionNumber=f"A{batch}",
                    InstanceNumber=number,
                )
                for number in range(500)
            )
        )
    counts = index.counts()
    assert (counts["studies"], counts["series"], counts["instances"]) == (10, 40, 5000)
    (found,) = index.find(
        everything, "STUDY", {"AccessionNumber": "A7", "NumberOfStudyRelatedInstances": ""}, limit=2
    )
    assert (found["StudyInstanceUID"], found["NumberOfStudyRelatedInstances"]) == ("1.2.7", 500)


def test_odd_values_never_stop_a_batch(
    take: Take, make_record: MakeRecord, index: Index, everything: Scope
) -> None:
    record = make_record(
        StudyDate="someday",
        StudyTime="9999",
        PatientBirthDate="??",
        PatientSex="X" * 100,
        PatientName="A\0B=" * 9,
        Modality=["CT", "MR"],
        InstanceNumber=1 << 50,
        SeriesNumber=[3, 4],
        Rows="many",
        AccessionNumber="9" * 5000,
    )
    take(record)
    row = index.instance(everything, record.header.sop_instance_uid)
    assert (row.number, row.rows) == (None, None)
    (study,) = index.studies(everything)
    assert (study.study_date, study.birth_date, study.sex) == ("", "", "X" * 16)
    (found,) = index.series_of(everything, "1.2.3")
    assert (found.modality, found.number) == ("CT\\MR", 3)


def _take_over(url: str, records: list[SpoolRecord]) -> None:
    database = open_database(url)
    for start in range(0, len(records), 20):
        with database.begin() as conn:
            register(conn, records[start : start + 20])
    database.close()
    os._exit(0)


@pytest.mark.slow
def test_processes_that_take_over_the_same_objects_make_one_row_each(
    sited: Database, make_record: MakeRecord
) -> None:
    shares = [
        [make_record(SOPInstanceUID=f"1.9.{n}", segment=f"segment-{p}") for n in range(60)]
        for p in range(3)
    ]
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_take_over, args=(sited.url, share)) for share in shares]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    found = [_count(sited, t) for t in (instances, series, studies, patients, custody)]
    assert found == [60, 1, 1, 1, 180]


@pytest.mark.slow
def test_processes_that_take_over_differing_objects_in_any_order_neither_lose_nor_stop(
    sited: Database, make_record: MakeRecord
) -> None:
    def one(process: int, number: int) -> SpoolRecord:
        return make_record(
            SOPInstanceUID=f"1.9.{number}",
            StudyInstanceUID=f"1.2.{number % 4}",
            SeriesInstanceUID=f"1.2.{number % 4}.1",
            PatientID=str(number % 3),
            SeriesDescription=f"from {process}",
            segment=f"segment-{process}",
        )

    shares = [[one(p, n) for n in range(40)] for p in range(3)]
    shares[1].reverse()
    shares[2] = shares[2][20:] + shares[2][:20]
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_take_over, args=(sited.url, share)) for share in shares]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    with sited.read() as conn:
        states = Counter(conn.execute(select(instances.c.state)).scalars())
        current = select(instances.c.sop_instance_uid).where(instances.c.state == "current")
        uids = list(conn.execute(current).scalars())
    assert states == {"current": 40, "quarantined": 80}
    assert len(set(uids)) == 40
    assert _count(sited, studies) == 4
