"""Claims end by themselves, work lets them last, and cases go from one colleague to another."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from casework.access import scope_of
from casework.errors import Conflict, Invalid, LysbroError, NotFound, Refused
from casework.model import CaseState
from casework.workitems import StepState, work_item_uid
from tests.storage.room import EVERYTHING, open_room


@pytest.fixture
def room(tmp_path: Path):
    with open_room(tmp_path) as furnished:
        yield furnished


@pytest.fixture
def everywhere(tmp_path: Path, database_server: str):
    """Give the room over each kind of database, for what asks of it more than rows."""
    with open_room(tmp_path, server=database_server) as furnished:
        yield furnished


def said(room, case_id):
    messages = room.casebook.dossier(EVERYTHING, case_id).messages
    return [(each.author, each.text, each.reason) for each in messages]


def test_a_claim_that_nobody_works_on_ends_and_keeps_the_draft(everywhere):
    room = everywhere
    case = room.written()
    room.clock.passes(hours=11, minutes=59)
    assert room.casebook.end_claims() == 0
    room.clock.passes(minutes=1)
    assert room.casebook.end_claims() == 1
    free = room.case(case.id)
    assert (free.state, free.holder_id, free.claim_until) == (CaseState.SUBMITTED, "", None)
    assert free.draft["impression"] == "Benign naevus."
    assert ("claim-expired", "system:worker", "ok") in room.deeds(case.id)
    assert said(room, case.id) == [("Lysbro", "Dr Elle Sárá", "claim-expired")]
    again = room.casebook.claim(room.elle, case.id)
    assert again.draft["impression"] == "Benign naevus."
    assert room.casebook.end_claims() == 0


def test_another_who_claims_after_the_end_starts_anew(room):
    case = room.written()
    room.clock.passes(hours=12)
    room.casebook.end_claims()
    assert room.casebook.claim(room.nils, case.id).draft is None


@pytest.mark.parametrize("work", ["renew", "save"])
def test_work_lets_a_claim_last(room, work):
    case = room.claimed()
    room.clock.passes(hours=11)
    version = room.case(case.id).version
    if work == "renew":
        room.casebook.renew(room.elle, case.id)
        assert room.case(case.id).version == version
    else:
        room.casebook.save_findings(room.elle, case.id, {"findings": "A mole."})
    room.clock.passes(hours=11)
    assert room.casebook.end_claims() == 0
    room.clock.passes(hours=1)
    assert room.casebook.end_claims() == 1
    with pytest.raises(Refused) as refused:
        room.casebook.renew(room.elle, case.id)
    assert refused.value.code == "not-holder"


def test_progress_told_by_a_readers_own_system_lets_a_claim_last(room):
    case = room.sent()
    uid = work_item_uid(case.id)
    room.casebook.change_state(room.elle, uid, StepState.IN_PROGRESS, "1.2.3")
    room.clock.passes(hours=11)
    room.casebook.update_work_item(
        room.elle, uid, "1.2.3", lambda told: replace(told, progress=50.0)
    )
    room.clock.passes(hours=11)
    assert room.casebook.end_claims() == 0


def test_what_waits_for_the_referrer_or_is_signed_has_no_end(room):
    waiting, signed = room.claimed(), room.signed()
    room.casebook.ask(room.elle, waiting.id, reason="blurred", text="")
    room.clock.passes(days=30)
    assert room.casebook.end_claims() == 0
    assert room.case(waiting.id).holder_id == room.elle.id
    assert room.case(signed.id).claim_until is None


def test_a_handed_case_has_its_note_and_its_draft(everywhere):
    room = everywhere
    case = room.written()
    room.clock.passes(hours=1)
    handed = room.casebook.hand_over(
        room.elle, case.id, to="nils@nordlys.example", note="I am away"
    )
    assert (handed.holder_id, handed.holder_name) == (room.nils.id, "Dr Nils Berg")
    assert (handed.handed_by_name, handed.handed_note) == ("Dr Elle Sárá", "I am away")
    assert handed.state is CaseState.REPORTED
    assert (handed.claimed_at, handed.claim_until) == (
        room.clock.now, room.clock.now + (room.case(case.id).claim_until - room.clock.now),
    )  # fmt: skip
    assert said(room, case.id) == [("Dr Elle Sárá", "Dr Nils Berg", "handed-over")]
    report = room.casebook.sign(room.nils, case.id)
    assert report.content["impression"] == "Benign naevus."
    assert room.case(case.id).handed_by_id == ""


def test_a_handed_case_goes_back_to_the_one_who_handed_it(room):
    case = room.written()
    room.casebook.hand_over(room.elle, case.id, to=room.nils.id)
    back = room.casebook.give_back(room.nils, case.id, note="Not mine")
    assert (back.holder_id, back.handed_by_id, back.handed_note) == (
        room.elle.id, room.nils.id, "Not mine",
    )  # fmt: skip
    assert back.draft["impression"] == "Benign naevus."


def test_an_assigned_case_goes_back_to_the_pool_with_its_note(room):
    case = room.sent()
    assigned = room.casebook.hand_over(room.marit, case.id, to=room.nils.id, note="Today please")
    assert (assigned.state, assigned.holder_id) == (CaseState.CLAIMED, room.nils.id)
    free = room.casebook.give_back(room.nils, case.id, note="I know the patient")
    assert (free.state, free.holder_id) == (CaseState.SUBMITTED, "")
    assert (free.handed_by_name, free.handed_note) == ("Dr Nils Berg", "I know the patient")
    claimed = room.casebook.claim(room.elle, case.id)
    assert claimed.handed_by_id == ""
    with pytest.raises(Invalid) as refused:
        room.casebook.give_back(room.elle, case.id)
    assert refused.value.code == "not-handed"


def test_a_coordinator_moves_what_somebody_holds(room):
    case = room.written()
    moved = room.casebook.hand_over(room.marit, case.id, to=room.nils.id)
    assert (moved.state, moved.holder_id) == (CaseState.REPORTED, room.nils.id)
    deeds = room.deeds(case.id)
    assert deeds[-1] == ("handed-over", room.marit.id, "ok")


def test_a_case_goes_only_to_another_who_reads_such_cases(room):
    case = room.claimed()
    for to, code in (
        ("kari@nordlys.example", "no-such-colleague"),
        ("gp@fjordgata.example", "no-such-colleague"),
        ("nobody@nordlys.example", "no-such-colleague"),
        ("user:999999", "no-such-colleague"),
        ("elle@nordlys.example", "holds-already"),
    ):
        with pytest.raises((Invalid, Conflict)) as refused:
            room.casebook.hand_over(room.elle, case.id, to=to)
        assert refused.value.code == code
    assert room.case(case.id).holder_id == room.elle.id


def test_who_may_not_hand_over_is_refused(room):
    case = room.claimed()
    for actor, error in ((room.nils, Refused), (room.gp, Refused), (room.kari, NotFound)):
        with pytest.raises(error):
            room.casebook.hand_over(actor, case.id, to=room.tove.id)
    free = room.sent()
    with pytest.raises(Refused):
        room.casebook.hand_over(room.nils, free.id, to=room.tove.id)
    room.people.disable_user("tove@nordlys.example")
    with pytest.raises(Invalid):
        room.casebook.hand_over(room.elle, case.id, to="tove@nordlys.example")


def test_colleagues_come_with_what_lies_with_them(everywhere):
    room = everywhere
    case = room.claimed()
    for _ in range(2):
        room.casebook.claim(room.nils, room.sent().id)
    room.clock.passes(days=8)
    found = room.casebook.colleagues(scope_of(room.elle), case.id)
    assert [(c.name, c.held, c.late) for c in found] == [
        ("Dr Tove Lie", 0, 0),
        ("Dr Nils Berg", 2, 2),
    ]
    with pytest.raises(NotFound):
        room.casebook.colleagues(scope_of(room.kari), case.id)


def at_once(*steps):
    """Take steps at the same moment; return what became of each."""
    gate, done = threading.Barrier(len(steps)), {}

    def take(name, step):
        gate.wait()
        try:
            done[name] = step()
        except LysbroError as error:
            done[name] = error

    threads = [threading.Thread(target=take, args=(name, step)) for name, step in enumerate(steps)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [done[name] for name in range(len(steps))]


def test_of_two_who_claim_at_once_one_has_the_case(everywhere):
    room = everywhere
    for _ in range(3):
        case = room.sent()
        found = at_once(
            lambda: room.casebook.claim(room.elle, case.id),  # noqa: B023 - joined in the loop
            lambda: room.casebook.claim(room.nils, case.id),  # noqa: B023
        )
        (lost,) = [each for each in found if isinstance(each, Conflict)]
        (won,) = [each for each in found if not isinstance(each, Conflict)]
        assert room.case(case.id).holder_id == won.holder_id
        assert lost.code == "claimed"


def test_a_hand_over_while_the_claim_ends_leaves_one_truth(everywhere):
    room = everywhere
    for _ in range(3):
        case = room.claimed()
        room.clock.passes(hours=12)
        handed, ended = at_once(
            lambda: room.casebook.hand_over(room.elle, case.id, to=room.nils.id),  # noqa: B023
            room.casebook.end_claims,
        )
        now = room.case(case.id)
        if isinstance(handed, LysbroError):
            assert (ended, now.state, now.holder_id) == (1, CaseState.SUBMITTED, "")
        else:
            assert (ended, now.state, now.holder_id) == (0, CaseState.CLAIMED, room.nils.id)
        room.casebook.decline(room.marit, case.id, reason="done")
