"""Commands about the devices that sites take pictures with."""

from __future__ import annotations

from typing import Any

import click

from casework.devices import CONTACTS, IMMERSIONS, POLARIZATIONS, DeviceKind, EnrolledDevice
from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import show, table

_COLUMNS = (
    "id", "site", "name", "kind", "manufacturer", "model", "serial", "software", "in_use",
)  # fmt: skip


@click.group()
def device() -> None:
    """Devices: the dermatoscopes and cameras that a site takes pictures with."""


@device.command("add")
@click.argument("name")
@click.option("--site", required=True, help="Whose device it is.")
@click.option("--kind", required=True, type=click.Choice([kind.value for kind in DeviceKind]))
@click.option("--manufacturer", default="", help="A dermatoscope needs all four of these.")
@click.option("--model", default="")
@click.option("--serial", default="")
@click.option("--software", default="")
@click.option("--polarization", default="", type=click.Choice(["", *POLARIZATIONS]))
@click.option("--contact", default="", type=click.Choice(["", *CONTACTS]))
@click.option("--immersion", default="", type=click.Choice(["", *IMMERSIONS]))
@click.option("--magnification", type=float, help="Optical, as 10.")
@json_option
@with_parts
def add(parts: Parts, as_json: bool, **given: Any) -> None:
    """Enrol the device NAME of a site."""
    added = parts.devices.add(
        EnrolledDevice(**given | {"kind": DeviceKind(given["kind"])}), by=OPERATOR
    )
    parts.note(OPERATOR, "device-added", str(added.id), site=added.site)
    text = f"Device {added.id} ({added.name}) of {added.site} is enrolled."
    show(_row(added), as_json=as_json, text=text)


@device.command("list")
@click.option("--site", help="Of this site only.")
@click.option("--all", "retired", is_flag=True, help="Those that are retired too.")
@json_option
@with_parts
def list_(parts: Parts, site: str | None, retired: bool, as_json: bool) -> None:
    """List the devices in use."""
    rows = [_row(each) for each in parts.devices.listed(site, retired=retired)]
    show(rows, as_json=as_json, text=table(rows, _COLUMNS))


@device.command("retire")
@click.argument("device_id", metavar="ID", type=int)
@json_option
@with_parts
def retire(parts: Parts, device_id: int, as_json: bool) -> None:
    """Take a device out of use; pictures taken with it keep its name."""
    found = parts.devices.retire(device_id)
    if found.is_in_use:  # as it was before
        parts.note(OPERATOR, "device-retired", str(device_id), site=found.site)
    show({"id": device_id}, as_json=as_json, text=f"Device {device_id} is retired.")


def _row(found: EnrolledDevice) -> dict[str, Any]:
    return {
        "id": found.id,
        "site": found.site,
        "name": found.name,
        "kind": found.kind.value,
        "manufacturer": found.manufacturer,
        "model": found.model,
        "serial": found.serial,
        "software": found.software,
        "polarization": found.polarization,
        "contact": found.contact,
        "immersion": found.immersion,
        "magnification": found.magnification,
        "in_use": found.is_in_use,
    }
