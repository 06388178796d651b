"""What every command needs: the settings from file, environment and flags, and the parts built from
them once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from casework.model import Actor, SiteKind
from lysbro import logs, pool
from lysbro.cli.options import json_option
from lysbro.settings import Settings, load
from lysbro.wiring import Parts, open_parts

P = ParamSpec("P")
R = TypeVar("R")

OPERATOR = Actor(
    id="system:operator", name="Operator at the command line", site="", site_kind=SiteKind.CENTRE
)
"""Who acts when a command is typed on the machine itself; the operating system decided who may."""


def settings_options(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command `--data` and `--config`."""
    command = click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="A TOML file with settings.",
    )(command)
    return click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        help="The data folder (LYSBRO_DATA).",
    )(command)


def read_settings(data: Path | None, config: Path | None, **flags: Any) -> Settings:
    """Return the settings of this call and point the logs where they say.

    Where there is a pool, and no data folder is named, one of it is taken until this process ends.
    """
    settings = load(config=config, flags={"data": data, **flags})
    if settings.data_pool is not None and data is None:
        held = pool.take(settings.data_pool.resolve(), settings.node or "node")
        settings = settings.model_copy(update={"data": held.data, "node": held.node})
    logs.configure(level=settings.log_level, as_json=settings.log_format == "json")
    return settings


def with_parts(command: Callable[..., R]) -> Callable[..., R]:
    """Hand a command its `parts`, opened from `--data` and `--config`, and close them after it."""

    @settings_options
    @functools.wraps(command)
    def wrapper(*args: Any, data: Path | None, config: Path | None, **kwargs: Any) -> R:
        settings = read_settings(data, config, log_level="warning")
        with open_parts(settings) as parts:
            return command(parts, *args, **kwargs)

    return wrapper


__all__ = ["OPERATOR", "Parts", "json_option", "read_settings", "settings_options", "with_parts"]
