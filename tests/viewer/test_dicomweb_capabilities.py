"""The description of the service says what is answered: every route, no other, in both forms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from sqlalchemy import select

from casework.workitems import work_item_uid
from storage.casebook_tables import case_studies
from tests.viewer import retrieving
from viewer.app import create_app
from viewer.dicomweb.capabilities import _FRAMES, _MANY, CONSUMES, PRODUCES
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


OF = {
    "video/mp4": "video", "application/pdf": "document", "text/html": "report",
    "text/plain": "report",
}  # fmt: skip
"""The object that gives what an image does not."""


def address_for(media_type: str, name: str, stored: Mapping[str, Any]) -> list[str]:
    """Return study, series and instance of which a resource gives a media type."""
    inner = re.sub(r'multipart/related; type="(.*)"', r"\1", media_type)
    if name.endswith(("_study", "_series")):
        return [STUDY, SERIES, INSTANCE]
    which = "document" if name == "bulkdata" else OF.get(inner, "grey")
    if (name, inner) == ("retrieve_frames", "image/jpeg"):
        which = "jpeg"
    return stored[which].url.split("/dicom-web/")[1].split("/")[1::2]


def test_every_media_type_that_is_told_of_is_given(shared_world: Any) -> None:
    stored = retrieving.store_all(shared_world)
    shared_world.store("hammer")
    with shared_world.parts.database.read() as conn:
        case_id = conn.execute(select(case_studies.c.case_id)).scalars().first()
    client = shared_world.client("radiologist@centre")
    fixed = {"numbers": "1", "frame": 1, "path": "00420011", "workitem": work_item_uid(case_id)}
    asked = set()
    for rule in shared_world.app.url_map.iter_rules():
        name = rule.endpoint.removeprefix("dicomweb.")
        if name not in PRODUCES or "GET" not in (rule.methods or ()) or "commitment" in name:
            continue
        for media_type in PRODUCES[name]:
            study, series, instance = address_for(media_type, name, stored)
            names = {"study": study, "series": series, "instance": instance, **fixed}
            values = {key: names[key] for key in rule.arguments - set(rule.defaults or {})}
            adapter = shared_world.app.url_map.bind("localhost")
            url = adapter.build(rule.endpoint, values, method="GET")
            with client.get(url, headers={"Accept": media_type}) as answer:
                assert answer.status_code == 200, (url, media_type, answer.text[:200])
                given = answer.content_type.split("; boundary")[0]
            assert given.split(";")[0] == media_type.split(";")[0]
            assert media_type not in {*_MANY, *_FRAMES} or given.startswith(media_type)
        asked.add(name)
    known = {rule.endpoint.rpartition(".")[2] for rule in shared_world.app.url_map.iter_rules()}
    assert known >= PRODUCES.keys() | CONSUMES.keys()
    assert len(asked) >= 28


def test_all_that_wado_gives_is_told_of(shared_world: Any) -> None:
    """Fails for a route that answers GET and tells no media type."""
    names = {
        rule.endpoint.rpartition(".")[2]
        for rule in shared_world.app.url_map.iter_rules()
        if rule.rule.startswith("/dicom-web/") and "GET" in (rule.methods or ())
    }
    assert names - PRODUCES.keys() <= {"capabilities", "open_event_channel"}
