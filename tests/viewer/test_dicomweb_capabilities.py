"""The description of the service says what is answered: every route, no other, in both forms."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from viewer.app import create_app
from viewer.dicomweb.capabilities import CONSUMES, PRODUCES
from viewer.services import services

WADL = "application/vnd.sun.wadl+xml"
NS = "{http://wadl.dev.java.net/2009/02}"
STUDY, SERIES, INSTANCE = "1.2.826.0.1", "1.2.826.0.1.0", "1.2.826.0.1.1"


def routes(app: Any, *, deletes: bool) -> set[tuple[str, str]]:
    """Return what the URL map has under the base: (path, method)."""
    found = set()
    for rule in app.url_map.iter_rules():
        if not re.match("/dicom-web(/|$)", rule.rule):
            continue
        path = re.sub("<(?:[a-z]+(?:[(].*[)])?:)?([a-z_]+)>", r"{\1}", rule.rule)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            is_ours = rule.endpoint.startswith("dicomweb.delete_")
            if method != "DELETE" or deletes or not is_ours:
                found.add((path.removeprefix("/dicom-web"), method))
    return found


def told_in_wadl(document: bytes) -> set[tuple[str, str]]:
    root = Xml.fromstring(document)
    assert root.tag == NS + "application"
    (resources,) = root
    assert resources.attrib["base"].endswith("/dicom-web")
    found = set()

    def walk(node: Xml.Element, path: str) -> None:
        for child in node:
            if child.tag == NS + "resource":
                walk(child, f"{path}/{child.attrib['path']}")
            elif child.tag == NS + "method":
                found.add((path, child.attrib["name"]))

    walk(resources, "")
    return found


def told_in_json(document: Any) -> set[tuple[str, str]]:
    return {
        (resource["path"], method["name"])
        for resource in document["resources"]
        for method in resource["methods"]
    }


@pytest.mark.parametrize("deletes", [False, True])
@pytest.mark.parametrize("base", ["/dicom-web", "/dicom-web/"])
def test_both_forms_tell_of_every_route_and_of_no_other(
    shared_world: Any, deletes: bool, base: str
) -> None:
    with shared_world.app.app_context():
        known = services()
    app = create_app(replace(known, settings=replace(known.settings, dicomweb_delete=deletes)))
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {shared_world.tokens['referrer@hammer']}"
    wadl = client.options(base)
    assert (wadl.status_code, wadl.content_type) == (200, WADL)
    assert told_in_wadl(wadl.data) == routes(app, deletes=deletes)
    as_json = client.options(base, headers={"Accept": "application/json"})
    assert as_json.content_type == "application/json"
    assert told_in_json(as_json.get_json()) == routes(app, deletes=deletes)
    assert "Accept" in wadl.headers["Vary"]


def test_resource_tells_of_itself_and_what_is_below(shared_world: Any) -> None:
    client = shared_world.client("referrer@hammer")
    answer = client.options(f"/dicom-web/studies/{STUDY}/series/{SERIES}")
    told = told_in_wadl(answer.data)
    assert told == {
        pair for pair in routes(shared_world.app, deletes=False)
        if re.match(r"/studies/\{study\}/series/\{series\}(/|$)", pair[0])
    }  # fmt: skip
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert client.options("/dicom-web/studies").headers["Allow"] == "GET, HEAD, OPTIONS, POST"


def test_form_that_there_is_not_is_refused(shared_world: Any) -> None:
    client = shared_world.client("referrer@hammer")
    assert client.options("/dicom-web", headers={"Accept": "text/html"}).status_code == 406
    assert client.options("/dicom-web/nowhere").status_code == 404
    assert shared_world.anonymous().options("/dicom-web/studies").status_code == 401


def test_every_media_type_that_is_told_of_is_given(shared_world: Any) -> None:
    shared_world.store("hammer")
    client = shared_world.client("referrer@hammer")
    names = {"study": STUDY, "series": SERIES, "instance": INSTANCE, "numbers": "1", "frame": 1}
    asked = set()
    for rule in shared_world.app.url_map.iter_rules():
        name = rule.endpoint.removeprefix("dicomweb.")
        if name not in PRODUCES or "GET" not in (rule.methods or ()) or "commitment" in name:
            continue
        values = {key: names[key] for key in rule.arguments - set(rule.defaults or {})}
        url = shared_world.app.url_map.bind("localhost").build(rule.endpoint, values, method="GET")
        for media_type in PRODUCES[name]:
            with client.get(url, headers={"Accept": media_type}) as answer:
                assert answer.status_code == 200, (url, media_type)
                given = answer.content_type.split("; boundary")[0]
            assert given.split(";")[0] == media_type.split(";")[0]
        asked.add(name)
    known = {rule.endpoint.rpartition(".")[2] for rule in shared_world.app.url_map.iter_rules()}
    assert known >= PRODUCES.keys() | CONSUMES.keys()
    assert len(asked) >= 12
