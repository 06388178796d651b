"""What an operator sees of the outgoing queue and does to it: dead letters, replay, cancel.

Takes no job for a worker; that is `outbox`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update

from casework.errors import Conflict, NotFound
from storage.casebook_tables import jobs, promises, sent_instances
from storage.database import Database
from storage.tables import CURRENT, instances

DELIVERY = "delivery"
SEND = "send"
QUEUED, DONE, DEAD = "queued", "done", "dead"


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
    site: str = ""
    arrived: int = 0  # instances


@dataclass(frozen=True)
class Retry:
    """A job that has failed and will be tried again."""

    id: int
    kind: str
    destination: str
    attempts: int
    last_error: str
    next_attempt_at: datetime


@dataclass(frozen=True)
class Listed:
    """A job of the queue, as it stands now."""

    id: int
    kind: str
    destination: str
    state: str
    study_uid: str
    case_id: str
    site: str
    urgency: int
    attempts: int
    rule: str
    last_error: str
    created_at: datetime
    next_attempt_at: datetime | None
    is_under_way: bool
    arrived: int
    warned: int
    committed: int
    channel: str = ""  # of a reply: by what it goes
    report_version: int | None = None


class OutboxDesk:
    """The outgoing queue of one exchange, as its operator sees it."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

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
        arrived = _count_of_job()
        asked = select(jobs, arrived.label("arrived")).where(jobs.c.state == DEAD)
        with self._database.read() as conn:
            return tuple(
                DeadLetter(
                    id=row.id,
                    kind=row.kind,
                    destination=row.destination,
                    attempts=row.attempts,
                    last_error=row.last_error,
                    case_id=row.case_id or "",
                    study_uid=row.study_uid,
                    site=row.site,
                    arrived=row.arrived,
                )
                for row in conn.execute(asked.order_by(jobs.c.id))
            )

    def listed(
        self, *, destination: str = "", study_uid: str = "", state: str = "", limit: int = 200
    ) -> tuple[Listed, ...]:
        """Return jobs, the newest first: all, or of one destination, study or state."""
        wanted = [
            column == value
            for column, value in (
                (jobs.c.destination, destination),
                (jobs.c.study_uid, study_uid),
                (jobs.c.state, state),
            )
            if value
        ]
        asked = (
            select(
                jobs,
                _count_of_job().label("arrived"),
                _count_of_job(sent_instances.c.warning.is_not(None)).label("warned"),
                _count_of_job(sent_instances.c.committed_at.is_not(None)).label("committed"),
            )
            .where(*wanted)
            .order_by(jobs.c.id.desc())
            .limit(limit)
        )
        now = self._clock()
        names = Listed.__dataclass_fields__.keys() - {"case_id", "is_under_way"}
        with self._database.read() as conn:
            return tuple(
                Listed(
                    **{name: row._mapping[name] for name in names},
                    case_id=row.case_id or "",
                    is_under_way=row.state == QUEUED
                    and row.leased_until is not None
                    and row.leased_until > now,
                )
                for row in conn.execute(asked)
            )

    def missing(self, job_id: int, limit: int = 1000) -> tuple[str, ...]:
        """Return the instances of a job's study that have not arrived, or are not committed to.

        The latter where the receiver has refused a commitment to them.
        """
        with self._database.read() as conn:
            job = conn.execute(
                select(jobs).where(jobs.c.id == job_id, jobs.c.kind == SEND)
            ).one_or_none()
            if job is None:
                raise _no_such_job(job_id)
            there = select(sent_instances.c.sop_instance_uid).where(
                sent_instances.c.job_id == job_id, sent_instances.c.refused.is_(None)
            )
            wanted = [
                instances.c.site == job.site,
                instances.c.study_uid == job.study_uid,
                instances.c.state == CURRENT,
                instances.c.sop_instance_uid.not_in(there),
            ]
            if job.series_uids is not None:
                wanted.append(instances.c.series_uid.in_(job.series_uids))
            asked = select(instances.c.sop_instance_uid).where(*wanted)
            asked = asked.order_by(instances.c.series_uid, instances.c.number, instances.c.pk)
            return tuple(conn.execute(asked.limit(limit)).scalars())

    def replay(self, job_id: int) -> None:
        """Put a job that was given up back in the queue, with all attempts before it.

        Only what has not arrived goes again, and what the receiver would not commit to.
        """
        with self._database.begin() as conn:
            if not _replay(conn, jobs.c.id == job_id, self._clock()):
                raise NotFound(f"No job {job_id} has been given up.", code="no-such-job")

    def replay_all(self, destination: str) -> int:
        """Put all that was given up for a destination back in the queue; return how many."""
        with self._database.begin() as conn:
            return _replay(conn, jobs.c.destination == destination, self._clock())

    def cancel(self, job_id: int) -> str:
        """Take a job that sends a study out of the queue, and return the study.

        What has arrived stays where it is. A worker that is at it stops at the next instance. A
        signed reply is not cancelled: it was promised to who asked.
        """
        with self._database.begin() as conn:
            row = conn.execute(
                select(jobs.c.kind, jobs.c.state, jobs.c.study_uid)
                .where(jobs.c.id == job_id)
                .with_for_update()
            ).one_or_none()
            if row is None or row.state == DONE:
                raise _no_such_job(job_id)
            if row.kind != SEND:
                raise Conflict(
                    f"Job {job_id} delivers a signed reply, which is not cancelled.",
                    code="not-cancelled",
                )
            conn.execute(delete(promises).where(promises.c.job_id == job_id))
            conn.execute(delete(sent_instances).where(sent_instances.c.job_id == job_id))
            conn.execute(delete(jobs).where(jobs.c.id == job_id))
            return str(row.study_uid)

    def counts(self) -> Mapping[str, int]:
        """Return how many jobs are queued, done and given up."""
        with self._database.read() as conn:
            found = conn.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state)).all()
        return {QUEUED: 0, DONE: 0, DEAD: 0} | {row[0]: row[1] for row in found}


def _replay(conn: Connection, wanted: ColumnElement[bool], now: datetime) -> int:
    dead = and_(wanted, jobs.c.state == DEAD)
    of_dead = sent_instances.c.job_id.in_(select(jobs.c.id).where(dead))
    conn.execute(
        update(sent_instances)
        .where(of_dead, sent_instances.c.refused.is_not(None))
        .values(resent=0)
    )
    changed = conn.execute(
        update(jobs)
        .where(dead)
        .values(state=QUEUED, attempts=0, next_attempt_at=now, leased_until=None)
    )
    return changed.rowcount


def _count_of_job(*wanted: ColumnElement[bool]) -> ColumnElement[int]:
    return (
        select(func.count())
        .select_from(sent_instances)
        .where(sent_instances.c.job_id == jobs.c.id, *wanted)
        .scalar_subquery()
    )


def _no_such_job(job_id: int) -> NotFound:
    return NotFound(f"There is no job {job_id} in the queue.", code="no-such-job")
