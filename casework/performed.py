"""How a modality performed procedure step may change (PS3.4 section F.7.2). Keeps nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from casework.errors import Conflict, Invalid


class StepStatus(StrEnum):
    """Performed Procedure Step Status (0040,0252)."""

    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"

    @property
    def is_final(self) -> bool:
        """Tell whether the step has ended, and what it made is known."""
        return self is not StepStatus.IN_PROGRESS


@dataclass(frozen=True)
class ScheduledReference:
    """What a performed step says of a scheduled one that it carries out (PS3.3 C.4.13)."""

    study_uid: str = ""
    accession_number: str = ""
    step_id: str = ""  # Scheduled Procedure Step ID


@dataclass(frozen=True)
class PerformedStep:
    """What a modality has told of one step."""

    uid: str
    ae: str
    status: StepStatus
    study_uids: tuple[str, ...] = ()
    started: str = ""  # date and time as the modality wrote them: its zone is rarely known
    ended: str = ""
    instance_uids: frozenset[str] = field(default_factory=frozenset)  # what the step has made
    scheduled: tuple[ScheduledReference, ...] = ()  # as told at its beginning; not kept


def status_of(text: str) -> StepStatus:
    """Return the status that a text names, or raise Invalid."""
    try:
        return StepStatus(text)
    except ValueError as error:
        known = ", ".join(StepStatus)
        raise Invalid(f"Step status {text!r}: use {known}.", code="invalid-value") from error


def require_new(step: PerformedStep) -> None:
    """Raise Invalid unless a step may begin so (PS3.4 F.7.2.1.2): in progress, of a study."""
    if step.status is not StepStatus.IN_PROGRESS:
        raise Invalid("A step begins IN PROGRESS.", code="invalid-value")
    if not step.study_uids:
        raise Invalid("Study Instance UID is missing.", code="missing-attribute")


def require_open(status: StepStatus) -> None:
    """Raise Conflict unless a step may still change (PS3.4 F.7.2.2.2): ended ones may not."""
    if status.is_final:
        raise Conflict("The performed procedure step may no longer be updated.", code="step-ended")
