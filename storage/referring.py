"""Making a referral: the draft, its edits, its photographs and the lesions they show."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from casework.access import may_refer, require_may, require_visible, scope_of
from casework.audit import Deed
from casework.clinical import normal_clinical, normal_consent
from casework.consents import recorded
from casework.errors import Conflict, Invalid, Refused
from casework.identifiers import derived_uid, new_case_id
from casework.lifecycle import Event
from casework.model import Actor, Case, CaseState, Patient, Priority, Referral, Specialty
from storage.arrivals import is_free
from storage.casebook_tables import captures, case_studies, cases, draft_keys, sites
from storage.database import chunks, insert_if_absent, take_turns
from storage.folding import fold_name
from storage.ledger import append_entry
from storage.levels import issuer_of
from storage.steps import Change, Step, Steps

_PHOTOGRAPHABLE = frozenset(
    {CaseState.DRAFT, CaseState.SUBMITTED, CaseState.CLAIMED, CaseState.WAITING, CaseState.REPORTED}
)
ATTACHABLE = frozenset({CaseState.DRAFT, CaseState.WAITING})
"""The states of a case in which documents and other pictures can be added."""


class Referring(Steps):
    """Starts cases that a person asks for."""

    def create_referral(
        self,
        actor: Actor,
        *,
        specialty: Specialty,
        priority: Priority,
        patient: Patient,
        referral: Referral,
        draft_key: str = "",
    ) -> Case:
        """Start a case as a draft of the actor's site, with a study reserved for its images.

        The same key again, of the same actor, gives the case that was started with it.
        """
        with self._noting_refusals(actor, "refer", ""), self._database.begin() as conn:
            if not may_refer(actor):
                raise Refused(
                    "Your role may not refer. Ask somebody who refers for your site.",
                    code="wrong-role",
                )
            if draft_key:
                take_turns(conn, [f"draft:{actor.id}"])
                if (known := _started_with(conn, actor, draft_key)) is not None:
                    return self._load(conn, known)
            case_id, now = _free_case_id(conn), self._clock()
            conn.execute(
                insert(cases).values(
                    id=case_id,
                    state=CaseState.DRAFT,
                    specialty=specialty,
                    priority=priority,
                    site=actor.site,
                    created_by=actor.id,
                    created_at=now,
                    **_patient_values(conn, actor.site, patient),
                    **_referral_values(referral, actor, now),
                )
            )
            conn.execute(
                insert(case_studies).values(
                    site=actor.site, study_uid=derived_uid("study", case_id), case_id=case_id
                )
            )
            if draft_key:
                named = {"actor_id": actor.id, "draft_key": draft_key, "case_id": case_id}
                conn.execute(insert(draft_keys).values(named))
            deed = Deed(actor, "referral-started", case_id, case_id)
            append_entry(conn, deed, at=now)
            return self._load(conn, case_id)

    def edit_referral(
        self,
        actor: Actor,
        case_id: str,
        *,
        priority: Priority,
        patient: Patient,
        referral: Referral,
    ) -> Case:
        """Change a draft; photographs carry their patient, who stays once there are some."""

        def decide(step: Step) -> Change:
            if step.case.state is not CaseState.DRAFT:
                raise Conflict(
                    "The case has been sent and stays as it was written.",
                    code="wrong-state",
                    state=step.case.state.value,
                )
            whose = _patient_values(step.conn, step.case.site, patient)
            if _captured(step.conn, case_id) and not _is_of(step.conn, case_id, whose):
                raise Conflict(
                    "The photographs carry this patient. Withdraw the case and start another.",
                    code="patient-photographed",
                    state=step.case.state.value,
                )
            values = {
                "priority": priority,
                **whose,
                **_referral_values(referral, actor, step.now, was=step.case.referral.consent),
            }
            return Change(step.case.state, values, silent=True)

        return self._take(actor, case_id, Event.SUBMIT, decide)

    def require_photographs_wanted(self, actor: Actor, case: Case) -> None:
        """Raise unless the actor may add photographs to a case as it is now."""
        self._require_may_add(actor, case)
        if case.state not in _PHOTOGRAPHABLE:
            raise Conflict(
                f"A case that is {case.state.value} takes no more photographs. Start a new one.",
                code="wrong-state",
                state=case.state.value,
            )

    def require_attachments_wanted(self, actor: Actor, case: Case) -> None:
        """Raise unless the actor may add documents and other pictures to a case as it is now."""
        self._require_may_add(actor, case)
        if case.state not in ATTACHABLE:
            raise Conflict(
                f"A case that is {case.state.value} takes no attachments: only a draft, or one in"
                " which the specialist has asked for something.",
                code="wrong-state",
                state=case.state.value,
            )

    def _require_may_add(self, actor: Actor, case: Case) -> None:
        with self._noting_refusals(actor, "photograph", case.id):
            require_visible(
                scope_of(actor),
                case_id=case.id,
                site=case.site,
                specialty=case.specialty,
                state=case.state,
            )
            require_may(actor, Event.SUBMIT, site=case.site, holder_id=case.holder_id)

    def photographable(self, case_ids: Collection[str]) -> frozenset[str]:
        """Return which of some cases take photographs as they are now."""
        found: set[str] = set()
        with self._database.read() as conn:
            for some in chunks(sorted(case_ids)):
                asked = select(cases.c.id).where(
                    cases.c.id.in_(some), cases.c.state.in_(_PHOTOGRAPHABLE)
                )
                found.update(conn.execute(asked).scalars())
        return frozenset(found)

    def note_capture(
        self,
        case_id: str,
        capture_id: str,
        sop_instance_uid: str,
        *,
        kind: str = "",
        lesion_uid: str = "",
        site_code: str = "",
        laterality: str = "",
        judged: Mapping[str, Any] | None = None,
    ) -> str:
        """Note what a photograph has become, and return the UID that counts: the first one's.

        `judged` is what its check found wrong, as `photo_notes.judged` makes it.
        """
        row = {
            "case_id": case_id,
            "capture_id": capture_id or sop_instance_uid,
            "sop_instance_uid": sop_instance_uid,
            "at": self._clock(),
            "kind": kind,
            "judged": dict(judged) if judged else None,
            "lesion_uid": lesion_uid,
            "site_code": site_code[:32],
            "laterality": laterality[:1],
        }
        with self._database.begin() as conn:
            insert_if_absent(conn, captures, [row])
            kept: str = conn.execute(
                select(captures.c.sop_instance_uid).where(
                    captures.c.case_id == case_id, captures.c.capture_id == row["capture_id"]
                )
            ).scalar_one()
        return kept


def _free_case_id(conn: Connection) -> str:
    while True:
        case_id = new_case_id(secrets.token_bytes)
        if is_free(conn, case_id):
            return case_id


def _started_with(conn: Connection, actor: Actor, draft_key: str) -> str | None:
    """Return the case that an actor started with a key, or None."""
    asked = select(draft_keys.c.case_id).where(
        draft_keys.c.actor_id == actor.id, draft_keys.c.draft_key == draft_key
    )
    found: str | None = conn.execute(asked).scalar_one_or_none()
    return found


def _captured(conn: Connection, case_id: str) -> bool:
    return (
        conn.execute(
            select(captures.c.capture_id).where(captures.c.case_id == case_id).limit(1)
        ).first()
        is not None
    )


def _is_of(conn: Connection, case_id: str, whose: Mapping[str, Any]) -> bool:
    """Tell whether a case is of exactly this patient."""
    present = select(*(cases.c[name] for name in whose)).where(cases.c.id == case_id)
    return conn.execute(present).one()._mapping == whose


def _patient_values(conn: Connection, site: str, patient: Patient) -> dict[str, Any]:
    number = patient.id.strip()
    if not number:
        raise Invalid("Give the patient's number.", code="patient-missing")
    site_issuer = conn.execute(select(sites.c.issuer).where(sites.c.slug == site)).scalar_one()
    attributes = {"PatientID": number, "IssuerOfPatientID": patient.issuer.strip()}
    return {
        "patient_id": number,
        "patient_issuer": issuer_of(attributes, site=site, site_issuer=site_issuer, study_uid=""),
        "patient_name": patient.name,
        "patient_name_fold": fold_name(patient.name)[0],
        "patient_birth_date": patient.birth_date,
        "patient_sex": patient.sex,
    }


def _referral_values(
    referral: Referral, actor: Actor, now: datetime, *, was: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    given = normal_consent(referral.consent)
    return {
        "question": referral.question.strip(),
        "clinical": normal_clinical(referral.clinical),
        "consent": recorded(given, was=was or {}, by=actor.name, at=now),
        "referrer": referral.referrer or actor.name,
    }
