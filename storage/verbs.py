"""The steps that people take with a case, but for writing findings: submit, claim, ask, answer…"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select

from casework.claims import claimed_until
from casework.errors import Invalid
from casework.lifecycle import HELD, Event
from casework.model import Actor, Case, CaseState, Specialty
from casework.second_readings import require_may_hold
from storage.casebook_tables import ATTACHMENT, captures, cases
from storage.cases import studies_of_case
from storage.due import clocks_of
from storage.joining import Joining
from storage.prior_asking import ask_for_priors
from storage.reading_rows import readings_of
from storage.steps import Change, Step, following, say

NOT_HANDED: Mapping[str, Any] = {
    "handed_by_id": "",
    "handed_by_name": "",
    "handed_note": "",
    "handed_at": None,
}
_NO_HOLDER: Mapping[str, Any] = {
    "holder_id": "",
    "holder_name": "",
    "claimed_at": None,
    "claim_until": None,
    **NOT_HANDED,
}


class Verbs(Joining):
    """Moves cases along; `casework.lifecycle` says from where to where."""

    def submit(self, actor: Actor, case_id: str) -> Case:
        """Send a draft to the specialists; it needs a question, and photographs when it is skin."""

        def decide(step: Step) -> Change:
            state = following(step)
            case = step.case
            if not case.referral.question.strip():
                raise Invalid(
                    "Write what you want to know before you send the case.", code="question-missing"
                )
            if case.specialty is Specialty.DERMATOLOGY and not _has_images(step):
                raise Invalid(
                    "Add at least one photograph before you send the case.", code="photo-missing"
                )
            due_at = clocks_of(step.conn).due_at(step.now, case.priority, case.specialty)
            ask_for_priors(step.conn, case_id=case.id, now=step.now)
            return Change(state, {"submitted_at": step.now, "due_at": due_at})

        return self._take(actor, case_id, Event.SUBMIT, decide)

    def claim(self, actor: Actor, case_id: str) -> Case:
        """Take a case to read it. The present holder may again; another is told who holds it.

        What another reader had drafted is not carried on.
        """

        return self._take(actor, case_id, Event.CLAIM, self._claiming)

    def release(self, actor: Actor, case_id: str) -> Case:
        """Give a case back to the pool."""
        return self._take(actor, case_id, Event.RELEASE, back_to_pool)

    def ask(self, actor: Actor, case_id: str, *, reason: str, text: str) -> Case:
        """Ask the referrer for something; the clock stands until the answer."""

        def decide(step: Step) -> Change:
            state = following(step)
            if not text.strip() and reason.strip() in {"", "other"}:
                raise Invalid("Say what you need to know or see.", code="text-missing")
            why = reason.strip() or "other"
            say(step, "question", text.strip(), reason=why)
            return Change(
                state,
                {"waiting_reason": why, "paused_at": step.now, "claim_until": None},
                detail={"reason": why},
            )

        return self._take(actor, case_id, Event.ASK, decide)

    def answer(
        self, actor: Actor, case_id: str, *, text: str, joining: Collection[str] = ()
    ) -> Case:
        """Answer a reader's question; the case is in the pool again and its clock goes on.

        Studies that came as cases of their own, `joining`, become part of it.
        """

        def decide(step: Step) -> Change:
            change = back_to_pool(step)
            if not text.strip():
                raise Invalid("Write an answer first.", code="text-missing")
            for other in dict.fromkeys(joining):
                self._join(step, other)
            say(step, "answer", text.strip())
            return change

        return self._take(actor, case_id, Event.ANSWER, decide)

    def decline(self, actor: Actor, case_id: str, *, reason: str) -> Case:
        """Refuse to read a case, and say why."""

        return self._take(actor, case_id, Event.DECLINE, lambda step: declined(step, reason))

    def withdraw(self, actor: Actor, case_id: str, *, reason: str) -> Case:
        """Take a referral back."""

        def decide(step: Step) -> Change:
            state = following(step)
            say(step, "withdraw", reason.strip())
            return Change(state, {"waiting_reason": ""})

        return self._take(actor, case_id, Event.WITHDRAW, decide)

    def open_reply(self, actor: Actor, case_id: str) -> Case:
        """Note that a referrer of the site has opened the reply; only the first time counts."""

        def decide(step: Step) -> Change | None:
            if step.case.state in {CaseState.READ, CaseState.CLOSED}:
                return None
            return Change(
                following(step),
                {"read_at": step.now, "escalated_at": None},
                detail={"report_version": step.case.report_version},
            )

        return self._take(actor, case_id, Event.OPEN, decide)

    def acknowledge(self, actor: Actor, case_id: str) -> Case:
        """Take the referrer's word that the reply has been read; the case is closed."""

        def decide(step: Step) -> Change:
            read_at = step.case.read_at or step.now
            return Change(
                following(step),
                {"closed_at": step.now, "read_at": read_at, "escalated_at": None},
                detail={"report_version": step.case.report_version},
            )

        return self._take(actor, case_id, Event.ACKNOWLEDGE, decide)

    def _claiming(self, step: Step) -> Change | None:
        """Return what a claim changes; None when the holder claims again."""
        actor = step.actor
        if step.case.state in HELD:
            if step.case.holder_id == actor.id:
                return None
            raise self._claimed_by_other(step.case, step.now)
        require_may_hold(readings_of(step.conn, step.case.id), actor, step.case)
        values = {
            "holder_id": actor.id,
            "holder_name": actor.name,
            "claimed_at": step.now,
            "claim_until": claimed_until(step.now, self._claim_lasts),
            **NOT_HANDED,
        }
        if draft_by(step) not in {"", actor.id}:
            values |= {"draft": None, "draft_by": ""}
        return Change(following(step), values)


def declined(step: Step, reason: str) -> Change:
    """Return what declining a case changes, having said why."""
    state = following(step)
    if not reason.strip():
        raise Invalid("Say why the case is declined.", code="reason-missing")
    say(step, "decline", reason.strip())
    return Change(state, {"waiting_reason": ""})


def back_to_pool(step: Step) -> Change:
    """Return what giving a case back changes; what was drafted waits for who wrote it."""
    values: dict[str, Any] = {**_NO_HOLDER, "waiting_reason": "", "paused_at": None}
    paused_at = step.conn.execute(
        select(cases.c.paused_at).where(cases.c.id == step.case.id)
    ).scalar_one()
    if paused_at is not None and step.case.due_at is not None:
        values["due_at"] = clocks_of(step.conn).resumed(
            step.case.due_at,
            step.case.priority,
            step.case.specialty,
            paused_at=paused_at,
            now=step.now,
        )
    return Change(following(step), values)


def draft_by(step: Step) -> str:
    """Return who wrote the draft of a case."""
    wrote: str = step.conn.execute(
        select(cases.c.draft_by).where(cases.c.id == step.case.id)
    ).scalar_one()
    return wrote


def _has_images(step: Step) -> bool:
    """Tell whether a case has a photograph taken here, or any image that came by another door;
    a document, or a picture of something else, is none.
    """
    taken = select(captures.c.capture_id).where(
        captures.c.case_id == step.case.id, captures.c.set_aside_at.is_(None)
    )
    names = step.conn.execute(taken).scalars().all()
    beside = sum(name.startswith(ATTACHMENT) for name in names)
    if len(names) > beside:
        return True
    found = sum(row.instance_count or 0 for row in studies_of_case(step.conn, step.case.id))
    return bool(found > beside)
