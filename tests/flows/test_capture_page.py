"""The capture page as a GP uses it: with the phone's camera, several lesions, files at a desk."""

from __future__ import annotations

import base64
import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.flows.browsing import DESK, PHONE, Person, chromium, signed_in
from tests.flows.conftest import Exchange

SAMPLES = Path(__file__).parents[2] / "lysbro" / "samples" / "photos"
GP = "gp@fjordgata.example"
MOST_TAPS = 25
TARGET_PX = 44

pytestmark = [pytest.mark.browser, pytest.mark.peers, pytest.mark.slow]

_COUNT_TAPS = """
window.taps = () => Number(sessionStorage.getItem("taps") ?? "0");
addEventListener("click", (event) => {
  // a label's click clicks its field too; Enter in a field clicks the button: one press each
  if (event.isTrusted && event.detail !== 0) sessionStorage.setItem("taps", String(taps() + 1));
}, true);
addEventListener("keydown", (event) => {
  const types = event.target.matches?.("input:not([type=radio]):not([type=checkbox]), textarea");
  const activates = event.key === "Enter" || (event.key === " " && !types);
  if (event.isTrusted && activates) sessionStorage.setItem("taps", String(taps() + 1));
}, true);
"""
_TOO_SMALL = """(least) => [...document.querySelectorAll(
  "main button, main .button, main select, main .chip, dialog[open] button, dialog[open] .button")]
  .filter((each) => each.checkVisibility())
  .map((each) => [each.textContent.trim().slice(0, 40), each.getBoundingClientRect()])
  .filter(([, box]) => box.height > 0 && box.height < least - 0.5)
  .map(([text, box]) => `${text}: ${Math.round(box.height)}`)"""
_DROP = """([where, names]) => {
  const data = new DataTransfer();
  for (const [name, content] of names) {
    const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
    data.items.add(new File([bytes], name, { type: "image/jpeg" }));
  }
  const target = document.querySelector(where);
  for (const kind of ["dragover", "drop"]) {
    const how = { dataTransfer: data, bubbles: true, cancelable: true };
    target.dispatchEvent(new DragEvent(kind, how));
  }
}"""  # fmt: skip


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a photograph that nothing is wrong with."""
    path = tmp_path_factory.mktemp("good") / "good.jpg"
    picture = Image.open(SAMPLES / "overview.png").convert("RGB").resize((1920, 1440))
    picture.save(path, quality=93)
    return path


@contextmanager
def with_camera(web: Exchange, picture: Path, size: tuple[int, int]) -> Iterator[Person]:
    """Sign the GP in at a browser whose camera sees a picture."""
    film = picture.with_suffix(".mjpeg")
    film.write_bytes(picture.read_bytes())
    switches = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    )
    with chromium(*switches) as browser, signed_in(browser, web, GP, size) as gp:
        yield gp


def slot(page: Page, kind: str) -> Locator:
    return page.locator(f'[data-slot="{kind}"]')


def kept(page: Page, kind: str) -> Locator:
    return slot(page, kind).locator(".slot-kept li")


def who_and_where(page: Page, number: str, family: str) -> None:
    """Fill in the first two steps; end at the pictures."""
    page.get_by_label("National identity number").fill(number)
    page.get_by_label("Family name").fill(family)
    page.get_by_role("button", name="Next: where").click()
    where(page, "Upper back")


def where(page: Page, site: str) -> None:
    page.get_by_label("Site on the body").select_option(label=site)
    page.get_by_role("button", name="Next: pictures").click()
    expect(page.get_by_role("heading", name="Take the pictures")).to_be_visible()


def test_a_lesion_is_referred_by_the_guided_camera_in_few_taps(
    web: Exchange, good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with with_camera(web, good, PHONE) as gp:
        page = gp.page
        page.add_init_script(_COUNT_TAPS)
        gp.go("/capture")
        began = time.monotonic()
        page.get_by_label("National identity number").tap()
        page.keyboard.type("13116900216")
        expect(page.get_by_label("Date of birth")).to_have_value("1969-11-13")
        page.get_by_label("Family name").tap()
        page.keyboard.type("Nordmann")
        page.get_by_role("button", name="Next: where").tap()
        page.get_by_label("Site on the body").select_option(label="Forearm, back")
        chosen_from_list = 2  # opening the list and choosing: not seen by the page
        page.get_by_role("radio", name="Left").tap()
        page.get_by_role("button", name="Next: pictures").tap()
        slot(page, "overview").locator("[data-camera]").tap()
        title, shutter = page.locator("#camera-title"), page.locator("#camera-shutter")
        for name, following in (("Overview", "Close-up"), ("Close-up", "Dermoscopic")):
            expect(title).to_have_text(name)
            expect(shutter).to_be_enabled()
            shutter.tap()
            expect(title).to_have_text(following, timeout=20_000)
        assert gp.axe_violations() == []
        page.get_by_role("button", name="Skip").tap()
        expect(page.locator("#camera")).to_be_hidden()
        page.wait_for_function("document.querySelector('#camera-video').srcObject === null")
        for kind in ("overview", "closeup"):
            expect(kept(page, kind)).to_have_count(1, timeout=20_000)
        page.get_by_role("button", name="Next: question").tap()
        page.get_by_role("button", name="Is this malignant?").tap()
        page.get_by_role("button", name="Next: send").tap()
        page.get_by_role("checkbox", name="Assessment by a specialist").tap()
        page.get_by_role("button", name="Send to the specialist").tap()
        number = page.locator("#sent-number")
        expect(number).to_be_visible(timeout=20_000)
        took_s = time.monotonic() - began
        taps = page.evaluate("taps()") + chosen_from_list
        with capsys.disabled():
            sys.stdout.write(f"\none lesion, two photographs: {taps} taps, {took_s:.1f} s\n")
        assert 8 < taps <= MOST_TAPS
        case_id = number.inner_text()
        assert gp.complaints == []
    status, case = web.call(GP, "GET", f"/api/cases/{case_id}")
    assert (status, case["state"]) == (200, "submitted")
    record = case["consent"]["record"]["care"]
    assert (record["who"], record["how"], record["by"]) == (
        "patient", "oral", "Dr. Ingrid Solbakken",
    )  # fmt: skip
    _status, listed = web.call(GP, "GET", f"/api/cases/{case_id}/photos")
    assert [(photo["rows"], photo["columns"]) for photo in listed["photos"]] == [(1440, 1920)] * 2


def test_a_poor_picture_says_why_first_and_is_taken_again_or_kept(
    web: Exchange, tmp_path: Path
) -> None:
    dark = tmp_path / "dark.jpg"
    Image.open(SAMPLES / "overview.png").convert("RGB").resize((1920, 1440)).point(
        lambda value: value // 12
    ).save(dark, quality=93)
    with with_camera(web, dark, PHONE) as gp:
        page = gp.page
        gp.go("/capture")
        who_and_where(page, "fjord-90", "Mørk")
        slot(page, "overview").locator("[data-camera]").click()
        expect(page.locator("#camera-hint")).to_contain_text("Too dark")
        expect(page.locator("#camera-shutter")).to_be_enabled()
        page.keyboard.press("Space")
        again, keep = page.locator("#camera-again"), page.locator("#camera-keep")
        expect(page.locator("#camera-advice li").first).to_be_visible(timeout=20_000)
        expect(again).to_be_focused()
        again.click()
        expect(page.locator("#camera-shutter")).to_be_enabled()
        page.keyboard.press("Enter")
        expect(keep).to_be_visible(timeout=20_000)
        keep.click()
        expect(page.locator("#camera-title")).to_have_text("Close-up")
        page.keyboard.press("Escape")
        expect(page.locator("#camera")).to_be_hidden()
        expect(kept(page, "overview")).to_contain_text("Kept anyway", timeout=20_000)
        kept(page, "overview").get_by_role("button").click()
        expect(kept(page, "overview")).to_have_count(0)
        case_id = page.url.rsplit("/", 1)[1]
        assert gp.complaints == []
    _status, listed = web.call(GP, "GET", f"/api/cases/{case_id}/photos")
    assert listed["photos"] == []


def test_without_a_camera_the_page_says_what_to_use(browser: Browser, web: Exchange) -> None:
    with signed_in(browser, web, GP, PHONE) as gp:
        gp.go("/capture")
        who_and_where(gp.page, "fjord-91", "Uten")
        slot(gp.page, "overview").locator("[data-camera]").click()
        expect(gp.page.locator("#toast")).to_contain_text("Use the phone's camera")
        expect(gp.page.locator("#camera")).to_be_hidden()
        expect(slot(gp.page, "overview").locator(".slot-take")).to_be_visible()


def test_lesions_of_one_visit_are_begun_from_each_other_and_sent_together(
    browser: Browser, web: Exchange, good: Path
) -> None:
    with signed_in(browser, web, GP, PHONE) as gp:
        page = gp.page
        gp.go("/capture")
        who_and_where(page, "fjord-92", "Flere")
        slot(page, "closeup").locator("[data-choose]").set_input_files(good)
        expect(kept(page, "closeup")).to_have_count(1, timeout=20_000)
        page.get_by_role("button", name="Next: question").click()
        page.get_by_label("Your question").fill("First?")
        page.get_by_text("More, where it matters").click()
        page.get_by_label("Allergies").fill("penicillin")
        page.get_by_role("button", name="Next: send").click()
        page.get_by_role("checkbox", name="Assessment by a specialist").check()
        page.get_by_role("button", name="Another lesion, same patient").click()
        page.wait_for_url("**/capture?after=*")
        first = page.url.rsplit("=", 1)[1]
        expect(page.locator("#taken-over")).to_contain_text("allergies")
        page.get_by_label("Name of this lesion").fill("B")
        where(page, "Nape")
        slot(page, "closeup").locator("[data-choose]").set_input_files(good)
        expect(kept(page, "closeup")).to_have_count(1, timeout=20_000)
        page.get_by_role("button", name="Next: question").click()
        page.get_by_label("Your question").fill("Second?")
        page.get_by_text("More, where it matters").click()
        expect(page.get_by_label("Allergies")).to_have_value("penicillin")
        page.get_by_role("button", name="Next: send").click()
        expect(page.get_by_role("checkbox", name="Assessment by a specialist")).to_be_checked()
        assert gp.axe_violations() == []
        second = page.url.rsplit("/", 1)[1]
        gp.go("/capture")
        expect(page.locator(f'[data-draft="{second}"]')).to_contain_text("ready to send")
        expect(page.get_by_role("button", name="Send all 2")).to_be_visible()
        assert gp.axe_violations() == []
        gp.go(f"/capture/{second}")
        page.get_by_role("button", name="Send all 2").click()
        expect(page.locator("#sent-others")).to_contain_text(first, timeout=20_000)
        gp.go(f"/cases/{second}")
        page.get_by_text("What you told").click()
        expect(page.locator("dl.facts").first).to_contain_text("2 of 2 of this visit")
        assert gp.complaints == []
    for case_id in (first, second):
        _status, case = web.call(GP, "GET", f"/api/cases/{case_id}")
        assert (case["state"], case["clinical"]["allergies"]) == ("submitted", "penicillin")


def test_a_draft_is_thrown_away_at_the_second_press(browser: Browser, web: Exchange) -> None:
    body = {"specialty": "dermatology", "patient": {"id": "fjord-93", "name": "Kast^Per"}}
    _status, made = web.call(GP, "POST", "/api/referrals", body)
    with signed_in(browser, web, GP, DESK) as gp:
        gp.go("/capture")
        row = gp.page.locator(f'[data-draft="{made["case_id"]}"]')
        if not row.is_visible():
            gp.page.get_by_role("heading", name="You have").click()
        row.get_by_role("button").click()
        row.get_by_role("button", name="Throw away for good").click()
        expect(row).to_have_count(0)
    _status, case = web.call(GP, "GET", f"/api/cases/{made['case_id']}")
    assert case["state"] == "withdrawn"


def test_files_dropped_at_a_desk_find_their_places_and_the_rest_is_asked(
    browser: Browser, web: Exchange, good: Path
) -> None:
    small = io.BytesIO()
    Image.open(good).save(small, "JPEG", quality=60)
    content = base64.b64encode(small.getvalue()).decode()
    with signed_in(browser, web, GP, DESK) as gp:
        page = gp.page
        gp.go("/capture")
        page.evaluate(_DROP, ["main", [["early.jpg", content]]])  # nobody knows yet whose it is
        expect(page.locator("#toast")).to_contain_text("Say who and where first")
        page.get_by_label("National identity number").fill("fjord-94")
        page.get_by_label("Family name").fill("Pult")
        page.keyboard.press("Enter")
        where(page, "Upper back")
        expect(kept(page, "overview")).to_have_count(1, timeout=20_000)
        page.evaluate(_DROP, ["main", [[f"{n}.jpg", content] for n in range(3)]])
        expect(kept(page, "closeup")).to_have_count(1, timeout=20_000)
        expect(kept(page, "dermoscopic")).to_have_count(1, timeout=20_000)
        ask = page.get_by_role("dialog", name="Which picture is this?")
        ask.get_by_role("button", name="Close-up").click()
        expect(kept(page, "closeup")).to_have_count(2, timeout=20_000)
        page.evaluate(_DROP, ['[data-slot="dermoscopic"]', [["one.jpg", content]]])
        expect(kept(page, "dermoscopic")).to_have_count(2, timeout=20_000)
        slot(page, "overview").locator("[data-choose]").set_input_files([good, good])
        ask.get_by_role("button", name="Leave it out").click()
        ask.get_by_role("button", name="Leave it out").click()
        expect(ask).to_be_hidden()
        assert gp.complaints == []


def test_a_referral_can_be_filled_in_by_keyboard_alone(
    browser: Browser, web: Exchange, good: Path
) -> None:
    with signed_in(browser, web, GP, DESK) as gp:
        page = gp.page
        page.on("filechooser", lambda chooser: chooser.set_files([good]))
        gp.go("/capture")
        page.get_by_label("National identity number").focus()
        page.keyboard.type("fjord-95")
        page.keyboard.press("Tab")
        page.keyboard.type("Tastatur")
        page.keyboard.press("Enter")
        page.get_by_label("Site on the body").focus()
        page.keyboard.type("Nape")
        page.keyboard.press("Tab")
        page.get_by_role("button", name="Next: pictures").focus()
        page.keyboard.press("Enter")
        chosen = slot(page, "closeup").locator("[data-choose]")
        chosen.focus()
        page.keyboard.press("Enter")
        expect(kept(page, "closeup")).to_have_count(1, timeout=20_000)
        page.get_by_role("button", name="Next: question").focus()
        page.keyboard.press("Enter")
        page.get_by_label("Your question").focus()
        page.keyboard.type("By hand?")
        page.get_by_role("button", name="Next: send").focus()
        page.keyboard.press("Enter")
        page.get_by_role("checkbox", name="Assessment by a specialist").focus()
        page.keyboard.press("Space")
        page.locator("#submit").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#sent-number")).to_be_visible(timeout=20_000)


@pytest.mark.parametrize("language", ["en", "nb"])
def test_no_step_scrolls_sideways_and_all_can_be_pressed_by_a_thumb(
    browser: Browser, web: Exchange, language: str
) -> None:
    body = {
        "specialty": "dermatology",
        "patient": {"id": "fjord-96", "name": "Bred^Kari"},
        "question": "Wide?",
        "clinical": {"category": "mole", "site": "41550009", "laterality": "L"},
    }
    _status, made = web.call(GP, "POST", "/api/referrals", body)
    with signed_in(browser, web, GP, PHONE) as gp:
        page = gp.page
        page.context.add_cookies(
            [{"name": "lysbro-language", "value": language, "url": web.address}]
        )
        wrong = []
        gp.go(f"/capture/{made['case_id']}")
        assert page.locator("html").get_attribute("lang") == language
        for width in (360, 412, 768, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            for step in ("who", "where", "pictures", "question", "send"):
                page.locator(f'[data-step="{step}"]').click()
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    wrong.append((width, step, "scrolls sideways"))
                wrong += [(width, step, each) for each in page.evaluate(_TOO_SMALL, TARGET_PX)]
        assert wrong == []
