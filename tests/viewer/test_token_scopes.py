"""What a token that is limited to scopes reaches: every route, by the long way and the short."""

from __future__ import annotations

import re
from typing import Any

import pytest

from casework.errors import Invalid
from casework.token_scopes import MEANS, covers, parse_scopes
from viewer.token_scopes import ANY_TOKEN, TABLE, needed_for, row_of

STUDY, SERIES, INSTANCE = "1.2.826.0.1", "1.2.826.0.1.0", "1.2.826.0.1.1"
FRAME = f"/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{INSTANCE}/frames/1"


def routes(world: Any) -> list[tuple[str, str]]:
    return [
        (rule.rule, method)
        for rule in world.app.url_map.iter_rules()
        for method in sorted(rule.methods or ())
    ]


def limited(world: Any, *scopes: str, who: str = "admin@hammer") -> Any:
    client = world.app.test_client()
    token = world.parts.people.add_token(who, days=1, scopes=scopes)
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def test_every_route_has_been_thought_of(shared_world: Any) -> None:
    forgotten = {rule for rule, _ in routes(shared_world) if row_of(rule) is None}
    assert not forgotten, "add a row to viewer/token_scopes.py"


def test_every_machine_route_needs_a_scope_that_there_is(shared_world: Any) -> None:
    for rule, method in routes(shared_world):
        needed = needed_for(rule, method)
        if rule.startswith(("/dicom-web", "/fhir", "/api")) and needed != ANY_TOKEN:
            assert needed in MEANS, (rule, method)


def test_every_scope_of_the_table_is_known() -> None:
    named = {s for row in TABLE for s in (row.read, row.write, row.delete) if s}
    assert named <= MEANS.keys()


def test_token_with_all_scopes_but_one_is_refused_just_what_needs_that_one(
    shared_world: Any,
) -> None:
    """Walks every route with a token for each scope that lacks it, and counts who is refused."""
    clients = {
        scope: limited(shared_world, *sorted(MEANS.keys() - {scope})) for scope in sorted(MEANS)
    }
    for rule in shared_world.app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            needed = needed_for(rule.rule, method)
            if needed == ANY_TOKEN:
                continue
            path = re.sub("<any.([A-Za-z]+)[^>]*>", r"\1", rule.rule)
            path = re.sub("<[^>]+>", "1", path)
            answer = clients[needed or "cases.read"].open(path, method=method)
            with answer:
                assert answer.status_code == 403, (method, path, answer.status_code)
                said = answer.headers.get("WWW-Authenticate", "")
            assert 'error="insufficient_scope"' in said, (method, path)
            assert (f'scope="{needed}"' in said) == bool(needed)


def test_refusal_names_the_scope_that_is_missing(shared_world: Any) -> None:
    answer = limited(shared_world, "fhir.read").get("/dicom-web/studies")
    assert answer.status_code == 403
    assert answer.get_json()["code"] == "insufficient-scope"
    assert "dicomweb.read" in answer.get_json()["detail"]
    assert limited(shared_world, "dicomweb.read").get("/dicom-web/studies").status_code == 200


def test_token_without_scopes_does_what_its_person_may(shared_world: Any) -> None:
    client = limited(shared_world)
    assert client.get("/dicom-web/studies").status_code == 200
    assert client.get("/admin").status_code == 200


def test_scope_gives_nothing_that_the_person_may_not(shared_world: Any) -> None:
    client = limited(shared_world, "cases.write", who="radiologist@centre")
    assert client.post("/api/referrals", json={}).status_code in {403, 422}


def test_short_way_to_a_frame_asks_for_the_scope_too(world: Any) -> None:
    world.store("hammer")
    assert limited(world, "dicomweb.read").get(FRAME).status_code == 200
    assert limited(world, "dicomweb.write", "cases.read").get(FRAME).status_code == 403


def test_short_way_to_metadata_asks_for_the_scope_too(world: Any) -> None:
    world.store("hammer")
    url = f"/dicom-web/studies/{STUDY}/series/{SERIES}/metadata"
    reader = limited(world, "dicomweb.read")
    assert reader.get(url).status_code == 200
    again = reader.get(url)
    assert again.status_code == 200
    tag = {"If-None-Match": again.headers["ETag"]}
    assert reader.get(url, headers=tag).status_code == 304
    other = limited(world, "dicomweb.write", "workitems.read", "cases.read")
    assert other.get(url).status_code == 403
    assert other.get(url, headers=tag).status_code == 403


READS = (
    ("GET", "/dicom-web/workitems/<uid>", "workitems.read"),
    ("PUT", "/dicom-web/workitems/<uid>/state", "workitems.write"),
    ("POST", "/dicom-web/workitems/<uid>/cancelrequest", "workitems.write"),
    ("POST", "/dicom-web/workitems/<uid>/subscribers/<ae>", "workitems.write"),
    ("DELETE", "/dicom-web/workitems/<uid>/subscribers/<ae>", "workitems.write"),
    ("GET", "/dicom-web/subscribers/<ae>", "workitems.read"),
    ("GET", "/dicom-web/commitment-requests/<uid>", "dicomweb.read"),
    ("POST", "/dicom-web/commitment-requests/<uid>", "dicomweb.write"),
    ("GET", "/dicom-web/studies/<uid>/bulkdata", "dicomweb.read"),
    ("GET", "/dicom-web/studies/<uid>/thumbnail", "dicomweb.read"),
    ("DELETE", "/dicom-web/studies/<uid>/series/<uid>", "dicomweb.delete"),
    ("GET", "/api/orders/<id>", "orders.read"),
    ("POST", "/api/orders", "orders.write"),
    ("GET", "/api/cases/<id>/priors", "cases.read"),
    ("POST", "/api/cases/<id>/priors", "cases.write"),
    ("GET", "/cases/<id>/priors/<study>", None),
)


@pytest.mark.parametrize(("method", "path", "scope"), READS)
def test_what_a_route_needs_is_what_it_does(method: str, path: str, scope: str | None) -> None:
    assert needed_for(path, method) == scope


def test_scopes_are_read_with_commas_and_blanks() -> None:
    assert parse_scopes(["fhir.read,orders.read", "cases.read"]) == {
        "fhir.read", "orders.read", "cases.read",
    }  # fmt: skip
    with pytest.raises(Invalid, match="no scope 'all'"):
        parse_scopes(["all"])
    assert covers(None, None)
    assert not covers(frozenset(), "fhir.read")
    assert not covers({"fhir.read"}, None)
