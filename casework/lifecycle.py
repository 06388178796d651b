"""The lifecycle of a case as a table of (state, event). Who may act is for `access` to say."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from casework.errors import Conflict
from casework.model import CaseState as S


class Event(StrEnum):
    """What can be done to a case."""

    SUBMIT = "submit"
    CLAIM = "claim"
    RELEASE = "release"
    ASK = "ask"
    ANSWER = "answer"
    DRAFT = "draft"  # findings saved
    SIGN = "sign"
    DELIVER = "deliver"
    OPEN = "open"  # the referrer has opened the reply
    ACKNOWLEDGE = "acknowledge"
    ADDEND = "addend"
    CORRECT = "correct"
    DECLINE = "decline"
    WITHDRAW = "withdraw"
    HAND_OVER = "hand-over"  # to a named colleague; a coordinator assigns with it
    EXPIRE = "expire"  # the claim has ended by itself
    ASK_SECOND = "ask-second"  # a second reading
    DROP_SECOND = "drop-second"  # the request for one is taken back
    READ_SECOND = "read-second"  # a second reading is taken, written or signed
    JUDGE_SECOND = "judge-second"  # how the two readings compare


TABLE: Mapping[tuple[S, Event], S] = {
    (S.DRAFT, Event.SUBMIT): S.SUBMITTED,
    (S.DRAFT, Event.WITHDRAW): S.WITHDRAWN,
    (S.SUBMITTED, Event.CLAIM): S.CLAIMED,
    (S.SUBMITTED, Event.DECLINE): S.DECLINED,
    (S.SUBMITTED, Event.WITHDRAW): S.WITHDRAWN,
    (S.CLAIMED, Event.RELEASE): S.SUBMITTED,
    (S.CLAIMED, Event.ASK): S.WAITING,
    (S.CLAIMED, Event.DRAFT): S.REPORTED,
    (S.CLAIMED, Event.DECLINE): S.DECLINED,
    (S.CLAIMED, Event.WITHDRAW): S.WITHDRAWN,
    (S.WAITING, Event.ANSWER): S.SUBMITTED,
    (S.WAITING, Event.RELEASE): S.SUBMITTED,
    (S.WAITING, Event.WITHDRAW): S.WITHDRAWN,
    (S.REPORTED, Event.DRAFT): S.REPORTED,
    (S.REPORTED, Event.RELEASE): S.SUBMITTED,
    (S.REPORTED, Event.ASK): S.WAITING,
    (S.REPORTED, Event.SIGN): S.SIGNED,
    (S.REPORTED, Event.DECLINE): S.DECLINED,
    (S.SIGNED, Event.DELIVER): S.DELIVERED,
    (S.SIGNED, Event.OPEN): S.READ,
    (S.SIGNED, Event.ACKNOWLEDGE): S.CLOSED,
    (S.SIGNED, Event.ADDEND): S.SIGNED,
    (S.SIGNED, Event.CORRECT): S.SIGNED,
    (S.DELIVERED, Event.OPEN): S.READ,
    (S.DELIVERED, Event.ACKNOWLEDGE): S.CLOSED,
    (S.DELIVERED, Event.ADDEND): S.SIGNED,
    (S.DELIVERED, Event.CORRECT): S.SIGNED,
    (S.READ, Event.ACKNOWLEDGE): S.CLOSED,
    (S.READ, Event.ADDEND): S.SIGNED,
    (S.READ, Event.CORRECT): S.SIGNED,
    (S.CLOSED, Event.ADDEND): S.SIGNED,
    (S.CLOSED, Event.CORRECT): S.SIGNED,
    (S.DECLINED, Event.ACKNOWLEDGE): S.CLOSED,
    (S.SUBMITTED, Event.HAND_OVER): S.CLAIMED,
    (S.CLAIMED, Event.HAND_OVER): S.CLAIMED,
    (S.WAITING, Event.HAND_OVER): S.WAITING,
    (S.REPORTED, Event.HAND_OVER): S.REPORTED,
    (S.CLAIMED, Event.EXPIRE): S.SUBMITTED,
    (S.REPORTED, Event.EXPIRE): S.SUBMITTED,
    **{
        (state, event): state
        for state in (S.CLAIMED, S.REPORTED, S.SIGNED, S.DELIVERED, S.READ, S.CLOSED)
        for event in (Event.ASK_SECOND, Event.JUDGE_SECOND)
    },
    **{
        (state, event): state
        for state in S
        if state not in (S.DRAFT, S.WITHDRAWN, S.DECLINED)
        for event in (Event.READ_SECOND, Event.DROP_SECOND)
    },
}
"""A second reading moves no case: it goes beside the first, before the reply or after it."""

HELD = frozenset({S.CLAIMED, S.WAITING, S.REPORTED})
"""States in which one specialist holds the case."""

REPLIED = frozenset({S.SIGNED, S.DELIVERED, S.READ, S.CLOSED})
"""States in which a signed report exists and its referrer may read it."""

WAITS_FOR_SPECIALIST = frozenset({S.SUBMITTED, S.CLAIMED, S.REPORTED})
"""States in which the clock to the target runs."""


def after(state: S, event: Event) -> S:
    """Return the state that follows, or raise Conflict with the present one."""
    following = TABLE.get((state, event))
    if following is None:
        raise Conflict(
            f"A case that is {state.value} cannot take '{event.value}'. "
            "Reload the case to see where it is.",
            code="wrong-state",
            state=state.value,
        )
    return following


def possible(state: S) -> frozenset[Event]:
    """Return the events that a case in this state can take."""
    return frozenset(event for (where, event) in TABLE if where == state)
