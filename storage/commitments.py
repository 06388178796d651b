"""The queue of requests for storage commitment: asked, judged, reported or given up, over restarts.

Whoever works on one leases it for a while. What is said of an instance is decided by
`casework.commitment`, when a report is tried again by `casework.delivery`. Reads no object, knows
no DICOM.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select, update

from casework.commitment import SAME_ASSOCIATION_GRACE, Failure, Reference, Result
from casework.completeness import EvidenceKind
from casework.delivery import MAX_ATTEMPTS, next_attempt
from casework.errors import NotFound
from storage.casebook_tables import commitment_items, commitments
from storage.commitment_requests import take
from storage.commitment_rows import (
    GIVEN_UP,
    JUDGED,
    OPEN,
    OVER_WEB,
    REPORTED,
    WAITING,
    Asked,
    Commitment,
    Listed,
    Results,
    as_commitment,
    as_listed,
)
from storage.completeness import note_evidence
from storage.database import Database
from storage.tables import CURRENT, instances

__all__ = ["Asked", "Commitment", "Commitments", "Listed", "Results", "judged"]

_MAX_ERROR = 500


class Commitments:
    """The transactions of one exchange."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self.database = database
        self.clock = clock

    def request(self, asked: Asked, *, wait_s: float) -> int:
        """Keep a request and return its number; the same one again is the same transaction.

        A repeat while it is open changes nothing but the association that the report may take; one
        after the report is judged anew. Other instances under a transaction UID that was used
        before are a transaction of their own, failed as a duplicate (PS3.3 C.14.1.1, 0131).
        """
        now = self.clock()
        with self.database.begin() as conn:
            taken = take(conn, asked, now=now, wait_s=wait_s)
            if taken.is_decided:
                judged(conn, taken.id, now=now)
        return taken.id

    def lease_waiting(self, *, lease_s: float) -> Commitment | None:
        """Take the next transaction that is to be looked at for `lease_s` seconds, or None."""
        return self._lease(commitments.c.state == WAITING, lease_s=lease_s, attempts=0)

    def lease_report(self, *, lease_s: float, avoiding: Collection[str] = ()) -> Commitment | None:
        """Take the next transaction whose report is due for `lease_s` seconds, or None.

        None to the nodes that are to be avoided.
        """
        due = (commitments.c.state == JUDGED) & commitments.c.ae_title.not_in(sorted(avoiding))
        return self._lease(due, lease_s=lease_s, attempts=1)

    def lease_report_of(self, association: str, *, lease_s: float) -> Commitment | None:
        """Take a transaction that can be reported over the association that it was asked over."""
        mine = (commitments.c.state == JUDGED) & (commitments.c.association == association)
        return self._lease(mine, lease_s=lease_s, attempts=1, whenever=True)

    def is_awaited(self, association: str) -> bool:
        """Tell whether a transaction that was asked over an association is still open."""
        asked = select(commitments.c.id).where(
            commitments.c.association == association, commitments.c.state.in_(OPEN)
        )
        with self.database.read() as conn:
            return conn.execute(asked.limit(1)).first() is not None

    def look_again(self, commitment: Commitment, *, at: datetime) -> None:
        """Give a transaction back, to be looked at later."""
        with self.database.begin() as conn:
            conn.execute(
                update(commitments)
                .where(commitments.c.id == commitment.id, commitments.c.state == WAITING)
                .values(next_attempt_at=at, leased_until=None)
            )

    def conclude(self, commitment: Commitment) -> bool:
        """Call a transaction judged if nothing of it is open; tell whether it was."""
        with self.database.begin() as conn:
            if conn.execute(_open_items(commitment.id).limit(1)).first() is not None:
                return False
            judged(conn, commitment.id, now=self.clock())
            return True

    def results(self, commitment: Commitment) -> Results:
        """Return what a report has to say."""
        asked = (
            select(commitment_items)
            .where(commitment_items.c.commitment_id == commitment.id)
            .order_by(commitment_items.c.ordinal)
        )
        committed: list[Reference] = []
        failed: list[tuple[Reference, Failure]] = []
        with self.database.read() as conn:
            for row in conn.execute(asked):
                reference = Reference(row.sop_class_uid, row.sop_instance_uid)
                if row.result == Result.COMMITTED:
                    committed.append(reference)
                else:
                    failed.append((reference, Failure(row.reason or Failure.PROCESSING)))
        return Results(tuple(committed), tuple(failed))

    def reported(self, commitment: Commitment) -> None:
        """Note that the node has taken the report."""
        now = self.clock()
        with self.database.begin() as conn:
            conn.execute(
                update(commitments)
                .where(commitments.c.id == commitment.id, commitments.c.state == JUDGED)
                .values(
                    state=REPORTED,
                    reported_at=now,
                    next_attempt_at=None,
                    leased_until=None,
                    last_error="",
                )
            )

    def failed(self, commitment: Commitment, error: str, *, at_once: bool = False) -> str:
        """Put a report back for later, or give it up; return the state that it is in then.

        With `at_once` a new association is tried without waiting: the old one has ended.
        """
        now = self.clock()
        again = next_attempt(commitment.attempts, now=now)
        if again is not None and at_once:
            again = now
        state = GIVEN_UP if again is None else JUDGED
        with self.database.begin() as conn:
            conn.execute(
                update(commitments)
                .where(
                    commitments.c.id == commitment.id,
                    commitments.c.state == JUDGED,
                    commitments.c.attempts == commitment.attempts,  # the lease is still ours
                )
                .values(
                    state=state,
                    next_attempt_at=again,
                    leased_until=None,
                    association="",
                    last_error=error[:_MAX_ERROR],
                )
            )
        return state

    def association_ended(self, association: str) -> None:
        """Let what was asked over an association be reported over a new one, at once if judged."""
        now = self.clock()
        mine = commitments.c.association == association
        with self.database.begin() as conn:
            conn.execute(
                update(commitments)
                .where(mine, commitments.c.state == JUDGED, _is_free(now))
                .values(next_attempt_at=now)
            )
            conn.execute(
                update(commitments)
                .where(mine, commitments.c.state.in_(OPEN))
                .values(association="")
            )

    def counts(self) -> Mapping[str, int]:
        """Return how many transactions are in each state."""
        with self.database.read() as conn:
            found = conn.execute(
                select(commitments.c.state, func.count()).group_by(commitments.c.state)
            ).all()
        return dict.fromkeys((*OPEN, REPORTED, GIVEN_UP), 0) | {row[0]: row[1] for row in found}

    def listed(self, *, limit: int = 100) -> tuple[Listed, ...]:
        """Return the transactions that are not reported, the newest first."""
        with self.database.read() as conn:
            rows = conn.execute(
                select(commitments)
                .where(commitments.c.state != REPORTED)
                .order_by(commitments.c.id.desc())
                .limit(limit)
            ).all()
            return tuple(as_listed(conn, row) for row in rows)

    def replay(self, commitment_id: int) -> Commitment:
        """Report a transaction that was given up again, with all attempts before it."""
        with self.database.begin() as conn:
            row = conn.execute(
                update(commitments)
                .where(commitments.c.id == commitment_id, commitments.c.state == GIVEN_UP)
                .values(state=JUDGED, attempts=0, next_attempt_at=self.clock(), leased_until=None)
                .returning(commitments)
            ).one_or_none()
        if row is None:
            raise NotFound(
                f"No commitment {commitment_id} has been given up.", code="no-such-commitment"
            )
        return as_commitment(row)

    def _lease(
        self, which: ColumnElement[bool], *, lease_s: float, attempts: int, whenever: bool = False
    ) -> Commitment | None:
        """Take the one that is due longest; look first, so that nobody stands in writers' way."""
        now = self.clock()
        due = _due(which, now, whenever=whenever)
        with self.database.read() as conn:
            if conn.execute(due).first() is None:
                return None
        with self.database.begin() as conn:
            while (
                row := conn.execute(due.with_for_update(skip_locked=True)).one_or_none()
            ) is not None:
                if row.attempts + attempts > MAX_ATTEMPTS:  # workers died of it too often
                    conn.execute(
                        update(commitments)
                        .where(commitments.c.id == row.id)
                        .values(state=GIVEN_UP, next_attempt_at=None, leased_until=None)
                    )
                    continue
                taken = (
                    update(commitments)
                    .where(commitments.c.id == row.id)
                    .values(
                        attempts=commitments.c.attempts + attempts,
                        leased_until=now + timedelta(seconds=lease_s),
                    )
                    .returning(commitments)
                )
                return as_commitment(conn.execute(taken).one())
        return None


def judged(conn: Connection, commitment_id: int, *, now: datetime) -> None:
    """Call a transaction judged: every instance has its result, and the report is due.

    One that was asked over the web waits to be fetched instead. The one place where a request is
    answered, in the transaction that makes it so: whoever asked is done with these instances, which
    is evidence for the completeness of their studies.
    """
    of_it = commitments.c.id == commitment_id
    asked = conn.execute(select(commitments.c.association, commitments.c.ae_title).where(of_it))
    association, ae_title = asked.one()
    values: dict[str, Any] = {"state": JUDGED, "judged_at": now, "attempts": 0}
    values["next_attempt_at"] = now + SAME_ASSOCIATION_GRACE if association else now
    if ae_title == OVER_WEB:  # fetched, not sent
        values |= {"state": REPORTED, "reported_at": now, "next_attempt_at": None}
    conn.execute(
        update(commitments)
        .where(of_it, commitments.c.state == WAITING)
        .values(**values, leased_until=None)
    )
    _note_evidence(conn, commitment_id, now=now)


def _note_evidence(conn: Connection, commitment_id: int, *, now: datetime) -> None:
    """Note what the request named of each study as evidence of how much there is of it.

    What is not here has no study; where all that is here is of one, the request is of that one.
    """
    asked = conn.execute(
        select(commitments.c.site, commitments.c.transaction_uid).where(
            commitments.c.id == commitment_id
        )
    ).one()
    of_it = commitment_items.c.commitment_id == commitment_id
    named = set(conn.execute(select(commitment_items.c.sop_instance_uid).where(of_it)).scalars())
    here: dict[str, set[str]] = defaultdict(set)
    for study_uid, uid in conn.execute(
        select(instances.c.study_uid, instances.c.sop_instance_uid)
        .join(commitment_items, commitment_items.c.sop_instance_uid == instances.c.sop_instance_uid)
        .where(of_it, instances.c.site == asked.site, instances.c.state == CURRENT)
    ):
        here[study_uid].add(uid)
    for study_uid, uids in sorted(here.items()):
        note_evidence(
            conn,
            site=asked.site,
            study_uid=study_uid,
            kind=EvidenceKind.COMMITMENT,
            at=now,
            source=asked.transaction_uid,
            expected_uids=named if len(here) == 1 else uids,
        )


def _is_free(now: datetime) -> ColumnElement[bool]:
    return or_(commitments.c.leased_until.is_(None), commitments.c.leased_until <= now)


def _due(which: ColumnElement[bool], now: datetime, *, whenever: bool) -> Select[Any]:
    due = select(commitments.c.id, commitments.c.attempts).where(which, _is_free(now))
    if not whenever:
        due = due.where(commitments.c.next_attempt_at <= now)
    return due.order_by(commitments.c.next_attempt_at, commitments.c.id).limit(1)


def _open_items(commitment_id: int) -> Select[Any]:
    return select(commitment_items.c.ordinal).where(
        commitment_items.c.commitment_id == commitment_id,
        commitment_items.c.result.in_([Result.ASKED, Result.PACKING]),
    )
