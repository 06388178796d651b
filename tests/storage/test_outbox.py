"""The outgoing queue: leases, retries, the dead, and what was sent already."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from casework.delivery import MAX_ATTEMPTS
from casework.errors import NotFound
from storage.destinations import Destinations
from storage.outbox import Arrived
from tests.storage.room import EVERYTHING, WORKER, open_room


@pytest.fixture
def room(tmp_path: Path, database_server: str):
    with open_room(tmp_path, server=database_server) as furnished:
        yield furnished


def test_an_empty_queue_gives_nothing(room):
    assert room.outbox.lease_delivery(lease_s=60) is None
    assert room.outbox.lease_send(lease_s=60) is None
    assert room.outbox.counts() == {"queued": 0, "done": 0, "dead": 0}


def test_replies_are_leased_in_order_and_each_once(room):
    case = room.signed()
    first, second = (room.outbox.lease_delivery(lease_s=60) for _ in range(2))
    assert [d.channel for d in (first, second)] == ["inbox", "study"]
    assert (first.case_id, first.report_version, first.attempts) == (case.id, 1, 1)
    assert room.outbox.lease_delivery(lease_s=60) is None


def test_two_versions_of_a_reply_never_go_to_one_place_at_the_same_time(room):
    case = room.signed()
    room.casebook.addend(room.elle, case.id, {"impression": "More."})
    taken = [room.outbox.lease_delivery(lease_s=60) for _ in range(2)]
    assert [(d.channel, d.report_version) for d in taken] == [("inbox", 1), ("study", 1)]
    assert room.outbox.lease_delivery(lease_s=60) is None
    room.casebook.delivered(taken[1].id, actor=WORKER)
    second = room.outbox.lease_delivery(lease_s=60)
    assert (second.channel, second.report_version) == ("study", 2)
    room.clock.passes(seconds=61)  # who had the first one is gone
    assert room.outbox.lease_delivery(lease_s=60).report_version == 1


def test_a_lease_that_ends_gives_the_job_to_the_next_worker(room):
    job = room.outbox.enqueue_send("1.2.3", "hammer", "PACS")
    assert room.outbox.lease_send(lease_s=60).attempts == 1
    room.clock.passes(seconds=59)
    assert room.outbox.lease_send(lease_s=60) is None
    room.outbox.extend_lease(job, lease_s=60)
    room.clock.passes(seconds=59)
    assert room.outbox.lease_send(lease_s=60) is None
    room.clock.passes(seconds=1)
    assert room.outbox.lease_send(lease_s=60).attempts == 2


def test_a_failure_waits_before_the_next_attempt(room):
    job = room.outbox.enqueue_send("1.2.3", "hammer", "PACS")
    for wait_s in (5, 10, 20):
        assert room.outbox.lease_send(lease_s=60).id == job
        room.outbox.send_failed(job, "PACS does not answer.")
        room.clock.passes(seconds=wait_s - 1)
        assert room.outbox.lease_send(lease_s=60) is None
        room.clock.passes(seconds=1)
    assert room.outbox.lease_send(lease_s=60).attempts == 4


def test_a_job_that_keeps_failing_waits_for_a_person(room):
    job = room.outbox.enqueue_send("1.2.3", "hammer", "PACS")
    for _ in range(MAX_ATTEMPTS):
        assert room.outbox.lease_send(lease_s=60) is not None
        room.outbox.send_failed(job, "x" * 2000)
        room.clock.passes(hours=1)
    assert room.outbox.lease_send(lease_s=60) is None
    (letter,) = room.outbox.dead_letters()
    assert (letter.id, letter.kind, letter.destination) == (job, "send", "PACS")
    assert (letter.attempts, letter.study_uid) == (MAX_ATTEMPTS, "1.2.3")
    assert letter.last_error == "x" * 500
    assert room.outbox.counts() == {"queued": 0, "done": 0, "dead": 1}
    room.outbox.replay(job)
    assert room.outbox.lease_send(lease_s=60).attempts == 1
    assert room.outbox.dead_letters() == ()
    with pytest.raises(NotFound):
        room.outbox.replay(job)


def test_a_job_that_workers_die_of_is_given_up(room):
    room.outbox.enqueue_send("1.2.3", "hammer", "PACS")
    for _ in range(MAX_ATTEMPTS):
        assert room.outbox.lease_send(lease_s=60) is not None
        room.clock.passes(seconds=60)
    assert room.outbox.lease_send(lease_s=60) is None
    assert len(room.outbox.dead_letters()) == 1


def test_a_send_goes_on_after_what_has_arrived(room):
    job = room.outbox.enqueue_send("1.2.3", "hammer", "PACS")
    assert room.outbox.lease_send(lease_s=60).sent == frozenset()
    for uid in ("1.2.3.1", "1.2.3.2", "1.2.3.2"):
        room.outbox.note_arrived(job, [Arrived(uid)])
    room.outbox.send_failed(job, "PACS went away.")
    room.clock.passes(seconds=5)
    again = room.outbox.lease_send(lease_s=60)
    assert again.sent == {"1.2.3.1", "1.2.3.2"}
    assert (again.study_uid, again.site, again.destination) == ("1.2.3", "hammer", "PACS")
    room.outbox.send_done(job)
    room.outbox.send_failed(job, "too late to fail")
    assert room.outbox.counts() == {"queued": 0, "done": 1, "dead": 0}


def test_a_reply_that_failed_says_why_until_it_is_done(room):
    case = room.signed()
    leased = room.outbox.lease_delivery(lease_s=60)
    room.outbox.delivery_failed(leased.id, "The node does not answer.")
    shown = room.casebook.dossier(EVERYTHING, case.id).deliveries[0]
    assert (shown.state, shown.attempts) == ("queued", 1)
    assert shown.last_error == "The node does not answer."
    assert shown.next_attempt_at == room.clock.now + timedelta(seconds=5)
    room.casebook.delivered(leased.id, actor=WORKER)
    done = room.casebook.dossier(EVERYTHING, case.id).deliveries[0]
    assert (done.state, done.last_error, done.done_at) == ("done", "", room.clock.now)


def test_workers_that_lease_at_once_take_different_jobs(room):
    room.people.add_ae("PACS", "hammer", "10.0.0.1", 104)
    Destinations(room.database, room.clock).set("PACS", most_at_once=8)
    made = {room.outbox.enqueue_send(f"1.2.{n}", "hammer", "PACS") for n in range(8)}
    start, taken = threading.Barrier(8), []

    def lease():
        start.wait()
        taken.append(room.outbox.lease_send(lease_s=60).id)

    threads = [threading.Thread(target=lease) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(taken) == made
    assert len(taken) == 8


def test_a_worker_that_lost_its_lease_does_not_put_the_job_back(room):
    job = room.outbox.enqueue_send("1.2.3", "hammer", "PACS")
    slow = room.outbox.lease_send(lease_s=60)
    room.clock.passes(seconds=60)
    second = room.outbox.lease_send(lease_s=60)
    room.outbox.send_failed(job, "PACS does not answer.", attempt=slow.attempts)
    room.clock.passes(seconds=59)
    assert room.outbox.lease_send(lease_s=60) is None  # the second worker has it still
    room.outbox.send_failed(job, "PACS does not answer.", attempt=second.attempts)
    room.clock.passes(seconds=10)
    assert room.outbox.lease_send(lease_s=60).attempts == 3


def test_a_node_that_is_to_be_avoided_is_passed_over(room):
    for to in ("PACS", "VNA"):
        room.outbox.enqueue_send("1.2.3", "hammer", to)
    assert room.outbox.lease_send(lease_s=60, avoiding={"PACS"}).destination == "VNA"
    assert room.outbox.lease_send(lease_s=60, avoiding={"PACS"}) is None
    assert room.outbox.lease_send(lease_s=60).destination == "PACS"
