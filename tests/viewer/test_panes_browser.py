"""Several panes in a real browser: hung by the question, linked, compared, remembered, by key."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from casework.custody import Door, Origin
from derm_capture.context import Kind, Lesion
from tests.flows.waiting import until
from tests.viewer.conftest import World, part10
from tests.viewer.skin_visits import FOREARM, as_jpeg, import_earlier, sample, upload
from tests.viewer.stacks import Stack, Visit, objects_of
from tests.viewer.test_pages_browser import browser

__all__ = ["browser"]  # fixtures

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DESK, TABLET, UPRIGHT, PHONE = (1440, 900), (1024, 768), (768, 1024), (390, 844)
NOW = Visit("1.2.826.0.1.500", "panes-1")
BEFORE = Visit("1.2.826.0.1.501", "panes-1", day="20251010")
PICTURES = os.environ.get("LYSBRO_SCREENSHOTS", "")
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}


@pytest.fixture(scope="module")
def room(shared_world: World) -> Iterator[tuple[World, str, dict[str, str]]]:
    """Return a world with a head in three planes, its prior, and a mole that was seen before."""
    stacks = (
        Stack(1, "axial", "Axial 8 mm", 24, step_mm=8),
        Stack(2, "axial", "Axial bone 8 mm", 24, step_mm=8),
        Stack(3, "sagittal", "Sag 16 mm", 12, step_mm=16),
    )
    now = objects_of(NOW, *stacks)
    before = objects_of(BEFORE, Stack(1, "axial", "Axial 12 mm", 16, from_mm=4, step_mm=12))
    for dataset in (*now, *before):
        origin = Origin(site="hammer", door=Door.IMPORT, association="test")
        shared_world.parts.archive.receive_part10(part10(dataset), origin)
    shared_world.parts.archive.settle()
    picture = as_jpeg(sample())
    import_earlier(shared_world, picture, lesion=Lesion("A", "1.2.3.4.5"), kind=Kind.DERMOSCOPIC)
    mole = shared_world.derm_case(clinical={"site": FOREARM, "laterality": "L", "lesion": "A"})
    upload(shared_world, mole, as_jpeg(sample("closeup.png")), kind="closeup")
    shared_world.client("referrer@fjord").post(f"/api/cases/{mole}/submit")
    server = make_server("127.0.0.1", 0, shared_world.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    cases = {"head": shared_world.case_of("hammer", NOW.study), "mole": mole}
    yield shared_world, f"http://127.0.0.1:{server.port}", cases
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def reading(
    browser: Browser,
    room: tuple[World, str, dict[str, str]],
    case: str = "head",
    size: tuple[int, int] = DESK,
    *,
    for_everybody: bool = False,
) -> Iterator[Page]:
    """Open a case as its specialist; the console stays silent, and axe finds nothing when asked."""
    world, address, cases = room
    who = "radiologist@centre" if case == "head" else "dermatologist@centre"
    is_phone = size[0] < 600
    context = browser.new_context(
        extra_http_headers={"Authorization": f"Bearer {world.tokens[who]}"},
        viewport={"width": size[0], "height": size[1]},
        is_mobile=is_phone,
        has_touch=is_phone,
        locale="en",
    )
    page, said = context.new_page(), []
    page.set_default_timeout(15_000)
    page.on("console", lambda m: said.append(m.text) if m.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{address}/cases/{cases[case]}")
    yield page
    if PICTURES:
        page.wait_for_timeout(500)
        layout = page.locator("#panes").get_attribute("data-layout")
        page.screenshot(path=f"{PICTURES}/panes-{case}-{size[0]}-{layout}.png")
    if for_everybody:
        found = Axe().run(page, options=RULES).response["violations"]
        assert [f"{each['id']}: {each['nodes'][0]['html'][:160]}" for each in found] == []
    assert said == []
    context.close()


def pane(page: Page, number: int) -> Any:
    """Return one of the panes in sight, from 1."""
    return page.locator(".pane:not([hidden])").nth(number - 1)


def shows(page: Page, number: int, series: str, image: str) -> None:
    """Wait until a pane shows an image of a series, itself and not its preview."""
    expect(pane(page, number).locator(".corner-tr")).to_contain_text(series)
    expect(pane(page, number).locator(".corner-br")).to_contain_text(f"Image {image}")
    expect(pane(page, number).locator(".preview-mark")).to_be_hidden()


def test_a_head_is_hung_by_its_question_and_scrolled_together(browser: Browser, room: Any) -> None:
    with reading(browser, room) as page:
        shows(page, 1, "Axial 8 mm", "12 of 24")
        shows(page, 2, "Axial bone", "12 of 24")
        expect(pane(page, 1).locator(".corner-bl")).to_contain_text("C 40  W 80")
        expect(pane(page, 2).locator(".corner-bl")).to_contain_text("C 500  W 2500")
        said = page.locator("#hang-said")
        expect(said).to_have_text("Linked by position")

        pane(page, 1).locator(".view").focus()
        page.keyboard.press("ArrowDown")
        shows(page, 2, "Axial bone", "13 of 24")
        page.keyboard.press("3")
        expect(pane(page, 1).locator(".corner-bl")).to_contain_text("C 35  W 40")
        expect(pane(page, 2).locator(".corner-bl")).to_contain_text("C 500  W 2500")
        page.keyboard.press("+")
        zooms = [pane(page, n).locator(".corner-bl").inner_text().split()[-2] for n in (1, 2)]
        assert zooms[0] == zooms[1]

        page.keyboard.press("Tab")
        expect(pane(page, 2)).to_have_attribute("data-active", "")
        page.keyboard.press("l")
        expect(said).to_have_text("Each image by itself")
        page.keyboard.press("Home")
        shows(page, 2, "Axial bone", "1 of 24")
        shows(page, 1, "Axial 8 mm", "13 of 24")

        page.keyboard.press("l")
        shows(page, 1, "Axial 8 mm", "1 of 24")
        page.keyboard.press("X")
        expect(said).to_have_text("Over it: CT Axial 8 mm")
        expect(pane(page, 2).locator(".surface-over")).to_have_css("opacity", "1")
        page.keyboard.press("X")
        expect(said).to_have_text("Beneath: CT Axial bone 8 mm")
        page.keyboard.press("Escape")
        expect(said).to_have_text("Linked by position")
        page.keyboard.press("j")
        expect(pane(page, 2).locator(".lens canvas")).to_be_visible()
        page.keyboard.press("j")
        page.keyboard.press(" ")
        expect(said).to_have_text("10 images a second · Linked by position")
        page.keyboard.press(">")
        expect(said).to_contain_text("13 images a second")
        page.keyboard.press(" ")
        expect(said).to_have_text("Linked by position")
        page.keyboard.press("Home")
        shows(page, 1, "Axial 8 mm", "1 of 24")
        crosses_where_the_image_in_hand_lies(page)


def crosses_where_the_image_in_hand_lies(page: Page) -> None:
    """Go through the arrangements to the one with two planes; its line follows the other image."""
    page.keyboard.press("N")
    page.keyboard.press("N")
    shows(page, 2, "Sag", "6 of 12")
    expect(page.locator("#hang-said")).to_have_text("Not linked: the planes differ")
    line = pane(page, 2).locator(".line-cross")
    page.locator("#view").focus()

    def height() -> float:
        return float(line.get_attribute("y1") or 0)

    before = until(lambda: line.count() and height(), "the line of the image in hand")
    page.keyboard.press("PageDown")
    until(lambda: height() < before - 40, "the line to follow upwards")
    expect(pane(page, 1).locator(".line-cross")).to_have_count(0)
    page.keyboard.press("B")
    shows(page, 1, "Axial 8 mm", "11 of 24")
    expect(page.locator('[data-hang="next"]')).to_have_text("Arrangement 2 of 6")


def test_the_prior_lies_beside_with_one_key_and_is_never_taken_for_the_case(
    browser: Browser, room: Any
) -> None:
    world, _address, cases = room
    with reading(browser, room, for_everybody=True) as page:
        shows(page, 1, "Axial 8 mm", "12 of 24")
        page.keyboard.press("u")
        expect(pane(page, 2).locator(".earlier-mark")).to_have_text("Earlier: CT Head, 10 Oct 2025")
        shows(page, 2, "Axial 12 mm", "8 of 16")
        expect(pane(page, 2).locator(".corner-bl")).to_contain_text("C 40  W 80")
        expect(pane(page, 2).locator(".then")).to_contain_text("It has not been answered.")
        expect(page.locator(".strip-earlier .strip-name")).to_have_text("1 CT Axial 12 mm")
        pane(page, 1).locator(".view").focus()
        for _ in range(3):
            page.keyboard.press("ArrowDown")
        shows(page, 2, "Axial 12 mm", "10 of 16")
        pane(page, 2).locator(".view").click()
        page.keyboard.press("k")
        expect(page.locator("#toast")).to_contain_text("An earlier image cannot be a key image")
    assert [entry.case_id for entry in world.audit("prior-opened")] == [cases["head"]]
    events = world.client("radiologist@centre").get(f"/api/instances/{BEFORE.study}.1.1/custody")
    assert "opened" in [event["event"] for event in events.get_json()["custody"]]


def test_what_the_reader_arranges_comes_first_the_next_time(browser: Browser, room: Any) -> None:
    world, _address, _cases = room
    reader = world.client("radiologist@centre")
    with reading(browser, room) as page:
        shows(page, 1, "Axial 8 mm", "12 of 24")
        page.keyboard.press("Shift+Digit3")
        expect(page.locator("#panes")).to_have_attribute("data-layout", "2x1")
        page.locator(".strip-series", has_text="Sag").drag_to(pane(page, 2))
        shows(page, 2, "Sag", "6 of 12")
        expect(page.get_by_role("button", name="Back to the standard")).to_be_visible()
        until(
            lambda: "Sag" in str(reader.get("/api/reading-preferences").get_json()),
            "the arrangement to be kept",
        )
    with reading(browser, room) as page:
        expect(page.locator("#panes")).to_have_attribute("data-layout", "2x1")
        shows(page, 1, "Axial 8 mm", "12 of 24")
        shows(page, 2, "Sag", "6 of 12")
        page.get_by_role("button", name="Back to the standard").click()
        expect(page.locator("#panes")).to_have_attribute("data-layout", "1x2")
        shows(page, 2, "Axial bone", "12 of 24")
        assert reader.get("/api/reading-preferences").get_json() == {"preferences": {}}


def test_measurements_of_every_pane_are_listed_and_drawn_in_all(
    browser: Browser, room: Any
) -> None:
    world, _address, cases = room
    world.client("radiologist@centre").post(f"/api/cases/{cases['head']}/claim", json={})
    with reading(browser, room) as page:
        shows(page, 2, "Axial bone", "12 of 24")
        pane(page, 2).locator(".view").focus()
        page.keyboard.press("m")
        page.keyboard.press("Enter")
        expect(page.locator("#measured li")).to_have_count(1)
        page.keyboard.press("Escape")
        page.locator(".strip-series", has_text="Sag").click()
        expect(pane(page, 2).locator(".marks .mark")).to_have_count(0)
        pane(page, 1).locator(".view").focus()
        page.locator(".strip-series", has_text="Axial bone").click()
        shows(page, 1, "Axial bone", "12 of 24")
        expect(pane(page, 1).locator(".marks .mark")).to_have_count(1)
        page.locator("#measured button", has_text="×").click()
        expect(pane(page, 1).locator(".marks .mark")).to_have_count(0)


def test_a_mole_hangs_with_its_earlier_picture_beneath(browser: Browser, room: Any) -> None:
    with reading(browser, room, "mole", for_everybody=True) as page:
        expect(page.locator("#panes")).to_have_attribute("data-layout", "2x1")
        expect(pane(page, 1).locator("figure")).to_have_count(1)
        below = pane(page, 2).locator("figure")
        expect(below).to_have_count(1)
        expect(below).to_contain_text(re.compile(r"Lesion A, 14 Jan 2025"))
        expect(pane(page, 2).locator(".earlier-mark")).to_have_text("Earlier: the same lesion")
        expect(pane(page, 2).locator(".photo-mark")).to_have_count(0)


@pytest.mark.parametrize("size", [TABLET, PHONE], ids=["tablet", "phone"])
def test_every_screen_shows_what_it_has_room_for(
    browser: Browser, room: Any, size: tuple[int, int]
) -> None:
    with reading(browser, room, size=size, for_everybody=size == PHONE) as page:
        shows(page, 1, "Axial 8 mm", "12 of 24")
        if size == PHONE:
            has_room_for(page, 1, PHONE)
            prior = page.locator('[data-hang="prior"]')
            assert (prior.bounding_box() or {})["height"] >= 44
            prior.tap()
            expect(pane(page, 1).locator(".earlier-mark")).to_contain_text("10 Oct 2025")
        else:
            has_room_for(page, 2, TABLET)
            page.set_viewport_size({"width": UPRIGHT[0], "height": UPRIGHT[1]})
            has_room_for(page, 2, UPRIGHT)


def has_room_for(page: Page, count: int, size: tuple[int, int]) -> None:
    """Expect so many panes, none of them tiny, and nothing beyond the edge of the window."""
    expect(page.locator(".pane:not([hidden])")).to_have_count(count)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    box = pane(page, 1).locator(".view").bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) > 250
