"""A case as a work item (UPS, PS3.4 annex CC): its UID, its state, what may be done with it.

Decides only; what a work item says of itself is in `workitem_values`.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from casework.identifiers import case_id_of_number, number_of_case_id, uid_from_uuid
from casework.model import Case, CaseState, Priority, StudyOfCase

GLOBAL_SUBSCRIPTION = "1.2.840.10008.5.1.4.34.5"
FILTERED_SUBSCRIPTION = "1.2.840.10008.5.1.4.34.5.1"
"""The instances that stand for the worklist, and for what of it fits a filter (PS3.6 annex A)."""

PUSH_CLASS = "1.2.840.10008.5.1.4.34.6.1"
EVENT_CLASS = "1.2.840.10008.5.1.4.34.6.4"

_CHECK_BITS = 74
_UID_PREFIX = uid_from_uuid(uuid.UUID(int=0)).rpartition(".")[0] + "."


class StepState(StrEnum):
    """The states of a work item (PS3.4 CC.1.1)."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"


FINAL = frozenset({StepState.COMPLETED, StepState.CANCELED})

CASE_STATES: Mapping[StepState, frozenset[CaseState]] = {
    StepState.SCHEDULED: frozenset({CaseState.SUBMITTED}),
    StepState.IN_PROGRESS: frozenset({CaseState.CLAIMED, CaseState.WAITING, CaseState.REPORTED}),
    StepState.COMPLETED: frozenset(
        {CaseState.SIGNED, CaseState.DELIVERED, CaseState.READ, CaseState.CLOSED}
    ),
    StepState.CANCELED: frozenset({CaseState.WITHDRAWN, CaseState.DECLINED, CaseState.CLOSED}),
}
"""In which states a case is a work item of this state; a closed one was answered or declined."""

PRIORITIES: Mapping[Priority, str] = {
    Priority.STAT: "HIGH",
    Priority.ASAP: "MEDIUM",
    Priority.URGENT: "MEDIUM",
    Priority.ROUTINE: "LOW",
}
"""Scheduled Procedure Step Priority; HIGH is what a STAT request is (PS3.3 C.30.1)."""

OF_PRIORITY: Mapping[str, Priority] = {
    "HIGH": Priority.STAT,
    "MEDIUM": Priority.URGENT,
    "LOW": Priority.ROUTINE,
}
"""What a priority that a client sends makes of a case."""


@dataclass(frozen=True)
class Code:
    """A coded concept (PS3.3 section 8)."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class Contact:
    """Where somebody can be reached about a work item."""

    uri: str
    name: str = ""


@dataclass(frozen=True)
class Told:
    """What clients have said of a work item and the case itself has no place for."""

    progress: float | None = None  # percent
    description: str = ""
    contacts: tuple[Contact, ...] = ()
    reason: str = ""  # for cancellation
    discontinued: tuple[Code, ...] = ()
    comments: str = ""


@dataclass(frozen=True)
class Request:
    """A study of the case, as the request for reading it names it."""

    study: StudyOfCase
    accession_number: str = ""
    procedure_description: str = ""
    referring_physician: str = ""


@dataclass(frozen=True)
class Series:
    """A series with its objects: pairs of SOP Class and Instance UID."""

    study_uid: str
    series_uid: str
    objects: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class WorkItem:
    """A case that has been submitted, as a work item, with what is known around it."""

    uid: str
    case: Case
    requests: tuple[Request, ...] = ()
    told: Told = field(default_factory=Told)
    told_at: datetime | None = None
    transaction_uid: str = ""  # of the present claim; never shown
    holder_site: str = ""  # name of the holder's organisation
    completed_at: datetime | None = None  # when the first report was signed
    canceled_at: datetime | None = None
    canceled_because: str = ""
    inputs: tuple[Series, ...] = ()
    outputs: tuple[Series, ...] = ()

    @property
    def state(self) -> StepState:
        """Return where the work item is."""
        return step_state(self.case)


class Verdict(StrEnum):
    """What comes of a request to change the state of a work item."""

    CLAIM = "claim"
    TAKE_UP = "take-up"  # the one who claimed it elsewhere gives the claim its Transaction UID
    CANCEL = "cancel"
    ALREADY = "already"
    NOT_SIGNED = "not-signed"
    TRANSACTION_MISSING = "transaction-missing"
    TRANSACTION_WRONG = "transaction-wrong"
    INCONSISTENT = "inconsistent"


def is_work_item(case: Case) -> bool:
    """Tell whether a case has ever asked a specialist; one that has not is no work item."""
    return case.submitted_at is not None and case.state is not CaseState.DRAFT


def step_state(case: Case) -> StepState:
    """Return the state of a case as a work item."""
    if case.state is CaseState.CLOSED:
        return StepState.COMPLETED if case.report_version else StepState.CANCELED
    return next(step for step, states in CASE_STATES.items() if case.state in states)


def judge(state: StepState, wanted: StepState, *, given: str, kept: str) -> Verdict:
    """Return what comes of a request for a state (PS3.4 table CC.1.1-2).

    `given` is the Transaction UID of the request, `kept` that of the present or last claim; a claim
    that was made on a page has none.
    """
    if wanted is StepState.SCHEDULED:
        return Verdict.INCONSISTENT
    if not given:
        return Verdict.TRANSACTION_MISSING
    if wanted is StepState.IN_PROGRESS:
        return _judge_claim(state, kept)
    if state is StepState.SCHEDULED:
        return Verdict.INCONSISTENT
    if state is StepState.IN_PROGRESS:
        if given != kept:
            return Verdict.TRANSACTION_WRONG
        return Verdict.CANCEL if wanted is StepState.CANCELED else Verdict.NOT_SIGNED
    if kept and given != kept:
        return Verdict.TRANSACTION_WRONG
    return Verdict.ALREADY if state is wanted else Verdict.INCONSISTENT


def judge_update(state: StepState, *, given: str, kept: str) -> Verdict | None:
    """Return why a work item may not be updated (PS3.4 CC.2.6.3), or None when it may."""
    if state in FINAL:
        return Verdict.INCONSISTENT
    if state is StepState.SCHEDULED:
        return Verdict.INCONSISTENT if given else None
    if not given:
        return Verdict.TRANSACTION_MISSING
    return None if given == kept else Verdict.TRANSACTION_WRONG


def work_item_uid(case_id: str) -> str:
    """Return the UID of the work item that a case is, from which `case_of_uid` tells the case.

    A UUID of version 8 (RFC 9562 section 5.8): the case number, and a hash of it as a check.
    """
    number = number_of_case_id(case_id)
    check = int.from_bytes(hashlib.sha256(f"work-item\x1f{case_id}".encode()).digest())
    check >>= 256 - _CHECK_BITS
    value = number << 80 | 8 << 76 | (check >> 62) << 64 | 2 << 62 | check & ((1 << 62) - 1)
    return uid_from_uuid(uuid.UUID(int=value))


def case_of_uid(uid: str) -> str | None:
    """Return the number of the case that a UID of ours is of, or None."""
    digits = uid.removeprefix(_UID_PREFIX)
    if digits == uid or not (digits.isascii() and digits.isdecimal()) or len(digits) > 39:
        return None
    case_id = case_id_of_number(int(digits) >> 80)
    return case_id if case_id is not None and work_item_uid(case_id) == uid else None


def _judge_claim(state: StepState, kept: str) -> Verdict:
    if state is StepState.SCHEDULED:
        return Verdict.CLAIM
    if state is StepState.IN_PROGRESS and not kept:
        return Verdict.TAKE_UP
    return Verdict.INCONSISTENT
