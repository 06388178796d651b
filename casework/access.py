"""Who may see and do what, in one place: lists filter by `Scope`, single objects ask the same one.

A site sees its own. Specialists and the coordinator of the centre see what was submitted to their
specialty, never another site's drafts. Whoever asks for what they may not see is told that it
does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from casework.errors import NotFound, Refused
from casework.lifecycle import Event
from casework.model import (
    Actor,
    ApplicationEntity,
    CaseState,
    Role,
    SiteKind,
    Specialty,
)

_T = TypeVar("_T")


@dataclass(frozen=True)
class Scope:
    """What one actor may see. `sites` or `specialties` None means all of them."""

    sites: frozenset[str] | None
    specialties: frozenset[Specialty] | None
    own_site: str
    actor_id: str = field(default="", compare=False)  # who looks; what is within sight is the same

    def covers_case(self, *, site: str, specialty: Specialty, state: CaseState) -> bool:
        """Tell whether a case is within sight: own site's always, others' once submitted."""
        if site == self.own_site and self.specialties_cover(specialty):
            return True
        if self.sites is not None and site not in self.sites:
            return False
        return self.specialties_cover(specialty) and state not in HIDDEN_FROM_OTHERS

    def covers_study(
        self, *, site: str, specialty: Specialty | None, state: CaseState | None
    ) -> bool:
        """Tell whether a study is within sight: as its case is, or by site when it has none."""
        if specialty is not None and state is not None:
            return self.covers_case(site=site, specialty=specialty, state=state)
        return self.sites is None or site in self.sites

    def covers_order(self, *, site: str) -> bool:
        """Tell whether an order for images is within sight: own site's, or all at the centre."""
        return (self.sites is None or site in self.sites) and self.specialties_cover(
            Specialty.RADIOLOGY
        )

    def specialties_cover(self, specialty: Specialty) -> bool:
        """Tell whether a specialty is within sight."""
        return self.specialties is None or specialty in self.specialties


HIDDEN_FROM_OTHERS = frozenset({CaseState.DRAFT})
"""States in which a case is seen by its own site only."""

NOTHING = Scope(sites=frozenset(), specialties=frozenset(), own_site="")

_SPECIALTY_OF: Mapping[Role, Specialty] = {
    Role.RADIOLOGIST: Specialty.RADIOLOGY,
    Role.DERMATOLOGIST: Specialty.DERMATOLOGY,
}

_READERS = frozenset({Role.RADIOLOGIST, Role.DERMATOLOGIST})
_ASKERS = frozenset({Role.REFERRER})
_COORDINATION = frozenset({Role.COORDINATOR})
_ORDERERS = frozenset({Role.REFERRER, Role.COORDINATOR, Role.ADMIN})
_CLINICIANS = _READERS | _ASKERS | _COORDINATION

MAY: Mapping[Event, frozenset[Role]] = {
    Event.SUBMIT: _ASKERS,
    Event.ANSWER: _ASKERS,
    Event.WITHDRAW: _ASKERS,
    Event.OPEN: _ASKERS,
    Event.ACKNOWLEDGE: _ASKERS,
    Event.CLAIM: _READERS,
    Event.RELEASE: _READERS | _COORDINATION,
    Event.ASK: _READERS,
    Event.DRAFT: _READERS,
    Event.SIGN: _READERS,
    Event.ADDEND: _READERS,
    Event.CORRECT: _READERS,
    Event.DECLINE: _READERS | _COORDINATION,
    Event.DELIVER: frozenset(),
    Event.HAND_OVER: _READERS | _COORDINATION,
    Event.EXPIRE: frozenset(),
    Event.ASK_SECOND: _READERS | _COORDINATION,
    Event.DROP_SECOND: _READERS | _COORDINATION,
    Event.READ_SECOND: _READERS,
    Event.JUDGE_SECOND: _READERS,
}
"""Which roles may cause an event; DELIVER and EXPIRE are caused by machines only."""

BY_OWN_SITE = frozenset({Event.SUBMIT, Event.ANSWER, Event.WITHDRAW, Event.OPEN, Event.ACKNOWLEDGE})
"""Events that belong to the site that asked."""

BY_HOLDER = frozenset(
    {
        Event.RELEASE, Event.ASK, Event.DRAFT, Event.SIGN, Event.HAND_OVER, Event.ASK_SECOND,
        Event.DROP_SECOND,
    }
)  # fmt: skip
"""Events that belong to the specialist who holds the case; a coordinator may release, hand over
and have it read by a second for them. Who reads second is asked of `second_readings`."""


def scope_of(actor: Actor) -> Scope:
    """Return what a person may see."""
    if actor.role is None:
        return NOTHING
    specialty = _SPECIALTY_OF.get(actor.role)
    specialties = None if specialty is None else frozenset({specialty})
    at_centre = actor.site_kind is SiteKind.CENTRE
    sites = None if at_centre and actor.role is not Role.REFERRER else frozenset({actor.site})
    return Scope(sites=sites, specialties=specialties, own_site=actor.site, actor_id=actor.id)


def scope_of_ae(ae: ApplicationEntity) -> Scope:
    """Return what a node may query: its own site's studies; one of the centre, all submitted."""
    sites = None if ae.site_kind is SiteKind.CENTRE else frozenset({ae.site})
    return Scope(sites=sites, specialties=None, own_site=ae.site)


def seen_by_both(one: Scope, other: Scope) -> Scope:
    """Return what two may see, as it is when one lets something be sent to the other."""
    if one == other:
        return one
    return Scope(
        sites=_common(one.sites, other.sites),
        specialties=_common(one.specialties, other.specialties),
        own_site=one.own_site if one.own_site == other.own_site else "",
    )


def require_visible(
    scope: Scope, *, case_id: str, site: str, specialty: Specialty, state: CaseState
) -> None:
    """Raise NotFound unless the case is within sight."""
    if not scope.covers_case(site=site, specialty=specialty, state=state):
        raise NotFound(f"There is no case {case_id}.", code="no-such-case")


def require_may(actor: Actor, event: Event, *, site: str, holder_id: str) -> None:
    """Raise Refused unless the actor may cause the event on a case of this site with this holder.

    Visibility comes first and is asked with `require_visible`; this is asked of visible cases only.
    """
    if actor.role is None or actor.role not in MAY[event]:
        raise Refused(
            f"Your role may not {event.value} a case. Ask somebody whose role it is.",
            code="wrong-role",
        )
    if event in BY_OWN_SITE and actor.site != site:
        raise Refused("Only the site that asked may do this.", code="wrong-site")
    if event in BY_HOLDER and actor.role in _READERS and holder_id != actor.id:
        raise Refused(
            "Claim the case first: only the one who holds it may do this.", code="not-holder"
        )


def reads(actor: Actor, specialty: Specialty) -> bool:
    """Tell whether an actor is a specialist of a specialty."""
    return actor.role is not None and _SPECIALTY_OF.get(actor.role) is specialty


def may_administer(actor: Actor) -> bool:
    """Tell whether an actor may manage sites, nodes, people, queues and conflicts."""
    return actor.role is Role.ADMIN


def may_note_outcome(actor: Actor) -> bool:
    """Tell whether an actor may say what a case that they see was in the end."""
    return actor.role in _CLINICIANS


def may_refer(actor: Actor) -> bool:
    """Tell whether an actor may start a referral."""
    return actor.role is Role.REFERRER


def may_enrol_devices(actor: Actor) -> bool:
    """Tell whether an actor may say which devices the own site takes pictures with."""
    return actor.role in (Role.REFERRER, Role.ADMIN)


def may_order(actor: Actor) -> bool:
    """Tell whether an actor may order examinations for the own site, and change what it ordered."""
    return actor.role in _ORDERERS


def _common(a: frozenset[_T] | None, b: frozenset[_T] | None) -> frozenset[_T] | None:
    """Return what is in both; None holds everything."""
    if a is None or b is None:
        return b if a is None else a
    return a & b
