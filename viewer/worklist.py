"""The first page: what waits, for whom, how long there is. Lists and filters; changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from casework.lifecycle import REPLIED, WAITS_FOR_SPECIALIST
from casework.model import Actor, CaseState, CaseSummary, Priority, Role, SiteKind, Specialty
from casework.saved_filters import ME, STATES, Wanted, read_wanted
from viewer import board
from viewer.guard import current_actor, current_scope
from viewer.i18n import _
from viewer.services import services
from viewer.worklist_words import (
    change_words,
    claim_ends,
    filter_words,
    handed_words,
    is_mine_to_read_second,
    may_claim,
    may_hand_over,
    second_words,
    title_of,
    warning_words,
)

bp = Blueprint("worklist", __name__)
for _words in (
    title_of, may_claim, may_hand_over, change_words, warning_words, second_words, handed_words,
    is_mine_to_read_second, claim_ends,
):  # fmt: skip
    bp.add_app_template_global(_words)

_PAGE_SIZE = 50
_TALLY_LIMIT = 500  # a worklist longer than this has other troubles than its numbers


@dataclass(frozen=True)
class Section:
    """One heading of the referrer's page with its cases."""

    key: str
    title: str
    rows: Sequence[CaseSummary]


@bp.get("/")
def first_page() -> Response | str:
    """Show the worklist of the signed-in person; without a choice the one they chose to begin."""
    actor = current_actor()
    if actor.role is Role.ADMIN:
        return redirect("/admin")
    if actor.role is Role.REFERRER:
        return _referrer_page(actor)
    if not request.args:
        saved = services().casebook.saved_filters(actor)
        default = next((each for each in saved if each.is_default), None)
        if default is not None:
            return redirect(url_for("worklist.first_page", f=default.id))
    return _worklist("worklist.html", actor)


@bp.get("/worklist/rows")
def rows() -> Response | str:
    """Give the rows and numbers alone, for a page that brings itself up to date; 304 while they
    say the same.
    """
    actor = current_actor()
    if actor.role is Role.REFERRER:
        return _referrer_page(actor, template="worklist_mine_rows.html")
    wanted, _number, _page = _asked(actor)
    tag = board.etag_of(wanted)
    known = request.headers.get("If-None-Match", "")
    if tag is not None and known == f'W/"{tag}"':
        return Response(status=304, headers={"ETag": known})
    body = _worklist("worklist_rows.html", actor)
    tag = tag or hashlib.sha256(body.encode()).hexdigest()[:32]
    if known == f'W/"{tag}"':
        return Response(status=304, headers={"ETag": known})
    return Response(body, mimetype="text/html", headers={"ETag": f'W/"{tag}"'})


def _worklist(template: str, actor: Actor) -> str:
    wanted, number, page = _asked(actor)
    found, has_more = board.listed(wanted, actor, limit=_PAGE_SIZE, page=page)
    tally = board.tally()
    tabs = board.tabs(number, wanted)
    is_saved = any(tab.saved.wanted == wanted for tab in tabs)
    g.waiting_count, g.mine_count = tally.ours, tally.mine
    return render_template(
        template,
        rows=found,
        has_more=has_more,
        page=page,
        filters=wanted,
        narrowed=wanted != Wanted(),
        may_save=not is_saved and wanted != Wanted(),
        suggested_name=filter_words(wanted),
        tabs=tabs,
        open_tab=next((tab for tab in tabs if tab.is_open), None),
        tally=tally,
        holdings=board.holdings(),
        now=services().clock(),
        sites=[site for site in services().people.sites() if site.kind is not SiteKind.CENTRE],
        specialties=_specialties(),
        priorities=tuple(Priority),
        last_signed_at=None if found else _last_signed(actor),
        strings=("worklist",),
    )


def _asked(actor: Actor) -> tuple[Wanted, int | None, int]:
    """Return what is asked for: a saved filter by its number, or the choices of the address; and
    the number and the page.
    """
    asked = request.args
    page = max(1, asked.get("page", 1, type=int))
    number = asked.get("f", type=int)
    saved = services().casebook.saved_filters(actor) if number is not None else ()
    chosen = next((each for each in saved if each.id == number), None)
    if chosen is not None:
        return chosen.wanted, chosen.id, page
    given = asked.to_dict()
    if given.get("mine") == "1":
        given["holder"] = ME
    return read_wanted(given), None, page


def _last_signed(actor: Actor) -> datetime | None:
    rows, _more = services().casebook.list_cases(
        current_scope(), states=STATES["replied"], holder=actor.id, limit=1
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
