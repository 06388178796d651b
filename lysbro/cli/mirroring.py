"""The command about the second store: how far behind it is, and to look at all of it again."""

from __future__ import annotations

import click

from casework.errors import NotFound
from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import show
from lysbro.mirroring import mirror_in_words, mirror_of
from storage import mirror_rows


@click.command("mirror")
@click.option(
    "--again",
    is_flag=True,
    help="Compare every object anew: after the mirror was replaced, or to have all of it hashed.",
)
@json_option
@with_parts
def mirror(parts: Parts, again: bool, as_json: bool) -> None:
    """Show how far the mirror is behind the store; the worker keeps it up."""
    if parts.archive.mirror is None:
        raise NotFound("There is no mirror. Set LYSBRO_MIRROR.", code="no-mirror")
    if again:
        with parts.database.begin() as conn:
            count = mirror_rows.look_again(conn, now=parts.clock())
        parts.note(OPERATOR, "mirror-again", parts.archive.mirror.describe())
        text = f"The worker looks at {count} objects again: what the mirror has is only read."
        show({"objects": count}, as_json=as_json, text=text)
        return
    told = mirror_of(parts, parts.clock()) or {}
    alarms, lines = mirror_in_words(told)
    show(told, as_json=as_json, text="\n".join([*alarms, *lines]))
