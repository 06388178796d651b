"""Keeps what a case was in the end, as histology or a later visit has shown."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert

from casework.access import may_note_outcome, require_visible, scope_of
from casework.audit import Deed
from casework.errors import Conflict, Invalid, Refused
from casework.lifecycle import REPLIED
from casework.model import Actor
from casework.outcomes import BASES, MALIGNANT, Outcome
from storage.casebook_tables import outcomes
from storage.ledger import append_entry
from storage.steps import Steps

_MOST_CHARACTERS = 500
NOTED = "outcome-noted"


class Outcomes(Steps):
    """Takes and gives the outcomes of cases that were answered."""

    def note_outcome(self, actor: Actor, case_id: str, outcome: Outcome) -> Outcome:
        """Keep what a case was in the end; a later word takes the place of an earlier one.

        Who may see the case may say it, but for administrators. Refused of a case without a reply.
        """
        with self._noting_refusals(actor, "note-outcome", case_id), self._database.begin() as conn:
            case = self._load(conn, case_id, to_change=True)
            require_visible(
                scope_of(actor),
                case_id=case.id,
                site=case.site,
                specialty=case.specialty,
                state=case.state,
            )
            if not may_note_outcome(actor):
                raise Refused(
                    "Your role may not say what a case was. Ask a clinician.", code="wrong-role"
                )
            if case.state not in REPLIED:
                raise Conflict(
                    "The case has no signed reply yet. Say what it was once it has.",
                    code="wrong-state",
                    state=case.state.value,
                )
            kept, now = _normal(outcome), self._clock()
            conn.execute(delete(outcomes).where(outcomes.c.case_id == case_id))
            conn.execute(insert(outcomes).values(case_id=case_id, **_values(kept, actor, now)))
            detail = {"basis": kept.basis, "malignant": kept.malignant}
            append_entry(conn, Deed(actor, NOTED, case_id, case_id, detail=detail), at=now)
        return kept


def _normal(outcome: Outcome) -> Outcome:
    text = " ".join(outcome.text.split())
    if not text or len(text) > _MOST_CHARACTERS:
        raise Invalid(
            f"Write what it was, in 1 to {_MOST_CHARACTERS} characters.", code="outcome-missing"
        )
    if outcome.basis not in BASES:
        raise Invalid(
            f"An outcome rests on {' or '.join(BASES)}, not on {outcome.basis!r}.",
            code="unknown-basis",
        )
    if outcome.malignant not in MALIGNANT:
        raise Invalid(f"malignant is one of {', '.join(MALIGNANT)}.", code="unknown-malignant")
    code, system = outcome.code.strip(), outcome.system.strip()
    if bool(code) != bool(system):
        raise Invalid(
            "A code has a system, as icd-10 or sct: give both or none.", code="code-without-system"
        )
    return Outcome(outcome.basis, text, code, system, outcome.malignant)


def _values(outcome: Outcome, actor: Actor, now: datetime) -> dict[str, object]:
    return {
        "basis": outcome.basis,
        "text": outcome.text,
        "code": outcome.code,
        "system": outcome.system,
        "malignant": outcome.malignant,
        "noted_by": actor.name,
        "noted_at": now,
    }
