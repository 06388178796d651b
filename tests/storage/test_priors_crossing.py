"""Earlier studies beside orders, routing and work items: a fetched study is none of these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from casework.access import scope_of
from casework.custody import Door
from casework.model import AePermission
from casework.routing import Rule
from storage import prior_tables as t
from storage.casebook import Casebook
from storage.orders import Orders
from storage.prior_queue import Hours, PriorQueue
from storage.prior_rules import PriorRules
from storage.routing import Routing
from storage.tables import studies
from tests.storage.conftest import MakeRecord
from tests.storage.room import EVERYTHING, Room, open_room
from tests.storage.test_orders import NURSE, request
from tests.storage.test_priors import NODE, RULE, told

PRIOR = "1.2.20"


@pytest.fixture
def room(tmp_path: Path, database_server: str) -> Iterator[Room]:
    """Give a room with a hospital whose case has asked for an earlier study, which is fetched."""
    with open_room(tmp_path, server=database_server) as found:
        found.people.add_ae(
            NODE, site="hammer", host="10.0.0.1", port=104,
            permissions=frozenset({AePermission.FETCH}),
        )  # fmt: skip
        found.people.add_ae("VNA", "nordlys", "10.0.0.2", 104)
        PriorRules(found.database, found.clock).add(RULE)
        yield found


def fetched(room: Room, make_record: MakeRecord, door: Door = Door.PRIOR, **more: object):
    """Let a case ask, and what it asked for arrive; return the record that brought it."""
    room.arrive(make_record(received_at=room.clock.now))
    queue = PriorQueue(room.database, room.clock)
    question = queue.take(lease_s=60)
    queue.answered(
        question, site="hammer", verdicts=(told(PRIOR, study={"images": 1}),), hours=Hours()
    )
    fetch = queue.take(lease_s=600)
    queue.moving(fetch, lease_s=600)
    record = make_record(
        StudyInstanceUID=PRIOR, SeriesInstanceUID=f"{PRIOR}.1", AccessionNumber="A20",
        door=door, received_at=room.clock.now, **more,
    )  # fmt: skip
    room.arrive(record)
    room.clock.passes(seconds=10)
    queue.moved(fetch)
    return record


def become_complete(room: Room) -> None:
    room.index.presume_complete(room.clock.passes(hours=1), 60)


def queued(room: Room) -> set[str]:
    return {errand.study_uid for errand in room.outbox.listed()}


def sent(room: Room, record, door: Door = Door.DICOM):
    """Let the same bytes come by themselves."""
    room.clock.passes(minutes=5)
    origin = replace(record.origin, door=door)
    room.arrive(
        replace(record, offset=record.offset + 1, origin=origin, received_at=room.clock.now)
    )


@pytest.mark.parametrize("door", [Door.PRIOR, Door.DICOM])
def test_rules_leave_a_fetched_study_until_somebody_sends_it(room, make_record, door):
    routing = Routing(room.database, room.clock)
    routing.add(Rule("to the archive", "VNA"), by="user:1")
    record = fetched(room, make_record, door)
    become_complete(room)
    routing.run_once()
    assert queued(room) == {"1.2.3"}
    (why,) = [e.decision.reasons for e in routing.test(Rule("x", "VNA"), days=1)
              if e.study.study_uid == PRIOR]  # fmt: skip
    assert why == ("it was fetched as an earlier study",)
    sent(room, record)
    assert routing.run_once()
    assert queued(room) == {"1.2.3", PRIOR}


def test_a_fetched_study_of_a_place_that_makes_no_cases_goes_once_it_is_sent(room, make_record):
    routing = Routing(room.database, room.clock)
    routing.add(Rule("to the archive", "VNA"), by="user:1")
    record = fetched(room, make_record)
    sent(room, record, Door.STOW)
    with room.database.begin() as conn:  # as of a centre: nobody is asked
        conn.execute(update(studies).where(studies.c.study_uid == PRIOR).values(case_id=None))
    become_complete(room)
    assert routing.run_once()
    assert queued(room) == {"1.2.3", PRIOR}


def test_a_fetched_study_completes_no_order_until_somebody_sends_it(room, make_record):
    orders = Orders(room.database, room.clock)
    patient = replace(request().patient, id="12345")
    order, _ = orders.place(NURSE, replace(request(), study_uid=PRIOR, patient=patient))
    record = fetched(room, make_record)
    become_complete(room)
    found = orders.order(EVERYTHING, order.id)
    assert (found.state, found.case_id) == ("scheduled", "")
    sent(room, record)
    found = orders.order(EVERYTHING, order.id)
    assert found.state == "completed"
    assert found.case_id


def test_an_order_that_comes_later_has_its_case_ask_for_earlier_studies(room, make_record):
    PriorRules(room.database, room.clock).remove(1)
    room.arrive(make_record(received_at=room.clock.now))
    PriorRules(room.database, room.clock).add(RULE)
    orders = Orders(room.database, room.clock)
    orders.place(NURSE, replace(request(), study_uid="1.2.3"))
    with room.database.read() as conn:
        assert conn.execute(select(t.prior_questions.c.node)).scalars().all() == [NODE]


def test_a_fetched_study_is_no_case_and_so_no_work_item(room, make_record):
    fetched(room, make_record)
    cases, _ = Casebook(room.database, room.clock).list_cases(scope_of(room.kari), limit=10)
    assert len(cases) == 1
