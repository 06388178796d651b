"""The values that casework speaks of: sites, actors, patients, cases, reports. Frozen; no rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from casework.outcomes import Outcome


class SiteKind(StrEnum):
    """What kind of organisation a site is."""

    HOSPITAL = "hospital"
    GP = "gp"
    CENTRE = "centre"


class Role(StrEnum):
    """What a person is there to do."""

    REFERRER = "referrer"
    RADIOLOGIST = "radiologist"
    DERMATOLOGIST = "dermatologist"
    COORDINATOR = "coordinator"
    ADMIN = "admin"


class Specialty(StrEnum):
    """Who is asked."""

    RADIOLOGY = "radiology"
    DERMATOLOGY = "dermatology"


class Priority(StrEnum):
    """How soon an answer is wanted (FHIR request-priority)."""

    ROUTINE = "routine"
    URGENT = "urgent"
    ASAP = "asap"
    STAT = "stat"


class CaseState(StrEnum):
    """Where a case is; the transitions are `lifecycle.TABLE`."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    CLAIMED = "claimed"
    WAITING = "waiting"
    REPORTED = "reported"
    SIGNED = "signed"
    DELIVERED = "delivered"
    READ = "read"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    DECLINED = "declined"


class AePermission(StrEnum):
    """What an application entity may do, or is sent."""

    STORE = "store"
    QUERY = "query"
    RETRIEVE = "retrieve"
    COMMIT = "commit"
    WORKLIST = "worklist"
    REPLY = "reply"
    ASK = "ask"  # we may ask it by C-FIND how much there is of a study
    FETCH = "fetch"  # we may ask it for a patient's earlier studies, and fetch them


@dataclass(frozen=True)
class Site:
    """An organisation: a hospital, a GP office, the centre."""

    slug: str
    name: str
    kind: SiteKind
    issuer: str = ""  # OID of who gives this site's patient numbers; empty: the site itself
    recompress: str = ""  # htj2k | jpeg-ls; empty: what it sends is kept as it came
    travel_km: float | None = None  # one way from the site to the centre; None: not known


@dataclass(frozen=True)
class Actor:
    """A person or a machine that acts: who, of which site, in which role."""

    id: str  # "user:12", "ae:HAMMER_CT", "system:worker"
    name: str
    site: str
    site_kind: SiteKind
    role: Role | None = None  # None for machines
    email: str = ""


@dataclass(frozen=True)
class ApplicationEntity:
    """A DICOM node of a site and what it may do."""

    title: str
    site: str
    site_kind: SiteKind
    host: str = ""
    port: int = 0
    permissions: frozenset[AePermission] = frozenset()
    tls_only: bool = False


@dataclass(frozen=True)
class Patient:
    """Who the images are of. The same number under two issuers is two patients."""

    id: str
    issuer: str = ""
    name: str = ""  # DICOM form: FAMILY^GIVEN
    birth_date: date | None = None
    sex: str = ""  # M, F, O or empty (PS3.3 C.7.1.1, Patient's Sex)


@dataclass(frozen=True)
class Referral:
    """The question, and what the one who asks knows."""

    question: str
    clinical: Mapping[str, Any] = field(default_factory=dict)
    consent: Mapping[str, Any] = field(default_factory=dict)
    referrer: str = ""  # name of the person who asks


@dataclass(frozen=True)
class StudyOfCase:
    """A study that belongs to a case, with what the index counts of it."""

    study_uid: str
    site: str
    description: str = ""
    modalities: tuple[str, ...] = ()
    started: datetime | None = None
    series_count: int = 0
    instance_count: int = 0
    completeness: str = "arriving"  # arriving | complete | presumed
    completeness_evidence: str = ""  # what decided: counts | mpps | commitment | sender
    expected_instances: int | None = None
    missing_instances: int = 0
    last_received_at: datetime | None = None


@dataclass(frozen=True)
class Message:
    """One turn of the conversation between reader and referrer."""

    id: int
    author: str
    role: str
    site: str
    kind: str  # question | answer | note | decline | withdraw
    text: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class Report:
    """A signed version of findings. Never changed; a later version refers to it."""

    version: int
    kind: str  # original | addendum | correction
    uid: str
    content: Mapping[str, Any]
    sha256: str
    signed_by: str
    signed_by_id: str
    signed_at: datetime
    displayed: Mapping[str, Any] = field(default_factory=dict)  # what the reader had been shown


@dataclass(frozen=True)
class Reading:
    """A second reading of a case, from the request to how it compares with the first."""

    id: int
    case_id: str
    state: str  # of `second_readings.ReadingState`
    is_blinded: bool  # the second reader sees the first's answer only once the own is signed
    asked_by_id: str
    asked_by: str
    asked_at: datetime
    note: str = ""
    wanted_id: str = ""  # of whom it is asked; empty: of any colleague
    wanted_name: str = ""
    reader_id: str = ""
    reader_name: str = ""
    taken_until: datetime | None = None
    draft: Mapping[str, Any] | None = None
    draft_version: int = 0
    content: Mapping[str, Any] | None = None
    signed_at: datetime | None = None
    after_version: int = 0  # of the reply that there was when it was asked for; 0: none
    first_id: str = ""  # with whose answer it was compared
    first_name: str = ""
    comparison: str = ""  # of `second_readings.Comparison`, once it is said
    comparison_text: str = ""
    compared_by: str = ""
    compared_at: datetime | None = None
    decided_by: str = ""  # the third, who signed after a major difference
    decided_at: datetime | None = None


@dataclass(frozen=True)
class Delivery:
    """One reply on its way to one destination."""

    id: int
    case_id: str
    report_version: int
    channel: str  # inbox | study | ae, or a way of `reply_channels`
    destination: str  # site slug, study UID, AE title or name of a channel
    state: str  # queued | done | dead
    attempts: int
    next_attempt_at: datetime | None
    last_error: str
    done_at: datetime | None
    acknowledgement: str = ""  # what the receiver answered


@dataclass(frozen=True)
class Case:
    """A question on its way to an answer. A changed case is a new value with the next `version`."""

    id: str
    state: CaseState
    specialty: Specialty
    priority: Priority
    site: str
    site_name: str
    patient: Patient
    referral: Referral
    created_at: datetime
    version: int
    submitted_at: datetime | None = None
    due_at: datetime | None = None
    holder_id: str = ""  # actor id of the one who has claimed it
    holder_name: str = ""
    claimed_at: datetime | None = None
    signed_at: datetime | None = None
    read_at: datetime | None = None
    closed_at: datetime | None = None
    escalated_at: datetime | None = None  # an urgent reply was not read in time
    waiting_reason: str = ""
    draft: Mapping[str, Any] | None = None  # findings being written
    draft_version: int = 0
    report_version: int = 0  # the latest signed one
    changed_since_report: bool = False
    claim_until: datetime | None = None  # when the claim ends by itself; None: it does not
    handed_by_id: str = ""  # who handed the case to its holder, if anybody did
    handed_by_name: str = ""
    handed_note: str = ""
    handed_at: datetime | None = None


@dataclass(frozen=True)
class CaseDossier:
    """A case with all that hangs on it, as the case page and `GET /api/cases/ID` show it."""

    case: Case
    studies: tuple[StudyOfCase, ...] = ()
    messages: tuple[Message, ...] = ()
    reports: tuple[Report, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    outcome: Outcome | None = None  # what it was in the end, once somebody has said it
    readings: tuple[Reading, ...] = ()  # by second readers, the first asked for first
    is_blinded: bool = False  # answers are hidden from who looks, who may read second


@dataclass(frozen=True)
class CaseSummary:
    """A row of the worklist."""

    case: Case
    modalities: tuple[str, ...] = ()
    description: str = ""
    series_count: int = 0
    instance_count: int = 0
    completeness: str = ""  # of the least complete of its studies
    expected_instances: int | None = None
    missing_instances: int = 0
    prior_count: int = 0
    warned_count: int = 0  # photographs with a warning of their check
    worst_warning: tuple[str, str] = ("", "")  # of them, in English and bokmål
    added_since_report: int = 0  # images that came after the reply
    reading: Reading | None = None  # the second reading that counts, without what it says
