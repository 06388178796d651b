"""What the casebook does when something of a study has arrived: link it to its case, or make one.

A study from a hospital or a GP by a machine's door is a submitted case by itself, with what its
order asks when there is one. Called by the index in the transaction that makes the study's rows;
doing it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from casework.audit import ACTIONS, Deed
from casework.completeness import COMPLETE, PRESUMED
from casework.custody import Door
from casework.identifiers import derived_case_id
from casework.lifecycle import Event
from casework.model import Actor, CaseState, Priority, SiteKind, Specialty
from storage.casebook_tables import case_studies, cases, sites
from storage.due import clocks_of
from storage.erasure_tables import erased_cases
from storage.ledger import append_entry
from storage.levels import issuer_of, patient_values, text_of
from storage.order_links import (
    INDEX_ID,
    case_values,
    note_case,
    order_of_study,
    study_is_complete,
)
from storage.prior_asking import ask_for_priors
from storage.prior_marks import came_as_prior, is_prior
from storage.tables import series, studies

_DOORS_OF_MACHINES = frozenset({Door.DICOM, Door.STOW, Door.IMPORT, Door.PRIOR})
_SITES_THAT_ASK = frozenset({SiteKind.HOSPITAL.value, SiteKind.GP.value})
_NOT_READ = frozenset({"SR", "PR", "KO", "DOC", "REG", "AU", "PLAN"})
PHOTOGRAPHS = frozenset({"XC", "DMS"})  # PS3.3 C.7.3.1.1.1: external camera, dermoscopy
_PRIORITIES: Mapping[str, Priority] = {"STAT": Priority.STAT, "HIGH": Priority.URGENT}
_QUESTION_KEYWORDS = (
    "ReasonForTheRequestedProcedure",
    "ReasonForStudy",
    "RequestedProcedureDescription",
)


def arrived(
    conn: Connection,
    *,
    site: str,
    study_uid: str,
    study_pk: int,
    new_study: bool,
    attributes: Mapping[str, Any],
    door: Door,
    received_at: datetime,
) -> None:
    """Link a study to the case it is of, making the case when it is nobody's yet."""
    row = conn.execute(
        select(cases.c.id, cases.c.report_version, cases.c.changed_since_report)
        .join(case_studies, case_studies.c.case_id == cases.c.id)
        .where(case_studies.c.site == site, case_studies.c.study_uid == study_uid)
    ).one_or_none()
    if row is not None:
        if new_study:
            _link(conn, study_pk=study_pk, case_id=row.id)
        if row.report_version > 0 and door is not Door.REPLY and not row.changed_since_report:
            _mark_changed(conn, row.id)
        return
    if came_as_prior(conn, site=site, study_uid=study_uid, door=door, received_at=received_at):
        return
    if door not in _DOORS_OF_MACHINES:
        return
    kind = conn.execute(select(sites.c.kind).where(sites.c.slug == site)).scalar_one_or_none()
    modalities = _modalities(conn, study_pk)
    if kind in _SITES_THAT_ASK and modalities - _NOT_READ:
        specialty = Specialty.DERMATOLOGY if modalities & PHOTOGRAPHS else Specialty.RADIOLOGY
        case_id = _make_case(
            conn, site, study_uid, specialty=specialty, attributes=attributes, at=received_at
        )
        _link(conn, study_pk=study_pk, case_id=case_id)
        ask_for_priors(conn, case_id=case_id, now=received_at)


def sent_again(
    conn: Connection,
    *,
    site: str,
    study_uid: str,
    attributes: Mapping[str, Any],
    door: Door,
    received_at: datetime,
) -> None:
    """Hear of a study of which objects came that are here already: the same bytes again.

    That changes nothing, but for a study that was fetched as an earlier one: by sending it without
    being asked its site wants it read, and it becomes a case as any other.
    """
    if door not in _DOORS_OF_MACHINES or not is_prior(conn, site=site, study_uid=study_uid):
        return
    if came_as_prior(conn, site=site, study_uid=study_uid, door=door, received_at=received_at):
        return
    row = conn.execute(
        select(studies.c.pk, studies.c.completeness).where(
            studies.c.site == site, studies.c.study_uid == study_uid, studies.c.case_id.is_(None)
        )
    ).one_or_none()
    if row is None:
        return
    conn.execute(  # rules look at it as at a study that has just come
        update(studies).where(studies.c.pk == row.pk).values(routed_instances=0)
    )
    arrived(
        conn,
        site=site,
        study_uid=study_uid,
        study_pk=row.pk,
        new_study=False,
        attributes=attributes,
        door=door,
        received_at=received_at,
    )
    case_id = conn.execute(select(studies.c.case_id).where(studies.c.pk == row.pk)).scalar_one()
    if case_id is not None and row.completeness in (COMPLETE, PRESUMED):
        study_is_complete(
            conn,
            site=site,
            study_uid=study_uid,
            case_id=case_id,
            is_presumed=row.completeness == PRESUMED,
            at=received_at,
        )


def _make_case(
    conn: Connection,
    site: str,
    study_uid: str,
    *,
    specialty: Specialty,
    attributes: Mapping[str, Any],
    at: datetime,
) -> str:
    case_id = _free_case_id(conn, site, study_uid)
    order = order_of_study(
        conn,
        site=site,
        study_uid=study_uid,
        accession_number=text_of(attributes, "AccessionNumber"),
        patient_id=text_of(attributes, "PatientID"),
    )
    asked = {
        "priority": _priority(attributes),
        "question": _question(attributes),
        "clinical": {},
        "referrer": text_of(attributes, "ReferringPhysicianName"),
        **({} if order is None else case_values(order)),
    }
    conn.execute(
        insert(cases).values(
            id=case_id,
            state=CaseState.SUBMITTED,
            specialty=specialty,
            site=site,
            **_patient(conn, attributes, site=site, study_uid=study_uid),
            **asked,
            consent={},
            created_by=_machine(site).id,
            created_at=at,
            submitted_at=at,
            due_at=clocks_of(conn).due_at(at, Priority(asked["priority"]), specialty),
        )
    )
    if order is not None:
        note_case(conn, order, case_id, at=at)
    conn.execute(insert(case_studies).values(site=site, study_uid=study_uid, case_id=case_id))
    append_entry(conn, Deed(_machine(site), ACTIONS[Event.SUBMIT], study_uid, case_id), at=at)
    return case_id


def _free_case_id(conn: Connection, site: str, study_uid: str) -> str:
    """Return the study's own case number; where another case has it, the next of its numbers."""
    attempt = 0
    while True:
        parts = (site, study_uid) if attempt == 0 else (site, study_uid, str(attempt))
        case_id = derived_case_id(*parts)
        if is_free(conn, case_id):
            return case_id
        attempt += 1


def is_free(conn: Connection, case_id: str) -> bool:
    """Tell whether a case number was never given: that of an erased case is not given again."""
    is_there = conn.execute(select(cases.c.id).where(cases.c.id == case_id)).first()
    was_there = select(erased_cases.c.case_id).where(erased_cases.c.case_id == case_id)
    return is_there is None and conn.execute(was_there).first() is None


def _patient(
    conn: Connection, attributes: Mapping[str, Any], *, site: str, study_uid: str
) -> dict[str, Any]:
    site_issuer = conn.execute(select(sites.c.issuer).where(sites.c.slug == site)).scalar_one()
    values = patient_values(attributes)
    return {
        "patient_id": text_of(attributes, "PatientID"),
        "patient_issuer": issuer_of(
            attributes, site=site, site_issuer=site_issuer, study_uid=study_uid
        ),
        "patient_name": values["name"],
        "patient_name_fold": values["name_fold"],
        "patient_birth_date": date_of(values["birth_date"]),
        "patient_sex": values["sex"],
    }


def _question(attributes: Mapping[str, Any]) -> str:
    """Return the order's question: of the object itself, else of its request (PS3.3 C.4.11)."""
    for source in (attributes, *_requests(attributes)):
        for keyword in _QUESTION_KEYWORDS:
            text = text_of(source, keyword).replace("\\", "\n").strip()
            if text:
                return text
    return ""


def _requests(attributes: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    items = attributes.get("RequestAttributesSequence")
    if isinstance(items, Mapping):
        return [items]
    return [item for item in items or () if isinstance(item, Mapping)]


def _priority(attributes: Mapping[str, Any]) -> Priority:
    for keyword in ("RequestedProcedurePriority", "StudyPriorityID"):
        for source in (attributes, *_requests(attributes)):
            found = _PRIORITIES.get(text_of(source, keyword).strip().upper())
            if found is not None:
                return found
    return Priority.ROUTINE


def date_of(digits: str) -> date | None:
    """Return the date of eight digits, or None when they are none."""
    try:
        return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def _modalities(conn: Connection, study_pk: int) -> frozenset[str]:
    found = conn.execute(select(series.c.modality).distinct().where(series.c.study_pk == study_pk))
    return frozenset(modality.strip().upper() for modality in found.scalars())


def _link(conn: Connection, *, study_pk: int, case_id: str) -> None:
    conn.execute(update(studies).where(studies.c.pk == study_pk).values(case_id=case_id))


def _mark_changed(conn: Connection, case_id: str) -> None:
    conn.execute(
        update(cases)
        .where(cases.c.id == case_id)
        .values(changed_since_report=True, version=cases.c.version + 1)
    )


def _machine(site: str) -> Actor:
    return Actor(id=INDEX_ID, name="Lysbro", site=site, site_kind=SiteKind.CENTRE)
