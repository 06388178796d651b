"""Commands about HL7: who may send for which site, and what was refused."""

from __future__ import annotations

from typing import Any

import click

from casework.errors import Refused
from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import show, table
from lysbro.hl7 import replay
from storage.hl7_inbox import Sender


@click.group()
def hl7() -> None:
    """HL7: the systems that send orders."""


@hl7.command("add")
@click.argument("application", metavar="APP")
@click.argument("facility")
@click.option("--site", required=True, help="The site that it orders for.")
@click.option("--address", default="", help="The only address that it may call from.")
@json_option
@with_parts
def hl7_add(
    parts: Parts, application: str, facility: str, site: str, address: str, as_json: bool
) -> None:
    """Register the sender APP (MSH-3) of FACILITY (MSH-4, '' for none)."""
    added = Sender(application, facility, site, address)
    parts.hl7_inbox.add_sender(added)
    parts.note(OPERATOR, "hl7-sender-added", f"{application}@{facility}", site=site)
    show(_sender(added), as_json=as_json, text=f"{application} of {facility} orders for {site}.")


@hl7.command("remove")
@click.argument("application", metavar="APP")
@click.argument("facility")
@with_parts
def hl7_remove(parts: Parts, application: str, facility: str) -> None:
    """Take nothing from a sender any more."""
    parts.hl7_inbox.remove_sender(application, facility)
    parts.note(OPERATOR, "hl7-sender-removed", f"{application}@{facility}")
    click.echo(f"{application} of {facility} is no longer taken from.")


@hl7.command("list")
@json_option
@with_parts
def hl7_list(parts: Parts, as_json: bool) -> None:
    """List the senders."""
    rows = [_sender(each) for each in parts.hl7_inbox.senders()]
    columns = ("application", "facility", "site", "address")
    show(rows, as_json=as_json, text=table(rows, columns))


@hl7.command("refused")
@click.option("--show", "shown", type=int, metavar="ID", help="Print one as it came.")
@click.option("--remove", "removed", type=int, metavar="ID", help="Let one go for good.")
@json_option
@with_parts
def hl7_refused(parts: Parts, shown: int | None, removed: int | None, as_json: bool) -> None:
    """List the messages that were refused, with the reason, the newest first."""
    inbox = parts.hl7_inbox
    if shown is not None:
        content = inbox.refused_content(shown)
        parts.note(OPERATOR, "hl7-message-read", str(shown))
        click.echo(content.decode("utf-8", "replace").replace("\r", "\n"))
        return
    if removed is not None:
        inbox.drop_refused(removed)
        parts.note(OPERATOR, "hl7-message-removed", str(removed))
        click.echo(f"Message {removed} is gone.")
        return
    rows: list[dict[str, Any]] = [
        {
            "id": each.id,
            "at": f"{each.received_at:%Y-%m-%d %H:%M}",
            "sender": f"{each.envelope.application}@{each.envelope.facility}",
            "site": each.site,
            "control_id": each.envelope.control_id,
            "answer": each.code,
            "reason": each.reason,
        }
        for each in inbox.refused()
    ]
    columns = ("id", "at", "sender", "site", "control_id", "answer", "reason")
    show(rows, as_json=as_json, text=table(rows, columns))


@hl7.command("replay")
@click.argument("message_id", metavar="ID", type=int)
@with_parts
def hl7_replay(parts: Parts, message_id: int) -> None:
    """Take a refused message again, once what was wrong has been put right."""
    reason = replay(parts, message_id)
    parts.note(OPERATOR, "hl7-message-replayed", str(message_id))
    if reason:
        raise Refused(f"Message {message_id} is refused again: {reason}", code="hl7-refused")
    click.echo(f"Message {message_id} is taken.")


def _sender(each: Sender) -> dict[str, str]:
    return {
        "application": each.application,
        "facility": each.facility,
        "site": each.site,
        "address": each.address,
    }
