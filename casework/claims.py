"""How long a claim lasts, and who a case may be handed to. Looks at no clock and no database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from casework.access import reads, scope_of
from casework.errors import Conflict, Invalid
from casework.model import Actor, Case, CaseState

LEASED = frozenset({CaseState.CLAIMED, CaseState.REPORTED})
"""States in which a claim ends by itself; one that waits for the referrer waits without an end."""

WARNED_FOR = timedelta(minutes=30)
"""How long before its end the holder is told of it."""


@dataclass(frozen=True)
class Colleague:
    """A specialist whom a case may be handed to, with how much lies with them."""

    id: str
    name: str
    email: str
    held: int  # cases that they hold
    late: int = 0  # of those, past their target


def claimed_until(now: datetime, lasts: timedelta | None) -> datetime | None:
    """Return when a claim that is made or renewed now ends; None: never by itself."""
    return None if not lasts else now + lasts


def is_worth_renewing(until: datetime | None, *, now: datetime, lasts: timedelta | None) -> bool:
    """Tell whether work done now moves the end of a claim by enough to write it down."""
    if not lasts:
        return until is not None
    return until is None or now + lasts - until > min(timedelta(minutes=2), lasts / 10)


def is_over(case: Case, *, now: datetime) -> bool:
    """Tell whether a case has been claimed for longer than its claim lasts."""
    return case.state in LEASED and case.claim_until is not None and case.claim_until <= now


def may_take_over(colleague: Actor, case: Case) -> bool:
    """Tell whether a person is one whom the case could be handed to."""
    return reads(colleague, case.specialty) and scope_of(colleague).covers_case(
        site=case.site, specialty=case.specialty, state=case.state
    )


def require_other(colleague: Actor | None, case: Case) -> Actor:
    """Return the colleague that a case is handed to, or raise when it cannot be them."""
    if colleague is None or not may_take_over(colleague, case):
        raise Invalid(
            "Choose a specialist who reads such cases and may sign in.", code="no-such-colleague"
        )
    if colleague.id == case.holder_id:
        raise Conflict(
            f"{colleague.name} has the case already.",
            code="holds-already",
            state=case.state.value,
        )
    return colleague
