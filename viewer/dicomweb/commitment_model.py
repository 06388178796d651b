"""What a request for commitment over the web names, and what is said of it (PS3.18 annex J).

Instances are named one by one, or by study and series; the answer names them the same way.
Knows DICOM JSON and keywords, no queue and no request.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from casework.commitment import Failure, Reference
from casework.errors import Invalid, TooLarge
from casework.identifiers import is_receivable_uid
from viewer.dicomweb.dicom_json import tag_of

MAX_REFERENCES = 100_000
Place = tuple[str, str]
"""Study and Series Instance UID."""


@dataclass(frozen=True)
class Request:
    """Each instance once, in the order given, and how they were named."""

    references: tuple[Reference, ...]
    outline: str = ""


def read_request(dataset: Mapping[str, Any]) -> Request:
    """Return what a Storage Commitment Request Module asks for, or raise Invalid."""
    listed = _items(dataset, "ReferencedSOPSequence")
    studies = _items(dataset, "ReferencedStudySequence")
    if bool(listed) == bool(studies):
        raise Invalid(
            "Name instances in one Referenced SOP Sequence, or in one Referenced Study Sequence.",
            code="bad-request",
        )
    if listed:
        return Request(_once(_reference(item) for item in listed))
    placed = {
        reference: place for place, reference in _in_studies(studies)
    }  # the last place of an instance that is named twice counts
    outline: dict[str, dict[str, list[str]]] = {}
    for reference, (study, series) in placed.items():
        outline.setdefault(study, {}).setdefault(series, []).append(reference.sop_instance_uid)
    return Request(_once(placed), json.dumps(outline, separators=(",", ":")))


def response(
    outline: str,
    *,
    committed: Sequence[Reference],
    failed: Sequence[tuple[Reference, Failure]],
) -> dict[str, Any]:
    """Return the Storage Commitment Response Module as keywords and values."""
    reasons = [(reference, int(reason)) for reference, reason in failed]
    good: list[tuple[Reference, int | None]] = [(reference, None) for reference in committed]
    if not outline:
        values = {
            "ReferencedSOPSequence": [_named(reference) for reference in committed],
            "FailedSOPSequence": [_named(r) | {"FailureReason": why} for r, why in reasons],
        }
    else:
        places = {
            uid: (study, series)
            for study, of_study in json.loads(outline).items()
            for series, uids in of_study.items()
            for uid in uids
        }
        values = {
            "ReferencedStudySequence": _by_study(good, places),
            "FailedStudySequence": _by_study(reasons, places),
        }
    return {keyword: items for keyword, items in values.items() if items}


def _in_studies(studies: Iterable[Mapping[str, Any]]) -> Iterable[tuple[Place, Reference]]:
    for study in studies:
        study_uid = _uid(study, "StudyInstanceUID")
        for series in _needed(study, "ReferencedSeriesSequence"):
            series_uid = _uid(series, "SeriesInstanceUID")
            for of_class in _needed(series, "ReferencedInstancesBySOPClassSequence"):
                sop_class = _uid(of_class, "ReferencedSOPClassUID")
                for instance in _needed(of_class, "ReferencedInstanceSequence"):
                    uid = _uid(instance, "ReferencedSOPInstanceUID")
                    yield (study_uid, series_uid), Reference(sop_class, uid)


def _by_study(
    references: Iterable[tuple[Reference, int | None]], places: Mapping[str, Place]
) -> list[dict[str, Any]]:
    tree: dict[str, dict[str, dict[str, list[dict[str, Any]]]]] = {}
    for reference, why in references:
        study, series = places[reference.sop_instance_uid]
        item: dict[str, Any] = {"ReferencedSOPInstanceUID": reference.sop_instance_uid}
        item |= {} if why is None else {"FailureReason": why}
        of_series = tree.setdefault(study, {}).setdefault(series, {})
        of_series.setdefault(reference.sop_class_uid, []).append(item)
    return [
        {
            "StudyInstanceUID": study,
            "ReferencedSeriesSequence": [
                {
                    "SeriesInstanceUID": series,
                    "ReferencedInstancesBySOPClassSequence": [
                        {"ReferencedSOPClassUID": cls, "ReferencedInstanceSequence": items}
                        for cls, items in of_series.items()
                    ],
                }
                for series, of_series in of_study.items()
            ],
        }
        for study, of_study in tree.items()
    ]


def _once(references: Iterable[Reference]) -> tuple[Reference, ...]:
    found = tuple(dict.fromkeys(references))
    if len(found) > MAX_REFERENCES:
        raise TooLarge(f"Over {MAX_REFERENCES} instances; ask in parts.", code="too-many")
    return found


def _reference(item: Mapping[str, Any]) -> Reference:
    return Reference(_uid(item, "ReferencedSOPClassUID"), _uid(item, "ReferencedSOPInstanceUID"))


def _named(reference: Reference) -> dict[str, Any]:
    return {
        "ReferencedSOPClassUID": reference.sop_class_uid,
        "ReferencedSOPInstanceUID": reference.sop_instance_uid,
    }


def _needed(dataset: Mapping[str, Any], keyword: str) -> Sequence[Mapping[str, Any]]:
    found = _items(dataset, keyword)
    if not found:
        raise Invalid(f"{keyword} is missing or empty.", code="bad-request")
    return found


def _items(dataset: Mapping[str, Any], keyword: str) -> Sequence[Mapping[str, Any]]:
    values = _values(dataset, keyword)
    if not all(isinstance(item, dict) for item in values):
        raise Invalid(f"{keyword} has an item that is no data set.", code="bad-request")
    return values


def _uid(dataset: Mapping[str, Any], keyword: str) -> str:
    values = _values(dataset, keyword)
    uid = str(values[0]) if len(values) == 1 else ""
    if not is_receivable_uid(uid):
        raise Invalid(f"{keyword} is missing or is no UID.", code="bad-request")
    return uid


def _values(dataset: Mapping[str, Any], keyword: str) -> list[Any]:
    element = dataset.get(tag_of(keyword), {})
    values = element.get("Value", []) if isinstance(element, dict) else None
    if not isinstance(values, list):
        raise Invalid(f"{keyword} is no element.", code="bad-request")
    return values
