"""The first page: what waits, for whom, how long there is. Lists and filters; changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, g, redirect, render_template, request
from werkzeug.wrappers import Response

from casework import access
from casework.lifecycle import HELD, REPLIED, WAITS_FOR_SPECIALIST, Event, possible
from casework.model import Actor, CaseState, CaseSummary, Priority, Role, SiteKind, Specialty
from viewer.guard import current_actor, current_scope
from viewer.i18n import _
from viewer.services import services
from viewer.words import category_name

bp = Blueprint("worklist", __name__)

OPEN = (CaseState.SUBMITTED, CaseState.CLAIMED, CaseState.REPORTED, CaseState.WAITING)
STATES: dict[str, tuple[CaseState, ...]] = {
    "open": OPEN,
    "ours": (CaseState.SUBMITTED, CaseState.CLAIMED, CaseState.REPORTED),
    "others": (CaseState.WAITING,),
    "replied": (CaseState.SIGNED, CaseState.DELIVERED, CaseState.READ, CaseState.CLOSED),
    "aside": (CaseState.DECLINED, CaseState.WITHDRAWN),
}
"""The choices of the state filter; the first is what the page opens with."""

_PAGE_SIZE = 50
_TALLY_LIMIT = 500  # a worklist longer than this has other troubles than its numbers
URGENT = frozenset({Priority.URGENT, Priority.ASAP, Priority.STAT})


@dataclass(frozen=True)
class Filters:
    """What the one who looks has asked to see."""

    state: str = "open"
    specialty: Specialty | None = None
    site: str = ""
    priority: Priority | None = None
    q: str = ""
    mine: bool = False
    page: int = 1

    @property
    def narrowed(self) -> bool:
        """Tell whether anything is left out that the page would show by itself."""
        return self != Filters(page=self.page)


@dataclass(frozen=True)
class Tally:
    """The numbers at the top of a specialist's page."""

    ours: int
    others: int
    urgent: int
    mine: int


@dataclass(frozen=True)
class Section:
    """One heading of the referrer's page with its cases."""

    key: str
    title: str
    rows: Sequence[CaseSummary]


@bp.get("/")
def first_page() -> Response | str:
    """Show the worklist of the signed-in person."""
    actor = current_actor()
    if actor.role is Role.ADMIN:
        return redirect("/admin")
    if actor.role is Role.REFERRER:
        return _referrer_page(actor)
    return _worklist("worklist.html", actor)


@bp.get("/worklist/rows")
def rows() -> str:
    """Give the rows and numbers alone, for a page that brings itself up to date."""
    actor = current_actor()
    if actor.role is Role.REFERRER:
        return _referrer_page(actor, template="worklist_mine_rows.html")
    return _worklist("worklist_rows.html", actor)


@bp.app_template_global()
def may_claim(summary: CaseSummary) -> bool:
    """Tell whether the one who looks could claim this case now."""
    actor, case = current_actor(), summary.case
    return actor.role in access.MAY[Event.CLAIM] and Event.CLAIM in possible(case.state)


@bp.app_template_global()
def title_of(summary: CaseSummary) -> str:
    """Return what a case is, in its first words: kind of images and what they show."""
    if summary.case.specialty is Specialty.DERMATOLOGY:
        return category_name(summary.case.referral) or _("Skin lesion")
    kinds = "/".join(m for m in summary.modalities if m not in {"SR", "DOC", "PR", "KO"})
    if not summary.description:
        return _("{kinds} study", kinds=kinds) if kinds else _("Study")
    if kinds and not summary.description.upper().startswith(kinds):
        return f"{kinds} {summary.description}"
    return summary.description


def _worklist(template: str, actor: Actor) -> str:
    filters = _filters()
    scope = current_scope()
    found, has_more = services().casebook.list_cases(
        scope,
        states=STATES[filters.state],
        specialty=filters.specialty,
        site=filters.site or None,
        priority=filters.priority,
        holder=actor.id if filters.mine else None,
        q=filters.q or None,
        limit=_PAGE_SIZE,
        page=filters.page,
    )
    tally = _tally(actor)
    g.waiting_count, g.mine_count = tally.ours, tally.mine
    return render_template(
        template,
        rows=found,
        has_more=has_more,
        filters=filters,
        tally=tally,
        sites=[site for site in services().people.sites() if site.kind is not SiteKind.CENTRE],
        specialties=_specialties(),
        priorities=tuple(Priority),
        last_signed_at=None if found else _last_signed(actor),
        strings=("worklist",),
    )


def _filters() -> Filters:
    asked = request.args
    state = asked.get("state", "open")
    return Filters(
        state=state if state in STATES else "open",
        specialty=next((s for s in Specialty if s == asked.get("specialty")), None),
        site=asked.get("site", "").strip(),
        priority=next((p for p in Priority if p == asked.get("priority")), None),
        q=asked.get("q", "").strip()[:100],
        mine=asked.get("mine") == "1",
        page=max(1, asked.get("page", 1, type=int)),
    )


def _tally(actor: Actor) -> Tally:
    rows, _more = services().casebook.list_cases(current_scope(), states=OPEN, limit=_TALLY_LIMIT)
    waiting = [row.case for row in rows if row.case.state in WAITS_FOR_SPECIALIST]
    return Tally(
        ours=len(waiting),
        others=len(rows) - len(waiting),
        urgent=sum(case.priority in URGENT for case in waiting),
        mine=sum(row.case.holder_id == actor.id and row.case.state in HELD for row in rows),
    )


def _last_signed(actor: Actor) -> datetime | None:
    rows, _more = services().casebook.list_cases(
        current_scope(), states=STATES["replied"], holder=actor.id, limit=_PAGE_SIZE
    )
    return max((row.case.signed_at for row in rows if row.case.signed_at), default=None)


def _specialties() -> Sequence[Specialty]:
    """Return the specialties to choose between; none where the one who looks sees only one."""
    return tuple(Specialty) if current_scope().specialties is None else ()


def _referrer_page(actor: Actor, *, template: str = "worklist_mine.html") -> str:
    q = request.args.get("q", "").strip()[:100]
    rows, has_more = services().casebook.list_cases(
        current_scope(), site=actor.site, q=q or None, limit=_TALLY_LIMIT
    )
    sections = [
        Section(key, title, picked)
        for key, title, states in _sections()
        if (picked := [row for row in rows if row.case.state in states])
    ]
    return render_template(
        template,
        sections=sections,
        has_more=has_more,
        q=q,
        may_refer=actor.site_kind is SiteKind.GP,
        strings=("worklist",),
    )


def _sections() -> Sequence[tuple[str, str, frozenset[CaseState]]]:
    """Return the headings of the referrer's page, the one that wants something of them first."""
    unread = (REPLIED | {CaseState.DECLINED}) - {CaseState.READ, CaseState.CLOSED}
    return (
        ("replies", _("Replies to read"), unread),
        ("asked", _("Questions to you"), frozenset({CaseState.WAITING})),
        ("drafts", _("Drafts"), frozenset({CaseState.DRAFT})),
        ("sent", _("Waiting for an answer"), WAITS_FOR_SPECIALIST),
        (
            "done",
            _("Finished"),
            frozenset({CaseState.READ, CaseState.CLOSED, CaseState.WITHDRAWN}),
        ),
    )
