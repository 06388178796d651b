"""Which events of a work item its subscribers are told (PS3.4 CC.2.4), from entries of the audit.

The audit is the one order of all that happened to cases, on whichever node. Sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum
from typing import Any

from casework.audit import ACTIONS
from casework.lifecycle import Event
from casework.model import CaseState
from casework.workitem_values import assigned, cancellation, progress, readiness
from casework.workitems import StepState, WorkItem

UPDATED = "work-item-updated"
CANCEL_ASKED = "work-item-cancel-requested"
"""What the audit calls the two things that change a work item and leave its case as it is."""

AFTER: Mapping[str, StepState] = {
    ACTIONS[Event.SUBMIT]: StepState.SCHEDULED,
    ACTIONS[Event.RELEASE]: StepState.SCHEDULED,
    ACTIONS[Event.ANSWER]: StepState.SCHEDULED,
    ACTIONS[Event.EXPIRE]: StepState.SCHEDULED,
    ACTIONS[Event.CLAIM]: StepState.IN_PROGRESS,
    ACTIONS[Event.HAND_OVER]: StepState.IN_PROGRESS,
    ACTIONS[Event.SIGN]: StepState.COMPLETED,
    ACTIONS[Event.DECLINE]: StepState.CANCELED,
    ACTIONS[Event.WITHDRAW]: StepState.CANCELED,
}
"""In which state a work item is after an entry; others leave it where it was."""

WITHIN = frozenset({ACTIONS[Event.ASK], ACTIONS[Event.DRAFT], UPDATED, CANCEL_ASKED})
"""Entries of a work item that goes on."""

TOLD = frozenset(AFTER) | WITHIN

SUBSCRIBED = "work-items-subscribed"
"""What the audit calls a subscription, of which the first report is due at once."""

_LEFT = {ACTIONS[Event.ASK]: CaseState.WAITING, ACTIONS[Event.DRAFT]: CaseState.REPORTED}
_UNCLAIMED = frozenset({ACTIONS[Event.SUBMIT], ACTIONS[Event.CLAIM]})
_ASSIGNED = frozenset({ACTIONS[Event.CLAIM], ACTIONS[Event.HAND_OVER]})


class EventType(IntEnum):
    """The event types of PS3.4 table CC.2.4-1."""

    STATE_REPORT = 1
    CANCEL_REQUESTED = 2
    PROGRESS_REPORT = 3
    SCP_STATUS_CHANGE = 4
    ASSIGNED = 5


@dataclass(frozen=True)
class Happening:
    """An entry of the audit that is of interest, with what was said then."""

    seq: int
    action: str
    case_id: str
    text: str = ""  # of a request to cancel
    was_in_progress: bool = True  # when it was updated


@dataclass(frozen=True)
class Report:
    """One event as it is told: its type, its instance and its attributes."""

    event: EventType
    uid: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Worklist:
    """A subscription to the worklist, or to what of it fits a filter."""

    fits: Callable[[StepState], bool] = field(default=lambda _state: True)
    suspended_at: datetime | None = None


def reports_of(of: Happening, item: WorkItem, *, requesting_ae: str) -> Iterator[Report]:
    """Give what subscribers are told of an entry; the rest of the work item is as it is now."""
    state = AFTER.get(of.action)
    if state is not None:
        yield state_report(item, state)
    if of.action in _ASSIGNED and assigned(item):
        yield Report(EventType.ASSIGNED, item.uid, assigned(item))
    if of.action == CANCEL_ASKED:
        asked = {"RequestingAE": requesting_ae, "ReasonForCancellation": of.text}
        yield Report(EventType.CANCEL_REQUESTED, item.uid, asked)
    elif of.action in WITHIN and of.was_in_progress:
        told = {"ProcedureStepProgressInformationSequence": progress(_as_it_was(of, item))}
        yield Report(EventType.PROGRESS_REPORT, item.uid, told)


def _as_it_was(of: Happening, item: WorkItem) -> WorkItem:
    """Return a work item in progress, as an entry left it; it may be finished by now."""
    state = _LEFT.get(of.action)
    if state is None and item.state is not StepState.IN_PROGRESS:
        state = CaseState.CLAIMED
    return item if state is None else replace(item, case=replace(item.case, state=state))


def state_report(item: WorkItem, state: StepState) -> Report:
    """Return the report that a work item is in a state."""
    values: dict[str, Any] = {
        "InputReadinessState": readiness(item),
        "ProcedureStepState": state.value,
    }
    if state is StepState.CANCELED:
        values |= cancellation(item)
        del values["ProcedureStepCancellationDateTime"]
    return Report(EventType.STATE_REPORT, item.uid, values)


def states_around(of: Happening) -> frozenset[StepState]:
    """Return in which states a filter may find a work item around an entry.

    As it was made, before the entry and after it: to be subscribed once is to be subscribed on.
    """
    found = {StepState.SCHEDULED, AFTER.get(of.action, StepState.IN_PROGRESS)}
    if of.action not in _UNCLAIMED:
        found.add(StepState.IN_PROGRESS)
    return frozenset(found)


def is_subscribed(
    item: WorkItem,
    worklist: Worklist | None,
    own: bool | None,
    states: frozenset[StepState],
) -> bool:
    """Tell whether a subscriber is told of a work item that is, or was a moment ago, in one of
    some states.

    `own` is what was said of this work item alone: subscribed, taken out, or nothing. To suspend
    the worklist's subscription leaves out what is made from then on (PS3.4 CC.2.3.3).
    """
    if own is not None:
        return own
    if worklist is None:
        return False
    made = item.case.submitted_at
    if worklist.suspended_at is not None and (made is None or made > worklist.suspended_at):
        return False
    return any(worklist.fits(state) for state in states)
