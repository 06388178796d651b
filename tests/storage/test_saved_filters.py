"""Saved filters: by whom, in which order, how many fit, and when they go."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from casework.access import scope_of
from casework.errors import Conflict, Invalid, NotFound
from casework.model import Patient, Priority, Specialty
from casework.saved_filters import Mark, Wanted, fits, normal_name, read_wanted
from storage.erasing_rows import remove_cases
from storage.reading_tables import saved_filters
from tests.storage.room import open_room


@pytest.fixture
def room(tmp_path: Path):
    with open_room(tmp_path) as furnished:
        yield furnished


@pytest.fixture
def everywhere(tmp_path: Path, database_server: str):
    """Give the room over each kind of database, for what asks of it more than rows."""
    with open_room(tmp_path, server=database_server) as furnished:
        yield furnished


def names(room, actor):
    return [each.name for each in room.casebook.saved_filters(actor)]


def test_each_has_their_own_in_their_own_order(everywhere):
    room = everywhere
    urgent = room.casebook.save_filter(room.elle, "  Urgent  ones ", Wanted(priority="pressing"))
    mine = room.casebook.save_filter(room.elle, "Mine", Wanted(holder="me"), is_default=True)
    room.casebook.save_filter(room.nils, "Mine", Wanted(holder="me"))
    assert names(room, room.elle) == ["Urgent ones", "Mine"]
    room.casebook.change_filter(room.elle, mine.id, position=1)
    assert names(room, room.elle) == ["Mine", "Urgent ones"]
    room.casebook.order_filters(room.elle, [urgent.id, mine.id])
    assert names(room, room.elle) == ["Urgent ones", "Mine"]
    changed = room.casebook.change_filter(room.elle, urgent.id, name="Soon", is_default=True)
    assert (changed.name, changed.wanted) == ("Soon", Wanted(priority="pressing"))
    assert [f.is_default for f in room.casebook.saved_filters(room.elle)] == [True, False]
    room.casebook.drop_filter(room.elle, urgent.id)
    assert names(room, room.elle) == ["Mine"]
    assert names(room, room.nils) == ["Mine"]


def test_the_same_name_again_is_the_same_filter(room):
    room.casebook.save_filter(room.elle, "Mine", Wanted(holder="me"))
    again = room.casebook.save_filter(room.elle, "Mine", Wanted(mark="second"))
    assert room.casebook.saved_filters(room.elle) == [again]
    other = room.casebook.save_filter(room.elle, "Other", Wanted())
    with pytest.raises(Conflict):
        room.casebook.change_filter(room.elle, other.id, name="Mine")


def test_what_is_another_persons_does_not_exist(room):
    mine = room.casebook.save_filter(room.elle, "Mine", Wanted())
    for attempt in (
        lambda: room.casebook.drop_filter(room.nils, mine.id),
        lambda: room.casebook.change_filter(room.nils, mine.id, name="x"),
    ):
        with pytest.raises(NotFound):
            attempt()
    with pytest.raises(Invalid):
        room.casebook.order_filters(room.nils, [mine.id])


def test_there_are_at_most_twenty(room):
    for number in range(20):
        room.casebook.save_filter(room.elle, f"F{number}", Wanted())
    with pytest.raises(Conflict):
        room.casebook.save_filter(room.elle, "One more", Wanted())


def test_a_filter_needs_a_name_that_fits_on_a_tab():
    for name in ("", "  ", "x" * 41):
        with pytest.raises(Invalid):
            normal_name(name)


def test_what_is_unknown_is_left_out_or_refused():
    assert read_wanted({"state": "nowhere", "priority": "stat", "page": "2"}) == Wanted(
        priority="stat"
    )
    with pytest.raises(Invalid):
        read_wanted({"state": "nowhere"}, strict=True)


def test_a_persons_filters_go_with_their_access(room):
    room.casebook.save_filter(room.elle, "Mine", Wanted())
    room.people.disable_user("elle@nordlys.example")
    assert names(room, room.elle) == []


def test_filters_that_name_an_erased_patient_go_with_the_patient(everywhere):
    room = everywhere
    case = room.sent(patient=Patient("010150", "", "NÆSS^KARI"))
    for name, q in (
        ("a", "næss"), ("b", "0101"), ("c", "Kari, CT"), ("d", "thorax"), ("e", "ab"),
    ):  # fmt: skip
        room.casebook.save_filter(room.elle, name, Wanted(q=q))
    with room.database.begin() as conn:
        remove_cases(conn, [case.id])
    assert names(room, room.elle) == ["d", "e"]
    with room.database.read() as conn:
        assert len(conn.execute(select(saved_filters.c.id)).all()) == 2


def test_the_board_and_the_list_pick_the_same_cases(everywhere):
    """Every filter of a table is asked of the light look and of the database."""
    room = everywhere
    room.sent(priority=Priority.STAT)
    held = room.claimed()
    waiting = room.claimed(priority=Priority.URGENT)
    room.casebook.ask(room.elle, waiting.id, reason="blurred", text="")
    room.sent(specialty=Specialty.RADIOLOGY)
    room.sent(room.other_gp)
    warned = room.sent()
    advice = [{"check": "focus", "verdict": "poor", "message": "Blurred. Again.", "message_nb": ""}]
    room.casebook.note_capture(
        warned.id, "photo-2", "1.2.9", judged={"kind": "overview", "advice": advice}
    )
    second = room.written()
    room.casebook.ask_second(room.elle, second.id)
    answered = room.signed()
    room.casebook.ask_second(room.elle, answered.id)
    room.clock.passes(hours=3)
    scope, now = scope_of(room.marit), room.clock.now
    board = room.casebook.board(scope)
    wanted = [
        Wanted(),
        Wanted(state="others"),
        Wanted(state="ours", holder="nobody"),
        Wanted(holder=room.elle.id),
        Wanted(priority="pressing"),
        Wanted(priority="stat", specialty="dermatology"),
        Wanted(site="bakken"),
        *(Wanted(mark=mark) for mark in Mark),
    ]
    for each in wanted:
        light = {held.id for held in board.held if fits(each, held, me="", now=now)}
        listed, _ = room.casebook.list_cases(
            scope,
            states=each.states,
            specialty=Specialty(each.specialty) if each.specialty else None,
            site=each.site or None,
            holder={"": None, "nobody": ""}.get(each.holder, each.holder),
            priorities=each.priorities,
            mark=Mark(each.mark) if each.mark else None,
        )
        assert {row.case.id for row in listed} == light, each
    by_mark = {mark: room.cases_seen_by(room.marit, mark=Mark(mark), states=None) for mark in Mark}
    assert by_mark[Mark.WARNED] == [warned.id]
    assert set(by_mark[Mark.SECOND]) == {second.id, answered.id}
    rows, _ = room.casebook.list_cases(scope, mark=Mark.WARNED)
    assert (rows[0].warned_count, rows[0].worst_warning) == (1, ("Blurred", "Blurred"))
    assert held.id in {each.id for each in board.held}


def test_the_version_of_the_board_changes_with_what_the_rows_say(everywhere):
    room = everywhere
    case = room.claimed()
    scope = scope_of(room.marit)
    before = room.casebook.board(scope).version
    assert room.casebook.board(scope).version == before
    room.casebook.renew(room.elle, case.id)
    assert room.casebook.board(scope).version == before
    room.casebook.save_findings(room.elle, case.id, {"impression": "x"})
    drafted = room.casebook.board(scope).version
    assert drafted != before
    room.casebook.save_findings(room.elle, case.id, {"impression": "xy"})
    assert room.casebook.board(scope).version == drafted
    room.casebook.hand_over(room.elle, case.id, to=room.nils.id)
    assert room.casebook.board(scope).version != drafted
