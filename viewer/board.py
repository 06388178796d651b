"""The numbers of the worklist: what waits, for whom, who holds it, how many fit each saved filter.

Counted from one light look at the open cases, which a request takes once. Shows nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import g, request

from casework.lifecycle import HELD, WAITS_FOR_SPECIALIST
from casework.model import Actor, CaseSummary, Priority, Specialty
from casework.saved_filters import (
    ME,
    NOBODY,
    Held,
    Mark,
    SavedFilter,
    Wanted,
    fits,
    is_late,
    is_soon_late,
)
from storage.worklist_board import Board
from viewer.guard import current_actor, current_scope
from viewer.languages import language
from viewer.services import services

_MOST_FOUND = 200
_SAME_FOR_S = 30  # what rows say of the time is no older than this


@dataclass(frozen=True)
class Tally:
    """The numbers at the top of a specialist's page."""

    ours: int
    others: int
    urgent: int
    mine: int
    late: int  # past their target, or so within two hours
    second: int  # second readings that wait for the one who looks
    changed: int  # answered, and something came since


@dataclass(frozen=True)
class Holding:
    """What lies with one person, or with nobody."""

    id: str  # empty: nobody
    name: str
    count: int
    late: int
    since: datetime | None  # the longest held one


@dataclass(frozen=True)
class Tab:
    """A saved filter with how many cases fit it now."""

    saved: SavedFilter
    count: int
    is_open: bool = False


def board() -> Board:
    """Return the open and marked cases within sight of the one who asks, looked at once."""
    if "board" not in g:
        g.board = services().casebook.board(current_scope())
    found: Board = g.board
    return found


def tally() -> Tally:
    """Return the numbers at the top of the page."""
    actor, now, held = current_actor(), services().clock(), board().held
    waiting = [each for each in held if each.state in WAITS_FOR_SPECIALIST]
    return Tally(
        ours=len(waiting),
        others=sum(each.state in HELD - WAITS_FOR_SPECIALIST for each in held),
        urgent=sum(each.priority is not Priority.ROUTINE for each in waiting),
        mine=sum(each.holder_id == actor.id and each.state in HELD for each in held),
        late=sum(is_soon_late(each, now=now) for each in waiting),
        second=sum(each.may_read_second for each in held),
        changed=sum(each.is_changed for each in held),
    )


def urgent_and_free() -> int:
    """Return how many urgent cases nobody holds."""
    return sum(
        each.priority is not Priority.ROUTINE and not each.holder_id
        for each in board().held
        if each.state in WAITS_FOR_SPECIALIST
    )


def holdings() -> Sequence[Holding]:
    """Return what lies with nobody and with each holder, the longest held first."""
    now = services().clock()
    of: dict[str, list[Held]] = {"": []}
    for each in board().held:
        if each.state in WAITS_FOR_SPECIALIST:
            of.setdefault(each.holder_id, []).append(each)
    found = [
        Holding(
            holder_id,
            some[0].holder_name if some else "",
            len(some),
            sum(is_late(each, now=now) for each in some),
            min((each.claimed_at for each in some if each.claimed_at), default=None),
        )
        for holder_id, some in of.items()
    ]
    return sorted(found, key=lambda h: (h.id != "", h.since or now, h.name))


def tabs(filter_id: int | None, wanted: Wanted) -> Sequence[Tab]:
    """Return the saved filters of the one who looks, each with its count; open is the one that is
    asked for by its number, else the first that wants the same.
    """
    saved = services().casebook.saved_filters(current_actor())
    fitting = [each.id for each in saved if each.wanted == wanted]
    chosen = filter_id if filter_id is not None else next(iter(fitting), None)
    return [Tab(each, count_of(each.wanted), each.id == chosen) for each in saved]


def count_of(wanted: Wanted) -> int:
    """Return how many cases fit a filter; of many that words find, the most that are counted."""
    actor, now = current_actor(), services().clock()
    if wanted.q or wanted.state in {"replied", "aside"}:
        return len(listed(wanted, actor, limit=_MOST_FOUND)[0])
    return sum(fits(wanted, each, me=actor.id, now=now) for each in board().held)


def listed(
    wanted: Wanted, actor: Actor, *, limit: int, page: int = 1
) -> tuple[list[CaseSummary], bool]:
    """Return a page of the cases that are wanted, and whether there are more."""
    holder = {"": None, ME: actor.id, NOBODY: ""}.get(wanted.holder, wanted.holder)
    return services().casebook.list_cases(
        current_scope(),
        states=wanted.states,
        specialty=Specialty(wanted.specialty) if wanted.specialty else None,
        site=wanted.site or None,
        priorities=wanted.priorities,
        holder=holder,
        mark=Mark(wanted.mark) if wanted.mark else None,
        q=wanted.q or None,
        limit=limit,
        page=page,
    )


def next_case(wanted: Wanted, actor: Actor, *, after: str) -> CaseSummary | None:
    """Return the case that is read next within a filter: the most pressing of those that the actor
    holds, that are free, or that wait for their second reading.
    """
    rows, _more = listed(wanted, actor, limit=_MOST_FOUND)
    mine = {each.id for each in board().held if each.may_read_second}
    for row in rows:
        case = row.case
        is_free = case.state in WAITS_FOR_SPECIALIST and case.holder_id in {"", actor.id}
        is_ready = case.id in mine or (is_free and row.reading is None)
        if is_ready and case.id != after:
            return row
    return None


def etag_of(wanted: Wanted) -> str | None:
    """Return what stays the same while the page would; None where that is not known before it is
    made: of cases that are finished.
    """
    if wanted.state in {"replied", "aside"} or wanted.q:
        return None
    slot = int(services().clock().timestamp()) // _SAME_FOR_S
    told = (
        board().version, current_actor().id, language(), request.query_string.decode(), str(slot),
        *(repr(each) for each in services().casebook.saved_filters(current_actor())),
    )  # fmt: skip
    return hashlib.sha256("\0".join(told).encode()).hexdigest()[:32]
