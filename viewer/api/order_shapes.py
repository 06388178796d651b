"""What callers send about orders, and what they get; what it means is decided in casework."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from casework.errors import Invalid
from casework.model import Patient, Priority
from casework.orders import UNSAID, Code, Order, OrderState, Request, ScheduledStep
from viewer.api.bodies import LongText, PatientBody, Short, _iso_date
from viewer.api.calls import Answer, Body
from viewer.api.shapes import PatientShape

_Day = Annotated[date | None, BeforeValidator(_iso_date)]


def _wall_clock(value: object) -> object:
    """Take a time by the clock on the wall, without a zone."""
    if value in {"", None}:
        return None
    if not isinstance(value, str):
        raise ValueError("must be a time such as 2026-03-21T10:15")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError("must be a time such as 2026-03-21T10:15") from error
    if moment.tzinfo is not None:
        raise ValueError("must be by the clock on the wall, without a zone")
    return moment


class CodeBody(Body):
    """A coded concept."""

    value: Annotated[str, Field(max_length=16)] = ""
    scheme: Annotated[str, Field(max_length=16)] = ""
    meaning: Short = ""

    def code(self) -> Code:
        """Return the code as casework knows one."""
        return Code(self.value, self.scheme, self.meaning)


class StepBody(Body):
    """A scheduled step of an examination."""

    id: Annotated[str, Field(max_length=16, description="empty: one is given")] = ""
    modality: Annotated[str, Field(max_length=16)] = ""
    stations: Annotated[
        list[str], Field(max_length=10, description="AE titles; none: any station of the site")
    ] = Field(default_factory=list)
    starts_at: Annotated[
        datetime | None,
        BeforeValidator(_wall_clock),
        Field(description="by the clock on the wall, without a zone; empty: now"),
    ] = None
    station_name: Annotated[str, Field(max_length=16)] = ""
    description: Short = ""
    protocol: CodeBody = Field(default_factory=CodeBody)
    location: Annotated[str, Field(max_length=16)] = ""
    performer: Short = ""

    def step(self) -> ScheduledStep:
        """Return the step as casework knows one."""
        return ScheduledStep(
            id=self.id,
            modality=self.modality.upper(),
            starts_at=self.starts_at or UNSAID,
            stations=tuple(self.stations),
            station_name=self.station_name,
            description=self.description,
            protocol=self.protocol.code(),
            location=self.location,
            performer=self.performer,
        )


class _Fields(Body):
    accession_number: Annotated[str, Field(max_length=16, description="empty: one is given")] = ""
    filler_number: Short = ""
    procedure_id: Annotated[str, Field(max_length=16)] = ""
    procedure: Short = ""
    procedure_code: CodeBody = Field(default_factory=CodeBody)
    study_uid: Annotated[str, Field(pattern=r"^[0-9.]{0,64}$")] = ""
    question: LongText = ""
    clinical: dict[str, Any] = Field(default_factory=dict)
    priority: Priority | None = None
    referrer: Short = ""
    requester: Short = ""


class OrderBody(_Fields):
    """An examination that is ordered."""

    patient: PatientBody
    steps: Annotated[list[StepBody], Field(min_length=1, max_length=20)]
    placer_number: Short = ""

    def request(self) -> Request:
        """Return the order as casework knows one."""
        return _request(self, self.patient.patient(), self.steps, self.placer_number)


class OrderEdit(_Fields):
    """What changes in an order; what is left out, or empty, stays."""

    patient: PatientBody | None = None
    steps: Annotated[list[StepBody], Field(max_length=20)] = Field(default_factory=list)

    def told(self, before: Request) -> Request:
        """Return what is told of an order that was as `before`."""
        patient = self.patient.patient() if self.patient else before.patient
        return _request(self, patient, self.steps, before.placer_number)


def _request(body: _Fields, patient: Patient, steps: list[StepBody], placer_number: str) -> Request:
    return Request(
        patient=patient,
        steps=tuple(step.step() for step in steps),
        accession_number=body.accession_number,
        placer_number=placer_number,
        filler_number=body.filler_number,
        procedure_id=body.procedure_id,
        procedure=body.procedure,
        procedure_code=body.procedure_code.code(),
        study_uid=body.study_uid,
        question=body.question,
        clinical=body.clinical,
        priority=body.priority,
        referrer=body.referrer,
        requester=body.requester,
    )


class OrdersQuery(Body):
    """Which orders are listed."""

    first: Annotated[_Day, Field(alias="from", description="first day")] = None
    last: Annotated[_Day, Field(alias="to", description="last day")] = None
    state: Annotated[str, Field(description="states, separated by commas")] = ""
    q: Annotated[str, Field(max_length=128, description="part of a name, or a number")] = ""
    accession_number: Annotated[str, Field(max_length=16)] = ""
    placer_number: Short = ""
    page: Annotated[int, Field(ge=1, le=100_000)] = 1
    limit: Annotated[int, Field(ge=1, le=200)] = 50

    def states(self) -> tuple[OrderState, ...]:
        """Return the states that are asked for; none means every one."""
        names = [name.strip() for name in self.state.split(",") if name.strip()]
        known = {s.value for s in OrderState}
        if unknown := [name for name in names if name not in known]:
            raise Invalid(
                f"state: {', '.join(unknown)} is none of {', '.join(sorted(known))}.",
                code="invalid-body",
            )
        return tuple(OrderState(name) for name in names)


class CodeShape(Answer):
    """A coded concept."""

    value: str
    scheme: str
    meaning: str


class StepShape(Answer):
    """A scheduled step."""

    id: str
    state: str
    modality: str
    stations: list[str]
    starts_at: str = Field(description="by the clock on the wall")
    station_name: str
    description: str
    protocol: CodeShape
    location: str
    performer: str


class OrderShape(Answer):
    """An order."""

    order_id: str
    state: str
    site: str
    patient: PatientShape
    accession_number: str
    placer_number: str
    filler_number: str
    procedure_id: str
    procedure: str
    procedure_code: CodeShape
    study_uid: str
    question: str
    clinical: dict[str, Any]
    priority: str
    referrer: str
    requester: str
    steps: list[StepShape]
    case_id: str = Field(description="of its study, once that has come")
    created_at: datetime
    changed_at: datetime
    version: int

    @classmethod
    def of(cls, order: Order) -> OrderShape:
        """Return the shape of an order."""
        told = order.request
        return cls(
            order_id=order.id,
            state=order.state.value,
            site=order.site,
            patient=PatientShape.of(told.patient),
            accession_number=told.accession_number,
            placer_number=told.placer_number,
            filler_number=told.filler_number,
            procedure_id=told.procedure_id,
            procedure=told.procedure,
            procedure_code=_code(told.procedure_code),
            study_uid=told.study_uid,
            question=told.question,
            clinical=dict(told.clinical),
            priority=(told.priority or Priority.ROUTINE).value,
            referrer=told.referrer,
            requester=told.requester,
            steps=[_step(step) for step in told.steps],
            case_id=order.case_id,
            created_at=order.created_at,
            changed_at=order.changed_at,
            version=order.version,
        )


class OrderList(Answer):
    """A page of orders; `next` is the address of the following one."""

    orders: list[OrderShape]
    next: str | None = None


def _code(code: Code) -> CodeShape:
    return CodeShape(value=code.value, scheme=code.scheme, meaning=code.meaning)


def _step(step: ScheduledStep) -> StepShape:
    return StepShape(
        id=step.id,
        state=step.state.value,
        modality=step.modality,
        stations=list(step.stations),
        starts_at=step.starts_at.isoformat(timespec="minutes"),
        station_name=step.station_name,
        description=step.description,
        protocol=_code(step.protocol),
        location=step.location,
        performer=step.performer,
    )
