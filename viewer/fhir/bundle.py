"""Puts a signed reply into one FHIR R4 transaction: what a receiver is sent, whole, at once.

Each resource is named by an identifier, so that the same transaction again, and a later version,
change what is there and add nothing. Pure.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from casework.measured import Figure, doubt_of, figures_of, name_of
from casework.model import CaseDossier, Report
from storage.rows import StudyRow
from viewer.fhir import resources
from viewer.fhir.resources import Resource, instant

_SPACE = uuid.UUID("6f0c7a5e-6a38-5b0e-9d0b-6c7973627265")
_UCUM = "http://unitsofmeasure.org"
_UNITS: Mapping[str, str] = {
    "mm": "mm",
    "cm": "cm",
    "mm2": "mm2",
    "mm²": "mm2",
    "HU": "[hnsf'U]",
    "°": "deg",
    "deg": "deg",
}
_SCT = "http://snomed.info/sct"
_CODES: Mapping[str, tuple[str, str]] = {
    "length": ("410668003", "Length"),
    "angle": ("1483009", "Angle"),
    "cobb": ("285285000", "Cobb angle"),
    "long-axis": ("103339001", "Long axis"),
    "short-axis": ("103340004", "Short axis"),
    "area": ("42798000", "Area"),
    "mean": ("373098007", "Mean"),
    "sd": ("386136009", "Standard Deviation"),
    "min": ("255605001", "Minimum"),
    "max": ("56851009", "Maximum"),
}
"""What each figure of a measurement is (SNOMED CT), as the structured report has it too."""


def reply_bundle(
    dossier: CaseDossier,
    reports: Sequence[Report],
    studies: Sequence[StudyRow],
    *,
    pdf: bytes | None = None,
) -> Resource:
    """Return the transaction of the reply as it stands after `reports`."""
    case, latest = dossier.case, reports[-1]
    subject = f"Patient/{resources.patient_id(case.site, case.patient)}"
    measured = observations(dossier, reports)
    report = resources.diagnostic_report(case, reports, [s.study_uid for s in studies])
    if measured:
        report["result"] = [{"reference": f"Observation/{each['id']}"} for each in measured]
    made = [
        resources.patient(case.site, case.patient),
        resources.service_request(case),
        *(resources.imaging_study(study, patient_reference=subject) for study in studies),
        *measured,
    ]
    if pdf is not None:
        document = document_reference(dossier, latest, pdf)
        report["presentedForm"] = [document["content"][0]["attachment"]]
        made.append(document)
    made.append(report)
    names = {f"{each['resourceType']}/{each['id']}": _name(each) for each in made}
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [_entry(each, names) for each in made],
    }


def observations(dossier: CaseDossier, reports: Sequence[Report]) -> list[Resource]:
    """Return what was measured in the images, an Observation each."""
    case, latest = dossier.case, reports[-1]
    status = {"original": "final", "correction": "corrected"}.get(latest.kind, "amended")
    found = []
    standing = resources.standing(reports)
    measured = [each for report in standing for each in report.content.get("measurements") or ()]
    for n, each in enumerate(measured, 1):
        figures, doubt = figures_of(each), doubt_of(each)
        if not figures:
            continue
        further: Resource = {
            "component": [
                {"code": _coded(f, f.what), "valueQuantity": _quantity(f)} for f in figures[1:]
            ],
            "note": [{"text": doubt}] if doubt else [],
        }
        found.append(
            {
                "resourceType": "Observation",
                "id": f"{case.id}-m{n}",
                "identifier": [{"system": "urn:lysbro:measurement", "value": f"{case.id}-m{n}"}],
                "status": status,
                "basedOn": [{"reference": f"ServiceRequest/{case.id}"}],
                "code": _coded(figures[0], name_of(each)),
                "subject": {
                    "reference": f"Patient/{resources.patient_id(case.site, case.patient)}"
                },
                "issued": instant(latest.signed_at),
                "performer": [{"display": latest.signed_by}],
                "valueQuantity": _quantity(figures[0]),
                **{k: v for k, v in further.items() if v},
            }
        )
    return found


def _coded(figure: Figure, text: str) -> Resource:
    if figure.what not in _CODES:
        return {"text": text}
    code, meaning = _CODES[figure.what]
    return {"coding": [{"system": _SCT, "code": code, "display": meaning}], "text": text}


def _quantity(figure: Figure) -> Resource:
    quantity: Resource = {"value": figure.value, "unit": figure.unit}
    code = _UNITS.get(figure.unit)
    if code:
        quantity |= {"system": _UCUM, "code": code}
    return {k: v for k, v in quantity.items() if v != ""}


def document_reference(dossier: CaseDossier, report: Report, pdf: bytes | None = None) -> Resource:
    """Return the reply as a document; with a PDF, that is inside it."""
    case = dossier.case
    attachment: Resource = {
        "contentType": "application/pdf",
        "title": f"Case {case.id}, version {report.version}",
        "creation": instant(report.signed_at),
    }
    if pdf is not None:
        attachment["data"] = base64.b64encode(pdf).decode("ascii")
    return {
        "resourceType": "DocumentReference",
        "id": case.id,
        "identifier": [{"system": "urn:lysbro:reply", "value": case.id}],
        "status": "current",
        "docStatus": "final" if report.kind == "original" else "amended",
        "type": {"text": f"{case.specialty.value.capitalize()} report"},
        "subject": {"reference": f"Patient/{resources.patient_id(case.site, case.patient)}"},
        "date": instant(report.signed_at),
        "author": [{"display": report.signed_by}],
        "content": [{"attachment": attachment}],
    }


def _entry(resource: Resource, names: Mapping[str, str]) -> Resource:
    kind, identifier = resource["resourceType"], resource["identifier"][0]
    asked = f"identifier={quote(identifier['system'], safe='')}|{quote(identifier['value'])}"
    body = _renamed({k: v for k, v in resource.items() if k != "id"}, names)
    request = (
        {"method": "POST", "url": kind, "ifNoneExist": asked}
        if kind == "Patient"  # whose record is the receiver's own
        else {"method": "PUT", "url": f"{kind}?{asked}"}
    )
    return {"fullUrl": _name(resource), "resource": body, "request": request}


def _name(resource: Resource) -> str:
    return f"urn:uuid:{uuid.uuid5(_SPACE, resource['resourceType'] + '/' + resource['id'])}"


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Return a resource whose references name the entries of the transaction."""
    if isinstance(value, dict):
        return {
            key: names.get(each, each) if key == "reference" else _renamed(each, names)
            for key, each in value.items()
        }
    return [_renamed(each, names) for each in value] if isinstance(value, list) else value
