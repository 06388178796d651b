"""Every cell of the state table (PS3.8 table 9-10), against another implementation of it."""

from __future__ import annotations

import pytest
from pynetdicom import fsm

from pacs_bridge import pdu
from pacs_bridge.association import EVENT_OF, Association, LocalProtocolError
from pacs_bridge.states import ACTIONS, TABLE, Event, State, Timer

CELLS = [(event, state) for event in Event for state in State]
WORDS = {  # what pynetdicom's description says, and what our action has to say of it
    "Send A-ASSOCIATE-RQ": ("sends", "A-ASSOCIATE-RQ"),
    "Send A-ASSOCIATE-AC": ("sends", "A-ASSOCIATE-AC"),
    "Send A-ASSOCIATE-RJ": ("sends", "A-ASSOCIATE-RJ"),
    "Send P-DATA-TF": ("sends", "P-DATA-TF"),
    "Issue P-DATA-TF PDU": ("sends", "P-DATA-TF"),
    "Send A-RELEASE-RQ": ("sends", "A-RELEASE-RQ"),
    "Send A-RELEASE-RP": ("sends", "A-RELEASE-RP"),
    "Issue A-RELEASE-RP PDU": ("sends", "A-RELEASE-RP"),
    "Send A-ABORT": ("sends", "A-ABORT"),
    "confirmation (accept)": ("indicates", "A-ASSOCIATE confirmation, accept"),
    "confirmation (reject)": ("indicates", "A-ASSOCIATE confirmation, reject"),
    "A-ASSOCIATE indication": ("indicates", "A-ASSOCIATE indication"),
    "Send P-DATA indication": ("indicates", "P-DATA indication"),
    "Issue P-DATA indication": ("indicates", "P-DATA indication"),
    "A-RELEASE indication": ("indicates", "A-RELEASE indication"),
    "A-RELEASE confirmation": ("indicates", "A-RELEASE confirmation"),
    "issue A-ABORT": ("indicates", "A-ABORT indication"),
    "Issue A-P-ABORT": ("indicates", "A-P-ABORT indication"),
    "issue an A-P-ABORT": ("indicates", "A-P-ABORT indication"),
    "TRANSPORT CONNECT request": ("connects", True),
    "lose transport connection": ("closes", True),
    "start ARTIM": ("timer", Timer.STARTED),
    "start (or": ("timer", Timer.STARTED),
    "Stop ARTIM": ("timer", Timer.STOPPED),
}
THEIRS_ALONE = {("AE-6", "A-ASSOCIATE-RJ"), ("AE-6", Timer.STARTED)}
"""AE-6 has two outcomes; whether a request is acceptable is what AE-7 and AE-8 answer here."""


def in_state(state: State) -> Association:
    association = Association()
    association.state = state
    return association


def test_table_has_nineteen_events_and_thirteen_states() -> None:
    assert len(CELLS) == 247
    assert len(TABLE) == len(fsm.TRANSITION_TABLE)


@pytest.mark.parametrize(("event", "state"), CELLS, ids=lambda value: value.name)
def test_cell_does_what_another_implementation_does(event: Event, state: State) -> None:
    theirs = fsm.TRANSITION_TABLE.get((f"Evt{event.value}", f"Sta{state.value}"))
    association = in_state(state)
    if theirs is None:
        assert (event, state) not in TABLE
        with pytest.raises(LocalProtocolError, match=rf"{event.name} cannot happen in"):
            association.happens(event)
        assert association.state is state
        return

    action = association.happens(event)

    assert TABLE[event, state] == theirs
    assert action is ACTIONS[theirs]
    follows = fsm.ACTIONS[theirs][2]
    allowed = (follows,) if isinstance(follows, str) else follows
    assert f"Sta{association.state.value}" in allowed


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_action_does_what_its_description_says(name: str) -> None:
    assert set(ACTIONS) == set(fsm.ACTIONS)
    said = " ".join(fsm.ACTIONS[name][0].split())
    action = ACTIONS[name]

    expected = {
        (what, value)
        for words, (what, value) in WORDS.items()
        if words in said and (name, value) not in THEIRS_ALONE
    }
    done = {
        ("sends", action.sends),
        ("indicates", action.indicates),
        ("connects", action.connects),
        ("closes", action.closes),
        ("timer", action.timer),
    }
    nothing = {
        ("sends", ""),
        ("indicates", ""),
        ("connects", False),
        ("closes", False),
        ("timer", Timer.KEPT),
    }
    assert done - nothing == expected


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_action_is_followed_by_the_state_of_the_standard(name: str) -> None:
    follows = fsm.ACTIONS[name][2]
    action = ACTIONS[name]
    if name == "AR-8":
        assert (action.follows, action.follows_of_acceptor) == (State.STA9, State.STA10)
    elif name == "AE-6":
        assert action.follows is State.STA3
    else:
        assert f"Sta{action.follows.value}" == follows
        assert action.follows_of_acceptor is None


def test_acceptor_of_a_release_collision_awaits_the_reply_before_it_answers() -> None:
    association = in_state(State.STA7)

    for event, state in (
        (Event.EVT12, State.STA10),
        (Event.EVT13, State.STA12),
        (Event.EVT14, State.STA13),
        (Event.EVT17, State.STA1),
    ):
        association.happens(event)
        assert association.state is state


def test_acceptor_goes_from_the_connection_to_the_release_and_the_end() -> None:
    association = Association()
    seen = [association.state]
    for number in (5, 6, 7, 10, 9, 12, 14, 17):
        association.happens(Event(number))
        seen.append(association.state)

    assert [state.value for state in seen] == [1, 2, 3, 6, 6, 6, 8, 13, 1]
    assert not association.is_established
    assert association.is_over


def test_every_pdu_but_data_has_its_event() -> None:
    assert set(EVENT_OF) == set(pdu.Pdu.__args__)
    assert len(set(EVENT_OF.values())) == len(EVENT_OF)
