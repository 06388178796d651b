"""The command about storage commitment: what waits, what was given up, and reporting it again."""

from __future__ import annotations

from typing import Any

import click

from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import show, table
from storage.commitments import Listed

_COLUMNS = ("id", "node", "state", "instances", "committed", "failed", "attempts", "reason")


@click.command()
@click.option("--replay", "replayed", type=int, metavar="ID", help="Report one that was given up.")
@json_option
@with_parts
def commitments(parts: Parts, replayed: int | None, as_json: bool) -> None:
    """List storage commitments that are not reported yet, or report one again."""
    if replayed is None:
        rows = [_row(listed) for listed in parts.commitments.listed()]
        show(rows, as_json=as_json, text=table(rows, _COLUMNS))
        return
    again = parts.commitments.replay(replayed)
    parts.note(OPERATOR, "commitment-replayed", again.transaction_uid, site=again.site)
    show(
        {"id": again.id, "node": again.ae_title, "state": again.state},
        as_json=as_json,
        text=f"Commitment {again.id} is reported to {again.ae_title} again.",
    )


def _row(listed: Listed) -> dict[str, Any]:
    told = listed.commitment
    return {
        "id": told.id,
        "site": told.site,
        "node": told.ae_title or "over the web",
        "transaction_uid": told.transaction_uid,
        "state": told.state,
        "requested_at": told.requested_at.isoformat(),
        "instances": listed.instances,
        "committed": listed.committed,
        "failed": listed.failed,
        "attempts": told.attempts,
        "next_attempt_at": told.next_attempt_at.isoformat() if told.next_attempt_at else None,
        "reason": told.last_error,
    }
