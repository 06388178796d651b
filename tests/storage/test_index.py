"""What the index answers: queries at each level, sight, packs, conflicts, counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from casework.access import NOTHING, Scope
from casework.custody import CustodyEvent
from casework.errors import Invalid, NotFound
from casework.model import Actor, Patient, Role, SiteKind, Specialty
from storage.database import Database
from storage.fingerprint import fingerprint_of
from storage.index import Index
from storage.locate import Pack, Packed, live_records
from storage.matching import Manner
from storage.query import read_query
from storage.tables import instances
from tests.storage.conftest import CT, NOON, MakeRecord

Take = Callable[..., None]

HAMMER = Scope(sites=frozenset({"hammer"}), specialties=None, own_site="hammer")
VARDO = Scope(sites=frozenset({"vardo"}), specialties=None, own_site="vardo")
DERMATOLOGIST = Scope(sites=None, specialties=frozenset({Specialty.DERMATOLOGY}), own_site="centre")
ADMIN = Actor("user:1", "Ada", "centre", SiteKind.CENTRE, Role.ADMIN)


@pytest.fixture
def filled(take: Take, make_record: MakeRecord, index: Index) -> Index:
    """Give an index with three studies of two patients of two sites."""
    take(
        *(make_record(InstanceNumber=n, Rows=512) for n in (2, 1)),
        make_record(
            SeriesInstanceUID="1.2.3.2",
            SeriesNumber=2,
            Modality="SR",
            SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11",
        ),
        make_record(
            StudyInstanceUID="1.2.4",
            SeriesInstanceUID="1.2.4.1",
            StudyDate="20250302",
            AccessionNumber="A2",
            Modality="MR",
            StudyDescription="MR caput",
            InstitutionName="Hammer sykehus",
            RequestAttributesSequence=[{"RequestedProcedureID": "R7"}],
            ImageType=["ORIGINAL", "PRIMARY"],
        ),
        make_record(
            site="vardo",
            StudyInstanceUID="1.2.5",
            SeriesInstanceUID="1.2.5.1",
            StudyDate="20240101",
            PatientID="12345",
            PatientName="BERG^OLA",
            AccessionNumber="A1",
        ),
    )
    return index


def _found(
    index: Index, scope: Scope, level: str, key: str, limit: int = 50, **keys: Any
) -> list[Any]:
    return [row[key] for row in index.find(scope, level, keys, limit=limit)]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, ["1.2.4", "1.2.3", "1.2.5"]),
        ({"AccessionNumber": "A1"}, ["1.2.3", "1.2.5"]),
        ({"AccessionNumber": "A?", "PatientName": "ness*"}, ["1.2.4", "1.2.3"]),
        ({"PatientID": "12345"}, ["1.2.4", "1.2.3", "1.2.5"]),
        ({"PatientID": "12345", "IssuerOfPatientID": "1.2.3.4"}, ["1.2.5"]),
        ({"PatientName": "BERG^OLA"}, ["1.2.5"]),
        ({"StudyDate": "20250101-"}, ["1.2.4", "1.2.3"]),
        ({"StudyDate": "20250301", "StudyTime": "10-11"}, ["1.2.3"]),
        ({"ModalitiesInStudy": "SR"}, ["1.2.3"]),
        ({"ModalitiesInStudy": "MR\\SR"}, ["1.2.4", "1.2.3"]),
        ({"SOPClassesInStudy": "1.2.840.10008.5.1.4.1.1.88.11"}, ["1.2.3"]),
        ({"StudyInstanceUID": "1.2.3\\1.2.5"}, ["1.2.3", "1.2.5"]),
        ({"StudyDescription": "MR*"}, ["1.2.4"]),
        ({"InstitutionName": "Hammer*"}, ["1.2.4"]),  # kept, without a column
        ({"InstitutionName": "Hammer*", "PatientID": "0"}, []),
        ({"PatientBirthDate": "19500101-19501231"}, ["1.2.4", "1.2.3", "1.2.5"]),
        ({"NumberOfStudyRelatedInstances": "99"}, ["1.2.4", "1.2.3", "1.2.5"]),
        ({"PatientComments": "x"}, ["1.2.4", "1.2.3", "1.2.5"]),  # not kept: not matched
    ],
)
def test_studies_are_found_by_their_keys(
    filled: Index, everything: Scope, keys: Mapping[str, str], expected: list[str]
) -> None:
    assert _found(filled, everything, "STUDY", "StudyInstanceUID", **keys) == expected


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"StudyInstanceUID": "1.2.3"}, ["1.2.3.2", "1.2.3.1"]),
        ({"Modality": "CT", "PatientName": "NESS*"}, ["1.2.3.1"]),
        ({"SeriesNumber": "2"}, ["1.2.3.2"]),
        ({"RequestAttributesSequence": [{"RequestedProcedureID": "R*"}]}, ["1.2.4.1"]),
        ({"ModalitiesInStudy": "MR"}, ["1.2.4.1"]),
    ],
)
def test_series_are_found_by_their_keys_and_those_above(
    filled: Index, everything: Scope, keys: Mapping[str, Any], expected: list[str]
) -> None:
    assert _found(filled, everything, "SERIES", "SeriesInstanceUID", **keys) == expected


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1"}, [1, 2]),
        ({"SeriesInstanceUID": "1.2.3.1", "InstanceNumber": "2"}, [2]),
        ({"SOPClassUID": CT, "Rows": "512"}, [1, 2]),
        ({"ImageType": "PRIMARY"}, [1]),
        ({"StudyInstanceUID": "1.2.5", "SeriesInstanceUID": "1.2.3.1"}, []),
    ],
)
def test_instances_are_found_by_their_keys_and_those_above(
    filled: Index, everything: Scope, keys: Mapping[str, Any], expected: list[int]
) -> None:
    requested = {"InstanceNumber": "", **keys}
    assert _found(filled, everything, "IMAGE", "InstanceNumber", **requested) == expected


def test_the_same_number_from_two_issuers_is_two_patients(filled: Index, everything: Scope) -> None:
    found = list(
        filled.find(
            everything,
            "PATIENT",
            {
                "PatientID": "12345",
                "PatientName": "",
                "IssuerOfPatientID": "",
                "NumberOfPatientRelatedStudies": "",
                "NumberOfPatientRelatedSeries": "",
                "NumberOfPatientRelatedInstances": "",
            },
            limit=9,
        )
    )
    assert found == [
        {
            "PatientID": "12345",
            "PatientName": name,
            "IssuerOfPatientID": issuer,
            "NumberOfPatientRelatedStudies": studies,
            "NumberOfPatientRelatedSeries": series,
            "NumberOfPatientRelatedInstances": objects,
        }
        for name, issuer, studies, series, objects in (
            ("BERG^OLA", "1.2.3.4", 1, 1, 1),
            ("NESS^KARI", "", 2, 3, 4),
        )
    ]


def test_an_answer_has_what_was_asked_and_nothing_else(filled: Index, everything: Scope) -> None:
    (answer,) = filled.find(
        everything,
        "STUDY",
        {
            "StudyInstanceUID": "1.2.3",
            "PatientName": "",
            "StudyTime": "",
            "StudyDescription": "",
            "ModalitiesInStudy": "",
            "NumberOfStudyRelatedSeries": "",
            "NumberOfStudyRelatedInstances": "",
            "SOPClassesInStudy": "",
            "InstanceAvailability": "",
            "RequestAttributesSequence": [],
            "PatientComments": "",
        },
        limit=9,
    )
    assert answer == {
        "StudyInstanceUID": "1.2.3",
        "PatientName": "NESS^KARI",
        "StudyTime": "1015",
        "StudyDescription": "",
        "ModalitiesInStudy": ["CT", "SR"],
        "NumberOfStudyRelatedSeries": 2,
        "NumberOfStudyRelatedInstances": 3,
        "SOPClassesInStudy": [CT, "1.2.840.10008.5.1.4.1.1.88.11"],
        "InstanceAvailability": "ONLINE",
    }


def test_the_unique_keys_down_to_the_level_always_come_back(
    filled: Index, everything: Scope
) -> None:
    (answer,) = filled.find(everything, "IMAGE", {"InstanceNumber": "2"}, limit=9)
    assert answer.keys() == {
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SOPInstanceUID",
        "InstanceNumber",
    }


@pytest.mark.parametrize("keys", [{}, {"InstitutionName": "*mmer*", "PatientID": "*"}])
def test_pages_of_answers_join_up(
    take: Take, make_record: MakeRecord, index: Index, everything: Scope, keys: dict[str, str]
) -> None:
    take(*(make_record(StudyInstanceUID=f"1.2.{n}", InstitutionName="Hammer") for n in range(25)))
    whole = [row["StudyInstanceUID"] for row in index.find(everything, "STUDY", keys, limit=99)]
    pages = [
        row["StudyInstanceUID"]
        for offset in range(0, 30, 10)
        for row in index.find(everything, "STUDY", keys, limit=10, offset=offset)
    ]
    assert len(whole) == 25
    assert pages == whole


def test_a_query_that_makes_no_sense_is_refused(filled: Index, everything: Scope) -> None:
    with pytest.raises(Invalid, match="level"):
        filled.find(everything, "WARD", {}, limit=1)
    with pytest.raises(Invalid, match="StudyDate"):
        filled.find(everything, "STUDY", {"StudyDate": "x"}, limit=1)


def test_keys_that_the_index_does_not_keep_are_named() -> None:
    query = read_query("STUDY", {"PatientComments": "x", "StudyID": "1", "Modality": "CT"})
    assert query.unsupported == ("PatientComments", "Modality")


def test_fuzzy_names_are_found_when_asked_for(filled: Index, everything: Scope) -> None:
    found = filled.find(
        everything, "STUDY", {"PatientName": "ola be"}, limit=9, manner=Manner(fuzzy=True)
    )
    assert [row["StudyInstanceUID"] for row in found] == ["1.2.5"]
    assert list(filled.find(everything, "STUDY", {"PatientName": "ola be"}, limit=9)) == []


@pytest.mark.parametrize("level", ["PATIENT", "STUDY", "SERIES", "IMAGE"])
def test_nobody_finds_what_is_out_of_sight(filled: Index, level: str) -> None:
    assert list(filled.find(NOTHING, level, {}, limit=9)) == []
    assert list(filled.find(DERMATOLOGIST, level, {}, limit=9)) == []
    own = len(list(filled.find(VARDO, level, {}, limit=9)))
    assert own == 1


def test_a_patient_counts_only_what_is_in_sight(
    take: Take, make_record: MakeRecord, index: Index
) -> None:
    take(make_record(), make_record(StudyInstanceUID="1.2.6", Modality="XC"))
    keys = {"NumberOfPatientRelatedStudies": ""}
    (answer,) = index.find(DERMATOLOGIST, "PATIENT", keys, limit=9)
    assert answer["NumberOfPatientRelatedStudies"] == 1


def test_single_objects_obey_the_same_sight(filled: Index, everything: Scope) -> None:
    uid = filled.instances_of(everything, "1.2.5")[0].sop_instance_uid
    assert filled.instance(VARDO, uid).site == "vardo"
    for scope in (HAMMER, NOTHING):
        with pytest.raises(NotFound):
            filled.instance(scope, uid)
        with pytest.raises(NotFound):
            filled.custody(scope, uid)
        assert filled.instances_of(scope, "1.2.5") == []
        assert filled.series_of(scope, "1.2.5") == []
        assert filled.custody_of_study(scope, "1.2.5") == []
        assert filled.studies(scope, study_uid="1.2.5") == []


def test_of_two_sites_copies_one_is_seen_the_fullest(
    take: Take, make_record: MakeRecord, index: Index, everything: Scope
) -> None:
    take(make_record(SOPInstanceUID="1.9.1", site="vardo"))
    take(*(make_record(SOPInstanceUID=f"1.9.{n}", site="hammer") for n in (1, 2)))
    (found,) = index.find(everything, "STUDY", {"NumberOfStudyRelatedInstances": ""}, limit=9)
    assert found["NumberOfStudyRelatedInstances"] == 2
    assert {row.site for row in index.instances_of(everything, "1.2.3")} == {"hammer"}
    assert index.instance(everything, "1.9.1").site == "hammer"
    assert index.instance(everything, "1.9.1", site="vardo").site == "vardo"
    assert len(index.instances_of(everything, "1.2.3", site="vardo")) == 1
    assert [row.site for row in index.studies(everything)] == ["hammer"]
    assert [row.site for row in index.studies(VARDO)] == ["vardo"]


def test_instances_come_by_series_and_number(filled: Index, everything: Scope) -> None:
    rows = filled.instances_of(everything, "1.2.3")
    order = [(row.series_uid, row.number) for row in rows]
    assert order == [("1.2.3.2", 1), ("1.2.3.1", 1), ("1.2.3.1", 2)]
    assert len(filled.instances_of(everything, "1.2.3", "1.2.3.2")) == 1


def test_what_comes_behind_is_of_those_with_a_number_or_of_those_without(
    take: Take, make_record: MakeRecord, index: Index, everything: Scope
) -> None:
    take(*(make_record(InstanceNumber=n) for n in (None, 4, None, 3)))
    rows = index.instances_of(everything, "1.2.3")
    assert [row.number for row in rows] == [3, 4, None, None]
    behind = [index.instances_behind(everything, row, 9) for row in rows]
    assert behind == [[rows[1]], [], [rows[3]], []]


def test_an_instance_is_the_same_however_much_of_it_is_read(
    filled: Index, everything: Scope
) -> None:
    rows = filled.instances_of(everything, "1.2.3")
    light = filled.light_instances_of(everything, "1.2.3")
    assert light == [replace(row, attributes={}, pixel=None) for row in rows]
    assert filled.fingerprint(everything, "1.2.3") == fingerprint_of(rows) == fingerprint_of(light)
    for row in rows:
        address = (row.study_uid, row.series_uid, row.sop_instance_uid)
        unread = filled.unread_instance(everything, *address)
        assert unread is not None
        assert dict(unread.attributes) == row.attributes
        assert unread == row
    _, first, second = rows
    assert filled.instances_behind(everything, first, 9) == [second]
    assert filled.instances_behind(everything, first, 0) == []
    assert filled.unread_instance(VARDO, *address) is None
    assert filled.fingerprint(VARDO, "1.2.3") == ""


def test_earlier_studies_of_a_patient_are_found(filled: Index, everything: Scope) -> None:
    def studies_of(patient: Patient, scope: Scope = everything, **keys: Any) -> list[str]:
        return [row.study_uid for row in filled.studies(scope, patient=patient, **keys)]

    assert studies_of(Patient("12345", issuer="site:hammer")) == ["1.2.4", "1.2.3"]
    assert studies_of(Patient("12345", issuer="1.2.3.4")) == ["1.2.5"]
    assert studies_of(Patient("12345"), site="hammer") == ["1.2.4", "1.2.3"]
    assert studies_of(Patient("12345"), scope=VARDO) == ["1.2.5"]
    assert studies_of(Patient("12345")) == []


def test_a_quiet_series_is_ready_to_pack_and_then_located(
    take: Take, make_record: MakeRecord, index: Index, everything: Scope, sited: Database
) -> None:
    uids = [f"1.9.{n}" for n in range(3)]
    records = [make_record(SOPInstanceUID=u, InstanceNumber=n) for n, u in enumerate(uids)]
    take(*records, make_record(SOPInstanceUID="1.9.0", PatientName="OTHER"))
    take(make_record(SeriesInstanceUID="1.2.3.2", after_s=30, SOPInstanceUID="1.9.9"))
    assert index.series_ready_to_pack(NOON + timedelta(seconds=59), 60) == []
    (ready,) = index.series_ready_to_pack(NOON + timedelta(seconds=60), 60)
    assert (ready.site, ready.study_uid, ready.series_uid) == ("hammer", "1.2.3", "1.2.3.1")
    assert [row.state for row in ready.instances].count("quarantined") == 1
    assert len(ready.instances) == 4
    with sited.read() as conn:
        live = live_records(conn, "segment-1")
    assert len(live) == 5
    assert live[0].offset == records[0].offset

    now = NOON + timedelta(seconds=61)
    pack = Pack("packs/1.zip", "hammer", "1.2.3", "1.2.3.1", "a" * 64, 9000, now)
    members = [Packed(row.pk, 100 * n, 1400) for n, row in enumerate(ready.instances)]
    assert index.locate(pack, members, now=now) == 4
    assert index.locate(pack, members, now=now) == 0
    located = index.instance(everything, "1.9.1").location
    place = next(m for m in members if m.instance_pk == index.instance(everything, "1.9.1").pk)
    assert (located.where, located.container) == ("pack", "packs/1.zip")
    assert (located.offset, located.length) == (place.offset, 1400)
    assert located.dataset_offset == records[1].dataset_offset
    events = [line.event for line in index.custody(everything, "1.9.1")]
    assert events == ["received", "packed", "verified"]
    with sited.read() as conn:
        assert len(live_records(conn, "segment-1")) == 1
    assert index.counts()["packs"] == 1
    assert index.series_ready_to_pack(NOON + timedelta(seconds=60), 60) == []


def test_a_large_series_is_packed_before_it_is_quiet(
    take: Take, make_record: MakeRecord, index: Index
) -> None:
    take(make_record(), make_record())
    assert index.series_ready_to_pack(NOON, 60, large_bytes=2801) == []
    assert len(index.series_ready_to_pack(NOON, 60, large_bytes=2800)) == 1


@pytest.mark.parametrize("keep", ["first", "second"])
def test_a_person_settles_which_object_counts(
    take: Take, make_record: MakeRecord, index: Index, everything: Scope, keep: str
) -> None:
    first = make_record(SOPInstanceUID="1.9")
    second = make_record(SOPInstanceUID="1.9", SeriesInstanceUID="1.2.3.2", Modality="MR")
    take(first, second)
    (conflict,) = index.conflicts()
    assert (conflict.sop_instance_uid, conflict.site) == ("1.9", "hammer")
    assert (conflict.reason, conflict.first.sender) == ("other-series", "CT_1")
    study = conflict.first.instance.study_uid
    assert (index.conflicts_of(study, "hammer"), index.conflicts_of(study, "berg")) == (1, 0)
    assert (conflict.first.sha256, conflict.second.sha256) == (first.sha256, second.sha256)
    index.settle_conflict(conflict.pk, keep=keep, actor=ADMIN, now=NOON)
    assert index.conflicts() == []
    assert index.conflicts_of(study, "hammer") == 0
    kept = first if keep == "first" else second
    assert index.instance(everything, "1.9").sha256 == kept.sha256
    (study,) = index.studies(everything)
    assert (study.series_count, study.instance_count) == (1, 1)
    assert study.modalities == (kept.header.attributes["Modality"],)
    (row,) = index.series_of(everything, "1.2.3")
    assert row.series_uid == kept.header.series_uid
    line = index.custody(everything, "1.9")[-1]
    assert (line.event, line.detail) == ("conflicted", {"settled": keep, "by": "user:1"})
    with pytest.raises(NotFound):
        index.settle_conflict(conflict.pk, keep=keep, actor=ADMIN, now=NOON)


def test_an_object_kept_from_another_study_brings_its_study_in(
    take: Take, make_record: MakeRecord, index: Index, everything: Scope
) -> None:
    take(
        make_record(SOPInstanceUID="1.9"),
        make_record(SOPInstanceUID="1.9", StudyInstanceUID="1.2.9"),
    )
    (conflict,) = index.conflicts()
    index.settle_conflict(conflict.pk, keep="second", actor=ADMIN, now=NOON)
    (study,) = index.studies(everything)
    assert (study.study_uid, study.instance_count) == ("1.2.9", 1)
    assert study.case_id is not None


def test_only_first_and_second_can_be_kept(index: Index) -> None:
    with pytest.raises(Invalid, match="first or the second"):
        index.settle_conflict(1, keep="both", actor=ADMIN, now=NOON)


def test_a_first_time_is_noted_once_for_each_instance(filled: Index, everything: Scope) -> None:
    pks = [row.pk for row in filled.instances_of(everything, "1.2.3")]
    note = partial(filled.note_first, event=CustodyEvent.OPENED, at=NOON, detail={"actor": "a"})
    assert note(pks[:1]) == 1
    assert note(pks) == len(pks) - 1
    assert note(pks) == 0
    exports = [
        filled.note_first(pks[:1], CustodyEvent.EXPORTED, NOON, {}, key=who)
        for who in ("user:1", "user:2", "user:1")
    ]
    assert exports == [1, 1, 0]


def test_the_trail_of_a_study_says_who_brought_it_and_who_first_opened_it(
    filled: Index, everything: Scope
) -> None:
    pks = [row.pk for row in filled.instances_of(everything, "1.2.3")]
    filled.note(pks[0], CustodyEvent.OPENED, NOON, {"actor": "user:1", "name": "Dr Kari"})
    filled.note(pks[0], CustodyEvent.OPENED, NOON, {"actor": "user:2", "name": "Dr Ola"})
    trail = filled.trail_of_study(everything, "1.2.3", "hammer")
    assert [(s.calling_ae, s.door, s.instances) for s in trail.senders] == [
        ("CT_1", "dicom", len(pks))
    ]
    assert (trail.instances, trail.opened_by) == (len(pks), "Dr Kari")
    assert trail.events["opened"].instances == 1
    assert "synced" not in trail.events
    of_each = filled.trails(everything, "1.2.3", "hammer", limit=1)
    assert [(row.pk, each.opened_by) for row, each in of_each] == [(pks[0], "Dr Kari")]
    nobody = Scope(sites=frozenset(), specialties=frozenset(), own_site="")
    assert filled.trails(nobody, "1.2.3", "hammer", limit=9) == []
    assert filled.trail_of_study(nobody, "1.2.3", "hammer").instances == 0


def test_the_custody_of_a_study_is_summed_up(filled: Index, everything: Scope) -> None:
    pk = filled.instances_of(everything, "1.2.3")[0].pk
    filled.note(pk, CustodyEvent.OPENED, NOON + timedelta(hours=1), {"by": "user:1"})
    summed = [
        (row.event, row.instances, row.first_at)
        for row in filled.custody_of_study(everything, "1.2.3")
    ]
    assert summed == [("received", 3, NOON), ("opened", 1, NOON + timedelta(hours=1))]


def test_the_status_counts_what_is_current(filled: Index, take: Take) -> None:
    assert filled.counts() == {
        "patients": 2,
        "studies": 3,
        "series": 4,
        "instances": 5,
        "conflicts": 0,
        "packs": 0,
        "pack_bytes": 0,
    }
    assert filled.last_heard("vardo") == NOON
    assert filled.last_heard("gp") is None


def test_locations_in_the_spool_are_those_of_the_records(
    filled: Index, everything: Scope, sited: Database
) -> None:
    with sited.read() as conn:
        offsets = conn.execute(select(instances.c.offset).order_by(instances.c.offset)).scalars()
        live = [record.offset for record in live_records(conn, "segment-1")]
        assert list(offsets) == live
    assert all(row.location.in_spool for row in filled.instances_of(everything, "1.2.3"))
