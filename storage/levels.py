"""Which attributes the index keeps of a patient, a study and a series, and in which columns.

Takes the attributes of a header, gives the values of a row. Knows no database.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.folding import fold_name, normal_date, normal_time

STUDY_KEYWORDS = frozenset(
    {
        "StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "StudyID",
        "StudyDescription", "ReferringPhysicianName", "NameOfPhysiciansReadingStudy",
        "InstitutionName", "ReasonForStudy", "RequestedProcedureDescription",
        "ReasonForTheRequestedProcedure", "PatientAge", "TimezoneOffsetFromUTC",
        "SpecificCharacterSet", "RequestedProcedurePriority", "StudyPriorityID",
    }
)  # fmt: skip

SERIES_KEYWORDS = frozenset(
    {
        "SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription", "BodyPartExamined",
        "Laterality", "ProtocolName", "SeriesDate", "SeriesTime", "StationName",
        "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "Manufacturer",
        "PatientPosition", "FrameOfReferenceUID", "RequestAttributesSequence",
    }
)  # fmt: skip

_LARGEST_INTEGER = (1 << 31) - 1


def issuer_of(attributes: Mapping[str, Any], *, site: str, site_issuer: str, study_uid: str) -> str:
    """Return who gave the patient number: the data set's issuer, else the site's, else the site.

    Without a number the study stands in for it, so that unknown patients stay apart.
    """
    if not text_of(attributes, "PatientID"):
        return f"study:{study_uid}"
    return text_of(attributes, "IssuerOfPatientID") or site_issuer or f"site:{site}"


def shown_issuer(issuer: str) -> str:
    """Return an issuer as a query's answer shows it: what stands in for one is left out."""
    return "" if issuer.startswith(("site:", "study:")) else issuer


def patient_values(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a patient that an object fills."""
    name = text_of(attributes, "PatientName")
    alphabetic, ideographic, phonetic = fold_name(name)
    return {
        "name": name,
        "name_fold": alphabetic,
        "ideographic_fold": ideographic,
        "phonetic_fold": phonetic,
        "birth_date": normal_date(text_of(attributes, "PatientBirthDate")),
        "sex": text_of(attributes, "PatientSex")[:16],
    }


def study_values(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a study that attributes fill, and the attributes themselves."""
    referrer = fold_name(text_of(attributes, "ReferringPhysicianName"))
    return {
        "study_date": normal_date(text_of(attributes, "StudyDate")),
        "study_time": normal_time(text_of(attributes, "StudyTime")),
        "accession_number": text_of(attributes, "AccessionNumber"),
        "study_id": text_of(attributes, "StudyID"),
        "description": text_of(attributes, "StudyDescription"),
        "referrer_fold": next(filter(None, referrer), ""),
        "attributes": {k: v for k, v in attributes.items() if k in STUDY_KEYWORDS},
    }


def series_values(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a series that attributes fill, and the attributes themselves."""
    return {
        "modality": text_of(attributes, "Modality"),
        "number": integer_of(attributes, "SeriesNumber"),
        "description": text_of(attributes, "SeriesDescription"),
        "body_part": text_of(attributes, "BodyPartExamined"),
        "laterality": text_of(attributes, "Laterality"),
        "attributes": {k: v for k, v in attributes.items() if k in SERIES_KEYWORDS},
    }


def text_of(attributes: Mapping[str, Any], keyword: str) -> str:
    """Return an attribute as one text; several values keep their backslashes."""
    value = attributes.get(keyword)
    if value is None:
        return ""
    parts = value if isinstance(value, list) else [value]
    return "\\".join(str(part) for part in parts).replace("\0", "")


def integer_of(attributes: Mapping[str, Any], keyword: str) -> int | None:
    """Return an attribute as a whole number that a column can hold, or None."""
    value = attributes.get(keyword)
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, int) or abs(value) > _LARGEST_INTEGER:
        return None
    return value
