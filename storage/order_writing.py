"""Places, changes and cancels orders in the caller's transaction, whoever asks for it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, insert, select, update

from casework.audit import Deed
from casework.clinical import normal_clinical
from casework.errors import Conflict, NotFound
from casework.identifiers import derived_uid, new_case_id
from casework.model import Actor
from casework.orders import (
    Action,
    Instruction,
    Order,
    OrderEvent,
    OrderState,
    Request,
    after,
    after_all,
    checked,
    merged,
    same_content,
    state_of,
)
from storage.casebook_tables import sites
from storage.database import take_turns
from storage.ledger import append_entry
from storage.order_links import DEEDS, tell_cases
from storage.order_rows import as_orders, order_columns, patient_columns, step_rows, write_steps
from storage.order_tables import orders


@dataclass(frozen=True)
class Moment:
    """The time of a change: for the books, and by the clock on the wall."""

    at: datetime
    wall: datetime


_SHORT_STRING = 16  # PS3.5 section 6.2, VR SH

_EVENTS: Mapping[Action, OrderEvent] = {
    Action.CANCEL: OrderEvent.CANCEL,
    Action.STOP: OrderEvent.STOP,
    Action.BEGIN: OrderEvent.BEGIN,
    Action.COMPLETE: OrderEvent.COMPLETE,
}


def order_of(conn: Connection, order_id: str) -> Order:
    """Return an order, whoever asks; NotFound when there is none."""
    found = as_orders(conn, select(orders).where(orders.c.id == order_id))
    if not found:
        raise NotFound(f"There is no order {order_id}.", code="no-such-order")
    return found[0]


def order_by_number(
    conn: Connection, site: str, *, placer_number: str = "", filler_number: str = ""
) -> Order | None:
    """Return the order of a site under the number of who placed it, or of who carries it out."""
    if placer_number:
        found = _first(conn, orders.c.site == site, orders.c.placer_number == placer_number)
        if found is not None:
            return found
    if not filler_number:
        return None
    return _first(conn, orders.c.site == site, orders.c.filler_number == filler_number)


def place(
    conn: Connection, actor: Actor, request: Request, *, site: str, now: Moment
) -> tuple[Order, bool]:
    """Keep an order and tell whether it is new; the same under the same placer number is not.

    Raises Conflict, coded `order-exists`, when another stands under that number.
    """
    _in_turn(conn, site)
    if conn.execute(select(sites.c.slug).where(sites.c.slug == site)).first() is None:
        raise NotFound(f"There is no site {site}. Add it first.", code="no-such-site")
    before = order_by_number(conn, site, placer_number=request.placer_number)
    if before is not None:
        if before.request.patient.id == request.patient.id and same_content(
            before.request, _clinical(request)
        ):
            return before, False
        raise Conflict(
            f"Another order stands under the number {request.placer_number}. Change that one.",
            code="order-exists",
            state=before.state.value,
        )
    wanted = checked(_clinical(request), now=now.wall)
    order_id = _free_id(conn)
    filler = wanted.filler_number if len(wanted.filler_number) <= _SHORT_STRING else ""
    accession = wanted.accession_number or filler or order_id.replace("-", "")
    wanted = replace(
        wanted,
        accession_number=accession,
        procedure_id=wanted.procedure_id or accession,
        study_uid=wanted.study_uid or derived_uid("order", site, order_id),
    )
    _require_free_accession(conn, site, accession, order_id)
    conn.execute(
        insert(orders).values(
            id=order_id,
            site=site,
            created_by=actor.id,
            created_at=now.at,
            changed_at=now.at,
            **patient_columns(conn, site, wanted.patient),
            **order_columns(wanted),
        )
    )
    write_steps(conn, order_id, site, wanted.steps, performed={})
    _note(conn, actor, "order-placed", order_id, site, now)
    tell_cases(conn, order_id, at=now.at)
    return order_of(conn, order_id), True


def change(conn: Connection, actor: Actor, order: Order, told: Request, *, now: Moment) -> Order:
    """Change an order by what is told of it since; what is left out stays as it was.

    Raises Conflict once it has ended, or when patient, study or number of what has begun differ.
    """
    _in_turn(conn, order.site)
    after(order.state, OrderEvent.CHANGE)
    wanted = checked(merged(order.request, _clinical(told)), now=now.wall)
    was = order.request
    if order.state is not OrderState.SCHEDULED:
        kept = (was.patient.id, was.study_uid, was.accession_number)
        if kept != (wanted.patient.id, wanted.study_uid, wanted.accession_number):
            raise Conflict(
                "The examination has begun: its patient, study and accession number stay. "
                "Cancel the order and place another.",
                code="order-begun",
                state=order.state.value,
            )
    if wanted == replace(was, clinical=dict(was.clinical)):
        return order
    _require_free_accession(conn, order.site, wanted.accession_number, order.id)
    _write(conn, order, wanted, now)
    _note(conn, actor, "order-changed", order.id, order.site, now)
    tell_cases(conn, order.id, at=now.at)
    return order_of(conn, order.id)


def move(conn: Connection, actor: Actor, order: Order, event: OrderEvent, *, now: Moment) -> Order:
    """Let an event happen to all of an order; doing it again changes nothing."""
    if after(order.state, event) is order.state:
        return order
    wanted = after_all(order.request, event)
    _write(conn, order, wanted, now)
    action = DEEDS[state_of(step.state for step in wanted.steps)]
    _note(conn, actor, action, order.id, order.site, now)
    return order_of(conn, order.id)


def carry_out(
    conn: Connection, actor: Actor, instruction: Instruction, *, site: str, now: Moment
) -> Order:
    """Do what a message of a site wants; what was done already stays done.

    An order that is placed again for the same patient is changed, one that is changed before it was
    placed is placed. NotFound when what is to be ended is not there.
    """
    _in_turn(conn, site)
    told = instruction.request
    order = order_by_number(
        conn, site, placer_number=told.placer_number, filler_number=told.filler_number
    )
    if order is None:
        if instruction.action in (Action.PLACE, Action.CHANGE):
            return place(conn, actor, told, site=site, now=now)[0]
        number = told.placer_number or told.filler_number
        raise NotFound(f"There is no order under the number {number}.", code="no-such-order")
    if instruction.action not in (Action.PLACE, Action.CHANGE):
        return move(conn, actor, order, _EVENTS[instruction.action], now=now)
    is_same_patient = order.request.patient.id == told.patient.id
    if is_same_patient and same_content(order.request, _clinical(told)):
        return order
    if instruction.action is Action.PLACE and not is_same_patient:
        raise Conflict(
            f"The number {told.placer_number or told.filler_number} is that of an order for "
            "another patient.",
            code="order-exists",
            state=order.state.value,
        )
    return change(conn, actor, order, told, now=now)


def moved_on(order: Order) -> Conflict:
    """Return what to tell one who has looked at an older version of an order."""
    return Conflict(
        "The order has changed meanwhile. Load it again to see where it is.",
        code="moved-on",
        state=order.state.value,
    )


def _in_turn(conn: Connection, site: str) -> None:
    """Take turns with what indexes the site's studies, so that an order and its study see each
    other whichever comes first.
    """
    take_turns(conn, [f"register:{site}"])


def _write(conn: Connection, order: Order, wanted: Request, now: Moment) -> None:
    moved = conn.execute(
        update(orders)
        .where(orders.c.id == order.id, orders.c.version == order.version)
        .values(
            version=order.version + 1,
            changed_at=now.at,
            **patient_columns(conn, order.site, wanted.patient),
            **order_columns(wanted),
        )
    )
    if moved.rowcount != 1:
        raise moved_on(order_of(conn, order.id))
    performed = {row.step_id: row.performed_uid for row in step_rows(conn, [order.id])[order.id]}
    write_steps(conn, order.id, order.site, wanted.steps, performed=performed)


def _first(conn: Connection, *wanted: ColumnElement[bool]) -> Order | None:
    asked = select(orders).where(*wanted).order_by(orders.c.created_at, orders.c.id).limit(1)
    return next(iter(as_orders(conn, asked)), None)


def _clinical(request: Request) -> Request:
    return replace(request, clinical=normal_clinical(request.clinical))


def _free_id(conn: Connection) -> str:
    while True:
        order_id = new_case_id(secrets.token_bytes)
        if conn.execute(select(orders.c.id).where(orders.c.id == order_id)).first() is None:
            return order_id


def _require_free_accession(conn: Connection, site: str, number: str, order_id: str) -> None:
    taken = conn.execute(
        select(orders.c.id).where(
            orders.c.site == site,
            orders.c.accession_number == number,
            orders.c.id != order_id,
        )
    ).first()
    if taken is not None:
        raise Conflict(
            f"The accession number {number} is that of another order.", code="accession-taken"
        )


def _note(
    conn: Connection, actor: Actor, action: str, order_id: str, site: str, now: Moment
) -> None:
    append_entry(conn, Deed(actor, action, order_id, site=site), at=now.at)
