"""Film in: a GP adds a short film, a wound chart and another picture; both sides see them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from derm_capture.clip import open_clip
from tests.derm_capture.films import SECRETS, phone_film
from tests.derm_capture.pictures import jpeg, skin
from tests.derm_capture.test_documents import pages
from tests.flows.browsing import DESK, PHONE, chromium, keep_picture, signed_in
from tests.flows.conftest import Exchange

SAMPLES = Path(__file__).parents[2] / "lysbro" / "samples" / "photos"
PICTURES = Path(os.environ["LYSBRO_SCREENSHOTS"]) if "LYSBRO_SCREENSHOTS" in os.environ else None
GP = "gp@fjordgata.example"
DERMATOLOGIST = "dermatologist@nordlys.example"
PLAYED = """
async (player) => {
  player.muted = true;
  await player.play();
  await new Promise((resolve) => player.addEventListener("timeupdate", resolve, { once: true }));
  return [player.videoWidth, player.videoHeight, player.duration, player.error === null,
          player.mozHasAudio ?? player.webkitAudioDecodedByteCount ?? 0];
}
"""

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_film_and_papers_of_a_wound_are_sent_and_seen(exchange: Exchange, tmp_path: Path) -> None:
    film, chart, box = tmp_path / "IMG_Kari.mov", tmp_path / "kari.pdf", tmp_path / "box.jpg"
    film.write_bytes(phone_film(turn=90))
    chart.write_bytes(pages())
    box.write_bytes(jpeg(skin(640, 480)))
    with chromium() as browser:
        with signed_in(browser, exchange, GP, PHONE) as gp:
            gp.go("/capture")
            case_id = refer(gp.page, film, chart, box)
            gp.go(f"/cases/{case_id}")
            seen(gp.page.locator("video.film"))
            expect(gp.page.get_by_role("link", name="Pill box")).to_be_visible()
            gp.page.set_viewport_size({"width": 390, "height": 1600})
            keep_picture(gp.page, "film-case.png", PICTURES)
            assert gp.complaints == []
            assert gp.axe_violations() == []
        with signed_in(browser, exchange, DERMATOLOGIST, DESK) as reader:
            reader.go(f"/cases/{case_id}")
            strip = reader.page.locator("#strip-list")
            expect(reader.page.locator(".photo")).to_have_count(2)
            expect(reader.page.locator(".photo figcaption", has_text="Pill box")).to_be_visible()
            strip.get_by_role("button", name="Film").click()
            seen(reader.page.locator("#papers video"))
            keep_picture(reader.page, "film-room.png", PICTURES)
            expect(strip.get_by_role("button", name="Film")).to_contain_text("seen", timeout=10_000)
            strip.get_by_role("button", name="Wound chart").click()
            expect(reader.page.get_by_role("link", name="Open the document")).to_be_visible()
            assert reader.complaints == []
            assert reader.axe_violations() == []
    is_as_made(exchange, case_id, film.read_bytes())


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
        expect(state).to_have_text("Kept", timeout=20_000)
    page.locator("#attachments summary").click()
    for title, path in (("Wound chart", chart), ("Pill box", box)):
        page.locator("#attachment-title").fill(title)
        page.locator("[data-attach]").set_input_files(path)
        expect(page.locator("[data-attached] a", has_text=title)).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 2400})
    keep_picture(page, "film-capture.png", PICTURES)
    page.reload()  # the draft knows its film and its papers again
    page.get_by_role("button", name="Pictures").click()
    expect(page.locator('[data-slot="clip"] .slot-state')).to_have_text("Kept")
    seen(page.locator('[data-slot="clip"] video'))
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


def is_as_made(exchange: Exchange, case_id: str, source: bytes) -> None:
    """Hold the film that the exchange gives against the one that was handed in."""
    status, listed = exchange.call(GP, "GET", f"/api/cases/{case_id}/photos")
    assert status == 200
    assert sorted(each["kind"] for each in listed["photos"]) == [
        "clip", "closeup", "document", "other",
    ]  # fmt: skip
    made = b"".join(open_clip(source).file.pieces)
    assert not [secret for secret in SECRETS if secret in made]
