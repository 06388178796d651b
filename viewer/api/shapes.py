"""What the API answers: flat, stable JSON made from the values of casework and the index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from pydantic import Field

from casework import access, lifecycle
from casework.model import (
    Actor,
    Case,
    CaseDossier,
    CaseSummary,
    Delivery,
    Message,
    Patient,
    Report,
    StudyOfCase,
)
from casework.photo_checks import reason_of
from viewer.api.calls import Answer
from viewer.api.reading_shapes import ReadingShape
from viewer.second_sight import may_of, own_draft


class PatientShape(Answer):
    """Who the images are of."""

    id: str
    issuer: str
    name: str
    birth_date: date | None
    sex: str

    @classmethod
    def of(cls, patient: Patient) -> PatientShape:
        """Return the shape of a patient."""
        return cls(
            id=patient.id,
            issuer=patient.issuer,
            name=patient.name,
            birth_date=patient.birth_date,
            sex=patient.sex,
        )


class CaseRow(Answer):
    """A row of the worklist."""

    case_id: str
    state: str
    specialty: str
    priority: str
    patient: PatientShape
    site: str
    site_name: str
    question: str
    created_at: datetime
    submitted_at: datetime | None
    due_at: datetime | None
    signed_at: datetime | None
    holder_name: str
    mine: bool = Field(description="held by the one who asks")
    waiting_reason: str
    version: int
    report_version: int
    changed_since_report: bool
    description: str
    modalities: list[str]
    series_count: int
    instance_count: int
    completeness: str = Field(description="arriving, complete or presumed; of the least complete")
    missing_instances: int
    prior_count: int
    warned_count: int = Field(description="photographs with a warning of their check")
    added_since_report: int = Field(description="images that came after the reply")
    second_reading: str = Field(description="asked or taken; empty: none is open")

    @classmethod
    def of(cls, summary: CaseSummary, actor: Actor) -> CaseRow:
        """Return the shape of a worklist row."""
        case = summary.case
        return cls(
            case_id=case.id,
            state=case.state.value,
            specialty=case.specialty.value,
            priority=case.priority.value,
            patient=PatientShape.of(case.patient),
            site=case.site,
            site_name=case.site_name,
            question=case.referral.question,
            created_at=case.created_at,
            submitted_at=case.submitted_at,
            due_at=case.due_at,
            signed_at=case.signed_at,
            holder_name=case.holder_name,
            mine=bool(case.holder_id) and case.holder_id == actor.id,
            waiting_reason=case.waiting_reason,
            version=case.version,
            report_version=case.report_version,
            changed_since_report=case.changed_since_report,
            description=summary.description,
            modalities=list(summary.modalities),
            series_count=summary.series_count,
            instance_count=summary.instance_count,
            completeness=summary.completeness,
            missing_instances=summary.missing_instances,
            prior_count=summary.prior_count,
            warned_count=summary.warned_count,
            added_since_report=summary.added_since_report,
            second_reading="" if summary.reading is None else summary.reading.state,
        )


class CaseList(Answer):
    """A page of the worklist; `next` is the address of the following one."""

    cases: list[CaseRow]
    next: str | None = None


class CaseStateShape(Answer):
    """Where a case is now, after a step."""

    case_id: str
    state: str
    version: int
    holder_name: str
    draft_version: int
    report_version: int

    @classmethod
    def of(cls, case: Case) -> CaseStateShape:
        """Return where a case is."""
        return cls(
            case_id=case.id,
            state=case.state.value,
            version=case.version,
            holder_name=case.holder_name,
            draft_version=case.draft_version,
            report_version=case.report_version,
        )


class StudyShape(Answer):
    """A study of a case."""

    study_uid: str
    site: str
    description: str
    modalities: list[str]
    started: datetime | None
    series_count: int
    instance_count: int
    completeness: str = Field(description="arriving, complete or presumed so")
    completeness_evidence: str = Field(description="counts, mpps, commitment, sender or empty")
    expected_instances: int | None
    missing_instances: int
    last_received_at: datetime | None

    @classmethod
    def of(cls, study: StudyOfCase) -> StudyShape:
        """Return the shape of a study."""
        return cls(
            study_uid=study.study_uid,
            site=study.site,
            description=study.description,
            modalities=list(study.modalities),
            started=study.started,
            series_count=study.series_count,
            instance_count=study.instance_count,
            completeness=study.completeness,
            completeness_evidence=study.completeness_evidence,
            expected_instances=study.expected_instances,
            missing_instances=study.missing_instances,
            last_received_at=study.last_received_at,
        )


class MessageShape(Answer):
    """One turn of the conversation."""

    id: int
    author: str
    role: str
    site: str
    kind: str
    text: str
    reason: str
    at: datetime

    @classmethod
    def of(cls, message: Message) -> MessageShape:
        """Return the shape of a message."""
        return cls(
            id=message.id,
            author=message.author,
            role=message.role,
            site=message.site,
            kind=message.kind,
            text=message.text,
            reason=message.reason,
            at=message.at,
        )


class ReportShape(Answer):
    """A signed version of the findings."""

    version: int
    kind: str
    uid: str
    content: dict[str, Any]
    sha256: str
    signed_by: str
    signed_at: datetime

    @classmethod
    def of(cls, report: Report) -> ReportShape:
        """Return the shape of a report."""
        return cls(
            version=report.version,
            kind=report.kind,
            uid=report.uid,
            content=dict(report.content),
            sha256=report.sha256,
            signed_by=report.signed_by,
            signed_at=report.signed_at,
        )


class SignedShape(CaseStateShape):
    """A signed version, and where its case is now."""

    report: ReportShape | None = Field(description="null: a second reading was signed")


class DeliveryShape(Answer):
    """One reply on its way to one destination."""

    id: int
    report_version: int
    channel: str
    acknowledgement: str = Field(description="what the receiver answered")
    destination: str
    state: str
    attempts: int
    next_attempt_at: datetime | None
    last_error: str
    done_at: datetime | None

    @classmethod
    def of(cls, delivery: Delivery) -> DeliveryShape:
        """Return the shape of a delivery."""
        return cls(
            id=delivery.id,
            report_version=delivery.report_version,
            channel=delivery.channel,
            acknowledgement=delivery.acknowledgement,
            destination=delivery.destination,
            state=delivery.state,
            attempts=delivery.attempts,
            next_attempt_at=delivery.next_attempt_at,
            last_error=delivery.last_error,
            done_at=delivery.done_at,
        )


class CustodyShape(Answer):
    """Something that happened to an instance."""

    event: str
    at: datetime
    detail: dict[str, Any]


class TrailShape(Answer):
    """Who sent an instance, and when it first met each event."""

    door: str
    calling_ae: str
    called_ae: str
    peer: str
    association: str
    actor: str
    received_at: datetime | None
    synced_at: datetime | None
    adopted: bool = Field(description="found on the disk at a start; synced then at the latest")
    packed_at: datetime | None
    verified_at: datetime | None
    committed_at: datetime | None
    opened_at: datetime | None
    opened_by: str
    exported_at: datetime | None
    sent_at: datetime | None


class CustodyList(Answer):
    """Where an instance has been."""

    sop_instance_uid: str
    study_uid: str
    site: str
    sha256: str = Field(description="of the transfer syntax UID and the data set's bytes")
    size_bytes: int = Field(description="of the data set as it was received")
    transfer_syntax_uid: str = Field(description="in which it was received")
    kept_in: str = Field(description="the transfer syntax in which it is kept")
    kept_sha256: str = Field(description="of what is kept, where that is another form")
    trail: TrailShape
    custody: list[CustodyShape]


class ExpectedShape(Answer):
    """How complete a study is, after what was said of it."""

    study_uid: str
    site: str
    completeness: str = Field(description="empty while nothing of it is here")
    completeness_evidence: str
    expected_instances: int | None
    missing_instances: int


class StudyCustody(Answer):
    """How many instances of a study have met an event, and when."""

    study_uid: str
    event: str
    instances: int
    first_at: datetime
    last_at: datetime


class OutcomeShape(Answer):
    """What a case was in the end."""

    basis: str
    text: str
    code: str
    system: str
    malignant: str


class CaseShape(Answer):
    """A case with all that hangs on it."""

    case_id: str
    state: str
    specialty: str
    priority: str
    site: str
    site_name: str
    patient: PatientShape
    question: str
    clinical: dict[str, Any]
    consent: dict[str, Any]
    referrer: str
    created_at: datetime
    submitted_at: datetime | None
    due_at: datetime | None
    holder_name: str
    mine: bool
    claimed_at: datetime | None
    claim_until: datetime | None = Field(description="when the claim ends by itself")
    handed_by: str = Field(description="who handed the case to its holder, if anybody did")
    handed_note: str
    signed_at: datetime | None
    read_at: datetime | None
    closed_at: datetime | None
    waiting_reason: str
    version: int
    draft: dict[str, Any] | None = Field(
        description="findings being written; shown to their writer"
    )
    draft_version: int
    report_version: int
    changed_since_report: bool
    may: list[str] = Field(description="what the one who asks may do with the case now")
    studies: list[StudyShape]
    conversation: list[MessageShape]
    reports: list[ReportShape]
    deliveries: list[DeliveryShape]
    custody: list[StudyCustody]
    outcome: OutcomeShape | None = Field(description="once somebody has said it")
    readings: list[ReadingShape] = Field(description="by second readers; told to the centre only")

    @classmethod
    def of(cls, dossier: CaseDossier, actor: Actor, custody: list[StudyCustody]) -> CaseShape:
        """Return the shape of a case for the one who asks."""
        case = dossier.case
        mine = bool(case.holder_id) and case.holder_id == actor.id
        is_told = actor.role in access.MAY[lifecycle.Event.HAND_OVER]
        draft, draft_version = own_draft(actor, dossier)
        return cls(
            case_id=case.id,
            state=case.state.value,
            specialty=case.specialty.value,
            priority=case.priority.value,
            site=case.site,
            site_name=case.site_name,
            patient=PatientShape.of(case.patient),
            question=case.referral.question,
            clinical=dict(case.referral.clinical),
            consent=dict(case.referral.consent),
            referrer=case.referral.referrer,
            created_at=case.created_at,
            submitted_at=case.submitted_at,
            due_at=case.due_at,
            holder_name=case.holder_name,
            mine=mine,
            claimed_at=case.claimed_at,
            claim_until=case.claim_until,
            handed_by=case.handed_by_name,
            handed_note=case.handed_note if is_told else "",
            signed_at=case.signed_at,
            read_at=case.read_at,
            closed_at=case.closed_at,
            waiting_reason=case.waiting_reason,
            version=case.version,
            draft=None if draft is None else dict(draft),
            draft_version=draft_version,
            report_version=case.report_version,
            changed_since_report=case.changed_since_report,
            may=sorted(may_of(actor, dossier)),
            studies=[StudyShape.of(study) for study in dossier.studies],
            conversation=[MessageShape.of(message) for message in dossier.messages],
            reports=[ReportShape.of(report) for report in dossier.reports],
            deliveries=[DeliveryShape.of(delivery) for delivery in dossier.deliveries],
            custody=custody,
            outcome=None if dossier.outcome is None else OutcomeShape(**asdict(dossier.outcome)),
            readings=[ReadingShape.of(reading) for reading in dossier.readings],
        )


class ReferralMade(Answer):
    """A new referral."""

    case_id: str
    state: str
    study_instance_uid: str


class AdviceShape(Answer):
    """What one quality check says of a photograph."""

    check: str
    verdict: str
    value: float | None = None
    threshold: float | None = None
    message: str
    message_nb: str = ""
    reason: str = ""  # why a reader would ask back for this: one of the reason codes

    @classmethod
    def of(cls, advice: Mapping[str, Any]) -> AdviceShape:
        """Return the shape of an advice."""
        return cls.model_validate({**advice, "reason": reason_of(str(advice["check"]))})


class AdviceList(Answer):
    """What the quality checks say of a photograph."""

    advice: list[AdviceShape]


class PhotoTaken(Answer):
    """A photograph that has become an object of its case."""

    sop_instance_uid: str
    study_instance_uid: str
    advice: list[AdviceShape]


class UploadShape(Answer):
    """How much of a photograph that comes in pieces is here, and what it has become when whole."""

    upload_id: str
    offset: int
    bytes: int
    complete: bool
    chunk_bytes: int
    photo: PhotoTaken | None = None


class PhotoShape(Answer):
    """A photograph of a case."""

    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    kind: str = Field(description="overview, closeup, dermoscopic, clip, other, document or empty")
    number: int | None
    rows: int | None
    columns: int | None
    description: str
    received_at: datetime
    faults: list[str] = Field(description="what its quality check found wrong")
    kept_anyway: bool = Field(description="the one who took it had been told, and kept it")
    is_recognizable: bool = False  # a face or a tattoo: to be shown blurred until it is opened


class PhotoList(Answer):
    """The photographs of a case."""

    photos: list[PhotoShape]


class MeShape(Answer):
    """Who is asking."""

    id: str
    name: str
    email: str
    role: str | None
    site: str
    site_name: str
    site_kind: str


class SitesOnBody(Answer):
    """Sites on the body that a photograph may be of."""

    sites: list[dict[str, Any]]


class OptionShape(Answer):
    """A choice of a question."""

    value: str
    label_en: str
    label_nb: str


class QuestionShape(Answer):
    """A clinical question of a referral."""

    key: str
    kind: str
    label_en: str
    label_nb: str
    options: list[OptionShape]
    categories: list[str]


class ClinicalShape(Answer):
    """The words of a referral: its questions, the consents, the reasons for asking back."""

    questions: list[QuestionShape]
    consents: list[OptionShape]
    reason_codes: list[OptionShape]
    duration_units: list[OptionShape]
