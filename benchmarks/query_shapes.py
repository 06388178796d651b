"""What is asked in the benchmark of queries: each shape of C-FIND, QIDO-RS and the worklist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from benchmarks.region import RARE_NAME
from casework.lifecycle import WAITS_FOR_SPECIALIST
from casework.model import CaseState, Specialty
from storage.database import Database

PAGE = 100
KEYED_MS, INFIX_MS, WIRE_MS = 10.0, 100.0, 25.0

_SHOWN = (
    "StudyDate", "StudyTime", "AccessionNumber", "ModalitiesInStudy", "PatientName", "PatientID",
    "PatientBirthDate", "StudyInstanceUID", "StudyDescription", "NumberOfStudyRelatedInstances",
)  # fmt: skip
_OF_PARTS = {
    "SERIES": ("StudyInstanceUID", "SeriesInstanceUID", "Modality", "SeriesNumber"),
    "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "InstanceNumber"),
    "PATIENT": ("PatientName", "PatientID", "PatientBirthDate"),
}
_RESOURCE = {"STUDY": "studies", "SERIES": "series", "IMAGE": "instances"}


@dataclass(frozen=True)
class Shape:
    """A query: what it is called, at which level, by what, and how fast it has to be."""

    name: str
    level: str
    keys: Mapping[str, str]
    goal_ms: float = KEYED_MS
    is_for_web: bool = True
    is_for_dicom: bool = True

    @property
    def identifier(self) -> dict[str, Any]:
        """Return it as C-FIND asks it, with what a viewer wants to be shown."""
        return {**dict.fromkeys(_OF_PARTS.get(self.level, _SHOWN), ""), **self.keys}

    def path(self, *, offset: int = 0) -> str:
        """Return it as QIDO-RS asks it."""
        keys = dict(self.keys)
        place = ""
        if self.level != "STUDY" and "StudyInstanceUID" in keys:
            place = f"/studies/{keys.pop('StudyInstanceUID')}"
            if self.level == "IMAGE" and "SeriesInstanceUID" in keys:
                place += f"/series/{keys.pop('SeriesInstanceUID')}"
        asked: dict[str, str | int] = {k: v.replace("\\", ",") for k, v in keys.items()}
        asked |= {"limit": PAGE} | ({"offset": offset} if offset else {})
        return f"/dicom-web{place}/{_RESOURCE[self.level]}?{urlencode(asked)}"


@dataclass(frozen=True)
class Listing:
    """A page of the worklist: what it is narrowed to, in the casebook's words and in the API's."""

    name: str
    filters: Mapping[str, Any]
    query: Mapping[str, str]
    goal_ms: float = KEYED_MS

    @property
    def path(self) -> str:
        """Return the address of the API."""
        return f"/api/cases?{urlencode({**self.query, 'limit': 50})}"


def shapes(database: Database, count: int) -> list[Shape]:
    """Return the queries for a region of this size: about a study in its middle, and more."""
    some = count // 2 + 11
    with database.read() as conn:
        study = conn.exec_driver_sql(
            "SELECT s.study_uid, s.accession_number, s.study_date, s.referrer_fold, p.patient_id, "
            "p.birth_date, p.name FROM studies s JOIN patients p ON p.pk = s.patient_pk "
            f"WHERE s.pk = {some}"
        ).one()
        series = conn.exec_driver_sql(
            f"SELECT series_uid FROM series WHERE study_pk = {some} ORDER BY pk"
        ).scalars()
        series_uid = str(next(iter(series)))
    uid, day = study.study_uid, study.study_date
    arc = uid.rpartition(".")[0]
    of_study, of_series = {"StudyInstanceUID": uid}, {"SeriesInstanceUID": series_uid}
    rare = RARE_NAME.partition("^")[0]

    def of(name: str, level: str = "STUDY", **keys: str) -> Shape:
        return Shape(name, level, keys)

    return [
        of("accession number", AccessionNumber=study.accession_number),
        of("patient number", PatientID=study.patient_id),
        of("study UID", **of_study),
        of("20 study UIDs", StudyInstanceUID="\\".join(
            f"{arc}.{pk}" for pk in range(37, 38 * 20, 37))),
        of("name, as written", PatientName=RARE_NAME),
        of("beginning of a name", PatientName=f"{rare}*"),
        of("the same, small and without accents", PatientName="sjovag^as*"),
        of("beginning of a common name", PatientName="HANSEN^*"),
        of("birth date", PatientBirthDate=study.birth_date),
        of("birth date and initial", PatientBirthDate=study.birth_date,
           PatientName=f"{study.name[0]}*"),
        of("one day", StudyDate=day),
        of("one day, CT", StudyDate=day, ModalitiesInStudy="CT"),
        of("a year", StudyDate="20240101-20241231"),
        of("a year, MR, a common name", StudyDate="20240101-20241231", ModalitiesInStudy="MR",
           PatientName="HANSEN*"),
        of("MR in study", ModalitiesInStudy="MR"),
        of("a rare modality in study", ModalitiesInStudy="ES"),
        of("beginning of an accession number", AccessionNumber=study.accession_number[:7] + "*"),
        of("beginning of a referrer's name", ReferringPhysicianName="BERG*"),
        of("no key, the newest"),
        of("series of a study", "SERIES", **of_study),
        of("instances of a series", "IMAGE", **of_study, **of_series),
        Shape("one instance by UID", "IMAGE", {"SOPInstanceUID": f"{series_uid}.1"},
              is_for_dicom=False),
        Shape("CT series, the newest", "SERIES", {"Modality": "CT"}, is_for_dicom=False),
        Shape("patient by number", "PATIENT", {"PatientID": study.patient_id}, is_for_web=False),
        Shape("patients by beginning of a name", "PATIENT", {"PatientName": "HANSEN^*"},
              is_for_web=False),
        Shape("a rare name by a part", "STUDY", {"PatientName": "*jøvå*"}, INFIX_MS),
        Shape("a common name by a part", "STUDY", {"PatientName": "*MIKKEL*"}, INFIX_MS),
        Shape("a part across the names", "STUDY", {"PatientName": "*åsen^ragn*"}, INFIX_MS),
    ]  # fmt: skip


def listings() -> list[Listing]:
    """Return the pages of the worklist."""
    waiting = [*sorted(WAITS_FOR_SPECIALIST), CaseState.WAITING]
    replied = [CaseState.SIGNED, CaseState.DELIVERED, CaseState.READ, CaseState.CLOSED]
    of_waiting, of_replied = ({"state": ",".join(states)} for states in (waiting, replied))
    return [
        Listing("worklist: open", {"states": waiting}, of_waiting),
        Listing("worklist: everything", {}, {}),
        Listing("worklist: replied, dermatology",
                {"states": replied, "specialty": Specialty.DERMATOLOGY},
                {**of_replied, "specialty": "dermatology"}),
        Listing("worklist: replied, one site", {"states": replied, "site": "vardo"},
                {**of_replied, "site": "vardo"}),
        Listing("worklist: a rare name", {"q": "sjøvåg"}, {"q": "sjøvåg"}, INFIX_MS),
        Listing("worklist: a common name", {"q": "hansen"}, {"q": "hansen"}, INFIX_MS),
        Listing("worklist: page 20", {"page": 20}, {"page": "20"}),
    ]  # fmt: skip
