"""The verbs of the casebook: each one transaction of state, words, clock and audit."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from casework.access import scope_of
from casework.errors import Conflict, Invalid, NotFound, Refused
from casework.identifiers import derived_uid, is_case_id
from casework.lifecycle import Event
from casework.model import CaseState, Patient, Priority, Referral, Specialty
from storage.casebook_tables import cases
from storage.steps import Change
from tests.storage.room import EVERYTHING, KARI, MORNING, open_room


@pytest.fixture
def room(tmp_path: Path, database_server: str):
    with open_room(tmp_path, server=database_server) as furnished:
        yield furnished


def test_a_referral_starts_as_a_draft_with_a_study_reserved(room):
    case = room.draft()
    assert is_case_id(case.id)
    assert case.state is CaseState.DRAFT
    assert (case.site, case.site_name) == ("fjordgata", "Fjordgata legekontor")
    assert case.patient == KARI
    assert case.referral.referrer == "Dr Ingrid Solbakken"
    dossier = room.casebook.dossier(EVERYTHING, case.id)
    assert [s.study_uid for s in dossier.studies] == [derived_uid("study", case.id)]
    assert dossier.studies[0].instance_count == 0
    assert room.deeds(case.id) == [("referral-started", room.gp.id, "ok")]


def test_the_issuer_of_the_site_is_the_patients_where_none_is_given(room):
    case = room.draft(room.ward, specialty=Specialty.RADIOLOGY)
    assert case.patient.issuer == "1.2.3.4"


def test_a_patient_without_a_number_is_refused(room):
    with pytest.raises(Invalid, match="number"):
        room.draft(patient=Patient("  "))


def test_a_reader_may_not_refer_and_that_is_noted(room):
    with pytest.raises(Refused) as refused:
        room.draft(room.elle)
    assert refused.value.noted
    assert room.deeds() == [("refused", room.elle.id, "wrong-role")]


def test_a_draft_can_be_changed_until_it_is_sent(room):
    case = room.draft()

    def edit(patient=KARI):
        return room.casebook.edit_referral(
            room.gp,
            case.id,
            priority=Priority.URGENT,
            patient=patient,
            referral=Referral("What now?", {"symptoms": "itch"}),
        )

    changed = edit(Patient("020250", "", "NESS^OLA"))
    assert changed.patient.id == "020250"
    assert changed.referral.question == "What now?"
    assert changed.referral.clinical == {"symptoms": ["itch"]}
    assert changed.version == case.version + 1
    room.casebook.note_capture(case.id, "p", "1.2.3")
    with pytest.raises(Conflict, match="photographs"):
        edit(KARI)
    room.casebook.submit(room.gp, case.id)
    with pytest.raises(Conflict) as late:
        edit(changed.patient)
    assert late.value.state == "submitted"


def test_a_case_without_a_question_is_not_sent(room):
    case = room.draft(question=" ")
    room.casebook.note_capture(case.id, "p", "1.2.3")
    with pytest.raises(Invalid, match="what you want to know"):
        room.casebook.submit(room.gp, case.id)


def test_a_skin_case_without_a_photograph_is_not_sent(room):
    case = room.draft()
    with pytest.raises(Invalid, match="photograph"):
        room.casebook.submit(room.gp, case.id)
    assert room.case(case.id).state is CaseState.DRAFT
    room.casebook.note_capture(case.id, "p", "1.2.3")
    sent = room.casebook.submit(room.gp, case.id)
    assert sent.state is CaseState.SUBMITTED
    five_working_days = timedelta(days=7)
    assert (sent.submitted_at, sent.due_at) == (MORNING, MORNING + five_working_days)


def test_a_radiology_case_is_sent_without_images(room):
    case = room.draft(specialty=Specialty.RADIOLOGY)
    assert room.casebook.submit(room.gp, case.id).due_at == MORNING + timedelta(days=3)


def test_a_claim_by_a_second_reader_names_the_first(room):
    case = room.sent(specialty=Specialty.RADIOLOGY)
    claimed = room.casebook.claim(room.kari, case.id)
    assert (claimed.holder_id, claimed.holder_name) == (room.kari.id, "Dr Kari Nordmann")
    with pytest.raises(Conflict) as second:
        room.casebook.claim(room.ola, case.id)
    assert second.value.message == "Claimed by Dr Kari Nordmann at 10:42."
    assert (second.value.code, second.value.state) == ("claimed", "claimed")
    room.clock.passes(days=1)
    with pytest.raises(Conflict, match="on 2026-03-02 at 10:42"):
        room.casebook.claim(room.ola, case.id)
    assert room.casebook.claim(room.kari, case.id) == claimed


def test_of_readers_who_claim_at_once_exactly_one_wins(room):
    case = room.sent(specialty=Specialty.RADIOLOGY)
    readers = [room.kari, room.ola] * 4
    start, won, lost = threading.Barrier(len(readers)), [], []

    def claim(reader):
        start.wait()
        try:
            won.append(room.casebook.claim(reader, case.id).holder_id)
        except Conflict as conflict:
            lost.append(conflict.message)

    threads = [threading.Thread(target=claim, args=(reader,)) for reader in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(won)) == 1
    assert len(won) == len(lost) == 4
    holder = room.case(case.id).holder_name
    assert set(lost) == {f"Claimed by {holder} at 10:42."}
    assert [action for action, *_ in room.deeds(case.id)].count("claimed") == 1


def test_a_row_that_moved_on_meanwhile_is_not_overwritten(room):
    case = room.claimed()

    def decide(step):
        step.conn.execute(update(cases).values(version=cases.c.version + 1))
        return Change(CaseState.SUBMITTED)

    with pytest.raises(Conflict) as late:
        room.casebook._take(room.elle, case.id, Event.RELEASE, decide)
    assert late.value.code == "moved-on"
    assert room.case(case.id) == case


def test_a_released_case_is_in_the_pool_again(room):
    case = room.claimed()
    released = room.casebook.release(room.elle, case.id)
    assert released.state is CaseState.SUBMITTED
    assert (released.holder_id, released.holder_name, released.claimed_at) == ("", "", None)


def test_a_coordinator_may_release_what_a_reader_holds(room):
    case = room.claimed()
    assert room.casebook.release(room.marit, case.id).state is CaseState.SUBMITTED


def test_the_clock_stands_while_the_referrer_is_asked(room):
    case = room.claimed()
    room.clock.passes(hours=1)
    waiting = room.casebook.ask(room.elle, case.id, reason="blurred", text="Sharper, please.")
    assert (waiting.state, waiting.waiting_reason) == (CaseState.WAITING, "blurred")
    assert waiting.holder_id == room.elle.id
    room.clock.passes(hours=30)
    answered = room.casebook.answer(room.gp, case.id, text="Here it is.")
    assert answered.state is CaseState.SUBMITTED
    assert case.due_at == datetime(2026, 3, 9, 9, 42, tzinfo=UTC)
    later = datetime(2026, 3, 10, 14, 0, tzinfo=UTC)  # by the 12 h 18 min in which somebody was in
    assert answered.due_at == later
    assert answered.waiting_reason == ""
    said = room.casebook.dossier(EVERYTHING, case.id).messages
    assert [(m.kind, m.reason, m.text) for m in said] == [
        ("question", "blurred", "Sharper, please."),
        ("answer", "", "Here it is."),
    ]
    assert [m.author for m in said] == ["Dr Elle Sárá", "Dr Ingrid Solbakken"]


def test_a_reason_speaks_for_itself_but_nothing_does_not(room):
    case = room.claimed()
    with pytest.raises(Invalid):
        room.casebook.ask(room.elle, case.id, reason="", text=" ")
    assert room.casebook.ask(room.elle, case.id, reason="no-closeup", text="").waiting_reason


def test_the_draft_waits_for_its_writer_and_not_for_another(room):
    case = room.sent(specialty=Specialty.RADIOLOGY)
    room.casebook.claim(room.kari, case.id)
    room.casebook.save_findings(room.kari, case.id, {"impression": "Fracture."})
    room.casebook.release(room.kari, case.id)
    again = room.casebook.claim(room.kari, case.id)
    assert again.draft["impression"] == "Fracture."
    room.casebook.release(room.kari, case.id)
    other = room.casebook.claim(room.ola, case.id)
    assert other.draft is None


def test_a_draft_asked_about_can_be_signed_when_it_is_claimed_again(room):
    case = room.written()
    room.casebook.ask(room.elle, case.id, reason="incomplete", text="")
    room.casebook.answer(room.gp, case.id, text="Done.")
    room.casebook.claim(room.elle, case.id)
    report = room.casebook.sign(room.elle, case.id)
    assert report.content["impression"] == "Benign naevus."


def test_declining_and_withdrawing_say_why(room):
    case = room.sent()
    with pytest.raises(Invalid):
        room.casebook.decline(room.elle, case.id, reason=" ")
    declined = room.casebook.decline(room.elle, case.id, reason="Refer to hospital at once.")
    assert declined.state is CaseState.DECLINED
    assert room.casebook.acknowledge(room.gp, case.id).state is CaseState.CLOSED
    other = room.sent()
    assert room.casebook.withdraw(room.gp, other.id, reason="Healed.").state is CaseState.WITHDRAWN
    said = [room.casebook.dossier(EVERYTHING, c.id).messages[0] for c in (case, other)]
    assert [(m.kind, m.text) for m in said] == [
        ("decline", "Refer to hospital at once."),
        ("withdraw", "Healed."),
    ]


def test_a_case_of_another_site_does_not_exist_and_the_attempt_is_noted(room):
    case = room.sent()
    for attempt in (
        lambda: room.casebook.answer(room.other_gp, case.id, text="x"),
        lambda: room.casebook.claim(room.kari, case.id),
        lambda: room.casebook.withdraw(room.ward, case.id, reason="x"),
    ):
        with pytest.raises(NotFound) as answered:
            attempt()
        assert answered.value.message == f"There is no case {case.id}."
        assert answered.value.noted
    refused = [deed for deed in room.deeds(case.id) if deed[0] == "refused"]
    assert refused == [
        ("refused", actor.id, "no-such-case") for actor in (room.other_gp, room.kari, room.ward)
    ]


def test_what_is_not_there_is_answered_like_what_is_not_to_be_seen(room):
    with pytest.raises(NotFound, match="There is no case 2222-2222"):
        room.casebook.claim(room.elle, "2222-2222")
    with pytest.raises(NotFound, match="There is no case 2222-2222"):
        room.casebook.dossier(EVERYTHING, "2222-2222")


def test_a_refusal_leaves_the_case_as_it_was(room):
    case = room.claimed(reader=room.elle)
    with pytest.raises(Refused, match="role"):
        room.casebook.release(room.gp, case.id)
    assert room.case(case.id) == case
    assert room.deeds(case.id)[-1] == ("refused", room.gp.id, "wrong-role")


def test_only_the_holder_writes(room):
    case = room.sent(specialty=Specialty.RADIOLOGY)
    room.casebook.claim(room.kari, case.id)
    for attempt in (
        lambda: room.casebook.save_findings(room.ola, case.id, {}),
        lambda: room.casebook.sign(room.ola, case.id, displayed={}),
        lambda: room.casebook.ask(room.ola, case.id, reason="other", text="x"),
        lambda: room.casebook.release(room.ola, case.id),
    ):
        with pytest.raises(Refused) as refused:
            attempt()
        assert refused.value.code == "not-holder"


def test_photographs_are_wanted_from_the_referrer_until_the_answer(room):
    case = room.draft()
    room.casebook.require_photographs_wanted(room.gp, case)
    with pytest.raises(NotFound):
        room.casebook.require_photographs_wanted(room.other_gp, case)
    waiting = room.casebook.ask(room.elle, room.claimed().id, reason="blurred", text="")
    room.casebook.require_photographs_wanted(room.gp, waiting)
    with pytest.raises(Refused):
        room.casebook.require_photographs_wanted(room.elle, waiting)
    with pytest.raises(Conflict) as late:
        room.casebook.require_photographs_wanted(room.gp, room.signed())
    assert late.value.state == "signed"


def test_the_same_capture_again_is_the_same_object(room):
    case = room.draft()
    assert room.casebook.capture(case.id, "a") is None
    assert room.casebook.note_capture(case.id, "a", "1.2.3") == "1.2.3"
    assert room.casebook.note_capture(case.id, "a", "1.2.4") == "1.2.3"
    assert room.casebook.note_capture(case.id, "", "1.2.5") == "1.2.5"
    assert room.casebook.captures(case.id) == {"a": "1.2.3", "1.2.5": "1.2.5"}


def test_a_lesion_keeps_its_uid_from_case_to_case_of_one_patient(room):
    first, second = room.draft(), room.draft()
    other = room.draft(patient=Patient("999"))
    elsewhere = room.draft(room.other_gp)
    uid = room.casebook.lesion_uid(first, "left shoulder")
    assert room.casebook.lesion_uid(second, " left shoulder ") == uid
    for case, label in ((first, "right"), (other, "left shoulder"), (elsewhere, "left shoulder")):
        assert room.casebook.lesion_uid(case, label) != uid


def test_the_audit_of_a_case_tells_its_life_and_no_name(room):
    case = room.signed()
    room.casebook.open_reply(room.gp, case.id)
    room.casebook.acknowledge(room.gp, case.id)
    assert [action for action, *_ in room.deeds(case.id)] == [
        "referral-started", "submitted", "claimed", "drafted", "signed", "reply-opened",
        "acknowledged",
    ]  # fmt: skip
    assert room.ledger.verify() is None
    told = repr(room.ledger.entries(100)).upper()
    assert "NESS" not in told
    assert "1950" not in told


def test_counts_are_by_state_and_within_sight(room):
    room.sent()
    room.draft()
    room.claimed()
    room.sent(specialty=Specialty.RADIOLOGY)
    assert room.casebook.counts() == {"total": 4, "draft": 1, "submitted": 2, "claimed": 1}
    assert room.casebook.counts(scope_of(room.elle)) == {
        "total": 2, "submitted": 1, "claimed": 1,
    }  # fmt: skip
    assert room.casebook.counts(scope_of(room.other_gp)) == {"total": 0}
