"""Errors as answered: a document for machines, a page for people, nothing of the inside."""

import pytest

from casework.errors import (
    Conflict,
    Invalid,
    LysbroError,
    NoRoom,
    NotFound,
    Refused,
    TooLarge,
    Unavailable,
)
from viewer.problems import NotAcceptable, TooManyRequests, UnsupportedMedia, status_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Invalid("x"), 422),
        (Invalid("x", code="not-json"), 400),
        (TooLarge("x"), 413),
        (Refused("x"), 403),
        (NotFound("x"), 404),
        (Conflict("x"), 409),
        (NoRoom("x"), 507),
        (Unavailable("x"), 503),
        (NotAcceptable("x"), 406),
        (UnsupportedMedia("x"), 415),
        (TooManyRequests("x", wait_s=1), 429),
        (LysbroError("x"), 500),
    ],
)
def test_every_error_has_its_status(error, status):
    assert status_of(error) == status


@pytest.mark.parametrize("path", ["/api/nowhere", "/dicom-web/nowhere", "/fhir/Nowhere/1"])
def test_machines_get_a_document(shared_world, path):
    answer = shared_world.client("referrer@hammer").get(path)
    assert answer.status_code == 404
    assert answer.mimetype in {"application/problem+json", "application/fhir+json"}


def test_people_get_a_page(shared_world):
    answer = shared_world.client("referrer@hammer").get("/nowhere", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert answer.mimetype == "text/html"


def test_wrong_method_says_which_are_right(shared_world):
    answer = shared_world.client("referrer@hammer").delete("/api/cases")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    assert answer.get_json()["title"] == "Method Not Allowed"


def test_defect_is_answered_with_an_id_and_nothing_of_the_inside(world, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("secret detail of the inside")

    monkeypatch.setattr(world.parts.casebook, "dossier", broken)
    answer = world.client("referrer@hammer").get("/api/cases/2222-2222")
    assert answer.status_code == 500
    body = answer.get_json()
    assert body["error_id"] in body["detail"]
    assert "secret" not in answer.text
