"""What a study that arrives means to the casebook; through the register, as it really comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from casework.custody import Door
from casework.identifiers import derived_case_id, derived_uid
from casework.model import CaseState, Patient, Priority, Specialty
from storage.casebook_tables import case_studies, cases
from storage.tables import studies
from tests.storage.room import EVERYTHING, MORNING, WORKER, open_room

CASE = derived_case_id("hammer", "1.2.3")


@pytest.fixture
def room(tmp_path: Path, database_server: str):
    with open_room(tmp_path, server=database_server) as furnished:
        yield furnished


def all_cases(room):
    with room.database.read() as conn:
        return list(conn.execute(select(cases.c.id)).scalars())


def case_of_study(room, study_uid="1.2.3"):
    with room.database.read() as conn:
        asked = select(studies.c.case_id).where(studies.c.study_uid == study_uid)
        return conn.execute(asked).scalar_one()


@pytest.mark.parametrize(
    ("site", "door", "becomes_case"),
    [
        ("hammer", Door.DICOM, True),
        ("hammer", Door.STOW, True),
        ("hammer", Door.IMPORT, True),
        ("fjordgata", Door.DICOM, True),
        ("hammer", Door.CAPTURE, False),
        ("hammer", Door.REPLY, False),
        ("nordlys", Door.DICOM, False),
        ("nowhere", Door.DICOM, False),
    ],
)
def test_a_study_is_a_case_by_site_and_door(room, make_record, site, door, becomes_case):
    room.arrive(make_record(site=site, door=door))
    expected = derived_case_id(site, "1.2.3") if becomes_case else None
    assert all_cases(room) == ([expected] if becomes_case else [])
    assert case_of_study(room) == expected


def test_the_case_has_patient_question_and_clock_of_the_study(room, make_record):
    room.arrive(
        make_record(
            received_at=MORNING,
            ReasonForTheRequestedProcedure="Fall.\\Fracture?",
            ReferringPhysicianName="HANSEN^PER",
            RequestedProcedurePriority="STAT",
        )
    )
    case = room.case(CASE)
    assert (case.state, case.specialty) == (CaseState.SUBMITTED, Specialty.RADIOLOGY)
    assert case.patient == Patient("12345", "1.2.3.4", "NESS^KARI", date(1950, 1, 2), "F")
    assert case.referral.question == "Fall.\nFracture?"
    assert case.referral.referrer == "HANSEN^PER"
    assert (case.priority, case.submitted_at) == (Priority.STAT, MORNING)
    assert case.due_at == MORNING + timedelta(hours=1)
    assert room.deeds(CASE) == [("submitted", "system:index", "ok")]


QUESTIONS = [
    ({}, ""),
    ({"ReasonForStudy": "Cough"}, "Cough"),
    ({"RequestedProcedureDescription": "CT chest"}, "CT chest"),
    ({"ReasonForStudy": "Cough", "RequestedProcedureDescription": "CT"}, "Cough"),
    ({"RequestAttributesSequence": [{"ReasonForTheRequestedProcedure": "Lump"}]}, "Lump"),
    ({"RequestAttributesSequence": {"RequestedProcedureDescription": "CT"}}, "CT"),
    ({"RequestAttributesSequence": "odd"}, ""),
]


@pytest.mark.parametrize(("attributes", "question"), QUESTIONS)
def test_the_question_is_the_orders(room, make_record, attributes, question):
    room.arrive(make_record(**attributes))
    assert room.case(CASE).referral.question == question


@pytest.mark.parametrize(
    ("given", "priority"),
    [("STAT", "stat"), ("HIGH", "urgent"), ("ROUTINE", "routine"), ("soon", "routine")],
)
def test_the_priority_is_the_orders(room, make_record, given, priority):
    room.arrive(make_record(RequestedProcedurePriority=given))
    assert room.case(CASE).priority == priority


@pytest.mark.parametrize(
    ("modality", "specialty"),
    [("XC", "dermatology"), ("DMS", "dermatology"), ("MR", "radiology"), ("OT", "radiology")],
)
def test_the_modality_says_who_is_asked(room, make_record, modality, specialty):
    room.arrive(make_record(Modality=modality))
    assert room.case(CASE).specialty == specialty


def test_a_study_of_documents_alone_waits_for_images(room, make_record):
    room.arrive(make_record(Modality="SR", SeriesInstanceUID="1.2.3.9"))
    assert all_cases(room) == []
    room.arrive(make_record())
    assert all_cases(room) == [CASE]
    assert case_of_study(room) == CASE


def test_an_order_of_arrival_does_not_matter_within_a_batch(room, make_record):
    room.arrive(make_record(Modality="SR", SeriesInstanceUID="1.2.3.9"), make_record())
    assert case_of_study(room) == CASE


def test_more_of_a_study_and_the_same_again_is_the_same_case(room, make_record):
    first = make_record()
    room.arrive(first)
    before = room.case(CASE)
    room.arrive(first, make_record(), make_record(SeriesInstanceUID="1.2.3.2"))
    assert all_cases(room) == [CASE]
    assert room.case(CASE) == before
    assert len(room.deeds(CASE)) == 1


def test_the_same_study_uid_of_two_sites_is_two_cases(room, make_record):
    room.arrive(make_record(), make_record(site="fjordgata"))
    assert sorted(all_cases(room)) == sorted([CASE, derived_case_id("fjordgata", "1.2.3")])


def test_odd_patient_data_is_no_reason_to_lose_a_study(room, make_record):
    room.arrive(
        make_record(
            PatientID=None, PatientName=None, PatientBirthDate="19501345", PatientSex="?" * 40
        )
    )
    case = room.case(CASE)
    assert (case.patient.id, case.patient.name) == ("", "")
    assert (case.patient.birth_date, case.patient.issuer) == (None, "")


def test_photographs_join_the_case_that_reserved_their_study(room, make_record):
    case = room.draft()
    uid = derived_uid("study", case.id)
    room.arrive(
        make_record(site="fjordgata", door=Door.CAPTURE, StudyInstanceUID=uid, Modality="DMS")
    )
    assert case_of_study(room, uid) == case.id
    assert all_cases(room) == [case.id]
    study = room.casebook.dossier(EVERYTHING, case.id).studies[0]
    assert (study.instance_count, study.modalities) == (1, ("DMS",))
    assert room.casebook.submit(room.gp, case.id).state is CaseState.SUBMITTED


def test_images_after_the_signature_mark_the_case_until_the_next_version(room, make_record):
    room.arrive(make_record())
    room.casebook.claim(room.kari, CASE)
    room.arrive(make_record())
    assert not room.case(CASE).changed_since_report
    room.casebook.save_findings(room.kari, CASE, {"impression": "Normal."})
    room.casebook.sign(room.kari, CASE, displayed={})
    signed = room.case(CASE)
    room.arrive(make_record(door=Door.REPLY, Modality="DOC", SeriesInstanceUID="1.2.3.99"))
    assert room.case(CASE) == signed
    room.arrive(make_record())
    changed = room.case(CASE)
    assert changed.changed_since_report
    assert changed.version == signed.version + 1
    room.arrive(make_record())
    assert room.case(CASE) == changed
    room.casebook.addend(room.ola, CASE, {"impression": "Still normal."})
    assert not room.case(CASE).changed_since_report


@pytest.mark.parametrize("series", ["1.2.3.1", "1.2.3.2"])
def test_one_more_image_of_a_large_study_that_was_reported_marks_it(room, make_record, series):
    room.arrive(*(make_record() for _ in range(600)))
    room.casebook.claim(room.kari, CASE)
    room.casebook.save_findings(room.kari, CASE, {"impression": "Normal."})
    room.casebook.sign(room.kari, CASE, displayed={})
    reply = make_record(door=Door.REPLY, Modality="DOC", SeriesInstanceUID="1.2.3.99")
    room.arrive(reply, make_record(SeriesInstanceUID=series))
    assert room.case(CASE).changed_since_report
    ((row,), _) = room.casebook.list_cases(EVERYTHING)
    assert row.case.changed_since_report


def test_the_same_images_again_do_not_mark_a_case_that_was_reported(room, make_record):
    first = make_record()
    room.arrive(first)
    room.casebook.claim(room.kari, CASE)
    room.casebook.save_findings(room.kari, CASE, {"impression": "Normal."})
    room.casebook.sign(room.kari, CASE, displayed={})
    room.arrive(replace(first, segment="segment-2"))
    assert not room.case(CASE).changed_since_report


def test_a_reply_goes_into_the_study_that_arrived(room, make_record):
    room.arrive(make_record())
    room.casebook.claim(room.kari, CASE)
    room.casebook.save_findings(room.kari, CASE, {"impression": "Normal."})
    room.casebook.sign(room.kari, CASE, displayed={})
    found = room.casebook.dossier(EVERYTHING, CASE).deliveries
    assert [(d.channel, d.destination) for d in found] == [("inbox", "hammer"), ("study", "1.2.3")]
    room.casebook.delivered(found[0].id, actor=WORKER)
    assert room.casebook.acknowledge(room.ward, CASE).state is CaseState.CLOSED


def test_a_rebuilt_index_finds_its_cases_again(
    room, make_record, tmp_path_factory, database_server
):
    room.arrive(make_record())
    with room.database.read() as conn:
        kept = {t: conn.execute(select(t)).mappings().all() for t in (cases, case_studies)}
    with open_room(tmp_path_factory.mktemp("rebuilt"), server=database_server) as rebuilt:
        with rebuilt.database.begin() as conn:
            for table, rows in kept.items():
                conn.execute(table.insert(), [dict(row) for row in rows])
        rebuilt.arrive(make_record())
        assert case_of_study(rebuilt) == CASE
        assert all_cases(rebuilt) == [CASE]


def test_a_case_number_that_is_taken_gives_way(room, make_record):
    drafted = room.draft()
    with room.database.begin() as conn:
        row = conn.execute(select(cases).where(cases.c.id == drafted.id)).mappings().one()
        conn.execute(cases.insert().values({**row, "id": CASE}))
    room.arrive(make_record())
    assert case_of_study(room) == derived_case_id("hammer", "1.2.3", "1")
