"""The queue of what goes out: replies to their destinations, studies to other nodes.

A worker leases a job for a while, does it and says so. One that dies in the middle loses the lease,
and the job is tried again; what is done twice must be harmless. To no node go more jobs at a time,
of all workers together, than its settings say. Retry times are decided by `casework.delivery`.
Knows neither DICOM nor who may send what.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    and_,
    func,
    or_,
    select,
    update,
)

from casework.custody import CustodyEvent
from casework.delivery import HOPELESS_ATTEMPTS, MAX_ATTEMPTS, next_attempt
from casework.model import Delivery, Priority
from casework.routing import URGENCY
from storage.casebook_tables import destinations, jobs, sent_instances
from storage.custodian import Line, write_to_staying
from storage.database import chunks, insert_if_absent, take_turns
from storage.destinations import destination_of
from storage.outbox_desk import DEAD, DELIVERY, DONE, QUEUED, SEND, DeadLetter, OutboxDesk, Retry
from storage.outbox_enqueue import Errand, enqueue, enqueue_delivery
from storage.promises import promise_for

__all__ = [
    "DEAD",
    "DELIVERY",
    "DONE",
    "QUEUED",
    "SEND",
    "Arrived",
    "DeadLetter",
    "Errand",
    "Outbox",
    "Retry",
    "SendJob",
    "enqueue",
    "enqueue_delivery",
]

_MAX_ERROR = 500
_Job = TypeVar("_Job")


@dataclass(frozen=True)
class SendJob:
    """A study on its way to a node, with the instances that have arrived there already."""

    id: int
    study_uid: str
    site: str
    destination: str  # AE title
    attempts: int
    sent: frozenset[str]
    series_uids: frozenset[str] | None = None  # None: all of the study
    urgency: int = 0
    asked: int = 1  # how often it was queued, when it was taken


@dataclass(frozen=True)
class Arrived:
    """An instance that a node has taken, with its row in the index and a warning's status."""

    sop_instance_uid: str
    sop_class_uid: str = ""
    instance_pk: int | None = None
    warning: int | None = None


class Outbox(OutboxDesk):
    """The outgoing queue of one exchange."""

    def enqueue_send(
        self,
        study_uid: str,
        site: str,
        to_ae: str,
        *,
        priority: Priority = Priority.ROUTINE,
        series_uids: Collection[str] | None = None,
        not_before: datetime | None = None,
    ) -> int:
        """Queue a study for a node, or some of its series, and return the number of the job.

        One that is queued already, or was given up, is that job again: what has arrived by it does
        not go twice. One that is done goes anew as a whole.
        """
        with self._database.begin() as conn:
            errand = Errand(study_uid, site, to_ae, URGENCY[priority], series_uids, not_before)
            return enqueue(conn, errand, now=self._clock())

    def lease_delivery(self, *, lease_s: float, avoiding: Collection[str] = ()) -> Delivery | None:
        """Take the next reply that is due for `lease_s` seconds, or None; to none of these."""
        return self._leased(DELIVERY, lease_s, avoiding, lambda _conn, row: as_delivery(row))

    def lease_send(self, *, lease_s: float, avoiding: Collection[str] = ()) -> SendJob | None:
        """Take the next study that is due for `lease_s` seconds, or None; to none of these."""
        return self._leased(SEND, lease_s, avoiding, _as_send_job)

    def extend_lease(self, job_id: int, *, lease_s: float) -> bool:
        """Keep a job for `lease_s` seconds more, while it goes on; tell whether it is still one."""
        until = self._clock() + timedelta(seconds=lease_s)
        with self._database.begin() as conn:
            return bool(
                conn.execute(
                    update(jobs)
                    .where(jobs.c.id == job_id, jobs.c.state == QUEUED)
                    .values(leased_until=until)
                ).rowcount
            )

    def note_arrived(
        self, job_id: int, arrived: Sequence[Arrived], *, to: str = "", lease_s: float | None = None
    ) -> bool:
        """Note that instances have arrived, and keep the job for `lease_s` seconds more.

        A later attempt goes on after them; the custody of those whose row in the index is given
        says so, too. Tells whether there is such a job: it may have been cancelled, or its study
        erased.
        """
        now = self._clock()
        with self._database.begin() as conn:
            held = select(jobs.c.id).where(jobs.c.id == job_id).with_for_update()
            if conn.execute(held).first() is None:
                return False
            _note(conn, job_id, arrived, now)
            write_to_staying(conn, list(_lines(job_id, arrived, to, now)))
            if lease_s is not None:
                conn.execute(
                    update(jobs)
                    .where(jobs.c.id == job_id, jobs.c.state == QUEUED)
                    .values(leased_until=now + timedelta(seconds=lease_s))
                )
        return True

    def send_done(self, job_id: int, *, asked: int | None = None) -> bool:
        """Note that all that a job was queued for has arrived; tell whether that is so.

        It is not when more was queued meanwhile than `asked` says: then the job goes on at once.
        Where the node is asked for a storage commitment, that is due now.
        """
        now = self._clock()
        with self._database.begin() as conn:
            if asked is not None and _goes_on(conn, job_id, asked, now):
                return False
            if finish(conn, job_id, now=now):
                promise_for(conn, job_id, now=now)
        return True

    def send_failed(
        self,
        job_id: int,
        error: str,
        *,
        attempt: int | None = None,
        is_hopeless: bool = False,
    ) -> None:
        """Put a study back in the queue for later, or give it up; sooner where nothing can help."""
        self._failed(job_id, error, attempt, is_hopeless=is_hopeless)

    def delivery_failed(self, delivery_id: int, error: str, *, attempt: int | None = None) -> None:
        """Put a reply back in the queue for later, or give it up.

        With the attempt that failed, nothing is changed when another has begun since.
        """
        self._failed(delivery_id, error, attempt)

    def _is_due(self, kind: str, avoiding: Collection[str]) -> bool:
        """Look before taking, so that an idle worker does not stand in the writers' way."""
        with self._database.read() as conn:
            return conn.execute(_due(kind, self._clock(), avoiding)).first() is not None

    def _leased(
        self,
        kind: str,
        lease_s: float,
        avoiding: Collection[str],
        read: Callable[[Connection, Row[*tuple[Any, ...]]], _Job],
    ) -> _Job | None:
        """Take the job that is most urgent and has waited longest.

        One that workers died of too often is given up. The row of its destination is locked while
        its other jobs are counted, so that two workers do not both take the last place; each try
        is a transaction of its own, which locks one destination only.
        """
        now = self._clock()
        passed_over = set(avoiding)
        while self._is_due(kind, passed_over):
            with self._database.begin() as conn:
                due = _due(kind, now, passed_over).with_for_update(skip_locked=True)
                found = conn.execute(due).one_or_none()
                if found is None:
                    return None
                if found.attempts >= _most_attempts(conn, found.destination):
                    _give_up(conn, found.id)
                    continue
                if not _is_alone(conn, found, now) or not _has_room(conn, found, now):
                    passed_over.add(found.destination)
                    continue
                until = now + timedelta(seconds=lease_s)
                taken = (
                    update(jobs)
                    .where(jobs.c.id == found.id)
                    .values(attempts=jobs.c.attempts + 1, leased_until=until)
                    .returning(jobs)
                )
                return read(conn, conn.execute(taken).one())
        return None

    def _failed(
        self, job_id: int, error: str, attempt: int | None, *, is_hopeless: bool = False
    ) -> None:
        with self._database.begin() as conn:
            row = conn.execute(
                select(jobs.c.attempts, jobs.c.destination).where(
                    jobs.c.id == job_id, jobs.c.state == QUEUED
                )
            ).one_or_none()
            if row is None or attempt not in (None, row.attempts):
                return  # it is done, or the lease was lost to another
            most = _most_attempts(conn, row.destination)
            if is_hopeless:
                most = min(most, HOPELESS_ATTEMPTS)
            again = next_attempt(row.attempts, now=self._clock(), most=most)
            conn.execute(
                update(jobs)
                .where(jobs.c.id == job_id)
                .values(
                    state=DEAD if again is None else QUEUED,
                    next_attempt_at=again,
                    leased_until=None,
                    last_error=error[:_MAX_ERROR],
                )
            )


def finish(conn: Connection, job_id: int, *, now: datetime, acknowledgement: str = "") -> bool:
    """Note that a job is done, and what the receiver said; tell whether it was not before."""
    changed = conn.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state != DONE)
        .values(
            state=DONE,
            done_at=now,
            next_attempt_at=None,
            leased_until=None,
            last_error="",
            acknowledgement=acknowledgement,
        )
    )
    return changed.rowcount == 1


def as_delivery(row: Row[*tuple[Any, ...]]) -> Delivery:
    """Return the delivery of a row of `jobs`."""
    return Delivery(
        id=row.id,
        case_id=row.case_id,
        report_version=row.report_version,
        channel=row.channel,
        destination=row.destination,
        state=row.state,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        last_error=row.last_error,
        done_at=row.done_at,
        acknowledgement=row.acknowledgement,
    )


def _as_send_job(conn: Connection, row: Row[*tuple[Any, ...]]) -> SendJob:
    """What was refused a commitment, and has not gone again since, counts as not sent."""
    sent = select(sent_instances.c.sop_instance_uid).where(
        sent_instances.c.job_id == row.id,
        sent_instances.c.refused.is_(None) | (sent_instances.c.resent > 0),
    )
    return SendJob(
        id=row.id,
        study_uid=row.study_uid,
        site=row.site,
        destination=row.destination,
        attempts=row.attempts,
        sent=frozenset(conn.execute(sent).scalars()),
        series_uids=None if row.series_uids is None else frozenset(row.series_uids),
        urgency=row.urgency,
        asked=row.asked,
    )


def _note(conn: Connection, job_id: int, arrived: Sequence[Arrived], now: datetime) -> None:
    """Note what has arrived; what goes a second time, since it was refused, is marked so."""
    of_job = sent_instances.c.job_id == job_id
    refused = select(sent_instances.c.sop_instance_uid).where(
        of_job, sent_instances.c.refused.is_not(None)
    )
    again = set(conn.execute(refused).scalars()) & {each.sop_instance_uid for each in arrived}
    for some in chunks(sorted(again)):
        conn.execute(
            update(sent_instances)
            .where(of_job, sent_instances.c.sop_instance_uid.in_(some))
            .values(refused=None, promise_id=None, resent=sent_instances.c.resent + 1, at=now)
        )
    insert_if_absent(
        conn,
        sent_instances,
        [
            {
                "job_id": job_id,
                "sop_instance_uid": each.sop_instance_uid,
                "sop_class_uid": each.sop_class_uid,
                "warning": each.warning,
                "at": now,
            }
            for each in arrived
        ],
    )


def _goes_on(conn: Connection, job_id: int, asked: int, now: datetime) -> bool:
    """Put a job back at once when it was queued again meanwhile, and tell whether it was."""
    again = (
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == QUEUED, jobs.c.asked > asked)
        .values(attempts=0, next_attempt_at=now, leased_until=None, last_error="")
    )
    return conn.execute(again).rowcount == 1


def _lines(job_id: int, arrived: Sequence[Arrived], to: str, now: datetime) -> Iterable[Line]:
    for each in arrived:
        if each.instance_pk is not None:
            detail: dict[str, Any] = {"to": to, "job": job_id}
            if each.warning is not None:
                detail["warning"] = f"{each.warning:04X}"
            yield Line(each.instance_pk, CustodyEvent.SENT, now, detail)


def _by_ae() -> ColumnElement[bool]:
    """Tell the jobs that open an association from those that are done in the house."""
    return or_(jobs.c.kind == SEND, jobs.c.channel == "ae")


def _beside(at: FromClause, now: datetime) -> ColumnElement[bool]:
    """Tell whether another version of a case's reply is on its way to the same destination.

    They go one after the other, so that a receiver that keeps the last has the newest.
    """
    same = jobs.alias("same")
    return (
        select(same.c.id)
        .where(
            same.c.kind == DELIVERY,
            same.c.case_id == at.c.case_id,
            same.c.channel == at.c.channel,
            same.c.destination == at.c.destination,
            same.c.id != at.c.id,
            same.c.state == QUEUED,
            same.c.leased_until > now,
        )
        .exists()
    )


def _is_alone(conn: Connection, found: Row[*tuple[Any, ...]], now: datetime) -> bool:
    """Look again for another version under way, in turn with those who take one of the case."""
    if found.kind != DELIVERY:
        return True
    take_turns(conn, [f"reply:{found.case_id}:{found.destination}"])
    other = select(jobs.c.id).where(jobs.c.id == found.id, _beside(jobs, now))
    return conn.execute(other).first() is None


def _due(kind: str, now: datetime, avoiding: Collection[str]) -> Select[*tuple[Any, ...]]:
    """Return the query for the most urgent job that nobody holds and whose node has room."""
    other = jobs.alias("other")
    under_way = (
        select(func.count())
        .select_from(other)
        .where(
            other.c.destination == jobs.c.destination,
            other.c.state == QUEUED,
            other.c.leased_until > now,
        )
        .scalar_subquery()
    )
    of_node = destinations.c.title == jobs.c.destination
    most = select(destinations.c.most_at_once).where(of_node).scalar_subquery()
    paused = select(destinations.c.title).where(of_node, destinations.c.paused_at.is_not(None))
    has_room = and_(under_way < func.coalesce(most, 1), ~paused.exists())
    return (
        select(
            jobs.c.id,
            jobs.c.attempts,
            jobs.c.destination,
            jobs.c.kind,
            jobs.c.channel,
            jobs.c.case_id,
        )
        .where(
            jobs.c.kind == kind,
            jobs.c.state == QUEUED,
            jobs.c.next_attempt_at <= now,
            jobs.c.destination.not_in(sorted(avoiding)),
            or_(jobs.c.leased_until.is_(None), jobs.c.leased_until <= now),
            or_(~_by_ae(), has_room),
            or_(jobs.c.kind != DELIVERY, ~_beside(jobs, now)),
        )
        .order_by(jobs.c.urgency.desc(), jobs.c.next_attempt_at, jobs.c.id)
        .limit(1)
    )


def _has_room(conn: Connection, found: Row[*tuple[Any, ...]], now: datetime) -> bool:
    """Count again, with the row of the destination locked."""
    if found.kind != SEND and found.channel != "ae":
        return True
    title = found.destination
    insert_if_absent(conn, destinations, [{"title": title}])
    held = (
        select(destinations.c.most_at_once, destinations.c.paused_at)
        .where(destinations.c.title == title)
        .with_for_update()
    )
    row = conn.execute(held).one()
    if row.paused_at is not None:
        return False
    under_way = select(func.count()).where(
        jobs.c.destination == title, jobs.c.state == QUEUED, jobs.c.leased_until > now
    )
    return bool(conn.execute(under_way).scalar_one() < row.most_at_once)


def _most_attempts(conn: Connection, title: str) -> int:
    return destination_of(conn, title).most_attempts or MAX_ATTEMPTS


def _give_up(conn: Connection, job_id: int) -> None:
    conn.execute(
        update(jobs)
        .where(jobs.c.id == job_id)
        .values(state=DEAD, next_attempt_at=None, leased_until=None)
    )
