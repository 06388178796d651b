"""Says when an answer is due and whether it will be late, in words. Counts nothing itself."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint

from casework.clocks import Forecast, Outlook, Target
from casework.model import Case, Priority, Specialty
from viewer.i18n import _, clock, span
from viewer.services import services
from viewer.texts import zone_of

bp = Blueprint("due_words", __name__)


def time_left(case: Case, now: datetime) -> tuple[str, str]:
    """Return what there is to say of a running clock, and how strongly: act or empty."""
    if case.due_at is None:
        return _("no time set"), "quiet"
    forecast = services().settings.clocks.forecast(
        case.due_at, case.priority, case.specialty, now=now
    )
    left_s = (case.due_at - now).total_seconds()
    if forecast.outlook is Outlook.LATE:
        return _("{span} late", span=span(-left_s)), "act"
    warning = _warning(forecast, case.due_at, now)
    told = _("{span} left", span=span(left_s))
    return (f"{told}, {warning}" if warning else told), "act" if warning or left_s < 3600 else ""


def due_time(value: datetime) -> str:
    """Return when something is due, with its weekday, or as `10:30` today."""
    local, today = _local(value), _local(services().clock())
    return clock(value) if local.date() == today.date() else f"{_weekday(local)} {clock(value)}"


@bp.app_template_global()
def within_words(priority: Priority, specialty: Specialty | str) -> str:
    """Return how long an answer of a priority may take: `within 5 working days`."""
    clocks, specialty = services().settings.clocks, Specialty(specialty)
    target: Target = clocks.target(priority, specialty)
    n = f"{target.amount:g}"
    is_one = target.amount == 1
    if target.unit == "wd":
        return _("within one working day") if is_one else _("within {n} working days", n=n)
    if target.unit == "wh":
        return _("within one working hour") if is_one else _("within {n} working hours", n=n)
    return _("within {span}", span=span(target.span(clocks.hours[specialty]).total_seconds()))


bp.add_app_template_filter(due_time, "due")


def _warning(forecast: Forecast, due_at: datetime, now: datetime) -> str:
    """Return what makes a case press that is not late yet; nothing when it does not."""
    due, today, read_by = _local(due_at), _local(now), _local(forecast.read_by)
    if forecast.outlook is Outlook.CLOSED:
        return _("due before anyone is in again")
    if forecast.outlook is not Outlook.TODAY or due.date() == today.date():
        return ""
    if read_by.date() == today.date():
        return _("late unless read today")
    return _("late unless read {day}", day=_weekday(read_by))


def _local(value: datetime) -> datetime:
    return value.astimezone(zone_of(services().settings.timezone))


def _weekday(local: datetime) -> str:
    return (
        _("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun"),
    )[local.weekday()]  # fmt: skip
