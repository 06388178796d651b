"""Other origins read the machine faces where the operator names them, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from viewer.app import create_app
from viewer.cors import headers_for
from viewer.services import services

OHIF = "https://viewer.example"
OTHER = "https://elsewhere.example"
ASKS = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
FRAME = "/dicom-web/studies/1.2.826.0.1/series/1.2.826.0.1.0/instances/1.2.826.0.1.1/frames/1"
"""Of the slice that the world stores."""


def client_of(world: Any, *origins: str, who: str = "radiologist@centre") -> FlaskClient:
    with world.app.app_context():
        known = services()
    app = create_app(replace(known, settings=replace(known.settings, cors_origins=origins)))
    client = app.test_client()
    if who:
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {world.tokens[who]}"
    return client


@pytest.fixture(scope="module")
def stored(shared_world: Any) -> Any:
    shared_world.store("hammer")
    return shared_world


def test_without_the_setting_no_answer_has_such_headers(stored: Any) -> None:
    client = client_of(stored)
    for path in ("/dicom-web/studies", FRAME, "/fhir/metadata"):
        answer = client.get(path, headers={"Origin": OHIF})
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
    assert client_of(stored, who="").options(
        "/dicom-web/studies", headers={"Origin": OHIF, **ASKS}
    ).status_code == 401  # fmt: skip


@pytest.mark.parametrize("path", ["/dicom-web/studies", "/fhir/ImagingStudy", "/api/cases", FRAME])
def test_named_origin_reads_with_credentials(stored: Any, path: str) -> None:
    answer = client_of(stored, OHIF).get(path, headers={"Origin": OHIF})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == OHIF
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    for name in ("Content-Location", "ETag", "Warning", "Content-Range", "Location"):
        assert name in answer.headers["Access-Control-Expose-Headers"]
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("path", ["/dicom-web/studies", FRAME])
def test_other_origin_is_given_nothing(stored: Any, path: str) -> None:
    answer = client_of(stored, OHIF).get(path, headers={"Origin": OTHER})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


def test_wildcard_never_goes_with_credentials(stored: Any) -> None:
    answer = client_of(stored, "*").get("/dicom-web/studies", headers={"Origin": OTHER})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    named = dict(headers_for(OHIF, "/api/cases", ["*", OHIF]))
    assert named["Access-Control-Allow-Origin"] == OHIF


def test_preflight_needs_no_token_and_tells_what_may_be_sent(stored: Any) -> None:
    client = client_of(stored, OHIF, who="")
    answer = client.options("/dicom-web/studies", headers={"Origin": OHIF, **ASKS})
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == OHIF
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert "DELETE" in answer.headers["Access-Control-Allow-Methods"]
    other = client.options("/dicom-web/studies", headers={"Origin": OTHER, **ASKS})
    assert other.status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/dicom-web/studies"),
        ("POST", "/dicom-web/workitems"),
        ("PUT", "/dicom-web/workitems/1.2/state"),
        ("POST", "/dicom-web/workitems/1.2/subscribers/A"),
        ("DELETE", "/dicom-web/workitems/1.2/subscribers/A"),
        ("POST", "/dicom-web/commitment-requests/1.2"),
        ("GET", FRAME),
    ],
)
def test_preflight_of_every_verb_is_answered(stored: Any, method: str, path: str) -> None:
    asks = {
        "Origin": OHIF,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,if-none-match,if-range,range",
    }
    answer = client_of(stored, OHIF, who="").options(path, headers=asks)
    assert answer.status_code == 204
    assert method in answer.headers["Access-Control-Allow-Methods"].split(", ")
    taken = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert set(asks["Access-Control-Request-Headers"].split(",")) <= set(taken)


def test_metadata_by_the_short_way_are_shared_when_new_and_when_known(stored: Any) -> None:
    client, url = client_of(stored, OHIF), FRAME.partition("/instances/")[0] + "/metadata"
    client.get(url, headers={"Origin": OHIF})
    answer = client.get(url, headers={"Origin": OHIF})
    again = client.get(url, headers={"Origin": OHIF, "If-None-Match": answer.headers["ETag"]})
    assert (answer.status_code, again.status_code) == (200, 304)
    frame = client.get(FRAME, headers={"Origin": OHIF})
    known = client.get(FRAME, headers={"Origin": OHIF, "If-None-Match": frame.headers["ETag"]})
    assert (frame.status_code, known.status_code) == (200, 304)
    for each in (answer, again, frame, known):
        assert each.headers["Access-Control-Allow-Origin"] == OHIF
        assert "ETag" in each.headers["Access-Control-Expose-Headers"]
        assert "Origin" in ", ".join(each.headers.getlist("Vary"))


def test_refusal_can_be_read_by_the_page_that_met_it(stored: Any) -> None:
    answer = client_of(stored, OHIF, who="").get("/dicom-web/studies", headers={"Origin": OHIF})
    assert answer.status_code == 401
    assert answer.headers["Access-Control-Allow-Origin"] == OHIF


def test_pages_for_people_are_shared_with_nobody(stored: Any) -> None:
    answer = client_of(stored, OHIF).get("/login", headers={"Origin": OHIF})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_named_origin_cannot_post_with_a_session(stored: Any) -> None:
    client = client_of(stored, OHIF, who="")
    form = client.get("/login", headers={"Accept": "application/json"}).get_json()
    signed_in = client.post(
        "/login",
        json={"email": "referrer@hammer", "password": "long enough to keep 1"},
        headers={"X-CSRF-Token": form["csrf_token"]},
    )
    assert signed_in.status_code == 200
    answer = client.post(
        "/api/referrals",
        json={},
        headers={"Origin": OHIF, "X-CSRF-Token": signed_in.get_json().get("csrf_token", "")},
    )
    assert answer.status_code == 403
