"""Commands about routing rules: list, try, add, turn on and off, remove."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from casework.errors import Invalid
from casework.model import Priority
from casework.routing import (
    Conditions,
    Rule,
    Trigger,
    Window,
    Within,
    read_time,
    rule_as_json,
)
from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import show, table
from storage.routing import RECENT_DAYS, RECENT_STUDIES, Route, Tried

_F = TypeVar("_F", bound=Callable[..., Any])
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@click.group()
def route() -> None:
    """Routing rules: which studies go to which node by themselves."""


def _rule_options(command: _F) -> _F:
    """Give a command a name, and every option of a rule."""
    for option in (
        click.option("--position", type=click.IntRange(0), default=0, help="Among the rules."),
        click.option(
            "--own-site", is_flag=True, help="Also when AET belongs to the site of the study."
        ),
        click.option(
            "--only-matching", is_flag=True, help="Of the study, only the series that match."
        ),
        click.option(
            "--priority",
            default=Priority.ROUTINE.value,
            type=click.Choice([p.value for p in Priority]),
        ),
        click.option(
            "--hold", is_flag=True, help="Take at any time, and send when the window opens."
        ),
        click.option("--days", default="", metavar="mon,tue,…", help="On which days; else all."),
        click.option("--between", default="", metavar="22:00-06:00", help="A window of time."),
        click.option(
            "--when",
            default=Trigger.STUDY.value,
            type=click.Choice([t.value for t in Trigger]),
            help="Once the study is whole, or as each series or instance is packed.",
        ),
        click.option("--series", "series_description", default="", help="Pattern with * and ?."),
        click.option("--study", "study_description", default="", help="Pattern with * and ?."),
        click.option("--class", "sop_classes", multiple=True, metavar="UID", help="SOP class."),
        click.option("--modality", "modalities", multiple=True, metavar="CT"),
        click.option("--from", "calling_aes", multiple=True, metavar="AET", help="Who sent it."),
        click.option("--site", "sites", multiple=True, metavar="SLUG", help="Whose study it is."),
        click.option("--to", "destination", required=True, metavar="AET"),
    ):
        command = option(command)
    return click.argument("name")(command)


@route.command("list")
@json_option
@with_parts
def route_list(parts: Parts, as_json: bool) -> None:
    """List the rules, in their order."""
    rows = [_row(each) for each in parts.routing.rules()]
    columns = ("id", "position", "on", "name", "destination", "conditions", "priority")
    show(rows, as_json=as_json, text=table(rows, columns))


@route.command("test")
@_rule_options
@json_option
@with_parts
def route_test(parts: Parts, as_json: bool, **given: Any) -> None:
    """Show which of the recent studies a rule would take, and why not the others; changes nothing.

    The last 200 of the last 30 days.
    """
    tried = parts.routing.test(_rule(given))
    show([_tried_row(each) for each in tried], as_json=as_json, text="\n".join(_tried_words(tried)))


@route.command("add")
@_rule_options
@click.option("--yes", is_flag=True, help="Without asking, once it has been shown.")
@json_option
@with_parts
def route_add(parts: Parts, yes: bool, as_json: bool, **given: Any) -> None:
    """Keep a rule, once it was tried against the recent studies; it speaks of what comes after."""
    rule = _rule(given)
    tried = parts.routing.test(rule)
    if not as_json:
        click.echo("\n".join(_tried_words(tried)))
    if not yes:
        click.confirm(f"Keep the rule '{rule.name}'?", abort=True)
    added = parts.routing.add(rule, by=OPERATOR.id)
    parts.note(OPERATOR, "route-added", added.rule.name, detail=rule_as_json(added.rule))
    show(
        _row(added) | {"would_take": sum(each.decision.taken for each in tried)},
        as_json=as_json,
        text=f"Rule {added.id} '{added.rule.name}' is on.",
    )


@route.command("turn")
@click.argument("number", type=int)
@click.argument("state", type=click.Choice(["on", "off"]))
@with_parts
def route_turn(parts: Parts, number: int, state: str) -> None:
    """Turn the rule NUMBER on or off; turned on, it speaks of what comes from now on."""
    turned = parts.routing.turn(number, on=state == "on", by=OPERATOR.id)
    parts.note(OPERATOR, f"route-turned-{state}", turned.rule.name)
    click.echo(f"Rule {number} '{turned.rule.name}' is {state}.")


@route.command("remove")
@click.argument("number", type=int)
@with_parts
def route_remove(parts: Parts, number: int) -> None:
    """Delete the rule NUMBER; what it has queued still goes."""
    gone = parts.routing.remove(number)
    parts.note(OPERATOR, "route-removed", gone.name)
    click.echo(f"Rule {number} '{gone.name}' is gone.")


def window_of(between: str, days: Sequence[str]) -> Window | None:
    """Return the window of time between two times of day on some days; None without either."""
    if not between and not days:
        return None
    start, dash, end = between.partition("-") if between else ("00:00", "-", "00:00")
    if not dash:
        raise Invalid(f"'{between}' is no window of time such as 22:00-06:00.", code="bad-route")
    unknown = [day for day in days if day not in _DAYS]
    if unknown:
        raise Invalid(f"'{unknown[0]}' is no day: use {', '.join(_DAYS)}.", code="bad-route")
    numbers = frozenset(_DAYS.index(day) for day in days) if days else frozenset(range(7))
    return Window(read_time(start), read_time(end), numbers)


def _rule(given: dict[str, Any]) -> Rule:
    days = [day.strip().lower()[:3] for day in given["days"].split(",") if day.strip()]
    return Rule(
        name=given["name"],
        destination=given["destination"],
        conditions=Conditions(
            sites=frozenset(given["sites"]),
            calling_aes=frozenset(given["calling_aes"]),
            study_description=given["study_description"],
            modalities=frozenset(each.upper() for each in given["modalities"]),
            sop_classes=frozenset(given["sop_classes"]),
            series_description=given["series_description"],
            window=window_of(given["between"], days),
        ),
        trigger=Trigger(given["when"]),
        within=Within.HOLD if given["hold"] else Within.ONLY,
        priority=Priority(given["priority"]),
        only_matching=given["only_matching"],
        own_site=given["own_site"],
        position=given["position"],
    )


def _row(route_: Route) -> dict[str, Any]:
    rule = route_.rule
    values = rule_as_json(rule)
    asked = {
        name: value
        for name, value in values.items()
        if value and name not in ("name", "destination", "priority")
    }
    return values | {
        "id": route_.id,
        "position": rule.position,
        "on": rule.enabled,
        "since": rule.since,
        "conditions": "; ".join(f"{name}: {value}" for name, value in asked.items()),
    }


def _tried_row(each: Tried) -> dict[str, Any]:
    return {
        "site": each.study.site,
        "study_uid": each.study.study_uid,
        "description": each.study.description,
        "taken": each.decision.taken,
        "series": None if each.decision.series_uids is None else sorted(each.decision.series_uids),
        "not_before": each.decision.not_before,
        "why_not": list(each.decision.reasons),
    }


def _tried_words(tried: Sequence[Tried]) -> list[str]:
    """Return those that a rule takes, and those that it takes all but one condition of."""
    taken = [each for each in tried if each.decision.taken]
    near = [each for each in tried if len(each.decision.reasons) == 1]
    lines = [
        f"Of {len(tried)} studies (at most {RECENT_STUDIES} of {RECENT_DAYS} days) it would take "
        f"{len(taken)}:"
    ]
    lines += [f"  {_study(each)}" for each in taken[:20]]
    if len(taken) > 20:
        lines.append(f"  and {len(taken) - 20} more")
    if near:
        lines.append("Nearly:")
        lines += [f"  {_study(each)}: not, since {each.decision.reasons[0]}" for each in near[:10]]
    return lines


def _study(each: Tried) -> str:
    study = each.study
    modalities = "/".join(sorted({series.modality for series in study.series}))
    return f"{study.last_received_at:%Y-%m-%d %H:%M} {study.site} {modalities} {study.study_uid}"
