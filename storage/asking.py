"""Keeps which senders are to be asked how much there is of a study, and how that goes.

Asks nobody; the worker does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, select, update

from casework.completeness import ask_again_at
from casework.custody import CustodyEvent
from casework.model import AePermission
from storage.casebook_tables import aes
from storage.database import insert_if_absent
from storage.tables import custody, instances, sender_questions, series

OPEN, ANSWERED, GIVEN_UP = "open", "answered", "given-up"

_MAX_ERROR = 500


@dataclass(frozen=True)
class Question:
    """A study whose sender is to be asked."""

    site: str
    study_uid: str
    ae: str
    attempts: int  # this one counted


def askable(conn: Connection, sites: Collection[str]) -> Mapping[str, frozenset[str]]:
    """Return the nodes of each site that may be asked and have an address."""
    found: dict[str, set[str]] = {}
    for row in conn.execute(select(aes).where(aes.c.site.in_(sorted(sites)))):
        if AePermission.ASK.value in row.permissions and row.host and row.port:
            found.setdefault(row.site, set()).add(row.title)
    return {site: frozenset(titles) for site, titles in found.items()}


def sender_of(conn: Connection, study_pk: int, *, among: Collection[str]) -> str:
    """Return the node that has last sent something of a study, if it is one of these."""
    calling = custody.c.detail["calling_ae"].as_string()
    asked = (
        select(calling)
        .join(instances, instances.c.pk == custody.c.instance_pk)
        .join(series, series.c.pk == instances.c.series_pk)
        .where(
            series.c.study_pk == study_pk,
            custody.c.event == CustodyEvent.RECEIVED.value,
            calling.in_(sorted(among)),
        )
        .order_by(custody.c.pk.desc())
        .limit(1)
    )
    return conn.execute(asked).scalar() or ""


def open_question(conn: Connection, *, site: str, study_uid: str, ae: str, now: datetime) -> None:
    """Have the sender of a study asked, afresh when it was asked before."""
    key = {"site": site, "study_uid": study_uid}
    fresh = {"ae": ae, "state": OPEN, "attempts": 0, "next_attempt_at": now, "last_error": ""}
    insert_if_absent(conn, sender_questions, [key | fresh])
    conn.execute(update(sender_questions).where(*_of(site, study_uid)).values(**fresh))


def next_question(
    conn: Connection, *, now: datetime, lease_s: float, avoiding: Collection[str] = ()
) -> Question | None:
    """Take the question that has waited longest, for `lease_s` seconds; None when none is due.

    None to the nodes that are to be avoided.
    """
    row = conn.execute(
        select(sender_questions)
        .where(*_due(now, avoiding))
        .order_by(sender_questions.c.next_attempt_at, sender_questions.c.study_uid)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None:
        return None
    conn.execute(
        update(sender_questions)
        .where(*_of(row.site, row.study_uid))
        .values(attempts=row.attempts + 1, next_attempt_at=now + timedelta(seconds=lease_s))
    )
    return Question(row.site, row.study_uid, row.ae, row.attempts + 1)


def is_question_due(conn: Connection, *, now: datetime, avoiding: Collection[str] = ()) -> bool:
    """Tell whether a sender is to be asked now, other than those to be avoided."""
    asked = select(sender_questions.c.study_uid).where(*_due(now, avoiding))
    return conn.execute(asked.limit(1)).first() is not None


def close_question(conn: Connection, question: Question) -> None:
    """Note that a sender has answered."""
    conn.execute(
        update(sender_questions)
        .where(*_of(question.site, question.study_uid))
        .values(state=ANSWERED, last_error="")
    )


def question_failed(
    conn: Connection, question: Question, error: str, *, now: datetime, is_final: bool = False
) -> bool:
    """Put a question back for later, or give it up; tell whether it is over."""
    again = None if is_final else ask_again_at(question.attempts, now=now)
    values: dict[str, object] = {"last_error": error[:_MAX_ERROR]}
    values |= {"state": GIVEN_UP} if again is None else {"next_attempt_at": again}
    changed = conn.execute(
        update(sender_questions)
        .where(
            *_of(question.site, question.study_uid),
            sender_questions.c.state == OPEN,
            sender_questions.c.attempts == question.attempts,  # the lease is still ours
        )
        .values(**values)
    )
    return again is None and changed.rowcount == 1


def _due(now: datetime, avoiding: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    return (
        sender_questions.c.state == OPEN,
        sender_questions.c.next_attempt_at <= now,
        sender_questions.c.ae.not_in(sorted(avoiding)),
    )


def _of(site: str, study_uid: str) -> tuple[ColumnElement[bool], ...]:
    return (sender_questions.c.site == site, sender_questions.c.study_uid == study_uid)
