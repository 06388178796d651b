"""Unsafe requests with a cookie need the page's token and origin; bearer tokens need none."""

import re

import pytest

PASSWORD = "long enough to keep 1"
WHO = "referrer@fjord"


def form_token(client):
    return client.get("/login", headers={"Accept": "application/json"}).get_json()["csrf_token"]


def sign_in(client, **extra):
    token = form_token(client)
    return client.post(
        "/login",
        data={"email": WHO, "password": PASSWORD, "csrf_token": token, **extra.pop("data", {})},
        **extra,
    )


@pytest.fixture
def browser(shared_world):
    client = shared_world.anonymous()
    answer = sign_in(client, headers={"Accept": "application/json"})
    assert answer.status_code == 200, answer.text
    return client, answer.get_json()["csrf_token"]


def test_post_with_the_token_in_the_header_is_taken(browser):
    client, token = browser
    answer = client.post("/api/referrals", json=body(), headers={"X-CSRF-Token": token})
    assert answer.status_code == 201


@pytest.mark.parametrize("given", [{}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "wrong"}])
def test_post_without_the_token_is_refused(browser, given):
    client, _ = browser
    answer = client.post("/api/referrals", json=body(), headers=given)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "csrf")


@pytest.mark.parametrize(
    "origin",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost.evil.example"},
    ],
)
def test_post_from_another_site_is_refused_even_with_the_token(browser, origin):
    client, token = browser
    answer = client.post("/api/referrals", json=body(), headers={"X-CSRF-Token": token, **origin})
    assert (answer.status_code, answer.get_json()["code"]) == (403, "cross-site")


@pytest.mark.parametrize(
    "origin",
    [{"Sec-Fetch-Site": "same-origin", "Origin": "null"}, {"Origin": "http://localhost"}, {}],
)
def test_post_from_our_own_page_is_taken(browser, origin):
    client, token = browser
    headers = {"X-CSRF-Token": token, **origin}
    assert client.post("/api/referrals", json=body(), headers=headers).status_code == 201


def test_bearer_token_needs_no_csrf_token(shared_world):
    client = shared_world.client(WHO)
    assert client.post("/api/referrals", json=body()).status_code == 201


def test_wrong_bearer_token_beside_a_good_cookie_is_nobody(browser):
    client, token = browser
    headers = {"Authorization": "Bearer wrong", "X-CSRF-Token": token}
    assert client.post("/api/referrals", json=body(), headers=headers).status_code == 401


def test_sign_in_without_its_form_token_is_refused(shared_world):
    client = shared_world.anonymous()
    answer = client.post("/login", data={"email": WHO, "password": PASSWORD})
    assert answer.status_code == 403


def test_sign_in_page_carries_the_token_of_its_cookie(shared_world):
    client = shared_world.anonymous()
    page = client.get("/login").text
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found is not None
    assert client.get_cookie("lysbro-form").value == found[1]


def test_session_of_one_person_refuses_the_token_of_another(shared_world, browser):
    client, _ = browser
    other = shared_world.anonymous()
    token = sign_in(other, headers={"Accept": "application/json"}).get_json()["csrf_token"]
    answer = client.post("/api/referrals", json=body(), headers={"X-CSRF-Token": token})
    assert answer.status_code == 403


def body():
    return {"specialty": "dermatology", "patient": {"id": "1", "name": "A^B"}, "question": "?"}
