"""The worklist: which cases, in which order, each as a row with what the index counts of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, or_, select, tuple_

from casework.access import Scope
from casework.lifecycle import WAITS_FOR_SPECIALIST
from casework.model import Case, CaseState, CaseSummary, Priority, Specialty
from storage.case_rows import AnyRow, as_case, case_query, modalities_of
from storage.casebook_tables import cases, sites
from storage.database import Database
from storage.folding import fold_text
from storage.tables import patients, studies
from storage.visibility import case_clause, study_clause

_PRIORITY_RANK = {
    priority.value: rank
    for rank, priority in enumerate(
        (Priority.STAT, Priority.ASAP, Priority.URGENT, Priority.ROUTINE)
    )
}
_PRESSING = [state.value for state in WAITS_FOR_SPECIALIST]
_MOST = 500


class Worklist:
    """Lists the cases within a scope."""

    _database: Database

    def list_cases(  # noqa: PLR0913 - a filter each
        self,
        scope: Scope,
        *,
        states: Collection[CaseState] | None = None,
        specialty: Specialty | None = None,
        site: str | None = None,
        priority: Priority | None = None,
        holder: str | None = None,
        mine: str | None = None,
        q: str | None = None,
        limit: int = 50,
        page: int = 1,
    ) -> tuple[list[CaseSummary], bool]:
        """Return a page of the worklist, the most pressing first, and whether there is more.

        `holder` is who has claimed a case; `mine` who has claimed or asked it; `q` is part of a
        number, or the beginning of a name, or part of a description or a site's name.
        """
        wanted = [case_clause(scope)]
        if states is not None:
            wanted.append(cases.c.state.in_([state.value for state in states]))
        if specialty is not None:
            wanted.append(cases.c.specialty == specialty.value)
        if site is not None:
            wanted.append(cases.c.site == site)
        if priority is not None:
            wanted.append(cases.c.priority == priority.value)
        if holder is not None:
            wanted.append(cases.c.holder_id == holder)
        if mine is not None:
            wanted.append(or_(cases.c.holder_id == mine, cases.c.created_by == mine))
        limit = max(1, min(limit, _MOST))
        with self._database.read() as conn:
            if q:
                wanted.append(_search(q, _site_names(conn)))
            asked = case_query().where(*wanted).order_by(*_worklist_order())
            rows = conn.execute(asked.limit(limit + 1).offset((page - 1) * limit)).all()
            return _summaries(conn, scope, rows[:limit]), len(rows) > limit


def _worklist_order() -> tuple[ColumnElement[object], ...]:
    """Return the order: what waits, by priority and time; then the rest, newest first."""
    pressing = cases.c.state.in_(_PRESSING)
    waiting = cases.c.state == CaseState.WAITING.value
    rank = case(_PRIORITY_RANK, value=cases.c.priority, else_=len(_PRIORITY_RANK))
    return (
        case((pressing, 0), (waiting, 1), else_=2),
        case((or_(pressing, waiting), rank), else_=0),
        case((or_(pressing, waiting), cases.c.due_at), else_=None).asc().nulls_last(),
        func.coalesce(cases.c.signed_at, cases.c.submitted_at, cases.c.created_at).desc(),
        cases.c.id,
    )


def _site_names(conn: Connection) -> dict[str, str]:
    return {row.slug: fold_text(row.name) for row in conn.execute(select(sites))}


def _search(q: str, site_names: Mapping[str, str]) -> ColumnElement[bool]:
    """Return the condition that every word of a search fits something of a case."""
    return and_(*(_word(word, site_names) for word in q.split()))


def _word(word: str, site_names: Mapping[str, str]) -> ColumnElement[bool]:
    folded = fold_text(word).replace(",", "")
    of_sites = [slug for slug, name in site_names.items() if folded in name or folded == slug]
    name = cases.c.patient_name_fold
    return or_(
        cases.c.id.startswith(word.upper(), autoescape=True),
        cases.c.patient_id.startswith(word, autoescape=True),
        name.startswith(folded, autoescape=True),
        *(name.contains(f"{gap}{folded}", autoescape=True) for gap in ("^", " ", "-")),
        cases.c.site.in_(of_sites),
        exists().where(
            studies.c.case_id == cases.c.id,
            func.lower(studies.c.description).contains(word.lower(), autoescape=True),
        ),
    )


def _summaries(conn: Connection, scope: Scope, rows: Sequence[AnyRow]) -> list[CaseSummary]:
    if not rows:
        return []
    of_case: dict[str, list[AnyRow]] = defaultdict(list)
    for row in conn.execute(
        select(
            studies.c.case_id,
            studies.c.description,
            studies.c.modalities,
            studies.c.series_count,
            studies.c.instance_count,
            studies.c.completeness,
            studies.c.missing_instances,
        )
        .where(studies.c.case_id.in_([row.id for row in rows]))
        .order_by(studies.c.pk)
    ):
        of_case[row.case_id].append(row)
    priors = _prior_counts(conn, scope, rows)
    return [_summary(as_case(row), of_case[row.id], priors[row.id]) for row in rows]


def _summary(of: Case, rows: Sequence[AnyRow], prior_count: int) -> CaseSummary:
    count = sum(row.instance_count for row in rows)
    missing = sum(row.missing_instances for row in rows)
    return CaseSummary(
        case=of,
        modalities=tuple(sorted({name for row in rows for name in modalities_of(row.modalities)})),
        description=next((row.description for row in rows if row.description), ""),
        series_count=sum(row.series_count for row in rows),
        instance_count=count,
        completeness=_least_complete([row.completeness for row in rows]),
        expected_instances=count + missing if missing else None,
        missing_instances=missing,
        prior_count=prior_count,
    )


def _least_complete(found: Sequence[str]) -> str:
    """Return how complete the studies of a case are together: as the least complete of them."""
    return next((each for each in ("arriving", "presumed", "complete") if each in found), "")


def _prior_counts(conn: Connection, scope: Scope, rows: Sequence[AnyRow]) -> dict[str, int]:
    """Return how many other studies of the patient of each case are within sight."""
    number = (patients.c.site, patients.c.issuer, patients.c.patient_id)
    found: dict[tuple[str, ...], list[AnyRow]] = defaultdict(list)
    for row in conn.execute(
        select(*number, studies.c.case_id, func.count().label("how_many"))
        .join(studies, studies.c.patient_pk == patients.c.pk)
        .where(tuple_(*number).in_([_number(row) for row in rows]), study_clause(scope))
        .group_by(*number, studies.c.case_id)
    ):
        found[row.site, row.issuer, row.patient_id].append(row)
    return {
        row.id: sum(each.how_many for each in found[_number(row)] if each.case_id != row.id)
        for row in rows
    }


def _number(row: AnyRow) -> tuple[str, str, str]:
    return row.site, row.patient_issuer, row.patient_id
