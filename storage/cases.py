"""Reads one case whole, its photographs, and how many cases there are. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, and_, case, func, select, true

from casework.access import Scope, require_visible
from casework.errors import NotFound
from casework.identifiers import derived_uid
from casework.model import Case, CaseDossier, CaseState
from casework.second_readings import as_seen
from storage.case_rows import (
    AnyRow,
    as_case,
    as_message,
    as_outcome,
    as_report,
    as_study,
    case_query,
)
from storage.casebook_tables import captures, case_studies, cases, jobs, messages, outcomes, reports
from storage.database import Database
from storage.outbox import DELIVERY, as_delivery
from storage.reading_rows import readings_of
from storage.tables import studies
from storage.visibility import case_clause
from storage.worklist import Worklist


class CaseReads(Worklist):
    """What can be asked of the casebook without changing it."""

    _database: Database

    def dossier(self, scope: Scope, case_id: str) -> CaseDossier:
        """Return a case with all that hangs on it; out of sight it does not exist."""
        with self._database.read() as conn:
            found = visible_case(conn, scope, case_id)
            outcome = conn.execute(
                select(outcomes).where(outcomes.c.case_id == case_id)
            ).one_or_none()
            whole = CaseDossier(
                case=found,
                studies=tuple(as_study(row) for row in studies_of_case(conn, case_id)),
                messages=tuple(
                    as_message(row)
                    for row in conn.execute(
                        select(messages)
                        .where(messages.c.case_id == case_id)
                        .order_by(messages.c.id)
                    )
                ),
                reports=tuple(
                    as_report(row)
                    for row in conn.execute(
                        select(reports)
                        .where(reports.c.case_id == case_id)
                        .order_by(reports.c.version)
                    )
                ),
                deliveries=tuple(
                    as_delivery(row)
                    for row in conn.execute(
                        select(jobs)
                        .where(jobs.c.kind == DELIVERY, jobs.c.case_id == case_id)
                        .order_by(jobs.c.id)
                    )
                ),
                outcome=None if outcome is None else as_outcome(outcome),
                readings=tuple(readings_of(conn, case_id)),
            )
        is_reader = scope.specialties is not None
        knows = is_reader or scope.sites is None
        return as_seen(whole, actor_id=scope.actor_id, is_reader=is_reader, knows=knows)

    def counts(self, scope: Scope | None = None) -> Mapping[str, int]:
        """Return how many cases there are, in all and in each state."""
        within = true() if scope is None else case_clause(scope)
        asked = select(cases.c.state, func.count()).where(within).group_by(cases.c.state)
        with self._database.read() as conn:
            found = {row[0]: row[1] for row in conn.execute(asked)}
        in_order = {state.value: found[state.value] for state in CaseState if state.value in found}
        return {"total": sum(found.values()), **in_order}

    def capture(self, case_id: str, capture_id: str) -> str | None:
        """Return the SOP Instance UID that a photograph has become, or None."""
        return self.captures(case_id).get(capture_id)

    def captures(self, case_id: str) -> Mapping[str, str]:
        """Return the photographs taken for a case, in order: capture id to SOP Instance UID."""
        asked = (
            select(captures.c.capture_id, captures.c.sop_instance_uid)
            .where(captures.c.case_id == case_id)
            .order_by(captures.c.at, captures.c.capture_id)
        )
        with self._database.read() as conn:
            return {row.capture_id: row.sop_instance_uid for row in conn.execute(asked)}


def visible_case(conn: Connection, scope: Scope, case_id: str, *, to_change: bool = False) -> Case:
    """Return a case within sight, or raise NotFound; one to change waits for other changes."""
    found = case_or_none(conn, case_id, to_change=to_change)
    if found is None:
        raise NotFound(f"There is no case {case_id}.", code="no-such-case")
    require_visible(
        scope, case_id=case_id, site=found.site, specialty=found.specialty, state=found.state
    )
    return found


def case_or_none(conn: Connection, case_id: str, *, to_change: bool = False) -> Case | None:
    """Return a case whoever asks, or None."""
    asked = case_query().where(cases.c.id == case_id)
    if to_change:
        asked = asked.with_for_update(of=cases)
    row = conn.execute(asked).one_or_none()
    return None if row is None else as_case(row)


def studies_of_case(conn: Connection, case_id: str) -> Sequence[AnyRow]:
    """Return the studies of a case, the one reserved for its photographs first."""
    reserved = case_studies.c.study_uid == derived_uid("study", case_id)
    return conn.execute(
        select(
            case_studies.c.site,
            case_studies.c.study_uid,
            studies.c.description,
            studies.c.modalities,
            studies.c.study_date,
            studies.c.study_time,
            studies.c.series_count,
            studies.c.instance_count,
            studies.c.completeness,
            studies.c.completeness_evidence,
            studies.c.expected_instances,
            studies.c.missing_instances,
            studies.c.last_received_at,
        )
        .outerjoin(
            studies,
            and_(
                studies.c.site == case_studies.c.site,
                studies.c.study_uid == case_studies.c.study_uid,
            ),
        )
        .where(case_studies.c.case_id == case_id)
        .order_by(case((reserved, 0), else_=1), case_studies.c.study_uid)
    ).all()
