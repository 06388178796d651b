import pytest

from casework.access import (
    BY_HOLDER,
    BY_OWN_SITE,
    MAY,
    NOTHING,
    may_administer,
    may_refer,
    require_may,
    require_visible,
    scope_of,
    scope_of_ae,
    seen_by_both,
)
from casework.errors import NotFound, Refused
from casework.lifecycle import Event
from casework.model import Actor, ApplicationEntity, CaseState, Role, SiteKind, Specialty

CENTRE, OFFICE, OTHER = "nordlys", "fjordgata", "bakken"

MATRIX = """
               submit claim release ask answer draft sign deliver open acknowledge addend correct decline withdraw hand-over    expire       ask-second   drop-second  read-second  judge-second
referrer       own    -     -       -   own    -     -    -       own  own         -      -       -       own    -            -            -            -            -            -
radiologist    -      any   holder  holder -   holder holder -    -    -           any    any     any     -      holder       -            holder       holder       any          any
dermatologist  -      any   holder  holder -   holder holder -    -    -           any    any     any     -      holder       -            holder       holder       any          any
coordinator    -      -     any     -   -      -     -    -       -    -           -      -       any     -      any          -            any          any          -            -
admin          -      -     -       -   -      -     -    -       -    -           -      -       -       -      -            -            -            -            -            -
machine        -      -     -       -   -      -     -    -       -    -           -      -       -       -      -            -            -            -            -            -
"""  # noqa: E501


def person(role, site=CENTRE, kind=SiteKind.CENTRE):
    return Actor(id="user:1", name="A", site=site, site_kind=kind, role=role)


def matrix():
    header, *rows = [line.split() for line in MATRIX.strip().splitlines()]
    for row in rows:
        role = None if row[0] == "machine" else Role(row[0])
        for name, rule in zip(header, row[1:], strict=True):
            for own_site in (True, False):
                for holds in (True, False):
                    allowed = {"-": False, "own": own_site, "holder": holds, "any": True}[rule]
                    yield role, Event(name), own_site, holds, allowed


@pytest.mark.parametrize(("role", "event", "own_site", "holds", "allowed"), list(matrix()))
def test_a_role_may_cause_an_event_as_the_matrix_says(role, event, own_site, holds, allowed):
    actor = person(role)
    case = {"site": CENTRE if own_site else OTHER, "holder_id": actor.id if holds else "user:2"}
    if allowed:
        require_may(actor, event, **case)
        return
    with pytest.raises(Refused):
        require_may(actor, event, **case)


def test_every_event_has_a_rule():
    assert set(MAY) == set(Event)
    assert BY_OWN_SITE.isdisjoint(BY_HOLDER)


SIGHT = [
    # actor, own draft, own submitted, other's draft, other's submitted (dermatology cases)
    (person(Role.REFERRER, OFFICE, SiteKind.GP), True, True, False, False),
    (person(Role.DERMATOLOGIST), True, True, False, True),
    (person(Role.RADIOLOGIST), False, False, False, False),
    (person(Role.COORDINATOR), True, True, False, True),
    (person(Role.ADMIN), True, True, False, True),
    (person(Role.REFERRER, CENTRE, SiteKind.CENTRE), True, True, False, False),
    (person(Role.DERMATOLOGIST, OFFICE, SiteKind.GP), True, True, False, False),
    (person(None), False, False, False, False),
]


@pytest.mark.parametrize(("actor", "own_draft", "own_sent", "their_draft", "their_sent"), SIGHT)
def test_a_scope_covers_cases_as_the_table_says(
    actor, own_draft, own_sent, their_draft, their_sent
):
    scope = scope_of(actor)

    def sees(site, state):
        return scope.covers_case(site=site, specialty=Specialty.DERMATOLOGY, state=state)

    assert sees(actor.site, CaseState.DRAFT) is own_draft
    assert sees(actor.site, CaseState.SUBMITTED) is own_sent
    assert sees(OTHER, CaseState.DRAFT) is their_draft
    for state in set(CaseState) - {CaseState.DRAFT}:
        assert sees(OTHER, state) is their_sent


def test_a_study_without_a_case_is_seen_by_its_site_and_the_centre():
    where = {"site": OFFICE, "specialty": None, "state": None}
    assert scope_of(person(Role.REFERRER, OFFICE, SiteKind.GP)).covers_study(**where)
    assert scope_of(person(Role.RADIOLOGIST)).covers_study(**where)
    assert not scope_of(person(Role.REFERRER, OTHER, SiteKind.GP)).covers_study(**where)
    assert not NOTHING.covers_study(**where)


def test_a_study_with_a_case_is_seen_as_its_case_is():
    scope = scope_of(person(Role.DERMATOLOGIST))
    drafted = {"site": OFFICE, "specialty": Specialty.DERMATOLOGY, "state": CaseState.DRAFT}
    assert not scope.covers_study(**drafted)
    assert scope.covers_study(**{**drafted, "state": CaseState.CLOSED})
    assert not scope.covers_study(**{**drafted, "specialty": Specialty.RADIOLOGY})


def test_a_node_sees_its_own_site_and_a_node_of_the_centre_what_was_sent():
    case = {"site": OFFICE, "specialty": Specialty.RADIOLOGY, "state": CaseState.SUBMITTED}
    own = scope_of_ae(ApplicationEntity("CT", OFFICE, SiteKind.GP))
    other = scope_of_ae(ApplicationEntity("MR", OTHER, SiteKind.HOSPITAL))
    centre = scope_of_ae(ApplicationEntity("PACS", CENTRE, SiteKind.CENTRE))
    assert own.covers_case(**case)
    assert not other.covers_case(**case)
    assert centre.covers_case(**case)
    assert not centre.covers_case(**{**case, "state": CaseState.DRAFT})


def test_what_is_out_of_sight_does_not_exist():
    with pytest.raises(NotFound) as answered:
        require_visible(
            NOTHING,
            case_id="7K3M-2QXF",
            site=OFFICE,
            specialty=Specialty.RADIOLOGY,
            state=CaseState.SUBMITTED,
        )
    assert answered.value.message == "There is no case 7K3M-2QXF."


@pytest.mark.parametrize("role", [*Role, None])
def test_only_referrers_refer_and_only_administrators_administer(role):
    assert may_refer(person(role)) is (role is Role.REFERRER)
    assert may_administer(person(role)) is (role is Role.ADMIN)


NODES = [
    ApplicationEntity("A", OFFICE, SiteKind.GP),
    ApplicationEntity("B", OTHER, SiteKind.HOSPITAL),
    ApplicationEntity("C", CENTRE, SiteKind.CENTRE),
    ApplicationEntity("D", "other-centre", SiteKind.CENTRE),
]


@pytest.mark.parametrize("one", NODES)
@pytest.mark.parametrize("other", NODES)
def test_what_two_nodes_see_is_what_each_of_them_sees(one, other):
    first, second = scope_of_ae(one), scope_of_ae(other)
    both = seen_by_both(first, second)
    for site in (OFFICE, OTHER, CENTRE, "other-centre", "elsewhere"):
        for specialty in Specialty:
            for state in CaseState:
                case = {"site": site, "specialty": specialty, "state": state}
                expected = first.covers_case(**case) and second.covers_case(**case)
                assert both.covers_case(**case) is expected
        alone = {"site": site, "specialty": None, "state": None}
        expected = first.covers_study(**alone) and second.covers_study(**alone)
        assert both.covers_study(**alone) is expected
