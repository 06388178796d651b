"""Rules that are kept, tried against recent studies, and have studies queued as they change."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from casework.errors import Conflict, Invalid, NotFound
from casework.model import Priority
from casework.routing import Conditions, Rule, Trigger, Window, Within, read_time
from storage.casebook_tables import jobs
from storage.outbox import Arrived
from storage.routing import Routing
from storage.tables import instances, studies
from tests.storage.conftest import MakeRecord
from tests.storage.room import Room, open_room

RULE = Rule("to the archive", "VNA")


@pytest.fixture
def room(tmp_path: Path, database_server: str) -> Iterator[Room]:
    with open_room(tmp_path, server=database_server) as furnished:
        for title, site in (("VNA", "nordlys"), ("CT_1", "hammer"), ("OWN", "hammer")):
            furnished.people.add_ae(title, site, "10.0.0.1", 104)
        furnished.people.add_ae("MUTE", "nordlys")
        yield furnished


@pytest.fixture
def routing(room: Room) -> Routing:
    return Routing(room.database, room.clock)


class Arriving:
    """Lets instances of studies come in now, and studies become whole."""

    def __init__(self, room: Room, make: MakeRecord) -> None:
        self._room = room
        self._make = make

    def __call__(self, *uids: str, study: str = "1.2.3", **more: Any) -> None:
        for uid in uids:
            record = self._make(
                SOPInstanceUID=uid, StudyInstanceUID=study, received_at=self._room.clock.now,
                **({"SeriesInstanceUID": f"{study}.1"} | more),
            )  # fmt: skip
            self._room.arrive(record)

    def become(self, state: str, study: str = "1.2.3") -> None:
        with self._room.database.begin() as conn:
            conn.execute(
                update(studies).where(studies.c.study_uid == study).values(completeness=state)
            )

    def packed(self, series: str) -> None:
        with self._room.database.begin() as conn:
            conn.execute(
                update(instances).where(instances.c.series_uid == series).values(location="pack")
            )


@pytest.fixture
def arriving(room: Room, make_record: MakeRecord) -> Arriving:
    return Arriving(room, make_record)


def queued(room: Room) -> list[tuple[str, str, str]]:
    return [(e.study_uid, e.destination, e.state) for e in reversed(room.outbox.listed())]


def send(room: Room, *uids: str) -> None:
    """Do the one job that is due."""
    job = room.outbox.lease_send(lease_s=60)
    assert job is not None
    for uid in uids:
        room.outbox.note_arrived(job.id, [Arrived(uid)])
    assert room.outbox.send_done(job.id, asked=job.asked)


def test_a_whole_study_is_queued_once(room: Room, routing: Routing, arriving: Arriving) -> None:
    arriving("1.2.9.1", study="1.2.9")
    arriving.become("complete", "1.2.9")
    room.clock.passes(seconds=1)
    routing.add(replace(RULE, priority=Priority.STAT), by="user:1")
    arriving("1.2.3.1", "1.2.3.2")
    assert not routing.run_once()
    arriving.become("presumed")
    assert routing.run_once()
    assert not routing.run_once()
    assert queued(room) == [("1.2.3", "VNA", "queued")]  # what came before the rule is not
    (job,) = room.outbox.listed()
    assert (job.urgency, job.rule) == (3, "to the archive")


def test_what_comes_after_a_study_was_routed_goes_too_once(
    room: Room, routing: Routing, arriving: Arriving
) -> None:
    routing.add(RULE, by="user:1")
    arriving("1.2.3.1")
    arriving.become("complete")
    routing.run_once()
    send(room, "1.2.3.1")
    assert not routing.run_once()
    arriving("1.2.3.2")
    arriving.become("complete")
    assert routing.run_once()
    job = room.outbox.lease_send(lease_s=60)
    assert job is not None
    assert job.sent == {"1.2.3.1"}
    room.outbox.note_arrived(job.id, [Arrived("1.2.3.2")])
    room.outbox.send_done(job.id, asked=job.asked)
    arriving("1.2.3.2")  # the same again
    assert not routing.run_once()
    assert queued(room) == [("1.2.3", "VNA", "done")]


def test_what_comes_while_a_study_is_sent_is_not_missed(
    room: Room, routing: Routing, arriving: Arriving
) -> None:
    routing.add(RULE, by="user:1")
    arriving("1.2.3.1")
    arriving.become("complete")
    routing.run_once()
    job = room.outbox.lease_send(lease_s=60)
    assert job is not None
    arriving("1.2.3.2")
    arriving.become("complete")
    assert routing.run_once()
    room.outbox.note_arrived(job.id, [Arrived("1.2.3.1")])
    assert not room.outbox.send_done(job.id, asked=job.asked)
    again = room.outbox.lease_send(lease_s=60)
    assert again is not None
    assert again.sent == {"1.2.3.1"}


def test_series_go_as_each_of_them_is_packed(
    room: Room, routing: Routing, arriving: Arriving
) -> None:
    routing.add(
        replace(
            RULE,
            trigger=Trigger.SERIES,
            only_matching=True,
            conditions=Conditions(modalities=frozenset({"CT"})),
        ),
        by="user:1",
    )
    arriving("1.2.3.1.1")
    arriving("1.2.3.2.1", SeriesInstanceUID="1.2.3.2")
    arriving("1.2.3.9.1", SeriesInstanceUID="1.2.3.9", Modality="SR")
    assert not routing.run_once()
    arriving.packed("1.2.3.1")
    assert routing.run_once()
    job = room.outbox.lease_send(lease_s=60)
    assert job is not None
    assert job.series_uids == {"1.2.3.1"}
    room.outbox.note_arrived(job.id, [Arrived("1.2.3.1.1")])
    room.outbox.send_done(job.id, asked=job.asked)
    assert not routing.run_once()
    arriving.packed("1.2.3.2")
    arriving.packed("1.2.3.9")
    assert routing.run_once()
    job = room.outbox.lease_send(lease_s=60)
    assert job is not None
    assert (job.series_uids, job.sent) == ({"1.2.3.1", "1.2.3.2"}, {"1.2.3.1.1"})


def test_a_study_never_goes_back(room: Room, routing: Routing, arriving: Arriving) -> None:
    for name, title in (("to its sender", "CT_1"), ("to its site", "OWN")):
        routing.add(replace(RULE, name=name, destination=title), by="user:1")
    routing.add(replace(RULE, name="own", destination="OWN", own_site=True), by="user:1")
    routing.add(replace(RULE, name="back", destination="CT_1", own_site=True), by="user:1")
    arriving("1.2.3.1")
    arriving.become("complete")
    routing.run_once()
    assert queued(room) == [("1.2.3", "OWN", "queued")]


def test_a_rule_that_holds_queues_for_the_night(
    room: Room, routing: Routing, arriving: Arriving
) -> None:
    night = Window(read_time("22:00"), read_time("06:00"))
    routing.add(replace(RULE, within=Within.HOLD, conditions=Conditions(window=night)), by="user:1")
    arriving("1.2.3.1")
    arriving.become("complete")
    assert routing.run_once()
    assert room.outbox.lease_send(lease_s=60) is None
    room.clock.passes(hours=11, minutes=18)  # 22:00 in Oslo
    assert room.outbox.lease_send(lease_s=60) is not None


def test_a_given_up_job_waits_for_its_person_and_then_takes_all(
    room: Room, routing: Routing, arriving: Arriving
) -> None:
    routing.add(RULE, by="user:1")
    arriving("1.2.3.1")
    arriving.become("complete")
    routing.run_once()
    with room.database.begin() as conn:
        conn.execute(update(jobs).values(state="dead", next_attempt_at=None))
    arriving("1.2.3.2")
    arriving.become("complete")
    routing.run_once()
    assert queued(room) == [("1.2.3", "VNA", "dead")]
    room.outbox.replay(room.outbox.dead_letters()[0].id)
    send(room, "1.2.3.1", "1.2.3.2")


def test_a_rule_is_changed_turned_off_and_removed(
    room: Room, routing: Routing, arriving: Arriving
) -> None:
    first = routing.add(RULE, by="user:1")
    second = routing.add(replace(RULE, name="other", destination="OWN"), by="user:1")
    assert [each.rule.position for each in routing.rules()] == [1, 2]
    with pytest.raises(Conflict):
        routing.add(RULE, by="user:1")
    with pytest.raises(Conflict):
        routing.change(second.id, RULE, by="user:1")
    changed = routing.change(first.id, replace(RULE, destination="OWN", own_site=True), by="u")
    assert (changed.rule.destination, changed.changed_by) == ("OWN", "u")
    assert not routing.turn(first.id, on=False, by="user:1").rule.enabled
    assert routing.remove(second.id).name == "other"
    arriving("1.2.3.1")
    arriving.become("complete")
    assert not routing.run_once()
    assert queued(room) == []
    room.clock.passes(seconds=1)
    routing.turn(first.id, on=True, by="user:1")
    assert not routing.run_once()  # it came while the rule was off
    for number in (second.id, 404):
        with pytest.raises(NotFound):
            routing.remove(number)


@pytest.mark.parametrize(("title", "told"), [("NOBODY", "no node"), ("MUTE", "no address")])
def test_a_rule_to_where_nothing_can_be_sent_is_refused(
    routing: Routing, title: str, told: str
) -> None:
    rule = replace(RULE, destination=title)
    for verb in (routing.test, lambda rule: routing.add(rule, by="user:1")):
        with pytest.raises(Invalid, match=told):
            verb(rule)


def test_a_node_that_was_taken_out_leaves_its_rule_without_effect(
    room: Room, routing: Routing, arriving: Arriving
) -> None:
    routing.add(RULE, by="user:1")
    room.people.remove_ae("VNA")
    arriving("1.2.3.1")
    arriving.become("complete")
    assert not routing.run_once()


def test_trying_a_rule_shows_what_it_takes_and_why_not_and_changes_nothing(
    room: Room, routing: Routing, arriving: Arriving
) -> None:
    arriving("1.2.1.1", study="1.2.1")
    room.clock.passes(days=31)
    arriving("1.2.3.1")
    arriving("1.2.4.1", study="1.2.4", Modality="MR")
    rule = replace(RULE, conditions=Conditions(modalities=frozenset({"MR"})))
    tried = routing.test(rule)
    assert [(t.study.study_uid, t.decision.taken) for t in tried] == [
        ("1.2.4", True),
        ("1.2.3", False),
    ]
    assert tried[1].decision.reasons == ("none of its series is MR",)
    assert routing.rules() == ()
    assert queued(room) == []
    assert len(routing.test(rule, studies_at_most=1)) == 1
    assert len(routing.test(rule, days=60)) == 3


def test_many_studies_are_looked_at_in_parts(
    room: Room, routing: Routing, arriving: Arriving
) -> None:
    routing.add(RULE, by="user:1")
    room.clock.passes(seconds=1)
    for n in range(60):
        arriving(f"1.2.50.{n}.1", study=f"1.2.50.{n}")
    with room.database.begin() as conn:
        conn.execute(update(studies).values(completeness="complete"))
    assert routing.run_once()
    assert room.outbox.counts()["queued"] == 60
    assert not routing.run_once()


def test_workers_that_look_at_once_queue_each_study_once(
    room: Room, routing: Routing, arriving: Arriving
) -> None:
    routing.add(RULE, by="user:1")
    for n in range(20):
        arriving(f"1.2.60.{n}.1", study=f"1.2.60.{n}")
    with room.database.begin() as conn:
        conn.execute(update(studies).values(completeness="complete"))
    start = threading.Barrier(3)

    def look() -> None:
        start.wait()
        Routing(room.database, room.clock).run_once()

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    routing.run_once()  # what two held for each other
    listed = room.outbox.listed()
    assert sorted(each.study_uid for each in listed) == sorted(f"1.2.60.{n}" for n in range(20))


def test_old_studies_are_not_walked_for_a_new_rule(room: Room, routing: Routing) -> None:
    room.clock.passes(seconds=1)
    with room.database.read() as conn:
        if conn.dialect.name != "sqlite":
            return
        plan = "\n".join(
            str(row)
            for row in conn.exec_driver_sql(
                "EXPLAIN QUERY PLAN SELECT pk FROM studies WHERE (routed_instances <> "
                "instance_count OR routed_as <> completeness) AND last_received_at >= '2026' "
                "AND instance_count > 0 ORDER BY last_received_at, pk LIMIT 10"
            )
        )
    assert "ix_studies_to_route" in plan
