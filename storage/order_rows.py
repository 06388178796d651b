"""Turns orders into rows and rows into orders, and writes them; decides nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select

from casework.model import Patient, Priority
from casework.orders import Code, Order, OrderState, Request, ScheduledStep, state_of
from storage.casebook_tables import sites
from storage.database import chunks
from storage.folding import fold_name
from storage.levels import issuer_of, shown_issuer
from storage.order_tables import order_stations, order_steps

OrderRow = Row[*tuple[Any, ...]]


def wall_clock(date: str, time: str) -> datetime:
    """Return the moment that a date and a time of DICOM's normal form say, without a zone."""
    return datetime.strptime(f"{date}{time[:6]}", "%Y%m%d%H%M%S")


def date_and_time(moment: datetime) -> tuple[str, str]:
    """Return a moment of the wall clock in the normal form of DICOM's dates and times."""
    return f"{moment:%Y%m%d}", f"{moment:%H%M%S}.{moment.microsecond:06d}"


def patient_columns(conn: Connection, site: str, patient: Patient) -> dict[str, Any]:
    """Return the columns of an order that its patient fills."""
    site_issuer = conn.execute(select(sites.c.issuer).where(sites.c.slug == site)).scalar_one()
    attributes = {"PatientID": patient.id, "IssuerOfPatientID": patient.issuer}
    alphabetic, ideographic, phonetic = fold_name(patient.name)
    return {
        "patient_id": patient.id,
        "patient_issuer": issuer_of(attributes, site=site, site_issuer=site_issuer, study_uid=""),
        "patient_name": patient.name,
        "name_fold": alphabetic,
        "ideographic_fold": ideographic,
        "phonetic_fold": phonetic,
        "patient_birth_date": patient.birth_date,
        "patient_sex": patient.sex,
    }


def order_columns(request: Request) -> dict[str, Any]:
    """Return the columns of an order that what is asked for fills, but for its patient."""
    first = min(step.starts_at for step in request.steps)
    return {
        "state": state_of(step.state for step in request.steps),
        "accession_number": request.accession_number,
        "placer_number": request.placer_number,
        "filler_number": request.filler_number,
        "study_uid": request.study_uid,
        "procedure_id": request.procedure_id,
        "procedure": request.procedure,
        "procedure_code": asdict(request.procedure_code),
        "question": request.question,
        "clinical": dict(request.clinical),
        "priority": request.priority,
        "referrer": request.referrer,
        "requester": request.requester,
        "first_start": f"{first:%Y-%m-%dT%H:%M}",
    }


def write_steps(
    conn: Connection,
    order_id: str,
    site: str,
    steps: Sequence[ScheduledStep],
    *,
    performed: Mapping[str, str],
) -> None:
    """Write the steps of an order in place of those that it had."""
    for table in (order_stations, order_steps):
        conn.execute(delete(table).where(table.c.order_id == order_id))
    rows, stations = [], []
    for number, step in enumerate(steps):
        date, time = date_and_time(step.starts_at)
        rows.append(
            {
                "order_id": order_id,
                "step_id": step.id,
                "ordinal": number,
                "site": site,
                "state": step.state,
                "modality": step.modality,
                "start_date": date,
                "start_time": time,
                "stations": list(step.stations),
                "station_name": step.station_name,
                "description": step.description,
                "protocol": asdict(step.protocol),
                "location": step.location,
                "performer": step.performer,
                "performed_uid": performed.get(step.id, ""),
            }
        )
        stations += [
            {"title": title, "order_id": order_id, "step_id": step.id}
            for title in dict.fromkeys(step.stations)
        ]
    conn.execute(insert(order_steps), rows)
    if stations:
        conn.execute(insert(order_stations), stations)


def step_rows(conn: Connection, order_ids: Iterable[str]) -> dict[str, list[OrderRow]]:
    """Return the steps of orders, in their order."""
    found: dict[str, list[OrderRow]] = defaultdict(list)
    for some in chunks(sorted(set(order_ids))):
        asked = select(order_steps).where(order_steps.c.order_id.in_(some))
        for row in conn.execute(asked.order_by(order_steps.c.order_id, order_steps.c.ordinal)):
            found[row.order_id].append(row)
    return found


def as_orders(conn: Connection, asked: Select[Any]) -> list[Order]:
    """Return the orders of a query for whole rows."""
    rows = conn.execute(asked).all()
    steps = step_rows(conn, [row.id for row in rows])
    return [as_order(row, steps[row.id]) for row in rows]


def as_order(row: OrderRow, steps: Sequence[OrderRow]) -> Order:
    """Return the order of a row and of those of its steps."""
    return Order(
        id=row.id,
        site=row.site,
        state=OrderState(row.state),
        request=Request(
            patient=Patient(
                id=row.patient_id,
                issuer=shown_issuer(row.patient_issuer),
                name=row.patient_name,
                birth_date=row.patient_birth_date,
                sex=row.patient_sex,
            ),
            steps=tuple(as_step(step) for step in steps),
            accession_number=row.accession_number,
            placer_number=row.placer_number,
            filler_number=row.filler_number,
            procedure_id=row.procedure_id,
            procedure=row.procedure,
            procedure_code=Code(**row.procedure_code),
            study_uid=row.study_uid,
            question=row.question,
            clinical=row.clinical,
            priority=Priority(row.priority),
            referrer=row.referrer,
            requester=row.requester,
        ),
        created_at=row.created_at,
        changed_at=row.changed_at,
        created_by=row.created_by,
        version=row.version,
        case_id=row.case_id,
    )


def as_step(row: OrderRow) -> ScheduledStep:
    """Return the step of a row."""
    return ScheduledStep(
        id=row.step_id,
        modality=row.modality,
        starts_at=wall_clock(row.start_date, row.start_time),
        stations=tuple(row.stations),
        station_name=row.station_name,
        description=row.description,
        protocol=Code(**row.protocol),
        location=row.location,
        performer=row.performer,
        state=OrderState(row.state),
    )
