"""Commands about orders: place one, list them by day, cancel one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import click

from casework.access import Scope
from casework.model import Patient, Priority
from casework.orders import UNSAID, Code, Order, Request, ScheduledStep
from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import show, table
from storage.orders import Wanted

_EVERYTHING = Scope(sites=None, specialties=None, own_site="")
_DAY = click.DateTime(["%Y-%m-%d"])
_MOMENT = click.DateTime(["%Y-%m-%dT%H:%M", "%Y-%m-%d"])
_LISTED = 1000


@click.group()
def order() -> None:
    """Orders: what the modality worklist is made of."""


@order.command("add")
@click.option("--site", required=True, help="The site that orders.")
@click.option("--patient-id", required=True)
@click.option("--issuer", default="", help="Who gave that number; empty: the site's own.")
@click.option("--name", required=True, help="In DICOM form: FAMILY^GIVEN.")
@click.option("--birth-date", type=_DAY)
@click.option("--sex", type=click.Choice(["M", "F", "O"]))
@click.option("--modality", required=True, help="Such as CT.")
@click.option("--station", "stations", multiple=True, help="AE title; none: any of the site.")
@click.option("--at", type=_MOMENT, help="When, by the clock on the wall; empty: now.")
@click.option("--procedure", default="", help="What is to be examined.")
@click.option("--question", default="", help="What is asked.")
@click.option("--priority", type=click.Choice([p.value for p in Priority]), default="routine")
@click.option("--accession", default="", help="Accession number; empty: one is given.")
@click.option("--placer", default="", help="The number of who orders; a repeat changes nothing.")
@click.option("--referrer", default="", help="In DICOM form.")
@json_option
@with_parts
def order_add(parts: Parts, **given: Any) -> None:
    """Place an order of one scheduled step."""
    step = ScheduledStep(
        id="",
        modality=given["modality"].upper(),
        starts_at=given["at"] or UNSAID,
        stations=given["stations"],
        description=given["procedure"],
        protocol=Code(),
    )
    born: datetime | None = given["birth_date"]
    request = Request(
        patient=Patient(
            id=given["patient_id"],
            issuer=given["issuer"],
            name=given["name"],
            birth_date=born.date() if born else None,
            sex=given["sex"] or "",
        ),
        steps=(step,),
        accession_number=given["accession"],
        placer_number=given["placer"],
        procedure=given["procedure"],
        question=given["question"],
        priority=Priority(given["priority"]),
        referrer=given["referrer"],
    )
    actor = replace(OPERATOR, site=given["site"])
    placed, is_new = parts.orders.place(actor, request, site=given["site"])
    word = "is placed" if is_new else "was placed already"
    show(
        _row(placed) | {"study_uid": placed.request.study_uid, "new": is_new},
        as_json=given["as_json"],
        text=f"Order {placed.id} {word}, accession number {placed.request.accession_number}.",
    )


@order.command("list")
@click.option("--from", "first", type=_DAY, help="First day; empty: today.")
@click.option("--days", default=1, show_default=True, type=click.IntRange(1, 3660))
@json_option
@with_parts
def order_list(parts: Parts, first: datetime | None, days: int, as_json: bool) -> None:
    """List the orders of a day, or of several."""
    begin: date = first.date() if first else parts.orders.now().wall.date()
    wanted = Wanted(first=begin, last=begin + timedelta(days=days - 1))
    found, has_more = parts.orders.listed(_EVERYTHING, wanted, limit=_LISTED)
    rows = [_row(each) for each in found]
    columns = ("start", "order", "site", "accession", "modality", "procedure", "state")
    text = table(rows, columns)
    if has_more:
        text += f"\nThere are more than {_LISTED}; ask for fewer days."
    show(rows, as_json=as_json, text=text)


@order.command("cancel")
@click.argument("order_id", metavar="ORDER")
@json_option
@with_parts
def order_cancel(parts: Parts, order_id: str, as_json: bool) -> None:
    """Cancel an order that has not begun."""
    gone = parts.orders.cancel(OPERATOR, order_id, as_operator=True)
    show(_row(gone), as_json=as_json, text=f"Order {gone.id} is cancelled.")


def _row(found: Order) -> dict[str, Any]:
    """Return an order as a line: without the patient, who stands in the web."""
    steps = found.request.steps
    return {
        "order": found.id,
        "site": found.site,
        "accession": found.request.accession_number,
        "start": f"{min(step.starts_at for step in steps):%Y-%m-%d %H:%M}",
        "modality": "/".join(dict.fromkeys(step.modality for step in steps)),
        "procedure": found.request.procedure,
        "state": found.state.value,
    }
