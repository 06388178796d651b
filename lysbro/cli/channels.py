"""Commands about the further ways of replies: HL7, FHIR, webhook, mail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from casework.reply_channels import ReplyChannel, Way
from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import show, table

_COLUMNS = ("name", "site", "way", "address", "on", "options")


@click.group()
def channel() -> None:
    """Reply channels: how signed replies reach systems that are no DICOM nodes."""


@channel.command("add")
@click.argument("name")
@click.argument("way", type=click.Choice([way.value for way in Way]))
@click.argument("address")
@click.option("--site", required=True, help="The site whose replies go so.")
@click.option("--set", "options", multiple=True, metavar="OPTION=VALUE", help="See the manual.")
@json_option
@with_parts
def channel_add(
    parts: Parts,
    name: str,
    way: str,
    address: str,
    site: str,
    options: Sequence[str],
    as_json: bool,
) -> None:
    """Let the replies of a site go to ADDRESS from now on.

    ADDRESS is HOST:PORT for hl7, a base address for fhir, an address for webhook, a mailbox for
    mail.
    """
    pairs = [option.partition("=") for option in options]
    if wrong := [name for name, separator, _ in pairs if not separator]:
        raise click.BadParameter(f"{wrong[0]}: give --set OPTION=VALUE.")
    told = {name: value for name, _, value in pairs}
    added = parts.reply_channels.add(ReplyChannel(name, site, Way(way), address, told))
    parts.note(OPERATOR, "channel-added", name, site=site, detail={"way": way})
    text = f"Replies of {site} go to {address} by {way} from now on."
    show(_row(added), as_json=as_json, text=text)


@channel.command("list")
@json_option
@with_parts
def channel_list(parts: Parts, as_json: bool) -> None:
    """List the channels."""
    rows = [_row(each) for each in parts.reply_channels.all()]
    plain = [{**row, "options": _in_words(row["options"])} for row in rows]
    show(rows, as_json=as_json, text=table(plain, _COLUMNS))


@channel.command("turn")
@click.argument("name")
@click.argument("state", type=click.Choice(["on", "off"]))
@json_option
@with_parts
def channel_turn(parts: Parts, name: str, state: str, as_json: bool) -> None:
    """Turn a channel off for replies signed from now on, or on again."""
    found = parts.reply_channels.turn(name, on=state == "on")
    parts.note(OPERATOR, f"channel-turned-{state}", name, site=found.site)
    show(_row(found), as_json=as_json, text=f"{name} is {state}.")


@channel.command("remove")
@click.argument("name")
@with_parts
def channel_remove(parts: Parts, name: str) -> None:
    """Remove a channel; what is still queued for it is given up and says so."""
    found = parts.reply_channels.of(name)
    parts.reply_channels.remove(name)
    parts.note(OPERATOR, "channel-removed", name, site=found.site)
    click.echo(f"{name} is removed.")


def _row(found: ReplyChannel) -> dict[str, Any]:
    return {
        "name": found.name,
        "site": found.site,
        "way": found.way.value,
        "address": found.address,
        "on": found.is_on,
        "options": dict(found.options),
    }


def _in_words(options: Any) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items())
