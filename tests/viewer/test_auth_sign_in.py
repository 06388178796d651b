"""Signing in and out over real people, sessions and delays."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from viewer.app import create_app
from viewer.auth import safe_next
from viewer.services import services

pytestmark = pytest.mark.slow

PASSWORD = "long enough to keep 1"
WHO = "radiologist@centre"
JSON = {"Accept": "application/json"}


def sign_in(client, *, email=WHO, password=PASSWORD, headers=None, **fields):
    token = client.get("/login", headers=JSON).get_json()["csrf_token"]
    data = {"email": email, "password": password, "csrf_token": token, **fields}
    return client.post("/login", data=data, headers=headers or {})


def session_of(client):
    cookie = client.get_cookie("lysbro")
    return None if cookie is None else cookie.value


def test_right_password_opens_a_session_and_goes_on(world):
    client = world.anonymous()
    answer = sign_in(client, next="/cases/2222-2222?tab=1")
    assert (answer.status_code, answer.location) == (302, "/cases/2222-2222?tab=1")
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("lysbro="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie
    assert client.get("/api/me").get_json()["email"] == WHO
    assert [e.subject for e in world.audit("signed-in")] == [WHO]


def test_address_counts_without_case_or_space(world):
    client = world.anonymous()
    assert sign_in(client, email="  Radiologist@CENTRE ").status_code == 302


def test_json_sign_in_gives_the_token_for_what_follows(world):
    client = world.anonymous()
    token = client.get("/login", headers=JSON).get_json()["csrf_token"]
    answer = client.post(
        "/login", json={"email": WHO, "password": PASSWORD}, headers={"X-CSRF-Token": token}
    )
    assert answer.status_code == 200
    body = answer.get_json()
    assert (body["role"], body["site"]) == ("radiologist", "centre")
    headers = {"X-CSRF-Token": body["csrf_token"]}
    assert client.post("/logout", json={}, headers=headers).get_json() == {"signed_out": True}
    assert client.get("/api/me").status_code == 401
    assert world.audit("signed-out")


@pytest.mark.parametrize("email", [WHO, "nobody@nowhere"])
def test_wrong_password_and_unknown_person_are_answered_alike(world, email):
    client = world.anonymous()
    answer = sign_in(client, email=email, password="not the right one", headers=JSON)
    assert answer.status_code == 401
    assert answer.get_json()["detail"] == "The address or the password is not right."
    assert session_of(client) is None
    assert [e.outcome for e in world.audit("sign-in-failed")] == ["refused"]


def test_sign_in_page_says_what_is_wrong(world):
    answer = sign_in(world.anonymous(), password="not the right one")
    assert answer.status_code == 401
    assert answer.mimetype == "text/html"
    assert 'role="alert"' in answer.text
    assert "not the right one" not in answer.text


def test_disabled_person_can_neither_sign_in_nor_go_on(world):
    client = world.anonymous()
    sign_in(client)
    world.parts.people.disable_user(WHO)
    assert client.get("/api/me").status_code == 401
    assert world.client(WHO).get("/api/me").status_code == 401
    assert sign_in(client, headers=JSON).status_code == 401


def test_session_is_a_new_one_at_each_sign_in_and_the_old_one_ends(world):
    client = world.anonymous()
    sign_in(client)
    first = session_of(client)
    assert first is not None
    token = re.search(r"\S{20,}", client.get("/login", headers=JSON).get_json()["csrf_token"])[0]
    data = {"email": WHO, "password": PASSWORD, "csrf_token": token}
    client.post("/login", data=data)
    second = session_of(client)
    assert second not in {None, first}
    client.set_cookie("lysbro", first)
    assert client.get("/api/me").status_code == 401


def test_session_that_the_browser_made_up_is_nobody(world):
    client = world.anonymous()
    client.set_cookie("lysbro", "made-up-session-0000000000000000")
    assert client.get("/api/me").status_code == 401


def test_failures_are_slowed_down_with_the_time_to_wait(world):
    client = world.anonymous()
    answers = [sign_in(client, password="wrong again and again", headers=JSON) for _ in range(12)]
    late = answers[-1]
    assert late.status_code == 429
    assert int(late.headers["Retry-After"]) >= 1
    assert sign_in(client, headers=JSON).status_code == 429
    page = sign_in(client)
    assert page.status_code == 429
    assert "Retry-After" in page.headers


def test_session_ends_after_half_an_hour_without_use(world):
    late = replace(services_of(world), clock=lambda: world.parts.clock() + timedelta(minutes=31))
    client = world.anonymous()
    sign_in(client)
    assert client.get("/api/me").status_code == 200
    later = create_app(late).test_client()
    later.set_cookie("lysbro", session_of(client))
    assert later.get("/api/me").status_code == 401


def test_over_https_the_cookie_is_secure_and_bound_to_the_host(world):
    known = services_of(world)
    app = create_app(replace(known, settings=replace(known.settings, https=True)))
    client = app.test_client()
    base = "https://lysbro.example"
    token = client.get("/login", headers=JSON, base_url=base).get_json()["csrf_token"]
    data = {"email": WHO, "password": PASSWORD, "csrf_token": token}
    answer = client.post("/login", data=data, base_url=base)
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if "__Host-lysbro=" in c)
    assert "Secure" in cookie
    assert "Domain" not in cookie
    assert "max-age=63072000" in answer.headers["Strict-Transport-Security"]


def services_of(world):
    with world.app.app_context():
        return services()


@pytest.mark.parametrize(
    ("target", "onward"),
    [
        ("/cases/1?x=2", "/cases/1?x=2"),
        ("", "/"),
        ("//evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/\tevil", "/"),
        ("javascript:alert(1)", "/"),
        ("cases", "/"),
    ],
)
def test_after_sign_in_one_stays_within(target, onward):
    assert safe_next(target) == onward


def test_signed_out_person_is_sent_to_sign_in_and_back(shared_world):
    answer = shared_world.anonymous().get("/?state=submitted")
    assert answer.status_code == 302
    assert answer.location == "/login?next=/?state%3Dsubmitted"
