"""What a worklist is narrowed to, by which names people keep it, and whether a case fits it.

The words of a search are left to the casebook, which knows how to look for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from casework.errors import Invalid
from casework.model import CaseState, Priority, Specialty
from casework.second_readings import OPEN as READING_OPEN

OPEN = (CaseState.SUBMITTED, CaseState.CLAIMED, CaseState.REPORTED, CaseState.WAITING)
STATES: Mapping[str, tuple[CaseState, ...]] = MappingProxyType(
    {
        "open": OPEN,
        "ours": (CaseState.SUBMITTED, CaseState.CLAIMED, CaseState.REPORTED),
        "others": (CaseState.WAITING,),
        "replied": (CaseState.SIGNED, CaseState.DELIVERED, CaseState.READ, CaseState.CLOSED),
        "aside": (CaseState.DECLINED, CaseState.WITHDRAWN),
    }
)
"""The choices of the state; the first is what the page opens with."""

ME, NOBODY = "me", "nobody"
"""Holders that are not a person's id."""

SOON = timedelta(hours=2)
"""How near its target a case is soon late."""

MOST_FILTERS = 20
_MOST_NAME = 40
_MOST_WORDS = 100


class Mark(StrEnum):
    """What else a case may be picked by."""

    WARNED = "warned"  # a photograph has a warning
    CHANGED = "changed"  # something came after the reply
    SECOND = "second"  # waits for a second reading
    SOON = "soon"  # late, or so within two hours


ANY_STATE = frozenset({Mark.CHANGED, Mark.SECOND})
"""Marks that are looked for among answered cases too."""


@dataclass(frozen=True)
class Wanted:
    """What somebody wants to see of the worklist; empty is everything that is open."""

    state: str = "open"
    specialty: str = ""
    site: str = ""
    priority: str = ""  # of `Priority`, or `pressing`: all but routine
    holder: str = ""  # an actor's id, `me` or `nobody`
    mark: str = ""
    q: str = ""

    @property
    def states(self) -> tuple[CaseState, ...] | None:
        """Return the states that are wanted; None: any."""
        if self.mark in ANY_STATE and self.state == "open":
            return None
        return STATES[self.state]

    @property
    def priorities(self) -> tuple[Priority, ...] | None:
        """Return the priorities that are wanted; None: any."""
        if not self.priority:
            return None
        if self.priority == PRESSING:
            return tuple(each for each in Priority if each is not Priority.ROUTINE)
        return (Priority(self.priority),)

    def asked(self) -> dict[str, str]:
        """Return what differs from everything that is open, as an address has it."""
        plain = Wanted()
        return {
            f.name: value
            for f in fields(self)
            if (value := getattr(self, f.name)) != getattr(plain, f.name)
        }


PRESSING = "pressing"
_CHOICES: Mapping[str, frozenset[str]] = {
    "state": frozenset(STATES),
    "specialty": frozenset({"", *Specialty}),
    "priority": frozenset({"", PRESSING, *Priority}),
    "mark": frozenset({"", *Mark}),
}


@dataclass(frozen=True)
class SavedFilter:
    """What a person keeps under a name, as a tab of the worklist."""

    id: int
    name: str
    wanted: Wanted
    is_default: bool = False


@dataclass(frozen=True)
class Held:
    """What the worklist must know of a case to count it: an open one, or one that is marked."""

    id: str
    state: CaseState
    specialty: Specialty
    priority: Priority
    site: str
    holder_id: str
    holder_name: str
    claimed_at: datetime | None
    due_at: datetime | None
    is_changed: bool = False
    is_warned: bool = False
    reading: str = ""  # state of its second reading, when that is open
    may_read_second: bool = False  # by the one who looks


def read_wanted(given: Mapping[str, Any], *, strict: bool = False) -> Wanted:
    """Return what is asked for; what is unknown is left out, or refused where that is strict."""
    known = {f.name for f in fields(Wanted)}
    found: dict[str, str] = {}
    for name, value in given.items():
        text = str(value or "").strip()
        if name == "q":
            text = text[:_MOST_WORDS]
        is_choice = not text or text in _CHOICES.get(name, {text})
        is_known = name in known and is_choice and len(text) <= _MOST_WORDS
        if is_known and text:
            found[name] = text
        elif strict and not is_known:
            raise Invalid(f"The worklist cannot be narrowed to {name} {text}.", code="bad-filter")
    return replace(Wanted(), **found)


def normal_name(text: str) -> str:
    """Return the name of a filter, or raise Invalid when it is none."""
    name = " ".join(text.split())
    if not name or len(name) > _MOST_NAME or not name.isprintable():
        raise Invalid(f"Give the filter a name of 1 to {_MOST_NAME} letters.", code="bad-name")
    return name


def fits(wanted: Wanted, held: Held, *, me: str, now: datetime) -> bool:
    """Tell whether a case is wanted, whatever its words."""
    states, priorities = wanted.states, wanted.priorities
    holder = {ME: me, NOBODY: ""}.get(wanted.holder, wanted.holder)
    return (
        (states is None or held.state in states)
        and wanted.specialty in {"", held.specialty}
        and wanted.site in {"", held.site}
        and (priorities is None or held.priority in priorities)
        and (not wanted.holder or held.holder_id == holder)
        and _is_marked(wanted.mark, held, now)
    )


def is_late(held: Held, *, now: datetime) -> bool:
    """Tell whether a case is past its target, and waits for a specialist."""
    return _waits(held) and held.due_at is not None and held.due_at < now


def is_soon_late(held: Held, *, now: datetime) -> bool:
    """Tell whether a case that waits for a specialist is late, or will be soon."""
    return _waits(held) and held.due_at is not None and held.due_at < now + SOON


def _waits(held: Held) -> bool:
    return held.state in STATES["ours"]


def _is_marked(mark: str, held: Held, now: datetime) -> bool:
    return {
        "": True,
        Mark.WARNED: held.is_warned,
        Mark.CHANGED: held.is_changed,
        Mark.SECOND: held.reading in READING_OPEN,
        Mark.SOON: is_soon_late(held, now=now),
    }[mark]
