"""The headers of every answer, and what a page may widen."""

from dataclasses import replace

import pytest
from flask import Flask, g

from viewer.app import create_app
from viewer.headers import content_security_policy, widen_csp
from viewer.services import services

STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; object-src 'none'"
)


@pytest.mark.parametrize("url", ["/login", "/healthz", "/api/me", "/nowhere", "/api/nowhere"])
def test_every_answer_is_hardened(shared_world, url):
    answer = shared_world.anonymous().get(url)
    assert answer.headers["Content-Security-Policy"] == STRICT
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Permissions-Policy"].startswith("camera=(), microphone=()")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("url", "camera"), [("/capture", "(self)"), ("/capture/1", "(self)"),
                                             ("/captures", "()"), ("/", "()")])  # fmt: skip
def test_only_the_capture_page_may_use_the_camera(shared_world, url, camera):
    answer = shared_world.client("referrer@fjord").get(url)
    assert answer.headers["Permissions-Policy"].startswith(f"camera={camera}, microphone=()")


def test_page_may_widen_its_own_policy_only():
    app = Flask("test")
    with app.test_request_context("/"):
        widen_csp("script-src", "'wasm-unsafe-eval'")
        widen_csp("worker-src", "'self'")
        widened = content_security_policy(g.csp_extra)
        assert "script-src 'self' 'wasm-unsafe-eval';" in widened
        assert widened.endswith("worker-src 'self'")
    assert content_security_policy({}) == STRICT


def test_answer_with_patient_data_is_never_kept(shared_world):
    answer = shared_world.client("referrer@hammer").get("/api/cases")
    assert answer.headers["Cache-Control"] == "no-store"


def test_hosts_that_are_not_ours_are_refused(world):
    with world.app.app_context():
        known = services()
    app = create_app(
        replace(known, settings=replace(known.settings, trusted_hosts=("lysbro.example",)))
    )
    client = app.test_client()
    assert client.get("/healthz", base_url="http://lysbro.example").status_code == 200
    assert client.get("/healthz", base_url="http://evil.example").status_code == 400


def with_settings(world, **changes):
    with world.app.app_context():
        known = services()
    return create_app(replace(known, settings=replace(known.settings, **changes)))


def test_address_of_the_caller_is_believed_of_counted_proxies_only(shared_world):
    forwarded = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    app = with_settings(shared_world, trusted_proxies=1, metrics_public=False)
    assert app.test_client().get("/metrics", headers=forwarded).status_code == 404
    link = world_link(app, shared_world, forwarded)
    assert link.startswith("https://")
    assert world_link(shared_world.app, shared_world, forwarded).startswith("http://")


def test_behind_a_tls_front_addresses_say_https(shared_world):
    app = with_settings(shared_world, https=True)
    assert world_link(app, shared_world, {}).startswith("https://")


def world_link(app, world, headers):
    token = {"Authorization": f"Bearer {world.tokens['referrer@hammer']}"}
    found = app.test_client().get("/fhir/Task", headers={**token, **headers})
    return found.get_json()["link"][0]["url"]
