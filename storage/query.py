"""Reads a query at one level (PS3.4 C.6): what is matched by columns, and what on kept attributes.

Relational: a key of a higher level may stand in a query of a lower one. A key that the index does
not keep at its level is not matched; `Query.unsupported` names it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement

from casework.errors import Invalid
from storage.criteria import Criterion
from storage.header import INDEXED_KEYWORDS
from storage.levels import SERIES_KEYWORDS, STUDY_KEYWORDS
from storage.matching import Key, criterion
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
    requested: tuple[str, ...]
    criteria: Mapping[str, Criterion]  # of keys that have a column, or that parts of a study answer
    on_attributes: Mapping[str, Criterion]
    unsupported: tuple[str, ...]  # keys that asked for something and were not matched

    def at(self, level: str) -> Mapping[str, Criterion]:
        """Return the criteria on the columns of one level."""
        return {k: wanted for k, wanted in self.criteria.items() if k in COLUMNS[level]}


def read_query(level: str, keys: Mapping[str, Key], *, fuzzy: bool = False) -> Query:
    """Return the query, or raise Invalid when its level or a key cannot be understood."""
    if level not in LEVELS:
        raise Invalid(f"{level!r} is no query level. Use {', '.join(LEVELS)}.", code="bad-level")
    matched = _matched_at(level)
    criteria: dict[str, Criterion] = {}
    rest: dict[str, Criterion] = {}
    unsupported: list[str] = []
    for keyword, key in keys.items():
        wanted = None if keyword in ANSWERED_ONLY else criterion(keyword, key, fuzzy=fuzzy)
        if wanted is None:
            continue
        if keyword in matched:
            criteria[keyword] = wanted
        elif keyword in _KEPT[level]:
            rest[keyword] = wanted
        else:
            unsupported.append(keyword)
    return Query(level, tuple(keys), criteria, rest, tuple(unsupported))


def _matched_at(level: str) -> Collection[str]:
    down = LEVELS[: LEVELS.index(level) + 1]
    columns = {keyword for above in down for keyword in COLUMNS[above]}
    return columns if level == "PATIENT" else columns | OF_PARTS
