"""Drafts put right: photographs that stay out, visits, what was begun, what was asked last."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from casework.access import Scope, scope_of
from casework.custody import Door, Origin
from casework.identifiers import derived_uid
from casework.model import Actor, Patient, Priority, Referral, Role, SiteKind, Specialty
from casework.photo_notes import judged
from storage import backup
from storage.archive import Archive, utc_now
from storage.casebook import Casebook
from storage.index import Index
from storage.mover import Mover, packing_folder
from storage.objects import MemoryStore
from storage.part10 import EXPLICIT_LE
from storage.rebuild import rebuild
from storage.tables import instances
from tests.storage.building import CT, dataset
from tests.storage.room import EVERYTHING, KARI, Room, open_room
from tests.storage.test_rebuild import House

GP = Actor("user:1", "Dr Ingrid", "hammer", SiteKind.GP, Role.REFERRER)
ALL_OF_HAMMER = Scope(sites=None, specialties=None, own_site="hammer")


@pytest.fixture
def room(tmp_path: Path, database_server: str):
    with open_room(tmp_path, server=database_server) as furnished:
        yield furnished


def lesion(room: Room, *, patient: Patient = KARI, **clinical: str) -> str:
    return room.casebook.create_referral(
        room.gp,
        specialty=Specialty.DERMATOLOGY,
        priority=Priority.ROUTINE,
        patient=patient,
        referral=Referral("Benign?", {"category": "mole", **clinical}, {"care": True}),
    ).id


def test_a_visit_is_its_first_case_and_those_that_name_it_of_the_same_patient(room):
    first = lesion(room, site="1")
    second = lesion(room, visit=first)
    lesion(room, visit=first, patient=Patient("other"))
    lesion(room)
    room.casebook.note_capture(first, "photo", "1.2.3")
    for case_id in (first, second):
        rows = room.casebook.visit(EVERYTHING, room.case(case_id))
        assert [(row.case.id, row.pictures, row.lacks) for row in rows] == [
            (first, 1, ()),
            (second, 0, ("where", "pictures")),
        ]
    assert room.casebook.visit(scope_of(room.elle), room.case(first)) == []
    room.casebook.withdraw(room.gp, second, reason="Thrown away")
    assert len(room.casebook.visit(EVERYTHING, room.case(first))) == 1


def test_drafts_are_ones_own_and_the_newest_first(room):
    first, second = lesion(room), lesion(room, category="rash")
    room.clock.passes(hours=1)
    third = lesion(room, category="wound")
    assert {row.case.id for row in room.casebook.drafts_of(room.gp)} == {first, second, third}
    assert room.casebook.drafts_of(room.gp)[0].case.id == third
    assert room.casebook.drafts_of(room.other_gp) == []
    assert room.casebook.last_category(room.gp) == "wound"
    assert room.casebook.last_category(room.other_gp) == ""


def test_what_was_found_wrong_is_kept_and_what_is_good_is_not(room):
    case_id = lesion(room)
    poor = {"check": "blur", "verdict": "poor", "message": "Blurred.", "message_nb": "Uskarpt."}
    good = {"check": "size", "verdict": "good", "message": "Large."}
    kept = judged("closeup", [poor, good], kept_anyway=True)
    room.casebook.note_capture(case_id, "one", "1.2.3", judged=kept)
    room.casebook.note_capture(
        case_id, "two", "1.2.4", judged=judged("closeup", [good], kept_anyway=False)
    )
    (note,) = room.casebook.photo_notes(case_id)
    assert (note.sop_instance_uid, note.kind, note.kept_anyway) == ("1.2.3", "closeup", True)
    assert note.messages == [("Blurred.", "Uskarpt.")]


@pytest.mark.slow
@pytest.mark.parametrize(("is_packed_first", "with_backup"), [(False, False), (True, True)])
def test_what_was_set_aside_stays_out_of_sight_after_a_rebuild(
    tmp_path: Path, is_packed_first: bool, with_backup: bool
) -> None:
    house = House(tmp_path, MemoryStore())
    with house.exchange() as archive:
        case_id = photographed(archive)
        if is_packed_first:
            pack(archive)
        casebook = Casebook(archive.database, utc_now)
        casebook.set_photo_aside(GP, case_id, "photo-1")
        assert numbers(archive, case_id) == [2]
        if not is_packed_first:
            pack(archive)
        if with_backup:
            folder = packing_folder(archive.data)
            backup.back_up(archive.database, archive.store, folder, now=archive.clock())
    with house.exchange(sited=not with_backup) as archive:
        rebuild(archive)
        assert numbers(archive, case_id) == [2]
        with archive.database.read() as conn:
            kept = conn.execute(select(instances.c.state, instances.c.conflict)).all()
        assert sorted(map(tuple, kept)) == [("current", ""), ("quarantined", "set-aside")]
        assert Index(archive.database).conflicts() == []


def photographed(archive: Archive) -> str:
    """Make a draft with two photographs; return its case."""
    casebook = Casebook(archive.database, utc_now)
    with archive.database.begin() as conn:
        conn.exec_driver_sql("UPDATE sites SET kind = 'gp' WHERE slug = 'hammer'")
    case_id = casebook.create_referral(
        GP,
        specialty=Specialty.DERMATOLOGY,
        priority=Priority.ROUTINE,
        patient=KARI,
        referral=Referral("Benign?"),
    ).id
    origin = Origin(site="hammer", door=Door.CAPTURE, actor=GP.id)
    for n in (1, 2):
        uid, study = f"1.2.3.{n}", derived_uid("study", case_id)
        archive.receive(
            dataset(uid, number=n, study=study),
            origin,
            sop_class_uid=CT,
            sop_instance_uid=uid,
            transfer_syntax_uid=EXPLICIT_LE,
        )
        archive.settle()
        casebook.note_capture(case_id, f"photo-{n}", uid)
    return case_id


def pack(archive: Archive) -> None:
    archive.settle()
    assert Mover(archive, quiet_s=0).run_once(utc_now() + timedelta(seconds=1)).packs


def numbers(archive: Archive, case_id: str) -> list[int | None]:
    study = derived_uid("study", case_id)
    found = Index(archive.database).instances_of(ALL_OF_HAMMER, study)
    return sorted(row.number for row in found if row.number is not None)
