"""The command about the second store: how far behind it is, and to look at all of it again."""

from __future__ import annotations

import click

from casework.errors import NotFound, Refused
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
@click.option(
    "--forget",
    is_flag=True,
    help="The mirror is gone for good, and none is set: let no erasure wait for it.",
)
@json_option
@with_parts
def mirror(parts: Parts, again: bool, forget: bool, as_json: bool) -> None:
    """Show how far the mirror is behind the store; the worker keeps it up."""
    if forget:
        _forget(parts, as_json=as_json)
        return
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


def _forget(parts: Parts, *, as_json: bool) -> None:
    if parts.archive.mirror is not None:
        raise Refused(
            f"{parts.archive.mirror.describe()} is the mirror. Unset LYSBRO_MIRROR first, or say "
            "`--again` when it was replaced.",
            code="mirror-set",
        )
    with parts.database.begin() as conn:
        count = mirror_rows.forget_all(conn)
    parts.note(OPERATOR, "mirror-forgotten", "", detail={"objects": count})
    text = f"Of {count} objects in a mirror nothing is known any more. What it has stays there."
    show({"objects": count}, as_json=as_json, text=text)
