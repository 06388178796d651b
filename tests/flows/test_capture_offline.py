"""A GP on a telephone with a bad line: nothing is lost, nothing comes twice, nothing stays."""

from __future__ import annotations

import hashlib
import io
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pydicom import dcmread
from pydicom.encaps import generate_frames

from casework.access import scope_of
from lysbro.settings import load
from lysbro.wiring import open_parts
from tests.flows.browsing import PHONE
from tests.flows.conftest import PASSWORD, Exchange
from tests.flows.cutting import Line, line_to
from tests.flows.waiting import until

GP, OTHER = "gp@fjordgata.example", "ward@hammer.example"
FAMILY, NUMBER = "Hættavárri", "fjord-901"

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}

pytestmark = [pytest.mark.browser, pytest.mark.peers, pytest.mark.slow]

LEFT = """async () => {
  const found = [];
  for (const { name } of await indexedDB.databases()) {
    const database = await new Promise((resolve, reject) => {
      const request = indexedDB.open(name);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    for (const store of database.objectStoreNames) {
      const rows = await new Promise((resolve) => {
        const request = database.transaction(store).objectStore(store).getAll();
        request.onsuccess = () => resolve(request.result);
      });
      for (const row of rows) found.push([`${name}/${store}`, Object.keys(row).sort().join()]);
    }
    database.close();
  }
  const cached = [];
  for (const name of await caches.keys()) {
    for (const request of await (await caches.open(name)).keys()) {
      const text = await (await (await caches.open(name)).match(request)).text();
      cached.push([new URL(request.url).pathname, text]);
    }
  }
  return { found, cached, local: { ...localStorage }, session: { ...sessionStorage } };
}"""


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return pictures of about a megabyte each, so that they go in several pieces."""
    folder, paths = tmp_path_factory.mktemp("photographs"), []
    for seed in range(2):
        noise = random.Random(seed).randbytes(900 * 700 * 3)
        path = folder / f"{seed}.jpg"
        Image.frombytes("RGB", (900, 700), noise).save(path, quality=90)
        paths.append(path)
    return paths


@dataclass
class Phone:
    """A telephone, its browser, and the line that it hangs on."""

    context: BrowserContext
    line: Line
    exchange: Exchange
    page: Page

    def go(self, path: str) -> None:
        self.page.goto(self.line.address + path)

    def sign_in(self, email: str) -> None:
        self.go("/login")
        self.page.fill("[name=email]", email)
        self.page.fill("[name=password]", PASSWORD)
        self.page.press("[name=password]", "Enter")
        self.page.wait_for_url(lambda address: "/login" not in address)

    def reopen(self) -> None:
        """Close the tab and open another."""
        self.page.close()
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)

    def left(self) -> dict[str, Any]:
        found: dict[str, Any] = self.page.evaluate(LEFT)
        return found


@contextmanager
def phone_of(browser: Browser, exchange: Exchange, *, script: str = "") -> Iterator[Phone]:
    with line_to(exchange.web_port) as line:
        context = browser.new_context(
            viewport={"width": PHONE[0], "height": PHONE[1]}, has_touch=True, is_mobile=True,
            locale="en-GB",
        )  # fmt: skip
        if script:
            context.add_init_script(script)
        phone = Phone(context, line, exchange, context.new_page())
        phone.page.set_default_timeout(15_000)
        try:
            phone.sign_in(GP)
            yield phone
        finally:
            context.close()


def begin(page: Page, number: str = NUMBER) -> None:
    """Fill in who it is about and where it is; end at the pictures."""
    page.get_by_label("National identity number").fill(number)
    page.get_by_label("Family name").fill(FAMILY)
    page.get_by_role("button", name="Next: where").click()
    page.get_by_label("Site on the body").select_option(label="Forehead")
    page.get_by_role("button", name="Next: pictures").click()


def take(page: Page, slot: str, path: Path, *, end: str = "Kept") -> None:
    """Take a picture and keep it whatever is said of it."""
    place = page.locator(f'[data-slot="{slot}"]')
    place.locator("[data-choose]").set_input_files(path)
    keep, state = place.get_by_role("button", name="Keep anyway"), place.locator(".slot-state")
    expect(keep.or_(state.get_by_text("Kept")).first).to_be_visible()
    if keep.is_visible():
        keep.click()
    expect(state).to_contain_text(end, timeout=30_000)


def ask_and_send(page: Page) -> None:
    page.get_by_role("button", name="Next: question").click()
    page.get_by_label("Your question").fill("Is this a melanoma?")
    page.get_by_role("button", name="Next: send").click()
    page.get_by_role("checkbox", name="Assessment by a specialist").check()
    page.get_by_role("button", name="Send to the specialist").click()


def wait_for_the_worker(page: Page) -> None:
    """Wait until the page would open without a connection."""
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    until(
        lambda: page.evaluate("async () => !!(await caches.match('/capture/shell'))"),
        "the page to be kept",
    )


def assert_nothing_is_left(phone: Phone) -> None:
    def rows() -> list[Any]:
        return [place for place, _ in phone.left()["found"] if not place.endswith("/holder")]

    until(lambda: rows() == [], "the phone to be empty")
    left = phone.left()
    assert left["local"] == left["session"] == {}
    assert all(keys == "at,id,key,user" for _, keys in left["found"])  # whose phone it is
    for path, text in left["cached"]:
        assert path == "/capture/shell" or path.startswith("/static/dist/assets/"), path
        assert FAMILY not in text
        assert "Solbakken" not in text  # nor of the one who was signed in
        assert 'name="csrf-token" content=""' in text or path != "/capture/shell"


def case_of(exchange: Exchange, case_id: str) -> tuple[dict[str, Any], list[bytes]]:
    """Return a case and the bytes of its photographs as the archive has them."""
    status, case = exchange.call(GP, "GET", f"/api/cases/{case_id}")
    assert status == 200
    _, listed = exchange.call(GP, "GET", f"/api/cases/{case_id}/photos")
    frames = []
    with open_parts(load(environment=exchange.environment)) as parts:
        gp = parts.people.user_by_email(GP)
        assert gp is not None
        for photo in listed["photos"]:
            row = parts.index.instance(scope_of(gp.actor), photo["sop_instance_uid"])
            ds = dcmread(io.BytesIO(parts.archive.read_part10(row)))
            frames.append(next(generate_frames(ds.PixelData, number_of_frames=1)))
    return case, frames


def scan_of(jpeg: bytes) -> str:
    """Return the hash of a JPEG's picture: all from its first table or frame on, its end included.

    What stands before (JFIF) is rewritten when a photograph is taken in.
    """
    return hashlib.sha256(jpeg[jpeg.index(b"\xff\xdb") :].rstrip(b"\0")).hexdigest()


def same_pictures(frames: list[bytes], paths: list[Path]) -> bool:
    return sorted(map(scan_of, frames)) == sorted(scan_of(path.read_bytes()) for path in paths)


def test_a_line_that_breaks_within_a_picture_loses_and_doubles_nothing(
    browser: Browser, web: Exchange, photographs: list[Path]
) -> None:
    with phone_of(browser, web) as phone:
        page = phone.page
        phone.go("/capture")
        begin(page)
        page.wait_for_url("**/capture/*-*")
        place = page.locator('[data-slot="overview"]')
        place.locator("[data-choose]").set_input_files(photographs[0])
        keep = place.get_by_role("button", name="Keep anyway")
        expect(keep).to_be_visible()  # noise is no good picture
        phone.line.cut_after(500_000)
        keep.click()
        until(lambda: phone.line.cuts > 0, "the line to break")
        words = page.locator(".waiting-line")
        expect(words).to_contain_text("1 picture waits on this phone")
        assert phone.left()["found"] != []
        take(page, "closeup", photographs[1], end="On this phone")
        expect(words).to_contain_text("2 pictures wait on this phone; they are sent when")
        page.get_by_role("button", name="Who").click()
        page.get_by_label("Given name").fill("Ola")
        expect(page.locator("#saved")).to_contain_text("No connection. Kept on this phone")
        page.get_by_role("button", name="Pictures").click()
        tab = phone.context.new_page()  # a second tab hears of it, and sends nothing twice
        phone.line.mend()
        tab.goto(page.url)
        page.evaluate("dispatchEvent(new Event('online'))")
        for slot in ("overview", "closeup"):
            state = page.locator(f'[data-slot="{slot}"] .slot-state')
            expect(state).to_have_text("Kept", timeout=30_000)
        expect(words).to_contain_text("nothing is left on this phone")
        ask_and_send(page)
        expect(page.get_by_role("heading", name="Sent", exact=True)).to_be_visible()
        case_id = page.locator("#sent-number").inner_text()
        assert page.locator('img[src^="blob:"]').count() == 0
        assert_nothing_is_left(phone)
    case, frames = case_of(web, case_id)
    assert (case["state"], case["patient"]["name"]) == ("submitted", f"{FAMILY}^Ola")
    assert same_pictures(frames, photographs)


def test_what_was_sent_without_a_connection_goes_by_itself_after_the_tab_was_closed(
    browser: Browser, web: Exchange, photographs: list[Path]
) -> None:
    with phone_of(browser, web) as phone:
        phone.go("/capture")
        wait_for_the_worker(phone.page)
        phone.line.cut()
        phone.reopen()
        phone.go("/capture")  # opens although there is no connection
        begin(phone.page, "fjord-902")
        take(phone.page, "closeup", photographs[0], end="On this phone")
        take(phone.page, "closeup", photographs[1], end="On this phone")  # beside the first one
        kept = phone.page.locator('[data-slot="closeup"] .slot-kept li')
        expect(kept).to_have_count(2)
        kept.last.get_by_role("button").click()  # it was of the wrong place
        expect(kept).to_have_count(1)
        phone.reopen()
        phone.go("/capture")
        waiting = phone.page.locator(".waiting-item")
        expect(waiting).to_contain_text(FAMILY)
        expect(waiting).to_contain_text("1 picture")
        assert Axe().run(phone.page, options=WCAG).response["violations"] == []
        phone.page.get_by_role("button", name="Go on").click()
        ask = phone.page.get_by_label("Your question")
        expect(ask.or_(phone.page.get_by_role("button", name="Next: question"))).to_be_visible()
        if not ask.is_visible():
            phone.page.get_by_role("button", name="Next: question").click()
        ask.fill("Is this a melanoma?")
        phone.page.get_by_role("button", name="Next: send").click()
        phone.page.get_by_role("checkbox", name="Assessment by a specialist").check()
        phone.page.get_by_role("button", name="Send to the specialist").click()
        expect(phone.page.get_by_role("heading", name="It waits on this phone")).to_be_visible()
        web.stop(signal.SIGKILL)
        web.start(only="web")
        phone.reopen()
        phone.go("/capture")
        expect(phone.page.locator(".waiting-item")).to_contain_text("is submitted when")
        phone.line.mend()
        phone.page.evaluate("dispatchEvent(new Event('online'))")
        expect(phone.page.locator(".waiting-line")).to_contain_text("nothing is left")
        news = phone.page.locator(".waiting-news")
        expect(news).to_contain_text("was sent")
        expect(phone.page.locator(".waiting-item")).to_have_count(0)
        case_id = news.inner_text().split()[1]
        assert_nothing_is_left(phone)
    case, frames = case_of(web, case_id)
    assert (case["state"], case["patient"]["id"]) == ("submitted", "fjord-902")
    assert same_pictures(frames, photographs[:1])


def test_another_person_on_the_phone_neither_sees_nor_sends_what_waits(
    browser: Browser, web: Exchange, photographs: list[Path]
) -> None:
    with phone_of(browser, web) as phone:
        phone.go("/capture")
        begin(phone.page, "fjord-903")
        phone.page.wait_for_url("**/capture/*-*")
        case_id = phone.page.url.rsplit("/", 1)[1]
        phone.line.cut()
        take(phone.page, "closeup", photographs[0], end="On this phone")
        with phone.page.expect_event("dialog") as asked:
            phone.page.on("dialog", lambda dialog: dialog.dismiss())
            phone.page.get_by_role("button", name="Sign out").click()
        assert "not sent" in asked.value.message
        expect(phone.page.get_by_role("button", name="Sign out")).to_be_visible()
        assert "lysbro-capture/holder" in dict(phone.left()["found"])
        phone.context.clear_cookies()  # the session ends meanwhile
        phone.line.mend()
        phone.page.evaluate("dispatchEvent(new Event('online'))")
        again = phone.page.get_by_role("link", name="Sign in again")
        expect(again).to_be_visible()
        rows = dict(phone.left()["found"])
        assert "lysbro-capture/photos" in rows
        assert "lysbro-capture/holder" not in rows  # the key is gone: what is left is locked
        phone.sign_in(OTHER)
        phone.go("/capture")
        expect(phone.page.get_by_label("Family name")).to_be_visible()
        phone.page.evaluate("dispatchEvent(new Event('online'))")
        expect(phone.page.locator(".waiting-item")).to_have_count(0)
        assert FAMILY not in phone.page.content()
        phone.page.get_by_role("button", name="Sign out").click()
        phone.page.wait_for_url("**/login**")
        assert dict(phone.left()["found"]).keys() >= {"lysbro-capture/photos"}
        phone.sign_in(GP)
        phone.go("/capture")
        expect(phone.page.locator(".waiting-line")).to_contain_text("nothing is left")
        assert_nothing_is_left(phone)
    _, frames = case_of(web, case_id)
    assert same_pictures(frames, photographs[:1])


def test_a_browser_that_keeps_nothing_says_so_and_sends_all_the_same(
    browser: Browser, web: Exchange, photographs: list[Path]
) -> None:
    script = "Object.defineProperty(window, 'indexedDB', { value: undefined });"
    with phone_of(browser, web, script=script) as phone:
        phone.go("/capture")
        expect(phone.page.locator(".waiting-line")).to_contain_text("keeps nothing once the page")
        begin(phone.page, "fjord-905")
        take(phone.page, "closeup", photographs[0])
        ask_and_send(phone.page)
        expect(phone.page.get_by_role("heading", name="Sent", exact=True)).to_be_visible()
        case_id = phone.page.locator("#sent-number").inner_text()
    case, frames = case_of(web, case_id)
    assert case["state"] == "submitted"
    assert same_pictures(frames, photographs[:1])
