"""The root command: finds the subcommands, and turns expected errors into exit status 1.

A command's module is loaded when it is called: most need neither pixels nor the network library.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping

import click

from casework.errors import Invalid, LysbroError
from lysbro.cli.summaries import LONGEST, SUMMARIES

COMMANDS: Mapping[str, tuple[str, str]] = {
    "demo": ("run", "demo"),
    "serve": ("run", "serve"),
    "status": ("run", "status"),
    "prepare": ("containers", "prepare"),
    "health": ("health", "health"),
    "drain": ("containers", "drain"),
    "site": ("people", "site"),
    "ae": ("people", "ae"),
    "device": ("devices", "device"),
    "user": ("people", "user"),
    "token": ("people", "token"),
    "order": ("orders", "order"),
    "hl7": ("hl7", "hl7"),
    "import": ("objects", "import_"),
    "node": ("nodes", "node"),
    "send": ("objects", "send"),
    "route": ("routes", "route"),
    "channel": ("channels", "channel"),
    "outbox": ("outbox", "outbox"),
    "commitments": ("commitments", "commitments"),
    "template": ("templates", "template"),
    "prior-rule": ("priors", "prior_rule"),
    "prior-replay": ("priors", "prior_replay"),
    "second-reading": ("reading_rules", "second_reading"),
    "statistics": ("statistics", "statistics_"),
    "verify": ("verifying", "verify"),
    "backup": ("keeping", "backup"),
    "rebuild": ("keeping", "rebuild_"),
    "erase": ("erasing", "erase"),
    "hold": ("erasing", "hold"),
    "retention": ("erasing", "retention"),
    "mirror": ("mirroring", "mirror"),
    "export": ("cases", "export"),
    "wrap": ("wrapping", "wrap"),
    "assess": ("assessing", "assess"),
    "scale-card": ("scale_cards", "scale_card"),
}
"""Each command with its module below `lysbro.cli` and its name there."""


class Commands(click.Group):
    """The group whose commands are loaded when they are named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        found = getattr(importlib.import_module(f"lysbro.cli.{module}"), name)
        return found if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them, but for one that has no line yet."""
        most = formatter.width - 6 - max(map(len, COMMANDS))
        rows = [(name, _shortened(self._line(ctx, name), most)) for name in COMMANDS]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _line(self, ctx: click.Context, name: str) -> str:
        command = None if name in SUMMARIES else self.get_command(ctx, name)
        return SUMMARIES.get(name, "") if command is None else command.get_short_help_str(LONGEST)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lysbro")
def root() -> None:
    """Lysbro: a store-and-forward exchange for radiology and dermatology images."""


def _shortened(text: str, most: int) -> str:
    return click.Command(name=None, help=text).get_short_help_str(most)


def main() -> None:
    """Run the command line."""
    try:
        sys.exit(root(prog_name="lysbro", standalone_mode=False))
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except LysbroError as error:
        click.echo(f"lysbro: {error.message}", err=True)
        sys.exit(2 if isinstance(error, Invalid) and error.code == "settings" else 1)
    except BrokenPipeError:
        sys.exit(1)
