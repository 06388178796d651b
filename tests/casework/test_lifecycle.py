import pytest

from casework.errors import Conflict
from casework.lifecycle import HELD, REPLIED, TABLE, Event, after, possible
from casework.model import CaseState

EXPECTED = """
            submit     claim    release    ask      answer     draft     sign    deliver    open  acknowledge addend  correct  decline   withdraw      hand-over    expire       ask-second   drop-second  read-second  judge-second
draft       submitted  -        -          -        -          -         -       -          -     -           -       -        -         withdrawn     -            -            -            -            -            -
submitted   -          claimed  -          -        -          -         -       -          -     -           -       -        declined  withdrawn     claimed      -            -            submitted    submitted    -
claimed     -          -        submitted  waiting  -          reported  -       -          -     -           -       -        declined  withdrawn     claimed      submitted    claimed      claimed      claimed      claimed
waiting     -          -        submitted  -        submitted  -         -       -          -     -           -       -        -         withdrawn     waiting      -            -            waiting      waiting      -
reported    -          -        submitted  waiting  -          reported  signed  -          -     -           -       -        declined  -             reported     submitted    reported     reported     reported     reported
signed      -          -        -          -        -          -         -       delivered  read  closed      signed  signed   -         -             -            -            signed       signed       signed       signed
delivered   -          -        -          -        -          -         -       -          read  closed      signed  signed   -         -             -            -            delivered    delivered    delivered    delivered
read        -          -        -          -        -          -         -       -          -     closed      signed  signed   -         -             -            -            read         read         read         read
closed      -          -        -          -        -          -         -       -          -     -           signed  signed   -         -             -            -            closed       closed       closed       closed
withdrawn   -          -        -          -        -          -         -       -          -     -           -       -        -         -             -            -            -            -            -            -
declined    -          -        -          -        -          -         -       -          -     closed      -       -        -         -             -            -            -            -            -            -
"""  # noqa: E501


def cells():
    header, *rows = [line.split() for line in EXPECTED.strip().splitlines()]
    return [
        (CaseState(row[0]), Event(name), target)
        for row in rows
        for name, target in zip(header, row[1:], strict=True)
    ]


def test_the_expectation_has_every_cell_once():
    assert {(s, e) for s, e, _ in cells()} == {(s, e) for s in CaseState for e in Event}
    assert len(cells()) == len(CaseState) * len(Event) == 220


@pytest.mark.parametrize(("state", "event", "target"), cells())
def test_a_cell_gives_the_state_that_follows_or_a_conflict(state, event, target):
    if target != "-":
        assert after(state, event) is CaseState(target)
        assert event in possible(state)
        return
    with pytest.raises(Conflict) as refused:
        after(state, event)
    assert refused.value.state == state.value
    assert refused.value.code == "wrong-state"
    assert event not in possible(state)


def test_every_state_can_be_reached_from_draft():
    reached, new = set(), {CaseState.DRAFT}
    while new:
        reached |= new
        new = {to for (at, _), to in TABLE.items() if at in reached} - reached
    assert reached == set(CaseState)


def test_a_withdrawn_case_stays_withdrawn():
    assert possible(CaseState.WITHDRAWN) == frozenset()


def test_signing_is_the_only_way_from_held_to_replied():
    crossings = {event for (at, event), to in TABLE.items() if at in HELD and to in REPLIED}
    assert crossings == {Event.SIGN}
