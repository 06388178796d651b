"""The root command: gathers the subcommands and turns expected errors into exit status 1 with their
sentence.
"""

from __future__ import annotations

import sys

import click

from casework.errors import Invalid, LysbroError
from lysbro.cli import objects, people, run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lysbro")
def root() -> None:
    """Lysbro: a store-and-forward exchange for radiology and dermatology images."""


for command in (*people.COMMANDS, *objects.COMMANDS, *run.COMMANDS):
    root.add_command(command)


def main() -> None:
    """Run the command line."""
    try:
        root(standalone_mode=False)
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
