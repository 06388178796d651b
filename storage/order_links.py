"""Ties orders to what is made of them: studies, their cases, and the steps of modalities.

Called in the transactions that take those in; doing it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, or_, select, update

from casework.audit import Deed
from casework.model import Actor, CaseState, Priority, SiteKind, Specialty
from casework.orders import OPEN, TABLE, OrderEvent, OrderState, state_of
from casework.performed import PerformedStep, StepStatus
from storage.casebook_tables import aes, case_studies, cases
from storage.due import clocks_of
from storage.ledger import append_entry
from storage.order_rows import OrderRow, step_rows
from storage.order_tables import order_stations, order_steps, orders
from storage.prior_asking import ask_for_priors
from storage.tables import patients, series, studies

INDEX_ID = "system:index"
"""The actor that makes cases of studies; such a case takes over what its order says."""

_UNREAD = frozenset({CaseState.SUBMITTED, CaseState.CLAIMED, CaseState.WAITING, CaseState.REPORTED})
_EVENTS: Mapping[StepStatus, OrderEvent] = {
    StepStatus.IN_PROGRESS: OrderEvent.BEGIN,
    StepStatus.COMPLETED: OrderEvent.COMPLETE,
    StepStatus.DISCONTINUED: OrderEvent.DISCONTINUE,
}
DEEDS: Mapping[OrderState, str] = {
    OrderState.IN_PROGRESS: "order-begun",
    OrderState.COMPLETED: "order-completed",
    OrderState.DISCONTINUED: "order-discontinued",
    OrderState.CANCELLED: "order-cancelled",
}
"""What the audit calls it when an order has come to a state."""


def concerns(site: str) -> ColumnElement[bool]:
    """Return the condition on orders that a site placed, or that name a station of it."""
    names_it = (
        select(order_stations.c.order_id)
        .join(aes, aes.c.title == order_stations.c.title)
        .where(order_stations.c.order_id == orders.c.id, aes.c.site == site)
    )
    return or_(orders.c.site == site, names_it.exists())


def order_of_study(
    conn: Connection, *, site: str, study_uid: str, accession_number: str, patient_id: str
) -> OrderRow | None:
    """Return the order that a study is made of: by its UID, else by its accession number.

    Either way it is of the same patient; by accession number the order is of the same site too.
    """
    alive_first = case((orders.c.state == OrderState.CANCELLED, 1), else_=0)
    same = orders.c.patient_id == patient_id
    asked = select(orders).order_by(alive_first, orders.c.created_at, orders.c.id).limit(1)
    found = conn.execute(
        asked.where(orders.c.study_uid == study_uid, same, concerns(site))
    ).one_or_none()
    if found is not None or not accession_number:
        return found
    by_number = orders.c.accession_number == accession_number
    return conn.execute(asked.where(orders.c.site == site, by_number, same)).one_or_none()


def case_values(order: OrderRow) -> dict[str, Any]:
    """Return what the case of a study takes over from its order; what it leaves out stays."""
    values: dict[str, Any] = {"priority": order.priority, "clinical": dict(order.clinical)}
    if order.question:
        values["question"] = order.question
    if referrer := order.referrer or order.requester:
        values["referrer"] = referrer
    return values


def note_case(conn: Connection, order: OrderRow, case_id: str, *, at: datetime) -> None:
    """Note which case an order's study is, and that the case has taken over what it says."""
    conn.execute(update(orders).where(orders.c.id == order.id).values(case_id=case_id))
    _note(conn, _machine(order.site), "order-applied", order, case_id=case_id, at=at)


def tell_cases(conn: Connection, order_id: str, *, at: datetime) -> None:
    """Let the case of a study that is here already take over what its order says.

    Only a case that was made of a study, and that nobody has signed; what a person wrote stays.
    """
    order = conn.execute(select(orders).where(orders.c.id == order_id)).one()
    for found in _studies_of(conn, order):
        if not found.case_id:
            continue
        row = conn.execute(select(cases).where(cases.c.id == found.case_id).with_for_update()).one()
        if row.created_by == INDEX_ID and row.state in _UNREAD:
            values = case_values(order)
            if row.priority != values["priority"]:
                values["due_at"] = row.due_at and clocks_of(conn).moved(
                    row.due_at,
                    Specialty(row.specialty),
                    submitted_at=row.submitted_at or row.created_at,
                    before=Priority(row.priority),
                    after=Priority(values["priority"]),
                )
            if any(row._mapping[name] != value for name, value in values.items()):
                values["version"] = row.version + 1
                conn.execute(update(cases).where(cases.c.id == row.id).values(**values))
            ask_for_priors(conn, case_id=row.id, now=at)
        if order.case_id != found.case_id:
            note_case(conn, order, found.case_id, at=at)
        if found.completeness in ("complete", "presumed"):
            study_is_complete(
                conn,
                site=found.site,
                study_uid=found.study_uid,
                case_id=found.case_id,
                is_presumed=found.completeness == "presumed",
                at=at,
            )


def _studies_of(conn: Connection, order: OrderRow) -> Sequence[OrderRow]:
    """Return the studies that are here of an order, as `order_of_study` would find the order."""
    columns = (
        studies.c.site,
        studies.c.study_uid,
        studies.c.completeness,
        studies.c.attributes,
        studies.c.patient_pk,
        case_studies.c.case_id,
    )
    asked = select(*columns).join(
        case_studies,
        (case_studies.c.site == studies.c.site) & (case_studies.c.study_uid == studies.c.study_uid),
    )
    by_number = (studies.c.site == order.site) & (
        studies.c.accession_number == order.accession_number
    )
    found = conn.execute(asked.where(or_(studies.c.study_uid == order.study_uid, by_number))).all()
    return [row for row in found if _is_of(conn, order, row)]


def _is_of(conn: Connection, order: OrderRow, study: OrderRow) -> bool:
    """Tell whether this is the order that would be found for a study."""
    patient_id = conn.execute(
        select(patients.c.patient_id).where(patients.c.pk == study.patient_pk)
    ).scalar_one()
    best = order_of_study(
        conn,
        site=study.site,
        study_uid=study.study_uid,
        accession_number=str(study.attributes.get("AccessionNumber") or ""),
        patient_id=patient_id,
    )
    return best is not None and best.id == order.id


def step_performed(
    conn: Connection,
    *,
    site: str,
    step: PerformedStep,
    at: datetime,
) -> None:
    """Move the scheduled steps that a performed step names, or is known to be of, to its state.

    PS3.4 F.7.2: a step without an order, or with one of somebody else, changes no order.
    """
    named = [] if step.status.is_final else _named(conn, site, step)
    keys = {(row.order_id, row.step_id) for row in (*_already_linked(conn, site, step.uid), *named)}
    actor = Actor(id=f"ae:{step.ae}", name=step.ae, site=site, site_kind=SiteKind.HOSPITAL)
    for order_id in sorted({order_id for order_id, _ in keys}):
        _move(
            conn,
            order_id,
            _EVENTS[step.status],
            lambda row: (row.order_id, row.step_id) in keys,
            actor=actor,
            at=at,
            performed_uid=step.uid,
        )


def _already_linked(conn: Connection, site: str, uid: str) -> Sequence[OrderRow]:
    asked = (
        select(order_steps)
        .join(orders, orders.c.id == order_steps.c.order_id)
        .where(order_steps.c.performed_uid == uid, concerns(site))
    )
    return conn.execute(asked).all()


def _named(conn: Connection, site: str, step: PerformedStep) -> list[OrderRow]:
    """Return the scheduled steps that a performed one names."""
    found: list[OrderRow] = []
    for named in step.scheduled:
        asked = select(orders.c.id).where(concerns(site)).order_by(orders.c.created_at)
        ids: Sequence[str] = []
        if named.study_uid:
            by_uid = asked.where(orders.c.study_uid == named.study_uid)
            ids = conn.execute(by_uid).scalars().all()
        if named.accession_number and len(ids) != 1:
            by_number = asked.where(orders.c.accession_number == named.accession_number)
            numbered = conn.execute(by_number).scalars().all()
            ids = [each for each in numbered if each in ids] or ids or numbered
        for rows in step_rows(conn, ids).values():
            exact = [row for row in rows if row.step_id == named.step_id]
            alone = rows if len(rows) == 1 or not named.step_id else []
            found += exact or alone
    return found


def study_is_complete(
    conn: Connection,
    *,
    site: str,
    study_uid: str,
    case_id: str,
    is_presumed: bool,
    at: datetime,
) -> None:
    """Complete the steps of a study's order, unless a modality is telling of them by MPPS.

    Of several steps those of the study's modalities. Where a performed step is under way, only a
    study that is known to be complete, not one presumed so, ends it.
    """
    of_study = orders.c.study_uid == study_uid
    wanted = or_(of_study, orders.c.case_id == case_id) if case_id else of_study
    asked = select(orders.c.id).where(
        wanted, concerns(site), orders.c.state.in_([state.value for state in OPEN])
    )
    ids = conn.execute(asked).scalars().all()
    if not ids:
        return
    made = set(
        conn.execute(
            select(series.c.modality)
            .distinct()
            .join(studies, studies.c.pk == series.c.study_pk)
            .where(studies.c.site == site, studies.c.study_uid == study_uid)
        ).scalars()
    )
    for order_id, rows in step_rows(conn, ids).items():
        is_told = any(row.performed_uid for row in rows)

        def is_done(row: OrderRow, *, told: bool = is_told, alone: bool = len(rows) == 1) -> bool:
            if told:
                return row.state == OrderState.IN_PROGRESS and not is_presumed
            return row.state in OPEN and (alone or row.modality in made)

        _move(conn, order_id, OrderEvent.STUDY_COMPLETE, is_done, actor=_machine(site), at=at)


def _move(
    conn: Connection,
    order_id: str,
    event: OrderEvent,
    concerned: Callable[[OrderRow], bool],
    *,
    actor: Actor,
    at: datetime,
    performed_uid: str = "",
) -> None:
    """Let an event happen to some steps of an order, and the order follow."""
    order = conn.execute(select(orders).where(orders.c.id == order_id).with_for_update()).one()
    states = []
    for row in step_rows(conn, [order_id])[order_id]:
        before = after = OrderState(row.state)
        values: dict[str, Any] = {}
        if concerned(row):
            after = TABLE.get((before, event), before)
            values = {"performed_uid": performed_uid} if performed_uid else {}
        states.append(after)
        if after is not before:
            values["state"] = after
        if values:
            mine = (order_steps.c.order_id == order_id) & (order_steps.c.step_id == row.step_id)
            conn.execute(update(order_steps).where(mine).values(**values))
    state = state_of(states)
    if state != order.state:
        conn.execute(
            update(orders)
            .where(orders.c.id == order_id)
            .values(state=state, changed_at=at, version=orders.c.version + 1)
        )
        if state in DEEDS:
            _note(conn, actor, DEEDS[state], order, at=at)


def _note(
    conn: Connection,
    actor: Actor,
    action: str,
    order: OrderRow,
    *,
    at: datetime,
    case_id: str = "",
) -> None:
    append_entry(conn, Deed(actor, action, order.id, case_id, site=order.site), at=at)


def _machine(site: str) -> Actor:
    return Actor(id=INDEX_ID, name="Lysbro", site=site, site_kind=SiteKind.CENTRE)
