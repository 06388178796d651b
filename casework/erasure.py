"""Erasure: what is asked for, when it is refused, and the tombstone that stays. Keeps nothing.

A tombstone names nobody. It holds marks: salted hashes, by which the erased thing is known again
when it is met, in a pack or an old backup, and from which it cannot be told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from casework.errors import Conflict, Invalid, NotFound, Refused
from casework.lifecycle import HELD
from casework.model import CaseState

ERASED, ERASURE_FINISHED = "erased", "erasure-finished"
HELD_BACK, HOLD_LIFTED = "hold-placed", "hold-lifted"
"""What the audit calls an erasure and its end, a hold and its end."""

STUDY, PATIENT, RETENTION = "study", "patient", "retention"
"""What kind of erasure it was."""

LONGEST_REASON = 500


@dataclass(frozen=True)
class Target:
    """What is to be erased or held: one study or all of a patient, of one site or of all.

    Of a study a series or an object of one may be named; a hold is on the whole.
    """

    study_uid: str = ""
    patient_id: str = ""
    issuer: str = ""  # of the patient's number; empty: any
    site: str = ""  # empty: every site that has it
    series_uid: str = ""  # empty: all of the study
    sop_instance_uid: str = ""  # empty: all of the series

    def __post_init__(self) -> None:
        if bool(self.study_uid) == bool(self.patient_id):
            raise Invalid("Name one study or one patient.", code="bad-target")
        if self.issuer and not self.patient_id:
            raise Invalid("An issuer belongs to a patient's number.", code="bad-target")
        if (self.series_uid and not self.study_uid) or (
            self.sop_instance_uid and not self.series_uid
        ):
            raise Invalid("Name the study and the series, too.", code="bad-target")

    @property
    def kind(self) -> str:
        """Return whether a study or a patient is meant."""
        return STUDY if self.study_uid else PATIENT


@dataclass(frozen=True)
class StudyToErase:
    """A study that an erasure would take, and how much of it there is."""

    site: str
    study_uid: str
    instances: int
    size_bytes: int


@dataclass(frozen=True)
class CaseToErase:
    """A case that hangs on what an erasure would take, and where it is."""

    id: str
    state: CaseState
    holder_name: str = ""
    reports: int = 0
    stays: bool = False  # other studies are of it, too


@dataclass(frozen=True)
class HoldOn:
    """A legal hold that stands, as a refusal names it."""

    id: int
    reason: str


@dataclass(frozen=True)
class Plan:
    """What an erasure would take. `digest` is over every object, to tell one plan from another."""

    target: Target
    studies: Sequence[StudyToErase]
    cases: Sequence[CaseToErase]
    quarantined: int  # of the objects: second versions under the same UIDs
    packs: int
    digest: str
    holds: Sequence[HoldOn] = ()
    jobs_under_way: int = 0

    @property
    def instances(self) -> int:
        """Return how many objects go."""
        return sum(study.instances for study in self.studies)

    @property
    def size_bytes(self) -> int:
        """Return how many bytes of objects go."""
        return sum(study.size_bytes for study in self.studies)

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to erase."""
        return not self.studies and not self.cases


def require_reason(text: str) -> str:
    """Return the reason of an erasure or a hold, or raise Invalid: it stays when all else goes."""
    reason = " ".join(text.split())
    if not reason or len(reason) > LONGEST_REASON:
        raise Invalid(
            f"Give a reason of 1 to {LONGEST_REASON} characters, without the patient's name: "
            "it is kept for good.",
            code="reason-missing",
        )
    return reason


def require_erasable(plan: Plan, *, digest: str = "") -> None:
    """Raise the reason why a plan may not be carried out now; `digest` is of what was shown."""
    if plan.is_empty:
        raise NotFound("There is no such study or patient here.", code="nothing-to-erase")
    if plan.holds:
        hold = plan.holds[0]
        raise Refused(
            f"Nothing was erased: a legal hold stands ({hold.id}: {hold.reason}). Whoever placed "
            f"it may lift it, with 'lysbro hold remove {hold.id}' or on the page for erasure.",
            code="legal-hold",
        )
    require_unread(plan.cases)
    if plan.jobs_under_way:
        raise Conflict(
            "Nothing was erased: something of it is being sent just now. Try again in a minute.",
            code="being-sent",
        )
    if digest and digest != plan.digest:
        raise Conflict(
            "Nothing was erased: what there is has changed since it was shown. Look again.",
            code="plan-changed",
        )


def require_unread(cases: Iterable[CaseToErase]) -> None:
    """Raise Conflict when somebody reads one of these cases just now."""
    held = next((case for case in cases if case.state in HELD), None)
    if held is not None:
        raise Conflict(
            f"Nothing was erased: the case {held.id} is being read by {held.holder_name}. "
            "Let them sign or release it, or let the coordinator release it; then erase.",
            code="case-being-read",
            state=held.state.value,
        )


@dataclass(frozen=True)
class Tombstone:
    """What stays of an erasure: who, when, why, how much, and the marks of what went."""

    id: str
    kind: str
    at: datetime
    until: datetime  # what is received later is new
    actor_id: str
    actor_name: str
    reason: str
    studies: int
    instances: int
    size_bytes: int
    packs: int
    digest: str  # over the hashes of all objects
    case_ids: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    study_marks: frozenset[str] = field(default_factory=frozenset)
    object_marks: frozenset[str] = field(default_factory=frozenset)  # beside those studies
    patient_marks: frozenset[str] = field(default_factory=frozenset)
    _known: dict[tuple[str, ...], bool] = field(default_factory=dict, compare=False, repr=False)

    def has_study(self, site: str, study_uid: str) -> bool:
        """Tell whether a study was erased whole, as it stood then."""
        return self._has(self.study_marks, "study", site, study_uid)

    def has_object(self, site: str, sop_instance_uid: str, sha256: str) -> bool:
        """Tell whether an object of another study was erased: a version of one that was."""
        return self._has(self.object_marks, "object", site, sop_instance_uid, sha256)

    def has_patient(self, site: str, issuer: str, patient_id: str) -> bool:
        """Tell whether all that there was of a patient was erased."""
        return self._has(self.patient_marks, "patient", site, issuer, patient_id)

    def covers(
        self,
        *,
        site: str,
        study_uid: str,
        sop_instance_uid: str,
        sha256: str,
        received_at: datetime,
    ) -> bool:
        """Tell whether an object is one that was erased; one that came later is new."""
        if received_at > self.until:
            return False
        return self.has_study(site, study_uid) or self.has_object(site, sop_instance_uid, sha256)

    def _has(self, marks: frozenset[str], *parts: str) -> bool:
        if not marks or parts[1] not in self.sites:
            return False
        found = self._known.get(parts)
        if found is None:
            found = self._known[parts] = mark(self.id, *parts) in marks
        return found


def mark(erasure_id: str, *parts: str) -> str:
    """Return the salted hash by which an erased thing is known again."""
    return hashlib.sha256("\n".join((erasure_id, *parts)).encode()).hexdigest()


def digest_of(objects: Iterable[tuple[str, str, str]]) -> str:
    """Return one hash over objects, each a site, a SOP Instance UID and the hash of its bytes."""
    running = hashlib.sha256()
    for one in sorted(objects):
        running.update((" ".join(one) + "\n").encode())
    return running.hexdigest()


def as_plain(stone: Tombstone) -> dict[str, Any]:
    """Return a tombstone as the plain values of a JSON document."""
    return {
        "version": 1,
        "id": stone.id,
        "kind": stone.kind,
        "at": stone.at.isoformat(timespec="microseconds"),
        "until": stone.until.isoformat(timespec="microseconds"),
        "actor_id": stone.actor_id,
        "actor_name": stone.actor_name,
        "reason": stone.reason,
        "studies": stone.studies,
        "instances": stone.instances,
        "size_bytes": stone.size_bytes,
        "packs": stone.packs,
        "digest": stone.digest,
        "case_ids": sorted(stone.case_ids),
        "sites": sorted(stone.sites),
        "study_marks": sorted(stone.study_marks),
        "object_marks": sorted(stone.object_marks),
        "patient_marks": sorted(stone.patient_marks),
    }


def from_plain(told: Mapping[str, Any]) -> Tombstone:
    """Return the tombstone of a JSON document; raises KeyError or ValueError when it is none."""
    if told["version"] != 1:
        raise ValueError(f"a tombstone of version {told['version']}")
    return Tombstone(
        id=str(told["id"]),
        kind=str(told["kind"]),
        at=datetime.fromisoformat(told["at"]),
        until=datetime.fromisoformat(told["until"]),
        actor_id=str(told["actor_id"]),
        actor_name=str(told["actor_name"]),
        reason=str(told["reason"]),
        studies=int(told["studies"]),
        instances=int(told["instances"]),
        size_bytes=int(told["size_bytes"]),
        packs=int(told["packs"]),
        digest=str(told["digest"]),
        case_ids=tuple(told["case_ids"]),
        sites=tuple(told["sites"]),
        study_marks=frozenset(told["study_marks"]),
        object_marks=frozenset(told["object_marks"]),
        patient_marks=frozenset(told["patient_marks"]),
    )
