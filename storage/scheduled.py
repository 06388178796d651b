"""Finds the scheduled steps that a modality asks for (PS3.4 annex K), and what is told of each.

A caller sees the steps of its own site, and those of others that name its title. Steps that have
begun, ended or were cancelled are not given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, exists, or_, select, tuple_

from casework.errors import Invalid
from casework.model import AePermission, Priority
from casework.orders import OrderState
from storage.casebook_tables import aes
from storage.criteria import Criterion
from storage.database import Database
from storage.levels import shown_issuer
from storage.matching import Key, criterion, vr_of
from storage.order_rows import OrderRow
from storage.order_tables import order_stations, order_steps, orders

SEQUENCE = "ScheduledProcedureStepSequence"

TYPE_1 = ("PatientName", "PatientID", "StudyInstanceUID", "RequestedProcedureID", SEQUENCE)
STEP_TYPE_1 = (
    "ScheduledStationAETitle",
    "ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepStartTime",
    "Modality",
    "ScheduledProcedureStepID",
)
"""Return keys of type 1 (PS3.4 table K.6-1): in every answer, and never empty."""

COLUMNS: Mapping[str, tuple[ColumnElement[Any], ...]] = {
    "PatientName": (orders.c.name_fold, orders.c.ideographic_fold, orders.c.phonetic_fold),
    "PatientID": (orders.c.patient_id,),
    "AccessionNumber": (orders.c.accession_number,),
    "StudyInstanceUID": (orders.c.study_uid,),
    "RequestedProcedureID": (orders.c.procedure_id,),
    "PlacerOrderNumberImagingServiceRequest": (orders.c.placer_number,),
    "FillerOrderNumberImagingServiceRequest": (orders.c.filler_number,),
}
STEP_COLUMNS: Mapping[str, tuple[ColumnElement[Any], ...]] = {
    "ScheduledProcedureStepStartDate": (order_steps.c.start_date,),
    "ScheduledProcedureStepStartTime": (order_steps.c.start_time,),
    "Modality": (order_steps.c.modality,),
    "ScheduledProcedureStepID": (order_steps.c.step_id,),
}
"""Keys that the database matches; all others are matched on what is told of a step."""

MATCHED = frozenset(COLUMNS) | {
    "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "ReferringPhysicianName",
    "RequestingPhysician", "RequestedProcedureDescription", "RequestedProcedureCodeSequence",
    "RequestedProcedurePriority", "ReasonForTheRequestedProcedure", "RequestedProcedureComments",
}  # fmt: skip
STEP_MATCHED = frozenset(STEP_COLUMNS) | {
    "ScheduledStationAETitle", "ScheduledStationName", "ScheduledProcedureStepDescription",
    "ScheduledProcedureStepLocation", "ScheduledPerformingPhysicianName",
    "ScheduledProtocolCodeSequence", "ScheduledProcedureStepStatus",
}  # fmt: skip
"""Keys that are matched; any other is answered, empty, and matches everything."""

_ANSWERED_ONLY = frozenset({"SpecificCharacterSet", "TimezoneOffsetFromUTC"})
_PRIORITIES = {
    Priority.STAT: "STAT",
    Priority.ASAP: "HIGH",
    Priority.URGENT: "HIGH",
    Priority.ROUTINE: "ROUTINE",
}
_PAGE = 200
_LONG_STRING = 64

_ORDER = (
    order_steps.c.start_date,
    order_steps.c.start_time,
    order_steps.c.order_id,
    order_steps.c.step_id,
)


@dataclass(frozen=True)
class StepQuery:
    """A query for scheduled steps that has been read."""

    requested: tuple[str, ...]
    requested_of_step: tuple[str, ...]  # none: every one
    criteria: Mapping[str, Criterion]
    of_step: Mapping[str, Criterion]
    unsupported: tuple[str, ...]  # keys that asked for something and were not matched


def read_step_query(keys: Mapping[str, Key]) -> StepQuery:
    """Return the query, or raise Invalid, coded `bad-identifier`, for one that breaks the rules."""
    items = keys.get(SEQUENCE, [])
    if isinstance(items, str) or len(items) > 1:  # PS3.4 C.2.2.2.6
        raise Invalid(f"{SEQUENCE} has one item in a query", code="bad-identifier")
    of_step: Mapping[str, Any] = items[0] if items else {}
    unsupported: list[str] = []
    top = {k: v for k, v in keys.items() if k != SEQUENCE}
    return StepQuery(
        requested=tuple(top),
        requested_of_step=tuple(of_step),
        criteria=_criteria(top, MATCHED, unsupported),
        of_step=_criteria(of_step, STEP_MATCHED, unsupported),
        unsupported=tuple(unsupported),
    )


def _criteria(
    keys: Mapping[str, Key], matched: frozenset[str], unsupported: list[str]
) -> dict[str, Criterion]:
    found: dict[str, Criterion] = {}
    for keyword, key in keys.items():
        if keyword in _ANSWERED_ONLY:
            continue
        wanted = criterion(keyword, key)
        if wanted is not None and keyword in matched:
            found[keyword] = wanted
        elif wanted is not None:
            unsupported.append(keyword)
    return found


class Scheduled:
    """The modality worklist over the orders of one exchange."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        *,
        timezone: str = "Europe/Oslo",
        days: int = 30,
    ) -> None:
        """`days`: how far from today steps are given to a query that names no date."""
        self._database = database
        self._clock = clock
        self._zone = ZoneInfo(timezone)
        self._days = days

    def steps(self, *, site: str, title: str, query: StepQuery) -> Iterator[dict[str, Any]]:
        """Give what was asked of each step that matches, by their starts, own site's first.

        Each page is one moment of the database, so that a long answer holds no connection.
        """
        own = order_steps.c.site == site
        named = tuple_(order_steps.c.order_id, order_steps.c.step_id).in_(
            select(order_stations.c.order_id, order_stations.c.step_id).where(
                order_stations.c.title == title
            )
        )
        wanted = [*self._near(query), *_clauses(query)]
        anybodys = self._stations(site, title)
        for whose in ((own,), (order_steps.c.site != site, named)):
            for row in self._rows([*whose, *wanted]):
                told = _told(row, anybodys)
                (step,) = told[SEQUENCE]
                if _covers(query.criteria, told) and _covers(query.of_step, step):
                    yield _answer(query, told, step)

    def _rows(self, wanted: Sequence[ColumnElement[bool]]) -> Iterator[OrderRow]:
        after: tuple[Any, ...] | None = None
        while True:
            asked = (
                select(orders, *(order_steps.c[n].label(f"step_{n}") for n in _STEP_COLUMNS_READ))
                .join(orders, orders.c.id == order_steps.c.order_id)
                .where(order_steps.c.state == OrderState.SCHEDULED, *wanted)
                .order_by(*_ORDER)
                .limit(_PAGE)
            )
            if after is not None:
                asked = asked.where(tuple_(*_ORDER) > after)
            with self._database.read() as conn:
                page = conn.execute(asked).all()
            yield from page
            if len(page) < _PAGE:
                return
            last = page[-1]
            after = (last.step_start_date, last.step_start_time, last.id, last.step_step_id)

    def _near(self, query: StepQuery) -> Iterator[ColumnElement[bool]]:
        if "ScheduledProcedureStepStartDate" in query.of_step:
            return
        today = self._clock().astimezone(self._zone).date()
        first, last = today - timedelta(days=self._days), today + timedelta(days=self._days)
        yield order_steps.c.start_date >= f"{first:%Y%m%d}"
        yield order_steps.c.start_date <= f"{last:%Y%m%d}"

    def _stations(self, site: str, title: str) -> list[str]:
        """Return whose a step is that names nobody: the caller, and others with this right."""
        asked = select(aes.c.title, aes.c.permissions).where(aes.c.site == site)
        with self._database.read() as conn:
            rows = conn.execute(asked.order_by(aes.c.title)).all()
        others = [row.title for row in rows if AePermission.WORKLIST.value in row.permissions]
        return [title, *(each for each in others if each != title)]


_STEP_COLUMNS_READ = (
    "step_id", "modality", "start_date", "start_time", "stations", "station_name", "description",
    "protocol", "location", "performer",
)  # fmt: skip


def _clauses(query: StepQuery) -> Iterator[ColumnElement[bool]]:
    for columns, criteria in ((COLUMNS, query.criteria), (STEP_COLUMNS, query.of_step)):
        for keyword, wanted in criteria.items():
            if keyword in columns:
                yield wanted.clause(*columns[keyword])
    station = query.of_step.get("ScheduledStationAETitle")
    if station is not None:
        of_step = (order_stations.c.order_id == order_steps.c.order_id) & (
            order_stations.c.step_id == order_steps.c.step_id
        )
        names_it = exists().where(of_step, station.clause(order_stations.c.title))
        yield or_(names_it, ~exists().where(of_step))


def _covers(criteria: Mapping[str, Criterion], values: Mapping[str, Any]) -> bool:
    return all(wanted.covers(values.get(keyword)) for keyword, wanted in criteria.items())


def _told(row: OrderRow, anybodys: Sequence[str]) -> dict[str, Any]:
    """Return all that is told of a step."""
    said = " ".join(row.question.replace("\\", "/").split())
    procedure = row.procedure or row.procedure_code["meaning"] or row.step_description
    step = {
        "ScheduledStationAETitle": list(row.step_stations) or list(anybodys),
        "ScheduledProcedureStepStartDate": row.step_start_date,
        "ScheduledProcedureStepStartTime": row.step_start_time.removesuffix(".000000"),
        "Modality": row.step_modality,
        "ScheduledPerformingPhysicianName": row.step_performer,
        "ScheduledProcedureStepDescription": row.step_description
        or row.step_protocol["meaning"]
        or procedure
        or row.step_modality,
        "ScheduledStationName": row.step_station_name,
        "ScheduledProcedureStepLocation": row.step_location,
        "ScheduledProtocolCodeSequence": _code(row.step_protocol),
        "ScheduledProcedureStepID": row.step_step_id,
        "ScheduledProcedureStepStatus": "SCHEDULED",
    }
    birth_date = row.patient_birth_date
    return {
        SEQUENCE: [step],
        "RequestedProcedureID": row.procedure_id,
        "RequestedProcedureDescription": procedure or row.step_modality,
        "RequestedProcedureCodeSequence": _code(row.procedure_code),
        "StudyInstanceUID": row.study_uid,
        "RequestedProcedurePriority": _PRIORITIES[Priority(row.priority)],
        "ReasonForTheRequestedProcedure": said[:_LONG_STRING],
        "RequestedProcedureComments": row.question.replace("\\", "/"),
        "AccessionNumber": row.accession_number,
        "PlacerOrderNumberImagingServiceRequest": row.placer_number,
        "FillerOrderNumberImagingServiceRequest": row.filler_number,
        "RequestingPhysician": row.requester or row.referrer,
        "ReferringPhysicianName": row.referrer or row.requester,
        "PatientName": row.patient_name,
        "PatientID": row.patient_id,
        "IssuerOfPatientID": shown_issuer(row.patient_issuer),
        "PatientBirthDate": f"{birth_date:%Y%m%d}" if birth_date else "",
        "PatientSex": row.patient_sex,
    }


def _code(code: Mapping[str, str]) -> list[dict[str, str]]:
    if not code["value"]:
        return []
    return [
        {
            "CodeValue": code["value"],
            "CodingSchemeDesignator": code["scheme"] or "L",  # PS3.16 section 8: a local one
            "CodeMeaning": code["meaning"] or code["value"],
        }
    ]


def _answer(query: StepQuery, told: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was requested, and always what every answer must have."""
    keywords = dict.fromkeys((*query.requested, *TYPE_1))
    of_step = dict.fromkeys((*query.requested_of_step, *STEP_TYPE_1))
    if not query.requested_of_step:
        of_step = dict.fromkeys(step)
    answer = {k: told[k] if k in told else _empty(k) for k in keywords}
    answer[SEQUENCE] = [{k: step[k] if k in step else _empty(k) for k in of_step}]
    return answer


def _empty(keyword: str) -> Any:
    return [] if vr_of(keyword) == "SQ" else ""
