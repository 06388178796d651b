"""One step of a case: load, ask who may, follow the table, change the row, note it; or nothing.

What each step changes is said by its caller. A step that is refused is noted too, in a transaction
of its own, for the first one leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, insert, select, update

from casework.access import require_may, scope_of
from casework.audit import ACTIONS, REFUSED, Deed
from casework.errors import Conflict, NotFound, Refused
from casework.lifecycle import Event, after
from casework.model import Actor, Case, CaseState
from storage.casebook_tables import cases, messages
from storage.cases import CaseReads, case_or_none, visible_case
from storage.database import Database
from storage.ledger import append_entry


@dataclass(frozen=True)
class Step:
    """A step that is under way, of a case that its actor sees and may change so."""

    conn: Connection
    actor: Actor
    event: Event
    case: Case
    now: datetime


@dataclass(frozen=True)
class Change:
    """What a step changes: the state that follows, columns, and what the audit says of it."""

    state: CaseState
    values: Mapping[str, Any] = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)
    silent: bool = False  # not worth an entry of its own


class Steps(CaseReads):
    """Takes steps. The verbs of the casebook are built on this."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        timezone: str = "Europe/Oslo",
        claim_lasts: timedelta | None = timedelta(hours=12),
    ) -> None:
        self._database = database
        self._clock = clock
        self._claim_lasts = claim_lasts  # None: until it is given up
        self._zone = ZoneInfo(timezone)  # of the times in messages to people

    def _take(
        self, actor: Actor, case_id: str, event: Event, decide: Callable[[Step], Change | None]
    ) -> Case:
        """Take a step and return the case after it; `decide` returning None leaves all as it is."""
        with self._noting_refusals(actor, event.value, case_id), self._database.begin() as conn:
            case = visible_case(conn, scope_of(actor), case_id, to_change=True)
            require_may(actor, event, site=case.site, holder_id=case.holder_id)
            step = Step(conn, actor, event, case, self._clock())
            change = decide(step)
            return case if change is None else self._apply(step, change)

    def _apply(self, step: Step, change: Change) -> Case:
        moved = step.conn.execute(
            update(cases)
            .where(cases.c.id == step.case.id, cases.c.version == step.case.version)
            .values(state=change.state, version=step.case.version + 1, **change.values)
        )
        if moved.rowcount != 1:
            raise self._moved_on(step)
        if not change.silent:
            self._note(step, change.detail)
        return self._load(step.conn, step.case.id)

    def _note(self, step: Step, detail: Mapping[str, Any]) -> None:
        deed = Deed(
            actor=step.actor,
            action=ACTIONS[step.event],
            subject=step.case.id,
            case_id=step.case.id,
            detail=detail,
        )
        append_entry(step.conn, deed, at=step.now)

    def _load(self, conn: Connection, case_id: str, *, to_change: bool = False) -> Case:
        found = case_or_none(conn, case_id, to_change=to_change)
        if found is None:
            raise NotFound(f"There is no case {case_id}.", code="no-such-case")
        return found

    def _moved_on(self, step: Step) -> Conflict:
        """Return what to tell one who was second: who holds the case now, or where it is."""
        present = self._load(step.conn, step.case.id)
        if step.event is Event.CLAIM and present.holder_id:
            return self._claimed_by_other(present, step.now)
        return Conflict(
            "The case has changed meanwhile. Load it again to see where it is.",
            code="moved-on",
            state=present.state.value,
        )

    def _claimed_by_other(self, case: Case, now: datetime) -> Conflict:
        at = (case.claimed_at or now).astimezone(self._zone)
        same_day = at.date() == now.astimezone(self._zone).date()
        when = f"at {at:%H:%M}" if same_day else f"on {at:%Y-%m-%d} at {at:%H:%M}"
        return Conflict(
            f"Claimed by {case.holder_name} {when}.", code="claimed", state=case.state.value
        )

    @contextmanager
    def _noting_refusals(self, actor: Actor, attempt: str, case_id: str) -> Iterator[None]:
        """Note what is refused, and what is asked of a case out of sight, after the undoing."""
        try:
            yield
        except (Refused, NotFound) as error:
            with self._database.begin() as conn:
                known = conn.execute(select(cases.c.id).where(cases.c.id == case_id)).first()
                deed = Deed(
                    actor=actor,
                    action=REFUSED,
                    subject=case_id[:64] or "referrals",
                    case_id=case_id if known else "",
                    outcome=error.code,
                    detail={"attempt": attempt},
                )
                append_entry(conn, deed, at=self._clock())
            error.noted = True
            raise


def following(step: Step) -> CaseState:
    """Return the state after a step, or raise Conflict with the present one."""
    return after(step.case.state, step.event)


def say(step: Step, kind: str, text: str, *, reason: str = "") -> int:
    """Add a turn to the conversation about a case; return its number."""
    made = step.conn.execute(
        insert(messages)
        .values(
            case_id=step.case.id,
            author=step.actor.name,
            author_id=step.actor.id,
            role=step.actor.role.value if step.actor.role else "",
            site=step.actor.site,
            kind=kind,
            text=text,
            reason=reason,
            at=step.now,
        )
        .returning(messages.c.id)
    )
    return int(made.scalar_one())
