"""The state machine of the upper layer as data (PS3.8 section 9.2): events, states, actions.

Everything that decides what follows an event is here; nothing here reads, sends or waits. It is the
machine of both roles, as the standard has it; a receiver enters it at Evt5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum


class State(IntEnum):
    """PS3.8 tables 9-1 to 9-5."""

    STA1 = 1  # idle
    STA2 = 2  # transport connection open, awaiting A-ASSOCIATE-RQ
    STA3 = 3  # awaiting the local answer to an association request
    STA4 = 4  # awaiting the transport connection to open
    STA5 = 5  # awaiting A-ASSOCIATE-AC or -RJ
    STA6 = 6  # association established, ready for data
    STA7 = 7  # awaiting A-RELEASE-RP
    STA8 = 8  # awaiting the local answer to a release request
    STA9 = 9  # release collision, requestor: awaiting the local answer
    STA10 = 10  # release collision, acceptor: awaiting A-RELEASE-RP
    STA11 = 11  # release collision, requestor: awaiting A-RELEASE-RP
    STA12 = 12  # release collision, acceptor: awaiting the local answer
    STA13 = 13  # awaiting the transport connection to close


class Event(IntEnum):
    """PS3.8 table 9-10, the rows."""

    EVT1 = 1  # A-ASSOCIATE request, local
    EVT2 = 2  # transport connection confirmed
    EVT3 = 3  # A-ASSOCIATE-AC received
    EVT4 = 4  # A-ASSOCIATE-RJ received
    EVT5 = 5  # transport connection indicated
    EVT6 = 6  # A-ASSOCIATE-RQ received
    EVT7 = 7  # A-ASSOCIATE response, accept, local
    EVT8 = 8  # A-ASSOCIATE response, reject, local
    EVT9 = 9  # P-DATA request, local
    EVT10 = 10  # P-DATA-TF received
    EVT11 = 11  # A-RELEASE request, local
    EVT12 = 12  # A-RELEASE-RQ received
    EVT13 = 13  # A-RELEASE-RP received
    EVT14 = 14  # A-RELEASE response, local
    EVT15 = 15  # A-ABORT request, local
    EVT16 = 16  # A-ABORT received
    EVT17 = 17  # transport connection closed
    EVT18 = 18  # ARTIM timer expired
    EVT19 = 19  # unrecognised or invalid PDU received


class Timer(IntEnum):
    """What an action does with the ARTIM timer (PS3.8 section 9.1.5)."""

    KEPT = 0
    STARTED = 1
    STOPPED = 2


@dataclass(frozen=True)
class Action:
    """What an action of PS3.8 tables 9-6 to 9-9 does, and the state that follows it."""

    follows: State
    sends: str = ""  # the PDU that is sent
    indicates: str = ""  # the primitive that the local user is given
    timer: Timer = Timer.KEPT
    connects: bool = False
    closes: bool = False
    follows_of_acceptor: State | None = None  # AR-8 only: the other side of a release collision


P_DATA = "P-DATA indication"

S = State
ACTIONS: Mapping[str, Action] = {
    # association establishment, table 9-6
    "AE-1": Action(S.STA4, connects=True),
    "AE-2": Action(S.STA5, sends="A-ASSOCIATE-RQ"),
    "AE-3": Action(S.STA6, indicates="A-ASSOCIATE confirmation, accept"),
    "AE-4": Action(S.STA1, indicates="A-ASSOCIATE confirmation, reject", closes=True),
    "AE-5": Action(S.STA2, timer=Timer.STARTED),
    "AE-6": Action(S.STA3, indicates="A-ASSOCIATE indication", timer=Timer.STOPPED),
    "AE-7": Action(S.STA6, sends="A-ASSOCIATE-AC"),
    "AE-8": Action(S.STA13, sends="A-ASSOCIATE-RJ", timer=Timer.STARTED),
    # data transfer, table 9-7
    "DT-1": Action(S.STA6, sends="P-DATA-TF"),
    "DT-2": Action(S.STA6, indicates=P_DATA),
    # association release, table 9-8
    "AR-1": Action(S.STA7, sends="A-RELEASE-RQ"),
    "AR-2": Action(S.STA8, indicates="A-RELEASE indication"),
    "AR-3": Action(S.STA1, indicates="A-RELEASE confirmation", closes=True),
    "AR-4": Action(S.STA13, sends="A-RELEASE-RP", timer=Timer.STARTED),
    "AR-5": Action(S.STA1, timer=Timer.STOPPED),
    "AR-6": Action(S.STA7, indicates=P_DATA),
    "AR-7": Action(S.STA8, sends="P-DATA-TF"),
    "AR-8": Action(S.STA9, indicates="A-RELEASE indication", follows_of_acceptor=S.STA10),
    "AR-9": Action(S.STA11, sends="A-RELEASE-RP"),
    "AR-10": Action(S.STA12, indicates="A-RELEASE confirmation"),
    # association abort, table 9-9
    "AA-1": Action(S.STA13, sends="A-ABORT", timer=Timer.STARTED),
    "AA-2": Action(S.STA1, timer=Timer.STOPPED, closes=True),
    "AA-3": Action(S.STA1, indicates="A-ABORT indication", closes=True),
    "AA-4": Action(S.STA1, indicates="A-P-ABORT indication"),
    "AA-5": Action(S.STA1, timer=Timer.STOPPED),
    "AA-6": Action(S.STA13),
    "AA-7": Action(S.STA13, sends="A-ABORT"),
    "AA-8": Action(S.STA13, sends="A-ABORT", indicates="A-P-ABORT indication", timer=Timer.STARTED),
}

_ROWS = """
Evt1  1:AE-1
Evt2  4:AE-2
Evt3  2:AA-1 3:AA-8 5:AE-3 6:AA-8 7:AA-8 8:AA-8 9:AA-8 10:AA-8 11:AA-8 12:AA-8 13:AA-6
Evt4  2:AA-1 3:AA-8 5:AE-4 6:AA-8 7:AA-8 8:AA-8 9:AA-8 10:AA-8 11:AA-8 12:AA-8 13:AA-6
Evt5  1:AE-5
Evt6  2:AE-6 3:AA-8 5:AA-8 6:AA-8 7:AA-8 8:AA-8 9:AA-8 10:AA-8 11:AA-8 12:AA-8 13:AA-7
Evt7  3:AE-7
Evt8  3:AE-8
Evt9  6:DT-1 8:AR-7
Evt10 2:AA-1 3:AA-8 5:AA-8 6:DT-2 7:AR-6 8:AA-8 9:AA-8 10:AA-8 11:AA-8 12:AA-8 13:AA-6
Evt11 6:AR-1
Evt12 2:AA-1 3:AA-8 5:AA-8 6:AR-2 7:AR-8 8:AA-8 9:AA-8 10:AA-8 11:AA-8 12:AA-8 13:AA-6
Evt13 2:AA-1 3:AA-8 5:AA-8 6:AA-8 7:AR-3 8:AA-8 9:AA-8 10:AR-10 11:AR-3 12:AA-8 13:AA-6
Evt14 8:AR-4 9:AR-9 12:AR-4
Evt15 3:AA-1 4:AA-2 5:AA-1 6:AA-1 7:AA-1 8:AA-1 9:AA-1 10:AA-1 11:AA-1 12:AA-1
Evt16 2:AA-2 3:AA-3 5:AA-3 6:AA-3 7:AA-3 8:AA-3 9:AA-3 10:AA-3 11:AA-3 12:AA-3 13:AA-2
Evt17 2:AA-5 3:AA-4 4:AA-4 5:AA-4 6:AA-4 7:AA-4 8:AA-4 9:AA-4 10:AA-4 11:AA-4 12:AA-4 13:AR-5
Evt18 2:AA-2 13:AA-2
Evt19 2:AA-1 3:AA-8 5:AA-8 6:AA-8 7:AA-8 8:AA-8 9:AA-8 10:AA-8 11:AA-8 12:AA-8 13:AA-7
"""
"""PS3.8 table 9-10, a line for each event: the states in which it may come, and what is done."""


def _table(rows: str) -> dict[tuple[Event, State], str]:
    cells: dict[tuple[Event, State], str] = {}
    for line in rows.strip().splitlines():
        event, *entries = line.split()
        for entry in entries:
            state, action = entry.split(":")
            cells[Event(int(event.removeprefix("Evt"))), State(int(state))] = action
    return cells


TABLE: Mapping[tuple[Event, State], str] = _table(_ROWS)
"""The action of each (event, state); what is not in it cannot happen to a sound local user."""

CELLS: tuple[tuple[Action | None, ...], ...] = tuple(
    tuple(
        ACTIONS[TABLE[Event(event), State(state)]] if (event, state) in TABLE else None
        for state in range(max(State) + 1)
    )
    for event in range(max(Event) + 1)
)
"""The same by number, for the loop that asks for every fragment."""
