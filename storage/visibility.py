"""The SQL form of `casework.access.Scope`: where lists are cut to what may be seen, only here."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, false, literal, or_, select, true

from casework.access import HIDDEN_FROM_OTHERS, Scope
from storage.casebook_tables import cases
from storage.tables import studies

_OTHER = studies.alias("other")  # made once: it costs more than the query


def case_clause(
    scope: Scope,
    *,
    site: ColumnElement[Any] = cases.c.site,
    state: ColumnElement[Any] = cases.c.state,
) -> ColumnElement[bool]:
    """Return the condition on `cases`, or on expressions of it, that `Scope.covers_case` is."""
    return and_(_specialty_clause(scope), _site_or_submitted(scope, site, state))


def study_clause(scope: Scope, of: FromClause = studies) -> ColumnElement[bool]:
    """Return the condition on `studies`, or an alias of it, that `Scope.covers_study` is.

    A study whose case is not there (half a restore) is out of everybody's sight. The case is looked
    up for each study that is looked at: as `EXISTS`, PostgreSQL would read all cases at once for a
    page of a long list.
    """
    case_is_visible = (
        select(and_(_specialty_clause(scope), _site_or_submitted(scope, of.c.site)))
        .where(cases.c.id == of.c.case_id)
        .correlate(of)
        .scalar_subquery()
    )
    without_case = and_(of.c.case_id.is_(None), _site_clause(scope, of.c.site))
    return or_(without_case, case_is_visible)


def only_site(scope: Scope) -> str | None:
    """Return the site that everything within sight is of, or None when there may be several."""
    if scope.sites is None:
        return None
    seen = scope.sites | {scope.own_site}
    return next(iter(seen)) if len(seen) == 1 else None


def seen_copy_clause(scope: Scope) -> list[ColumnElement[bool]]:
    """Return the condition that leaves one of several sites' copies of a study.

    It is the fullest, else the oldest. Who sees one site only needs no condition.
    """
    if only_site(scope) is not None:
        return []
    better = or_(
        _OTHER.c.instance_count > studies.c.instance_count,
        and_(
            _OTHER.c.instance_count == studies.c.instance_count,
            _OTHER.c.pk < studies.c.pk,
        ),
    )
    a_better_one = (
        select(literal(1))
        .where(_OTHER.c.study_uid == studies.c.study_uid, better, study_clause(scope, _OTHER))
        .correlate(studies)
        .limit(1)
        .scalar_subquery()
    )
    return [a_better_one.is_(None)]


def _site_or_submitted(
    scope: Scope, site: ColumnElement[Any], state: ColumnElement[Any] = cases.c.state
) -> ColumnElement[bool]:
    submitted = state.not_in([state.value for state in sorted(HIDDEN_FROM_OTHERS)])
    return or_(site == scope.own_site, and_(_site_clause(scope, site), submitted))


def _site_clause(scope: Scope, site: ColumnElement[Any]) -> ColumnElement[bool]:
    if scope.sites is None:
        return true()
    return site.in_(sorted(scope.sites)) if scope.sites else false()


def _specialty_clause(scope: Scope) -> ColumnElement[bool]:
    if scope.specialties is None:
        return true()
    if not scope.specialties:
        return false()
    return cases.c.specialty.in_([specialty.value for specialty in sorted(scope.specialties)])
