"""Finds work items: the keys of a query by the one matching engine, narrowed in SQL where it can.

A key that has a column, or can be turned into one, is asked of the database; every other is matched
on the values of the work item, as is each that the database answers only roughly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select

from casework.access import Scope
from casework.model import CaseState, Specialty
from casework.workitem_values import Retrieval, label_of, values_of
from casework.workitems import CASE_STATES, PRIORITIES, StepState, WorkItem, case_of_uid
from storage.casebook_tables import case_studies, cases, workitems
from storage.criteria import Between, Criterion, Item, Name, OneOf
from storage.matching import Key, criterion
from storage.tables import studies
from storage.visibility import case_clause
from storage.workitem_rows import work_items
from storage.worklist_page import Filters, ids_on_page

_WINDOW = 500
_ASKED = frozenset(CaseState) - {CaseState.DRAFT}
_OBJECTS = frozenset({"InputInformationSequence", "UnifiedProcedureStepPerformedProcedureSequence"})
_NEVER = frozenset({"TransactionUID", "SpecificCharacterSet"})
"""Keys that are not matched: the lock of a claim (PS3.4 table CC.2.5-3), and the encoding."""

_Clause = ColumnElement[bool]


@dataclass(frozen=True)
class Found:
    """A work item that matches, with its values."""

    item: WorkItem
    values: Mapping[str, Any]


def read_keys(keys: Mapping[str, Key], *, fuzzy: bool = False) -> dict[str, Criterion]:
    """Return what the keys of a query ask for, or raise Invalid when one cannot be understood."""
    asked = {k: criterion(k, key, fuzzy=fuzzy) for k, key in keys.items() if k not in _NEVER}
    return {keyword: wanted for keyword, wanted in asked.items() if wanted is not None}


def fits(values: Mapping[str, Any], criteria: Mapping[str, Criterion]) -> bool:
    """Tell whether a work item with these values matches."""
    return all(wanted.covers(values.get(keyword)) for keyword, wanted in criteria.items())


def search(
    conn: Connection,
    scope: Scope,
    criteria: Mapping[str, Criterion],
    retrieval: Retrieval,
    *,
    limit: int,
    offset: int = 0,
    whole: bool = False,
) -> tuple[list[Found], bool]:
    """Return a page of the work items within sight that match, and whether there are more.

    `whole` gives the objects to read and those made too; what a key asks of them does so anyway.
    """
    plan = _plan(criteria)
    whole = whole or bool(_OBJECTS & criteria.keys())
    exact = not plan.rest
    wanted = limit + 1 if exact else offset + limit + 1
    at, size = (offset, wanted) if exact else (0, _WINDOW)
    found: list[Found] = []
    while len(found) < wanted:
        ids = _page(conn, scope, plan, limit=size, offset=at)
        items = work_items(conn, ids, whole=whole)
        pairs = (Found(item, values_of(item, retrieval)) for item in items)
        found += [pair for pair in pairs if fits(pair.values, plan.rest)]
        if len(ids) < size:
            break
        at += size
    page = found if exact else found[offset:]
    return page[:limit], len(page) > limit


@dataclass
class _Plan:
    """What the database is asked, and what is left to be matched."""

    states: frozenset[CaseState] = _ASKED
    clauses: list[_Clause] = field(default_factory=list)
    is_narrow: bool = False  # a clause finds few by an index
    rest: dict[str, Criterion] = field(default_factory=dict)


def _page(conn: Connection, scope: Scope, plan: _Plan, *, limit: int, offset: int) -> list[str]:
    also = (cases.c.submitted_at.is_not(None), *plan.clauses)
    if not plan.is_narrow:
        filters = Filters(scope, states=plan.states, also=also)
        return ids_on_page(conn, filters, limit=limit, offset=offset)
    at = func.coalesce(cases.c.signed_at, cases.c.submitted_at)
    asked = select(cases.c.id).where(
        case_clause(scope), cases.c.state.in_(sorted(plan.states)), *also
    )
    page = asked.order_by(at.desc(), cases.c.id.desc()).limit(limit).offset(offset)
    return list(conn.execute(page).scalars())


def _plan(criteria: Mapping[str, Criterion]) -> _Plan:
    plan = _Plan()
    for keyword, wanted in criteria.items():
        reader = _READERS.get(keyword)
        if reader is None or not reader(plan, wanted):
            plan.rest[keyword] = wanted
    return plan


def _of_state(plan: _Plan, wanted: Criterion) -> bool:
    steps = [step for step in StepState if wanted.covers(step.value)]
    plan.states = _ASKED & frozenset(state for step in steps for state in CASE_STATES[step])
    if (StepState.COMPLETED in steps) != (StepState.CANCELED in steps):
        answered = cases.c.report_version > 0
        is_closed = cases.c.state == CaseState.CLOSED.value
        ended = answered if StepState.COMPLETED in steps else ~answered
        plan.clauses.append(or_(~is_closed, ended))
    return True


def _of_priority(plan: _Plan, wanted: Criterion) -> bool:
    named = [p.value for p, text in PRIORITIES.items() if wanted.covers(text)]
    plan.clauses.append(cases.c.priority.in_(named))
    return True


def _of_label(plan: _Plan, wanted: Criterion) -> bool:
    named = [specialty.value for specialty in Specialty if wanted.covers(label_of(specialty))]
    plan.clauses.append(cases.c.specialty.in_(named))
    return True


def _of_uid(plan: _Plan, wanted: Criterion) -> bool:
    if not isinstance(wanted, OneOf):
        return False
    derived = [case_id for uid in wanted.values if (case_id := case_of_uid(uid)) is not None]
    own = select(workitems.c.case_id).where(workitems.c.uid.in_(wanted.values))
    plan.clauses.append(or_(cases.c.id.in_(derived), cases.c.id.in_(own)))
    plan.is_narrow = True
    return False  # a case that a client has named has no other UID


def _of_patient(plan: _Plan, wanted: Criterion) -> bool:
    plan.clauses.append(wanted.clause(cases.c.patient_id))
    plan.is_narrow |= isinstance(wanted, OneOf)
    return True


def _of_name(plan: _Plan, wanted: Criterion) -> bool:
    if isinstance(wanted, Name) and wanted.groups[0] is not None:
        alphabetic = wanted.groups[0].clause(cases.c.patient_name_fold)
        plan.clauses.append(or_(alphabetic, cases.c.patient_name.contains("=")))
    return False  # a name may have other groups, which are not kept folded


def _of_start(plan: _Plan, wanted: Criterion) -> bool:
    if isinstance(wanted, Between):
        low, high = _moment(wanted.low), _moment(wanted.high)
        plan.clauses += [] if low is None else [cases.c.submitted_at >= low]
        plan.clauses += [] if high is None else [cases.c.submitted_at <= high]
    return False


def _of_studies(plan: _Plan, wanted: Criterion) -> bool:
    """Narrow by the study or the accession number of a sequence's item."""
    if isinstance(wanted, Item):
        _of_study(plan, wanted.criteria.get("StudyInstanceUID"))
        accession = wanted.criteria.get("AccessionNumber")
        if isinstance(accession, OneOf):
            having = accession.clause(studies.c.accession_number)
            of = select(studies.c.case_id).where(having, studies.c.case_id.is_not(None))
            plan.clauses.append(cases.c.id.in_(of))
            plan.is_narrow = True
    return False


def _of_study(plan: _Plan, wanted: Criterion | None) -> bool:
    if isinstance(wanted, OneOf):
        of = select(case_studies.c.case_id).where(wanted.clause(case_studies.c.study_uid))
        plan.clauses.append(cases.c.id.in_(of))
        plan.is_narrow = True
    return False


def _moment(text: str) -> datetime | None:
    """Return the moment of a normal form of a date and time, or None where there is none."""
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S.%f").replace(tzinfo=UTC)
    except ValueError:
        return None


_READERS: Mapping[str, Any] = {
    "ProcedureStepState": _of_state,
    "ScheduledProcedureStepPriority": _of_priority,
    "WorklistLabel": _of_label,
    "SOPInstanceUID": _of_uid,
    "PatientID": _of_patient,
    "PatientName": _of_name,
    "ScheduledProcedureStepStartDateTime": _of_start,
    "StudyInstanceUID": _of_study,
    "ReferencedRequestSequence": _of_studies,
    "InputInformationSequence": _of_studies,
}
