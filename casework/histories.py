"""What became of a case, as statistics need it: its times, its waits, its reply, its outcome.

Values only, without a name or a number of a patient; `statistics` counts them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from casework.audit import ACTIONS
from casework.codings import Coding
from casework.lifecycle import Event
from casework.model import Priority, Specialty
from casework.outcomes import Outcome


@dataclass(frozen=True)
class Turn:
    """One thing that was done to a case: the action of its audit entry."""

    action: str  # of `audit.ACTIONS`
    at: datetime
    reason: str = ""  # of a question to the referrer


@dataclass(frozen=True)
class Wait:
    """A time in which the case waited for the one who asked; without an end it still does."""

    reason: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True)
class Answer:
    """What the signed reply said, as far as it is counted."""

    assessable: str = "yes"  # yes | partly | no
    reason: str = ""  # of what could not be judged
    urgency: str = "none"
    diagnosis: str = ""  # the first one's words
    code: str = ""
    system: str = ""
    codes: tuple[Coding, ...] = ()  # every one of it


@dataclass(frozen=True)
class Second:
    """A signed second reading, as far as it is counted."""

    comparison: str  # agree | minor | major, or empty: not said yet
    is_blinded: bool
    is_decided: bool = False  # by a third, after a major difference


@dataclass(frozen=True)
class History:
    """One submitted case. Times are aware UTC; None is what has not happened."""

    case_id: str
    site: str
    specialty: Specialty
    priority: Priority
    submitted_at: datetime
    due_at: datetime | None = None
    claimed_at: datetime | None = None  # the first time
    signed_at: datetime | None = None  # the first version
    read_at: datetime | None = None
    is_declined: bool = False
    is_withdrawn: bool = False
    waits: tuple[Wait, ...] = ()
    answer: Answer | None = None
    photographs: int = 0
    warned: frozenset[str] = frozenset()  # reasons that the check of the photographs gave
    would_refer: str = ""  # what the referrer would have done without the answer: yes | no
    travel_km: float | None = None  # from the site to the centre, one way
    outcome: Outcome | None = None
    second: Second | None = None

    @property
    def waited(self) -> timedelta:
        """Return how long it waited for the referrer before the answer; an open wait counts not."""
        ended = [w.until - w.since for w in self.waits if w.until is not None]
        return sum(ended, timedelta(0))

    @property
    def asked_for(self) -> frozenset[str]:
        """Return the reasons for which the reader asked back, or could not judge."""
        said = {wait.reason for wait in self.waits}
        if self.answer is not None and self.answer.assessable != "yes":
            said.add(self.answer.reason)
        return frozenset(said - {""})


_ENDS = frozenset(ACTIONS[event] for event in (Event.ANSWER, Event.RELEASE, Event.WITHDRAW))


def waits_of(turns: Iterable[Turn]) -> tuple[Wait, ...]:
    """Return the waits among what was done to a case, in its order: from a question to what ended
    it.
    """
    waits: list[Wait] = []
    asked: Turn | None = None
    for turn in turns:
        if turn.action == ACTIONS[Event.ASK]:
            asked = asked or turn
        elif asked is not None and turn.action in _ENDS:
            waits.append(Wait(asked.reason, asked.at, turn.at))
            asked = None
    if asked is not None:
        waits.append(Wait(asked.reason, asked.at))
    return tuple(waits)
