"""The SQL form of `casework.access.Scope`: where lists are cut to what may be seen, only here."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, exists, false, or_, true

from casework.access import HIDDEN_FROM_OTHERS, Scope
from storage.casebook_tables import cases
from storage.tables import studies

_OTHER = studies.alias("other")  # made once: it costs more than the query


def case_clause(scope: Scope) -> ColumnElement[bool]:
    """Return the condition on `cases` that `Scope.covers_case` is."""
    return and_(_specialty_clause(scope), _site_or_submitted(scope, cases.c.site))


def study_clause(scope: Scope, of: FromClause = studies) -> ColumnElement[bool]:
    """Return the condition on `studies`, or an alias of it, that `Scope.covers_study` is.

    A study whose case is not there (half a restore) is out of everybody's sight.
    """
    of_visible_case = exists().where(
        cases.c.id == of.c.case_id,
        _specialty_clause(scope),
        _site_or_submitted(scope, of.c.site),
    )
    without_case = and_(of.c.case_id.is_(None), _site_clause(scope, of.c.site))
    return or_(without_case, of_visible_case)


def seen_copy_clause(scope: Scope) -> list[ColumnElement[bool]]:
    """Return the condition that leaves one of several sites' copies of a study.

    It is the fullest, else the oldest. Who sees one site only needs no condition.
    """
    if scope.sites is not None and len(scope.sites | {scope.own_site}) == 1:
        return []
    better = or_(
        _OTHER.c.instance_count > studies.c.instance_count,
        and_(
            _OTHER.c.instance_count == studies.c.instance_count,
            _OTHER.c.pk < studies.c.pk,
        ),
    )
    return [
        ~exists().where(
            _OTHER.c.study_uid == studies.c.study_uid,
            better,
            study_clause(scope, _OTHER),
        )
    ]


def _site_or_submitted(scope: Scope, site: ColumnElement[Any]) -> ColumnElement[bool]:
    submitted = cases.c.state.not_in([state.value for state in sorted(HIDDEN_FROM_OTHERS)])
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
