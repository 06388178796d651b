"""Keeps who is told of work items, of which, and how far they were told (UPS-RS, PS3.18 11.10).

A subscriber is a person with an AE title of their choice: the same title of another person is
another subscriber. What is told is decided by `casework.workitem_events`, sent by others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, delete, insert, select, update

from casework.access import scope_of
from casework.errors import NotFound
from casework.model import Actor
from casework.workitem_events import CANCEL_ASKED, SUBSCRIBED, TOLD, Happening
from casework.workitems import FILTERED_SUBSCRIPTION, GLOBAL_SUBSCRIPTION, StepState
from storage.casebook_tables import (
    audit,
    audit_head,
    messages,
    workitem_subscribers,
    workitem_subscriptions,
)
from storage.database import Database, insert_if_absent
from storage.matching import Key
from storage.workitem_steps import visible_item

WORKLISTS = frozenset({GLOBAL_SUBSCRIPTION, FILTERED_SUBSCRIPTION})

_rows = workitem_subscriptions
_who = workitem_subscribers


@dataclass(frozen=True)
class Standing:
    """All that a subscriber is subscribed to."""

    sent_seq: int
    went_down: bool
    worklist: str = ""  # the target, or empty for none
    keys: Mapping[str, Key] = field(default_factory=dict)  # of the filter
    suspended_at: datetime | None = None
    is_told: bool = True  # of what was there when the worklist was subscribed to
    cases: Mapping[str, bool] = field(default_factory=dict)
    untold: Mapping[str, str] = field(default_factory=dict)  # cases not reported yet: the targets


class Subscriptions:
    """The subscriptions of one exchange."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def subscribe(
        self, actor: Actor, ae_title: str, target: str, keys: Mapping[str, Key] | None = None
    ) -> None:
        """Subscribe to the worklist, to a filter on it, or to one work item within sight.

        One subscription to the worklist at a time: another kind takes the place of the one before.
        """
        with self._database.begin() as conn:
            case_id = None
            if target not in WORKLISTS:
                case_id = visible_item(conn, scope_of(actor), target).id
                _remove(conn, _of(actor, ae_title) & (_rows.c.case_id == case_id))
            else:
                _remove(conn, _of(actor, ae_title) & _rows.c.target.in_(WORKLISTS))
            start = conn.execute(select(audit_head.c.seq)).scalar_one()
            first = {"actor_id": actor.id, "ae_title": ae_title, "sent_seq": start}
            insert_if_absent(conn, _who, [first])
            _insert(conn, actor, ae_title, target, self._clock(), case_id=case_id, keys=keys)

    def unsubscribe(self, actor: Actor, ae_title: str, target: str) -> None:
        """End a subscription; that of the worklist with those of its work items."""
        with self._database.begin() as conn:
            own = _of(actor, ae_title)
            if target in WORKLISTS:
                _require(conn, own & (_rows.c.target == target))
                conn.execute(delete(_rows).where(own))
            else:
                case_id = visible_item(conn, scope_of(actor), target).id
                self._take_out(conn, actor, ae_title, target, case_id)
            if conn.execute(select(_rows.c.target).where(own).limit(1)).first() is None:
                conn.execute(delete(_who).where(_is(actor.id, ae_title)))

    def suspend(self, actor: Actor, ae_title: str, target: str) -> None:
        """Subscribe to no further work items; those that are there stay subscribed to."""
        with self._database.begin() as conn:
            found = _of(actor, ae_title) & (_rows.c.target == target)
            _require(conn, found)
            now = self._clock()
            still = found & _rows.c.suspended_at.is_(None)
            conn.execute(update(_rows).where(still).values(suspended_at=now))

    def exists(self, actor: Actor, ae_title: str) -> bool:
        """Tell whether there is such a subscriber."""
        with self._database.read() as conn:
            asked = select(_who.c.sent_seq).where(_is(actor.id, ae_title))
            return conn.execute(asked).first() is not None

    def sent(
        self,
        actor: Actor,
        ae_title: str,
        seq: int,
        *,
        told: Sequence[str] = (),
        went_down: bool | None = None,
    ) -> None:
        """Note up to which entry a subscriber was told, and which subscriptions were reported."""
        present = _who.c.sent_seq
        values: dict[str, Any] = {"sent_seq": case((present < seq, seq), else_=present)}
        if went_down is not None:
            values["went_down"] = went_down
        with self._database.begin() as conn:
            conn.execute(update(_who).where(_is(actor.id, ae_title)).values(**values))
            if told:
                done = _of(actor, ae_title) & _rows.c.target.in_(told)
                conn.execute(update(_rows).where(done).values(is_told=True))

    def _take_out(
        self, conn: Connection, actor: Actor, ae_title: str, target: str, case_id: str
    ) -> None:
        own = _of(actor, ae_title)
        of_case = own & (_rows.c.case_id == case_id)
        is_on = conn.execute(select(_rows.c.is_on).where(of_case)).scalar()
        worklist = conn.execute(
            select(_rows.c.target).where(own, _rows.c.target.in_(WORKLISTS))
        ).first()
        if is_on is False or (is_on is None and worklist is None):
            raise _none()
        _remove(conn, of_case)
        if worklist is not None:
            _insert(conn, actor, ae_title, target, self._clock(), case_id=case_id, is_on=False)


def standing(conn: Connection, actor: Actor, ae_title: str) -> Standing | None:
    """Return what a subscriber is subscribed to, or None when there is no such subscriber."""
    who = conn.execute(select(_who).where(_is(actor.id, ae_title))).one_or_none()
    if who is None:
        return None
    rows = conn.execute(select(_rows).where(_of(actor, ae_title))).all()
    worklist = next((row for row in rows if row.target in WORKLISTS), None)
    own = [row for row in rows if row.case_id is not None]
    return Standing(
        sent_seq=who.sent_seq,
        went_down=who.went_down,
        worklist=worklist.target if worklist else "",
        keys=worklist.criteria if worklist else {},
        suspended_at=worklist.suspended_at if worklist else None,
        is_told=worklist.is_told if worklist else True,
        cases={row.case_id: row.is_on for row in own},
        untold={row.case_id: row.target for row in own if row.is_on and not row.is_told},
    )


def happenings(conn: Connection, *, after: int, limit: int) -> tuple[list[Happening], int]:
    """Return the entries of interest after one, and the last entry that was looked at."""
    head: int = conn.execute(select(audit_head.c.seq)).scalar_one()
    if head <= after:
        return [], after
    rows = conn.execute(
        select(audit.c.seq, audit.c.action, audit.c.case_id, audit.c.detail)
        .where(
            audit.c.seq > after,
            audit.c.action.in_(sorted(TOLD)),
            audit.c.outcome == "ok",
            audit.c.case_id != "",
        )
        .order_by(audit.c.seq)
        .limit(limit)
    ).all()
    said = {row.seq: row.detail.get("message") for row in rows if row.action == CANCEL_ASKED}
    spoken = select(messages.c.id, messages.c.text).where(messages.c.id.in_(said.values()))
    texts = {row.id: row.text for row in conn.execute(spoken)} if said else {}
    found = [
        Happening(
            row.seq,
            row.action,
            row.case_id,
            text=texts.get(said.get(row.seq), ""),
            was_in_progress=row.detail.get("state") != StepState.SCHEDULED.value,
        )
        for row in rows
    ]
    return found, rows[-1].seq if len(rows) == limit else head


def stirring(database: Database, *, after: int) -> tuple[int, bool]:
    """Return the last entry of the audit, and whether one after another matters to subscribers."""
    with database.read() as conn:
        head = int(conn.execute(select(audit_head.c.seq)).scalar_one())
        found = select(audit.c.seq).where(
            audit.c.seq > after, audit.c.action.in_([*sorted(TOLD), SUBSCRIBED])
        )
        return head, head > after and conn.execute(found.limit(1)).first() is not None


def _insert(
    conn: Connection,
    actor: Actor,
    ae_title: str,
    target: str,
    now: datetime,
    *,
    case_id: str | None,
    keys: Mapping[str, Key] | None = None,
    is_on: bool = True,
) -> None:
    conn.execute(
        insert(_rows).values(
            actor_id=actor.id,
            ae_title=ae_title,
            target=target,
            case_id=case_id,
            criteria=dict(keys or {}),
            is_on=is_on,
            is_told=not is_on,
            created_at=now,
        )
    )


def _is(actor_id: str, ae_title: str) -> ColumnElement[bool]:
    return and_(_who.c.actor_id == actor_id, _who.c.ae_title == ae_title)


def _of(actor: Actor, ae_title: str) -> ColumnElement[bool]:
    return and_(_rows.c.actor_id == actor.id, _rows.c.ae_title == ae_title)


def _remove(conn: Connection, which: ColumnElement[bool]) -> None:
    conn.execute(delete(_rows).where(which))


def _require(conn: Connection, which: ColumnElement[bool]) -> None:
    if conn.execute(select(_rows.c.target).where(which)).first() is None:
        raise _none()


def _none() -> NotFound:
    return NotFound("There is no such subscription.", code="no-such-subscription")
