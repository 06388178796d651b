"""Commitments that we ask for: due once a study has gone, over restarts, answered or given up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from casework.access import Scope
from casework.commitment import Reference
from storage.destinations import Destinations
from storage.erasing_rows import forget_studies
from storage.outbox import Arrived
from storage.promises import MOST_ASKS, Promise, Promises
from tests.storage.conftest import CT, MakeRecord
from tests.storage.room import Room, open_room

ALL = Scope(sites=None, specialties=None, own_site="")
UIDS = ("1.2.3.1", "1.2.3.2")


@pytest.fixture
def room(tmp_path: Path, database_server: str, make_record: MakeRecord) -> Iterator[Room]:
    with open_room(tmp_path, server=database_server) as furnished:
        furnished.people.add_ae("VNA", "nordlys", "10.0.0.1", 104)
        to = Destinations(furnished.database, furnished.clock)
        to.set("VNA", asks_commitment=True, commit_wait_s=100, most_attempts=2)
        furnished.arrive(*(make_record(SOPInstanceUID=uid) for uid in UIDS))
        yield furnished


@pytest.fixture
def promises(room: Room) -> Promises:
    return Promises(room.database, room.clock)


def sent(room: Room, *uids: str) -> int:
    """Send these instances by the job that is due, or by a new one."""
    job = room.outbox.lease_send(lease_s=60)
    if job is None:
        room.outbox.enqueue_send("1.2.3", "hammer", "VNA")
        job = room.outbox.lease_send(lease_s=60)
    assert job is not None
    pks = {uid: room.index.instance(ALL, uid).pk for uid in uids}
    room.outbox.note_arrived(job.id, [Arrived(uid, CT, pks[uid]) for uid in uids], to="VNA")
    room.outbox.send_done(job.id, asked=job.asked)
    return job.id


def asked(promises: Promises) -> Promise:
    promise = promises.lease_due(lease_s=60)
    assert promise is not None
    promises.begin(promise)
    promises.asked(promise)
    return promise


def refs(*uids: str) -> list[Reference]:
    return [Reference(CT, uid) for uid in uids]


def test_a_study_that_was_sent_is_asked_for_and_committed_to(
    room: Room, promises: Promises
) -> None:
    job = sent(room, *UIDS)
    assert promises.counts() == {"awaited": 2, "given_up": 0}
    promise = asked(promises)
    assert promise.references == tuple(refs(*UIDS))
    assert promises.lease_due(lease_s=60) is None
    again = Promises(room.database, room.clock)  # after a restart
    assert not again.report("OTHER", promise.transaction_uid, committed=refs(*UIDS), failed=[])
    assert not again.report("VNA", "1.2.404", committed=refs(*UIDS), failed=[])
    for _ in range(2):  # once more is harmless
        assert again.report("VNA", promise.transaction_uid, committed=refs(*UIDS), failed=[])
    assert promises.counts() == {"awaited": 0, "given_up": 0}
    (listed,) = room.outbox.listed()
    assert (listed.id, listed.state, listed.arrived, listed.committed) == (job, "done", 2, 2)
    lines = [line for line in room.index.custody(ALL, UIDS[0]) if line.event == "committed-by"]
    assert [line.detail["by"] for line in lines] == ["VNA"]


def test_a_node_that_is_not_to_be_asked_is_not_asked(room: Room, promises: Promises) -> None:
    Destinations(room.database, room.clock).set("VNA", asks_commitment=False)
    sent(room, *UIDS)
    assert promises.lease_due(lease_s=60) is None


def test_what_is_not_committed_to_goes_once_more_and_then_to_a_person(
    room: Room, promises: Promises
) -> None:
    sent(room, *UIDS)
    first = asked(promises)
    refused = [(Reference(CT, UIDS[1]), 0x0112)]
    promises.report("VNA", first.transaction_uid, committed=refs(UIDS[0]), failed=refused)
    (listed,) = room.outbox.listed()
    assert (listed.state, listed.committed) == ("queued", 1)
    assert "does not commit to 1 of 2" in listed.last_error
    assert room.outbox.missing(listed.id) == (UIDS[1],)
    job = room.outbox.lease_send(lease_s=60)
    assert job is not None
    assert job.sent == {UIDS[0]}
    room.outbox.note_arrived(job.id, [Arrived(UIDS[1], CT)], to="VNA")
    room.outbox.send_done(job.id, asked=job.asked)
    second = asked(promises)
    assert second.references == tuple(refs(UIDS[1]))
    promises.report("VNA", second.transaction_uid, committed=[], failed=refused)
    (letter,) = room.outbox.dead_letters()
    assert "it has no such object" in letter.last_error
    assert "sent twice" in letter.last_error
    room.outbox.replay(letter.id)
    job = room.outbox.lease_send(lease_s=60)
    assert job is not None
    assert job.sent == {UIDS[0]}


def test_a_report_that_leaves_an_instance_out_does_not_commit_to_it(
    room: Room, promises: Promises
) -> None:
    sent(room, *UIDS)
    promise = asked(promises)
    promises.report("VNA", promise.transaction_uid, committed=refs(UIDS[0], "1.2.404"), failed=[])
    assert room.outbox.listed()[0].committed == 1
    assert room.outbox.listed()[0].state == "queued"


def test_a_node_that_never_reports_is_asked_anew_and_then_told_of(
    room: Room, promises: Promises
) -> None:
    sent(room, *UIDS)
    transactions = set()
    for _ in range(MOST_ASKS):
        transactions.add(asked(promises).transaction_uid)
        assert promises.look_overdue() == 0
        room.clock.passes(seconds=101)
        assert promises.look_overdue() == 1
    assert len(transactions) == MOST_ASKS
    (letter,) = room.outbox.dead_letters()
    assert "has not reported on it, 3 times. All has arrived" in letter.last_error
    assert promises.counts() == {"awaited": 0, "given_up": 3}
    room.outbox.replay(letter.id)
    sent(room)
    assert asked(promises).references == tuple(refs(*UIDS))


def test_a_late_report_still_counts(room: Room, promises: Promises) -> None:
    sent(room, *UIDS)
    promise = asked(promises)
    room.clock.passes(seconds=101)
    promises.look_overdue()
    assert promises.report("VNA", promise.transaction_uid, committed=[], failed=[])
    assert promises.counts()["awaited"] == 2  # they belong to the new request by now


def test_a_request_that_is_not_taken_is_tried_again_and_given_up(
    room: Room, promises: Promises
) -> None:
    sent(room, *UIDS)
    for attempt in (1, 2):
        promise = promises.lease_due(lease_s=60)
        assert promise is not None
        assert promise.attempts == attempt
        promises.begin(promise)
        promises.failed(promise, "VNA does not answer.")
        room.clock.passes(seconds=60)
    assert promises.lease_due(lease_s=60) is None
    assert room.outbox.dead_letters()[0].last_error == "VNA does not answer."


def test_a_worker_that_died_while_asking_leaves_it_to_the_wait(
    room: Room, promises: Promises
) -> None:
    sent(room, *UIDS)
    assert promises.lease_due(lease_s=60) is not None  # and is gone
    assert promises.lease_due(lease_s=60) is None
    room.clock.passes(seconds=61)
    promise = promises.lease_due(lease_s=60)
    assert promise is not None
    assert promise.attempts == 2


def test_a_paused_node_is_not_asked(room: Room, promises: Promises) -> None:
    sent(room, *UIDS)
    Destinations(room.database, room.clock).pause("VNA")
    assert promises.lease_due(lease_s=60) is None


def test_an_erased_study_leaves_no_promise_and_no_job(room: Room, promises: Promises) -> None:
    sent(room, *UIDS)
    with room.database.begin() as conn:
        forget_studies(conn, [("hammer", "1.2.3")])
    assert promises.lease_due(lease_s=60) is None
    assert room.outbox.listed() == ()
    assert promises.counts() == {"awaited": 0, "given_up": 0}
