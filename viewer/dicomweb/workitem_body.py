"""Reads what clients of UPS-RS send: DICOM JSON or XML into keywords with plain values.

Decides nothing; what may not be sent at all is refused here (PS3.4 table CC.2.5-3).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import request
from pydicom.datadict import dictionary_VR, keyword_for_tag

from casework.errors import Invalid
from casework.model import Specialty
from casework.workitem_values import label_of
from casework.workitems import OF_PRIORITY, Code, Contact, StepState, Told
from storage.workitem_making import Wanted
from storage.workitem_steps import Cancellation
from viewer.attributes import as_list
from viewer.dicomweb import dicom_json, dicom_xml, native_xml
from viewer.problems import UnsupportedMedia

Values = dict[str, Any]

_MOST_BYTES = 2 << 20
_DEEPEST = 8
_LONGEST = 10_240  # characters of a text (PS3.5 section 6.2, VR LT)
_TYPES = (dicom_json.MEDIA_TYPE, "application/json")
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")

_NEVER_SET = frozenset(
    {
        "SOPClassUID", "SOPInstanceUID", "PatientName", "PatientID", "IssuerOfPatientID",
        "PatientBirthDate", "PatientSex", "AdmissionID", "IssuerOfAdmissionIDSequence",
        "AdmittingDiagnosesDescription", "AdmittingDiagnosesCodeSequence",
        "ReferencedRequestSequence", "ReplacedProcedureStepSequence", "ProcedureStepState",
        "IssuerOfPatientIDQualifiersSequence",
    }
)  # fmt: skip
"""What no N-SET may have (column Req. Type N-SET)."""

_MADE_WITH = (
    "ScheduledProcedureStepPriority", "ProcedureStepLabel", "ScheduledProcedureStepStartDateTime",
    "InputReadinessState", "ProcedureStepState",
)  # fmt: skip
"""What an N-CREATE must have a value for (column Req. Type N-CREATE, type 1)."""


@dataclass(frozen=True)
class Change:
    """What an update says, and whether some of what was sent is not kept."""

    apply: Callable[[Told], Told]
    is_empty: bool
    has_others: bool


def read_values(*, may_be_empty: bool = False) -> Values:
    """Return the data set of the body by keyword; private and unknown attributes are left out."""
    request.max_content_length = _MOST_BYTES
    raw = request.get_data(cache=True)
    if not raw and may_be_empty:
        return {}
    if request.mimetype == dicom_xml.MEDIA_TYPE:
        return _item(native_xml.read_xml(raw), _DEEPEST)
    if request.mimetype not in _TYPES:
        raise UnsupportedMedia(
            f"Send {dicom_json.MEDIA_TYPE} or {dicom_xml.MEDIA_TYPE}.", code="unsupported-media"
        )
    try:
        given = json.loads(raw)
    except (ValueError, RecursionError):
        raise _bad("The body is not JSON.") from None
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    return _item(given, _DEEPEST)


def change_of(values: Mapping[str, Any]) -> Change:
    """Return what an update says of a work item, or raise Invalid for what no update may have."""
    forbidden = sorted(_NEVER_SET & values.keys())
    if forbidden:
        raise _bad(f"{forbidden[0]} may not be changed by an update (PS3.4 table CC.2.5-3).")
    said: Values = {}
    given = set(values) - {"TransactionUID", "SpecificCharacterSet"}
    if "CommentsOnTheScheduledProcedureStep" in given:
        said["comments"] = text_of(values, "CommentsOnTheScheduledProcedureStep")
        given.discard("CommentsOnTheScheduledProcedureStep")
    if "ProcedureStepProgressInformationSequence" in given:
        said |= _progress(_first(values, "ProcedureStepProgressInformationSequence"))
        given.discard("ProcedureStepProgressInformationSequence")
    return Change(lambda told: replace(told, **said), not said, bool(given))


def cancellation_of(values: Mapping[str, Any]) -> Cancellation:
    """Return why somebody asks that a work item be canceled."""
    contact = (text_of(values, "ContactDisplayName"), text_of(values, "ContactURI"))
    return Cancellation(
        reason=text_of(values, "ReasonForCancellation"),
        codes=_codes(values, "ProcedureStepDiscontinuationReasonCodeSequence"),
        contact=", ".join(part for part in contact if part),
    )


def wanted_state(values: Mapping[str, Any]) -> StepState:
    """Return the state that a request asks for; CANCELLED is read as it is meant."""
    text = text_of(values, "ProcedureStepState").upper()
    try:
        return StepState("CANCELED" if text == "CANCELLED" else text)
    except ValueError:
        raise _bad("ProcedureStepState must be IN PROGRESS, COMPLETED or CANCELED.") from None


def wanted_item(values: Mapping[str, Any], uid: str) -> Wanted:
    """Return the work item that a client asks for, or raise Invalid when it lacks something."""
    missing = [keyword for keyword in _MADE_WITH if not text_of(values, keyword)]
    if missing:
        raise _bad(f"{', '.join(missing)} must have a value (PS3.4 table CC.2.5-3).")
    if text_of(values, "ProcedureStepState") != StepState.SCHEDULED.value:
        raise _bad("A work item is made in the state SCHEDULED.")
    if text_of(values, "TransactionUID"):
        raise _bad("A work item is made without a Transaction UID.")
    priority = OF_PRIORITY.get(text_of(values, "ScheduledProcedureStepPriority"))
    if priority is None:
        raise _bad("ScheduledProcedureStepPriority must be HIGH, MEDIUM or LOW.")
    question = _question(values)
    if not question:
        raise _bad(
            "Say what is asked: as Requested Procedure Comments or Reason for the Requested "
            "Procedure of the Referenced Request Sequence."
        )
    return Wanted(
        uid=uid or text_of(values, "SOPInstanceUID"),
        study_uids=[
            text_of(item, "StudyInstanceUID")
            for item in items_of(values, "InputInformationSequence")
        ],
        question=question,
        priority=priority,
        specialty=_specialty(text_of(values, "WorklistLabel")),
        patient_id=text_of(values, "PatientID"),
        issuer=text_of(values, "IssuerOfPatientID"),
        comments=text_of(values, "CommentsOnTheScheduledProcedureStep"),
    )


def text_of(values: Mapping[str, Any], keyword: str) -> str:
    """Return the first value of an attribute as text."""
    found = as_list(values.get(keyword))
    if not found or isinstance(found[0], Mapping):
        return ""
    return str(found[0]).strip()[:_LONGEST]


def items_of(values: Mapping[str, Any], keyword: str) -> list[Mapping[str, Any]]:
    """Return the items of a sequence."""
    return [item for item in as_list(values.get(keyword)) if isinstance(item, Mapping)]


def _first(values: Mapping[str, Any], keyword: str) -> Mapping[str, Any]:
    return next(iter(items_of(values, keyword)), {})


def _question(values: Mapping[str, Any]) -> str:
    for item in items_of(values, "ReferencedRequestSequence"):
        for keyword in (
            "RequestedProcedureComments",
            "ReasonForTheRequestedProcedure",
            "RequestedProcedureDescription",
        ):
            if text_of(item, keyword):
                return text_of(item, keyword)
    return ""


def _specialty(label: str) -> Specialty | None:
    known = {label_of(specialty): specialty for specialty in Specialty}
    if label and label.casefold() not in known:
        raise _bad(f"There is no worklist {label[:64]!r}. Use {' or '.join(known)}.")
    return known.get(label.casefold())


def _progress(item: Mapping[str, Any]) -> Values:
    said: Values = {}
    if "ProcedureStepProgress" in item:
        said["progress"] = _percent(text_of(item, "ProcedureStepProgress"))
    if "ProcedureStepProgressDescription" in item:
        said["description"] = text_of(item, "ProcedureStepProgressDescription")
    if "ProcedureStepCommunicationsURISequence" in item:
        said["contacts"] = tuple(
            Contact(text_of(each, "ContactURI"), text_of(each, "ContactDisplayName"))
            for each in items_of(item, "ProcedureStepCommunicationsURISequence")
        )
    if "ReasonForCancellation" in item:
        said["reason"] = text_of(item, "ReasonForCancellation")
    if "ProcedureStepDiscontinuationReasonCodeSequence" in item:
        said["discontinued"] = _codes(item, "ProcedureStepDiscontinuationReasonCodeSequence")
    return said


def _percent(text: str) -> float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 100:
        raise _bad("ProcedureStepProgress must be a percentage, 0 to 100.")
    return number


def _codes(values: Mapping[str, Any], keyword: str) -> tuple[Code, ...]:
    codes = tuple(
        Code(
            text_of(item, "CodeValue"),
            text_of(item, "CodingSchemeDesignator"),
            text_of(item, "CodeMeaning"),
        )
        for item in items_of(values, keyword)
    )
    if any(not (code.value and code.scheme and code.meaning) for code in codes):
        raise _bad(f"Each item of {keyword} needs a value, a scheme and a meaning.")
    return codes


def _item(given: Any, deepest: int) -> Values:
    if not isinstance(given, Mapping) or deepest == 0:
        raise _bad("The body is no data set in DICOM JSON (PS3.18 annex F).")
    found: Values = {}
    for tag, element in given.items():
        keyword = _keyword(tag)
        if not isinstance(element, Mapping):
            raise _bad("The body is no data set in DICOM JSON (PS3.18 annex F).")
        if keyword:
            listed = element.get("Value")
            values: Sequence[Any] = listed if isinstance(listed, list) else []
            is_sequence = dictionary_VR(int(tag, 16)) == "SQ"
            found[keyword] = (
                [_item(each, deepest - 1) for each in values]
                if is_sequence
                else [_plain(each) for each in values]
            )
    return found


def _keyword(tag: Any) -> str:
    try:
        return keyword_for_tag(int(tag, 16)) if isinstance(tag, str) and len(tag) == 8 else ""
    except ValueError:
        return ""


def _plain(value: Any) -> str | int | float:
    if isinstance(value, Mapping):
        groups = [str(value.get(group) or "") for group in _GROUPS]
        return "=".join(groups).rstrip("=")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return "" if value is None else str(value)
    return value.replace("\0", "") if isinstance(value, str) else value


def _bad(message: str) -> Invalid:
    return Invalid(message, code="bad-request")
