"""The page of the routing rules: list, try against the recent studies, keep, change, turn off.

A rule is kept only in the form in which it was shown: its digest comes with it. Decides nothing of
what a rule takes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from casework.errors import Invalid, LysbroError
from casework.model import Priority
from casework.routing import (
    Conditions,
    Rule,
    Trigger,
    Window,
    Within,
    read_time,
    require_sound,
    rule_as_json,
)
from storage.routing import RECENT_DAYS, RECENT_STUDIES
from viewer.admin import admins_only
from viewer.error_words import error_in
from viewer.guard import current_actor
from viewer.i18n import _
from viewer.languages import language
from viewer.services import outgoing, services

bp = Blueprint("routing", __name__, url_prefix="/admin/routing")

_FIELDS = (
    "name", "destination", "calling_aes", "modalities", "sop_classes", "study_description",
    "series_description", "trigger", "start", "end", "within", "priority", "only_matching",
    "own_site", "digest", "number",
)  # fmt: skip
_SHOWN, _NEAR = 50, 20


@bp.get("")
@admins_only
def page() -> str:
    """List the rules, with the form of a new one, or of the one that is to be changed."""
    number = request.args.get("change", "")
    if number.isdigit():
        return _page(given=_as_form(outgoing().routing.route(int(number)).rule, number))
    return _page()


@bp.post("/try")
@admins_only
def try_() -> str | tuple[str, int]:
    """Show which recent studies a rule would take, and why not the near ones; changes nothing."""
    given = _given()
    try:
        rule = _rule(given)
        return _page(given=given, **_tried(rule))
    except LysbroError as error:
        return _page(given=given, error=error), 422


@bp.post("")
@admins_only
def keep() -> Response | str | tuple[str, int]:
    """Keep a rule as it was shown: a new one, or in place of another."""
    given = _given()
    by = current_actor()
    try:
        rule = _rule(given)
        if given["digest"] != _digest(rule):
            raise Invalid("Try the rule first: it is kept as it was shown.", code="not-shown")
        if given["number"].isdigit():
            kept = outgoing().routing.change(int(given["number"]), rule, by=by.id)
        else:
            kept = outgoing().routing.add(rule, by=by.id)
    except LysbroError as error:
        return _page(given=given, error=error), 422
    action = "route-changed" if given["number"] else "route-added"
    _note(action, kept.rule.name, **rule_as_json(kept.rule))
    return redirect(url_for("routing.page", _anchor="rules"))


@bp.post("/<int:number>/turn")
@admins_only
def turn(number: int) -> Response:
    """Turn a rule on or off."""
    on = request.form.get("on") == "1"
    turned = outgoing().routing.turn(number, on=on, by=current_actor().id)
    _note("route-turned-on" if on else "route-turned-off", turned.rule.name)
    return redirect(url_for("routing.page", _anchor="rules"))


@bp.post("/<int:number>/remove")
@admins_only
def remove(number: int) -> Response:
    """Delete a rule; what it has queued still goes."""
    gone = outgoing().routing.remove(number)
    _note("route-removed", gone.name)
    return redirect(url_for("routing.page", _anchor="rules"))


@bp.app_template_global()
def trigger_name(trigger: Trigger) -> str:
    """Return when a rule looks at a study."""
    return {
        Trigger.STUDY: _("once the study is whole"),
        Trigger.SERIES: _("as each series is packed"),
        Trigger.INSTANCE: _("as anything is packed"),
    }[trigger]


@bp.app_template_global()
def day_names(days: frozenset[int]) -> str:
    """Return days of the week in short."""
    if len(days) == len(_days()):
        return _("every day")
    return ", ".join(_days()[day] for day in sorted(days))


@bp.app_template_global()
def site_names(slugs: frozenset[str]) -> str:
    """Return what sites are called."""
    known = {site.slug: site.name for site in services().people.sites()}
    return ", ".join(sorted(known.get(slug, slug) for slug in slugs))


@bp.app_template_global()
def reason_in_words(reason: str) -> str:
    """Return what the layers below say in English in the language of the page."""
    return error_in(reason, language())


def _days() -> tuple[str, ...]:
    return (_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun"))


def _given() -> dict[str, Any]:
    form = request.form
    plain = {name: form.get(name, "").strip()[:400] for name in _FIELDS}
    return plain | {
        "sites": sorted(form.getlist("sites")),
        "weekdays": sorted(form.getlist("weekdays")),
    }


def _rule(given: dict[str, Any]) -> Rule:
    return require_sound(
        Rule(
            name=given["name"],
            destination=given["destination"],
            conditions=Conditions(
                sites=frozenset(given["sites"]),
                calling_aes=_several(given["calling_aes"]),
                study_description=given["study_description"],
                modalities=frozenset(each.upper() for each in _several(given["modalities"])),
                sop_classes=_several(given["sop_classes"]),
                series_description=given["series_description"],
                window=_window(given),
            ),
            trigger=_chosen(Trigger, given["trigger"] or Trigger.STUDY),
            within=_chosen(Within, given["within"] or Within.ONLY),
            priority=_chosen(Priority, given["priority"] or Priority.ROUTINE),
            only_matching=given["only_matching"] == "1",
            own_site=given["own_site"] == "1",
        )
    )


def _window(given: dict[str, Any]) -> Window | None:
    days = frozenset(int(day) for day in given["weekdays"] if day in "0123456" and day)
    if not given["start"] and not given["end"] and len(days) in (0, 7):
        return None
    return Window(
        read_time(given["start"] or "00:00"),
        read_time(given["end"] or "00:00"),
        days or frozenset(range(7)),
    )


def _several(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.replace(";", ",").split(",") if part.strip())


def _chosen(kind: Any, text: str) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise Invalid(f"'{text}' is not one of the choices.", code="bad-choice") from error


def _as_form(rule: Rule, number: str) -> dict[str, Any]:
    asked, window = rule.conditions, rule.conditions.window
    return {
        "number": number,
        "name": rule.name,
        "destination": rule.destination,
        "sites": sorted(asked.sites),
        "calling_aes": ", ".join(sorted(asked.calling_aes)),
        "modalities": ", ".join(sorted(asked.modalities)),
        "sop_classes": ", ".join(sorted(asked.sop_classes)),
        "study_description": asked.study_description,
        "series_description": asked.series_description,
        "trigger": rule.trigger.value,
        "within": rule.within.value,
        "priority": rule.priority.value,
        "only_matching": "1" if rule.only_matching else "",
        "own_site": "1" if rule.own_site else "",
        "start": f"{window.start:%H:%M}" if window else "",
        "end": f"{window.end:%H:%M}" if window else "",
        "weekdays": [str(day) for day in sorted(window.weekdays)] if window else [],
    }


def _tried(rule: Rule) -> dict[str, Any]:
    tried = outgoing().routing.test(rule)
    near = [each for each in tried if len(each.decision.reasons) == 1]
    return {
        "tried": tried,
        "taken": [each for each in tried if each.decision.taken],
        "near": near[:_NEAR],
        "digest": _digest(rule),
    }


def _digest(rule: Rule) -> str:
    plain = rule_as_json(replace(rule, since=None))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _page(*, error: LysbroError | None = None, **more: Any) -> str:
    people = services().people
    return render_template(
        "admin_routing.html",
        rules=outgoing().routing.rules(),
        sites=people.sites(),
        nodes=[node for node in people.aes() if node.host and node.port],
        triggers=tuple(Trigger),
        priorities=tuple(Priority),
        days=_days(),
        recent_studies=RECENT_STUDIES,
        recent_days=RECENT_DAYS,
        shown=_SHOWN,
        message=error_in(error.message, language()) if error is not None else "",
        **({"given": {}, "tried": None, "taken": (), "near": ()} | more),
    )


def _note(action: str, subject: str, **detail: Any) -> None:
    actor = current_actor()
    services().ledger.append(
        None, actor=actor, action=action, subject=subject, site=actor.site, detail=detail
    )
