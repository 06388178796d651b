"""Reads HL7 order messages, ORM^O01 and OMI^O23 of 2.3 to 2.5.1, as instructions about orders.

The fields are those of IHE RAD-2, RAD-3 and RAD-4; what is said in several places is taken from the
first that says it. Keeps nothing and answers nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from casework.errors import Invalid
from casework.identifiers import is_ae_title
from casework.model import Patient, Priority
from casework.orders import UNSAID, Action, Code, Instruction, Request, ScheduledStep
from pacs_bridge.hl7_answers import Place
from pacs_bridge.hl7_text import Marks, Parsed, Segment, component_of

MESSAGES: Mapping[str, str] = {"ORM": "O01", "OMI": "O23"}
"""The messages that are read, each with its event."""

_ACTIONS: Mapping[str, Action] = {
    "NW": Action.PLACE,
    "SN": Action.PLACE,
    "XO": Action.CHANGE,
    "XX": Action.CHANGE,
    "RP": Action.CHANGE,
    "CA": Action.CANCEL,
    "OC": Action.CANCEL,
    "DC": Action.STOP,
    "OD": Action.STOP,
}
_STATUSES: Mapping[str, Action] = {
    "SC": Action.CHANGE,
    "IP": Action.BEGIN,
    "CM": Action.COMPLETE,
    "DC": Action.STOP,
    "CA": Action.CANCEL,
}
"""ORC-1 (HL7 table 0119), and ORC-5 (table 0038) where ORC-1 says that the status has changed."""

_PRIORITIES: Mapping[str, Priority] = {
    "S": Priority.STAT,
    "A": Priority.ASAP,
    "U": Priority.URGENT,
    "T": Priority.URGENT,
    "P": Priority.URGENT,
    "R": Priority.ROUTINE,
    "C": Priority.ROUTINE,
}
_MODALITIES: Mapping[str, str] = {
    "CTH": "CT",
    "NMR": "MR",
    "NMS": "NM",
    "RUS": "US",
    "OUS": "US",
    "VUS": "US",
    "CUS": "US",
}
"""Diagnostic services (HL7 table 0074) that are not written as DICOM's modalities are."""

_TIME = re.compile(r"(\d{8})(\d{2})?(\d{2})?(\d{2})?(?:\.\d{1,4})?([+-]\d{4})?")
_SHORT, _LONG = 16, 64


class FieldFault(Invalid):
    """A field of a message cannot be taken; `place` and `condition` go into the answer."""

    def __init__(self, message: str, *, place: Place, condition: int, code: str) -> None:
        super().__init__(message, code=code)
        self.place = place
        self.condition = condition


@dataclass(frozen=True)
class OrderMessage:
    """What an order message says: instructions, each with the segments that it was read from."""

    instructions: tuple[Instruction, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Group:
    """An ORC with what belongs to it."""

    order: Segment
    requests: tuple[Segment, ...] = ()  # OBR
    timings: tuple[Segment, ...] = ()  # TQ1
    notes: tuple[Segment, ...] = ()  # NTE
    imaging: tuple[Segment, ...] = ()  # IPC
    study: tuple[Segment, ...] = ()  # ZDS


_PARTS = {"OBR": "requests", "TQ1": "timings", "NTE": "notes", "IPC": "imaging", "ZDS": "study"}


@dataclass(frozen=True)
class Reader:
    """Where the sender is at home: the zone of its clocks, and who gives its patient numbers."""

    zone: ZoneInfo
    issuer: str = ""

    def read(self, message: Parsed) -> OrderMessage:
        """Return what a message says, or raise FieldFault that names the field at fault."""
        person = message.first("PID")
        if person is None:
            raise _missing(Place("PID"), "The message has no PID segment.")
        groups = _groups(message)
        patient = self._patient(person, facility=message.header.text(4))
        visit = message.first("PV1")
        referrer = "" if visit is None else _name_of_provider(visit, 8)
        studies = [segment for group in groups for segment in group.study]
        by_number: dict[tuple[str, str], Instruction] = {}
        first: dict[tuple[str, str], Group] = {}
        for group in groups:
            study = group.study or tuple(studies)
            instruction = self._instruction(replace(group, study=study), patient, referrer)
            request = instruction.request
            key = (request.placer_number or request.filler_number, instruction.action.value)
            if key in by_number:  # one order, a scheduled step in each of its groups
                before = by_number[key].request
                steps = (*before.steps, *request.steps)
                instruction = replace(instruction, request=replace(before, steps=steps))
            by_number[key] = instruction
            first.setdefault(key, group)
        return OrderMessage(tuple(by_number.values()), tuple(first.values()))

    def _patient(self, pid: Segment, *, facility: str) -> Patient:
        number, issuer = self._number(pid, facility)
        if not number:
            raise _missing(Place("PID", 1, 3), "The patient has no number.")
        born = pid.text(7)
        return Patient(
            id=number,
            issuer=issuer,
            name=_name_of_patient(pid),
            birth_date=_date(born, Place("PID", 1, 7)) if born else None,
            sex=pid.text(8) if pid.text(8) in ("M", "F", "O") else "",
        )

    def _number(self, pid: Segment, facility: str) -> tuple[str, str]:
        """Return the number that the site's own issuer gave, else the first, with its issuer."""
        found = []
        for text in pid.repetitions(3) or pid.repetitions(2):
            authority = text.split(pid.marks.component)[3:4] or [""]
            parts = [*authority[0].split(pid.marks.subcomponent), "", ""]
            issuer = parts[1] or parts[0]
            is_own = issuer == self.issuer or parts[0] in ("", facility)
            found.append((component_of(text, 1, pid.marks), "" if is_own else issuer[:_LONG]))
        return next((one for one in found if not one[1]), found[0] if found else ("", ""))

    def _instruction(self, group: Group, patient: Patient, referrer: str) -> Instruction:
        orc, obr = group.order, next(iter(group.requests), None)
        action = _action(orc)
        placer = orc.text(2) or (obr.text(2) if obr else "")
        filler = orc.text(3) or (obr.text(3) if obr else "")
        if not placer and not filler:
            raise _missing(Place("ORC", orc.number, 2), "The order has no number.")
        if obr is None:
            if action in (Action.PLACE, Action.CHANGE):
                raise _missing(Place("OBR", orc.number), "The order has no OBR segment.")
            request = Request(patient, (), placer_number=placer, filler_number=filler)
            return Instruction(action, request)
        ipc = next(iter(group.imaging), None)
        accession = (ipc.text(1) if ipc else "") or obr.text(18)
        code = _code(obr, 44) if obr.text(44) else _code(obr, 4)
        request = Request(
            patient=patient,
            steps=tuple(self._steps(group, obr)),
            accession_number=accession,
            placer_number=placer,
            filler_number=filler,
            procedure_id=(ipc.text(2) if ipc else "") or obr.text(19),
            procedure=_line(code.meaning or obr.text(4, 2) or obr.text(4, 5), _LONG),
            procedure_code=code,
            study_uid=_study_uid(group),
            question=_question(obr),
            clinical=_clinical(obr, group.notes),
            priority=_priority(group, obr),
            referrer=referrer,
            requester=_name_of_provider(orc, 12) or _name_of_provider(obr, 16),
        )
        return Instruction(action, request)

    def _steps(self, group: Group, obr: Segment) -> Iterable[ScheduledStep]:
        orc = group.order
        start = self._start(group, obr)
        protocol = Code(obr.text(4, 4), obr.text(4, 6), _line(obr.text(4, 5), _LONG))
        common = ScheduledStep(
            id=obr.text(20),
            modality=_modality(obr.text(24)),
            starts_at=start,
            stations=_stations([orc.text(18)]),
            description=_line(obr.text(4, 5) or obr.text(4, 2), _LONG),
            protocol=_whole(protocol),
            performer=_performer(obr),
        )
        if not group.imaging:
            yield common
        for ipc in group.imaging:
            stations = _stations(component_of(each, 1, ipc.marks) for each in ipc.repetitions(9))
            code = _code(ipc, 6)
            yield replace(
                common,
                id=ipc.text(4) or common.id,
                modality=_modality(ipc.text(5)) or common.modality,
                stations=stations or common.stations,
                station_name=_line(ipc.text(7), _SHORT),
                description=code.meaning or common.description,
                protocol=code if code.value else common.protocol,
                location=_line(ipc.text(8, 2) or ipc.text(8), _SHORT),
            )

    def _start(self, group: Group, obr: Segment) -> datetime:
        places = [
            (obr, 36, 1),
            (obr, 27, 4),
            (group.order, 7, 4),
            *((each, 7, 1) for each in group.timings),
            (obr, 6, 1),
        ]
        for segment, number, component in places:
            if text := segment.text(number, component):
                return self._moment(text, Place(segment.name, segment.number, number, component))
        return UNSAID

    def _moment(self, text: str, place: Place) -> datetime:
        found = _TIME.fullmatch(text)
        if found is None:
            raise _bad(place, "is no date and time of the form YYYYMMDDHHMM")
        day, hours, minutes, seconds, offset = found.groups()
        try:
            moment = datetime.strptime(
                f"{day}{hours or '00'}{minutes or '00'}{seconds or '00'}", "%Y%m%d%H%M%S"
            )
            if offset:
                aware = datetime.strptime(f"{moment:%Y%m%d%H%M%S}{offset}", "%Y%m%d%H%M%S%z")
                moment = aware.astimezone(self.zone).replace(tzinfo=None)
        except (ValueError, OverflowError) as error:
            raise _bad(place, "is no date and time that there is") from error
        return moment


def _groups(message: Parsed) -> list[Group]:
    groups: list[Group] = []
    for segment in message.segments:
        if segment.name == "ORC":
            groups.append(Group(segment))
        elif segment.name in _PARTS and groups:
            part = _PARTS[segment.name]
            more: dict[str, Any] = {part: (*getattr(groups[-1], part), segment)}
            groups[-1] = replace(groups[-1], **more)
    if not groups:
        raise _missing(Place("ORC"), "The message has no ORC segment.")
    return groups


def _action(orc: Segment) -> Action:
    control = orc.text(1).upper()
    place = Place("ORC", orc.number, 1)
    if not control:
        raise _missing(place, "The order control is missing.")
    if control == "SC":
        control, place = orc.text(5).upper(), Place("ORC", orc.number, 5)
        found = _STATUSES.get(control)
    else:
        found = _ACTIONS.get(control)
    if found is None:
        raise FieldFault(
            f"{place}: {control[:10] or 'nothing'} is not done here.",
            place=place,
            condition=103,
            code="hl7-field",
        )
    return found


def _study_uid(group: Group) -> str:
    for segment, number in (*((s, 3) for s in group.imaging), *((s, 1) for s in group.study)):
        if uid := segment.text(number):
            return uid
    return ""


def _priority(group: Group, obr: Segment) -> Priority | None:
    texts = [
        *(each.text(9) for each in group.timings),
        obr.text(27, 6),
        group.order.text(7, 6),
        obr.text(5),
    ]
    found = next((text for text in texts if text), "")
    return _PRIORITIES.get(found[:1].upper()) if found else None


def _question(obr: Segment) -> str:
    reasons = [
        component_of(each, 2, obr.marks) or component_of(each, 1, obr.marks)
        for each in obr.repetitions(31)
    ]
    return _text("\n".join(filter(None, reasons))) or _text(obr.lines(13))


def _clinical(obr: Segment, notes: Sequence[Segment]) -> dict[str, str]:
    history = [obr.lines(13) if obr.raw(31) else "", *(note.lines(3) for note in notes)]
    text = _text("\n".join(filter(None, history)))
    return {"history": text} if text else {}


def _code(segment: Segment, number: int) -> Code:
    meaning = _line(segment.text(number, 2), _LONG)
    return _whole(Code(segment.text(number), segment.text(number, 3), meaning))


def _whole(code: Code) -> Code:
    """Return a code that DICOM can say; one that is too long is left to its words."""
    is_sayable = code.value and len(code.value) <= _SHORT and len(code.scheme) <= _SHORT
    return code if is_sayable else Code()


def _modality(text: str) -> str:
    return _MODALITIES.get(text.upper(), text.upper())


def _stations(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if is_ae_title(text)))


def _name_of_patient(pid: Segment) -> str:
    """Return PID-5 in DICOM's form: each representation (A, I, P) its component group."""
    groups = {"A": "", "I": "", "P": ""}
    for text in pid.repetitions(5):
        kind = component_of(text, 8, pid.marks).upper() or "A"
        if kind in groups and not groups[kind]:
            groups[kind] = _person(text, pid.marks, first=1)
    return "=".join(groups.values()).rstrip("=")


def _name_of_provider(segment: Segment, number: int) -> str:
    text = next(iter(segment.repetitions(number)), "")
    named = _person(text, segment.marks, first=2)
    return named or _line(component_of(text, 1, segment.marks), _LONG)


def _performer(obr: Segment) -> str:
    """Return OBR-34: the name lies one level deeper there (NDL)."""
    text = next(iter(obr.repetitions(34)), "").split(obr.marks.component)[0]
    flat = text.replace(obr.marks.subcomponent, obr.marks.component)
    return _person(flat, obr.marks, first=2)


def _person(text: str, marks: Marks, *, first: int) -> str:
    """Return family, given, middle, prefix, suffix of five components, where HL7 has the suffix
    before the prefix.
    """
    family, given, middle, suffix, prefix = (
        _line(component_of(text, first + n, marks), _LONG).replace("^", " ").replace("=", " ")
        for n in range(5)
    )
    return "^".join((family, given, middle, prefix, suffix)).rstrip("^")[:_LONG]


def _date(text: str, place: Place) -> date:
    try:
        return datetime.strptime(text[:8], "%Y%m%d").date()
    except ValueError as error:
        raise _bad(place, "is no date of the form YYYYMMDD") from error


def _line(text: str, most: int) -> str:
    """Return a text on one line, as long as DICOM can say it."""
    plain = "".join(c if c >= " " and c != "\x7f" else " " for c in text.replace("\\", "/"))
    return " ".join(plain.split())[:most].rstrip()


def _text(text: str) -> str:
    return "".join(c for c in text if c >= " " or c == "\n").strip()


def _missing(place: Place, message: str) -> FieldFault:
    return FieldFault(f"{place}: {message}", place=place, condition=101, code="hl7-missing")


def _bad(place: Place, message: str) -> FieldFault:
    return FieldFault(f"{place}: {message}.", place=place, condition=102, code="hl7-field")
