"""Reads the JSON that describes a photograph for `lysbro wrap`; reports all its faults at once,
each by its field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, TypeVar

from casework.errors import Invalid
from casework.identifiers import derived_uid, is_standard_uid
from casework.model import Patient
from derm_capture import anatomy
from derm_capture.context import CaptureContext, Device, Kind, Lesion

_FIELDS = frozenset(
    {"patient", "kind", "site_code", "laterality", "lesion", "device", "capture_id", "case_id"}
    | {"study_uid", "captured_at", "referrer", "institution", "question", "burned_in"}
    | {"recognizable"}
)
_PATIENT = frozenset({"id", "issuer", "name", "birth_date", "sex"})
_DEVICE = frozenset(
    {"manufacturer", "model", "serial", "software"}
    | {"polarization", "contact", "immersion", "magnification"}
)
_SIDES = {
    "L": "L",
    "R": "R",
    "B": "B",
    "left": "L",
    "right": "R",
    "bilateral": "B",
    "U": "",
    "": "",
}
_POLARIZATIONS = ("POLARIZED", "NON_POLARIZED")
_CONTACTS = ("CONTACT", "NON_CONTACT")
_IMMERSIONS = ("ULTRASOUND_GEL", "ALCOHOL", "WATER", "MINERAL_OIL", "PLASTIC_CAP")
T = TypeVar("T")

_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def read_meta(described: Any) -> CaptureContext:
    """Return the context that a META object describes, or raise Invalid with every fault in it."""
    faults: list[str] = []
    fields = _Fields(described, "", _FIELDS, faults)
    patient = _patient(fields.object("patient", _PATIENT, required=True))
    kind = fields.one_of("kind", tuple(Kind), required=True)
    site_code = fields.text("site_code", required=kind != Kind.OTHER)
    if site_code:
        fields.attempt("site_code", lambda: anatomy.site_of(site_code))
    side = fields.text("laterality")
    if side not in _SIDES:
        fields.fault("laterality", "must be L, R or B")
    study_uid = fields.text("study_uid")
    if study_uid and not is_standard_uid(study_uid):
        fields.fault("study_uid", "must be a DICOM UID")
    context = CaptureContext(
        patient=patient,
        kind=Kind(kind or Kind.CLOSEUP),
        site_code=site_code,
        laterality=_SIDES.get(side, ""),
        lesion=_lesion(fields, patient),
        device=_device(fields),
        capture_id=fields.text("capture_id"),
        study_uid=study_uid,
        captured_at=fields.time("captured_at"),
        case_id=fields.text("case_id"),
        referrer=fields.text("referrer"),
        institution=fields.text("institution"),
        question=fields.text("question"),
        burned_in=fields.flag("burned_in"),
        recognizable=fields.flag("recognizable"),
    )
    if faults:
        raise Invalid(
            "The description of the photograph has faults: " + "; ".join(faults) + ".", code="meta"
        )
    return context


def _patient(fields: _Fields) -> Patient:
    number = fields.text("id", required=True)
    if len(number) > 64 or "\\" in number:
        fields.fault("id", "must have at most 64 characters and no backslash")
    return Patient(
        id=number,
        issuer=fields.text("issuer"),
        name=fields.text("name", required=True),
        birth_date=fields.day("birth_date", required=True),
        sex=fields.one_of("sex", ("M", "F", "O"), required=True),
    )


def _lesion(fields: _Fields, patient: Patient) -> Lesion | None:
    given = fields.value("lesion")
    if given is None or given == "":
        return None
    if isinstance(given, str):
        return Lesion(given, derived_uid("lesion", patient.issuer, patient.id, given))
    inner = fields.object("lesion", frozenset({"label", "uid"}))
    label, uid = inner.text("label", required=True), inner.text("uid")
    if uid and not is_standard_uid(uid):
        inner.fault("uid", "must be a DICOM UID")
    return Lesion(label, uid or derived_uid("lesion", patient.issuer, patient.id, label))


def _device(description: _Fields) -> Device:
    given = description.value("device")
    if isinstance(given, str):
        return Device(model=given)
    fields = description.object("device", _DEVICE)
    contact = fields.one_of("contact", _CONTACTS)
    immersion = fields.one_of("immersion", _IMMERSIONS)
    if immersion and contact != "CONTACT":
        fields.fault("immersion", "goes with contact CONTACT only")
    return Device(
        manufacturer=fields.text("manufacturer"),
        model=fields.text("model"),
        serial=fields.text("serial"),
        software=fields.text("software"),
        polarization=fields.one_of("polarization", _POLARIZATIONS),
        contact=contact,
        immersion=immersion,
        magnification=fields.number("magnification"),
    )


class _Fields:
    """One object of the description; what is wrong with it goes to the common list of faults."""

    def __init__(self, given: Any, path: str, known: frozenset[str], faults: list[str]) -> None:
        self._path, self._faults = path, faults
        if not isinstance(given, Mapping):
            self.fault("", "must be an object")
            given = {}
        self._given: Mapping[str, Any] = given
        for name in sorted(set(map(str, given)) - known):
            self.fault(name, "is not known")

    def fault(self, name: str, what: str) -> None:
        """Note a fault of a field."""
        where = ".".join(part for part in (self._path, name) if part) or "the description"
        self._faults.append(f"{where} {what}")

    def value(self, name: str) -> Any:
        """Return what was given, or None."""
        return self._given.get(name)

    def object(self, name: str, known: frozenset[str], *, required: bool = False) -> _Fields:
        """Return an inner object, empty when it is missing and may be."""
        given = self.value(name)
        if given is None and not required:
            given = {}
        path = f"{self._path}.{name}" if self._path else name
        return _Fields(given, path, known, self._faults)

    def text(self, name: str, *, required: bool = False) -> str:
        """Return a text."""
        given = self.value(name)
        if given is None or given == "":
            if required:
                self.fault(name, "is missing")
            return ""
        if not isinstance(given, str):
            self.fault(name, "must be a text")
            return ""
        return given.strip()

    def one_of(self, name: str, choices: tuple[str, ...], *, required: bool = False) -> str:
        """Return one of some texts, or nothing."""
        given = self.text(name, required=required)
        if given and given not in choices:
            self.fault(name, f"must be one of {', '.join(str(c) for c in choices)}")
            return ""
        return given

    def number(self, name: str) -> float | None:
        """Return a number."""
        given = self.value(name)
        if given is None:
            return None
        if isinstance(given, bool) or not isinstance(given, int | float) or given <= 0:
            self.fault(name, "must be a number above 0")
            return None
        return float(given)

    def flag(self, name: str) -> bool:
        """Return yes or no."""
        given = self.value(name)
        if given not in (None, True, False):
            self.fault(name, "must be true or false")
        return given is True

    def day(self, name: str, *, required: bool = False) -> date | None:
        """Return a date (ISO 8601)."""
        given = self.text(name, required=required)
        if not given:
            return None
        if _DAY.fullmatch(given):
            return self.attempt(name, lambda: date.fromisoformat(given))
        self.fault(name, "must be a date such as 1957-03-09")
        return None

    def time(self, name: str) -> datetime | None:
        """Return a time with its offset (ISO 8601)."""
        given = self.text(name)
        found = self.attempt(name, lambda: datetime.fromisoformat(given)) if given else None
        if found is not None and found.tzinfo is None:
            self.fault(name, "must have an offset from UTC, such as +01:00")
            return None
        return found

    def attempt(self, name: str, read: Callable[[], T]) -> T | None:
        """Return what a reader makes of a field, or note why it cannot."""
        try:
            return read()
        except (ValueError, Invalid) as error:
            self.fault(name, f"cannot be read: {error}")
            return None
