"""The command that says whether processes do well; it loads little, being asked so often."""

from __future__ import annotations

from pathlib import Path

import click

from casework.errors import Unavailable
from lysbro.health import KINDS, failing
from lysbro.settings import load


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="The data folder (LYSBRO_DATA).")
@click.option("--config", type=click.Path(path_type=Path), help="A TOML file with settings.")
@click.argument("kinds")
def health(data: Path | None, config: Path | None, kinds: str) -> None:
    """Say whether the processes KINDS (with commas) do well here; for the checks of containers."""
    wanted = [kind.strip() for kind in kinds.split(",") if kind.strip()]
    if not wanted or any(kind not in KINDS for kind in wanted):
        raise click.BadParameter(f"choose from {', '.join(KINDS)}", param_hint="KINDS")
    faults = failing(load(config=config, flags={"data": data}), wanted)
    if faults:
        raise Unavailable(" ".join(faults), code="not-well")
    click.echo("well")
