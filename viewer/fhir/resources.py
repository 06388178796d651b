"""FHIR R4 resources made from cases, reports and studies.

Pure: reads nothing, decides no access.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from casework.codings import Coding, codes_text, codings_of
from casework.describing import suspicion_text
from casework.lifecycle import REPLIED
from casework.model import Case, CaseState, Patient, Report, Specialty
from storage.rows import SeriesRow, StudyRow

Resource = dict[str, Any]

_REQUEST_STATUS: Mapping[CaseState, str] = {
    CaseState.DRAFT: "draft",
    CaseState.WITHDRAWN: "revoked",
    CaseState.DECLINED: "revoked",
    **dict.fromkeys(REPLIED, "completed"),
}
_TASK_STATUS: Mapping[CaseState, str] = {
    CaseState.DRAFT: "draft",
    CaseState.SUBMITTED: "requested",
    CaseState.CLAIMED: "accepted",
    CaseState.WAITING: "on-hold",
    CaseState.REPORTED: "in-progress",
    CaseState.WITHDRAWN: "cancelled",
    CaseState.DECLINED: "rejected",
    **dict.fromkeys(REPLIED, "completed"),
}
_REPORT_STATUS = {"original": "final", "correction": "corrected", "addendum": "appended"}
_GENDER = {"M": "male", "F": "female", "O": "other"}
_SNOMED = "http://snomed.info/sct"
_CATEGORY: Mapping[Specialty, tuple[str, str]] = {
    Specialty.RADIOLOGY: ("363679005", "Imaging"),
    Specialty.DERMATOLOGY: ("394582007", "Dermatology"),
}
_SECTION: Mapping[Specialty, tuple[str, str]] = {
    Specialty.RADIOLOGY: ("RAD", "Radiology"),
    Specialty.DERMATOLOGY: ("OTH", "Other"),
}
_SECTION_SYSTEM = "http://terminology.hl7.org/CodeSystem/v2-0074"
_PARTS = (
    ("Description", "described"),
    ("Findings", "findings"),
    ("Advice", "advice"),
    ("Follow-up", "follow_up"),
    ("Come back if", "safety_net"),
)
_DCM = "http://dicom.nema.org/resources/ontology/DCM"


def patient_id(site: str, patient: Patient) -> str:
    """Return the logical id of a patient: the same number of another issuer is another one."""
    key = "\x1f".join((patient.issuer or site, patient.id)).encode()
    return "p-" + hashlib.sha256(key).hexdigest()[:40]


def patient(site: str, who: Patient) -> Resource:
    """Return a Patient."""
    system = f"urn:oid:{who.issuer}" if _is_oid(who.issuer) else f"urn:lysbro:{who.issuer or site}"
    family, given = [*who.name.split("=")[0].split("^"), "", ""][:2]
    name = {
        "text": " ".join(part for part in (given, family) if part),
        "family": family,
        "given": [given] if given else [],
    }
    return _without_empty(
        {
            "resourceType": "Patient",
            "id": patient_id(site, who),
            "identifier": [{"system": system, "value": who.id}],
            "name": [_without_empty(name)] if name["text"] else [],
            "gender": _GENDER.get(who.sex, ""),
            "birthDate": who.birth_date.isoformat() if who.birth_date else "",
        }
    )


def service_request(case: Case) -> Resource:
    """Return the ServiceRequest of a case: the question."""
    code, display = _CATEGORY[case.specialty]
    return _without_empty(
        {
            "resourceType": "ServiceRequest",
            "id": case.id,
            "identifier": [_case_identifier(case)],
            "status": _REQUEST_STATUS.get(case.state, "active"),
            "intent": "order",
            "category": [_concept(_SNOMED, code, display)],
            "priority": case.priority.value,
            "subject": _subject(case),
            "authoredOn": instant(case.submitted_at or case.created_at),
            "requester": _without_empty({"display": case.referral.referrer or case.site_name}),
            "reasonCode": [{"text": case.referral.question}] if case.referral.question else [],
        }
    )


def task(case: Case) -> Resource:
    """Return the Task of a case: who has it, and how far it is."""
    return _without_empty(
        {
            "resourceType": "Task",
            "id": case.id,
            "identifier": [_case_identifier(case)],
            "status": _TASK_STATUS[case.state],
            "businessStatus": {"text": case.state.value},
            "statusReason": {"text": case.waiting_reason} if case.waiting_reason else {},
            "intent": "order",
            "priority": case.priority.value,
            "focus": {"reference": f"ServiceRequest/{case.id}"},
            "for": _subject(case),
            "authoredOn": instant(case.created_at),
            "lastModified": instant(
                case.closed_at
                or case.read_at
                or case.signed_at
                or case.claimed_at
                or case.submitted_at
                or case.created_at
            ),
            "owner": {"display": case.holder_name} if case.holder_name else {},
            "restriction": {"period": {"end": instant(case.due_at)}} if case.due_at else {},
        }
    )


def diagnostic_report(
    case: Case, reports: Sequence[Report], study_uids: Sequence[str] = ()
) -> Resource:
    """Return the DiagnosticReport of a case: its signed versions as one."""
    latest = reports[-1]
    code, display = _SECTION[case.specialty]
    return _without_empty(
        {
            "resourceType": "DiagnosticReport",
            "id": case.id,
            "meta": {"versionId": str(latest.version), "lastUpdated": instant(latest.signed_at)},
            "text": _narrative(reports),
            "identifier": [
                _case_identifier(case),
                {"system": "urn:dicom:uid", "value": f"urn:oid:{latest.uid}"},
            ],
            "basedOn": [{"reference": f"ServiceRequest/{case.id}"}],
            "status": _REPORT_STATUS[latest.kind],
            "category": [_concept(_SECTION_SYSTEM, code, display)],
            "code": {"text": f"{case.specialty.value.capitalize()} report"},
            "subject": _subject(case),
            "issued": instant(latest.signed_at),
            "resultsInterpreter": [{"display": latest.signed_by}],
            "imagingStudy": [{"reference": f"ImagingStudy/{uid}"} for uid in study_uids],
            "conclusion": _conclusion(reports),
            "conclusionCode": [
                each for report in standing(reports) for each in _diagnoses(report.content)
            ],
        }
    )


def imaging_study(
    study: StudyRow, *, patient_reference: str, series: Sequence[SeriesRow] = ()
) -> Resource:
    """Return an ImagingStudy."""
    return _without_empty(
        {
            "resourceType": "ImagingStudy",
            "id": study.study_uid,
            "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{study.study_uid}"}],
            "status": "available",
            "modality": [{"system": _DCM, "code": m} for m in study.modalities],
            "subject": {"reference": patient_reference},
            "started": _started(study),
            "basedOn": [{"reference": f"ServiceRequest/{study.case_id}"}] if study.case_id else [],
            "numberOfSeries": study.series_count,
            "numberOfInstances": study.instance_count,
            "description": study.description,
            "series": [_series(row) for row in series],
        }
    )


def instant(moment: datetime | None) -> str:
    """Return a time as FHIR writes an instant."""
    return "" if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")


def _series(row: SeriesRow) -> Resource:
    return _without_empty(
        {
            "uid": row.series_uid,
            "number": row.number,
            "modality": {"system": _DCM, "code": row.modality or "OT"},
            "description": row.description,
            "numberOfInstances": row.instance_count,
        }
    )


def _started(study: StudyRow) -> str:
    day = study.study_date
    return f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 and day.isdecimal() else ""


def standing(reports: Sequence[Report]) -> Sequence[Report]:
    """Return the answer in force and what has been added to it since."""
    at = max(i for i, report in enumerate(reports) if report.kind != "addendum")
    return reports[at:]


def _conclusion(reports: Sequence[Report]) -> str:
    """Return the impression in force, followed by what has been added to it since."""
    texts = [_said(report) for report in standing(reports)]
    return "\n\n".join(text for text in texts if text)


def _said(report: Report) -> str:
    return str(report.content.get("impression") or report.content.get("findings") or "")


def _diagnoses(content: Mapping[str, Any]) -> list[Resource]:
    return [
        _without_empty(
            {"text": str(d.get("text", "")), "coding": [_coding(c) for c in codings_of(d)]}
        )
        for d in content.get("diagnoses") or ()
    ]


def _coding(coding: Coding) -> Resource:
    uri = coding.known.uri if coding.known else coding.system
    return _without_empty({"system": uri, "code": coding.code})


def _narrative(reports: Sequence[Report]) -> Resource:
    """Return all that the reply says as a narrative: no other member of R4 has the findings."""
    at = max(i for i, report in enumerate(reports) if report.kind != "addendum")
    said = [
        f"<p>{f'<b>{escape(title)}</b><br/>' if title else ''}{_as_lines(text)}</p>"
        for report in reports[at:]
        for title, text in _told(report.content)
        if text
    ]
    body = f'<div xmlns="http://www.w3.org/1999/xhtml">{"".join(said)}</div>'
    return {"status": "generated", "div": body} if said else {}


def _told(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "", str(content.get("impression") or "")
    for each in content.get("diagnoses") or ():
        codes = codes_text(each)
        yield "", f"{each.get('text', '')}{f' ({codes})' if codes else ''}"
    yield "", suspicion_text(content)
    for title, key in _PARTS:
        yield title, str(content.get(key) or "")


def _as_lines(text: str) -> str:
    return escape(text.strip()).replace("\n", "<br/>")


def _subject(case: Case) -> Resource:
    return {"reference": f"Patient/{patient_id(case.site, case.patient)}"}


def _case_identifier(case: Case) -> Resource:
    return {"system": "urn:lysbro:case", "value": case.id}


def _concept(system: str, code: str, display: str) -> Resource:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _is_oid(text: str) -> bool:
    return "." in text and all(part.isdecimal() for part in text.split("."))


def _without_empty(resource: Resource) -> Resource:
    """Leave out empty members, which FHIR does not allow."""
    return {name: value for name, value in resource.items() if value not in ("", None, [], {})}
