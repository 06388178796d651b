"""Finds the cases of a page of the worklist: what is open is sorted, what is finished walked to.

Open cases are few and stand in an order that no index has. Finished ones are many: they are read in
the order of an index, the newest first, of a site or a holder where that narrows them. A search
looks for numbers and names among all of them, and for descriptions among the newest.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    union,
    union_all,
)

from casework.access import Scope
from casework.lifecycle import WAITS_FOR_SPECIALIST
from casework.model import CaseState, Priority, Specialty
from storage import postgres, trigrams
from storage.casebook_tables import cases, sites
from storage.criteria import Words, escaped
from storage.drive import FEW, plain
from storage.folding import fold_text
from storage.tables import patients, studies
from storage.visibility import case_clause, only_site

_PRIORITY_RANK = {
    priority.value: rank
    for rank, priority in enumerate(
        (Priority.STAT, Priority.ASAP, Priority.URGENT, Priority.ROUTINE)
    )
}
_PRESSING = frozenset(state.value for state in WAITS_FOR_SPECIALIST)
_OPEN = _PRESSING | {CaseState.WAITING.value}
_FINISHED = frozenset(state.value for state in CaseState) - _OPEN
_SEARCHED = 5000  # of the newest finished cases, for what only their studies say

_Clause = ColumnElement[bool]
_state, _site, _holder = plain([cases.c.state, cases.c.site, cases.c.holder_id])


@dataclass(frozen=True)
class Filters:
    """What a list of cases is narrowed to."""

    scope: Scope
    states: Collection[CaseState] | None = None
    specialty: Specialty | None = None
    site: str | None = None
    priority: Priority | None = None
    holder: str | None = None
    mine: str | None = None
    q: str | None = None
    also: tuple[ColumnElement[bool], ...] = ()  # what is asked besides
    among: Select[Any] | None = None  # numbers of few cases, of which all are

    def states_of(self, group: Collection[str]) -> list[str]:
        """Return those of a group of states that are wanted."""
        wanted = group if self.states is None else {state.value for state in self.states}
        return sorted(set(wanted) & set(group))


def ids_on_page(conn: Connection, filters: Filters, *, limit: int, offset: int) -> list[str]:
    """Return the cases of a page: what waits by priority and time, then the rest, newest first."""
    found: list[str] = []
    words = _words(conn, filters.q)
    checks = [*_checks(filters), *(_search(word) for word in words)]
    if filters.among is not None:
        states = filters.states_of(list(CaseState))
        few = [cases.c.id.in_(filters.among), _state.in_(states), *checks]
        page = select(cases.c.id).where(*few).order_by(*_order()).limit(limit).offset(offset)
        return list(conn.execute(page).scalars())
    states = filters.states_of(_OPEN)
    if states:
        is_open = [cases.c.state.in_(states), *checks]
        page = select(cases.c.id).where(*is_open).order_by(*_order()).limit(limit).offset(offset)
        found += conn.execute(page).scalars()
        if len(found) == limit:
            return found
        counted = select(func.count()).select_from(cases).where(*is_open)
        offset = 0 if found or not offset else offset - conn.execute(counted).scalar_one()
    states = filters.states_of(_FINISHED)
    if states:
        finished = [_state.in_(states), *checks]
        found += _newest(conn, filters, words, finished, count=limit - len(found), offset=offset)
    return found


def _order() -> tuple[ColumnElement[Any], ...]:
    rank = case(_PRIORITY_RANK, value=cases.c.priority, else_=len(_PRIORITY_RANK))
    return (
        case((cases.c.state.in_(sorted(_PRESSING)), 0), else_=1),
        rank,
        cases.c.due_at.asc().nulls_last(),
        func.coalesce(cases.c.submitted_at, cases.c.created_at).desc(),
        cases.c.id,
    )


def _checks(filters: Filters) -> list[_Clause]:
    """Return the conditions, none of which is looked up in an index."""
    wanted = [case_clause(filters.scope, site=_site, state=_state)]
    if filters.specialty is not None:
        wanted.append(cases.c.specialty == filters.specialty.value)
    if filters.site is not None:
        wanted.append(_site == filters.site)
    if filters.priority is not None:
        wanted.append(cases.c.priority == filters.priority.value)
    if filters.holder is not None:
        wanted.append(_holder == filters.holder)
    if filters.mine is not None:
        (created_by,) = plain([cases.c.created_by])
        wanted.append(or_(_holder == filters.mine, created_by == filters.mine))
    return [*wanted, *filters.also]


def _newest(
    conn: Connection,
    filters: Filters,
    words: Sequence[_Word],
    checks: Sequence[_Clause],
    *,
    count: int,
    offset: int,
) -> list[str]:
    few = _candidates(conn, words)
    states = filters.states_of(_FINISHED)
    among = _SEARCHED if few is not None else None
    walks = [
        part
        for source in _sources(filters)
        for part in _walks(source, checks, states=states, count=offset + count, among=among)
    ]
    if few:
        walks.append(_dated().where(cases.c.id.in_(few), *checks))
    if filters.mine is not None and filters.holder is None:
        walks.append(_dated().where(cases.c.created_by == filters.mine, *checks))
    parts = [select(part.subquery()) for part in walks]
    found = union_all(*parts).subquery()
    page = select(found.c.id).distinct().add_columns(found.c.at)
    page = page.order_by(found.c.at.desc(), found.c.id.desc()).limit(count).offset(offset)
    walking = postgres.in_order_of_an_index(conn) if among is None else nullcontext()
    with walking:
        return list(conn.execute(page).scalars())


def _sources(filters: Filters) -> list[list[_Clause]]:
    """Return by what an index is entered: a holder, a site, or nothing."""
    holder = filters.holder if filters.holder is not None else filters.mine
    if holder is not None:
        return [[cases.c.holder_id == holder]]
    site = filters.site if filters.site is not None else only_site(filters.scope)
    return [[] if site is None else [cases.c.site == site]]


def _walks(
    source: Sequence[_Clause],
    checks: Sequence[_Clause],
    *,
    states: Sequence[str],
    count: int,
    among: int | None,
) -> list[Select[Any]]:
    """Return the newest of the signed, of the others, and of what was never submitted."""
    signed, submitted = cases.c.signed_at, cases.c.submitted_at
    kinds: list[tuple[list[_Clause], ColumnElement[Any]]] = [([signed.is_not(None)], signed)]
    for state in states:
        unsigned = [signed.is_(None), cases.c.state == state]
        kinds.append(([*unsigned, submitted.is_not(None)], submitted))
        kinds.append(([*unsigned, submitted.is_(None)], cases.c.created_at))
    walks = []
    for of_kind, at in kinds:
        order = (at.desc(), cases.c.id.desc())
        if among is None:
            walk = _dated().where(*source, *of_kind, *checks)
        else:
            newest = select(cases.c.id).where(*source, *of_kind).order_by(*order).limit(among)
            walk = _dated().where(cases.c.id.in_(select(newest.subquery().c.id)), *checks)
        walks.append(walk.order_by(*order).limit(count))
    return walks


def _dated() -> Select[Any]:
    at = func.coalesce(cases.c.signed_at, cases.c.submitted_at, cases.c.created_at)
    return select(cases.c.id, at.label("at"))


@dataclass(frozen=True)
class _Word:
    """A word of a search: as it was written, folded, and the sites that it names."""

    text: str
    folded: str
    of_sites: tuple[str, ...]


def _words(conn: Connection, q: str | None) -> list[_Word]:
    if not q:
        return []
    names = {row.slug: fold_text(row.name) for row in conn.execute(select(sites))}
    words = []
    for text in q.split():
        folded = fold_text(text).replace(",", "")
        named = (slug for slug, name in names.items() if folded in name or folded == slug)
        words.append(_Word(text, folded, tuple(named)))
    return words


def _search(word: _Word) -> _Clause:
    """Return the condition that a word fits something of a case."""
    number, patient, name = plain([cases.c.id, cases.c.patient_id, cases.c.patient_name_fold])
    described = select(literal(1)).where(
        studies.c.case_id == cases.c.id,
        func.lower(studies.c.description).contains(word.text.lower(), autoescape=True),
    )
    return or_(
        number.startswith(word.text.upper(), autoescape=True),
        patient.startswith(word.text, autoescape=True),
        name.startswith(word.folded, autoescape=True),
        *(name.contains(f"{gap}{word.folded}", autoescape=True) for gap in ("^", " ", "-")),
        _site.in_(word.of_sites),
        described.correlate(cases).limit(1).scalar_subquery().is_not(None),
    )


def _candidates(conn: Connection, words: Sequence[_Word]) -> list[str] | None:
    """Return the cases that a word finds by number or name; None when each word finds many."""
    for word in words:
        if word.of_sites:
            continue
        parts = [
            select(cases.c.id).where(_begins(column, text))
            for column, text in (
                (cases.c.id, word.text.upper()),
                (cases.c.patient_id, word.text),
                (cases.c.patient_name_fold, word.folded),
            )
        ]
        if len(word.folded) >= trigrams.LENGTH:
            parts.append(_of_patients(conn, word.folded))
        limited = [select(part.limit(FEW + 1).subquery().c.id) for part in parts]
        found = conn.execute(union(*limited).limit(FEW + 1)).scalars().all()
        if len(found) <= FEW:
            return list(found)
    return None


def _begins(column: ColumnElement[Any], text: str) -> _Clause:
    """Return LIKE with a pattern that is whole, as SQLite needs it to use an index."""
    return column.like(f"{escaped(text)}%", escape="\\")


def _of_patients(conn: Connection, folded: str) -> Select[Any]:
    """Return the cases of patients of whom a name begins so."""
    begins = Words((folded,))
    named = select(patients.c.site, patients.c.issuer, patients.c.patient_id)
    named = trigrams.narrowed(conn, named.where(begins.clause(patients.c.name_fold)), begins)
    of = named.limit(FEW + 1).subquery()
    return select(cases.c.id).join(
        of,
        and_(
            cases.c.site == of.c.site,
            cases.c.patient_issuer == of.c.issuer,
            cases.c.patient_id == of.c.patient_id,
        ),
    )
