"""Who signs proves anew who they are, where the exchange asks for it; a token never does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from casework.access import Scope
from casework.signing_again import sign_again
from tests.viewer.conftest import PASSWORD, World
from viewer.services import attach, services

EVERYTHING = Scope(sites=None, specialties=None, own_site="")
READER = "dermatologist@centre"


@pytest.fixture
def asking(world: World) -> Callable[..., None]:
    """Return what sets the rule, and lets time pass."""
    passed = timedelta(0)
    real = world.parts.clock

    def rule(said: str, *, minutes: int = 0) -> None:
        nonlocal passed
        passed += timedelta(minutes=minutes)

        def clock() -> datetime:
            return real() + passed

        with world.app.app_context():
            found = services()
        settings = replace(found.settings, sign_again=sign_again(said))
        attach(world.app.extensions, replace(found, settings=settings, clock=clock))

    return rule


@pytest.fixture
def case_id(world: World) -> str:
    """Return a case with findings that a reader has written and not signed."""
    found = world.derm_case()
    world.parts.casebook.note_capture(found, "a", "1.2.3")
    assert world.client("referrer@fjord").post(f"/api/cases/{found}/submit").status_code == 200
    reader = world.client(READER)
    assert reader.post(f"/api/cases/{found}/claim").status_code == 200
    said = {"impression": "Benign."}
    assert reader.put(f"/api/cases/{found}/findings", json=said).status_code == 200
    return found


def browser(world: World) -> tuple[FlaskClient, dict[str, str]]:
    """Return a client of the reader's browser, and the header that its pages send."""
    client = world.app.test_client()
    token = client.get("/login", headers={"Accept": "application/json"}).get_json()["csrf_token"]
    answer = client.post(
        "/login", json={"email": READER, "password": PASSWORD}, headers={"X-CSRF-Token": token}
    )
    return client, {"X-CSRF-Token": answer.get_json()["csrf_token"]}


def send(session: Any, case_id: str, verb: str = "sign", **body: Any) -> Any:
    client, headers = session
    return client.post(f"/api/cases/{case_id}/{verb}", json=body, headers=headers)


def test_always_means_each_signature_has_its_password(
    world: World, asking: Callable[..., None], case_id: str
) -> None:
    asking("always")
    session = browser(world)
    refused = send(session, case_id)
    assert (refused.status_code, refused.get_json()["code"]) == (403, "sign-in-again")
    assert refused.get_json()["detail"] == "Give your password once more, then sign."
    wrong = send(session, case_id, password="not it at all")
    assert (wrong.status_code, wrong.get_json()["code"]) == (403, "wrong-password")
    assert not world.parts.casebook.dossier(EVERYTHING, case_id).reports
    assert [e.outcome for e in world.audit("sign-in-failed")] == ["refused"]
    asking("always", minutes=1)  # the delay after a failure
    assert send(session, case_id, password=PASSWORD).status_code == 200
    more = {"impression": "More."}
    assert send(session, case_id, "addend", **more).get_json()["code"] == "sign-in-again"
    assert send(session, case_id, "addend", password=PASSWORD, **more).status_code == 200
    assert send(session, case_id, "correct", password=PASSWORD, **more).status_code == 200
    reports = world.parts.casebook.dossier(EVERYTHING, case_id).reports
    assert [each.kind for each in reports] == ["original", "addendum", "correction"]
    assert PASSWORD not in str([each.content for each in reports])


def test_after_minutes_a_proof_counts_for_so_long(
    world: World, asking: Callable[..., None], case_id: str
) -> None:
    asking("after 15")
    session = browser(world)
    assert send(session, case_id).status_code == 200  # who has just signed in has proved it
    asking("after 15", minutes=16)
    more = {"impression": "More."}
    assert send(session, case_id, "addend", **more).get_json()["code"] == "sign-in-again"
    assert send(session, case_id, "addend", password=PASSWORD, **more).status_code == 200
    asking("after 15", minutes=14)
    assert send(session, case_id, "addend", **more).status_code == 200


def test_who_guesses_at_the_password_of_another_waits(
    world: World, asking: Callable[..., None], case_id: str
) -> None:
    asking("always")
    session = browser(world)
    statuses = [send(session, case_id, password=f"guess {n}").status_code for n in range(8)]
    assert statuses[-1] == 429


def test_a_token_signs_only_where_nothing_is_asked(
    world: World, asking: Callable[..., None], case_id: str
) -> None:
    asking("after 15")
    refused = world.client(READER).post(f"/api/cases/{case_id}/sign", json={"password": PASSWORD})
    assert (refused.status_code, refused.get_json()["code"]) == (403, "sign-in-again")
    assert "a token proves nobody" in refused.get_json()["detail"]
    asking("never")
    assert world.client(READER).post(f"/api/cases/{case_id}/sign", json={}).status_code == 200
