"""The page of statistics: how cases went in a span, by specialty and site, and the same as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, render_template, request

from casework import statistics
from casework.errors import Invalid
from casework.histories import History
from casework.model import Role, Specialty
from casework.statistics import Statistics
from casework.statistics_table import as_csv
from viewer import plots
from viewer.guard import current_scope, require_role
from viewer.i18n import _, span
from viewer.noting import note
from viewer.services import services
from viewer.words import priority_name, reason_name, site_name

bp = Blueprint("statistics", __name__, url_prefix="/admin/statistics")

_DAYS = 90
_readers_only = require_role(Role.ADMIN, Role.COORDINATOR)


@dataclass(frozen=True)
class Wanted:
    """What is to be counted: both days belong to it."""

    first: date
    last: date
    specialty: Specialty | None = None
    site: str = ""


@bp.get("")
@_readers_only
def page() -> str:
    """Show the statistics of a span; the last three months when none is given."""
    wanted = _wanted()
    histories = _histories(wanted)
    found = statistics.count(histories)
    return render_template(
        "admin_statistics.html",
        wanted=wanted,
        found=found,
        sites=services().people.sites(),
        specialties=list(Specialty),
        steps=_steps(found),
        by_site=_by_site(histories),
        waits=_reasons(found.wait_reasons),
        unclear=_reasons(found.not_assessable_reasons),
        gate=[(reason_name(each.code), each) for each in found.gate],
    )


@bp.get("/figures.csv")
@_readers_only
def table() -> Response:
    """Give every number as CSV: of all, of each specialty, and of each of its sites."""
    wanted = _wanted()
    name = f"lysbro-{wanted.first:%Y%m%d}-{wanted.last:%Y%m%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(as_csv(_histories(wanted)), mimetype="text/csv", headers=headers)


def _wanted() -> Wanted:
    today = services().clock().astimezone(_zone()).date()
    last = _day("until", today)
    first = _day("since", last - timedelta(days=_DAYS - 1))
    if first > last:
        raise Invalid(_("The span ends before it begins. Change one of its days."), code="bad-span")
    specialty = request.args.get("specialty", "")
    if specialty and specialty not in set(Specialty):
        raise Invalid(_("There is no such specialty."), code="unknown-specialty")
    site = request.args.get("site", "")[:32]
    return Wanted(first, last, Specialty(specialty) if specialty else None, site)


def _day(name: str, otherwise: date) -> date:
    text = request.args.get(name, "").strip()
    try:
        return date.fromisoformat(text) if text else otherwise
    except ValueError as error:
        raise Invalid(_("Write days as 2026-11-23."), code="bad-day") from error


def _zone() -> ZoneInfo:
    return ZoneInfo(services().settings.timezone)


def _histories(wanted: Wanted) -> Sequence[History]:
    zone = _zone()
    found = services().casebook.histories(
        current_scope(),
        since=datetime.combine(wanted.first, time.min, zone),
        until=datetime.combine(wanted.last + timedelta(days=1), time.min, zone),
    )
    note(
        "statistics-read",
        "statistics",
        detail={"since": wanted.first.isoformat(), "until": wanted.last.isoformat()},
    )
    return [
        h for h in found if wanted.specialty in (None, h.specialty) and wanted.site in ("", h.site)
    ]


def _steps(found: Statistics) -> Sequence[plots.Box]:
    return plots.boxes(
        (
            (_("Sent to claimed"), found.to_claim),
            (_("Claimed to signed"), found.to_sign),
            (_("Sent to signed"), found.turnaround),
            (_("Sent to signed, without waits"), found.working),
            (_("A wait for the referrer"), found.waiting),
            (_("Signed to read"), found.to_read),
        )
    )


def _by_site(histories: Sequence[History]) -> Sequence[plots.Box]:
    sites: Mapping[str, Sequence[History]] = statistics.by(histories, lambda h: h.site)
    return plots.boxes(
        (site_name(site), statistics.count(here).turnaround) for site, here in sites.items()
    )


def _reasons(reasons: Mapping[str, int]) -> Sequence[plots.Bar]:
    return plots.bars((reason_name(code), str(n), float(n), None) for code, n in reasons.items())


@bp.app_template_global()
def within_target_lines(found: Statistics) -> Sequence[plots.Bar]:
    """Return how many answers of each priority came in time, as bars of hundred."""
    return [
        plots.Bar(
            priority_name(priority),
            _("{n} of {of}", n=share.part, of=share.whole),
            share.percent or 0.0,
        )
        for priority, share in found.within_target.items()
    ]


@bp.app_template_filter("share")
def share_text(share: statistics.Share) -> str:
    """Return a share in words: its part, its whole, and in percent where that says something."""
    if not share.whole:
        return "–"
    told = _("{n} of {of}", n=share.part, of=share.whole)
    return told if share.whole < 5 else f"{told} ({share.percent:.0f} %)"


@bp.app_template_filter("spread_text")
def spread_text(spread: statistics.Spread) -> str:
    """Return the median of some times with the middle half."""
    if not spread.count or spread.median_s is None:
        return "–"
    return span(spread.median_s)
