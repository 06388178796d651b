"""Asks a node by C-FIND which studies it has of a patient, and which objects of a study.

What it answers is read, not believed: whose the studies are is judged by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from casework.errors import Unavailable
from casework.identifiers import is_receivable_uid
from casework.model import ApplicationEntity
from casework.priors import Answered, Earlier, Person, speaks_against
from pacs_bridge.asking import ask, number_in
from pacs_bridge.scu import Wait, associated
from pacs_bridge.syntaxes import EXPLICIT_LE, IMPLICIT_LE, STUDY_ROOT_FIND
from pacs_bridge.tls import TlsFiles
from storage.folding import fold_name, normal_date, normal_time

_MOST_STUDIES = 1000
_MOST_LOOKED_INTO = 30  # studies of which the node tells too little by itself
_SERIES_KEYS = (
    "SeriesInstanceUID", "Modality", "BodyPartExamined", "NumberOfSeriesRelatedInstances",
)  # fmt: skip
_KEYS = (
    "StudyInstanceUID", "StudyDate", "StudyTime", "StudyDescription", "ModalitiesInStudy",
    "NumberOfStudyRelatedInstances", "PatientName", "PatientBirthDate", "PatientSex",
)  # fmt: skip


@dataclass(frozen=True)
class Calling:
    """As whom a node is called, how long is waited for it, and with which certificate."""

    title: str
    wait: Wait
    tls: TlsFiles | None = None


def studies_at(
    node: ApplicationEntity, person: Person, *, own_issuer: str, issuer: str, calling: Calling
) -> list[Answered]:
    """Return what a node tells of a patient's studies (PS3.4 C.4.1, study root).

    `issuer` is asked for, where it has a name; a number that comes without one is of `own_issuer`,
    as the node's site means it. Raises Unavailable or Refused when there is no usable answer.
    """
    contexts = [build_context(UID(STUDY_ROOT_FIND), [UID(EXPLICIT_LE), UID(IMPLICIT_LE)])]
    keys = dict.fromkeys(_KEYS, "") | {"PatientID": person.id, "IssuerOfPatientID": issuer}
    found = []
    with associated(
        node, contexts, calling=calling.title, wait=calling.wait, tls=calling.tls
    ) as association:
        for answer in ask(association, "STUDY", keys):
            study_uid = str(answer.get("StudyInstanceUID", "")).strip()
            if not is_receivable_uid(study_uid):
                continue
            found.append(_answered(study_uid, answer, own_issuer=own_issuer))
            if len(found) > _MOST_STUDIES:
                raise Unavailable(
                    f"{node.title} tells of more than {_MOST_STUDIES} studies of one patient; it "
                    "seems not to look at the number.",
                    code="endless",
                )
        looked = 0
        for n, each in enumerate(found):
            is_known = each.study.images is not None and each.study.modalities
            if is_known or speaks_against(person, each.person) or looked >= _MOST_LOOKED_INTO:
                continue
            looked += 1
            found[n] = replace(each, study=_looked_into(association, each.study))
    return found


def objects_at(node: ApplicationEntity, study_uid: str, *, calling: Calling) -> Mapping[str, str]:
    """Return which objects of a study a node has: SOP Instance UID to series (C-FIND, IMAGE)."""
    contexts = [build_context(UID(STUDY_ROOT_FIND), [UID(EXPLICIT_LE), UID(IMPLICIT_LE)])]
    found: dict[str, str] = {}
    with associated(
        node, contexts, calling=calling.title, wait=calling.wait, tls=calling.tls
    ) as association:
        study = {"StudyInstanceUID": study_uid}
        listed = list(ask(association, "SERIES", study | {"SeriesInstanceUID": ""}))
        for series_uid in dict.fromkeys(str(each.get("SeriesInstanceUID", "")) for each in listed):
            if not is_receivable_uid(series_uid):
                continue
            asked = study | {"SeriesInstanceUID": series_uid, "SOPInstanceUID": ""}
            for each in ask(association, "IMAGE", asked):
                uid = str(each.get("SOPInstanceUID", ""))
                if is_receivable_uid(uid):
                    found[uid] = series_uid
    return found


def _looked_into(association: Association, study: Earlier) -> Earlier:
    """Return a study with what its series tell, where the node tells too little of the study.

    Number of Study Related Instances and Modalities in Study are optional (PS3.4 table C.6-5).
    """
    own = {"StudyInstanceUID": study.study_uid}
    asked = own | dict.fromkeys(_SERIES_KEYS, "")
    modalities, parts, images = set(study.modalities), set[str](), 0
    for series in list(ask(association, "SERIES", asked)):
        modalities |= {_text(series, "Modality")} - {""}
        parts |= {_text(series, "BodyPartExamined")} - {""}
        count = number_in(series, "NumberOfSeriesRelatedInstances")
        if count is None:
            uid = _text(series, "SeriesInstanceUID")
            keys = own | {"SeriesInstanceUID": uid, "SOPInstanceUID": ""}
            count = sum(1 for _ in ask(association, "IMAGE", keys))
        images += count
    return replace(
        study,
        modalities=frozenset(modalities),
        body_part=" ".join(sorted(parts)),
        images=study.images or images or None,
    )


def _answered(study_uid: str, keys: Mapping[str, Any], *, own_issuer: str) -> Answered:
    return Answered(
        person=Person(
            id=_text(keys, "PatientID"),
            issuer=_text(keys, "IssuerOfPatientID") or own_issuer,
            name=fold_name(_text(keys, "PatientName"))[0],
            birth_date=normal_date(_text(keys, "PatientBirthDate")),
        ),
        study=Earlier(
            study_uid=study_uid,
            day=_day(normal_date(_text(keys, "StudyDate"))),
            modalities=frozenset(
                each.strip()
                for each in _text(keys, "ModalitiesInStudy").split("\\")
                if each.strip()
            ),
            description=_text(keys, "StudyDescription")[:500],
            images=number_in(keys, "NumberOfStudyRelatedInstances"),
            time=normal_time(_text(keys, "StudyTime")),
        ),
    )


def _text(keys: Mapping[str, Any], keyword: str) -> str:
    return str(keys.get(keyword, "") or "").strip()


def _day(digits: str) -> date | None:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None
