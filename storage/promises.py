"""Storage commitments that we ask of other nodes: due, asked, answered or given up, over restarts.

Each is for what one job has sent. What is not committed to goes once more, then a person looks.
Knows no DICOM; what is asked over the wire is `pacs_bridge.commitment_user`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from casework.commitment import Reference
from casework.custody import CustodyEvent
from casework.delivery import MAX_ATTEMPTS, next_attempt
from casework.identifiers import uid_from_uuid
from storage.casebook_tables import destinations, jobs, promises, sent_instances
from storage.custodian import Line, write_to_staying
from storage.database import Database, chunks
from storage.destinations import destination_of
from storage.tables import CURRENT, instances

DUE, ASKED, ANSWERED, GIVEN_UP = "due", "asked", "answered", "given_up"

MOST_ASKS = 3  # of a node that takes the request and never reports
MOST_REFERENCES = 5000  # in one transaction; more go in several
_MAX_ERROR = 500

FAILURE_WORDS: Mapping[int, str] = {
    0x0110: "processing failure",
    0x0112: "it has no such object",
    0x0119: "it has it as another class",
    0x0122: "it does not take that class",
    0x0131: "it knows the transaction already",
    0x0213: "it has no room",
}
"""What a node says of an instance that it does not commit to (PS3.3 C.14.1.1)."""


@dataclass(frozen=True)
class Promise:
    """A commitment that is to be asked for."""

    id: int
    job_id: int
    transaction_uid: str
    destination: str
    attempts: int
    references: tuple[Reference, ...]


class Promises:
    """The commitments that one exchange asks for."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def lease_due(self, *, lease_s: float, avoiding: Collection[str] = ()) -> Promise | None:
        """Take the next one that is to be asked for, for `lease_s` seconds; to none of these."""
        now = self._clock()
        paused = select(destinations.c.title).where(destinations.c.paused_at.is_not(None))
        due = (
            select(promises)
            .where(
                promises.c.state == DUE,
                promises.c.next_attempt_at <= now,
                promises.c.leased_until.is_(None) | (promises.c.leased_until <= now),
                promises.c.destination.not_in(sorted(avoiding)),
                promises.c.destination.not_in(paused),
            )
            .order_by(promises.c.next_attempt_at, promises.c.id)
            .limit(1)
        )
        with self._database.read() as conn:
            if conn.execute(due).first() is None:
                return None
        with self._database.begin() as conn:
            row = conn.execute(due.with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            conn.execute(
                update(promises)
                .where(promises.c.id == row.id)
                .values(attempts=row.attempts + 1, leased_until=now + timedelta(seconds=lease_s))
            )
            return Promise(
                id=row.id,
                job_id=row.job_id,
                transaction_uid=row.transaction_uid,
                destination=row.destination,
                attempts=row.attempts + 1,
                references=_references(conn, row.id),
            )

    def begin(self, promise: Promise) -> None:
        """Note that a request is about to go: a report on it may come before its answer."""
        now = self._clock()
        with self._database.begin() as conn:
            wait_s = destination_of(conn, promise.destination).commit_wait_s
            conn.execute(
                update(promises)
                .where(promises.c.id == promise.id, promises.c.state == DUE)
                .values(state=ASKED, asked_at=now, next_attempt_at=now + timedelta(seconds=wait_s))
            )

    def asked(self, promise: Promise) -> None:
        """Note that the node has taken the request; its report may take a while."""
        with self._database.begin() as conn:
            conn.execute(
                update(promises)
                .where(promises.c.id == promise.id, promises.c.state == ASKED)
                .values(leased_until=None, last_error="")
            )

    def failed(self, promise: Promise, reason: str) -> None:
        """Put a request that did not go through back for later, or give it up with its job."""
        now = self._clock()
        with self._database.begin() as conn:
            most = destination_of(conn, promise.destination).most_attempts or MAX_ATTEMPTS
            again = next_attempt(promise.attempts, now=now, most=most)
            changed = conn.execute(
                update(promises)
                .where(promises.c.id == promise.id, promises.c.state.in_((DUE, ASKED)))
                .values(
                    state=GIVEN_UP if again is None else DUE,
                    next_attempt_at=again,
                    leased_until=None,
                    last_error=reason[:_MAX_ERROR],
                )
            )
            if again is None and changed.rowcount:
                _give_up_job(conn, promise.job_id, reason)

    def look_overdue(self) -> int:
        """Ask anew where no report came in time, and give up what was asked often; return both."""
        now = self._clock()
        overdue = select(promises).where(
            promises.c.state == ASKED, promises.c.next_attempt_at <= now
        )
        with self._database.read() as conn:
            if conn.execute(overdue.limit(1)).first() is None:
                return 0
        with self._database.begin() as conn:
            rows = conn.execute(overdue.limit(100).with_for_update(skip_locked=True)).all()
            for row in rows:
                _not_reported(conn, row, now)
        return len(rows)

    def report(
        self,
        destination: str,
        transaction_uid: str,
        *,
        committed: Sequence[Reference],
        failed: Sequence[tuple[Reference, int]],
    ) -> bool:
        """Keep a node's report; tell whether there is such a transaction of it. Twice is harmless.

        What it does not commit to goes once more; what was sent twice makes its job a dead letter.
        """
        now = self._clock()
        with self._database.begin() as conn:
            row = conn.execute(
                select(promises)
                .where(
                    promises.c.transaction_uid == transaction_uid,
                    promises.c.destination == destination,
                )
                .with_for_update()
            ).one_or_none()
            if row is None:
                return False
            if row.state == ANSWERED:
                return True
            _keep(conn, row, committed, failed, now)
        return True

    def counts(self) -> Mapping[str, int]:
        """Return how many instances wait for a commitment, and how many requests were given up."""
        open_ = (
            select(func.count())
            .select_from(sent_instances)
            .join(promises, promises.c.id == sent_instances.c.promise_id)
            .where(promises.c.state.in_((DUE, ASKED)), sent_instances.c.committed_at.is_(None))
        )
        given_up = select(func.count()).where(promises.c.state == GIVEN_UP)
        with self._database.read() as conn:
            return {
                "awaited": conn.execute(open_).scalar_one(),
                "given_up": conn.execute(given_up).scalar_one(),
            }


def promise_for(conn: Connection, job_id: int, *, now: datetime) -> None:
    """Have a commitment asked for what a job has sent, where its node is to be asked for one."""
    title = conn.execute(select(jobs.c.destination).where(jobs.c.id == job_id)).scalar_one()
    if not destination_of(conn, title).asks_commitment:
        return
    asked = (
        select(sent_instances.c.sop_instance_uid)
        .join(
            promises,
            (promises.c.id == sent_instances.c.promise_id) & promises.c.state.in_((DUE, ASKED)),
            isouter=True,
        )
        .where(
            sent_instances.c.job_id == job_id,
            sent_instances.c.committed_at.is_(None),
            promises.c.id.is_(None),
        )
        .order_by(sent_instances.c.at, sent_instances.c.sop_instance_uid)
    )
    uids = list(conn.execute(asked).scalars())
    for start in range(0, len(uids), MOST_REFERENCES):
        _open(conn, job_id, title, uids[start : start + MOST_REFERENCES], now=now, asks=1)


def _open(
    conn: Connection, job_id: int, title: str, uids: Sequence[str], *, now: datetime, asks: int
) -> None:
    made = (
        insert(promises)
        .values(
            job_id=job_id,
            transaction_uid=uid_from_uuid(uuid.uuid4()),
            destination=title,
            state=DUE,
            asks=asks,
            next_attempt_at=now,
            created_at=now,
        )
        .returning(promises.c.id)
    )
    number = conn.execute(made).scalar_one()
    _mark(conn, job_id, uids, promise_id=number)


def _keep(
    conn: Connection,
    row: Any,
    committed: Sequence[Reference],
    failed: Sequence[tuple[Reference, int]],
    now: datetime,
) -> None:
    covered = {
        one.sop_instance_uid: one
        for one in conn.execute(
            select(sent_instances).where(
                sent_instances.c.job_id == row.job_id, sent_instances.c.promise_id == row.id
            )
        )
    }
    kept = [ref.sop_instance_uid for ref in committed if ref.sop_instance_uid in covered]
    reasons = {
        ref.sop_instance_uid: reason for ref, reason in failed if ref.sop_instance_uid in covered
    }
    kept = [uid for uid in dict.fromkeys(kept) if uid not in reasons]
    # what the report does not speak of is not committed to
    reasons |= {uid: 0x0110 for uid in covered if uid not in reasons and uid not in set(kept)}
    _mark(conn, row.job_id, kept, committed_at=now, refused=None)
    for uid, reason in reasons.items():
        _mark(conn, row.job_id, [uid], refused=reason)
    _note(conn, row, kept, now)
    conn.execute(
        update(promises)
        .where(promises.c.id == row.id)
        .values(state=ANSWERED, answered_at=now, next_attempt_at=None, leased_until=None)
    )
    if not reasons:
        return
    told = FAILURE_WORDS.get(next(iter(reasons.values())), "no reason that is known")
    said = (
        f"{row.destination} does not commit to {len(reasons)} of {len(covered)} instances that it "
        f"took ({told})."
    )
    if all(covered[uid].resent == 0 for uid in reasons):
        conn.execute(
            update(jobs)
            .where(jobs.c.id == row.job_id, jobs.c.state == "done", ~_is_queued_anew())
            .values(
                state="queued",
                attempts=0,
                next_attempt_at=now,
                done_at=None,
                asked=jobs.c.asked + 1,
                last_error=said + " They are sent once more.",
            )
        )
    else:
        _give_up_job(
            conn, row.job_id, said + " They were sent twice. Look at that node, then send again."
        )


def _not_reported(conn: Connection, row: Any, now: datetime) -> None:
    """Ask anew under another transaction UID, or give it up."""
    reason = f"{row.destination} took the request for storage commitment and has not reported on it"
    conn.execute(
        update(promises)
        .where(promises.c.id == row.id)
        .values(state=GIVEN_UP, next_attempt_at=None, leased_until=None, last_error=reason + ".")
    )
    uids = list(
        conn.execute(
            select(sent_instances.c.sop_instance_uid).where(
                sent_instances.c.job_id == row.job_id, sent_instances.c.promise_id == row.id
            )
        ).scalars()
    )
    if row.asks < MOST_ASKS:
        _open(conn, row.job_id, row.destination, uids, now=now, asks=row.asks + 1)
        return
    _give_up_job(
        conn,
        row.job_id,
        f"{reason}, {row.asks} times. All has arrived, nothing is committed to. See that it knows "
        "our address, then send again.",
    )


def _give_up_job(conn: Connection, job_id: int, reason: str) -> None:
    conn.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state.in_(("done", "queued")), ~_is_queued_anew())
        .values(
            state="dead",
            done_at=None,
            next_attempt_at=None,
            leased_until=None,
            last_error=reason[:_MAX_ERROR],
        )
    )


def _is_queued_anew() -> ColumnElement[bool]:
    """Tell whether another job takes the study to the node again, as a whole."""
    other = jobs.alias("other")
    return (
        select(other.c.id)
        .where(
            other.c.kind == "send",
            other.c.state.in_(("queued", "dead")),
            other.c.site == jobs.c.site,
            other.c.study_uid == jobs.c.study_uid,
            other.c.destination == jobs.c.destination,
            other.c.id != jobs.c.id,
        )
        .exists()
    )


def _note(conn: Connection, row: Any, uids: Sequence[str], now: datetime) -> None:
    """Say in the ledger of each instance that the node has committed to it."""
    job = conn.execute(select(jobs.c.site).where(jobs.c.id == row.job_id)).one()
    detail = {"by": row.destination, "transaction": row.transaction_uid}
    for some in chunks(list(uids)):
        found = conn.execute(
            select(instances.c.pk).where(
                instances.c.site == job.site,
                instances.c.state == CURRENT,
                instances.c.sop_instance_uid.in_(some),
            )
        ).scalars()
        lines = [Line(pk, CustodyEvent.COMMITTED_BY, now, detail) for pk in found]
        write_to_staying(conn, lines)


def _references(conn: Connection, promise_id: int) -> tuple[Reference, ...]:
    asked = (
        select(sent_instances.c.sop_class_uid, sent_instances.c.sop_instance_uid)
        .where(sent_instances.c.promise_id == promise_id)
        .order_by(sent_instances.c.at, sent_instances.c.sop_instance_uid)
    )
    return tuple(Reference(*row) for row in conn.execute(asked))


def _mark(conn: Connection, job_id: int, uids: Sequence[str], **values: Any) -> None:
    for some in chunks(list(uids)):
        conn.execute(
            update(sent_instances)
            .where(sent_instances.c.job_id == job_id, sent_instances.c.sop_instance_uid.in_(some))
            .values(**values)
        )
