"""Reads a query at one level (PS3.4 C.6): what is matched by columns, and what on kept attributes.

Relational: a key of a higher level may stand in a query of a lower one. A key that the index does
not keep at its level is neither matched nor answered; `Query.unsupported` names it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement

from casework.errors import Invalid
from storage.criteria import Criterion
from storage.header import INDEXED_KEYWORDS, NESTED_KEYWORDS
from storage.levels import SERIES_KEYWORDS, STUDY_KEYWORDS
from storage.matching import LITERAL, PAIRS, Key, Manner, criterion, moments
from storage.tables import instances, patients, series, studies

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")

UNIQUE_KEYS: Mapping[str, str] = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}

ANSWERED_ONLY = frozenset(
    {
        "NumberOfPatientRelatedStudies", "NumberOfPatientRelatedSeries",
        "NumberOfPatientRelatedInstances", "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances", "NumberOfSeriesRelatedInstances", "InstanceAvailability",
        "QueryRetrieveLevel", "RetrieveAETitle", "SpecificCharacterSet", "TimezoneOffsetFromUTC",
    }
)  # fmt: skip
"""Keys that are answered and never matched (Specific Character Set: PS3.4 C.4.1.1.3)."""

_Columns = tuple[ColumnElement[Any], ...]

_COUNTED: Mapping[str, frozenset[str]] = {
    "PATIENT": frozenset(
        {
            "NumberOfPatientRelatedStudies", "NumberOfPatientRelatedSeries",
            "NumberOfPatientRelatedInstances",
        }
    ),
    "STUDY": frozenset({"NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"}),
    "SERIES": frozenset({"NumberOfSeriesRelatedInstances"}),
    "IMAGE": frozenset(),
}  # fmt: skip

_OF_ANSWERS = ANSWERED_ONLY - frozenset[str]().union(*_COUNTED.values())

COLUMNS: Mapping[str, Mapping[str, _Columns]] = {
    "PATIENT": {
        "PatientID": (patients.c.patient_id,),
        "IssuerOfPatientID": (patients.c.issuer,),
        "PatientName": (
            patients.c.name_fold,
            patients.c.ideographic_fold,
            patients.c.phonetic_fold,
        ),
        "PatientBirthDate": (patients.c.birth_date,),
        "PatientSex": (patients.c.sex,),
    },
    "STUDY": {
        "StudyInstanceUID": (studies.c.study_uid,),
        "StudyDate": (studies.c.study_date,),
        "StudyTime": (studies.c.study_time,),
        "AccessionNumber": (studies.c.accession_number,),
        "StudyID": (studies.c.study_id,),
        "StudyDescription": (studies.c.description,),
        "ReferringPhysicianName": (studies.c.referrer_fold,),
        "StudyDate StudyTime": (studies.c.study_date, studies.c.study_time),
    },
    "SERIES": {
        "SeriesInstanceUID": (series.c.series_uid,),
        "Modality": (series.c.modality,),
        "SeriesNumber": (series.c.number,),
        "SeriesDescription": (series.c.description,),
        "BodyPartExamined": (series.c.body_part,),
        "Laterality": (series.c.laterality,),
    },
    "IMAGE": {
        "SOPInstanceUID": (instances.c.sop_instance_uid,),
        "SOPClassUID": (instances.c.sop_class_uid,),
        "InstanceNumber": (instances.c.number,),
        "Rows": (instances.c["rows"],),
        "Columns": (instances.c["columns"],),
        "NumberOfFrames": (instances.c.frames,),
    },
}


OF_PARTS = frozenset({"ModalitiesInStudy", "SOPClassesInStudy"})
"""Keys of a study that its series or instances answer."""

_KEPT: Mapping[str, frozenset[str]] = {
    "PATIENT": frozenset(),
    "STUDY": STUDY_KEYWORDS,
    "SERIES": STUDY_KEYWORDS | SERIES_KEYWORDS,
    "IMAGE": INDEXED_KEYWORDS,
}


@dataclass(frozen=True)
class Query:
    """A query that has been read."""

    level: str
    requested: tuple[str, ...]  # what is answered, when it is known
    criteria: Mapping[str, Criterion]  # of keys that have a column, or that parts of a study answer
    on_attributes: Mapping[str, Criterion]  # of a keyword, or of a date and its time
    unsupported: tuple[str, ...]  # keys that are not kept here, or that were not matched
    of_items: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What was requested of the items of a sequence; one that is not here comes whole."""

    def at(self, level: str) -> Mapping[str, Criterion]:
        """Return the criteria on the columns of one level."""
        return {k: wanted for k, wanted in self.criteria.items() if k in COLUMNS[level]}


def read_query(level: str, keys: Mapping[str, Key], manner: Manner = LITERAL) -> Query:
    """Return the query, or raise Invalid when its level or a key cannot be understood."""
    if level not in LEVELS:
        raise Invalid(f"{level!r} is no query level. Use {', '.join(LEVELS)}.", code="bad-level")
    known, matched = answered_at(level), _matched_at(level)
    criteria: dict[str, Criterion] = {}
    rest: dict[str, Criterion] = {}
    requested: list[str] = []
    unsupported: list[str] = []
    of_items: dict[str, tuple[str, ...]] = {}
    for keyword, given in keys.items():
        if keyword not in known:
            unsupported.append(keyword)
            criterion(keyword, given)  # refused all the same when it cannot be read
            continue
        requested.append(keyword)
        key = given
        if not isinstance(given, str):
            key = items = _kept_items(keyword, given)
            of_items[keyword] = tuple(items[0]) if items else ()
            unsupported += [
                f"{keyword}.{name}" for item in given for name in item if name not in items[0]
            ]
        wanted = None
        if keyword not in ANSWERED_ONLY:
            wanted = criterion(keyword, key, fuzzy=manner.fuzzy, empty_values=manner.empty_values)
        elif keyword not in _SAID and criterion("AccessionNumber", key) is not None:
            unsupported.append(keyword)
        if wanted is not None:
            (criteria if keyword in matched else rest)[keyword] = wanted
    if manner.combined:
        _combine(criteria)
        _combine(rest)
    shown = {k: names for k, names in of_items.items() if names}
    return Query(level, tuple(requested), criteria, rest, tuple(unsupported), shown)


def answered_at(level: str) -> frozenset[str]:
    """Return the keywords that are answered at a level: its own, and those of the levels above."""
    return _ANSWERED[level]


def _matched_at(level: str) -> Collection[str]:
    down = LEVELS[: LEVELS.index(level) + 1]
    columns = {keyword for above in down for keyword in COLUMNS[above]}
    return columns if level == "PATIENT" else columns | OF_PARTS


def _combine(criteria: dict[str, Criterion]) -> None:
    """Take a day and a time as one range of moments; the day alone stays, to be looked up."""
    for date, time in PAIRS.items():
        both = moments(criteria.get(date), criteria.get(time))
        if both is not None:
            del criteria[time]
            criteria[f"{date} {time}"] = both


def _kept_items(keyword: str, items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the items of a key without what the index does not keep of such items."""
    kept = NESTED_KEYWORDS.get(keyword, frozenset())
    return [{k: v for k, v in item.items() if k in kept} for item in items]


def _answered(level: str) -> frozenset[str]:
    down = LEVELS[: LEVELS.index(level) + 1]
    of_columns = (k for above in down for k in COLUMNS[above] if " " not in k)
    kept = (k for above in down for k in (*_KEPT[above], *_COUNTED[above]))
    of_parts = OF_PARTS if level != "PATIENT" else ()
    return frozenset({*of_columns, *kept, *of_parts, *_OF_ANSWERS})


_SAID = frozenset({"QueryRetrieveLevel", "SpecificCharacterSet", "TimezoneOffsetFromUTC"})
"""Keys whose value says something of the query, rather than asking for it."""

_ANSWERED: Mapping[str, frozenset[str]] = {level: _answered(level) for level in LEVELS}
