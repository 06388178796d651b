"""Finds a patient's lesions and their pictures, as far as the one who asks may see.

A picture is of the lesion that was noted when it was taken in, or set right since; else of the one
that its object names (Tracking UID). What is out of sight is not counted, and
nothing is changed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select, tuple_

from casework.access import Scope, scope_of
from casework.errors import NotFound
from casework.lesions import (
    KnownLesion,
    LesionPicture,
    grouped,
    kind_of_picture,
    may_be_compared,
    mm_per_pixel_of,
    next_label,
)
from casework.model import Actor, CaseState, Patient
from storage.addresses import current
from storage.casebook_tables import captures, case_studies, cases, lesions, sites
from storage.cases import visible_case
from storage.database import Database, chunks
from storage.levels import issuer_of
from storage.prior_people import day_of
from storage.priors import Priors
from storage.tables import instances, patients, series, studies
from storage.visibility import study_clause

_PHOTOGRAPHED = ("XC", "DMS", "GM", "ES")
_MOST = 2000
_StudyKey = tuple[str, str]


class Lesions:
    """The lesions of one exchange's patients."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._priors = Priors(database)

    def of_case(self, scope: Scope, case_id: str) -> list[KnownLesion]:
        """Return the lesions of a case's patient: in the case itself and its earlier studies."""
        earlier = self._priors.of_case(scope, case_id)
        with self._database.read() as conn:
            visible_case(conn, scope, case_id)
            own = [
                (row.site, row.study_uid)
                for row in conn.execute(
                    select(case_studies.c.site, case_studies.c.study_uid).where(
                        case_studies.c.case_id == case_id
                    )
                )
            ]
            keys = [*own, *((prior.site, prior.study_uid) for prior in earlier)]
            return _lesions(conn, scope, keys, own_case=case_id)

    def one(self, scope: Scope, case_id: str, lesion: str) -> KnownLesion:
        """Return a lesion of a case's patient by its UID or label, or raise NotFound."""
        found = self.of_case(scope, case_id)
        named = [each for each in found if each.uid == lesion]
        named += [each for each in found if each.label == lesion]
        if not named:
            raise NotFound("The patient has no such lesion.", code="no-such-lesion")
        return named[0]

    def of_patient(self, actor: Actor, patient: Patient) -> tuple[list[KnownLesion], str]:
        """Return the lesions that the actor's own site has photographed, and the next free name."""
        number = patient.id.strip()
        with self._database.read() as conn:
            issuer = _issuer(conn, actor.site, patient)
            found = seen_at(conn, scope_of(actor), site=actor.site, issuer=issuer, number=number)
            taken = labels_of(conn, actor.site, issuer, number).values()
        return found, next_label({*taken, *(each.label for each in found)})


def seen_at(
    conn: Connection, scope: Scope, *, site: str, issuer: str, number: str
) -> list[KnownLesion]:
    """Return the lesions of a patient of a site that have pictures of that site within sight."""
    asked = (
        select(studies.c.site, studies.c.study_uid)
        .join(patients, patients.c.pk == studies.c.patient_pk)
        .where(
            patients.c.site == site,
            patients.c.issuer == issuer,
            patients.c.patient_id == number,
        )
    )
    keys = [(row.site, row.study_uid) for row in conn.execute(asked)]
    return _lesions(conn, scope, keys, own_case="")


def labels_of(conn: Connection, site: str, issuer: str, number: str) -> dict[str, str]:
    """Return UID and label of each lesion that a site has named of a patient."""
    asked = select(lesions.c.uid, lesions.c.label).where(
        lesions.c.site == site,
        lesions.c.patient_issuer == issuer,
        lesions.c.patient_id == number,
    )
    return {row.uid: row.label for row in conn.execute(asked)}


def _issuer(conn: Connection, site: str, patient: Patient) -> str:
    of_site = select(sites.c.issuer).where(sites.c.slug == site)
    attributes = {"PatientID": patient.id.strip(), "IssuerOfPatientID": patient.issuer.strip()}
    site_issuer = conn.execute(of_site).scalar() or ""
    return issuer_of(attributes, site=site, site_issuer=site_issuer, study_uid="")


def _lesions(
    conn: Connection, scope: Scope, keys: Sequence[_StudyKey], *, own_case: str
) -> list[KnownLesion]:
    rows = _photographs(conn, scope, keys)
    noted = _noted(conn, {row.case_id for row in rows if row.case_id})
    found = [
        told
        for row in rows
        if row.case_id == own_case or _may_stand_beside(row)
        if (told := _told(row, noted.get((row.case_id, row.sop_instance_uid)))) is not None
    ]
    return grouped(found, _labels(conn, {(picture.site, uid) for uid, _, picture in found}))


def _photographs(
    conn: Connection, scope: Scope, keys: Sequence[_StudyKey]
) -> list[Row[tuple[Any, ...]]]:
    found: list[Row[tuple[Any, ...]]] = []
    for some in chunks(list(dict.fromkeys(keys))):
        columns = select(
            instances.c.sop_instance_uid,
            instances.c.site,
            instances.c.rows,
            instances.c.columns,
            instances.c.attributes,
            studies.c.study_uid,
            studies.c.study_date,
            studies.c.case_id,
            cases.c.state,
            cases.c.submitted_at,
            cases.c.consent,
            cases.c.clinical,
        )
        asked = (
            current(columns)
            .outerjoin(cases, cases.c.id == studies.c.case_id)
            .where(
                tuple_(studies.c.site, studies.c.study_uid).in_(some),
                series.c.modality.in_(_PHOTOGRAPHED),
                study_clause(scope),
            )
            .order_by(studies.c.study_date, studies.c.study_time, instances.c.pk)
            .limit(_MOST)
        )
        found += conn.execute(asked).all()
    return found


def _noted(
    conn: Connection, case_ids: Collection[str]
) -> dict[tuple[str, str], Row[tuple[Any, ...]]]:
    """Return what was noted of photographs when they were taken in, by case and UID."""
    found = {}
    for some in chunks(sorted(case_ids)):
        for row in conn.execute(select(captures).where(captures.c.case_id.in_(some))):
            found[row.case_id, row.sop_instance_uid] = row
    return found


def _labels(conn: Connection, named: Collection[tuple[str, str]]) -> dict[str, str]:
    """Return what a lesion's own site calls it; another site's name for a UID is not told."""
    found: dict[str, str] = {}
    for some in chunks(sorted(named)):
        asked = select(lesions.c.uid, lesions.c.label).where(
            tuple_(lesions.c.site, lesions.c.uid).in_(some)
        )
        found |= {row.uid: row.label for row in conn.execute(asked)}
    return found


def _may_stand_beside(row: Row[tuple[Any, ...]]) -> bool:
    return may_be_compared(
        state=CaseState(row.state) if row.state else None,
        is_submitted=row.submitted_at is not None,
        consent=row.consent,
    )


def _told(
    row: Row[tuple[Any, ...]], noted: Row[tuple[Any, ...]] | None
) -> tuple[str, str, LesionPicture] | None:
    """Return the lesion's UID, the object's own label for it, and the picture; None: of none."""
    attributes = row.attributes
    own_uid = str(attributes.get("TrackingUID") or "")
    uid = (noted.lesion_uid if noted else "") or own_uid
    if not uid or not row.rows or not row.columns:
        return None
    clinical = row.clinical or {}
    said_code = str(clinical.get("site") or "")
    said_side = str(clinical.get("laterality") or "")[:1].upper()
    spot = clinical.get("map")
    picture = LesionPicture(
        sop_instance_uid=row.sop_instance_uid,
        site=row.site,
        study_uid=row.study_uid,
        case_id=row.case_id or "",
        kind=kind_of_picture(attributes),
        day=day_of(row.study_date),
        rows=row.rows,
        columns=row.columns,
        mm_per_pixel=mm_per_pixel_of(attributes),
        site_code=(noted.site_code if noted else "") or said_code,
        laterality=(noted.laterality if noted and noted.site_code else said_side),
        spot=spot if isinstance(spot, dict) else None,
    )
    return uid, str(attributes.get("TrackingID") or "") if uid == own_uid else "", picture
