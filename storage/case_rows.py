"""Turns rows of the casebook into the values of casework. Asks nothing of the database itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Select, select

from casework.model import (
    Case,
    CaseState,
    Message,
    Patient,
    Priority,
    Reading,
    Referral,
    Report,
    Specialty,
    StudyOfCase,
)
from casework.outcomes import Outcome
from storage.casebook_tables import cases, sites
from storage.folding import normal_date, normal_time
from storage.levels import shown_issuer

AnyRow = Row[*tuple[Any, ...]]

_SAME = (
    "id", "site", "site_name", "created_at", "version", "submitted_at", "due_at", "holder_id",
    "holder_name", "claimed_at", "signed_at", "read_at", "closed_at", "escalated_at",
    "waiting_reason", "draft", "draft_version", "report_version", "changed_since_report",
    "claim_until", "handed_by_id", "handed_by_name", "handed_note", "handed_at",
)  # fmt: skip
"""Fields of a case that are columns as they stand."""


def case_query() -> Select[*tuple[Any, ...]]:
    """Return the query for cases with the names of their sites."""
    return select(cases, sites.c.name.label("site_name")).join(sites, sites.c.slug == cases.c.site)


def as_case(row: AnyRow) -> Case:
    """Return the case of a row of `case_query`."""
    return Case(
        **{name: row._mapping[name] for name in _SAME},
        state=CaseState(row.state),
        specialty=Specialty(row.specialty),
        priority=Priority(row.priority),
        patient=Patient(
            id=row.patient_id,
            issuer=shown_issuer(row.patient_issuer),
            name=row.patient_name,
            birth_date=row.patient_birth_date,
            sex=row.patient_sex,
        ),
        referral=Referral(
            question=row.question,
            clinical=row.clinical,
            consent=row.consent,
            referrer=row.referrer,
        ),
    )


def as_study(row: AnyRow) -> StudyOfCase:
    """Return the study of a row that has the reserved UID and what the index knows, if anything."""
    if row.instance_count is None:
        return StudyOfCase(study_uid=row.study_uid, site=row.site)
    return StudyOfCase(
        study_uid=row.study_uid,
        site=row.site,
        description=row.description,
        modalities=modalities_of(row.modalities),
        started=_started(row.study_date, row.study_time),
        series_count=row.series_count,
        instance_count=row.instance_count,
        completeness=row.completeness,
        completeness_evidence=row.completeness_evidence,
        expected_instances=row.expected_instances,
        missing_instances=row.missing_instances,
        last_received_at=row.last_received_at,
    )


def as_message(row: AnyRow) -> Message:
    """Return the message of a row of `messages`."""
    return Message(
        id=row.id,
        author=row.author,
        role=row.role,
        site=row.site,
        kind=row.kind,
        text=row.text,
        reason=row.reason,
        at=row.at,
    )


def as_report(row: AnyRow) -> Report:
    """Return the report of a row of `reports`."""
    content: Mapping[str, Any] = row.content
    return Report(
        version=row.version,
        kind=row.kind,
        uid=row.uid,
        content=content,
        sha256=row.sha256,
        signed_by=row.signed_by,
        signed_by_id=row.signed_by_id,
        signed_at=row.signed_at,
        displayed=content.get("displayed", {}),
    )


def as_outcome(row: AnyRow) -> Outcome:
    """Return the outcome of a row of `outcomes`."""
    return Outcome(row.basis, row.text, row.code, row.system, row.malignant)


def as_reading(row: AnyRow) -> Reading:
    """Return the second reading of a row of `readings`."""
    return Reading(**{f.name: getattr(row, f.name) for f in fields(Reading)})


def modalities_of(text: str) -> tuple[str, ...]:
    """Return the modalities of a study's row."""
    return tuple(part for part in text.split("\\") if part)


def _started(study_date: str, study_time: str) -> datetime | None:
    """Return when a study began. Its zone is rarely known; the digits are kept, as UTC."""
    digits = normal_date(study_date) + (normal_time(study_time) or "000000")[:6]
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
