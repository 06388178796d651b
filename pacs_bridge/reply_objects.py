"""Makes the DICOM object in which a signed reply travels: Encapsulated PDF (PS3.3 A.45.1).

The same report gives the same bytes and UIDs, so that a repeat is harmless.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from casework.identifiers import derived_uid, reply_series_uid
from casework.model import Case, CaseDossier, Patient, Report, Specialty
from pacs_bridge.encoding import encode_values
from pacs_bridge.syntaxes import EXPLICIT_LE
from storage.levels import shown_issuer

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
SERIES_NUMBER = 9900  # far behind a study's own series

TITLES: Mapping[Specialty, tuple[str, str]] = {
    Specialty.DERMATOLOGY: ("34758-3", "Dermatology Consult note"),
    Specialty.RADIOLOGY: ("18748-4", "Diagnostic imaging study"),
}
"""LOINC document titles (PS3.16 CID 7020)."""

_KINDS: Mapping[str, str] = {"addendum": ", addendum", "correction": ", correction"}
_OF_STUDY = (
    "StudyDate", "StudyTime", "AccessionNumber", "StudyID", "StudyDescription",
    "ReferringPhysicianName",
)  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """An image that a reply rests on."""

    study_uid: str
    series_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    modality: str = ""
    rows: int = 0
    columns: int = 0
    frames: int = 1
    is_named: bool = False  # the reply points to it


@dataclass(frozen=True)
class ReplyObject:
    """A made object: its data set, and what names it."""

    dataset: bytes
    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: str

    def open_dataset(self) -> BinaryIO:
        """Open the data set."""
        return io.BytesIO(self.dataset)


def encapsulated_pdf(
    dossier: CaseDossier,
    report: Report,
    pdf: bytes,
    *,
    sources: Sequence[tuple[str, str]] = (),
    issuer: str = "",
    study: Mapping[str, Any] | None = None,
    timezone: str = "Europe/Oslo",
) -> ReplyObject:
    """Return the object that carries a signed report in the study that it answers.

    `sources` are SOP Class and Instance UIDs of the images that it speaks of; `study` holds the
    attributes of the study by keyword, so that the object agrees with its images.
    """
    case = dossier.case
    study_uid = dossier.studies[0].study_uid if dossier.studies else derived_uid("study", case.id)
    series_uid = reply_series_uid(study_uid, case.id)
    instance_uid = derived_uid("reply-pdf", report.uid, str(report.version))
    values: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": ENCAPSULATED_PDF,
        "SOPInstanceUID": instance_uid,
        "StudyInstanceUID": study_uid,
        "SeriesInstanceUID": series_uid,
        "SeriesNumber": SERIES_NUMBER,
        "InstanceNumber": report.version,
    }
    values |= _patient(case.patient, issuer)
    values |= _study(dossier, study or {})
    values |= _document(case, report, pdf, report.signed_at.astimezone(ZoneInfo(timezone)))
    if sources:
        values["SourceInstanceSequence"] = [
            {"ReferencedSOPClassUID": sop_class, "ReferencedSOPInstanceUID": instance}
            for sop_class, instance in dict.fromkeys(sources)
        ]
    return ReplyObject(
        dataset=encode_values(values, encoding="utf-8", implicit=False),
        sop_class_uid=ENCAPSULATED_PDF,
        sop_instance_uid=instance_uid,
        study_uid=study_uid,
        series_uid=series_uid,
        transfer_syntax_uid=EXPLICIT_LE,
    )


def series_of(dossier: CaseDossier, kind: str) -> tuple[str, str]:
    """Return the study that a reply belongs to, and its series of a kind of object."""
    case = dossier.case
    study_uid = dossier.studies[0].study_uid if dossier.studies else derived_uid("study", case.id)
    return study_uid, derived_uid("reply-series", study_uid, case.id, kind)


def described(dossier: CaseDossier, study: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an object of a reply says of patient and study, as their images do."""
    patient = dossier.case.patient
    return {
        "SpecificCharacterSet": "ISO_IR 192",
        **_patient(patient, patient.issuer),
        **_study(dossier, study),
        "Manufacturer": "Lysbro",
    }


def evidence_sequence(evidence: Sequence[Evidence]) -> list[dict[str, Any]]:
    """Return images as a hierarchy of studies and series (PS3.3 table 10-4b)."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for each in evidence:
        series = found.setdefault(each.study_uid, {}).setdefault(each.series_uid, [])
        series.append(
            {
                "ReferencedSOPClassUID": each.sop_class_uid,
                "ReferencedSOPInstanceUID": each.sop_instance_uid,
            }
        )
    return [
        {
            "StudyInstanceUID": study_uid,
            "ReferencedSeriesSequence": [
                {"SeriesInstanceUID": series_uid, "ReferencedSOPSequence": objects}
                for series_uid, objects in by_series.items()
            ],
        }
        for study_uid, by_series in found.items()
    ]


def _patient(patient: Patient, issuer: str) -> dict[str, Any]:
    values = {
        "PatientName": patient.name,
        "PatientID": patient.id,
        "PatientBirthDate": patient.birth_date.strftime("%Y%m%d") if patient.birth_date else "",
        "PatientSex": patient.sex,
    }
    shown = shown_issuer(issuer)
    return values | ({"IssuerOfPatientID": shown} if shown else {})


def _study(dossier: CaseDossier, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Type 2 attributes are there, empty when nothing is known (PS3.3 C.7.2.1)."""
    values: dict[str, Any] = dict.fromkeys(_OF_STUDY, "")
    first = dossier.studies[0] if dossier.studies else None
    if first is not None:
        values["StudyDescription"] = first.description
        if first.started is not None:
            values["StudyDate"] = first.started.strftime("%Y%m%d")
            values["StudyTime"] = first.started.strftime("%H%M%S")
    values |= {keyword: attributes[keyword] for keyword in _OF_STUDY if attributes.get(keyword)}
    return {k: v for k, v in values.items() if v or k != "StudyDescription"}


def _document(case: Case, report: Report, pdf: bytes, signed_at: datetime) -> dict[str, Any]:
    code, meaning = TITLES[case.specialty]
    return {
        "Modality": "DOC",
        "SeriesDescription": "Signed reply",
        "Manufacturer": "Lysbro",
        "ConversionType": "WSD",
        "ContentDate": signed_at.strftime("%Y%m%d"),
        "ContentTime": signed_at.strftime("%H%M%S"),
        "AcquisitionDateTime": "",
        "BurnedInAnnotation": "YES",
        "DocumentTitle": f"{meaning}, case {case.id}{_KINDS.get(report.kind, '')}",
        "ConceptNameCodeSequence": [
            {"CodeValue": code, "CodingSchemeDesignator": "LN", "CodeMeaning": meaning}
        ],
        "VerificationFlag": "VERIFIED",
        "MIMETypeOfEncapsulatedDocument": "application/pdf",
        "EncapsulatedDocument": pdf,
        "EncapsulatedDocumentLength": len(pdf),
    }
