"""The body map of the capture page: a press, a key or a word fills in site, side and point."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from werkzeug.serving import make_server

from tests.viewer.conftest import World
from tests.viewer.test_api_cases import jpeg, photo_form
from tests.viewer.test_pages_browser import DESK, Visit, browser, troubles
from viewer.bodymap.views import BY_KEY, figure

__all__ = ["browser"]

pytestmark = pytest.mark.browser

SMALL = {"width": 360, "height": 740}

# The views to open on the way, a point of the last one in its units, and the site and side there.
TAPS = [
    ([], (42, 190), "70559009", "R"),  # forearm from the front, on the drawing's left
    ([], (130, 128), "244106003", ""),  # chest, which has no side
    ([], (124, 331), "181553006", "L"),  # knee
    (["back"], (40, 190), "41550009", "L"),  # forearm from behind, on the drawing's left
    (["back"], (124, 230), "22180002", "R"),  # buttock
    (["left"], (90, 300), "4578000", "L"),  # back of the thigh
    (["right"], (75, 370), "25763004", "R"),  # shin, mirrored
    (["head-front"], (68, 160), "36141000", "R"),  # cheek
    (["head-front", "head-top"], (110, 130), "61719002", ""),  # crown
    (["head-front", "ear-L"], (103, 222), "2059009", "L"),  # ear lobe
    (["hand-palm-R"], (112, 215), "26795005", "R"),  # ball of the thumb, mirrored to the right
    (["hand-palm-R", "hand-back-L"], (88, 60), "38327", "L"),  # middle finger, mirrored
    (["foot-top-L", "foot-sole-R"], (88, 290), "699909001", "R"),  # outside of the heel
    (["genital-f", "genital-m"], (80, 150), "81992007", ""),  # scrotum
]


@pytest.fixture(scope="module")
def address(shared_world: World) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, shared_world.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def desk(browser: Browser, address: str) -> Iterator[Visit]:
    """Return a GP at a desk, signed in."""
    visit = Visit(browser.new_context(viewport=DESK, locale="en"), address)
    visit.sign_in("referrer@fjord").close()
    yield visit
    visit.context.close()


@pytest.fixture(scope="module")
def phone(browser: Browser, address: str) -> Iterator[Visit]:
    """Return a GP with a small telephone, signed in."""
    context = browser.new_context(viewport=SMALL, locale="nb-NO", has_touch=True, is_mobile=True)
    visit = Visit(context, address)
    visit.sign_in("referrer@fjord").close()
    yield visit
    context.close()


def at_where(visit: Visit) -> Page:
    """Open a new referral at the step "where"; it is kept nowhere, for it names no patient."""
    page = visit.open("/capture")
    page.evaluate("""() => {
        for (const panel of document.querySelectorAll("[data-panel]"))
            panel.hidden = panel.dataset.panel !== "where";
    }""")
    expect(page.locator("#bodymap svg")).to_be_visible()
    return page


def go_to(page: Page, key: str) -> None:
    """Open a view by its tab, or by pressing a part that it shows closer."""
    tab = page.locator(f'.bodymap-tab[data-view="{key}"]')
    if tab.count():
        tab.click()
    else:
        part = page.locator(f'#bodymap [data-opens="{key}"]').first
        part.focus()
        part.press("Enter")
    expect(page.locator("#bodymap svg")).to_have_attribute("data-view", key)


def place_of(page: Page, x: float, y: float) -> dict[str, float]:
    """Return where on the screen a point of the figure is."""
    script = """([x, y]) => {
        const svg = document.querySelector("#bodymap svg");
        svg.scrollIntoView({block: "center"});
        const at = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM());
        return {x: at.x, y: at.y};
    }"""
    found: dict[str, float] = page.evaluate(script, [x, y])
    return found


def tap(page: Page, x: float, y: float, *, touch: bool = True) -> None:
    at = place_of(page, x, y)
    if touch:
        page.touchscreen.tap(at["x"], at["y"])
    else:
        page.mouse.click(at["x"], at["y"])


def chosen(page: Page) -> tuple[str, str]:
    side = page.locator('[name="laterality"]:checked')
    return page.locator("#site").input_value(), side.input_value() if side.count() else ""


def point(page: Page) -> dict[str, Any] | None:
    text = page.locator('#bodymap [name="map"]').input_value()
    return json.loads(text) if text else None


def part(page: Page, code: str, side: str = "") -> Locator:
    return page.locator(f'#bodymap [data-site="{code}"][data-side="{side}"]')


def test_bodymap_when_tapped_over_all_views_then_site_side_and_point_are_those_of_the_list(
    phone: Visit,
) -> None:
    page = at_where(phone)
    for views, (x, y), code, side in TAPS:
        while page.locator("#bodymap [data-out]").is_visible():
            page.locator("#bodymap [data-out]").click()
        go_to(page, "front")
        for view in views:
            go_to(page, view)
        tap(page, x, y)
        expect(page.locator("#site")).to_have_value(code)
        assert chosen(page) == (code, side), (views, code)
        kept = point(page)
        assert kept is not None
        assert kept["view"] == (views or ["front"])[-1]
        drawn = figure(BY_KEY[kept["view"]].drawing)
        assert (kept["x"] * drawn.width, kept["y"] * drawn.height) == pytest.approx((x, y), abs=1.5)
        expect(page.locator(".bodymap-spot")).to_have_count(1)
    assert phone.said == []


def test_bodymap_when_a_hand_is_pressed_then_it_is_shown_closer_and_chosen_there(
    phone: Visit,
) -> None:
    page = at_where(phone)
    tap(page, 6, 262)  # beside the thumb: a thumb that misses a little has meant it
    svg = page.locator("#bodymap svg")
    expect(svg).to_have_attribute("data-view", "hand-palm-R")
    expect(page.locator("#site")).to_have_value("")
    tap(page, 112, 215)
    expect(page.locator(".bodymap-now")).to_have_text("Tommelballen, høyre")
    page.locator(".bodymap-also .chip-button", has_text="Hånden").click()
    expect(page.locator("#site")).to_have_value("33712006")
    expect(page.locator(".bodymap-now")).to_have_text("Hånden, høyre")
    expect(part(page, "26795005", "R")).to_have_attribute("data-chosen", "yes")
    assert point(page)
    page.locator("#bodymap [data-out]").click()
    expect(svg).to_have_attribute("data-view", "front")
    assert phone.said == []


def test_bodymap_when_the_list_is_changed_then_the_figure_follows_and_the_point_goes(
    phone: Visit,
) -> None:
    page = at_where(phone)
    tap(page, 42, 190)
    assert point(page)
    page.locator("#site").select_option("47224004")
    svg = page.locator("#bodymap svg")
    expect(svg).to_have_attribute("data-view", "back")
    assert point(page) is None
    page.locator(".chip", has_text="Venstre").tap()
    expect(part(page, "47224004", "L")).to_have_attribute("data-chosen", "yes")
    expect(part(page, "47224004", "R")).to_have_attribute("data-chosen", "no")
    tap(page, 42, 190)
    assert point(page)
    page.locator(".chip", has_text="Høyre").tap()
    assert point(page) is None, "the dot is on the left arm"
    assert phone.said == []


def test_bodymap_when_used_by_keys_then_arrows_walk_enter_chooses_and_esc_goes_out(
    desk: Visit,
) -> None:
    page = at_where(desk)
    page.locator(".bodymap-tab").last.focus()
    page.keyboard.press("Tab")
    focused = page.locator("#bodymap .part:focus")
    expect(focused).to_have_count(1)
    assert page.locator('#bodymap .part[tabindex="0"]').count() == 1
    part(page, "45981001", "L").focus()
    page.keyboard.press("ArrowDown")
    expect(focused).to_have_attribute("aria-label", "Inside of the elbow, left")
    page.keyboard.press("ArrowDown")
    expect(focused).to_have_attribute("aria-label", "Forearm, front, left")
    page.keyboard.press("Enter")
    expect(focused).to_have_attribute("aria-pressed", "true")
    assert chosen(page) == ("70559009", "L")
    assert point(page)
    part(page, "33712006", "L").focus()
    expect(focused).to_have_attribute("aria-label", "Hand, left: show closer")
    page.keyboard.press("Enter")
    svg = page.get_by_role("group", name="Left palm")
    expect(svg).to_be_visible()
    expect(focused).to_have_count(1)
    page.keyboard.press("+")
    expect(svg).to_have_attribute("data-enlarged", "yes")
    page.keyboard.press("Escape")
    expect(svg).to_have_attribute("data-enlarged", "no")
    page.keyboard.press("Escape")
    expect(page.get_by_role("group", name="The body from the front")).to_be_visible()
    expect(focused).to_have_attribute("aria-label", "Hand, left: show closer")
    assert desk.said == []


def test_bodymap_when_enlarged_by_wheel_buttons_pinch_or_two_taps_then_small_parts_are_a_thumb_wide(
    phone: Visit,
) -> None:
    page = at_where(phone)
    svg = page.locator("#bodymap svg")
    at = place_of(page, 81, 127)
    page.mouse.move(at["x"], at["y"])
    page.mouse.wheel(0, -300)
    expect(svg).to_have_attribute("data-enlarged", "yes")
    page.locator('[data-zoom="out"]').click()
    expect(svg).to_have_attribute("data-enlarged", "no")
    before = part(page, "54468004", "R").bounding_box()
    pinch(page, **place_of(page, 81, 127))
    after = part(page, "54468004", "R").bounding_box()
    assert before
    assert after
    assert after["width"] > before["width"] * 2
    page.keyboard.press("Escape")
    for _ in range(5):
        page.locator('[data-zoom="in"]').click(force=True)
    expect(page.locator('[data-zoom="in"]')).to_be_disabled()
    grown = part(page, "54468004", "R").bounding_box()
    assert grown
    assert min(grown["width"], grown["height"]) >= 44
    page.locator('#bodymap .bodymap-tab[data-view="front"]').click()
    tap(page, 42, 190)
    tap(page, 42, 190)
    expect(svg).to_have_attribute("data-enlarged", "yes")
    assert chosen(page) == ("70559009", "R")
    assert phone.said == []


def pinch(page: Page, x: float, y: float) -> None:
    """Draw two fingers apart about a point of the screen."""
    session = page.context.new_cdp_session(page)
    for kind, away in (("Start", 20), ("Move", 35), ("Move", 50), ("Move", 65)):
        fingers = [{"x": x + dx, "y": y, "id": i} for i, dx in enumerate((-away, away))]
        session.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": fingers})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_search_when_a_word_of_either_language_is_typed_then_the_place_is_found(
    phone: Visit,
) -> None:
    page = at_where(phone)
    search = page.get_by_role("combobox", name="Eller søk etter stedet")
    search.fill("calf")
    found = page.get_by_role("listbox", name="Steder som ble funnet").get_by_role("option")
    expect(found.first).to_contain_text("Leggen, baksiden")
    expect(search).to_have_attribute("aria-expanded", "true")
    search.press("Enter")
    expect(page.locator("#site")).to_have_value("47224004")
    expect(page.locator("#bodymap svg")).to_have_attribute("data-view", "back")
    search.fill("tå negl")
    expect(found.first).to_have_attribute("aria-selected", "true")
    search.press("ArrowDown")
    expect(search).to_have_attribute("aria-activedescendant", "site-found-1")
    search.press("Escape")
    expect(found).to_have_count(0)
    expect(page.locator("#site")).to_have_value("47224004")
    search.fill("xyz")
    expect(page.locator("#site-none")).to_be_visible()
    assert phone.said == []


def test_known_lesions_when_shown_then_each_is_a_dot_that_can_be_chosen(desk: Visit) -> None:
    page = at_where(desk)
    page.evaluate("""() => document.querySelector("#bodymap").dispatchEvent(
        new CustomEvent("known-lesions", {detail: [
            {label: "A", view: "back", x: 0.4, y: 0.3, onChoose: () => (window.taken = "A")},
            {label: "B", view: "front", x: 0.5, y: 0.3, onChoose: () => (window.taken = "B")},
        ]}))""")
    expect(page.locator('.bodymap-tab[data-known="yes"]')).to_have_count(2)
    page.get_by_role("button", name="B, seen before").click()
    assert page.evaluate("window.taken") == "B"
    go_to(page, "back")
    dot = page.get_by_role("button", name="A, seen before")
    dot.focus()
    dot.press("Enter")
    assert page.evaluate("window.taken") == "A"
    expect(page.get_by_role("button", name="B, seen before")).to_have_count(0)
    assert chosen(page) == ("", "")
    assert desk.said == []


@pytest.mark.parametrize("kind", ["desk", "phone"])
def test_where_is_whole_for_everybody(request: pytest.FixtureRequest, kind: str) -> None:
    visit: Visit = request.getfixturevalue(kind)
    page = at_where(visit)
    for view in ("front", "head-front") if kind == "phone" else ("front",):
        if page.locator("#bodymap [data-out]").is_visible():
            page.locator("#bodymap [data-out]").click()
        go_to(page, view)
        assert troubles(page) == [], view
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), view
    assert visit.said == []


def test_point_when_the_draft_is_opened_again_then_it_is_there_and_the_reader_sees_it_too(
    shared_world: World, desk: Visit
) -> None:
    spot = {"view": "hand-back-R", "x": 0.5, "y": 0.6}
    clinical = {"category": "mole", "site": "281642007", "laterality": "R", "map": spot}
    case_id = shared_world.derm_case("fjord", clinical=clinical)
    gp = shared_world.client("referrer@fjord")
    assert gp.get(f"/api/cases/{case_id}").get_json()["clinical"]["map"] == spot
    page = desk.open(f"/capture/{case_id}")
    page.locator('[data-step="where"]').click()
    expect(page.locator("#bodymap svg")).to_have_attribute("data-view", "hand-back-R")
    expect(page.locator(".bodymap-now")).to_have_text("Back of the hand, right")
    expect(page.locator(".bodymap-spot")).to_have_count(1)
    page.fill("#lesion", "A")
    expect(page.locator("#saved")).to_contain_text("Saved")
    assert gp.get(f"/api/cases/{case_id}").get_json()["clinical"]["map"] == spot
    page.goto(f"{desk.address}/cases/{case_id}")
    shown = page.get_by_role("img", name="Back of the right hand: Back of the hand, right")
    expect(shown).to_be_visible()
    expect(shown.locator(".body-dot")).to_have_count(1)
    assert troubles(page) == []
    assert desk.said == []


def test_reading_room_when_the_referral_has_a_point_then_it_is_shown_with_its_facts(
    shared_world: World,
) -> None:
    spot = {"view": "right", "x": 0.25, "y": 0.5}
    clinical = {"site": "70559009", "laterality": "R", "map": spot}
    case_id = shared_world.derm_case("fjord", clinical=clinical)
    gp = shared_world.client("referrer@fjord")
    photo = photo_form(jpeg(), site_code="70559009", laterality="right")
    assert gp.post(f"/api/cases/{case_id}/photos", data=photo).status_code == 201
    assert gp.post(f"/api/cases/{case_id}/submit", json={}).status_code == 200
    page = shared_world.client("dermatologist@centre").get(f"/cases/{case_id}").text
    assert 'aria-label="The body from the right: Forearm, front, right"' in page
    assert '<circle class="body-dot" cx="37.5" cy="235"' in page
    assert "{&#39;view&#39;" not in page


@pytest.mark.parametrize("wrong", [{"view": "moon", "x": 0, "y": 0}, "front"], ids=["view", "text"])
def test_point_when_it_is_on_no_view_then_the_referral_is_refused(
    shared_world: World, wrong: object
) -> None:
    body = {"clinical": {"map": wrong}}
    case_id = shared_world.derm_case("fjord")
    answer = shared_world.client("referrer@fjord").put(f"/api/cases/{case_id}/referral", json=body)
    assert answer.status_code == 422
    assert answer.get_json()["code"] == "invalid-answer"
