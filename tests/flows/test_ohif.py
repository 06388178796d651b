"""OHIF opens a study of a running exchange in Chromium: a viewer that is not ours."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, expect
from pydicom import dcmread

from tests.flows.browsing import DESK, chromium
from tests.flows.conftest import Exchange
from tests.flows.ohif import DIST, serve_ohif
from tests.flows.waiting import until

SAMPLES = sorted((Path(__file__).resolve().parents[2] / "lysbro" / "samples" / "ct").iterdir())
RADIOLOGIST = "radiologist@nordlys.example"
_PATIENCE_MS = 60_000
_SHADES = """canvas => {
  const picture = canvas.getContext("2d", {willReadFrequently: true})
  const {data} = picture.getImageData(0, 0, canvas.width, canvas.height)
  const found = new Set()
  for (let i = 0; i < data.length; i += 4) found.add(data[i])
  return found.size
}"""
"""How many shades of grey a picture shows."""

pytestmark = [
    pytest.mark.peers,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not DIST.is_dir(), reason="OHIF is not there: tools/ohif.sh fetches it"),
]


@pytest.fixture(scope="module")
def study(exchange: Exchange) -> str:
    """Store the sample CT as its scanner would; return its Study Instance UID."""
    to = ["-aet", "HAMMER_CT", "-aec", "LYSBRO", "127.0.0.1", str(exchange.dicom_port)]
    subprocess.run(["dcmsend", *to, *map(str, SAMPLES)], check=True, timeout=60)
    uid = str(dcmread(SAMPLES[0], specific_tags=["StudyInstanceUID"]).StudyInstanceUID)

    def is_there() -> bool:
        _, found = exchange.call(RADIOLOGIST, "GET", f"/dicom-web/studies/{uid}/instances")
        return len(found or ()) == len(SAMPLES)

    until(is_there, "the study")
    return uid


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context(viewport={"width": DESK[0], "height": DESK[1]}) as context:
        opened = context.new_page()
        opened.set_default_timeout(_PATIENCE_MS)
        yield opened


def test_ohif_lists_a_study_and_shows_every_image_of_it(
    exchange: Exchange, study: str, page: Page
) -> None:
    answers: list[Response] = []
    page.on("response", lambda r: answers.append(r) if "/dicom-web/" in r.url else None)

    with serve_ohif(exchange.web_port, exchange.token(RADIOLOGIST)) as address:
        page.goto(address)
        expect(page.get_by_text("HEAD", exact=True).first).to_be_visible(timeout=_PATIENCE_MS)

        page.goto(f"{address}/viewer?StudyInstanceUIDs={study}")
        canvas = page.locator("canvas.cornerstone-canvas").first
        canvas.wait_for()
        until(lambda: canvas.evaluate(_SHADES) > 64, "the first image")
        page.get_by_text(f"(1/{len(SAMPLES)})").first.wait_for()
        page.wait_for_function(
            "count => performance.getEntriesByType('resource')"
            ".filter(each => each.name.includes('/frames/')).length >= count",
            arg=len(SAMPLES),
        )

    assert {answer.status for answer in answers} == {200}
    assert len({a.url for a in answers if "/frames/" in a.url}) == len(SAMPLES)
