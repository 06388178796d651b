"""Findings, signatures and what follows: versions that stay, deliveries, an unread case."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from casework.errors import Conflict, Invalid, NotFound, Refused
from casework.findings import content_hash
from casework.model import CaseState
from storage.casebook_tables import reports
from tests.storage.room import EVERYTHING, WORKER, open_room


@pytest.fixture
def room(tmp_path: Path, database_server: str):
    with open_room(tmp_path, server=database_server) as furnished:
        yield furnished


def deliveries(room, case):
    return room.casebook.dossier(EVERYTHING, case.id).deliveries


def test_the_first_draft_of_a_claim_makes_it_reported_and_is_noted_once(room):
    case = room.claimed()
    for version in (1, 2, 3):
        case = room.casebook.save_findings(room.elle, case.id, {"impression": f"{version}"})
        assert (case.state, case.draft_version) == (CaseState.REPORTED, version)
    assert case.draft["impression"] == "3"
    assert [action for action, *_ in room.deeds(case.id)].count("drafted") == 1


def test_a_draft_that_moved_on_is_not_overwritten(room):
    case = room.written()
    room.casebook.save_findings(room.elle, case.id, {"impression": "b"}, expected_version=1)
    with pytest.raises(Conflict, match="version 2 by now, you edited 1") as late:
        room.casebook.save_findings(room.elle, case.id, {"impression": "c"}, expected_version=1)
    assert late.value.code == "draft-moved-on"
    assert room.case(case.id).draft["impression"] == "b"


def test_the_same_draft_again_is_no_conflict_since_its_answer_was_lost(room):
    case = room.written()
    saved = room.casebook.save_findings(room.elle, case.id, {"impression": "b"}, expected_version=1)

    again = room.casebook.save_findings(room.elle, case.id, {"impression": "b"}, expected_version=1)

    assert (again.draft, again.draft_version) == (saved.draft, 2)


def test_findings_without_their_form_are_refused_whole(room):
    case = room.written()
    with pytest.raises(Invalid, match="conclusion"):
        room.casebook.save_findings(room.elle, case.id, {"conclusion": "x"})
    assert room.case(case.id) == case


def test_signing_keeps_the_findings_with_their_question_under_their_hash(room):
    case = room.written()
    report = room.casebook.sign(room.elle, case.id, displayed={"zoom": 2})
    assert (report.version, report.kind) == (1, "original")
    assert (report.signed_by, report.signed_by_id) == ("Dr Elle Sárá", room.elle.id)
    assert report.signed_at == room.clock.now
    assert report.content["impression"] == "Benign naevus."
    assert report.content["referral"]["question"] == "Is this a melanoma?"
    assert report.content["studies"][0]["study_uid"]
    assert report.content["displayed"] == report.displayed == {"zoom": 2}
    assert report.sha256 == content_hash(report.content)
    dossier = room.casebook.dossier(EVERYTHING, case.id)
    assert dossier.reports == (report,)
    assert dossier.case.state is CaseState.SIGNED
    assert (dossier.case.report_version, dossier.case.draft) == (1, None)
    assert dossier.case.signed_at == room.clock.now


@pytest.mark.parametrize("impression", ["", "   "])
def test_without_an_impression_nothing_is_signed(room, impression):
    case = room.written(impression)
    with pytest.raises(Invalid, match="impression"):
        room.casebook.sign(room.elle, case.id, displayed={})
    assert room.case(case.id) == case
    assert deliveries(room, case) == ()


def test_what_is_not_written_is_not_signed(room):
    case = room.claimed()
    with pytest.raises(Invalid, match="Write findings"):
        room.casebook.sign(room.elle, case.id, displayed={})
    with pytest.raises(Conflict):
        room.casebook.sign(room.elle, room.signed().id, displayed={})


def test_a_signature_queues_the_reply_for_inbox_study_and_reply_nodes(room):
    room.add_reply_node("GP_PACS")
    room.add_reply_node("BAKKEN", site="bakken")
    case = room.signed()
    study = room.casebook.dossier(EVERYTHING, case.id).studies[0].study_uid
    assert [(d.channel, d.destination, d.state) for d in deliveries(room, case)] == [
        ("inbox", "fjordgata", "queued"),
        ("study", study, "queued"),
        ("ae", "GP_PACS", "queued"),
    ]


def test_the_case_is_delivered_when_its_inbox_has_the_reply(room):
    case = room.signed()
    found = {d.channel: d.id for d in deliveries(room, case)}
    room.casebook.delivered(found["study"], actor=WORKER)
    assert room.case(case.id).state is CaseState.SIGNED
    room.casebook.delivered(found["inbox"], actor=WORKER)
    assert room.case(case.id).state is CaseState.DELIVERED
    room.casebook.delivered(found["inbox"], actor=WORKER)
    assert [d.state for d in deliveries(room, case)] == ["done", "done"]
    noted = [deed for deed in room.deeds(case.id) if deed[0] == "delivered"]
    assert noted == [("delivered", "system:worker", "ok")] * 2


def test_a_person_delivers_nothing(room):
    case = room.signed()
    with pytest.raises(Refused):
        room.casebook.delivered(deliveries(room, case)[0].id, actor=room.elle)
    with pytest.raises(NotFound):
        room.casebook.delivered(999, actor=WORKER)


def test_a_reply_that_is_read_before_the_worker_comes_stays_read(room):
    case = room.signed()
    room.casebook.open_reply(room.gp, case.id)
    room.casebook.delivered(deliveries(room, case)[0].id, actor=WORKER)
    assert room.case(case.id).state is CaseState.READ


def test_the_first_opening_and_the_acknowledgement_are_kept(room):
    case = room.signed()
    opened_at = room.clock.passes(minutes=3)
    assert room.casebook.open_reply(room.gp, case.id).read_at == opened_at
    room.clock.passes(minutes=3)
    assert room.casebook.open_reply(room.gp, case.id).read_at == opened_at
    closed_at = room.clock.passes(minutes=3)
    closed = room.casebook.acknowledge(room.gp, case.id)
    assert (closed.state, closed.read_at, closed.closed_at) == (
        CaseState.CLOSED, opened_at, closed_at,
    )  # fmt: skip
    assert room.casebook.open_reply(room.gp, case.id) == closed
    with pytest.raises(Conflict) as again:
        room.casebook.acknowledge(room.gp, case.id)
    assert again.value.state == "closed"


def test_only_the_site_that_asked_acknowledges(room):
    case = room.signed()
    with pytest.raises(NotFound):
        room.casebook.acknowledge(room.other_gp, case.id)
    with pytest.raises(Refused):
        room.casebook.acknowledge(room.elle, case.id)
    with pytest.raises(Refused):
        room.casebook.open_reply(room.marit, case.id)


def test_an_addendum_leaves_what_was_signed_and_makes_the_case_unread(room):
    case = room.signed()
    first = room.casebook.dossier(EVERYTHING, case.id).reports[0]
    room.casebook.acknowledge(room.gp, case.id)
    room.clock.passes(days=1)
    addendum = room.casebook.addend(room.elle, case.id, {"findings": "Histology: benign."})
    dossier = room.casebook.dossier(EVERYTHING, case.id)
    assert dossier.reports == (first, addendum)
    assert (addendum.version, addendum.kind, addendum.content["amends"]) == (2, "addendum", 1)
    assert addendum.uid != first.uid
    assert dossier.case.state is CaseState.SIGNED
    assert (dossier.case.read_at, dossier.case.closed_at) == (None, None)
    assert [(d.report_version, d.channel) for d in dossier.deliveries] == [
        (1, "inbox"), (1, "study"), (2, "inbox"), (2, "study"),
    ]  # fmt: skip


def test_a_correction_stands_by_itself(room):
    case = room.signed()
    with pytest.raises(Invalid, match="impression"):
        room.casebook.correct(room.elle, case.id, {"findings": "left, not right"})
    report = room.casebook.correct(room.elle, case.id, {"impression": "Melanoma."})
    assert (report.kind, report.version) == ("correction", 2)
    assert room.deeds(case.id)[-1][0] == "corrected"
    with pytest.raises(Invalid, match="addendum"):
        room.casebook.addend(room.elle, case.id, {"template": "x"})


def test_what_was_never_signed_cannot_be_amended(room):
    case = room.sent()
    room.casebook.decline(room.elle, case.id, reason="x")
    room.casebook.acknowledge(room.gp, case.id)
    with pytest.raises(Conflict, match="no signed report"):
        room.casebook.addend(room.elle, case.id, {"impression": "x"})


def test_the_inbox_of_an_old_version_does_not_deliver_the_new_one(room):
    case = room.signed()
    old = deliveries(room, case)[0]
    room.casebook.addend(room.elle, case.id, {"impression": "More."})
    room.casebook.delivered(old.id, actor=WORKER)
    assert room.case(case.id).state is CaseState.SIGNED


@pytest.mark.parametrize("verb", ["update", "delete"])
def test_the_database_refuses_to_change_a_report(room, verb):
    case = room.signed()
    statement = update(reports).values(signed_by="X") if verb == "update" else delete(reports)
    with pytest.raises(DBAPIError, match="never changed"), room.database.begin() as conn:
        conn.execute(statement)
    assert room.casebook.dossier(EVERYTHING, case.id).reports[0].signed_by == "Dr Elle Sárá"


def test_the_rules_of_the_table_hold_whoever_writes(room):
    case = room.signed()
    with room.database.read() as conn:
        row = dict(conn.execute(select(reports).where(reports.c.case_id == case.id)).one()._mapping)
    wrong = [
        {"version": 2, "uid": "1.2.3"},
        {"version": 2, "kind": "addendum"},
        {"version": 2, "kind": "draft", "uid": "1.2.3"},
    ]
    for values in wrong:
        with pytest.raises(DBAPIError), room.database.begin() as conn:
            conn.execute(insert(reports).values(**{**row, **values}))


def test_nothing_of_a_signature_is_kept_when_its_last_part_fails(room, monkeypatch):
    case = room.written()
    before = room.deeds()

    def fail(*_args, **_given):
        raise OSError("no room")

    monkeypatch.setattr("storage.steps.append_entry", fail)
    with pytest.raises(OSError, match="no room"):
        room.casebook.sign(room.elle, case.id, displayed={})
    dossier = room.casebook.dossier(EVERYTHING, case.id)
    assert dossier.case == case
    assert dossier.reports == dossier.deliveries == ()
    assert room.deeds() == before
