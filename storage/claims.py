"""Claims that end by themselves, and cases that go from one colleague to another by name.

Each is one transaction on the row of its case, so that of two that meet one comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, exists, func, select, update
from sqlalchemy import case as either

from casework.access import Scope, reads, require_may, scope_of
from casework.claims import (
    LEASED,
    Colleague,
    claimed_until,
    is_over,
    is_worth_renewing,
    may_take_over,
    require_other,
)
from casework.errors import Invalid
from casework.lifecycle import HELD, WAITS_FOR_SPECIALIST, Event
from casework.model import Actor, Case, CaseState, SiteKind
from casework.second_readings import OPEN, is_open, latest, require_may_hold
from storage.casebook_tables import cases, sites, users
from storage.cases import visible_case
from storage.reading_rows import readings_of
from storage.reading_tables import readings
from storage.sign_in import actor_of
from storage.steps import Change, Step, following, say
from storage.verbs import Verbs, back_to_pool, draft_by

_WORKER = Actor("system:worker", "Lysbro", "", SiteKind.CENTRE)
_MOST_NOTE = 1000
_AT_ONCE = 100


class Claims(Verbs):
    """Keeps, ends and hands on claims."""

    def hand_over(self, actor: Actor, case_id: str, *, to: str, note: str = "") -> Case:
        """Hand a case to a named colleague with a note; the draft goes with it.

        A coordinator assigns with it what nobody holds, and moves what somebody does.
        """

        def decide(step: Step) -> Change:
            colleague = require_other(self._person(step, to), step.case)
            require_may_hold(readings_of(step.conn, case_id), colleague, step.case)
            handed = _handed(step, note)
            say(step, "note", colleague.name, reason="handed-over")
            detail = {
                "to": colleague.id,
                "from": step.case.holder_id,
                "with_note": bool(handed["handed_note"]),
            }
            return Change(following(step), {**self._held_by(colleague, step), **handed}, detail)

        return self._take(actor, case_id, Event.HAND_OVER, decide)

    def give_back(self, actor: Actor, case_id: str, *, note: str = "") -> Case:
        """Give a case back to the colleague who handed it over; to the pool where a coordinator
        did, or where they read such cases no more.
        """
        with self._database.read() as conn:
            case = visible_case(conn, scope_of(actor), case_id)
        if not case.handed_by_id:
            raise Invalid("Nobody handed this case to you. Release it instead.", code="not-handed")
        with self._database.read() as conn:
            step = Step(conn, actor, Event.HAND_OVER, case, self._clock())
            before = self._person(step, case.handed_by_id)
        if before is not None and may_take_over(before, case):
            return self.hand_over(actor, case_id, to=before.id, note=note)

        def back(step: Step) -> Change:
            change = back_to_pool(step)
            return Change(change.state, {**change.values, **_handed(step, note)})

        return self._take(actor, case_id, Event.RELEASE, back)

    def renew(self, actor: Actor, case_id: str) -> Case:
        """Let a claim last on because its holder works; nobody is told, and no version moves.

        A second reader's hold on the reading lasts on likewise.
        """
        with self._database.begin() as conn:
            case = visible_case(conn, scope_of(actor), case_id, to_change=True)
            now = self._clock()
            if self._renew_reading(conn, case, actor, now):
                return case
            require_may(actor, Event.DRAFT, site=case.site, holder_id=case.holder_id)
            if case.state not in LEASED or is_over(case, now=now):
                return case
            if not is_worth_renewing(case.claim_until, now=now, lasts=self._claim_lasts):
                return case
            until = claimed_until(now, self._claim_lasts)
            conn.execute(update(cases).where(cases.c.id == case_id).values(claim_until=until))
            return self._load(conn, case_id)

    def end_claims(self) -> int:
        """Release the cases whose claims are over, keeping their drafts; return how many."""
        now = self._clock()
        over = (
            select(cases.c.id)
            .where(
                cases.c.claim_until <= now,
                cases.c.state.in_(sorted(LEASED)),
                ~exists().where(
                    readings.c.case_id == cases.c.id, readings.c.state.in_(sorted(OPEN))
                ),
            )
            .order_by(cases.c.claim_until)
            .limit(_AT_ONCE)
        )
        with self._database.read() as conn:
            ids = list(conn.execute(over).scalars())
        return sum(self._end_claim(case_id) for case_id in ids)

    def colleagues(self, scope: Scope, case_id: str) -> Sequence[Colleague]:
        """Return whom a case may be handed to, those with the fewest cases first."""
        now = self._clock()
        late = either((cases.c.due_at < now, 1), else_=0)
        holding = (
            select(cases.c.holder_id, func.count(), func.coalesce(func.sum(late), 0))
            .where(cases.c.state.in_(sorted(HELD & WAITS_FOR_SPECIALIST)))
            .group_by(cases.c.holder_id)
        )
        people = (
            select(users, sites.c.kind.label("site_kind"))
            .join(sites, sites.c.slug == users.c.site)
            .where(users.c.disabled_at.is_(None))
            .order_by(users.c.name, users.c.id)
        )
        with self._database.read() as conn:
            case = visible_case(conn, scope, case_id)
            held = {row[0]: (row[1], row[2]) for row in conn.execute(holding)}
            reading = latest(readings_of(conn, case_id))
            second = reading.reader_id if reading and not reading.after_version else ""
            taken = {case.holder_id, second}
            found = [actor_of(row) for row in conn.execute(people)]
        known = [
            Colleague(who.id, who.name, who.email, *held.get(who.id, (0, 0)))
            for who in found
            if who.id not in taken and may_take_over(who, case)
        ]
        return sorted(known, key=lambda each: (each.held, each.name))

    def _person(self, step: Step, to: str) -> Actor | None:
        """Return a person who may sign in, by id or address, where such a one reads the case."""
        number = to.removeprefix("user:")
        is_number = number.isascii() and number.isdecimal() and len(number) < 16
        named = users.c.id == int(number) if is_number else users.c.email == to.strip().casefold()
        row = step.conn.execute(
            select(users, sites.c.kind.label("site_kind"))
            .join(sites, sites.c.slug == users.c.site)
            .where(named, users.c.disabled_at.is_(None))
        ).one_or_none()
        found = None if row is None else actor_of(row)
        return found if found is not None and reads(found, step.case.specialty) else None

    def _held_by(self, colleague: Actor, step: Step) -> Mapping[str, Any]:
        """Return what a hand-over changes beside the note: the draft of a holder goes with it."""
        lasts = None if step.case.state is CaseState.WAITING else self._claim_lasts
        held: dict[str, Any] = {
            "holder_id": colleague.id,
            "holder_name": colleague.name,
            "claimed_at": step.now,
            "claim_until": claimed_until(step.now, lasts),
        }
        if step.case.holder_id:
            return held | {"draft_by": colleague.id if step.case.draft is not None else ""}
        if draft_by(step) not in {"", colleague.id}:  # as when it is claimed
            held |= {"draft": None, "draft_by": ""}
        return held

    def _end_claim(self, case_id: str) -> bool:
        with self._database.begin() as conn:
            case, now = self._load(conn, case_id, to_change=True), self._clock()
            if not is_over(case, now=now):  # renewed, signed or handed over meanwhile
                return False
            if is_open(latest(readings_of(conn, case_id))):  # it waits for the second reader
                return False
            step = Step(conn, _WORKER, Event.EXPIRE, case, now)
            say(step, "note", case.holder_name, reason="claim-expired")
            detail = {"holder": case.holder_id, "since": _text_of(case.claimed_at)}
            change = back_to_pool(step)
            self._apply(step, Change(change.state, change.values, detail))
            return True

    def _renew_reading(self, conn: Connection, case: Case, actor: Actor, now: datetime) -> bool:
        """Let a second reading last on, where the actor has one; tell whether that is so."""
        return False


def _handed(step: Step, note: str) -> dict[str, Any]:
    if len(note) > _MOST_NOTE:
        raise Invalid(f"Write a note of at most {_MOST_NOTE} letters.", code="note-too-long")
    return {
        "handed_by_id": step.actor.id,
        "handed_by_name": step.actor.name,
        "handed_note": note.strip(),
        "handed_at": step.now,
    }


def _text_of(at: datetime | None) -> str:
    return "" if at is None else at.isoformat(timespec="seconds")


def lasting(hours: float) -> timedelta | None:
    """Return how long claims last by a setting in hours; 0: until they are given up."""
    return timedelta(hours=hours) if hours else None
