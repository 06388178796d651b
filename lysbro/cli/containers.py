"""Commands for containers: prepare database and bucket, pack what replicas left behind."""

from __future__ import annotations

from pathlib import Path

import click

from casework.errors import Invalid
from lysbro import logs
from lysbro.cli.context import Parts, json_option, settings_options, with_parts
from lysbro.cli.output import show
from lysbro.draining import drain_all, drain_until_stopped
from lysbro.settings import load
from lysbro.supervise import stop_event
from storage.objects import make_bucket


@click.command()
@json_option
@with_parts
def prepare(parts: Parts, as_json: bool) -> None:
    """Bring the database up to date, and make the bucket when it is not there; then end."""
    was_made = make_bucket(parts.store)
    place = parts.store.describe()
    show(
        {"store": place, "bucket_made": was_made},
        as_json=as_json,
        text=f"The database is up to date. {place} is {'made' if was_made else 'there'}.",
    )


@click.command()
@settings_options
@click.option(
    "--every", "every_s", type=click.FloatRange(min=1), help="Go on until stopped, so many seconds."
)
def drain(data: Path | None, config: Path | None, every_s: float | None) -> None:
    """Pack what lies in the data folders of the pool that no process holds any more."""
    settings = load(config=config, flags={"data": data})
    if settings.data_pool is None:
        raise Invalid("LYSBRO_DATA_POOL: is needed to drain what replicas left.", code="settings")
    logs.configure(level=settings.log_level, as_json=settings.log_format == "json", process="drain")
    if every_s:
        drain_until_stopped(settings, every_s=every_s, stop=stop_event())
        return
    drained, left = drain_all(settings, settings.data_pool.resolve())
    click.echo(f"{drained} data folders are empty now, {left} are not.")
    if left:
        raise click.exceptions.Exit(1)
