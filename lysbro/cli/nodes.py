"""Commands on the nodes of the exchange: the list of them, and one that will not come back."""

from __future__ import annotations

import click

from casework.errors import Conflict
from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import show
from lysbro.status import nodes_in_words, nodes_of


@click.group()
def node() -> None:
    """Nodes: the data folders that work as one exchange."""


@node.command("list")
@json_option
@with_parts
def node_list(parts: Parts, as_json: bool) -> None:
    """List the nodes, what runs on each, and what waits in its spool."""
    told = nodes_of(parts)
    show(told, as_json=as_json, text=nodes_in_words(told) or "This exchange has one node.")


@node.command("forget")
@click.argument("name")
@click.option("--spool-lost", is_flag=True, help="Its disk is lost, with what was not packed yet.")
@json_option
@with_parts
def node_forget(parts: Parts, name: str, spool_lost: bool, as_json: bool) -> None:
    """Strike the node NAME off the list: it will not come back."""
    left = sum(n["spool_instances"] for n in nodes_of(parts) if n["name"] == name)
    if left and not spool_lost:
        raise Conflict(
            f"{left} objects lie in the spool of {name} and nowhere else. Start it again, or start "
            "Lysbro on its data folder elsewhere; if that disk is lost, say --spool-lost.",
            code="node-spool-not-empty",
        )
    parts.nodes.forget(name)
    parts.note(OPERATOR, "node-forgotten", name, detail={"spool_instances": left})
    show({"name": name, "lost": left}, as_json=as_json, text=f"The node {name} is struck off.")
