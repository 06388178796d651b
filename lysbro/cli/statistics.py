"""The command that counts how cases went."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import click

from casework.access import Scope
from casework.errors import Invalid
from casework.statistics import count
from casework.statistics_table import as_csv, figures, groups_of
from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import show

_EVERYTHING = Scope(sites=None, specialties=None, own_site="")
_DAYS = 90


@click.command("statistics")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="First day of sending.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Last day of sending. [today]")
@json_option
@with_parts
def statistics_(
    parts: Parts, since: datetime | None, until: datetime | None, as_json: bool
) -> None:
    """Count how cases went, by specialty and site: CSV, or JSON. The last 90 days, if not told."""
    zone = ZoneInfo(parts.settings.timezone)
    last = until.date() if until else parts.clock().astimezone(zone).date()
    first = since.date() if since else last - timedelta(days=_DAYS - 1)
    if first > last:
        raise Invalid("The span ends before it begins. Change one of its days.", code="bad-span")
    histories = parts.casebook.histories(
        _EVERYTHING,
        since=datetime.combine(first, time.min, zone),
        until=datetime.combine(last + timedelta(days=1), time.min, zone),
    )
    told = {"since": first.isoformat(), "until": last.isoformat()}
    parts.note(OPERATOR, "statistics-read", "statistics", detail=told)
    groups = [
        {"specialty": specialty, "site": site, "figures": [asdict(f) for f in figures(count(some))]}
        for specialty, site, some in groups_of(histories)
    ]
    text = as_csv(histories).replace("\r\n", "\n").rstrip()
    show({**told, "groups": groups}, as_json=as_json, text=text)
