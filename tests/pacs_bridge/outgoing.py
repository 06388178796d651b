"""Sends, as the worker does, to nodes of a test: instances of a house, and objects just made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from casework.access import Scope
from casework.model import ApplicationEntity, SiteKind
from pacs_bridge.carriers import Way, to_a_node
from pacs_bridge.outbound import Sending, load_made, send_rows
from pacs_bridge.pace import Floor
from pacs_bridge.scu import Wait
from pacs_bridge.tally import Outcome
from storage.rows import InstanceRow
from tests.pacs_bridge.conftest import House

ALL = Scope(sites=None, specialties=None, own_site="")
QUICK = Wait(connect_s=2.0, association_s=3.0, answer_s=3.0)


def node(port: int, title: str = "LYSBRO", **more: Any) -> ApplicationEntity:
    return ApplicationEntity(
        title, "utsira", SiteKind.HOSPITAL, host=more.pop("host", "127.0.0.1"), port=port, **more
    )


def as_us(calling: str, **more: Any) -> Sending:
    return Sending(calling, floor=Floor(1000.0, grace_s=5.0), **more)


def stored(house: House, study: str = "1.2.1") -> list[InstanceRow]:
    return house.index.instances_of(ALL, study)


def send_stored(
    house: House, to: ApplicationEntity, sending: Sending, *, study: str = "1.2.1", **how: Any
) -> list[Outcome]:
    """Send a study of a house and return what became of each instance."""
    outcomes = send_rows(stored(house, study), to, sending, archive=house.archive, **how)
    return [each for each in outcomes if each is not None]


def send_made(items: Sequence[Any], to: ApplicationEntity, sending: Sending) -> list[Outcome]:
    """Send objects that have a data set and the names of what they are."""
    carry = to_a_node(
        load_made, to, calling=sending.calling, wait=sending.wait, floor=sending.floor,
        tls=sending.tls, way=Way(),
    )  # fmt: skip
    return [each for each in carry(items) if each is not None]
