"""Writes a signed reply as an HL7 result: ORU^R01 of 2.5.1 (chapter 7), as IHE RAD-128 sends it.

Every version is sent whole under the same filler number, so that a receiver that keeps the last
message of a number has the whole reply. Pure; the same version gives the same message.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from casework.codings import codings_of
from casework.describing import suspicion_text
from casework.measured import doubt_of, name_of, said_in
from casework.model import CaseDossier, Patient, Report, Specialty
from pacs_bridge.hl7_text import escaped, segment, written
from storage.levels import shown_issuer

CHARSETS: Mapping[str, str] = {"utf-8": "UNICODE UTF-8", "8859/1": "8859/1"}
_ENCODINGS: Mapping[str, str] = {"utf-8": "utf-8", "8859/1": "iso8859-1"}

_SERVICE: Mapping[Specialty, tuple[str, str, str]] = {
    Specialty.RADIOLOGY: ("18748-4", "Diagnostic imaging study", "RAD"),
    Specialty.DERMATOLOGY: ("34758-3", "Dermatology Consult note", "OTH"),
}
"""OBR-4 (LOINC) and OBR-24 (HL7 table 0074)."""

_PARTS: Sequence[tuple[str, str, str]] = (
    ("impression", "19005-8", "Radiology Imaging study [Impression] (narrative)"),
    ("described", "59776-5", "Procedure findings Narrative"),
    ("findings", "59776-5", "Procedure findings Narrative"),
    ("advice", "18783-1", "Study recommendation"),
    ("follow_up", "18783-1", "Study recommendation"),
    ("safety_net", "18783-1", "Study recommendation"),
)
"""The texts of a reply in the order in which they are told, each with its LOINC code."""


@dataclass(frozen=True)
class Envelope:
    """From whom and to whom a message goes, and in which character set."""

    sending_application: str
    sending_facility: str
    receiving_application: str = ""
    receiving_facility: str = ""
    charset: str = "utf-8"
    timezone: str = "Europe/Oslo"


def control_id(case_id: str, version: int) -> str:
    """Return the number of the message of a version: the same again when it is sent again."""
    return f"{case_id}-{version}"[-20:]


def result(
    dossier: CaseDossier,
    standing: Sequence[Report],
    report: Report,
    envelope: Envelope,
    *,
    pdf: bytes | None = None,
) -> bytes:
    """Return the message of a signed version.

    `standing` are the reports that make up the reply as of it: the answer, then what was added.
    A text that the character set cannot hold goes with `?` in place of what it lacks.
    """
    case = dossier.case
    at = _time(report.signed_at, envelope.timezone)
    final = "F" if report.kind == "original" else "C"
    segments = [
        _header(case.id, report.version, envelope, at),
        _patient(case.patient, case.site),
        segment("ORC", ["RE", "", f"{escaped(case.id)}^LYSBRO"]),
        _request(dossier, report, at, final, envelope),
        *_observations(dossier, standing, at, final, pdf),
    ]
    return written(segments, encoding=_ENCODINGS[envelope.charset])


def _header(case_id: str, version: int, envelope: Envelope, at: str) -> str:
    fields = [
        "^~\\&",
        escaped(envelope.sending_application),
        escaped(envelope.sending_facility),
        escaped(envelope.receiving_application),
        escaped(envelope.receiving_facility),
        at,
        "",
        "ORU^R01^ORU_R01",
        control_id(case_id, version),
        "P",
        "2.5.1",
        "",
        "",
        "AL",
        "NE",
        "",
        CHARSETS[envelope.charset],
    ]
    return segment("MSH", fields)


def _patient(patient: Patient, site: str) -> str:
    issuer = shown_issuer(patient.issuer)
    is_oid = bool(issuer) and set(issuer) <= set("0123456789.")
    authority = f"&{issuer}&ISO" if is_oid else escaped(issuer or site)
    parts = [escaped(part) for part in (patient.name.partition("=")[0].split("^") + [""] * 5)[:5]]
    family, given, middle, prefix, suffix = parts
    born = f"{patient.birth_date:%Y%m%d}" if patient.birth_date else ""
    name = "^".join((family, given, middle, suffix, prefix)).rstrip("^")
    number = f"{escaped(patient.id)}^^^{authority}"
    return segment("PID", ["1", "", number, "", name, "", born, patient.sex])


def _request(dossier: CaseDossier, report: Report, at: str, final: str, envelope: Envelope) -> str:
    case = dossier.case
    code, meaning, section = _SERVICE[case.specialty]
    fields = [""] * 32
    fields[0] = "1"
    fields[2] = f"{escaped(case.id)}^LYSBRO"
    fields[3] = f"{code}^{meaning}^LN"
    fields[6] = _time(case.submitted_at or case.created_at, envelope.timezone)
    fields[21] = at
    fields[23] = section
    fields[24] = final
    fields[31] = f"&{escaped(report.signed_by)}"
    return segment("OBR", fields)


def _observations(
    dossier: CaseDossier, standing: Sequence[Report], at: str, final: str, pdf: bytes | None
) -> Iterator[str]:
    values = _values(dossier, standing, pdf)
    for number, (kind, what, sub, value) in enumerate(values, 1):
        fields = [str(number), kind, what, sub, value, "", "", "", "", "", final, "", "", at]
        yield segment("OBX", fields)


def _values(
    dossier: CaseDossier, standing: Sequence[Report], pdf: bytes | None
) -> Iterator[tuple[str, str, str, str]]:
    """Yield value type, identifier, sub-identifier and value of each observation."""
    for at, report in enumerate(standing, 1):
        yield from _texts(report, at)
        yield from _diagnoses(report.content, at)
        yield from _measured(report.content, at)
    for study in dossier.studies[:1]:
        yield "ST", "113014^DICOM Study^DCM", "", escaped(study.study_uid)
    if pdf is not None:
        yield "ED", "PDF^Signed reply^L", "", _document(pdf)


def _texts(report: Report, at: int) -> Iterator[tuple[str, str, str, str]]:
    for part, (key, code, meaning) in enumerate(_PARTS, 1):
        text = str(report.content.get(key) or "").strip()
        for line, words in enumerate(filter(str.strip, text.split("\n")), 1):
            yield "TX", f"{code}^{meaning}^LN", f"{at}.{part}.{line}", escaped(words.strip())


def _diagnoses(content: Mapping[str, Any], at: int) -> Iterator[tuple[str, str, str, str]]:
    for n, each in enumerate(content.get("diagnoses") or (), 1):
        text = escaped(str(each.get("text") or ""))
        codings = codings_of(each)
        if not codings:
            yield "CE", "29308-4^Diagnosis^LN", f"{at}.{n}", f"^{text}"
        for k, coding in enumerate(codings):
            system = escaped(coding.known.hl7 if coding.known else coding.system)
            value = f"{escaped(coding.code)}^{text}^{system}".rstrip("^")
            yield "CE", "29308-4^Diagnosis^LN", f"{at}.{n}{f'.{k + 1}' if k else ''}", value
    if suspicion := suspicion_text(content):
        yield "TX", "SUSPICION^Suspicion of malignancy^L", f"{at}.1", escaped(suspicion)


def _measured(content: Mapping[str, Any], at: int) -> Iterator[tuple[str, str, str, str]]:
    for n, each in enumerate(content.get("measurements") or (), 1):
        said = said_in(each)
        if not said:
            continue
        label, doubt = escaped(name_of(each)), doubt_of(each)
        said += f" ({doubt})" if doubt else ""
        yield "TX", f"MEASUREMENT^{label}^L", f"{at}.{n}", escaped(said)


def _document(pdf: bytes) -> str:
    """Return encapsulated data with all its five components, without which some refuse it."""
    return f"LYSBRO^application^pdf^Base64^{base64.b64encode(pdf).decode('ascii')}"


def _time(moment: datetime, timezone: str) -> str:
    local = moment.astimezone(ZoneInfo(timezone))
    return f"{local:%Y%m%d%H%M%S%z}"
