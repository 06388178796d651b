"""Puts studies and replies into the outgoing queue, in the caller's transaction; takes nothing out.

A study has one open job for a node: queued again it is that job, with what has come since.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from storage.casebook_tables import jobs
from storage.database import insert_if_absent
from storage.outbox_desk import DEAD, DELIVERY, DONE, QUEUED, SEND


@dataclass(frozen=True)
class Errand:
    """A study that is to go to a node, and how; with `rule`, the routing rule that wants it."""

    study_uid: str
    site: str
    to_ae: str
    urgency: int = 0
    series_uids: Collection[str] | None = None  # None: all of the study
    not_before: datetime | None = None
    rule: str = ""


def enqueue(conn: Connection, errand: Errand, *, now: datetime) -> int:
    """Queue a study for a node in the caller's transaction, and return the number of the job.

    For a rule, a job that is done goes on with what has come since, and one that was given up waits
    for its person.
    """
    key = and_(
        jobs.c.kind == SEND,
        jobs.c.site == errand.site,
        jobs.c.study_uid == errand.study_uid,
        jobs.c.destination == errand.to_ae,
    )
    values = {
        "kind": SEND,
        "study_uid": errand.study_uid,
        "site": errand.site,
        "destination": errand.to_ae,
        "state": QUEUED,
        "created_at": now,
        "next_attempt_at": max(now, errand.not_before or now),
        "urgency": errand.urgency,
        "series_uids": None if errand.series_uids is None else sorted(errand.series_uids),
        "rule": errand.rule,
    }
    asked = select(jobs).where(key).order_by(jobs.c.id.desc()).with_for_update()
    states = (QUEUED, DEAD, DONE) if errand.rule else (QUEUED, DEAD)
    present = conn.execute(asked.where(jobs.c.state.in_(states)).limit(1)).one_or_none()
    if present is None:
        insert_if_absent(conn, jobs, [values])
        open_ = key, jobs.c.state == QUEUED
        number: int = conn.execute(select(jobs.c.id).where(*open_)).scalar_one()
        return number
    changes: dict[str, Any] = {
        "asked": present.asked + 1,
        "urgency": max(present.urgency, errand.urgency),
        "series_uids": _joined(present.series_uids, errand.series_uids),
        "rule": present.rule or errand.rule,
    }
    if present.state == DONE or (present.state == DEAD and not errand.rule):
        changes |= {
            "state": QUEUED,
            "attempts": 0,
            "next_attempt_at": values["next_attempt_at"],
            "done_at": None,
            "last_error": "",
        }
        if present.state == DONE:
            changes["series_uids"] = values["series_uids"]
            changes["created_at"] = now
    elif present.state == QUEUED and present.leased_until is None:
        changes["next_attempt_at"] = min(present.next_attempt_at, values["next_attempt_at"])
    conn.execute(update(jobs).where(jobs.c.id == present.id).values(**changes))
    return int(present.id)


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


def _joined(before: Sequence[str] | None, more: Collection[str] | None) -> list[str] | None:
    """Return the series of both; None is all of the study."""
    if before is None or more is None:
        return None
    return sorted({*before, *more})
