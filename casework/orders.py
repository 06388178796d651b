"""Orders: what an examination asked for is, its scheduled steps, and how their states follow.

The table of (state, event) holds for an order as for each of its steps. Keeps nothing and asks
nobody; who may order is for `access` to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from casework.errors import Conflict, Invalid
from casework.identifiers import is_ae_title, is_standard_uid
from casework.model import Patient, Priority


class OrderState(StrEnum):
    """Where an order, or one of its scheduled steps, is."""

    SCHEDULED = "scheduled"
    IN_PROGRESS = "in-progress"  # the patient has arrived and the examination has begun
    COMPLETED = "completed"
    DISCONTINUED = "discontinued"
    CANCELLED = "cancelled"


class OrderEvent(StrEnum):
    """What can happen to an order, or to one of its steps."""

    CHANGE = "change"  # by who ordered
    CANCEL = "cancel"  # by who ordered, before it has begun
    STOP = "stop"  # by who ordered, whether it has begun or not (HL7 DC)
    BEGIN = "begin"  # by the modality
    COMPLETE = "complete"  # by the modality
    DISCONTINUE = "discontinue"  # by the modality
    STUDY_COMPLETE = "study-complete"  # all of the study is here


_S, _E = OrderState, OrderEvent

TABLE: Mapping[tuple[OrderState, OrderEvent], OrderState] = {
    (_S.SCHEDULED, _E.CHANGE): _S.SCHEDULED,
    (_S.SCHEDULED, _E.CANCEL): _S.CANCELLED,
    (_S.SCHEDULED, _E.STOP): _S.CANCELLED,
    (_S.SCHEDULED, _E.BEGIN): _S.IN_PROGRESS,
    (_S.SCHEDULED, _E.COMPLETE): _S.COMPLETED,
    (_S.SCHEDULED, _E.DISCONTINUE): _S.DISCONTINUED,
    (_S.SCHEDULED, _E.STUDY_COMPLETE): _S.COMPLETED,
    (_S.IN_PROGRESS, _E.CHANGE): _S.IN_PROGRESS,
    (_S.IN_PROGRESS, _E.STOP): _S.DISCONTINUED,
    (_S.IN_PROGRESS, _E.BEGIN): _S.IN_PROGRESS,
    (_S.IN_PROGRESS, _E.COMPLETE): _S.COMPLETED,
    (_S.IN_PROGRESS, _E.DISCONTINUE): _S.DISCONTINUED,
    (_S.IN_PROGRESS, _E.STUDY_COMPLETE): _S.COMPLETED,
    (_S.COMPLETED, _E.BEGIN): _S.COMPLETED,  # more images of what is done
    (_S.COMPLETED, _E.COMPLETE): _S.COMPLETED,
    (_S.COMPLETED, _E.DISCONTINUE): _S.COMPLETED,
    (_S.COMPLETED, _E.STUDY_COMPLETE): _S.COMPLETED,
    (_S.DISCONTINUED, _E.STOP): _S.DISCONTINUED,
    (_S.DISCONTINUED, _E.BEGIN): _S.IN_PROGRESS,  # begun anew, under another performed step
    (_S.DISCONTINUED, _E.COMPLETE): _S.COMPLETED,
    (_S.DISCONTINUED, _E.DISCONTINUE): _S.DISCONTINUED,
    (_S.CANCELLED, _E.CANCEL): _S.CANCELLED,
    (_S.CANCELLED, _E.STOP): _S.CANCELLED,
    (_S.CANCELLED, _E.BEGIN): _S.IN_PROGRESS,  # what the modality has done is done
    (_S.CANCELLED, _E.COMPLETE): _S.COMPLETED,
    (_S.CANCELLED, _E.DISCONTINUE): _S.DISCONTINUED,
}
"""The state that follows; a pair that is not here may not be."""

OPEN = frozenset({OrderState.SCHEDULED, OrderState.IN_PROGRESS})
"""States in which something is still to come."""

UNSAID = datetime.min
"""In place of a start that was not said."""

MAX_STEPS = 20
MAX_STATIONS = 10
_SHORT, _LONG, _TEXT = 16, 64, 10_240  # PS3.5 section 6.2: VR SH, LO, LT


@dataclass(frozen=True)
class Code:
    """A coded concept (PS3.3 section 8.8), or none when it has no value."""

    value: str = ""
    scheme: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class ScheduledStep:
    """One step of an examination, as a modality works it off."""

    id: str  # Scheduled Procedure Step ID
    modality: str
    starts_at: datetime  # by the clock on the wall where it is done, without a zone
    stations: tuple[str, ...] = ()  # AE titles; none: any station of the site
    station_name: str = ""
    description: str = ""
    protocol: Code = field(default_factory=Code)
    location: str = ""
    performer: str = ""  # DICOM form
    state: OrderState = OrderState.SCHEDULED


@dataclass(frozen=True)
class Request:
    """What somebody orders; empty numbers are given by us."""

    patient: Patient
    steps: tuple[ScheduledStep, ...]
    accession_number: str = ""
    placer_number: str = ""
    filler_number: str = ""
    procedure_id: str = ""  # Requested Procedure ID
    procedure: str = ""  # its description
    procedure_code: Code = field(default_factory=Code)
    study_uid: str = ""
    question: str = ""  # the reason for the procedure
    clinical: Mapping[str, Any] = field(default_factory=dict)
    priority: Priority | None = None  # None: not said, which is routine
    referrer: str = ""  # DICOM form, as below
    requester: str = ""


@dataclass(frozen=True)
class Order:
    """An order as it is kept."""

    id: str
    site: str
    state: OrderState
    request: Request
    created_at: datetime
    changed_at: datetime
    created_by: str
    version: int
    case_id: str = ""  # of the study that was made of it


class Action(StrEnum):
    """What a message of another system wants done with an order."""

    PLACE = "place"
    CHANGE = "change"
    CANCEL = "cancel"
    STOP = "stop"
    BEGIN = "begin"
    COMPLETE = "complete"


@dataclass(frozen=True)
class Instruction:
    """One order of a message, and what is to be done with it."""

    action: Action
    request: Request  # with the number of who placed it, or of who carries it out


def after(state: OrderState, event: OrderEvent) -> OrderState:
    """Return the state that follows, or raise Conflict with the present one."""
    following = TABLE.get((state, event))
    if following is None:
        raise Conflict(
            f"An order that is {state.value} cannot take '{event.value}'. "
            "Look at the order to see where it is.",
            code="wrong-state",
            state=state.value,
        )
    return following


def state_of(steps: Iterable[OrderState]) -> OrderState:
    """Return where an order is by where its steps are."""
    found = set(steps)
    ended = found - OPEN
    if OrderState.IN_PROGRESS in found or (ended - {OrderState.CANCELLED} and found & OPEN):
        return OrderState.IN_PROGRESS
    for state in (OrderState.SCHEDULED, OrderState.COMPLETED, OrderState.DISCONTINUED):
        if state in found:
            return state
    return OrderState.CANCELLED


def after_all(request: Request, event: OrderEvent) -> Request:
    """Return what is ordered after an event of all of it; a step that cannot take it stays."""
    return replace(
        request,
        steps=tuple(
            replace(step, state=TABLE.get((step.state, event), step.state))
            for step in request.steps
        ),
    )


def merged(before: Request, told: Request) -> Request:
    """Return a request with what was told of it since; what was left out stays as it was.

    Steps go by their ids, or by their place where none was told; those that have begun stay.
    """
    return replace(
        _filled(told, before),
        patient=_filled(told.patient, before.patient),
        procedure_code=told.procedure_code if told.procedure_code.value else before.procedure_code,
        clinical={**before.clinical, **told.clinical},
        steps=_merged_steps(before.steps, told.steps),
    )


def _merged_steps(
    before: Sequence[ScheduledStep], told: Sequence[ScheduledStep]
) -> tuple[ScheduledStep, ...]:
    if not told:
        return tuple(before)
    by_id = {step.id: step for step in before}
    by_place = len(before) == len(told)
    found: list[ScheduledStep] = []
    for number, step in enumerate(told):
        was = by_id.get(step.id) if step.id else before[number] if by_place else None
        if was is None:
            found.append(step)
        elif was.state in OPEN:
            code = step.protocol if step.protocol.value else was.protocol
            start = was.starts_at if step.starts_at == UNSAID else step.starts_at
            found.append(
                replace(_filled(step, was), starts_at=start, protocol=code, state=was.state)
            )
        else:
            found.append(was)
    kept = {step.id for step in found}
    stay = [s for s in before if s.state is not OrderState.SCHEDULED and s.id not in kept]
    return (*stay, *found)


_V = TypeVar("_V", Request, Patient, ScheduledStep)


def _filled(value: _V, before: _V) -> _V:
    """Return a value, its empty texts and empty lists taken from what it was before."""
    empty = {
        f.name: getattr(before, f.name)
        for f in fields(value)
        if getattr(value, f.name) in ("", None, ())
    }
    return replace(value, **empty)


def checked(request: Request, *, now: datetime) -> Request:
    """Return what was ordered in its form, or raise Invalid that names each fault.

    A step without a start is one for `now`, by the clock on the wall.
    """
    faults = [*_faults(request)]
    for number, step in enumerate(request.steps, start=1):
        faults += [f"steps.{number}.{fault}" for fault in _step_faults(step)]
    if faults:
        raise Invalid("; ".join(faults) + ".", code="order-invalid")
    taken = {step.id for step in request.steps}
    free = (str(number) for number in range(1, 3 * MAX_STEPS) if str(number) not in taken)
    start = now.replace(second=0, microsecond=0)
    return replace(
        request,
        priority=request.priority or Priority.ROUTINE,
        steps=tuple(
            replace(
                step,
                id=step.id or next(free),
                starts_at=start if step.starts_at == UNSAID else step.starts_at,
            )
            for step in request.steps
        ),
    )


def _faults(request: Request) -> Iterable[str]:
    patient = request.patient
    if not patient.id:
        yield "patient.id: an order is for a patient with a number"
    if not patient.name.strip("^= "):
        yield "patient.name: a modality needs the patient's name"
    if not 1 <= len(request.steps) <= MAX_STEPS:
        yield f"steps: an order has 1 to {MAX_STEPS} scheduled steps"
    ids = [step.id for step in request.steps if step.id]
    if len(ids) != len(set(ids)):
        yield "steps: each step has an id of its own"
    if request.study_uid and not is_standard_uid(request.study_uid):
        yield "study_uid: is no UID (PS3.5 9.1)"
    for name, text, most in (
        ("accession_number", request.accession_number, _SHORT),
        ("procedure_id", request.procedure_id, _SHORT),
        ("placer_number", request.placer_number, _LONG),
        ("filler_number", request.filler_number, _LONG),
        ("procedure", request.procedure, _LONG),
        ("referrer", request.referrer, _LONG),
        ("requester", request.requester, _LONG),
        ("patient.id", patient.id, _LONG),
        ("patient.name", patient.name, 3 * _LONG),
        ("patient.issuer", patient.issuer, _LONG),
    ):
        yield from _text_faults(name, text, most)
    if len(request.question) > _TEXT or "\0" in request.question:
        yield f"question: has at most {_TEXT} characters that can be read"
    yield from _code_faults("procedure_code", request.procedure_code)


def _step_faults(step: ScheduledStep) -> Iterable[str]:
    if not (step.modality.isascii() and step.modality.isalnum() and step.modality.isupper()):
        yield "modality: is a code such as CT (PS3.3 C.7.3.1.1.1)"
    if len(step.stations) > MAX_STATIONS or not all(map(is_ae_title, step.stations)):
        yield f"stations: are at most {MAX_STATIONS} AE titles of 1 to 16 characters"
    for name, text, most in (
        ("id", step.id, _SHORT),
        ("modality", step.modality, _SHORT),
        ("station_name", step.station_name, _SHORT),
        ("description", step.description, _LONG),
        ("location", step.location, _SHORT),
        ("performer", step.performer, _LONG),
    ):
        yield from _text_faults(name, text, most)
    yield from _code_faults("protocol", step.protocol)


def _code_faults(name: str, code: Code) -> Iterable[str]:
    if not code.value and (code.scheme or code.meaning):
        yield f"{name}: a code has a value"
    yield from _text_faults(f"{name}.value", code.value, _SHORT)
    yield from _text_faults(f"{name}.scheme", code.scheme, _SHORT)
    yield from _text_faults(f"{name}.meaning", code.meaning, _LONG)


def _text_faults(name: str, text: str, most: int) -> Iterable[str]:
    if len(text) > most:
        yield f"{name}: has at most {most} characters"
    if "\\" in text or any(c < " " or c == "\x7f" for c in text):
        yield f"{name}: holds no control characters and no backslash"


def same_content(before: Request, told: Request) -> bool:
    """Tell whether what is told asks for nothing else than was asked for before."""
    return merged(before, told) == replace(before, clinical=dict(before.clinical))
