"""Who takes part, and how people and machines prove who they are."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from casework.errors import Conflict, Invalid, NotFound
from casework.model import AePermission, Role, Site, SiteKind
from storage.casebook_tables import sessions, sign_in_failures, tokens
from tests.storage.room import MORNING, PEOPLE, open_room

GP = "gp@fjordgata.example"


@pytest.fixture
def room(tmp_path: Path, database_server: str):
    with open_room(tmp_path, server=database_server) as furnished:
        yield furnished


def test_a_site_is_found_by_its_slug(room):
    assert room.people.site("hammer").kind is SiteKind.HOSPITAL
    assert room.people.site("nowhere") is None
    names = [site.name for site in room.people.sites()]
    assert names == sorted(names)
    assert len(names) == 4


@pytest.mark.parametrize(
    ("site", "error"),
    [
        (Site("hammer", "Again", SiteKind.GP), Conflict),
        (Site("Hammer", "X", SiteKind.GP), Invalid),
        (Site("x", " ", SiteKind.GP), Invalid),
        (Site("x", "X", SiteKind.GP, issuer="not an oid"), Invalid),
    ],
)
def test_a_site_that_cannot_be_is_refused(room, site, error):
    with pytest.raises(error):
        room.people.add_site(site)
    assert len(room.people.sites()) == 4


def test_a_node_is_known_by_its_title_padded_or_not(room):
    allowed = frozenset({AePermission.STORE, AePermission.QUERY})
    added = room.people.add_ae(" HAMMER_CT ", site="hammer", permissions=allowed, tls_only=True)
    assert room.people.ae("HAMMER_CT      ") == added == room.people.ae("HAMMER_CT")
    assert (added.site_kind, added.permissions, added.tls_only) == (
        SiteKind.HOSPITAL, allowed, True,
    )  # fmt: skip
    assert room.people.ae("hammer_ct") is None


def test_a_node_may_be_changed_by_its_own_site_only(room):
    room.people.add_ae("CT", site="hammer")
    moved = room.people.add_ae("CT", site="hammer", host="10.0.0.9", port=104)
    assert room.people.aes() == (moved,)
    with pytest.raises(Conflict, match="node of hammer"):
        room.people.add_ae("CT", site="bakken")
    room.people.remove_ae("CT")
    with pytest.raises(NotFound):
        room.people.remove_ae("CT")


def test_a_node_that_cannot_be_is_refused(room):
    with pytest.raises(Invalid):
        room.people.add_ae("A" * 17, site="hammer")
    with pytest.raises(NotFound):
        room.people.add_ae("CT", site="nowhere")
    with pytest.raises(Invalid, match="host"):
        room.people.add_ae("CT", site="hammer", permissions=frozenset({AePermission.REPLY}))


def test_replies_go_to_the_nodes_of_the_site_that_take_them(room):
    room.add_reply_node("GP_PACS")
    room.add_reply_node("OTHER", site="bakken")
    room.people.add_ae("GP_CR", site="fjordgata", permissions=frozenset({AePermission.STORE}))
    assert [ae.title for ae in room.people.reply_aes("fjordgata")] == ["GP_PACS"]


def test_a_person_is_found_by_address_in_any_case(room):
    row = room.people.user_by_email(" GP@Fjordgata.example ")
    assert row.actor.name == "Dr Ingrid Solbakken"
    assert (row.actor.role, row.actor.site_kind) == (Role.REFERRER, SiteKind.GP)
    assert (row.password_hash, row.created_at, row.disabled) == ("$hash", MORNING, False)
    assert room.people.user_by_email("nobody@x") is None


@pytest.mark.parametrize(
    ("email", "site", "name", "error"),
    [
        ("GP@fjordgata.example", "fjordgata", "X", Conflict),
        ("no address", "fjordgata", "X", Invalid),
        ("@x", "fjordgata", "X", Invalid),
        ("new@x.example", "nowhere", "X", NotFound),
        ("new@x.example", "fjordgata", " ", Invalid),
    ],
)
def test_a_person_who_cannot_be_is_refused(room, email, site, name, error):
    with pytest.raises(error):
        room.people.add_user(email, site=site, role=Role.REFERRER, name=name, password_hash="h")
    assert len(room.people.users()) == len(PEOPLE)


def test_another_password_takes_the_place_of_the_first(room):
    room.people.set_password(GP, "$other")
    assert room.people.user_by_email(GP).password_hash == "$other"
    with pytest.raises(NotFound):
        room.people.set_password("nobody@x", "$other")


def test_a_session_ends_after_half_an_hour_without_use(room):
    token = room.people.open_session(room.gp.id, now=MORNING)
    for _ in range(3):
        now = room.clock.passes(minutes=29)
        assert room.people.actor_by_session(token, now)[0] == room.gp
    assert room.people.actor_by_session(token, room.clock.passes(minutes=30)) is None


def test_a_session_ends_after_twelve_hours_whatever_is_done(room):
    token = room.people.open_session(room.gp.id, now=MORNING)
    while room.clock.passes(minutes=20) < MORNING + timedelta(hours=12):
        assert room.people.actor_by_session(token, room.clock.now) is not None
    assert room.people.actor_by_session(token, room.clock.now) is None


def test_each_session_has_its_own_csrf_token_that_stays(room):
    one, two = (room.people.open_session(room.gp.id, now=MORNING) for _ in range(2))
    csrf = room.people.actor_by_session(one, MORNING)[1]
    assert room.people.actor_by_session(one, MORNING)[1] == csrf
    assert room.people.actor_by_session(two, MORNING)[1] != csrf
    assert csrf not in {one, two}


def test_a_closed_session_is_none(room):
    token = room.people.open_session(room.gp.id, now=MORNING)
    other = room.people.open_session(room.gp.id, now=MORNING)
    room.people.close_session(token)
    assert room.people.actor_by_session(token, MORNING) is None
    assert room.people.actor_by_session(other, MORNING) is not None
    room.people.close_sessions_of(room.gp.id)
    assert room.people.actor_by_session(other, MORNING) is None


def test_a_token_acts_for_its_person_until_its_end(room):
    secret = room.people.add_token(GP, days=2, name="EPR")
    assert room.people.bearer(secret, MORNING).actor == room.gp
    assert room.people.bearer(secret, MORNING + timedelta(days=2)) is None
    assert room.people.bearer("lysbro_x", MORNING) is None
    (row,) = room.people.tokens()
    assert (row.email, row.name, row.seen_at) == (GP, "EPR", MORNING)


def test_a_revoked_token_is_none(room):
    secret = room.people.add_token(GP)
    room.people.revoke_token(room.people.tokens()[0].id)
    assert room.people.bearer(secret, MORNING) is None
    with pytest.raises(NotFound):
        room.people.revoke_token(room.people.tokens()[0].id)
    with pytest.raises(NotFound):
        room.people.add_token("nobody@x")
    with pytest.raises(Invalid):
        room.people.add_token(GP, days=0)


def test_a_disabled_person_has_neither_session_nor_token(room):
    session = room.people.open_session(room.gp.id, now=MORNING)
    token = room.people.add_token(GP)
    room.people.disable_user(GP)
    assert room.people.user_by_email(GP).disabled
    assert room.people.actor_by_session(session, MORNING) is None
    assert room.people.bearer(token, MORNING) is None
    room.people.enable_user(GP)
    assert room.people.actor_by_session(session, MORNING) is None
    assert room.people.bearer(token, MORNING) is not None


def test_secrets_are_not_in_the_database(room):
    session = room.people.open_session(room.gp.id, now=MORNING)
    token = room.people.add_token(GP)
    room.people.note_failed_sign_in("account:somebody's password")
    with room.database.read() as conn:
        kept = repr([conn.execute(select(t)).all() for t in (sessions, tokens, sign_in_failures)])
    assert not any(secret in kept for secret in (session, token, "somebody"))
    assert len(session) >= 43


def test_failed_sign_ins_wait_for_account_and_address_each(room):
    account, address = f"account:{GP}", "address:10.0.0.1"
    for _ in range(3):
        room.people.note_failed_sign_in(account)
        room.people.note_failed_sign_in(address)
    assert room.people.sign_in_delay(account) == 1
    assert room.people.sign_in_delay(address) == 0
    assert room.people.sign_in_delay("account:other") == 0
    room.people.note_failed_sign_in(account)
    assert room.people.sign_in_delay(account) == 2
    room.clock.passes(seconds=1)
    assert room.people.sign_in_delay(account) == 1
    room.people.clear_failed(account)
    assert room.people.sign_in_delay(account) == 0


def test_no_account_is_locked_for_good(room):
    for _ in range(120):
        room.people.note_failed_sign_in("account:a")
    assert room.people.sign_in_delay("account:a") == 900
    room.clock.passes(seconds=900)
    assert room.people.sign_in_delay("account:a") == 0
    room.clock.passes(days=1)
    room.people.note_failed_sign_in("account:a")
    assert room.people.sign_in_delay("account:a") == 0
