"""The language of the one who looks, and texts, times and sizes in it for the pages.

Knows no page.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from flask import Blueprint, redirect, request
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup
from werkzeug.wrappers import Response

from casework.errors import NotFound
from viewer.auth import safe_next
from viewer.guard import open_to_all
from viewer.languages import COOKIE, language
from viewer.services import services
from viewer.texts import LANGUAGES, day_in, moment_in, pages_of, translate, zone_of

bp = Blueprint("i18n", __name__)
bp.add_app_template_global(language)

_YEAR_S = 365 * 24 * 3600


@bp.app_template_global("_")
def _(text: str, **params: object) -> str:
    """Return a text in the language of this request."""
    return translate(text, language(), **params)


@bp.app_template_global("_n")
def _n(one: str, many: str, n: int, **params: object) -> str:
    """Return the text for a count, whose place is `{n}`."""
    return translate(one if n == 1 else many, language(), n=n, **params)


@bp.app_template_global()
def page_strings(*pages: str) -> Markup:
    """Return the JSON block from which the scripts of these pages take their texts."""
    known = pages_of(language())
    texts: dict[str, str] = {}
    for page in ("common", *pages):
        texts |= known.get(page, {})
    block = Markup('<script type="application/json" id="strings">{}</script>')
    return block.format(htmlsafe_json_dumps(texts))


@bp.app_template_filter("day")
def day(value: date) -> str:
    """Return a date as `23 Nov 2026`."""
    return day_in(value, language())


@bp.app_template_filter("moment")
def moment(value: datetime) -> str:
    """Return a time as `23 Nov 2026, 10:42`, in the exchange's time zone."""
    return moment_in(value, language(), zone_of(services().settings.timezone))


@bp.app_template_filter("when")
def when(value: datetime | None) -> Markup:
    """Return a time as an element that machines can read too; nothing for no time."""
    if value is None:
        return Markup("")
    element = Markup('<time datetime="{}">{}</time>')
    return element.format(value.astimezone(UTC).isoformat(), moment(value))


@bp.app_template_filter("iso")
def iso(text: str) -> datetime:
    """Return the time that an ISO 8601 text says."""
    return datetime.fromisoformat(text)


@bp.app_template_filter("clock")
def clock(value: datetime) -> str:
    """Return the time of day as `10:42` when it is today's, else with its date."""
    zone = zone_of(services().settings.timezone)
    local, today = value.astimezone(zone), services().clock().astimezone(zone).date()
    return f"{local:%H:%M}" if local.date() == today else moment(value)


@bp.app_template_filter("span")
def span(seconds: float) -> str:
    """Say how long a span is, in its largest one or two units."""
    minutes = max(0, int(seconds // 60))
    hours = minutes // 60
    if minutes < 1:
        return _("less than a minute")
    if minutes < 60:
        return _("{n} min", n=minutes)
    if hours < 6 and minutes % 60:
        return _("{hours} h {minutes} min", hours=hours, minutes=minutes % 60)
    if hours < 48:
        return _("{n} h", n=hours)
    return _n("{n} day", "{n} days", hours // 24)


@bp.app_template_filter("size")
def size(count: int) -> str:
    """Return a number of bytes as `1.4 GB`."""
    amount, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    said = f"{amount:.0f}" if unit == "B" or amount >= 100 else f"{amount:.1f}"
    return f"{said.replace('.', ',') if language() == 'nb' else said} {unit}"


@bp.get("/language/<code>")
@open_to_all
def choose(code: str) -> Response:
    """Keep the chosen language in a cookie and go back to the page."""
    if code not in LANGUAGES:
        raise NotFound(f"There are no pages in '{code}'.", code="no-such-language")
    response = redirect(safe_next(request.args.get("next", "/")))
    https = services().settings.https
    response.set_cookie(COOKIE, code, max_age=_YEAR_S, httponly=True, secure=https, samesite="Lax")
    return response
