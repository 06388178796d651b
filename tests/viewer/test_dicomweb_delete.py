"""DELETE over DICOMweb: refused by default; where it is on, an erasure with all its rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from casework.erasure import Target
from viewer.app import create_app
from viewer.services import services

STUDY, SERIES, INSTANCE = "1.2.826.0.1", "1.2.826.0.1.0", "1.2.826.0.1.1"
OF_STUDY = f"/dicom-web/studies/{STUDY}"
OF_SERIES = f"{OF_STUDY}/series/{SERIES}"
OF_INSTANCE = f"{OF_SERIES}/instances/{INSTANCE}"
ALL = (OF_STUDY, OF_SERIES, OF_INSTANCE)


def client_of(world: Any, who: str = "admin@hammer", token: str = "") -> FlaskClient:
    """Return a client of an exchange that lets people delete."""
    with world.app.app_context():
        known = services()
    app = create_app(replace(known, settings=replace(known.settings, dicomweb_delete=True)))
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token or world.tokens[who]}"
    return client


def two_series(world: Any) -> None:
    world.store("hammer")
    world.store("hammer", SOPInstanceUID="1.2.826.0.1.2", InstanceNumber=2)
    world.store("hammer", SOPInstanceUID="1.2.826.0.2.1", SeriesInstanceUID="1.2.826.0.2.0")


def left(world: Any) -> list[str]:
    found = world.client("referrer@hammer").get("/dicom-web/instances").get_json()
    return sorted(each["00080018"]["Value"][0] for each in found)


@pytest.mark.parametrize("url", ALL)
@pytest.mark.parametrize("who", ["admin@hammer", "admin@centre", "referrer@berg"])
def test_by_default_nothing_is_deleted_and_it_is_said_why(
    shared_world: Any, url: str, who: str
) -> None:
    answer = shared_world.client(who).delete(url)
    assert answer.status_code == 405
    assert "LYSBRO_DICOMWEB_DELETE" in answer.get_json()["detail"]
    assert "DELETE" not in answer.headers["Allow"]
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize(
    ("url", "stay"),
    [
        (OF_STUDY, []),
        (OF_SERIES, ["1.2.826.0.2.1"]),
        (OF_INSTANCE, ["1.2.826.0.1.2", "1.2.826.0.2.1"]),
    ],
)
def test_administrator_erases_what_is_named(world: Any, url: str, stay: list[str]) -> None:
    two_series(world)
    client = client_of(world)
    assert client.delete(url).status_code == 204
    assert left(world) == stay
    (entry,) = world.audit("erased")[-1:]
    assert entry.actor_name == "admin hammer"
    assert entry.detail["reason"] == "asked for over DICOMweb (DELETE)"
    assert client.get(url).status_code == 404
    assert client.delete(url).status_code == 404
    assert world.parts.ledger.verify() is None


def test_reason_may_be_given(world: Any) -> None:
    two_series(world)
    client_of(world).delete(OF_STUDY + "?reason=sent+twice")
    assert "sent twice" in [e.detail["reason"] for e in world.audit("erased")]


@pytest.mark.parametrize("who", ["referrer@hammer", "coordinator@hammer", "radiologist@centre"])
def test_only_administrators_erase(world: Any, who: str) -> None:
    two_series(world)
    assert client_of(world, who).delete(OF_STUDY).status_code == 403
    assert len(left(world)) == 3


def test_another_sites_study_is_not_there(world: Any) -> None:
    two_series(world)
    assert client_of(world, "admin@berg").delete(OF_STUDY).status_code == 404
    assert len(left(world)) == 3
    assert client_of(world, "admin@centre").delete(OF_STUDY).status_code == 204


def test_only_ones_own_copy_goes(world: Any) -> None:
    two_series(world)
    world.store("berg")
    assert client_of(world, "admin@berg").delete(OF_STUDY).status_code == 204
    assert len(left(world)) == 3


@pytest.mark.parametrize("url", ALL)
def test_legal_hold_stands_in_the_way(world: Any, url: str) -> None:
    two_series(world)
    world.parts.holds.add(
        Target(study_uid=STUDY), reason="court", actor=world.actors["admin@centre"]
    )
    answer = client_of(world).delete(url)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "legal-hold")
    assert len(left(world)) == 3
    assert world.audit("refused")


def test_case_that_is_being_read_stands_in_the_way(world: Any) -> None:
    two_series(world)
    case_id = world.case_of("hammer", STUDY)
    world.client("radiologist@centre").post(f"/api/cases/{case_id}/claim", json={})
    answer = client_of(world).delete(OF_SERIES)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "case-being-read")
    assert len(left(world)) == 3


def test_token_needs_the_scope_for_it(world: Any) -> None:
    two_series(world)
    add = world.parts.people.add_token
    writes = add("admin@hammer", scopes=["dicomweb.read", "dicomweb.write"])
    assert client_of(world, token=writes).delete(OF_INSTANCE).status_code == 403
    deletes = add("admin@hammer", scopes=["dicomweb.delete"])
    assert client_of(world, token=deletes).delete(OF_INSTANCE).status_code == 204
