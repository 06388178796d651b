"""QIDO-RS (PS3.18 section 10.6): the matching engine of C-FIND, asked by address."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from flask import Blueprint, Response, json, request

from casework.errors import Invalid
from viewer.dicomweb import accept, dicom_json
from viewer.guard import current_actor, current_scope
from viewer.problems import NotAcceptable
from viewer.services import services

_DEFAULT_LIMIT = 200
_MOST = 5000
_CONTROLS = frozenset({"limit", "offset", "includefield", "fuzzymatching", "accept", "charset"})

_STUDY_FIELDS = (
    "StudyDate", "StudyTime", "AccessionNumber", "ModalitiesInStudy", "ReferringPhysicianName",
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID",
    "StudyDescription", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances",
)  # fmt: skip
_SERIES_FIELDS = (
    "Modality", "SeriesDescription", "SeriesInstanceUID", "SeriesNumber",
    "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime",
    "NumberOfSeriesRelatedInstances", "StudyInstanceUID",
)  # fmt: skip
_INSTANCE_FIELDS = (
    "SOPClassUID", "SOPInstanceUID", "InstanceNumber", "Rows", "Columns", "BitsAllocated",
    "NumberOfFrames", "StudyInstanceUID", "SeriesInstanceUID",
)  # fmt: skip
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "STUDY": _STUDY_FIELDS,
    "SERIES": _SERIES_FIELDS,
    "IMAGE": _INSTANCE_FIELDS,
}
"""What is answered without being asked for (PS3.18 tables 10.6.3-3 to 10.6.3-5)."""


def add_to(bp: Blueprint) -> None:
    """Add the search routes."""
    studies, series, instances = "/studies", "/series", "/instances"
    of_study, of_series = "/studies/<study>", "/studies/<study>/series/<series>"
    for endpoint, rule, level in (
        ("search_studies", studies, "STUDY"),
        ("search_series", series, "SERIES"),
        ("search_instances", instances, "IMAGE"),
        ("search_series_of_study", of_study + series, "SERIES"),
        ("search_instances_of_study", of_study + instances, "IMAGE"),
        ("search_instances_of_series", of_series + instances, "IMAGE"),
    ):
        bp.add_url_rule(rule, endpoint, search, defaults={"level": level})


def search(level: str, study: str | None = None, series: str | None = None) -> Response:
    """Return what matches as DICOM JSON; nothing that matches is an empty list."""
    types = ("application/json", dicom_json.MEDIA_TYPE)
    if not any(accept.matches(t, w.media_type) for t in types for w in accept.wanted()):
        raise NotAcceptable("Matches come as application/dicom+json.", code="not-acceptable")
    keys = _keys(level, study, series)
    limit, offset = _count("limit", _DEFAULT_LIMIT), _count("offset", 0)
    limit = min(limit, _MOST)
    found = services().index.find(
        current_scope(),
        level,
        keys,
        limit=limit + 1,
        offset=offset,
        fuzzy=request.args.get("fuzzymatching", "").lower() == "true",
    )
    matches = list(islice(found, limit + 1))
    _note(level, keys)
    body = json.dumps([_match(level, values) for values in matches[:limit]])
    response = Response(body, content_type=dicom_json.MEDIA_TYPE)
    if len(matches) > limit:
        response.headers["Warning"] = (
            '299 lysbro "There are more matches: ask for them with offset and limit"'
        )
    return response


def _keys(level: str, study: str | None, series: str | None) -> dict[str, str]:
    keys = dict.fromkeys(_FIELDS[level], "")
    if study is None and level != "STUDY":
        keys |= dict.fromkeys(_STUDY_FIELDS, "")
    if series is None and level == "IMAGE":
        keys |= dict.fromkeys(_SERIES_FIELDS, "")
    for text in request.args.getlist("includefield"):
        for name in text.split(","):
            keyword = dicom_json.keyword_of(name.strip())
            if keyword:
                keys.setdefault(keyword, "")
    for name, value in request.args.items():
        if name not in _CONTROLS:
            keys[_known(name)] = value.replace(",", "\\") if name.endswith("UID") else value
    if study is not None:
        keys["StudyInstanceUID"] = study
    if series is not None:
        keys["SeriesInstanceUID"] = series
    return keys


def _known(name: str) -> str:
    keyword = dicom_json.keyword_of(name)
    if not keyword:
        raise Invalid(f"'{name}' is no attribute that can be searched for.", code="bad-request")
    return keyword


def _count(name: str, default: int) -> int:
    text = request.args.get(name)
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 9:
        raise Invalid(f"{name} must be a whole number.", code="bad-request")
    return int(text)


def _match(level: str, values: Mapping[str, Any]) -> dict[str, Any]:
    root = request.url_root.rstrip("/") + "/dicom-web"
    address = f"{root}/studies/{values['StudyInstanceUID']}"
    if level != "STUDY":
        address += f"/series/{values['SeriesInstanceUID']}"
    if level == "IMAGE":
        address += f"/instances/{values['SOPInstanceUID']}"
    return dicom_json.to_json({**values, "RetrieveURL": address})


def _note(level: str, keys: Mapping[str, str]) -> None:
    actor = current_actor()
    services().ledger.append(
        None,
        actor=actor,
        action="images-searched",
        subject=level.lower(),
        site=actor.site,
        detail={
            "by": [name for name, value in keys.items() if value],
            **{name: value for name, value in keys.items() if value and name.endswith("UID")},
        },
    )
