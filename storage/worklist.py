"""The worklist: which cases, in which order, each as a row with what the index counts of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime

from sqlalchemy import Connection, select

from casework.access import Scope
from casework.model import Case, CaseState, CaseSummary, Priority, Specialty
from casework.saved_filters import Mark
from storage.case_rows import AnyRow, as_case, case_query, modalities_of
from storage.casebook_tables import cases
from storage.database import Database
from storage.prior_counts import prior_counts
from storage.prior_people import day_of
from storage.tables import studies
from storage.worklist_marks import Notes, marked, notes_of
from storage.worklist_page import Filters, ids_on_page

_MOST = 500


class Worklist:
    """Lists the cases within a scope."""

    _database: Database
    _clock: Callable[[], datetime]

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
        priorities: Collection[Priority] | None = None,
        mark: Mark | None = None,
        limit: int = 50,
        page: int = 1,
    ) -> tuple[list[CaseSummary], bool]:
        """Return a page of the worklist, the most pressing first, and whether there is more.

        `holder` is who has claimed a case; `mine` who has claimed or asked it; `q` is part of a
        number, or the beginning of a name, or part of a site's name; or part of a description, of
        open cases and the newest of the others. `mark` is what else they are picked by.
        """
        limit = max(1, min(limit, _MOST))
        filters = marked(
            Filters(scope, states, specialty, site, priority, holder, mine, q),
            priorities=priorities,
            mark=mark,
            now=self._clock(),
        )
        with self._database.read() as conn:
            ids = ids_on_page(conn, filters, limit=limit + 1, offset=(page - 1) * limit)
            found = conn.execute(case_query().where(cases.c.id.in_(ids[:limit]))).all()
            rows = sorted(found, key=lambda row: ids.index(row.id))
            return _summaries(conn, scope, rows), len(ids) > limit


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
            studies.c.study_date,
        )
        .where(studies.c.case_id.in_([row.id for row in rows]))
        .order_by(studies.c.pk)
    ):
        of_case[row.case_id].append(row)
    days = {row.id: _day(row, of_case[row.id]) for row in rows}
    priors = prior_counts(conn, scope, rows, days)
    notes = notes_of(conn, rows)
    return [_summary(as_case(r), of_case[r.id], priors[r.id], notes[r.id]) for r in rows]


def _summary(of: Case, rows: Sequence[AnyRow], prior_count: int, notes: Notes) -> CaseSummary:
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
        warned_count=notes.warned_count,
        worst_warning=notes.worst_warning,
        added_since_report=notes.added_since_report,
        reading=notes.reading,
    )


def _day(row: AnyRow, of_case: Sequence[AnyRow]) -> date:
    """Return the day of a case: of its newest study, else on which it was sent."""
    known = [day for each in of_case if (day := day_of(each.study_date)) is not None]
    since: datetime = row.submitted_at or row.created_at
    return max(known, default=since.date())


def _least_complete(found: Sequence[str]) -> str:
    """Return how complete the studies of a case are together: as the least complete of them."""
    return next((each for each in ("arriving", "presumed", "complete") if each in found), "")
