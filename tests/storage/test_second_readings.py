"""Second readings: who asks, who sees what, what they hold up, and who decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from casework.access import scope_of
from casework.errors import Conflict, Invalid, Refused
from casework.model import CaseState, Priority, Specialty
from casework.second_readings import Need, ReadingRule
from casework.statistics import Share, count
from tests.storage.room import MORNING, open_room


@pytest.fixture
def room(tmp_path: Path):
    with open_room(tmp_path) as furnished:
        yield furnished


@pytest.fixture
def everywhere(tmp_path: Path, database_server: str):
    """Give the room over each kind of database, for what asks of it more than rows."""
    with open_room(tmp_path, server=database_server) as furnished:
        yield furnished


def seen(room, actor, case_id):
    return room.casebook.dossier(scope_of(actor), case_id)


def asked(room, *, blinded=True, **given):
    case = room.written(**given)
    room.casebook.ask_second(room.elle, case.id, blinded=blinded)
    return case


def read_by(room, reader, case_id, impression="Melanoma in situ."):
    room.casebook.take_second(reader, case_id)
    room.casebook.save_findings(reader, case_id, {"impression": impression})
    return room.casebook.sign_second(reader, case_id)


def test_a_second_reading_is_kept_beside_the_case_and_one_reply_goes_out(everywhere):
    room = everywhere
    case = asked(room)
    with pytest.raises(Conflict) as open_still:
        room.casebook.sign(room.elle, case.id)
    assert open_still.value.code == "second-reading-open"
    reading = read_by(room, room.nils, case.id)
    assert reading.content["impression"] == "Melanoma in situ."
    assert room.case(case.id).draft["impression"] == "Benign naevus."
    with pytest.raises(Conflict) as unsaid:
        room.casebook.sign(room.elle, case.id)
    assert unsaid.value.code == "comparison-missing"
    room.casebook.judge_second(room.nils, case.id, comparison="minor", text="Other wording")
    report = room.casebook.sign(room.elle, case.id)
    assert (report.version, report.content["impression"]) == (1, "Benign naevus.")
    dossier = seen(room, room.elle, case.id)
    assert [r.signed_by for r in dossier.reports] == ["Dr Elle Sárá"]
    (kept,) = dossier.readings
    assert (kept.reader_name, kept.first_name) == ("Dr Nils Berg", "Dr Elle Sárá")
    assert (kept.comparison, kept.comparison_text) == ("minor", "Other wording")


def test_a_blinded_reader_sees_the_first_answer_only_once_the_own_is_signed(room):
    case = asked(room)
    room.casebook.take_second(room.nils, case.id)
    saved = room.casebook.save_findings(room.nils, case.id, {"impression": "Melanoma in situ."})
    assert saved.draft["impression"] == "Melanoma in situ."
    hidden = seen(room, room.nils, case.id)
    assert (hidden.is_blinded, hidden.case.draft) == (True, None)
    assert hidden.readings[0].draft["impression"] == "Melanoma in situ."
    first = seen(room, room.elle, case.id)
    assert (first.is_blinded, first.readings[0].draft) == (False, None)
    room.casebook.sign_second(room.nils, case.id)
    shown = seen(room, room.nils, case.id)
    assert (shown.is_blinded, shown.case.draft["impression"]) == (False, "Benign naevus.")
    assert seen(room, room.elle, case.id).readings[0].content["impression"] == "Melanoma in situ."


def test_an_open_reader_sees_the_first_draft(room):
    case = asked(room, blinded=False)
    room.casebook.take_second(room.nils, case.id)
    assert seen(room, room.nils, case.id).case.draft["impression"] == "Benign naevus."


def test_a_second_reader_answers_a_template_as_the_first_does(room):
    case = asked(room)
    room.casebook.take_second(room.nils, case.id)
    body = {"impression": "A naevus.", "template": "pigmented-lesion", "language": "en"}
    saved = room.casebook.save_findings(room.nils, case.id, body | {"fields": {"symmetry": "yes"}})
    assert "ymmetric" in saved.draft["described"]
    signed = room.casebook.sign_second(room.nils, case.id)
    assert signed.content["described"] == saved.draft["described"]


def test_a_blinded_reading_after_the_reply_hides_it_from_the_readers_but_not_its_receiver(room):
    case = room.signed()
    room.casebook.ask_second(room.elle, case.id)
    assert seen(room, room.nils, case.id).reports == ()
    assert seen(room, room.tove, case.id).is_blinded
    assert len(seen(room, room.elle, case.id).reports) == 1
    assert len(seen(room, room.gp, case.id).reports) == 1
    assert seen(room, room.gp, case.id).readings == ()
    assert len(seen(room, room.marit, case.id).reports) == 1
    read_by(room, room.nils, case.id)
    assert len(seen(room, room.nils, case.id).reports) == 1
    room.casebook.judge_second(room.elle, case.id, comparison="agree")
    assert room.case(case.id).state is CaseState.SIGNED
    assert seen(room, room.elle, case.id).readings[0].after_version == 1


def test_a_third_decides_a_major_difference_by_the_coordinators_hand_over(room):
    case = asked(room)
    read_by(room, room.nils, case.id)
    room.casebook.judge_second(room.elle, case.id, comparison="major", text="In situ or not")
    with pytest.raises(Conflict) as differs:
        room.casebook.sign(room.elle, case.id)
    assert differs.value.code == "third-reader-needed"
    with pytest.raises(Conflict) as same:
        room.casebook.hand_over(room.marit, case.id, to=room.nils.id)
    assert same.value.code == "is-second-reader"
    room.casebook.hand_over(room.marit, case.id, to=room.tove.id, note="Please decide")
    report = room.casebook.sign(room.tove, case.id)
    assert report.signed_by == "Dr Tove Lie"
    (kept,) = seen(room, room.tove, case.id).readings
    assert (kept.first_name, kept.reader_name, kept.decided_by) == (
        "Dr Elle Sárá", "Dr Nils Berg", "Dr Tove Lie",
    )  # fmt: skip


def test_only_another_of_the_specialty_reads_second(room):
    case = asked(room)
    with pytest.raises(Refused):
        room.casebook.take_second(room.elle, case.id)
    room.casebook.take_second(room.nils, case.id)
    with pytest.raises(Conflict) as taken:
        room.casebook.take_second(room.tove, case.id)
    assert taken.value.message == "Dr Nils Berg has the second reading."
    with pytest.raises(Refused):
        room.casebook.save_findings(room.tove, case.id, {"impression": "x"})
    with pytest.raises(Conflict) as twice:
        room.casebook.ask_second(room.elle, case.id)
    assert twice.value.code == "second-reading-open"


def test_a_named_colleague_is_the_one_who_may_take_it(room):
    case = room.written()
    room.casebook.ask_second(room.elle, case.id, of="nils@nordlys.example")
    with pytest.raises(Refused) as other:
        room.casebook.take_second(room.tove, case.id)
    assert other.value.message == "Dr Nils Berg is asked for the second reading."
    room.casebook.take_second(room.nils, case.id)
    other_case = room.written()
    with pytest.raises(Invalid):
        room.casebook.ask_second(room.elle, other_case.id, of="kari@nordlys.example")


def test_the_second_reader_does_not_become_the_first(room):
    case = asked(room)
    room.casebook.take_second(room.nils, case.id)
    room.casebook.release(room.elle, case.id)
    with pytest.raises(Conflict) as refused:
        room.casebook.claim(room.nils, case.id)
    assert refused.value.code == "is-second-reader"
    with pytest.raises(Conflict):
        room.casebook.hand_over(room.marit, case.id, to=room.nils.id)
    assert room.casebook.claim(room.tove, case.id).holder_id == room.tove.id


def test_a_request_may_be_taken_back_until_it_is_signed(room):
    case = asked(room)
    room.casebook.take_second(room.nils, case.id)
    room.casebook.drop_second(room.elle, case.id)
    with pytest.raises(Refused):
        room.casebook.save_findings(room.nils, case.id, {"impression": "x"})
    assert room.casebook.sign(room.elle, case.id).version == 1
    again = asked(room)
    read_by(room, room.nils, again.id)
    with pytest.raises(Conflict):
        room.casebook.drop_second(room.elle, again.id)


def test_one_drafts_before_asking(room):
    with pytest.raises(Invalid) as refused:
        room.casebook.ask_second(room.elle, room.claimed().id)
    assert refused.value.code == "findings-missing"


def test_a_claim_waits_for_the_second_reader_and_a_taken_reading_ends(everywhere):
    room = everywhere
    case = asked(room)
    room.casebook.take_second(room.nils, case.id)
    room.clock.passes(hours=11)
    room.casebook.renew(room.nils, case.id)
    room.clock.passes(hours=11)
    assert (room.casebook.end_claims(), room.casebook.end_readings()) == (0, 0)
    room.clock.passes(hours=1)
    assert (room.casebook.end_claims(), room.casebook.end_readings()) == (0, 1)
    read_by(room, room.tove, case.id)
    assert room.casebook.end_claims() == 0
    room.clock.passes(hours=12)
    assert room.casebook.end_claims() == 1


RULES = [
    (Need.ALWAYS, Priority.ROUTINE, "none", True),
    (Need.URGENT, Priority.ROUTINE, "none", False),
    (Need.URGENT, Priority.ASAP, "none", True),
    (Need.URGENT, Priority.ROUTINE, "cancer-pathway", True),
    (Need.URGENT, Priority.ROUTINE, "priority", True),
    (Need.NEVER, Priority.STAT, "cancer-pathway", False),
]


def test_a_rule_says_which_cases_need_two(room):
    for need, priority, urgency, is_needed in RULES:
        room.casebook.set_reading_rule(ReadingRule("", Specialty.DERMATOLOGY, need))
        case = room.claimed(priority=priority)
        body = {"impression": "A mole.", "urgency": urgency}
        case = room.casebook.save_findings(room.elle, case.id, body)
        assert room.casebook.needs_second(case) is is_needed
        if not is_needed:
            assert room.casebook.sign(room.elle, case.id).version == 1
            continue
        with pytest.raises(Conflict) as refused:
            room.casebook.sign(room.elle, case.id)
        assert refused.value.code == "second-reading-needed"


def test_a_sites_own_rule_counts_before_the_one_for_all(room):
    room.casebook.set_reading_rule(ReadingRule("", "dermatology", Need.ALWAYS))
    room.casebook.set_reading_rule(ReadingRule("fjordgata", "dermatology", Need.NEVER, False))
    assert room.casebook.sign(room.elle, room.written().id).version == 1
    case = room.sent(room.other_gp)
    room.casebook.claim(room.elle, case.id)
    room.casebook.save_findings(room.elle, case.id, {"impression": "A mole."})
    with pytest.raises(Conflict):
        room.casebook.sign(room.elle, case.id)
    room.casebook.set_reading_rule(ReadingRule("", "dermatology", Need.NEVER))
    assert [rule.site for rule in room.casebook.reading_rules()] == ["fjordgata"]


def test_statistics_count_how_often_two_readers_differ(everywhere):
    """Five cases: alone, agree, minor, and major twice, of which a third decided one."""
    room = everywhere
    room.signed()
    for comparison in ("agree", "minor", "major"):
        case = asked(room)
        read_by(room, room.nils, case.id)
        room.casebook.judge_second(room.nils, case.id, comparison=comparison, text="because")
        if comparison == "major":
            room.casebook.hand_over(room.marit, case.id, to=room.tove.id)
            room.casebook.sign(room.tove, case.id)
        else:
            room.casebook.sign(room.elle, case.id)
    case = room.signed()
    room.casebook.ask_second(room.elle, case.id, blinded=False)
    read_by(room, room.nils, case.id)
    room.casebook.judge_second(room.nils, case.id, comparison="major", text="because")
    histories = room.casebook.histories(
        scope_of(room.marit), since=MORNING, until=room.clock.passes(hours=1)
    )
    found = count(histories)
    assert found.read_twice == Share(4, 5)
    assert found.differed == Share(3, 4)
    assert found.differed_major == Share(2, 4)
    assert found.differed_blinded == Share(2, 3)
    assert found.decided_by_third == Share(1, 2)
