"""Commands that run things: serve, demo, status."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from lysbro import logs
from lysbro.cli.context import Parts, json_option, read_settings, settings_options, with_parts
from lysbro.cli.output import show
from lysbro.processes import ROLES, require_free, with_companions
from lysbro.secure import require_tls
from lysbro.status import gather, in_words
from lysbro.supervise import Child, Supervisor


@click.command()
@settings_options
@click.option(
    "--only",
    default="bridge,web,worker",
    show_default=True,
    help="Which processes to run here, with commas.",
)
@click.option("--alone", is_flag=True, hidden=True, help="Nothing beside it: a child of ours.")
def serve(data: Path | None, config: Path | None, only: str, *, alone: bool) -> None:
    """Run the exchange until SIGTERM or Ctrl-C, then drain and stop."""
    settings = read_settings(data, config)
    roles = [name.strip() for name in only.split(",") if name.strip()]
    if not roles or any(role not in ROLES for role in roles):
        raise click.BadParameter(f"choose from {', '.join(ROLES)}", param_hint="--only")
    roles = roles if alone else with_companions(settings, roles)
    if len(roles) == 1:
        logs.configure(
            level=settings.log_level, as_json=settings.log_format == "json", process=roles[0]
        )
        ROLES[roles[0]](settings)
        return
    require_free(settings, roles)
    require_tls(settings)
    if settings.data_pool is not None:  # the children are of the data folder that was taken
        os.environ["LYSBRO_NODE"] = settings.node
    flags = [
        f"--data={settings.data.resolve()}",
        *([f"--config={config.resolve()}"] if config else []),
    ]
    children = [
        Child(role, [sys.executable, "-m", "lysbro", "serve", "--only", role, "--alone", *flags])
        for role in roles
    ]
    raise click.exceptions.Exit(Supervisor(children).run())


@click.command()
@settings_options
@click.option(
    "--exit", "stop_when_in", is_flag=True, help="Stop once the samples are in; for checks."
)
def demo(data: Path | None, config: Path | None, stop_when_in: bool) -> None:
    """Run the whole exchange with sample cases that come in through its real doors."""
    from lysbro.demo import run_demo  # noqa: PLC0415 - only this command needs the samples

    settings = read_settings(data, config, log_level="warning")
    raise click.exceptions.Exit(run_demo(settings, stop_when_in=stop_when_in))


@click.command()
@json_option
@with_parts
def status(parts: Parts, as_json: bool) -> None:
    """Show the spool, the store, deliveries, dead letters and when each site was last heard."""
    told: dict[str, Any] = gather(parts)
    show(told, as_json=as_json, text=in_words(told))
