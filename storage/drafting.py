"""What is done to a referral beside its text: photographs taken out, consents taken back, visits.

Each verb is one transaction. How a draft begins and is edited is `referring`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, or_, select, update

from casework.access import Scope, scope_of
from casework.audit import Deed
from casework.consents import without
from casework.errors import Conflict, NotFound, Unavailable
from casework.lifecycle import Event
from casework.model import Actor, Case, CaseState, Specialty
from casework.photo_notes import PhotoNote, note_of
from casework.visits import VISIT, lacks, visit_of
from storage.case_rows import as_case, case_query
from storage.casebook_tables import ATTACHMENT, captures, cases
from storage.ledger import append_entry
from storage.photo_aside import hide
from storage.steps import Change, Step, Steps
from storage.visibility import case_clause

_MOST_DRAFTS = 20


@dataclass(frozen=True)
class DraftRow:
    """A case of a visit, with how many photographs it has and what it lacks to be sent."""

    case: Case
    pictures: int
    lacks: tuple[str, ...]


class Drafting(Steps):
    """Keeps drafts in order, and knows which cases are of one visit."""

    def set_photo_aside(self, actor: Actor, case_id: str, ref: str) -> Case:
        """Take a photograph out of a draft, by its capture id or its UID; its bytes are kept."""

        def decide(step: Step) -> Change | None:
            if step.case.state is not CaseState.DRAFT:
                raise Conflict(
                    "The case has been sent, and its photographs stay. "
                    "Say in the conversation which one to look past.",
                    code="wrong-state",
                    state=step.case.state.value,
                )
            row = step.conn.execute(
                select(captures).where(
                    captures.c.case_id == case_id,
                    or_(captures.c.capture_id == ref, captures.c.sop_instance_uid == ref),
                )
            ).one_or_none()
            if row is None:
                raise NotFound("The case has no such photograph.", code="no-such-photo")
            if row.set_aside_at is not None:
                return None
            step.conn.execute(
                update(captures)
                .where(captures.c.case_id == case_id, captures.c.capture_id == row.capture_id)
                .values(set_aside_at=step.now, set_aside_by=actor.id)
            )
            uid = row.sop_instance_uid
            if not hide(
                step.conn,
                site=step.case.site,
                sop_instance_uid=uid,
                case_id=case_id,
                by=actor.id,
                now=step.now,
            ):
                raise Unavailable(
                    "The photograph is not in the index yet. Take it out again in a moment.",
                    code="not-indexed",
                )
            deed = Deed(actor, "photo-set-aside", case_id, case_id, detail={"sop": uid})
            append_entry(step.conn, deed, at=step.now)
            return Change(step.case.state, silent=True)

        return self._take(actor, case_id, Event.SUBMIT, decide)

    def withdraw_consent(self, actor: Actor, case_id: str, purpose: str) -> Case:
        """Take back what the patient had agreed to beside the assessment, whenever that is."""

        def decide(step: Step) -> Change | None:
            consent = without(step.case.referral.consent, purpose, by=actor.name, at=step.now)
            if consent is None:
                return None
            deed = Deed(actor, "consent-withdrawn", case_id, case_id, detail={"purpose": purpose})
            append_entry(step.conn, deed, at=step.now)
            return Change(step.case.state, {"consent": consent}, silent=True)

        return self._take(actor, case_id, Event.SUBMIT, decide)

    def visit(self, scope: Scope, case: Case) -> Sequence[DraftRow]:
        """Return the cases of a case's visit within sight, in the order in which they began."""
        if case.specialty is not Specialty.DERMATOLOGY:
            return ()
        number = visit_of(case)
        with self._database.read() as conn:
            whose = select(cases.c.patient_issuer, cases.c.patient_id).where(cases.c.id == case.id)
            issuer, patient = conn.execute(whose).one()
            found = conn.execute(
                case_query()
                .where(
                    case_clause(scope),
                    cases.c.site == case.site,
                    cases.c.patient_issuer == issuer,
                    cases.c.patient_id == patient,
                    cases.c.specialty == Specialty.DERMATOLOGY,
                    cases.c.state != CaseState.WITHDRAWN,
                    or_(cases.c.id == number, cases.c.clinical[VISIT].as_string() == number),
                )
                .order_by(cases.c.id != number, cases.c.created_at, cases.c.id)
            ).all()
            return _with_pictures(conn, [as_case(row) for row in found])

    def drafts_of(self, actor: Actor) -> Sequence[DraftRow]:
        """Return the skin drafts that somebody has begun and not sent, the newest first."""
        with self._database.read() as conn:
            found = conn.execute(
                case_query()
                .where(
                    case_clause(scope_of(actor)),
                    cases.c.created_by == actor.id,
                    cases.c.site == actor.site,
                    cases.c.state == CaseState.DRAFT,
                    cases.c.specialty == Specialty.DERMATOLOGY,
                )
                .order_by(cases.c.created_at.desc(), cases.c.id)
                .limit(_MOST_DRAFTS)
            ).all()
            return _with_pictures(conn, [as_case(row) for row in found])

    def last_category(self, actor: Actor) -> str:
        """Return what kind of skin change somebody has asked about last; empty at first."""
        with self._database.read() as conn:
            found = conn.execute(
                select(cases.c.clinical["category"].as_string())
                .where(cases.c.created_by == actor.id, cases.c.specialty == Specialty.DERMATOLOGY)
                .order_by(cases.c.created_at.desc())
                .limit(1)
            ).scalar_one_or_none()
        return found or ""

    def photo_notes(self, case_id: str) -> Sequence[PhotoNote]:
        """Return what the check found wrong with the photographs that a case shows."""
        with self._database.read() as conn:
            found = conn.execute(
                select(captures.c.sop_instance_uid, captures.c.judged)
                .where(captures.c.case_id == case_id, captures.c.set_aside_at.is_(None))
                .order_by(captures.c.at, captures.c.capture_id)
            ).all()
        return [note_of(row.sop_instance_uid, row.judged) for row in found if row.judged]


def _with_pictures(conn: Connection, found: Sequence[Case]) -> Sequence[DraftRow]:
    counted = select(captures.c.case_id, func.count()).where(
        captures.c.case_id.in_([case.id for case in found]),
        captures.c.set_aside_at.is_(None),
        ~captures.c.capture_id.startswith(ATTACHMENT),
    )
    of_case: dict[str, int] = {
        row[0]: row[1] for row in conn.execute(counted.group_by(captures.c.case_id))
    }
    return [
        DraftRow(case, of_case.get(case.id, 0), lacks(case, of_case.get(case.id, 0)))
        for case in found
    ]
