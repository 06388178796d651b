"""The queue of storage commitments does alike on every database: asked once, leased, not lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from casework.commitment import Failure, Reference, Result
from casework.delivery import MAX_ATTEMPTS
from casework.errors import Conflict, NoRoom, NotFound
from storage import commitment_requests, commitment_web
from storage.casebook_tables import commitment_items
from storage.commitments import Asked, Commitments
from storage.database import Database
from storage.testing import fresh_database

CT = "1.2.840.10008.5.1.4.1.1.2"
ONE, TWO = Reference(CT, "1.2.1"), Reference(CT, "1.2.2")


@dataclass
class Clock:
    now: datetime = field(default_factory=lambda: datetime(2026, 3, 2, 9, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path, database_server: str) -> Iterator[Database]:
    """Give an empty, migrated database of each kind."""
    with fresh_database(tmp_path, server=database_server) as opened:
        yield opened


@pytest.fixture
def queue(database: Database, clock: Clock) -> Commitments:
    return Commitments(database, clock)


def asked(
    *references: Reference, transaction: str = "1.2.9", ae: str = "CT_1", association: str = ""
) -> Asked:
    return Asked("hammer", ae, association, transaction, references or (ONE, TWO))


def find(queue: Commitments, number: int, *, failed: bool = False) -> None:
    """Decide on every instance of a transaction, without a look at any bytes."""
    values = {"result": Result.COMMITTED, "reason": None}
    if failed:
        values = {"result": Result.FAILED, "reason": int(Failure.NO_SUCH_OBJECT)}
    with queue.database.begin() as conn:
        conn.execute(
            update(commitment_items)
            .where(commitment_items.c.commitment_id == number)
            .values(**values)
        )
    taken = queue.lease_waiting(lease_s=60)
    assert taken is not None
    assert queue.conclude(taken)


def test_request_is_looked_at_by_one_worker_until_its_lease_ends(
    queue: Commitments, clock: Clock
) -> None:
    number = queue.request(asked(), wait_s=60)

    taken = queue.lease_waiting(lease_s=30)
    assert taken is not None
    assert (taken.id, taken.ae_title, taken.transaction_uid) == (number, "CT_1", "1.2.9")
    assert taken.wait_until == clock() + timedelta(seconds=60)
    assert queue.lease_waiting(lease_s=30) is None
    clock.passes(30)
    assert queue.lease_waiting(lease_s=30) is not None


def test_two_workers_never_take_the_same_report(queue: Commitments) -> None:
    for n in range(10):
        find(queue, queue.request(asked(transaction=f"1.2.9.{n}"), wait_s=60))
    taken: list[int] = []

    def work() -> None:
        while (found := queue.lease_report(lease_s=60)) is not None:
            taken.append(found.id)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(taken) == len(set(taken)) == 10


def test_transaction_with_an_open_instance_is_not_judged(queue: Commitments, clock: Clock) -> None:
    queue.request(asked(), wait_s=60)
    taken = queue.lease_waiting(lease_s=60)
    assert taken is not None

    assert not queue.conclude(taken)

    queue.look_again(taken, at=clock() + timedelta(seconds=5))
    assert queue.lease_waiting(lease_s=60) is None
    clock.passes(5)
    assert queue.lease_waiting(lease_s=60) is not None
    assert queue.lease_report(lease_s=60) is None


def test_report_says_what_was_found_in_the_order_asked(queue: Commitments) -> None:
    find(queue, queue.request(asked(TWO, ONE), wait_s=60))
    find(queue, queue.request(asked(ONE, transaction="1.2.10"), wait_s=60), failed=True)

    first, second = (queue.lease_report(lease_s=60) for _ in range(2))
    assert first is not None
    assert second is not None

    assert queue.results(first).committed == (TWO, ONE)
    assert queue.results(second).failed == ((ONE, Failure.NO_SUCH_OBJECT),)


def test_same_request_again_is_one_transaction(queue: Commitments) -> None:
    number = queue.request(asked(association="a1"), wait_s=60)

    assert queue.request(asked(TWO, ONE, association="a2"), wait_s=60) == number
    assert queue.counts()["waiting"] == 1
    assert queue.is_awaited("a2")
    assert not queue.is_awaited("a1")


def test_same_request_after_its_report_is_judged_anew(queue: Commitments) -> None:
    number = queue.request(asked(), wait_s=60)
    find(queue, number, failed=True)
    found = queue.lease_report(lease_s=60)
    assert found is not None
    queue.reported(found)

    assert queue.request(asked(), wait_s=60) == number

    assert queue.counts() == {"waiting": 1, "judged": 0, "reported": 0, "given_up": 0}
    find(queue, number)
    again = queue.lease_report(lease_s=60)
    assert again is not None
    assert (again.attempts, queue.results(again).failed) == (1, ())


def test_other_instances_under_a_used_transaction_uid_are_failed_as_duplicate(
    queue: Commitments,
) -> None:
    first = queue.request(asked(ONE), wait_s=60)

    second = queue.request(asked(TWO), wait_s=60)

    assert second != first
    found = queue.lease_report(lease_s=60)
    assert found is not None
    assert found.id == second
    assert queue.results(found).failed == ((TWO, Failure.DUPLICATE_TRANSACTION),)
    assert queue.counts()["waiting"] == 1, "the first goes on"
    queue.reported(found)
    queue.request(asked(TWO), wait_s=60)
    again = queue.lease_report(lease_s=60)
    assert again is not None
    assert queue.results(again).failed == ((TWO, Failure.DUPLICATE_TRANSACTION),)


def test_transaction_uid_of_another_node_is_another_transaction(queue: Commitments) -> None:
    queue.request(asked(ONE), wait_s=60)
    queue.request(asked(TWO, ae="CT_2"), wait_s=60)

    assert queue.counts()["waiting"] == 2


def test_node_cannot_open_transactions_without_end(
    queue: Commitments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commitment_requests, "MAX_OPEN", 2)
    for n in range(2):
        queue.request(asked(transaction=f"1.2.{n}"), wait_s=60)

    with pytest.raises(NoRoom, match="2 transactions"):
        queue.request(asked(transaction="1.2.3"), wait_s=60)
    queue.request(asked(transaction="1.2.3", ae="CT_2"), wait_s=60)


def test_report_is_left_to_its_association_for_ten_seconds(
    queue: Commitments, clock: Clock
) -> None:
    find(queue, queue.request(asked(association="a1"), wait_s=60))

    assert queue.lease_report(lease_s=60) is None
    assert queue.lease_report_of("a2", lease_s=60) is None
    mine = queue.lease_report_of("a1", lease_s=60)
    assert mine is not None
    clock.passes(11)
    assert queue.lease_report(lease_s=60) is None, "it is under way"
    clock.passes(50)
    assert queue.lease_report(lease_s=60) is not None, "the one who held it is gone"


def test_association_that_ends_leaves_its_reports_to_a_new_one_at_once(
    queue: Commitments,
) -> None:
    find(queue, queue.request(asked(association="a1"), wait_s=60))
    waiting = queue.request(asked(association="a1", transaction="1.2.10"), wait_s=60)

    queue.association_ended("a1")

    assert queue.lease_report(lease_s=60) is not None
    find(queue, waiting)
    assert queue.lease_report(lease_s=60) is not None, "judged later, and at once due"
    assert not queue.is_awaited("a1")


def test_report_that_fails_waits_longer_each_time(queue: Commitments, clock: Clock) -> None:
    find(queue, queue.request(asked(), wait_s=60))
    for wait_s in (5, 10, 20):
        found = queue.lease_report(lease_s=60)
        assert found is not None
        assert queue.failed(found, "CT_1 does not answer.") == "judged"
        clock.passes(wait_s - 1)
        assert queue.lease_report(lease_s=60) is None
        clock.passes(1)
    (listed,) = queue.listed()
    assert (listed.commitment.attempts, listed.commitment.last_error) == (
        3,
        "CT_1 does not answer.",
    )
    assert (listed.instances, listed.committed, listed.failed) == (2, 2, 0)


def test_report_that_keeps_failing_is_given_up_and_can_be_replayed(
    queue: Commitments, clock: Clock
) -> None:
    number = queue.request(asked(), wait_s=60)
    find(queue, number)
    for _ in range(MAX_ATTEMPTS):
        found = queue.lease_report(lease_s=60)
        assert found is not None
        queue.failed(found, "away")
        clock.passes(3600)

    assert queue.counts()["given_up"] == 1
    assert queue.lease_report(lease_s=60) is None
    assert queue.replay(number).state == "judged"
    assert queue.lease_report(lease_s=60) is not None
    with pytest.raises(NotFound, match="given up"):
        queue.replay(number)


def test_report_whose_workers_die_is_given_up_in_the_end(queue: Commitments, clock: Clock) -> None:
    find(queue, queue.request(asked(), wait_s=60))
    for _ in range(MAX_ATTEMPTS):
        assert queue.lease_report(lease_s=60) is not None
        clock.passes(60)

    assert queue.lease_report(lease_s=60) is None
    assert queue.counts()["given_up"] == 1


def test_late_failure_does_not_disturb_who_holds_the_report_by_now(
    queue: Commitments, clock: Clock
) -> None:
    find(queue, queue.request(asked(), wait_s=60))
    late = queue.lease_report(lease_s=60)
    clock.passes(60)
    assert late is not None
    assert queue.lease_report(lease_s=60) is not None

    queue.failed(late, "too late", at_once=True)

    assert queue.lease_report(lease_s=60) is None


def ask_over_web(queue: Commitments, transaction: str = "1.2.9", outline: str = "") -> None:
    commitment_web.ask(
        queue,
        site="hammer",
        transaction_uid=transaction,
        references=(ONE, TWO),
        outline=outline,
        wait_s=60,
    )


def test_request_over_the_web_is_judged_and_waits_to_be_fetched(queue: Commitments) -> None:
    queue.request(asked(), wait_s=60)  # a node may have used the same UID
    ask_over_web(queue, outline="named so")
    number = commitment_web.asked_before(queue, site="hammer", transaction_uid="1.2.9").id
    assert queue.lease_waiting(lease_s=60) is not None  # the node's
    find(queue, number)
    found = commitment_web.asked_before(queue, site="hammer", transaction_uid="1.2.9")
    assert (found.state, found.outline, found.next_attempt_at) == ("reported", "named so", None)
    assert queue.results(found).committed == (ONE, TWO)
    assert queue.lease_report(lease_s=60) is None
    with pytest.raises(NotFound):
        commitment_web.asked_before(queue, site="berg", transaction_uid="1.2.9")


def test_transaction_uid_is_taken_once_over_the_web_by_however_many_at_once(
    queue: Commitments,
) -> None:
    refused: list[Conflict] = []
    begin = threading.Barrier(4)

    def ask() -> None:
        begin.wait(10)
        try:
            ask_over_web(queue)
        except Conflict as error:
            refused.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(refused) == 3
