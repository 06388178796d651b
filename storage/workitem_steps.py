"""What clients of UPS-RS do with work items, as steps of their cases: claim, decline, say, ask.

The rules are those of the pages: `casework.access` says who may, `casework.lifecycle` what follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from casework.access import BY_OWN_SITE, MAY, Scope, require_may, require_visible, scope_of
from casework.audit import Deed
from casework.claims import LEASED, claimed_until
from casework.errors import Conflict, Invalid, NotFound, Refused
from casework.lifecycle import Event
from casework.model import Actor, Case
from casework.workitem_events import CANCEL_ASKED, UPDATED
from casework.workitem_values import Retrieval
from casework.workitems import (
    FINAL,
    Code,
    StepState,
    Told,
    Verdict,
    WorkItem,
    case_of_uid,
    is_work_item,
    judge,
    judge_update,
    step_state,
)
from storage.casebook_tables import cases, workitems
from storage.cases import case_or_none
from storage.criteria import Criterion
from storage.database import insert_if_absent
from storage.erasure_tables import erased_cases, erasures
from storage.ledger import append_entry
from storage.steps import Change, Step, following, say
from storage.verbs import Verbs, declined
from storage.workitem_rows import is_of_claim, kept_told, work_items
from storage.workitem_search import Found, search

_EVENTS: Mapping[StepState, Event] = {
    StepState.SCHEDULED: Event.CLAIM,
    StepState.IN_PROGRESS: Event.CLAIM,
    StepState.COMPLETED: Event.CLAIM,
    StepState.CANCELED: Event.DECLINE,
}
"""Whose roles may ask for a state. Asking for COMPLETED changes nothing: signing does."""

_SAYS: Mapping[Verdict, tuple[str, str]] = {
    Verdict.TRANSACTION_MISSING: ("transaction-missing", "The Transaction UID is missing."),
    Verdict.TRANSACTION_WRONG: ("transaction-wrong", "The Transaction UID is incorrect."),
}
_NO_REASON = "Cancellation requested"


@dataclass(frozen=True)
class Cancellation:
    """A request that somebody else's work item be canceled."""

    reason: str = ""
    codes: tuple[Code, ...] = ()
    contact: str = ""

    @property
    def text(self) -> str:
        """Return why, as people read it."""
        return self.reason.strip() or "; ".join(code.meaning for code in self.codes)


class WorkItems(Verbs):
    """Reads work items, and takes the steps that UPS-RS has."""

    def work_item(self, scope: Scope, uid: str) -> WorkItem:
        """Return a work item within sight, whole; out of sight it does not exist."""
        with self._database.read() as conn:
            of = visible_item(conn, scope, uid)
            return work_items(conn, [of.id], whole=True)[0]

    def search_work_items(
        self,
        scope: Scope,
        criteria: Mapping[str, Criterion],
        retrieval: Retrieval,
        *,
        limit: int,
        offset: int = 0,
        whole: bool = False,
    ) -> tuple[list[Found], bool]:
        """Return a page of the work items within sight that match, and whether there are more."""
        with self._database.read() as conn:
            return search(conn, scope, criteria, retrieval, limit=limit, offset=offset, whole=whole)

    def require_work_item(self, scope: Scope, uid: str) -> None:
        """Raise NotFound unless a work item is within sight."""
        with self._database.read() as conn:
            visible_item(conn, scope, uid)

    def change_state(self, actor: Actor, uid: str, wanted: StepState, transaction_uid: str) -> bool:
        """Bring a work item into a state; tell whether it was there already."""
        case_id = self._case_of(actor, uid)
        already: list[bool] = []

        def decide(step: Step) -> Change | None:
            item = work_items(step.conn, [case_id])[0]
            verdict = judge(item.state, wanted, given=transaction_uid, kept=item.transaction_uid)
            already.append(verdict is Verdict.ALREADY)
            if verdict is Verdict.ALREADY:
                return None
            return self._changing(step, item, verdict, transaction_uid)

        self._take(actor, case_id, _EVENTS[wanted], decide)
        return already[-1]

    def update_work_item(
        self, actor: Actor, uid: str, transaction_uid: str, change: Callable[[Told], Told]
    ) -> None:
        """Let the one who holds a work item say how it goes; comments may be made before that."""
        case_id = self._case_of(actor, uid)
        attempt = "update-work-item"
        with self._noting_refusals(actor, attempt, case_id), self._database.begin() as conn:
            case = visible_item(conn, scope_of(actor), uid, to_change=True)
            _require_part(actor, case)
            item = work_items(conn, [case_id])[0]
            verdict = judge_update(item.state, given=transaction_uid, kept=item.transaction_uid)
            if item.state in FINAL:
                raise Invalid(
                    f"The work item is {item.state.value} and changes no more.", code="final"
                )
            if verdict is not None:
                raise _refusal(verdict, item.state)
            if item.state is StepState.IN_PROGRESS:
                require_may(actor, Event.DRAFT, site=case.site, holder_id=case.holder_id)
            told = change(item.told)
            if item.state is StepState.SCHEDULED and replace(told, comments="") != Told():
                raise Conflict(
                    "Progress is told of a work item that is in progress. Claim it first.",
                    code="not-claimed",
                    state=item.state.value,
                )
            now = self._clock()
            _keep(conn, case, now, told=told)
            if case.state in LEASED:  # who tells of progress works on it
                until = claimed_until(now, self._claim_lasts)
                conn.execute(update(cases).where(cases.c.id == case_id).values(claim_until=until))
            if told.comments and told.comments != item.told.comments:
                say(Step(conn, actor, Event.DRAFT, case, now), "note", told.comments)
            detail = {"state": item.state.value}
            append_entry(conn, Deed(actor, UPDATED, case.id, case.id, detail=detail), at=now)

    def request_cancellation(self, actor: Actor, uid: str, asked: Cancellation) -> bool:
        """Cancel a work item that nobody has claimed, or ask the one who has; tell whether it was
        canceled already.
        """
        case_id = self._case_of(actor, uid)
        attempt = "cancel-work-item"
        with self._noting_refusals(actor, attempt, case_id), self._database.begin() as conn:
            case = visible_item(conn, scope_of(actor), uid, to_change=True)
            _require_part(actor, case)
            state = step_state(case)
            if state is StepState.COMPLETED:
                raise Conflict(
                    "The work item is COMPLETED and is not canceled any more.",
                    code="final",
                    state=state.value,
                )
            if state is StepState.IN_PROGRESS:
                self._ask_holder(conn, actor, case, asked)
            elif state is StepState.SCHEDULED and asked.codes:
                told = replace(work_items(conn, [case_id])[0].told, discontinued=asked.codes)
                _keep(conn, case, self._clock(), told=told)
        if state is StepState.SCHEDULED:
            if _asked_for_it(actor, case):
                self.withdraw(actor, case_id, reason=asked.text)
            else:
                self.decline(actor, case_id, reason=asked.text or _NO_REASON)
        return state is StepState.CANCELED

    def _changing(
        self, step: Step, item: WorkItem, verdict: Verdict, transaction_uid: str
    ) -> Change | None:
        if verdict is Verdict.CLAIM:
            _keep(
                step.conn,
                replace(step.case, holder_id=step.actor.id, claimed_at=step.now),
                step.now,
                told=Told(comments=item.told.comments),
                transaction_uid=transaction_uid,
            )
            return self._claiming(step)
        if verdict is Verdict.TAKE_UP:
            self._claiming(step)  # raises where another holds it
            _keep(step.conn, step.case, step.now, told=item.told, transaction_uid=transaction_uid)
            return None
        if verdict is Verdict.CANCEL:
            return _declining(step, item)
        raise _refusal(verdict, item.state)

    def _ask_holder(self, conn: Connection, actor: Actor, case: Case, asked: Cancellation) -> None:
        now = self._clock()
        contact = f"({asked.contact})" if asked.contact else ""
        text = " ".join(part for part in (asked.text, contact) if part)
        step = Step(conn, actor, Event.WITHDRAW, case, now)
        message_id = say(step, "note", text, reason="cancel-requested")
        deed = Deed(actor, CANCEL_ASKED, case.id, case.id, detail={"message": message_id})
        append_entry(conn, deed, at=now)

    def _case_of(self, actor: Actor, uid: str) -> str:
        """Return the case of a work item within the actor's sight."""
        with self._database.read() as conn:
            return visible_item(conn, scope_of(actor), uid).id


def visible_item(conn: Connection, scope: Scope, uid: str, *, to_change: bool = False) -> Case:
    """Return the case of a work item within sight, or raise NotFound.

    Who may see all that there was of a site is told when it was erased (HTTP 410).
    """
    case_id = _case_id(conn, uid)
    found = None if case_id is None else case_or_none(conn, case_id, to_change=to_change)
    none = NotFound(f"There is no work item {uid[:64]}.", code="no-such-work-item")
    if found is None:
        if case_id is not None and _was_erased(conn, scope, case_id):
            raise NotFound(f"The work item {uid} was erased.", code="work-item-gone")
        raise none
    try:
        require_visible(
            scope, case_id="", site=found.site, specialty=found.specialty, state=found.state
        )
    except NotFound:
        raise none from None
    if not is_work_item(found):
        raise none
    return found


def _case_id(conn: Connection, uid: str) -> str | None:
    given = conn.execute(select(workitems.c.case_id).where(workitems.c.uid == uid)).scalar()
    if given is not None:
        return str(given)
    case_id = case_of_uid(uid)
    named = select(workitems.c.uid).where(workitems.c.case_id == case_id)
    return None if case_id is None or conn.execute(named).scalar() else case_id


def _was_erased(conn: Connection, scope: Scope, case_id: str) -> bool:
    asked = select(erasures.c.tombstone).join(
        erased_cases, erased_cases.c.erasure_id == erasures.c.id
    )
    stone = conn.execute(asked.where(erased_cases.c.case_id == case_id)).scalar()
    if stone is None or scope.specialties is not None:
        return False
    sites: Sequence[str] = stone.get("sites") or ()
    return scope.sites is None or (bool(sites) and set(sites) <= scope.sites)


def _keep(
    conn: Connection,
    case: Case,
    now: datetime,
    *,
    told: Told,
    transaction_uid: str | None = None,
) -> None:
    """Keep what was said of a case as it is held now."""
    claim: dict[str, Any] = {"holder_id": case.holder_id, "claimed_at": case.claimed_at}
    values = {**claim, "told": kept_told(told), "told_at": now}
    insert_if_absent(conn, workitems, [{"case_id": case.id, **values}])
    row = conn.execute(select(workitems).where(workitems.c.case_id == case.id)).one()
    if transaction_uid is not None:
        values["transaction_uid"] = transaction_uid
    elif not is_of_claim(row, case):
        values["transaction_uid"] = ""
    conn.execute(update(workitems).where(workitems.c.case_id == case.id).values(**values))


def _declining(step: Step, item: WorkItem) -> Change:
    """Return the declining of a case by its holder; it needs a reason (PS3.4 CC.2.5.1.3, C304)."""
    if step.case.holder_id != step.actor.id:
        raise Refused("Only the one who holds the work item may cancel it.", code="not-holder")
    told = item.told
    reason = told.reason or "; ".join(code.meaning for code in told.discontinued)
    following(step)
    if not reason.strip():
        raise Conflict(
            "Say first why the work item is canceled: update it with a Reason For Cancellation, "
            "or a Procedure Step Discontinuation Reason Code.",
            code="reason-missing",
            state=item.state.value,
        )
    return declined(step, reason)


def _require_part(actor: Actor, case: Case) -> None:
    """Raise Refused unless the actor has a part in such a case: to ask, to read or to assign."""
    if not _asked_for_it(actor, case) and actor.role not in MAY[Event.DECLINE]:
        raise Refused("Your role has no part in this work item.", code="wrong-role")


def _asked_for_it(actor: Actor, case: Case) -> bool:
    event = Event.WITHDRAW
    return event in BY_OWN_SITE and actor.role in MAY[event] and actor.site == case.site


def _refusal(verdict: Verdict, state: StepState) -> Invalid | Conflict:
    if verdict in _SAYS:
        code, message = _SAYS[verdict]
        return Invalid(message, code=code)
    if verdict is Verdict.NOT_SIGNED:
        return Conflict(
            "The work item is COMPLETED once its report is signed. Sign it first.",
            code="not-signed",
            state=state.value,
        )
    return Conflict(
        f"The work item is {state.value}, and that cannot be done with it now.",
        code="wrong-state",
        state=state.value,
    )
