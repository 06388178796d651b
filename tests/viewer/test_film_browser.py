"""Film in: a GP adds a short film, a wound chart and another picture; both sides see them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from werkzeug.serving import make_server

from tests.derm_capture.films import phone_film
from tests.derm_capture.pictures import jpeg, skin
from tests.derm_capture.test_documents import pages
from tests.viewer.conftest import PASSWORD, World

SAMPLES = Path(__file__).parents[2] / "lysbro" / "samples" / "photos"
PICTURES = os.environ.get("LYSBRO_SCREENSHOTS", "")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
PLAYED = """
async (player) => {
  player.muted = true;
  await player.play();
  await new Promise((resolve) => player.addEventListener("timeupdate", resolve, { once: true }));
  return [player.videoWidth, player.videoHeight, player.duration, player.error === null,
          player.webkitAudioDecodedByteCount ?? 0];
}
"""

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def address(world: World) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, world.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def signed_in(browser: Browser, address: str, who: str, size: tuple[int, int]) -> Iterator[Page]:
    """Sign somebody in, on a telephone when the window is narrow; no complaint may come."""
    is_phone = size[0] < 600
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, has_touch=is_phone, is_mobile=is_phone
    )
    said: list[str] = []
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.on("console", lambda m: said.append(m.text) if m.type in {"error", "warning"} else None)
    page.goto(f"{address}/login")
    page.fill("#email", who)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    yield page
    assert said == []
    found = Axe().run(page, options={"runOnly": RULES})
    assert [each["id"] for each in found.response["violations"]] == []
    context.close()


def picture(page: Page, name: str) -> None:
    """Keep a picture of the page, when one is asked for."""
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{name}")


def test_film_and_papers_of_a_wound_are_sent_and_seen(
    world: World, address: str, tmp_path: Path
) -> None:
    film, chart, box = tmp_path / "IMG_Kari.mov", tmp_path / "kari.pdf", tmp_path / "box.jpg"
    film.write_bytes(phone_film(turn=90))
    chart.write_bytes(pages())
    box.write_bytes(jpeg(skin(640, 480)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        with signed_in(browser, address, "referrer@fjord", (390, 844)) as page:
            page.goto(f"{address}/capture")
            case_id = refer(page, film, chart, box)
            page.goto(f"{address}/cases/{case_id}")
            seen(page.locator("video.film"))
            expect(page.get_by_role("link", name="Pill box")).to_be_visible()
            page.set_viewport_size({"width": 390, "height": 1600})
            picture(page, "film-case.png")
        with signed_in(browser, address, "dermatologist@centre", (1440, 900)) as page:
            page.goto(f"{address}/cases/{case_id}")
            strip = page.locator("#strip-list")
            expect(page.locator(".photo")).to_have_count(2)
            expect(page.locator(".photo figcaption", has_text="Pill box")).to_be_visible()
            strip.get_by_role("button", name="Film").click()
            seen(page.locator("#papers video"))
            picture(page, "film-room.png")
            expect(strip.get_by_role("button", name="Film")).to_contain_text("seen")
            strip.get_by_role("button", name="Wound chart").click()
            expect(page.get_by_role("link", name="Open in a window of its own")).to_be_visible()
        browser.close()
    listed = world.client("referrer@fjord").get(f"/api/cases/{case_id}/photos").get_json()
    assert sorted(each["kind"] for each in listed["photos"]) == [
        "clip", "closeup", "document", "other",
    ]  # fmt: skip


def refer(page: Page, film: Path, chart: Path, box: Path) -> str:
    page.get_by_label("National identity number").fill("fjord-film")
    page.get_by_label("Family name").fill("Hætta")
    page.get_by_role("button", name="Next: where").click()
    page.get_by_label("Site on the body").select_option(label="Forearm, back")
    page.get_by_role("radio", name="Left").check()
    page.get_by_role("button", name="Next: pictures").click()
    for slot, path in (("closeup", SAMPLES / "closeup.png"), ("clip", film)):
        place = page.locator(f'[data-slot="{slot}"]')
        place.locator("[data-choose]").set_input_files(path)
        keep, state = place.get_by_role("button", name="Keep anyway"), place.locator(".slot-state")
        expect(keep.or_(state.get_by_text("Kept"))).to_be_visible(timeout=20_000)
        if keep.is_visible():
            keep.click()
        expect(state).to_have_text("Kept")
    page.locator("#attachments summary").click()
    for title, path in (("Wound chart", chart), ("Pill box", box)):
        page.locator("#attachment-title").fill(title)
        page.locator("[data-attach]").set_input_files(path)
        expect(page.locator("[data-attached] a", has_text=title)).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 2400})
    picture(page, "film-capture.png")
    page.reload()  # the draft knows its film and its papers again
    page.get_by_role("button", name="Pictures").click()
    expect(page.locator('[data-slot="clip"] .slot-state')).to_have_text("Kept")
    seen(page.locator('[data-slot="clip"] .slot-kept video'))
    expect(page.locator("[data-attached] li")).to_have_count(2)
    page.get_by_role("button", name="Next: question").click()
    page.get_by_label("Your question").fill("Does the wound heal?")
    page.get_by_role("button", name="Next: send").click()
    page.get_by_role("checkbox", name="Assessment by a specialist").check()
    page.get_by_role("button", name="Send to the specialist").click()
    expect(page.locator("#sent-number")).to_be_visible(timeout=20_000)
    return page.locator("#sent-number").inner_text()


def seen(player: Any) -> None:
    """Play a film for a moment: upright, of its length, without a sound."""
    width, height, duration, is_whole, sound_bytes = player.evaluate(PLAYED)
    assert (width, height) == (360, 480)
    assert duration == pytest.approx(2.19, abs=0.1)
    assert is_whole
    assert sound_bytes == 0
