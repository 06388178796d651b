"""The office pages in a real browser: by key and by touch, in place, whole for everybody."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from werkzeug.serving import make_server

from tests.viewer.conftest import PASSWORD, World

pytestmark = pytest.mark.browser

DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


@dataclass
class Visit:
    """A browser that has signed in, and what its console has said."""

    context: BrowserContext
    address: str
    said: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        page = self.context.new_page()
        page.on("console", lambda message: self.said.append(f"{path}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"{path}: {error}"))
        page.goto(self.address + path, wait_until="networkidle")
        return page

    def sign_in(self, email: str) -> Page:
        page = self.open("/login")
        page.fill("#email", email)
        page.fill("#password", PASSWORD)
        page.press("#password", "Enter")
        page.wait_for_url(lambda address: "/login" not in address)
        return page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        yield launched
        launched.close()


@pytest.fixture
def address(world: World) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, world.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def desk(browser: Browser, address: str) -> Iterator[Visit]:
    context = browser.new_context(viewport=DESK, locale="en")
    yield Visit(context, address)
    context.close()


@pytest.fixture
def phone(browser: Browser, address: str) -> Iterator[Visit]:
    context = browser.new_context(viewport=PHONE, locale="nb-NO", has_touch=True, is_mobile=True)
    yield Visit(context, address)
    context.close()


def three_cases(world: World) -> None:
    for n in (1, 2, 3):
        study_of(world, n)


def study_of(world: World, n: int) -> None:
    world.store(
        "hammer",
        StudyInstanceUID=f"1.2.{n}",
        SeriesInstanceUID=f"1.2.{n}.0",
        SOPInstanceUID=f"1.2.{n}.0.1",
        StudyDescription=f"CT number {n}",
    )


def signed_case(world: World) -> str:
    dataset = world.store("hammer")
    case_id = world.case_of("hammer", dataset.StudyInstanceUID)
    reader = world.client("radiologist@centre")
    reader.post(f"/api/cases/{case_id}/claim")
    body = {
        "findings": "Normal.",
        "impression": "No bleeding.",
        "advice": "Home.",
        "diagnoses": [{"text": "Concussion", "certainty": 4}],
        "safety_net": "He vomits.",
    }
    reader.put(f"/api/cases/{case_id}/findings", json=body)
    assert reader.post(f"/api/cases/{case_id}/sign", json={}).status_code == 200
    return case_id


def troubles(page: Page) -> list[tuple[str, str]]:
    found = Axe().run(page).response["violations"]
    return [(each["id"], each["nodes"][0]["html"]) for each in found]


def test_cases_are_moved_through_and_claimed_by_key(world: World, desk: Visit) -> None:
    three_cases(world)
    page = desk.sign_in("radiologist@centre")
    current = page.locator("li.case[aria-current=true]")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(current).to_have_attribute("data-case", case_at(page, 1))
    page.keyboard.press("k")
    expect(current).to_have_attribute("data-case", case_at(page, 0))
    page.keyboard.press("c")
    expect(current.locator(".case-holder")).to_have_text("yours")
    expect(page.locator("#toast")).to_contain_text("Claimed")
    assert page.url == f"{desk.address}/"
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    assert desk.said == []


def case_at(page: Page, index: int) -> str:
    return page.locator("li.case").nth(index).get_attribute("data-case") or ""


def test_a_case_that_comes_in_waits_until_it_is_asked_for(world: World, desk: Visit) -> None:
    three_cases(world)
    page = desk.sign_in("radiologist@centre")
    page.keyboard.press("j")
    chosen = case_at(page, 0)
    study_of(world, 4)
    button = page.locator("#show-new")
    expect(button).to_contain_text("1 new", timeout=10_000)
    expect(page.locator("li.case")).to_have_count(3)
    assert case_at(page, 0) == chosen
    page.keyboard.press("u")
    expect(page.locator("li.case")).to_have_count(4)
    expect(page.locator("li.case[aria-current=true]")).to_have_attribute("data-case", chosen)
    expect(page.locator("#tally")).to_contain_text("4 waiting for us")
    assert desk.said == []


def test_a_case_that_another_has_taken_changes_in_its_place(world: World, desk: Visit) -> None:
    three_cases(world)
    page = desk.sign_in("radiologist@centre")
    taken = case_at(page, 1)
    answer = world.client("radiologist@hammer").post(f"/api/cases/{taken}/claim")
    assert answer.status_code == 200, answer.text
    row = page.locator(f"li.case[data-case='{taken}']")
    expect(row.locator(".case-holder")).to_have_text("radiologist hammer", timeout=10_000)
    assert case_at(page, 1) == taken


def test_the_keys_of_the_page_are_listed(world: World, desk: Visit) -> None:
    page = desk.sign_in("radiologist@centre")
    page.keyboard.press("?")
    expect(page.locator("dialog#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog#keys")).to_be_hidden()


def test_filters_narrow_the_list_and_stay_in_the_address(world: World, desk: Visit) -> None:
    three_cases(world)
    page = desk.sign_in("coordinator@centre")
    page.select_option("#priority", "stat")
    expect(page.locator(".empty")).to_contain_text("No case fits")
    assert page.url.endswith("/?priority=stat")
    page.click("text=Show all open cases")
    expect(page.locator("li.case")).to_have_count(3)


def test_a_reply_is_read_and_acknowledged_on_a_telephone(world: World, phone: Visit) -> None:
    case_id = signed_case(world)
    page = phone.sign_in("referrer@hammer")
    page.tap("li.mine-case a")
    expect(page.locator("#answer-title")).to_have_text("No bleeding.")
    page.tap("text=Jeg har lest dette")
    expect(page.locator(".answer-foot")).to_contain_text("Kvittert")
    assert (
        world.client("referrer@hammer").get(f"/api/cases/{case_id}").get_json()["state"] == "closed"
    )
    assert phone.said == []


def test_an_answer_that_is_being_written_survives_a_reload(world: World, desk: Visit) -> None:
    dataset = world.store("hammer")
    case_id = world.case_of("hammer", dataset.StudyInstanceUID)
    reader = world.client("radiologist@centre")
    reader.post(f"/api/cases/{case_id}/claim")
    reader.post(f"/api/cases/{case_id}/ask", json={"reason": "incomplete", "text": "Which side?"})
    desk.sign_in("referrer@hammer")
    page = desk.open(f"/cases/{case_id}")
    page.type("#text", "The left one")
    page.reload()
    expect(page.locator("#text")).to_have_value("The left one")
    page.click("text=Send the answer")
    expect(page.locator("#conversation")).to_contain_text("The left one")
    assert page.evaluate("Object.keys(sessionStorage).length") == 0


@pytest.mark.parametrize("kind", ["desk", "phone"])
def test_every_page_is_whole_for_everybody(
    world: World, request: pytest.FixtureRequest, browser: Browser, address: str, kind: str
) -> None:
    case_id = signed_case(world)
    three_cases(world)
    world.derm_case("fjord")
    size = DESK if kind == "desk" else PHONE
    for who, paths in {
        "": ["/login"],
        "radiologist@centre": ["/", "/?q=nobody", "/cases/2222-2222"],
        "coordinator@centre": ["/"],
        "referrer@fjord": ["/"],
        "referrer@hammer": ["/", f"/cases/{case_id}"],
        "admin@centre": ["/admin", "/admin/people", "/admin/audit?check=1", "/admin/erasure"],
    }.items():
        context = browser.new_context(
            viewport=size, locale="en", has_touch=kind == "phone", is_mobile=kind == "phone"
        )
        visit = Visit(context, address)
        if who:
            visit.sign_in(who)
        for path in paths:
            page = visit.open(path)
            assert troubles(page) == [], (who, path)
            assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), path
            small = page.evaluate(SMALL_TARGETS) if kind == "phone" else []
            assert small == [], (who, path)
        quiet = [each for each in visit.said if "2222-2222" not in each]  # the 404 is meant
        assert quiet == []
        context.close()


SMALL_TARGETS = """[...document.querySelectorAll("button, .button, select, input")]
  .filter((e) => e.checkVisibility() && !e.closest(".chip, .check"))
  .filter((e) => e.getBoundingClientRect().height < 43.5)
  .map((e) => e.outerHTML.slice(0, 120))"""
