"""Gathers what a subscriber is to be told next: the events since the last time, of one moment.

Reads only; what was sent is noted by `subscriptions`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, and_, select

from casework.access import Scope, scope_of
from casework.model import Actor
from casework.workitem_events import (
    Report,
    Worklist,
    is_subscribed,
    reports_of,
    state_report,
    states_around,
)
from casework.workitem_values import Retrieval, readiness_of, values_of
from casework.workitems import CASE_STATES, FINAL, StepState, WorkItem, is_work_item
from storage.casebook_tables import case_studies, cases
from storage.criteria import Criterion, OneOf
from storage.database import Database
from storage.subscriptions import Standing, happenings, standing
from storage.tables import studies
from storage.workitem_rows import work_items
from storage.workitem_search import fits, read_keys, search

_MOST_ENTRIES = 500
_MOST_FIRST = 5000  # open work items that are reported when a worklist is subscribed to
_OPEN_CASES = sorted(
    case.value for step, states in CASE_STATES.items() if step not in FINAL for case in states
)
_OPEN = OneOf(tuple(sorted({state.value for state in StepState} - {s.value for s in FINAL})))


@dataclass(frozen=True)
class News:
    """What is to be told, and what to note once it was."""

    reports: tuple[Report, ...]
    seq: int
    is_all: bool
    told: tuple[str, ...] = ()
    went_down: bool = False


def news_for(
    database: Database, actor: Actor, ae_title: str, *, after: int | None, requesting_ae: str
) -> News | None:
    """Return what a subscriber is told after an entry (None: the last it was told), or None where
    there is no such subscriber.
    """
    scope = scope_of(actor)
    with database.read() as conn:
        known = standing(conn, actor, ae_title)
        if known is None:
            return None
        start = known.sent_seq if after is None else after
        found, seq = happenings(conn, after=start, limit=_MOST_ENTRIES)
        is_all = len(found) < _MOST_ENTRIES
        items = _visible(conn, scope, {each.case_id for each in found})
        worklist_of = _worklists(known)
        reports = [
            report
            for each in found
            if (item := items.get(each.case_id)) is not None
            and is_subscribed(
                item, worklist_of(item), known.cases.get(each.case_id), states_around(each)
            )
            for report in reports_of(each, item, requesting_ae=requesting_ae)
        ]
        told: list[str] = []
        if is_all:
            reports += [state_report(item, item.state) for item in _first(conn, scope, known)]
            told += known.untold.values()
            told += [] if known.is_told else [known.worklist]
        return News(tuple(reports), seq, is_all, tuple(told), known.went_down)


def readiness_of_open(database: Database) -> dict[str, str]:
    """Return the readiness of every work item that is not finished, by case."""
    of_case: dict[str, list[tuple[str, int]]] = defaultdict(list)
    asked = (
        select(case_studies.c.case_id, studies.c.completeness, studies.c.instance_count)
        .join(cases, cases.c.id == case_studies.c.case_id)
        .outerjoin(
            studies,
            and_(
                studies.c.site == case_studies.c.site,
                studies.c.study_uid == case_studies.c.study_uid,
            ),
        )
        .where(cases.c.state.in_(_OPEN_CASES))
    )
    with database.read() as conn:
        for row in conn.execute(asked):
            of_case[row.case_id].append((row.completeness or "arriving", row.instance_count or 0))
    return {case_id: readiness_of(found) for case_id, found in of_case.items()}


def readiness_reports(
    database: Database, actor: Actor, ae_title: str, case_ids: Iterable[str]
) -> tuple[Report, ...]:
    """Return what a subscriber is told of work items whose readiness has changed."""
    with database.read() as conn:
        known = standing(conn, actor, ae_title)
        if known is None:
            return ()
        worklist_of = _worklists(known)
        return tuple(
            state_report(item, item.state)
            for case_id, item in _visible(conn, scope_of(actor), set(case_ids)).items()
            if is_subscribed(
                item, worklist_of(item), known.cases.get(case_id), frozenset({item.state})
            )
        )


def _visible(conn: Connection, scope: Scope, ids: set[str]) -> Mapping[str, WorkItem]:
    items = work_items(conn, sorted(ids))
    return {
        item.case.id: item
        for item in items
        if is_work_item(item.case)
        and scope.covers_case(
            site=item.case.site, specialty=item.case.specialty, state=item.case.state
        )
    }


def _worklists(known: Standing) -> Callable[[WorkItem], Worklist | None]:
    criteria = read_keys(known.keys)

    def of(item: WorkItem) -> Worklist | None:
        if not known.worklist:
            return None
        values = values_of(item, Retrieval("", ""))

        def fits_in(state: StepState) -> bool:
            return fits({**values, "ProcedureStepState": state.value}, criteria)

        return Worklist(fits_in, known.suspended_at)

    return of


def _first(conn: Connection, scope: Scope, known: Standing) -> Iterator[WorkItem]:
    """Give the work items of subscriptions that are new, as they are now; of the worklist, what is
    not finished.
    """
    yield from _visible(conn, scope, set(known.untold)).values()
    if known.is_told:
        return
    criteria: dict[str, Criterion] = {"ProcedureStepState": _OPEN, **read_keys(known.keys)}
    found, _ = search(conn, scope, criteria, Retrieval("", ""), limit=_MOST_FIRST)
    for each in found:
        if each.item.state not in FINAL and known.cases.get(each.item.case.id) is not False:
            yield each.item
