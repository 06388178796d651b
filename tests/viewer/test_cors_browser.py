"""A page of another origin, in a real browser, reads images and claims work items with a token."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from casework.workitems import work_item_uid
from lysbro.services import web_services
from tests.flows.browsing import chromium
from tests.viewer.conftest import World
from tests.viewer.stow_bodies import body, content_type, part
from tests.viewer.workitems import READER, TRANSACTION, asked_state
from viewer.app import create_app

pytestmark = pytest.mark.browser

DICOM = "application/dicom"
SERIES = "/dicom-web/studies/1.2.826.0.1/series/1.2.826.0.1.0"
ASK = """async ([url, how]) => {
  try {
    const answer = await fetch(url, how);
    const data = new Uint8Array(await answer.arrayBuffer());
    const names = ["etag", "location", "content-location", "warning", "www-authenticate", "allow"];
    const told = Object.fromEntries(names.map((name) => [name, answer.headers.get(name)]));
    return {status: answer.status, bytes: data.length, ...told};
  } catch (error) {
    return {status: 0, error: String(error)};
  }
}"""


@contextmanager
def served(app: Any) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_page_of_another_origin_reads_and_writes_with_a_token(world: World) -> None:
    world.store("hammer")
    uid = work_item_uid(world.case_of("hammer", "1.2.826.0.1"))
    page_of = Response("<!doctype html><title>elsewhere</title>", content_type="text/html")
    with ExitStack() as stack:
        named, other = (stack.enter_context(served(page_of)) for _ in range(2))
        known = web_services(world.parts)
        settings = replace(known.settings, cors_origins=(named,))
        ours = stack.enter_context(served(create_app(replace(known, settings=settings))))
        browser = stack.enter_context(chromium())
        page, stranger = browser.new_page(), browser.new_page()
        page.goto(named)
        stranger.goto(other)

        def ask(path: str, method: str = "GET", *, on: Any = page, **how: Any) -> dict[str, Any]:
            token = {"Authorization": f"Bearer {world.tokens[how.pop('who', READER)]}"}
            asked = {"method": method, "headers": token | how.pop("headers", {}), **how}
            return dict(on.evaluate(ASK, [ours + path, asked]))

        frame = f"{SERIES}/instances/1.2.826.0.1.1/frames/1"
        first = ask(frame, headers={"Accept": "application/octet-stream"})
        assert (first["status"], first["bytes"]) == (200, 32)
        assert first["etag"]
        for _ in range(2):  # made, then kept
            told = ask(f"{SERIES}/metadata", cache="no-store")
            assert told["status"] == 200
        known_tag = {"If-None-Match": told["etag"]}
        assert ask(f"{SERIES}/metadata", cache="no-store", headers=known_tag)["status"] == 304
        assert ask("/dicom-web/studies?PatientID=hammer-1")["status"] == 200
        assert ask("/dicom-web/studies", "OPTIONS")["allow"]

        json = {"Content-Type": "application/dicom+json"}
        claim = str(asked_state("IN PROGRESS", TRANSACTION)).replace("'", '"')
        done = ask(f"/dicom-web/workitems/{uid}/state", "PUT", headers=json, body=claim)
        assert done["status"] == 200
        again = ask(f"/dicom-web/workitems/{uid}/state", "PUT", headers=json, body=claim)
        assert (again["status"], bool(again["warning"])) == (409, True)
        assert ask(f"/dicom-web/workitems/{uid}")["content-location"].endswith(uid)
        stow = ask(
            "/dicom-web/studies", "POST", who="referrer@hammer",
            headers={"Content-Type": content_type(DICOM)},
            body=body([part(DICOM, b"none")]).decode(),
        )  # fmt: skip
        assert stow["status"] in {400, 409}
        gone = page.evaluate(ASK, [ours + frame, {}])
        assert gone["status"] == 401
        assert ask(frame, on=stranger)["status"] == 0
