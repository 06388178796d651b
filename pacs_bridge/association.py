"""One association as its acceptor sees it: follows the state table, knows no socket and no clock.

The receive loop tells it what happened and does what the action says.
"""

from __future__ import annotations

from collections.abc import Mapping

from pacs_bridge import pdu
from pacs_bridge.states import CELLS, Action, Event, State

EVENT_OF: Mapping[type, Event] = {
    pdu.AssociateRequest: Event.EVT6,
    pdu.AssociateAccept: Event.EVT3,
    pdu.AssociateReject: Event.EVT4,
    pdu.ReleaseRequest: Event.EVT12,
    pdu.ReleaseReply: Event.EVT13,
    pdu.Abort: Event.EVT16,
}
"""The event that each PDU is when it is received (PS3.8 table 9-10)."""


class LocalProtocolError(Exception):
    """We did what the state does not allow: a defect of ours, never the peer's fault."""


class Association:
    """The state of one association."""

    def __init__(self) -> None:
        self.state = State.STA1

    @property
    def is_established(self) -> bool:
        """Tell whether messages are exchanged now."""
        return self.state is State.STA6

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more can come of it but the end of the connection."""
        return self.state is State.STA13 or self.state is State.STA1

    def happens(self, event: Event) -> Action:
        """Enter the state that follows an event and return what is to be done."""
        action = CELLS[event][self.state]
        if action is None:
            raise LocalProtocolError(f"{event.name} cannot happen in {self.state.name}")
        self.state = action.follows_of_acceptor or action.follows
        return action
