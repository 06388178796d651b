"""Takes a study that has become a case by itself into the case that had asked for it.

The other case is withdrawn in the same transaction and says where its images are now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from casework.access import Scope, require_may, scope_of
from casework.errors import Conflict
from casework.lifecycle import Event
from casework.model import Case, CaseState
from storage.case_rows import modalities_of
from storage.casebook_tables import case_studies, cases
from storage.cases import visible_case
from storage.order_tables import orders
from storage.steps import Change, Step, Steps, following, say
from storage.tables import studies
from storage.visibility import case_clause

_MOST = 10


@dataclass(frozen=True)
class Joinable:
    """A study that has come since a question, and the case that it is by itself."""

    case_id: str
    description: str
    modalities: tuple[str, ...]
    instance_count: int
    came_at: datetime


class Joining(Steps):
    """Joins cases of one patient while the first waits for its referrer."""

    def joinable(self, scope: Scope, case: Case) -> Sequence[Joinable]:
        """Return the studies of a case's patient that have come since it waits."""
        if case.state is not CaseState.WAITING:
            return ()
        with self._database.read() as conn:
            own = conn.execute(
                select(cases.c.patient_issuer, cases.c.paused_at).where(cases.c.id == case.id)
            ).one()
            found = conn.execute(
                select(
                    cases.c.id,
                    cases.c.created_at,
                    studies.c.description,
                    studies.c.modalities,
                    studies.c.instance_count,
                )
                .join(studies, studies.c.case_id == cases.c.id)
                .where(
                    case_clause(scope),
                    cases.c.id != case.id,
                    cases.c.site == case.site,
                    cases.c.specialty == case.specialty,
                    cases.c.patient_id == case.patient.id,
                    cases.c.patient_issuer == own.patient_issuer,
                    cases.c.state == CaseState.SUBMITTED,
                    cases.c.created_at >= own.paused_at,
                )
                .order_by(cases.c.created_at.desc(), cases.c.id)
                .limit(_MOST)
            )
            return [
                Joinable(
                    row.id,
                    row.description,
                    modalities_of(row.modalities),
                    row.instance_count,
                    row.created_at,
                )
                for row in found
            ]

    def _join(self, step: Step, other_id: str) -> None:
        """Take the studies of another case into the case of a step, and withdraw that one."""
        conn, case = step.conn, step.case
        other = visible_case(conn, scope_of(step.actor), other_id, to_change=True)
        is_same = (other.site, other.specialty, other.patient.id, other.patient.issuer) == (
            case.site, case.specialty, case.patient.id, case.patient.issuer,
        )  # fmt: skip
        if not is_same or other.id == case.id or other.state is not CaseState.SUBMITTED:
            raise Conflict(
                "The other case is not of this patient, or somebody reads it already. "
                "Send the answer without it.",
                code="cannot-join",
                state=other.state.value,
            )
        require_may(step.actor, Event.WITHDRAW, site=other.site, holder_id=other.holder_id)
        side = Step(conn, step.actor, Event.WITHDRAW, other, step.now)
        say(side, "withdraw", f"Its images are in case {case.id}, which had asked for them.")
        self._apply(side, Change(following(side), detail={"joined_to": case.id}))
        for table in (case_studies, studies, orders):
            conn.execute(update(table).where(table.c.case_id == other.id).values(case_id=case.id))
