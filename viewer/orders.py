"""The page of orders: a day's list, a short form to place one, and a button to cancel one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from casework import access
from casework.errors import Invalid, LysbroError, Refused
from casework.model import AePermission, Patient, Priority
from casework.orders import UNSAID, OrderState, Request, ScheduledStep
from storage.orders import Wanted
from viewer.error_words import error_in
from viewer.guard import current_actor, current_scope
from viewer.i18n import _
from viewer.languages import language
from viewer.services import ordering, services

bp = Blueprint("orders", __name__, url_prefix="/orders")

MODALITIES = ("CT", "MR", "DX", "CR", "US", "MG", "NM", "PT", "XA", "RF", "XC", "OT")
_FIELDS = (
    "patient_id", "family", "given", "birth_date", "sex", "modality", "station", "day", "time",
    "procedure", "question", "priority",
)  # fmt: skip
_LISTED = 200
_LONGEST = 4000


@bp.get("")
def day_page() -> str:
    """Show the orders of a day; without one, today's."""
    _require_may_order()
    return _page(_day(request.args.get("day", "")))


@bp.post("")
def place() -> Response | tuple[str, int]:
    """Place an order, and show its day; or the form again as it was filled in, with the reason."""
    _require_may_order()
    given = {name: request.form.get(name, "").strip()[:_LONGEST] for name in _FIELDS}
    try:
        order, _is_new = ordering().place(current_actor(), _request(given))
    except Invalid as error:
        day = _day(given["day"])
        return _page(day, given=given, message=error_in(error.message, language())), 422
    day = min(step.starts_at for step in order.request.steps).date()
    return redirect(url_for("orders.day_page", day=day.isoformat(), _anchor=order.id))


@bp.post("/<order_id>/cancel")
def cancel(order_id: str) -> Response | tuple[str, int]:
    """Cancel an order that has not begun, and show its day."""
    day = _day(request.form.get("day", ""))
    try:
        ordering().cancel(current_actor(), order_id)
    except LysbroError as error:
        if error.code != "wrong-state":
            raise
        return _page(day, trouble=error_in(error.message, language())), 409
    return redirect(url_for("orders.day_page", day=day.isoformat(), _anchor=order_id))


@bp.app_template_global()
def order_state_name(state: OrderState) -> str:
    """Return what the state of an order is called."""
    return {
        OrderState.SCHEDULED: _("Scheduled"),
        OrderState.IN_PROGRESS: _("Under way"),
        OrderState.COMPLETED: _("Done"),
        OrderState.DISCONTINUED: _("Broken off"),
        OrderState.CANCELLED: _("Cancelled"),
    }[state]


def _require_may_order() -> None:
    if not access.may_order(current_actor()):
        raise Refused(
            _("Your role may not order. Ask somebody who orders for your site."), code="wrong-role"
        )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return ordering().now().wall.date()


def _request(given: Mapping[str, str]) -> Request:
    born = given["birth_date"]
    step = ScheduledStep(
        id="",
        modality=given["modality"],
        starts_at=_start(given["day"], given["time"]),
        stations=(given["station"],) if given["station"] else (),
        description=given["procedure"],
    )
    name = "^".join(given[part].replace("^", " ").replace("=", " ") for part in ("family", "given"))
    try:
        birth_date = date.fromisoformat(born) if born else None
        priority = Priority(given["priority"] or Priority.ROUTINE)
    except ValueError as error:
        raise Invalid("That is not one of the choices.", code="bad-choice") from error
    return Request(
        patient=Patient(
            id=given["patient_id"],
            name=name.rstrip("^"),
            birth_date=birth_date,
            sex=given["sex"] if given["sex"] in ("M", "F", "O") else "",
        ),
        steps=(step,),
        procedure=given["procedure"],
        question=given["question"],
        priority=priority,
        referrer=current_actor().name.replace("\\", " ")[:64],
    )


def _start(day: str, time: str) -> datetime:
    if not day and not time:
        return UNSAID
    try:
        return datetime.fromisoformat(f"{day}T{time or '00:00'}")
    except ValueError as error:
        raise Invalid("Give a day and a time.", code="bad-time") from error


def _page(day: date, **more: Any) -> str:
    actor, now = current_actor(), ordering().now().wall
    found, has_more = ordering().listed(current_scope(), Wanted(first=day, last=day), limit=_LISTED)
    stations = [
        entity.title
        for entity in services().people.aes()
        if entity.site == actor.site and AePermission.WORKLIST in entity.permissions
    ]
    defaults = {"day": max(day, now.date()).isoformat(), "time": f"{now:%H:%M}"}
    return render_template(
        "orders.html",
        day=day,
        today=now.date(),
        before=day - timedelta(days=1),
        following=day + timedelta(days=1),
        orders=found,
        has_more=has_more,
        modalities=MODALITIES,
        stations=stations,
        priorities=tuple(Priority),
        own_site=actor.site,
        **({"given": defaults, "message": "", "trouble": ""} | more),
    )
