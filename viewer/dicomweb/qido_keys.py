"""Reads what a search asks for by its address (PS3.18 sections 8.3.4 and 10.6.1).

Gives keys as the matching engine takes them; finds nothing and answers nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from casework.errors import Invalid
from storage.header import NESTED_KEYWORDS
from storage.matching import Key, Manner, vr_of
from storage.query import answered_at
from viewer.dicomweb import dicom_json

DEFAULT_LIMIT = 200
MOST = 5000

_SWITCHES = ("fuzzymatching", "emptyvaluematching", "multiplevaluematching")
_CONTROLS = frozenset({"limit", "offset", "includefield", "accept", "charset", *_SWITCHES})
_NOT_OF_THE_WEB = frozenset({"QueryRetrieveLevel", "RetrieveAETitle"})
_TAG = re.compile(r"[0-9A-Fa-f]{8}")

_STUDY_FIELDS = (
    "StudyDate", "StudyTime", "AccessionNumber", "InstanceAvailability", "ModalitiesInStudy",
    "ReferringPhysicianName", "TimezoneOffsetFromUTC", "PatientName", "PatientID",
    "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID", "StudyDescription",
    "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances",
)  # fmt: skip
_SERIES_FIELDS = (
    "Modality", "TimezoneOffsetFromUTC", "SeriesDescription", "SeriesInstanceUID", "SeriesNumber",
    "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime",
    "NumberOfSeriesRelatedInstances", "StudyInstanceUID",
    "RequestAttributesSequence.ScheduledProcedureStepID",
    "RequestAttributesSequence.RequestedProcedureID",
)  # fmt: skip
_INSTANCE_FIELDS = (
    "SOPClassUID", "SOPInstanceUID", "InstanceAvailability", "TimezoneOffsetFromUTC",
    "InstanceNumber", "Rows", "Columns", "BitsAllocated", "NumberOfFrames", "StudyInstanceUID",
    "SeriesInstanceUID",
)  # fmt: skip
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "STUDY": _STUDY_FIELDS,
    "SERIES": _SERIES_FIELDS,
    "IMAGE": _INSTANCE_FIELDS,
}
"""What is answered without being asked for (PS3.18 tables 10.6.3-3 to 10.6.3-5)."""


@dataclass(frozen=True)
class Search:
    """What an address asks for."""

    keys: Mapping[str, Key]
    matched: tuple[str, ...]  # names of the keys that have a value, dotted within a sequence
    manner: Manner
    limit: int
    offset: int


def read_search(
    args: MultiDict[str, str], level: str, *, study: str | None, series: str | None
) -> Search:
    """Return what is asked for, or raise Invalid when that cannot be understood.

    `study` and `series` are those of the path.
    """
    fields: dict[str, Any] = {}
    for name in _fields(args, level, study=study, series=series):
        _add(fields, name.split("."), "")
    switched = {name: _switch(args, name) for name in _SWITCHES}  # lists are always matched
    matched = []
    for path, value in _matches(args).items():
        if value:
            matched.append(path)
        _add(fields, path.split("."), value, is_key=True)
    for keyword, uid in (("StudyInstanceUID", study), ("SeriesInstanceUID", series)):
        if uid is None:
            continue
        if fields.get(keyword) and uid not in fields[keyword].split("\\"):
            raise Invalid(f"{keyword} is another one than in the path.", code="bad-request")
        fields[keyword] = uid
    return Search(
        keys=_keys(fields),
        matched=tuple(matched),
        manner=Manner(fuzzy=switched["fuzzymatching"], empty_values=switched["emptyvaluematching"]),
        limit=min(_count(args, "limit", DEFAULT_LIMIT), MOST),
        offset=_count(args, "offset", 0),
    )


def _fields(
    args: MultiDict[str, str], level: str, *, study: str | None, series: str | None
) -> Iterator[str]:
    """Give what is to be shown, dotted within a sequence; a whole sequence by its name alone."""
    yield from _FIELDS[level]
    if study is None and level != "STUDY":
        yield from _STUDY_FIELDS
    if series is None and level == "IMAGE":
        yield from _SERIES_FIELDS
    for text in args.getlist("includefield"):
        for name in filter(None, map(str.strip, text.split(","))):
            if name.lower() == "all":
                yield from sorted(answered_at(level) - _NOT_OF_THE_WEB)
                continue
            path = _path(name)
            if path:
                yield ".".join(path)


def _matches(args: MultiDict[str, str]) -> dict[str, str]:
    """Return the keys by keyword, dotted within a sequence, each with its value."""
    found: dict[str, str] = {}
    for name, values in args.lists():
        if name in _CONTROLS:
            continue
        path = _path(name)
        if not path:
            raise _not_known(name)
        key = ".".join(path)
        given = [found[key], *values] if key in found else values
        if vr_of(path[-1]) == "UI":  # a list by commas, backslashes or repetition
            found[key] = "\\".join(value.replace(",", "\\") for value in given)
        elif len(set(given)) > 1:
            raise Invalid(f"'{name}' is there more than once.", code="bad-request")
        else:
            found[key] = given[0]
        if vr_of(path[-1]) == "SQ" and found[key]:
            raise Invalid(f"'{name}' has items: ask by an attribute of them.", code="bad-request")
    return found


def _path(name: str) -> Sequence[str]:
    """Return the keywords of a dotted path of keywords and tags; none for a tag nobody knows."""
    parts = name.split(".")
    keywords = [dicom_json.keyword_of(part) for part in parts]
    for part, keyword in zip(parts, keywords, strict=True):
        if not keyword and not _TAG.fullmatch(part):
            raise _not_known(name)
    if not all(keywords):
        return ()
    if any(vr_of(keyword) != "SQ" for keyword in keywords[:-1]):
        raise _not_known(name)
    return keywords


def _add(into: dict[str, Any], path: Sequence[str], value: str, *, is_key: bool = False) -> None:
    """Put a value at its path; the name of a sequence alone asks for everything that is kept."""
    keyword, *rest = path
    if not rest:
        if vr_of(keyword) == "SQ":
            held = into.setdefault(keyword, {})
            for name in NESTED_KEYWORDS.get(keyword, ()):
                held.setdefault(name, "")
        elif is_key:
            into[keyword] = value
        else:
            into.setdefault(keyword, value)
        return
    _add(into.setdefault(keyword, {}), rest, value, is_key=is_key)


def _keys(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as keys, where what is asked of a sequence stands in an item."""
    return {k: [_keys(v)] if isinstance(v, dict) else v for k, v in fields.items()}


def _switch(args: MultiDict[str, str], name: str) -> bool:
    said = {value.strip().lower() for value in args.getlist(name)}
    if not said <= {"true", "false"} or len(said) > 1:
        raise Invalid(f"{name} must be true or false.", code="bad-request")
    return said == {"true"}


def _count(args: MultiDict[str, str], name: str, default: int) -> int:
    given = args.getlist(name)
    if not given:
        return default
    if len(set(given)) > 1 or not re.fullmatch(r"[0-9]{1,9}", given[0]):
        raise Invalid(f"{name} must be a whole number.", code="bad-request")
    return int(given[0])


def _not_known(name: str) -> Invalid:
    return Invalid(f"'{name[:64]}' is no attribute that can be searched for.", code="bad-request")
