"""What a work item says of itself: the attributes of PS3.4 table CC.2.5-3, by keyword.

Plain values: text, numbers, lists, and mappings for items of sequences. Knows no encoding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from casework.model import Case, CaseState, Specialty
from casework.workitems import (
    PRIORITIES,
    PUSH_CLASS,
    Code,
    Request,
    Series,
    StepState,
    WorkItem,
)

Values = dict[str, Any]

SCHEME = "99LYSBRO"
INTERPRETATION = Code("110005", "DCM", "Interpretation")  # PS3.16 CID 9231
UNSPECIFIED = Code("110513", "DCM", "Discontinued for unspecified reason")  # PS3.16 CID 9300
WITHDRAWN = Code("110500", "DCM", "Doctor canceled procedure")

_ROOM = {Specialty.RADIOLOGY: "Radiology reading", Specialty.DERMATOLOGY: "Dermatology reading"}
_PROGRESS = {
    CaseState.CLAIMED: "Claimed",
    CaseState.WAITING: "Waits for an answer of the one who asked",
    CaseState.REPORTED: "Findings are being written",
}
_PREGNANT = {"no": 1, "yes": 3, "unknown": 4}  # PS3.3 C.7.2.3.1: 2 is possibly
_LINE, _TEXT, _LONG = 64, 1024, 10_240  # longest LO, ST and LT (PS3.5 section 6.2)

LISTED = (
    "SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "ScheduledProcedureStepPriority",
    "ProcedureStepLabel", "WorklistLabel", "ScheduledProcessingParametersSequence",
    "ScheduledStationNameCodeSequence", "ScheduledStationClassCodeSequence",
    "ScheduledStationGeographicLocationCodeSequence", "ScheduledHumanPerformersSequence",
    "ScheduledProcedureStepStartDateTime", "ScheduledWorkitemCodeSequence", "InputReadinessState",
    "InputInformationSequence", "StudyInstanceUID", "PatientName", "PatientID",
    "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "OtherPatientIDsSequence",
    "PatientBirthDate", "PatientSex", "AdmissionID", "IssuerOfAdmissionIDSequence",
    "AdmittingDiagnosesDescription", "AdmittingDiagnosesCodeSequence", "ReferencedRequestSequence",
    "PregnancyStatus", "ProcedureStepState", "ProcedureStepProgressInformationSequence",
)  # fmt: skip
"""What a search returns unasked: the return keys of type 1, 2 and, where known, 1C and 2C."""


@dataclass(frozen=True)
class Retrieval:
    """Where the objects of a work item are fetched: our AE title, the root of DICOMweb."""

    ae_title: str
    root: str


def values_of(item: WorkItem, retrieval: Retrieval) -> Values:
    """Return every attribute of a work item but its Transaction UID, which is its lock."""
    case = item.case
    return {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": PUSH_CLASS,
        "SOPInstanceUID": item.uid,
        **_scheduled(item),
        "InputInformationSequence": [_series(each, retrieval) for each in item.inputs],
        "StudyInstanceUID": item.requests[0].study.study_uid if item.requests else "",
        **_patient(case),
        "AdmissionID": "",
        "IssuerOfAdmissionIDSequence": [],
        "AdmittingDiagnosesDescription": "",
        "AdmittingDiagnosesCodeSequence": [],
        "ReferencedRequestSequence": [_request(case, each) for each in item.requests],
        "ProcedureStepState": item.state.value,
        "ProcedureStepProgressInformationSequence": progress(item),
        "UnifiedProcedureStepPerformedProcedureSequence": _performed(item, retrieval),
    }


def progress(item: WorkItem) -> list[Values]:
    """Return the item of the Procedure Step Progress Information Sequence, where there is any."""
    told, state = item.told, item.state
    if state is StepState.SCHEDULED:
        return []
    found: Values = {}
    if told.progress is not None:
        found["ProcedureStepProgress"] = told.progress
    description = told.description or _PROGRESS.get(item.case.state, "")
    if description:
        found["ProcedureStepProgressDescription"] = _text(description, _TEXT)
    if told.contacts:
        found["ProcedureStepCommunicationsURISequence"] = [
            {"ContactURI": contact.uri, "ContactDisplayName": _line(contact.name)}
            for contact in told.contacts
        ]
    if state is StepState.CANCELED:
        found |= cancellation(item)
    elif told.reason or told.discontinued:
        found |= _cancellation(told.reason, told.discontinued)
    return [found] if found else []


def cancellation(item: WorkItem) -> Values:
    """Return when and why a work item was canceled; a reason that nobody coded is unspecified."""
    by_request = item.case.state is CaseState.WITHDRAWN
    codes = item.told.discontinued or (WITHDRAWN if by_request else UNSPECIFIED,)
    at = item.canceled_at or item.case.closed_at or item.case.submitted_at
    reason = item.canceled_because or item.told.reason
    return {"ProcedureStepCancellationDateTime": moment(at), **_cancellation(reason, codes)}


def assigned(item: WorkItem) -> Values:
    """Return who has a work item, as a UPS Assigned event tells it (PS3.4 table CC.2.4-1)."""
    performers = _performers(item)
    found: Values = dict(performers[0]) if performers else {}
    found.pop("HumanPerformerName", None)
    return found


def readiness(item: WorkItem) -> str:
    """Return whether everything is here that is to be read (Input Readiness State)."""
    studies = [request.study for request in item.requests]
    return readiness_of([(study.completeness, study.instance_count) for study in studies])


def readiness_of(studies: Sequence[tuple[str, int]]) -> str:
    """Return the readiness of studies, each with how complete it is and how much is there."""
    if not any(count for _, count in studies):
        return "UNAVAILABLE"
    whole = all(completeness != "arriving" and count for completeness, count in studies)
    return "READY" if whole else "INCOMPLETE"


def label_of(specialty: Specialty) -> str:
    """Return the worklist that a specialty's work items are on."""
    return specialty.value


def moment(at: datetime | None) -> str:
    """Return a time as DICOM writes it, in UTC (PS3.5 section 6.2, VR DT)."""
    return "" if at is None else at.astimezone(UTC).strftime("%Y%m%d%H%M%S.%f+0000")


def code(of: Code) -> Values:
    """Return the item of a code sequence."""
    return {
        "CodeValue": of.value,
        "CodingSchemeDesignator": of.scheme,
        "CodeMeaning": _line(of.meaning),
    }


def _scheduled(item: WorkItem) -> Values:
    case = item.case
    what = next((r.study.description for r in item.requests if r.study.description), "")
    return {
        "ScheduledProcedureStepPriority": PRIORITIES[case.priority],
        "ScheduledProcedureStepModificationDateTime": moment(_changed_at(item)),
        "ProcedureStepLabel": _line(f"{_ROOM[case.specialty]}: {what}" if what else _room(case)),
        "WorklistLabel": label_of(case.specialty),
        "ScheduledProcessingParametersSequence": [],
        "ScheduledStationNameCodeSequence": [],
        "ScheduledStationClassCodeSequence": [
            code(Code(case.specialty.value, SCHEME, _room(case)))
        ],
        "ScheduledStationGeographicLocationCodeSequence": [],
        "ScheduledHumanPerformersSequence": _performers(item),
        "ScheduledProcedureStepStartDateTime": moment(case.submitted_at),
        "ExpectedCompletionDateTime": moment(case.due_at),
        "ScheduledWorkitemCodeSequence": [code(INTERPRETATION)],
        "CommentsOnTheScheduledProcedureStep": _text(item.told.comments, _LONG),
        "InputReadinessState": readiness(item),
    }


def _room(case: Case) -> str:
    return _ROOM[case.specialty]


def _changed_at(item: WorkItem) -> datetime | None:
    case = item.case
    times = (case.submitted_at, case.claimed_at, item.completed_at, item.canceled_at, item.told_at)
    return max((at for at in times if at is not None), default=None)


def _patient(case: Case) -> Values:
    patient, qualifiers = case.patient, []
    if patient.issuer and set(patient.issuer) <= set("0123456789."):
        qualifiers = [{"UniversalEntityID": patient.issuer, "UniversalEntityIDType": "ISO"}]
    found: Values = {
        "PatientName": patient.name,
        "PatientID": patient.id,
        "IssuerOfPatientID": _line(patient.issuer),
        "IssuerOfPatientIDQualifiersSequence": qualifiers,
        "OtherPatientIDsSequence": [],
        "PatientBirthDate": f"{patient.birth_date:%Y%m%d}" if patient.birth_date else "",
        "PatientSex": patient.sex,
    }
    pregnant = _PREGNANT.get(str(case.referral.clinical.get("pregnant", "")))
    return found if pregnant is None else {**found, "PregnancyStatus": pregnant}


def _request(case: Case, of: Request) -> Values:
    question = case.referral.question
    asked: Values = {
        "StudyInstanceUID": of.study.study_uid,
        "AccessionNumber": of.accession_number,
        "IssuerOfAccessionNumberSequence": [],
        "OrderPlacerIdentifierSequence": [],
        "OrderFillerIdentifierSequence": [],
        "RequestedProcedureID": "",
        "RequestedProcedureDescription": _line(of.procedure_description or of.study.description),
        "RequestedProcedureCodeSequence": [],
        "RequestingService": _line(case.site_name or case.site),
    }
    if question:
        asked["ReasonForTheRequestedProcedure"] = _line(question)
        asked["RequestedProcedureComments"] = _text(question, _LONG)
    if case.referral.referrer:
        asked["RequestingPhysician"] = _name(case.referral.referrer)
    if of.referring_physician:
        asked["ReferringPhysicianName"] = of.referring_physician
    return asked


def _performed(item: WorkItem, retrieval: Retrieval) -> list[Values]:
    case, state = item.case, item.state
    if state is StepState.SCHEDULED or not (case.claimed_at or case.report_version):
        return []
    found: Values = {
        "ActualHumanPerformersSequence": _performers(item),
        "PerformedStationNameCodeSequence": [
            code(Code(retrieval.ae_title, SCHEME, f"Lysbro {retrieval.ae_title}"))
        ],
        "PerformedStationClassCodeSequence": [],
        "PerformedStationGeographicLocationCodeSequence": [],
        "PerformedProcedureStepStartDateTime": moment(case.claimed_at or case.signed_at),
        "PerformedProcedureStepDescription": _room(case),
        "PerformedWorkitemCodeSequence": [code(INTERPRETATION)],
        "OutputInformationSequence": [_series(each, retrieval) for each in item.outputs],
    }
    if state is StepState.COMPLETED:
        found["PerformedProcedureStepEndDateTime"] = moment(item.completed_at or case.signed_at)
    return [found]


def _performers(item: WorkItem) -> list[Values]:
    case = item.case
    if not case.holder_id:
        return []
    performer = {
        "HumanPerformerCodeSequence": [code(Code(case.holder_id[:16], SCHEME, case.holder_name))],
        "HumanPerformerName": _name(case.holder_name),
    }
    if item.holder_site:
        performer["HumanPerformerOrganization"] = _line(item.holder_site)
    return [performer]


def _series(of: Series, retrieval: Retrieval) -> Values:
    """Return references as the macro of PS3.3 table 10-3b has them."""
    address = f"{retrieval.root}/studies/{of.study_uid}/series/{of.series_uid}"
    return {
        "TypeOfInstances": "DICOM",
        "StudyInstanceUID": of.study_uid,
        "SeriesInstanceUID": of.series_uid,
        "ReferencedSOPSequence": [
            {"ReferencedSOPClassUID": sop_class, "ReferencedSOPInstanceUID": uid}
            for sop_class, uid in of.objects
        ],
        "DICOMRetrievalSequence": [{"RetrieveAETitle": retrieval.ae_title}],
        "WADORSRetrievalSequence": [{"RetrieveURL": address}],
    }


def _cancellation(reason: str, codes: Iterable[Code]) -> Values:
    found: Values = {"ReasonForCancellation": _text(reason, _LONG)} if reason else {}
    listed = [code(each) for each in codes]
    return {**found, "ProcedureStepDiscontinuationReasonCodeSequence": listed} if listed else found


def _name(text: str) -> str:
    """Return a name as people write it, as the family name of a PN: its parts are not known."""
    return _line(text.translate(str.maketrans("^=", "  ")))


def _line(text: str) -> str:
    return " ".join(text.replace("\\", "/").split())[:_LINE].rstrip()


def _text(text: str, longest: int) -> str:
    return text.strip()[:longest]


def only(values: Mapping[str, Any], keywords: Sequence[str]) -> Values:
    """Return some of the attributes, those that a work item has."""
    return {keyword: values[keyword] for keyword in keywords if keyword in values}
