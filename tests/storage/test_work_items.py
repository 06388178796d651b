"""Work items in the database: two who claim at once, many of them, and what an erasure leaves."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from casework.access import scope_of
from casework.errors import Conflict, Invalid, NotFound
from casework.model import Specialty
from casework.workitem_events import EventType
from casework.workitem_values import Retrieval
from casework.workitems import (
    FILTERED_SUBSCRIPTION,
    GLOBAL_SUBSCRIPTION,
    StepState,
    work_item_uid,
)
from storage.casebook_tables import cases, workitem_subscribers, workitem_subscriptions, workitems
from storage.erasing_rows import remove_cases
from storage.subscriptions import Subscriptions
from storage.workitem_news import news_for
from storage.workitem_search import read_keys
from tests.storage.room import MORNING, Room, open_room

ROOT = Retrieval("LYSBRO", "http://x/dicom-web")
IN_PROGRESS, CANCELED = StepState.IN_PROGRESS, StepState.CANCELED


@pytest.fixture
def room(tmp_path: Path, database_server: str):
    with open_room(tmp_path, server=database_server) as furnished:
        yield furnished


def found(room: Room, actor, limit: int = 200, offset: int = 0, **keys: str) -> list[str]:
    pairs, _ = room.casebook.search_work_items(
        scope_of(actor), read_keys(keys), ROOT, limit=limit, offset=offset
    )
    return [pair.item.case.id for pair in pairs]


def test_of_two_who_claim_at_once_one_has_the_work_item(room):
    case = room.sent(specialty=Specialty.RADIOLOGY)
    uid, outcomes, barrier = work_item_uid(case.id), {}, threading.Barrier(2)

    def claim(actor, transaction: str) -> None:
        barrier.wait()
        try:
            room.casebook.change_state(actor, uid, IN_PROGRESS, transaction)
            outcomes[actor.id] = transaction
        except Conflict as error:
            outcomes[actor.id] = error.code

    pairs = ((room.kari, "2.25.1"), (room.ola, "2.25.2"))
    threads = [threading.Thread(target=claim, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    holder = room.case(case.id).holder_id
    assert outcomes[holder] in {"2.25.1", "2.25.2"}
    assert sorted(outcomes) == sorted([room.kari.id, room.ola.id])
    assert room.casebook.work_item(scope_of(room.kari), uid).transaction_uid == outcomes[holder]
    assert [deed[0] for deed in room.deeds(case.id)].count("claimed") == 1


def test_a_claim_that_was_given_back_has_no_transaction_any_more(room):
    case = room.sent()
    uid = work_item_uid(case.id)
    room.casebook.change_state(room.elle, uid, IN_PROGRESS, "2.25.1")
    room.casebook.update_work_item(
        room.elle, uid, "2.25.1", lambda told: replace(told, progress=50.0, comments="Call")
    )
    room.casebook.release(room.elle, case.id)
    room.clock.passes(minutes=1)
    room.casebook.claim(room.elle, case.id)
    item = room.casebook.work_item(scope_of(room.elle), uid)
    assert (item.transaction_uid, item.told.progress, item.told.comments) == ("", None, "Call")
    with pytest.raises(Invalid) as wrong:
        room.casebook.change_state(room.elle, uid, CANCELED, "2.25.1")
    assert wrong.value.code == "transaction-wrong"
    assert not room.casebook.change_state(room.elle, uid, IN_PROGRESS, "2.25.3")
    assert room.casebook.work_item(scope_of(room.elle), uid).transaction_uid == "2.25.3"


def test_nothing_stays_of_a_work_item_that_is_erased(room):
    case, other = room.sent(), room.sent()
    subscriptions = Subscriptions(room.database, room.clock)
    for each in (case, other):
        subscriptions.subscribe(room.elle, "WATCH", work_item_uid(each.id))
        room.casebook.change_state(room.elle, work_item_uid(each.id), IN_PROGRESS, "2.25.1")
    with room.database.begin() as conn:
        remove_cases(conn, [case.id])
        for table in (workitems, workitem_subscriptions):
            assert list(conn.execute(select(table.c.case_id)).scalars()) == [other.id]
    with pytest.raises(NotFound):
        room.casebook.work_item(scope_of(room.elle), work_item_uid(case.id))
    news = news_for(room.database, room.elle, "WATCH", after=None, requesting_ae="L")
    assert {report.uid for report in news.reports} == {work_item_uid(other.id)}


def test_the_news_are_those_since_the_last_and_of_what_is_in_sight(room):
    subscriptions = Subscriptions(room.database, room.clock)
    early = room.sent()
    room.sent(specialty=Specialty.RADIOLOGY)
    subscriptions.subscribe(room.elle, "WATCH", GLOBAL_SUBSCRIPTION)
    first = news_for(room.database, room.elle, "WATCH", after=None, requesting_ae="L")
    assert [(r.event, r.uid) for r in first.reports] == [
        (EventType.STATE_REPORT, work_item_uid(early.id))
    ]
    subscriptions.sent(room.elle, "WATCH", first.seq, told=first.told)
    again = news_for(room.database, room.elle, "WATCH", after=None, requesting_ae="L")
    assert (again.reports, again.told) == ((), ())
    case = room.written()
    late = news_for(room.database, room.elle, "WATCH", after=None, requesting_ae="L")
    assert [int(report.event) for report in late.reports] == [1, 1, 5, 3]
    assert {report.uid for report in late.reports} == {work_item_uid(case.id)}
    assert news_for(room.database, room.kari, "WATCH", after=None, requesting_ae="L") is None
    subscriptions.unsubscribe(room.elle, "WATCH", GLOBAL_SUBSCRIPTION)
    with room.database.read() as conn:
        assert conn.execute(select(func.count()).select_from(workitem_subscribers)).scalar() == 0


def test_a_filter_takes_the_place_of_the_worklist(room):
    subscriptions = Subscriptions(room.database, room.clock)
    subscriptions.subscribe(room.elle, "WATCH", GLOBAL_SUBSCRIPTION)
    keys = {"ScheduledProcedureStepPriority": "HIGH"}
    subscriptions.subscribe(room.elle, "WATCH", FILTERED_SUBSCRIPTION, keys)
    room.sent()
    news = news_for(room.database, room.elle, "WATCH", after=None, requesting_ae="L")
    assert news.reports == ()
    with pytest.raises(NotFound):
        subscriptions.suspend(room.elle, "WATCH", GLOBAL_SUBSCRIPTION)


def test_a_thousand_work_items_are_searched_quickly(room):
    first = room.sent(specialty=Specialty.RADIOLOGY)
    with room.database.begin() as conn:
        row = dict(conn.execute(select(cases).where(cases.c.id == first.id)).one()._mapping)
        rows = [
            {
                **row,
                "id": f"{2222 + n:04d}-2222".translate(str.maketrans("01", "ZY")),
                "patient_id": f"n{n}",
                "due_at": row["due_at"].replace(microsecond=n),
                "priority": "stat" if n == 700 else "routine",
            }
            for n in range(1000)
        ]
        conn.execute(cases.insert(), rows)
    begun = time.perf_counter()
    everything = [found(room, room.kari, offset=at) for at in range(0, 1200, 200)]
    by_value = found(room, room.kari, PatientSex="F", ProcedureStepState="SCHEDULED", limit=1000)
    (urgent,) = found(room, room.kari, ScheduledProcedureStepPriority="HIGH")
    (one,) = found(room, room.kari, PatientID="n500")
    assert found(room, room.kari, SOPInstanceUID=work_item_uid(one)) == [one]
    took_s = time.perf_counter() - begun
    assert len({case_id for page in everything for case_id in page}) == 1001
    assert [len(page) for page in everything] == [200, 200, 200, 200, 200, 1]
    assert len(by_value) == 1000
    assert room.case(urgent).patient.id == "n700"
    assert room.case(one).submitted_at == MORNING
    assert took_s < 10
