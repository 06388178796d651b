"""What became of cases is read as it happened: first times, waits, warnings, the outcome."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from casework.access import scope_of
from casework.errors import Conflict, Invalid, NotFound
from casework.histories import Wait
from casework.model import Specialty
from casework.outcomes import Outcome
from casework.photo_notes import judged
from tests.storage.room import EVERYTHING, MORNING, Room, open_room

BENIGN = Outcome("histology", "Naevus", "D22.5", "icd-10", "no")
YEAR = timedelta(days=365)


@pytest.fixture
def room(tmp_path: Path, database_server: str):
    with open_room(tmp_path, server=database_server) as furnished:
        yield furnished


def histories(room: Room, scope=EVERYTHING):
    return room.casebook.histories(scope, since=MORNING - YEAR, until=MORNING + YEAR)


def test_a_case_that_was_asked_about_and_answered_is_told_whole(room):
    case = room.sent()
    room.people.set_travel("fjordgata", 142.5)
    sent_at = room.clock.now
    claimed_at = room.clock.passes(hours=1)
    room.casebook.claim(room.elle, case.id)
    asked_at = room.clock.passes(hours=1)
    room.casebook.ask(room.elle, case.id, reason="blurred", text="")
    answered_at = room.clock.passes(hours=5)
    room.casebook.answer(room.gp, case.id, text="Again.")
    room.clock.passes(hours=1)
    room.casebook.claim(room.elle, case.id)
    said = {"impression": "Naevus.", "diagnoses": [{"text": "Naevus", "code": "D22.5",
            "system": "icd-10"}], "assessable": "partly", "reason": "too-dark"}  # fmt: skip
    room.casebook.save_findings(room.elle, case.id, said)
    signed_at = room.clock.passes(hours=1)
    room.casebook.sign(room.elle, case.id)
    read_at = room.clock.passes(hours=2)
    room.casebook.open_reply(room.gp, case.id)
    room.clock.passes(days=1)
    room.casebook.correct(room.elle, case.id, {**said, "urgency": "priority"})
    room.casebook.note_outcome(room.gp, case.id, BENIGN)

    (told,) = histories(room)
    assert (told.submitted_at, told.claimed_at) == (sent_at, claimed_at)
    assert (told.signed_at, told.read_at) == (signed_at, read_at)
    assert told.waits == (Wait("blurred", asked_at, answered_at),)
    assert told.waited == timedelta(hours=5)
    assert told.asked_for == {"blurred", "too-dark"}
    assert told.answer is not None
    assert (told.answer.urgency, told.answer.code) == ("priority", "D22.5")
    assert (told.travel_km, told.outcome) == (142.5, BENIGN)


def test_warnings_of_kept_photographs_are_the_reasons_of_the_case(room):
    case = room.sent()
    for check in ("focus", "glare"):
        told = judged("overview", [{"check": check, "verdict": "poor"}], kept_anyway=True)
        room.casebook.note_capture(case.id, "b", "1.2.9", kind="overview", judged=told)
    (told,) = histories(room)
    assert "blurred" in told.warned
    assert "too-dark" not in told.warned  # a repeat tells nothing new


def test_drafts_other_spans_and_what_is_out_of_sight_are_not_told(room):
    draft = room.draft()
    sent = room.sent(specialty=Specialty.RADIOLOGY)
    assert [h.case_id for h in histories(room)] == [sent.id]
    assert histories(room, scope_of(room.elle)) == []  # a dermatologist sees no radiology
    assert histories(room, scope_of(room.other_gp)) == []
    assert not room.casebook.histories(EVERYTHING, since=MORNING - YEAR, until=MORNING)
    assert draft.id not in {h.case_id for h in histories(room)}


def test_an_outcome_is_replaced_and_seen_with_the_case(room):
    case = room.signed()
    room.casebook.note_outcome(room.gp, case.id, Outcome("visit", "Gone"))
    room.casebook.note_outcome(room.elle, case.id, BENIGN)
    assert room.casebook.dossier(EVERYTHING, case.id).outcome == BENIGN


def test_an_outcome_that_says_nothing_is_refused(room):
    case = room.signed()
    for wrong in (
        Outcome("guess", "Naevus"), Outcome("histology", "  "), Outcome("histology", "x" * 501),
        Outcome("histology", "Naevus", malignant="maybe"), Outcome("visit", "Naevus", "D22"),
    ):  # fmt: skip
        with pytest.raises(Invalid):
            room.casebook.note_outcome(room.gp, case.id, wrong)
    assert room.casebook.dossier(EVERYTHING, case.id).outcome is None


def test_an_outcome_is_said_of_answered_cases_by_those_who_see_them(room):
    case = room.sent()
    with pytest.raises(Conflict):
        room.casebook.note_outcome(room.gp, case.id, BENIGN)
    with pytest.raises(NotFound):
        room.casebook.note_outcome(room.other_gp, case.id, BENIGN)
    assert room.casebook.dossier(EVERYTHING, case.id).outcome is None
