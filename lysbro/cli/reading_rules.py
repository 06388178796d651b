"""The command that says which cases are read by two, and shows what holds."""

from __future__ import annotations

from typing import Any

import click

from casework.model import Specialty
from casework.second_readings import Need, ReadingRule
from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import show, table

_COLUMNS = ("specialty", "site", "need", "how")
_ALL = "all"


@click.command("second-reading")
@click.argument("specialty", type=click.Choice([each.value for each in Specialty]), required=False)
@click.option("--site", default="", help="For cases of this site only; it counts before the rest.")
@click.option(
    "--need",
    type=click.Choice([each.value for each in Need]),
    help="Which cases: always, urgent ones and those with a quick pathway, or never.",
)
@click.option(
    "--blinded/--open",
    default=True,
    show_default=True,
    help="Whether the second reader signs before seeing the first's answer.",
)
@json_option
@with_parts
def second_reading(
    parts: Parts, specialty: str | None, site: str, need: str | None, blinded: bool, as_json: bool
) -> None:
    """Say which cases of SPECIALTY are read by two, or show the rules."""
    if need is not None:
        if specialty is None:
            raise click.UsageError("Name the specialty that the rule is for.")
        rule = ReadingRule(site, specialty, Need(need), blinded)
        parts.casebook.set_reading_rule(rule)
        detail = {"need": rule.need, "blinded": rule.is_blinded}
        parts.note(OPERATOR, "reading-rule-set", specialty, site=site, detail=detail)
    rows = [
        _row(each) for each in parts.casebook.reading_rules() if specialty in {None, each.specialty}
    ]
    show(rows, as_json=as_json, text=table(rows, _COLUMNS) if rows else "No case is read by two.")


def _row(rule: ReadingRule) -> dict[str, Any]:
    return {
        "specialty": rule.specialty,
        "site": rule.site or _ALL,
        "need": rule.need.value,
        "how": "blinded" if rule.is_blinded else "open",
    }
