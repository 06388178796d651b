"""Makes the signed reply as a Basic Text SR (PS3.3 A.35.1; the shape of PS3.16 TID 2000).

A document that a PACS keeps and searches beside the images; never the only copy, for many viewers
do not show it. The same report gives the same bytes and UIDs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from casework.codings import codes_text, codings_of
from casework.describing import suspicion_text
from casework.identifiers import derived_uid
from casework.measured import PROVENANCE, doubt_of, name_of, said_in
from casework.model import CaseDossier, Report
from pacs_bridge.encoding import encode_values
from pacs_bridge.reply_objects import (
    TITLES,
    Evidence,
    ReplyObject,
    described,
    evidence_sequence,
    series_of,
)
from pacs_bridge.syntaxes import EXPLICIT_LE

BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
SERIES_NUMBER = 9901

_LANGUAGES = {"nb": "Norwegian Bokmål", "en": "English"}
_LONGEST_MEANING = 64  # PS3.5 section 6.2, VR LO

_Item = dict[str, Any]
_FINDINGS = (("121070", "Findings"), ("121071", "Finding"), ("described", "findings"))
_CONCLUSIONS = (("121076", "Conclusions"), ("121077", "Conclusion"), ("impression",))
_ADVICE = (
    ("121074", "Recommendations"),
    ("121075", "Recommendation"),
    ("advice", "follow_up", "safety_net"),
)
_SECTIONS = (_FINDINGS, _CONCLUSIONS, _ADVICE)
_WORDS: Mapping[str, str] = {
    "mean": "middel",
    "max": "maks",
    "Length": "Lengde",
    "Angle": "Vinkel",
    "Cobb angle": "Cobb-vinkel",
    "Long and short axis": "Lang og kort akse",
    "Rectangle": "Rektangel",
    "Value": "Verdi",
    PROVENANCE["detector"]: "ved detektoren, ikke i pasienten",
    PROVENANCE["unstated"]: "målestokk ikke oppgitt",
}
"""The document says that it is in Norwegian; what is not here is the same word."""


def text_sr(
    dossier: CaseDossier,
    standing: Sequence[Report],
    report: Report,
    evidence: Sequence[Evidence],
    *,
    study: dict[str, Any] | None = None,
    timezone: str = "Europe/Oslo",
) -> ReplyObject:
    """Return the document of a signed version; `standing` is the reply as of it, answer first."""
    case = dossier.case
    at = report.signed_at.astimezone(ZoneInfo(timezone))
    study_uid, series_uid = series_of(dossier, "sr")
    instance_uid = _uid(report)
    code, meaning = TITLES[case.specialty]
    values = described(dossier, study or {}) | {
        "SOPClassUID": BASIC_TEXT_SR,
        "SOPInstanceUID": instance_uid,
        "StudyInstanceUID": study_uid,
        "SeriesInstanceUID": series_uid,
        "SeriesNumber": SERIES_NUMBER,
        "InstanceNumber": report.version,
        "Modality": "SR",
        "SeriesDescription": "Signed reply, structured",
        "ReferencedPerformedProcedureStepSequence": [],
        "PerformedProcedureCodeSequence": [],
        "ContentDate": f"{at:%Y%m%d}",
        "ContentTime": f"{at:%H%M%S}",
        "CompletionFlag": "COMPLETE",
        "VerificationFlag": "VERIFIED",
        "VerifyingObserverSequence": [_observer(report, at, case.site_name)],
        "ValueType": "CONTAINER",
        "ConceptNameCodeSequence": [_code(code, meaning, "LN")],
        "ContinuityOfContent": "SEPARATE",
        "ContentTemplateSequence": [{"MappingResource": "DCMR", "TemplateIdentifier": "2000"}],
        "ContentSequence": [*_context(report), *_sections(standing), *_pictures(evidence)],
    }
    if evidence:
        values["CurrentRequestedProcedureEvidenceSequence"] = evidence_sequence(evidence)
    before = [each for each in dossier.reports if each.version < report.version]
    if before:
        values["PredecessorDocumentsSequence"] = [
            {
                "StudyInstanceUID": study_uid,
                "ReferencedSeriesSequence": [
                    {
                        "SeriesInstanceUID": series_uid,
                        "ReferencedSOPSequence": [
                            {
                                "ReferencedSOPClassUID": BASIC_TEXT_SR,
                                "ReferencedSOPInstanceUID": _uid(before[-1]),
                            }
                        ],
                    }
                ],
            }
        ]
    return ReplyObject(
        dataset=encode_values(values, encoding="utf-8", implicit=False),
        sop_class_uid=BASIC_TEXT_SR,
        sop_instance_uid=instance_uid,
        study_uid=study_uid,
        series_uid=series_uid,
        transfer_syntax_uid=EXPLICIT_LE,
    )


def _uid(report: Report) -> str:
    return derived_uid("reply-sr", report.uid, str(report.version))


def _observer(report: Report, at: datetime, organization: str) -> _Item:
    return {
        "VerifyingOrganization": organization or "Lysbro",
        "VerificationDateTime": f"{at:%Y%m%d%H%M%S}",
        "VerifyingObserverName": report.signed_by.replace("^", " "),
        "VerifyingObserverIdentificationCodeSequence": [],
    }


def _context(report: Report) -> Iterator[_Item]:
    spoken = "en" if report.content.get("language") == "en" else "nb"
    language = ("121049", "Language of Content Item and Descendants")
    yield {
        "RelationshipType": "HAS CONCEPT MOD",
        "ValueType": "CODE",
        "ConceptNameCodeSequence": [_code(*language, "DCM")],
        "ConceptCodeSequence": [_code(spoken, _LANGUAGES[spoken], "RFC5646")],
    }
    yield {
        "RelationshipType": "HAS OBS CONTEXT",
        "ValueType": "CODE",
        "ConceptNameCodeSequence": [_code("121005", "Observer Type", "DCM")],
        "ConceptCodeSequence": [_code("121006", "Person", "DCM")],
    }
    yield {
        "RelationshipType": "HAS OBS CONTEXT",
        "ValueType": "PNAME",
        "ConceptNameCodeSequence": [_code("121008", "Person Observer Name", "DCM")],
        "PersonName": report.signed_by.replace("^", " "),
    }


def _sections(standing: Sequence[Report]) -> Iterator[_Item]:
    for (code, heading), (item_code, item_name), keys in _SECTIONS:
        texts = [
            _contains("TEXT", item_code, item_name) | {"TextValue": text}
            for report in standing
            for text in (str(report.content.get(key) or "").strip() for key in keys)
            if text
        ]
        if heading == "Findings":
            texts += [
                _contains("TEXT", item_code, item_name) | {"TextValue": text}
                for report in standing
                for text in _measured(report)
            ]
        if heading == "Conclusions":
            for report in standing:
                texts += _diagnoses(report)
                texts += _suspicion(report)
        if texts:
            yield _contains("CONTAINER", code, heading) | {
                "ContinuityOfContent": "SEPARATE",
                "ContentSequence": texts,
            }


def _measured(report: Report) -> Iterator[str]:
    """Yield what was measured, a line each: PS3.3 A.35.1.3 has no numbers."""
    for each in report.content.get("measurements") or ():
        figures, doubt = said_in(each, _norwegian, comma=","), doubt_of(each)
        if figures:
            more = f" ({_norwegian(doubt)})" if doubt else ""
            yield f"{name_of(each, _norwegian)}: {figures}{more}"


def _norwegian(words: str) -> str:
    return _WORDS.get(words, words)


def _diagnoses(report: Report) -> Iterator[_Item]:
    """Yield each diagnosis in words with all its codes, then those codes that DICOM has a name for.

    ICPC-2 has none in PS3.16 table 8-1, and is said in the words alone.
    """
    for each in report.content.get("diagnoses") or ():
        codes, name = codes_text(each), str(each.get("text") or "")
        said = f"{name}{f' ({codes})' if codes else ''}"
        yield _contains("TEXT", "121077", "Conclusion") | {"TextValue": said}
        for coding in codings_of(each):
            if coding.known is not None and coding.known.dicom:
                meaning = _code(coding.code, name[:_LONGEST_MEANING], coding.known.dicom)
                yield _contains("CODE", "121071", "Finding") | {"ConceptCodeSequence": [meaning]}


def _suspicion(report: Report) -> Iterator[_Item]:
    if said := suspicion_text(report.content):
        yield _contains("TEXT", "121077", "Conclusion") | {"TextValue": said}


def _pictures(evidence: Sequence[Evidence]) -> Iterator[_Item]:
    for each in evidence:
        if each.is_named:
            yield _contains("IMAGE", "121080", "Best illustration of finding") | {
                "ReferencedSOPSequence": [
                    {
                        "ReferencedSOPClassUID": each.sop_class_uid,
                        "ReferencedSOPInstanceUID": each.sop_instance_uid,
                    }
                ]
            }


def _contains(kind: str, code: str, meaning: str) -> _Item:
    return {
        "RelationshipType": "CONTAINS",
        "ValueType": kind,
        "ConceptNameCodeSequence": [_code(code, meaning, "DCM")],
    }


def _code(value: str, meaning: str, scheme: str) -> _Item:
    return {"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}
