"""The queue of what goes out: replies to their destinations, studies to other nodes.

A worker leases a job for a while, does it and says so. One that dies in the middle loses the lease,
and the job is tried again; what is done twice must be harmless. Retry times are decided by
`casework.delivery`. Knows neither DICOM nor who may send what.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, or_, select, update

from casework.custody import CustodyEvent
from casework.delivery import MAX_ATTEMPTS, next_attempt
from casework.errors import NotFound
from casework.model import Delivery
from storage.casebook_tables import jobs, sent_instances
from storage.custodian import Line, write_to_staying
from storage.database import Database, insert_if_absent

DELIVERY = "delivery"
SEND = "send"
QUEUED, DONE, DEAD = "queued", "done", "dead"

_MAX_ERROR = 500


@dataclass(frozen=True)
class SendJob:
    """A study on its way to a node, with the instances that have arrived there already."""

    id: int
    study_uid: str
    site: str
    destination: str  # AE title
    attempts: int
    sent: frozenset[str]


@dataclass(frozen=True)
class DeadLetter:
    """A job that was given up and waits for a person."""

    id: int
    kind: str
    destination: str
    attempts: int
    last_error: str
    case_id: str
    study_uid: str


@dataclass(frozen=True)
class Retry:
    """A job that has failed and will be tried again."""

    id: int
    kind: str
    destination: str
    attempts: int
    last_error: str
    next_attempt_at: datetime


class Outbox:
    """The outgoing queue of one exchange."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def enqueue_send(self, study_uid: str, site: str, to_ae: str) -> int:
        """Queue a study for a node and return the number of the job."""
        now = self._clock()
        with self._database.begin() as conn:
            made = conn.execute(
                insert(jobs)
                .values(
                    kind=SEND,
                    study_uid=study_uid,
                    site=site,
                    destination=to_ae,
                    state=QUEUED,
                    created_at=now,
                    next_attempt_at=now,
                )
                .returning(jobs.c.id)
            )
            job_id: int = made.scalar_one()
        return job_id

    def lease_delivery(self, *, lease_s: float, avoiding: Collection[str] = ()) -> Delivery | None:
        """Take the next reply that is due for `lease_s` seconds, or None; to none of these."""
        if not self._is_due(DELIVERY, avoiding):
            return None
        with self._database.begin() as conn:
            row = self._lease(conn, DELIVERY, lease_s, avoiding)
            return None if row is None else as_delivery(row)

    def lease_send(self, *, lease_s: float, avoiding: Collection[str] = ()) -> SendJob | None:
        """Take the next study that is due for `lease_s` seconds, or None; to none of these."""
        if not self._is_due(SEND, avoiding):
            return None
        with self._database.begin() as conn:
            row = self._lease(conn, SEND, lease_s, avoiding)
            if row is None:
                return None
            sent = select(sent_instances.c.sop_instance_uid).where(
                sent_instances.c.job_id == row.id
            )
            return SendJob(
                id=row.id,
                study_uid=row.study_uid,
                site=row.site,
                destination=row.destination,
                attempts=row.attempts,
                sent=frozenset(conn.execute(sent).scalars()),
            )

    def extend_lease(self, job_id: int, *, lease_s: float) -> None:
        """Keep a job for `lease_s` seconds more, while it goes on."""
        until = self._clock() + timedelta(seconds=lease_s)
        with self._database.begin() as conn:
            conn.execute(
                update(jobs)
                .where(jobs.c.id == job_id, jobs.c.state == QUEUED)
                .values(leased_until=until)
            )

    def note_sent(
        self, job_id: int, sop_instance_uid: str, *, instance_pk: int | None = None, to: str = ""
    ) -> None:
        """Note that an instance has arrived, so that a later attempt goes on after it.

        Its custody says so too, when its row in the index is given.
        """
        now = self._clock()
        row = {"job_id": job_id, "sop_instance_uid": sop_instance_uid, "at": now}
        with self._database.begin() as conn:
            insert_if_absent(conn, sent_instances, [row])
            if instance_pk is not None:
                detail = {"to": to, "job": job_id}
                line = Line(instance_pk, CustodyEvent.SENT, now, detail)
                write_to_staying(conn, [line])

    def send_done(self, job_id: int) -> None:
        """Note that a whole study has arrived."""
        with self._database.begin() as conn:
            finish(conn, job_id, now=self._clock())

    def send_failed(self, job_id: int, error: str, *, attempt: int | None = None) -> None:
        """Put a study back in the queue for later, or give it up."""
        self._failed(job_id, error, attempt)

    def delivery_failed(self, delivery_id: int, error: str, *, attempt: int | None = None) -> None:
        """Put a reply back in the queue for later, or give it up.

        With the attempt that failed, nothing is changed when another has begun since.
        """
        self._failed(delivery_id, error, attempt)

    def retries(self, limit: int = 50) -> tuple[Retry, ...]:
        """Return jobs that have failed and will be tried again, the next one first."""
        columns = [jobs.c[name] for name in Retry.__dataclass_fields__]
        asked = (
            select(*columns)
            .where(jobs.c.state == QUEUED, jobs.c.last_error != "")
            .order_by(jobs.c.next_attempt_at, jobs.c.id)
            .limit(limit)
        )
        with self._database.read() as conn:
            return tuple(Retry(**row._mapping) for row in conn.execute(asked))

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Return the jobs that were given up, oldest first."""
        with self._database.read() as conn:
            rows = conn.execute(select(jobs).where(jobs.c.state == DEAD).order_by(jobs.c.id))
            return tuple(
                DeadLetter(
                    id=row.id,
                    kind=row.kind,
                    destination=row.destination,
                    attempts=row.attempts,
                    last_error=row.last_error,
                    case_id=row.case_id or "",
                    study_uid=row.study_uid,
                )
                for row in rows
            )

    def replay(self, job_id: int) -> None:
        """Put a job that was given up back in the queue, with all attempts before it."""
        with self._database.begin() as conn:
            changed = conn.execute(
                update(jobs)
                .where(jobs.c.id == job_id, jobs.c.state == DEAD)
                .values(state=QUEUED, attempts=0, next_attempt_at=self._clock(), leased_until=None)
            )
        if not changed.rowcount:
            raise NotFound(f"No job {job_id} has been given up.", code="no-such-job")

    def counts(self) -> Mapping[str, int]:
        """Return how many jobs are queued, done and given up."""
        with self._database.read() as conn:
            found = conn.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state)).all()
        return {QUEUED: 0, DONE: 0, DEAD: 0} | {row[0]: row[1] for row in found}

    def _is_due(self, kind: str, avoiding: Collection[str]) -> bool:
        """Look before taking, so that an idle worker does not stand in the writers' way."""
        with self._database.read() as conn:
            return conn.execute(_due(kind, self._clock(), avoiding)).first() is not None

    def _lease(
        self, conn: Connection, kind: str, lease_s: float, avoiding: Collection[str]
    ) -> Row[*tuple[Any, ...]] | None:
        """Take the job that has waited longest; one that workers died of too often is given up."""
        now = self._clock()
        while True:
            due = _due(kind, now, avoiding).with_for_update(skip_locked=True)
            found = conn.execute(due).one_or_none()
            if found is None:
                return None
            if found.attempts >= MAX_ATTEMPTS:
                _give_up(conn, found.id)
                continue
            taken = (
                update(jobs)
                .where(jobs.c.id == found.id)
                .values(attempts=jobs.c.attempts + 1, leased_until=now + timedelta(seconds=lease_s))
                .returning(jobs)
            )
            return conn.execute(taken).one()

    def _failed(self, job_id: int, error: str, attempt: int | None) -> None:
        with self._database.begin() as conn:
            attempts = conn.execute(
                select(jobs.c.attempts).where(jobs.c.id == job_id, jobs.c.state == QUEUED)
            ).scalar()
            if attempts is None or attempt not in (None, attempts):
                return  # it is done, or the lease was lost to another
            again = next_attempt(attempts, now=self._clock())
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


def enqueue_delivery(
    conn: Connection,
    *,
    case_id: str,
    report_version: int,
    channel: str,
    site: str,
    destination: str,
    now: datetime,
) -> None:
    """Queue a reply for one destination, in the transaction that signs it."""
    conn.execute(
        insert(jobs).values(
            kind=DELIVERY,
            case_id=case_id,
            report_version=report_version,
            channel=channel,
            site=site,
            destination=destination,
            state=QUEUED,
            created_at=now,
            next_attempt_at=now,
        )
    )


def finish(conn: Connection, job_id: int, *, now: datetime) -> bool:
    """Note that a job is done; tell whether it was not before."""
    changed = conn.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state != DONE)
        .values(state=DONE, done_at=now, next_attempt_at=None, leased_until=None, last_error="")
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
    )


def _due(kind: str, now: datetime, avoiding: Collection[str]) -> Select[int, int]:
    """Return the query for the job that has waited longest and that nobody holds."""
    return (
        select(jobs.c.id, jobs.c.attempts)
        .where(
            jobs.c.kind == kind,
            jobs.c.state == QUEUED,
            jobs.c.next_attempt_at <= now,
            jobs.c.destination.not_in(sorted(avoiding)),
            or_(jobs.c.leased_until.is_(None), jobs.c.leased_until <= now),
        )
        .order_by(jobs.c.next_attempt_at, jobs.c.id)
        .limit(1)
    )


def _give_up(conn: Connection, job_id: int) -> None:
    conn.execute(
        update(jobs)
        .where(jobs.c.id == job_id)
        .values(state=DEAD, next_attempt_at=None, leased_until=None)
    )
