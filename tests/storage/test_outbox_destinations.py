"""The queue by destination: figures of all workers together, order, pause, replay, cancel."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from casework.errors import Conflict, Invalid, NotFound
from casework.model import Priority
from storage.destinations import Destinations
from storage.outbox import Arrived
from tests.storage.room import Room, open_room


@pytest.fixture
def room(tmp_path: Path, database_server: str) -> Iterator[Room]:
    with open_room(tmp_path, server=database_server) as furnished:
        for title in ("PACS", "VNA"):
            furnished.people.add_ae(title, "hammer", "10.0.0.1", 104)
        yield furnished


@pytest.fixture
def to(room: Room) -> Destinations:
    return Destinations(room.database, room.clock)


def test_a_study_queued_twice_for_a_node_is_one_job(room: Room) -> None:
    first = room.outbox.enqueue_send("1.2.3", "hammer", "PACS")
    assert room.outbox.enqueue_send("1.2.3", "hammer", "PACS", priority=Priority.STAT) == first
    other = room.outbox.enqueue_send("1.2.3", "hammer", "VNA")
    assert other != first
    assert room.outbox.enqueue_send("1.2.3", "bakken", "PACS") not in (first, other)
    (listed,) = room.outbox.listed(destination="PACS", study_uid="1.2.3", state="queued")[1:]
    assert (listed.id, listed.urgency) == (first, 3)


def test_threads_that_queue_the_same_study_at_once_make_one_job(room: Room) -> None:
    start, made = threading.Barrier(4), []

    def queue() -> None:
        start.wait()
        made.append(room.outbox.enqueue_send("1.2.3", "hammer", "PACS"))

    threads = [threading.Thread(target=queue) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    assert len(made) == 4


def test_what_is_urgent_goes_before_what_has_waited_longer(room: Room) -> None:
    for study, priority in (("1.2.1", Priority.ROUTINE), ("1.2.2", Priority.STAT)):
        room.outbox.enqueue_send(study, "hammer", "PACS", priority=priority)
        room.clock.passes(seconds=1)
    first = room.outbox.lease_send(lease_s=60)
    assert first is not None
    assert (first.study_uid, first.urgency) == ("1.2.2", 3)


def test_no_more_jobs_go_to_a_node_at_a_time_than_it_is_set_for(
    room: Room, to: Destinations
) -> None:
    to.set("PACS", most_at_once=2)
    for n in range(6):
        room.outbox.enqueue_send(f"1.2.{n}", "hammer", "PACS")
    room.outbox.enqueue_send("1.2.0", "hammer", "VNA")
    start, taken = threading.Barrier(6), []

    def lease() -> None:
        start.wait()
        taken.append(room.outbox.lease_send(lease_s=60))

    threads = [threading.Thread(target=lease) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(job.destination for job in taken if job) == ["PACS", "PACS", "VNA"]
    done = next(job for job in taken if job and job.destination == "PACS")
    room.outbox.send_done(done.id)
    assert room.outbox.lease_send(lease_s=60) is not None
    assert room.outbox.lease_send(lease_s=60) is None
    room.clock.passes(seconds=61)  # the workers died
    assert room.outbox.lease_send(lease_s=60) is not None


def test_a_paused_node_is_sent_nothing_until_it_is_resumed(room: Room, to: Destinations) -> None:
    room.outbox.enqueue_send("1.2.3", "hammer", "PACS")
    assert to.pause("PACS").paused_at == room.clock.now
    assert room.outbox.lease_send(lease_s=60) is None
    (waiting,) = to.waiting()
    assert (waiting.destination, waiting.queued, waiting.paused_at) == ("PACS", 1, room.clock.now)
    to.resume("PACS")
    assert room.outbox.lease_send(lease_s=60) is not None
    (waiting,) = to.waiting()
    assert (waiting.queued, waiting.under_way) == (0, 1)


def test_what_is_queued_again_while_it_is_sent_goes_on_at_once(room: Room) -> None:
    number = room.outbox.enqueue_send("1.2.3", "hammer", "PACS", series_uids=["1.2.3.1"])
    job = room.outbox.lease_send(lease_s=60)
    assert job is not None
    assert job.series_uids == {"1.2.3.1"}
    assert room.outbox.enqueue_send("1.2.3", "hammer", "PACS", series_uids=["1.2.3.2"]) == number
    room.outbox.note_arrived(number, [Arrived("1.2.3.1.1")])
    assert not room.outbox.send_done(number, asked=job.asked)
    again = room.outbox.lease_send(lease_s=60)
    assert again is not None
    assert (again.series_uids, again.sent) == ({"1.2.3.1", "1.2.3.2"}, {"1.2.3.1.1"})
    assert room.outbox.send_done(number, asked=again.asked)
    assert room.outbox.counts()["done"] == 1


def test_a_study_that_was_sent_goes_anew_when_a_person_sends_it(room: Room) -> None:
    first = room.outbox.enqueue_send("1.2.3", "hammer", "PACS")
    room.outbox.note_arrived(first, [Arrived("1.2.3.1")])
    room.outbox.send_done(first)
    second = room.outbox.enqueue_send("1.2.3", "hammer", "PACS")
    job = room.outbox.lease_send(lease_s=60)
    assert job is not None
    assert (second != first, job.id, job.sent) == (True, second, frozenset())


def test_what_cannot_be_helped_is_given_up_soon_and_replayed_by_destination(
    room: Room, to: Destinations
) -> None:
    to.set("PACS", most_at_once=4)
    numbers = [room.outbox.enqueue_send(f"1.2.{n}", "hammer", "PACS") for n in range(2)]
    for _ in range(3):
        for number in numbers:
            assert room.outbox.lease_send(lease_s=60) is not None
            room.outbox.send_failed(number, "It takes no CT.", is_hopeless=True)
        room.clock.passes(seconds=60)
    room.outbox.note_arrived(numbers[0], [Arrived("1.2.0.1")])
    letters = room.outbox.dead_letters()
    assert [(each.id, each.attempts, each.arrived) for each in letters] == [
        (numbers[0], 3, 1),
        (numbers[1], 3, 0),
    ]
    assert (to.waiting()[0].destination, to.waiting()[0].dead) == ("PACS", 2)
    assert room.outbox.enqueue_send("1.2.0", "hammer", "PACS") == numbers[0]
    assert room.outbox.replay_all("PACS") == 1
    assert room.outbox.replay_all("PACS") == 0
    job = room.outbox.lease_send(lease_s=60)
    assert job is not None
    assert (job.attempts, job.sent) == (1, {"1.2.0.1"})


def test_a_node_has_as_many_attempts_as_it_is_set_for(room: Room, to: Destinations) -> None:
    to.set("PACS", most_attempts=1)
    number = room.outbox.enqueue_send("1.2.3", "hammer", "PACS")
    assert room.outbox.lease_send(lease_s=60) is not None
    room.outbox.send_failed(number, "away")
    assert len(room.outbox.dead_letters()) == 1


def test_a_cancelled_job_is_gone_and_its_worker_is_told(room: Room) -> None:
    number = room.outbox.enqueue_send("1.2.3", "hammer", "PACS")
    room.outbox.lease_send(lease_s=60)
    room.outbox.note_arrived(number, [Arrived("1.2.3.1")])
    assert room.outbox.cancel(number) == "1.2.3"
    assert not room.outbox.note_arrived(number, [Arrived("1.2.3.2")])
    assert not room.outbox.extend_lease(number, lease_s=60)
    assert sum(room.outbox.counts().values()) == 0
    with pytest.raises(NotFound):
        room.outbox.cancel(number)
    room.add_reply_node()
    room.signed()
    reply = next(each for each in room.outbox.listed() if each.kind == "delivery")
    with pytest.raises(Conflict, match="signed reply"):
        room.outbox.cancel(reply.id)


@pytest.mark.parametrize(
    "wrong",
    [
        {"most_at_once": 0},
        {"most_at_once": 99},
        {"form": "jpeg"},
        {"rate_bytes": 1},
        {"commit_wait_s": 1},
        {"most_attempts": 0},
    ],
)
def test_what_no_node_can_be_set_for_is_refused(
    room: Room, to: Destinations, wrong: dict[str, object]
) -> None:
    with pytest.raises(Invalid):
        to.set("PACS", **wrong)
    with pytest.raises(NotFound):
        to.set("NOBODY", most_at_once=2)


def test_settings_go_with_their_node(room: Room, to: Destinations) -> None:
    to.set("PACS", most_at_once=2, asks_commitment=True, form="jpeg-ls", rate_bytes=10_000)
    assert to.set("PACS").form == "jpeg-ls"
    room.people.remove_ae("PACS")
    assert to.of("PACS").most_at_once == 1
    assert to.all() == ()
