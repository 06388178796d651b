"""Makes a case of a work item that a client creates: a question about studies that its site sent.

A study that is of a case already stays with that; it is read once.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, tuple_, update

from casework.access import may_refer
from casework.audit import ACTIONS, Deed
from casework.errors import Conflict, Invalid, Refused
from casework.identifiers import is_standard_uid, new_case_id
from casework.lifecycle import Event
from casework.model import Actor, CaseState, Priority, Specialty
from casework.workitems import Told, case_of_uid, work_item_uid
from storage.arrivals import PHOTOGRAPHS, date_of, is_free
from storage.case_rows import AnyRow, modalities_of
from storage.casebook_tables import case_studies, cases, workitems
from storage.due import clocks_of
from storage.ledger import append_entry
from storage.levels import shown_issuer
from storage.steps import Steps
from storage.tables import patients, studies
from storage.workitem_rows import kept_told


@dataclass(frozen=True)
class Wanted:
    """A work item as a client asks for it."""

    uid: str  # empty: one is given
    study_uids: Sequence[str]
    question: str
    priority: Priority
    specialty: Specialty | None = None  # None: as the images say
    patient_id: str = ""
    issuer: str = ""
    comments: str = ""


class WorkItemMaking(Steps):
    """Starts cases that clients of UPS-RS ask for."""

    def create_work_item(self, actor: Actor, wanted: Wanted) -> str:
        """Ask for studies of the actor's site to be read, and return the UID of the work item."""
        with self._noting_refusals(actor, "refer", ""), self._database.begin() as conn:
            if not may_refer(actor):
                raise Refused(
                    "Your role may not refer. Ask somebody who refers for your site.",
                    code="wrong-role",
                )
            if wanted.uid:
                _require_new(conn, wanted.uid)
            rows = _studies(conn, actor.site, wanted)
            return self._insert(conn, actor, wanted, rows)

    def _insert(
        self, conn: Connection, actor: Actor, wanted: Wanted, rows: Sequence[AnyRow]
    ) -> str:
        case_id, now, first = _free_case_id(conn), self._clock(), rows[0]
        specialty = wanted.specialty or _specialty(rows)
        conn.execute(
            insert(cases).values(
                id=case_id,
                state=CaseState.SUBMITTED,
                specialty=specialty,
                priority=wanted.priority,
                site=actor.site,
                patient_id=first.patient_id,
                patient_issuer=first.issuer,
                patient_name=first.name,
                patient_name_fold=first.name_fold,
                patient_birth_date=date_of(first.birth_date),
                patient_sex=first.sex,
                question=wanted.question,
                clinical={},
                consent={},
                referrer=actor.name,
                created_by=actor.id,
                created_at=now,
                submitted_at=now,
                due_at=clocks_of(conn).due_at(now, wanted.priority, specialty),
            )
        )
        conn.execute(
            insert(case_studies),
            [{"site": actor.site, "study_uid": r.study_uid, "case_id": case_id} for r in rows],
        )
        pks = [row.pk for row in rows]
        conn.execute(update(studies).where(studies.c.pk.in_(pks)).values(case_id=case_id))
        told = kept_told(Told(comments=wanted.comments))
        conn.execute(
            insert(workitems).values(
                case_id=case_id, uid=wanted.uid or None, told=told, told_at=now
            )
        )
        deed = Deed(actor, ACTIONS[Event.SUBMIT], case_id, case_id, detail={"by": "work-item"})
        append_entry(conn, deed, at=now)
        return wanted.uid or work_item_uid(case_id)


def _require_new(conn: Connection, uid: str) -> None:
    if not is_standard_uid(uid):
        raise Invalid("The UID of the work item is none (PS3.5 section 9.1).", code="bad-uid")
    present = select(workitems.c.case_id).where(workitems.c.uid == uid)
    if case_of_uid(uid) is not None or conn.execute(present).first() is not None:
        raise Conflict(f"The work item {uid} exists already.", code="work-item-exists")


def _studies(conn: Connection, site: str, wanted: Wanted) -> Sequence[AnyRow]:
    """Return the studies in their order, or raise when one cannot be asked about."""
    uids = list(dict.fromkeys(wanted.study_uids))
    if not uids:
        raise Invalid(
            "Name the studies to be read in the Input Information Sequence.", code="study-missing"
        )
    keys = [(site, uid) for uid in uids]
    found = {
        row.study_uid: row
        for row in conn.execute(
            select(
                studies.c.pk,
                studies.c.study_uid,
                studies.c.modalities,
                studies.c.instance_count,
                patients.c.patient_id,
                patients.c.issuer,
                patients.c.name,
                patients.c.name_fold,
                patients.c.birth_date,
                patients.c.sex,
            )
            .join(patients, patients.c.pk == studies.c.patient_pk)
            .where(tuple_(studies.c.site, studies.c.study_uid).in_(keys))
            .with_for_update(of=studies)
        )
    }
    for uid in uids:
        if uid not in found or not found[uid].instance_count:
            raise Invalid(
                f"Your site has sent nothing of the study {uid[:64]}. Send it first.",
                code="no-such-study",
            )
    _require_unasked(conn, keys)
    rows = [found[uid] for uid in uids]
    if len({(row.patient_id, row.issuer) for row in rows}) > 1:
        raise Invalid("The studies are of several patients.", code="several-patients")
    _require_patient(rows[0], wanted)
    return rows


def _require_unasked(conn: Connection, keys: Sequence[tuple[str, str]]) -> None:
    of = tuple_(case_studies.c.site, case_studies.c.study_uid)
    row = conn.execute(
        select(case_studies.c.study_uid, case_studies.c.case_id).where(of.in_(keys)).limit(1)
    ).first()
    if row is not None:
        uid = conn.execute(
            select(workitems.c.uid).where(workitems.c.case_id == row.case_id)
        ).scalar()
        raise Conflict(
            f"The study {row.study_uid} is of the work item {uid or work_item_uid(row.case_id)} "
            "already.",
            code="study-has-work-item",
        )


def _require_patient(row: AnyRow, wanted: Wanted) -> None:
    is_other = wanted.patient_id and wanted.patient_id != row.patient_id
    issuer = shown_issuer(row.issuer)
    if is_other or (wanted.issuer and issuer and wanted.issuer != issuer):
        raise Invalid("The studies are of another patient.", code="other-patient")


def _specialty(rows: Sequence[AnyRow]) -> Specialty:
    modalities = {name for row in rows for name in modalities_of(row.modalities)}
    return Specialty.DERMATOLOGY if modalities & PHOTOGRAPHS else Specialty.RADIOLOGY


def _free_case_id(conn: Connection) -> str:
    while True:
        case_id = new_case_id(secrets.token_bytes)
        if is_free(conn, case_id):
            return case_id
