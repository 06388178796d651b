"""The reading room by itself: exact greys, exact lengths, every way to scroll, nothing lost."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from casework.access import Scope
from lysbro.settings import load
from lysbro.wiring import open_parts
from tests.flows import phantoms
from tests.flows.browsing import DESK, PHONE, Person, signed_in
from tests.flows.conftest import Exchange, make_exchange
from tests.flows.waiting import until

RADIOLOGIST, SECOND = "radiologist@nordlys.example", "second@nordlys.example"
DERMATOLOGIST = "dermatologist@nordlys.example"
STUDIES = tuple(f"1.2.826.0.1.3680043.10.1.{n}" for n in range(1, 5))
PHOTOGRAPH = "1.2.826.0.1.3680043.10.1.9"

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Return an exchange that holds phantoms and serves pages only."""
    folder = tmp_path_factory.mktemp("phantoms")
    for study in STUDIES:
        phantoms.write_series(folder, study)
    phantoms.write_photograph(folder, PHOTOGRAPH, phantoms.display_p3())
    exchange = make_exchange(tmp_path_factory.mktemp("room") / "data")
    exchange.must("import", str(folder), "--site", "hammer")
    exchange.start(only="web")
    try:
        yield exchange
    finally:
        exchange.stop()


def case_of(exchange: Exchange, study: str, *, reader: str = RADIOLOGIST) -> str:
    status, found = exchange.call(reader, "GET", "/api/cases?limit=50")
    assert status == 200
    for each in found["cases"]:
        _, case = exchange.call(reader, "GET", f"/api/cases/{each['case_id']}")
        if case["studies"][0]["study_uid"] == study:
            return str(each["case_id"])
    raise AssertionError(f"no case of {study}")


@contextmanager
def reading(
    browser: Browser,
    exchange: Exchange,
    study: str,
    *,
    size: tuple[int, int] = DESK,
    claimed: bool = False,
) -> Iterator[Person]:
    """Open the case of a study as the radiologist and wait for the image itself."""
    case_id = case_of(exchange, study)
    if claimed:
        exchange.call(RADIOLOGIST, "POST", f"/api/cases/{case_id}/claim", {})
    with signed_in(browser, exchange, RADIOLOGIST, size) as person:
        person.go(f"/cases/{case_id}")
        wait_for_image(person.page)
        yield person


def wait_for_image(page: Page) -> None:
    page.wait_for_selector("html[data-viewer] #preview-mark[hidden]", state="attached")


def place_of(page: Page, x: float, y: float) -> tuple[float, float]:
    """Return where a place of a phantom lies in the window, when it is fitted."""
    box = page.locator("#view").bounding_box()
    assert box is not None
    scale = min(box["width"], box["height"]) / phantoms.SIZE
    left = box["x"] + (box["width"] - phantoms.SIZE * scale) / 2
    top = box["y"] + (box["height"] - phantoms.SIZE * scale) / 2
    return left + x * scale, top + y * scale


def greys_on_screen(page: Page) -> np.ndarray:
    """Return what the canvas shows in the middle of each block."""
    box = page.locator("#view").bounding_box()
    assert box is not None
    middles = [(i + 0.5) * phantoms.BLOCK for i in range(8)]
    points = [place_of(page, x, y) for y in middles for x in middles]
    relative = [[x - box["x"], y - box["y"]] for x, y in points]
    read = page.evaluate(
        """points => {
          const canvas = document.querySelector("#surface canvas");
          const ratio = canvas.width / canvas.clientWidth;
          const copy = new OffscreenCanvas(canvas.width, canvas.height);
          const context = copy.getContext("2d", { willReadFrequently: true });
          context.drawImage(canvas, 0, 0);
          return points.map(([x, y]) => [...context.getImageData(x * ratio, y * ratio, 1, 1).data]);
        }""",
        relative,
    )
    colours = np.array(read)[:, :3]
    assert (colours == colours[:, :1]).all(), "greys are grey"
    return colours[:, 0].reshape(8, 8)


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=6)
    page.mouse.up()


def slice_number(page: Page) -> int:
    found = re.search(r"Image (\d+) of", page.locator("#corner-br").inner_text())
    assert found
    return int(found[1])


def settled_on(page: Page, number: int) -> None:
    expect(page.locator("#corner-br")).to_contain_text(f"Image {number} of {phantoms.SLICES}")
    wait_for_image(page)


def test_greys_are_what_the_standard_makes_of_the_values(browser: Browser, room: Exchange) -> None:
    with reading(browser, room, STUDIES[0]) as person:
        page = person.page
        assert page.evaluate("document.documentElement.dataset.viewer") == "canvas"
        page.locator("#view").focus()
        middle = (phantoms.SLICES + 1) // 2
        for key, center, width in (("9", 40, 400), ("4", 500, 2500), ("5", -600, 1500)):
            page.keyboard.press(key)
            expect(page.locator("#corner-bl")).to_contain_text(f"C {center}  W {width}")
            stored = phantoms.values(middle)[:: phantoms.BLOCK, :: phantoms.BLOCK]
            expected = phantoms.greys(stored.astype(float) - 1024, center, width)
            until(
                lambda wanted=expected: np.abs(greys_on_screen(page) - wanted).max() <= 1,
                f"greys of window {center}/{width}",
                timeout_s=10,
            )
        page.keyboard.press("v")
        until(
            lambda: np.abs(255 - greys_on_screen(page) - expected).max() <= 1,
            "black and white to be swapped",
        )
        assert person.complaints == []


def test_a_known_length_is_right_to_a_tenth_of_a_millimetre(
    browser: Browser, room: Exchange
) -> None:
    with reading(browser, room, STUDIES[0]) as person:
        page = person.page
        page.keyboard.press("m")
        drag(page, place_of(page, 40, 60), place_of(page, 200, 180))  # a 3-4-5 triangle
        expect(page.locator(".mark-text")).to_have_text("140.0 mm")
        page.keyboard.press("r")
        expect(page.locator(".mark-text")).to_have_text("140.0 mm")
        page.keyboard.press("+")
        page.keyboard.press("h")
        expect(page.locator(".mark-text")).to_have_text("140.0 mm")
        handle = page.locator('.mark-end[data-end="1"]')
        handle.focus()
        page.keyboard.press("Shift+ArrowDown")  # as the eye sees it: turned and mirrored, that is x
        expected = np.hypot(170, 120) * phantoms.SPACING_MM
        expect(page.locator(".mark-text")).to_have_text(f"{expected:.1f} mm")
        assert person.complaints == []


def edges_on_screen(page: Page, height: float) -> list[float]:
    """Return where the blocks of a row of the phantom meet, in CSS pixels of the view: the greys
    between two blocks are half of each just there.
    """
    row = page.evaluate(
        """height => {
          const canvas = document.querySelector("#surface canvas");
          const copy = new OffscreenCanvas(canvas.width, 1);
          const context = copy.getContext("2d", { willReadFrequently: true });
          const ratio = canvas.width / canvas.clientWidth;
          context.drawImage(canvas, 0, -Math.floor(height * ratio));
          const { data } = context.getImageData(0, 0, canvas.width, 1);
          return { ratio, greys: [...data].filter((_, at) => at % 4 === 0) };
        }""",
        height,
    )
    greys, ratio = np.array(row["greys"], float), row["ratio"]
    blocks = phantoms.values(6)[0, :: phantoms.BLOCK].astype(float) - 1024
    levels = phantoms.greys(blocks, -600, 1500)
    if not greys.any():  # nothing is drawn yet
        return []
    if greys[greys > 0][0] > greys[greys > 0][-1]:
        levels = levels[::-1]
    found = []
    for one, other in itertools.pairwise(levels):
        middle = (one + other) / 2
        after = np.flatnonzero(greys >= middle)[0] if other > one else (
            len(greys) - np.flatnonzero(greys[::-1] >= middle)[0]
        )  # fmt: skip
        found.append(after / ratio)
    return found


def test_an_image_lies_on_the_screen_to_the_pixel(browser: Browser, room: Exchange) -> None:
    with reading(browser, room, STUDIES[0]) as person:
        page = person.page
        page.locator("#view").focus()
        page.keyboard.press("5")
        box = page.locator("#view").bounding_box()
        assert box is not None
        tools = page.context.new_cdp_session(page)

        def lies(zoom: float, ratio: float) -> bool:
            scale = min(box["width"], box["height"]) / phantoms.SIZE * zoom
            steps = [(i * phantoms.BLOCK - phantoms.SIZE / 2) * scale for i in range(1, 8)]
            expected = [box["width"] / 2 + each for each in steps]
            middle = box["height"] / 2 - (phantoms.SIZE - phantoms.BLOCK) / 2 * scale
            found = edges_on_screen(page, middle)
            return bool(found) and bool(
                np.abs(np.array(sorted(found)) - expected).max() <= 1.2 / ratio
            )

        until(lambda: lies(1, 1), "a fitted image", timeout_s=10)
        tools.send("Emulation.setDeviceMetricsOverride", {
            "width": DESK[0], "height": DESK[1], "deviceScaleFactor": 1.5, "mobile": False,
        })  # fmt: skip
        page.reload()
        wait_for_image(page)
        page.locator("#view").focus()
        page.keyboard.press("5")
        until(lambda: lies(1, 1.5), "a fitted image on a fine screen", timeout_s=10)
        for _ in range(9):
            page.keyboard.press("-")
        until(lambda: lies(0.8**9, 1.5), "an image that is shown smaller than it is")
        page.keyboard.press("h")
        until(lambda: lies(0.8**9, 1.5), "its mirror image")
        assert person.complaints == []


def test_a_length_can_be_set_and_moved_by_the_keyboard_alone(
    browser: Browser, room: Exchange
) -> None:
    with reading(browser, room, STUDIES[0]) as person:
        page = person.page
        page.locator("#view").focus()
        page.keyboard.press("m")
        page.keyboard.press("Enter")
        across = 0.2 * phantoms.SIZE * phantoms.SPACING_MM
        expect(page.locator(".mark-text")).to_have_text(f"{across:.1f} mm")
        expect(page.locator("#live")).to_contain_text("mm")
        page.keyboard.press("ArrowRight")
        expect(page.locator(".mark-text")).to_have_text(f"{across + phantoms.SPACING_MM:.1f} mm")
        page.keyboard.press("Delete")
        expect(page.locator(".mark-text")).to_have_count(0)


def test_every_way_to_scroll_reaches_every_slice(browser: Browser, room: Exchange) -> None:
    with reading(browser, room, STUDIES[0]) as person:
        page = person.page
        page.locator("#view").focus()
        for key, number in (("Home", 1), ("ArrowDown", 2), ("PageDown", 12), ("ArrowUp", 11),
                            ("End", 12), ("ArrowDown", 12), ("PageUp", 2)):  # fmt: skip
            page.keyboard.press(key)
            settled_on(page, number)
        page.mouse.move(*place_of(page, 128, 128))
        page.mouse.wheel(0, 120)
        settled_on(page, 3)
        page.keyboard.press("s")
        drag(page, place_of(page, 128, 100), place_of(page, 128, 120))
        until(lambda: slice_number(page) > 3, "the drag to scroll")
        page.locator("#slider").fill("8")
        settled_on(page, 8)
        stored = phantoms.values(8)[:: phantoms.BLOCK, :: phantoms.BLOCK]
        expected = phantoms.greys(stored.astype(float) - 1024, 40, 400)
        until(
            lambda: np.abs(greys_on_screen(page) - expected).max() <= 1,
            "the greys of slice 8",
            timeout_s=10,
        )
        expect(page.locator("#view")).to_have_attribute(
            "aria-label", re.compile(r"Image 8 of 12, window 400/40$")
        )


def test_the_window_follows_the_drag(browser: Browser, room: Exchange) -> None:
    with reading(browser, room, STUDIES[0]) as person:
        page = person.page
        page.keyboard.press("w")
        drag(page, (600, 400), (675, 430))
        expect(page.locator("#corner-bl")).to_contain_text("C 80  W 500")
        window = page.locator('#tools [data-tool="window"]')
        expect(window).to_have_attribute("aria-pressed", "true")


def test_fingers_scroll_and_zoom_on_a_telephone(browser: Browser, room: Exchange) -> None:
    with reading(browser, room, STUDIES[0], size=PHONE) as person:
        page = person.page
        touch = page.context.new_cdp_session(page)

        def fingers(kind: str, *points: tuple[float, float]) -> None:
            touch.send(
                "Input.dispatchTouchEvent",
                {
                    "type": kind,
                    "touchPoints": [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)],
                },
            )

        before = slice_number(page)
        fingers("touchStart", (180, 300))
        for step in range(6):
            fingers("touchMove", (180, 300 + step * 14))
        fingers("touchEnd")
        until(lambda: slice_number(page) > before, "a finger to scroll")
        zoom = zoom_of(page)
        fingers("touchStart", (150, 350), (200, 350))
        for step in range(8):
            fingers("touchMove", (150 - step * 7, 350), (200 + step * 7, 350))
        fingers("touchEnd")
        until(lambda: zoom_of(page) > 2 * zoom, "two fingers to zoom")
        assert person.axe_violations() == []
        assert person.complaints == []


def zoom_of(page: Page) -> int:
    found = re.search(r"(\d+) %", page.locator("#corner-bl").inner_text())
    assert found
    return int(found[1])


def test_the_image_has_most_of_the_window_and_the_question_is_on_top(
    browser: Browser, room: Exchange
) -> None:
    with reading(browser, room, STUDIES[0]) as person:
        page = person.page
        for width in (1024, 1366, 1920):
            page.set_viewport_size({"width": width, "height": 800})
            until(lambda share=0.6 * width: wide(page) >= share, f"an image wide in {width}")
            expect(page.locator("#question")).to_be_in_viewport()
        page.keyboard.press("]")
        expect(page.locator("#findings-panel")).to_be_hidden()
        page.keyboard.press("]")
        assert person.axe_violations() == []


def wide(page: Page) -> float:
    box = page.locator("#stage").bounding_box()
    return 0.0 if box is None else float(box["width"])


def test_the_preview_is_marked_and_can_be_scrolled_before_an_image_has_come(
    browser: Browser, room: Exchange
) -> None:
    with signed_in(browser, room, RADIOLOGIST) as person:
        page = person.page
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route(re.compile(r"/frames/\d+\?"), hold)
        person.go(f"/cases/{case_of(room, STUDIES[1])}")
        expect(page.locator("#preview-mark")).to_have_text("preview, not diagnostic")
        page.locator("#view").focus()
        page.keyboard.press("ArrowDown")
        expect(page.locator("#corner-br")).to_contain_text("Image 7 of 12")
        expect(page.locator("#preview-mark")).to_be_visible()
        expect(page.locator("#view")).to_have_attribute("aria-label", re.compile("not diagnostic"))
        until(lambda: held, "images to be asked for")
        page.unroute(re.compile(r"/frames/\d+\?"))  # which lets those go that were held
        expect(page.locator("#preview-mark")).to_be_hidden()
        assert person.complaints == []


def test_what_is_written_is_saved_and_survives_a_reload(browser: Browser, room: Exchange) -> None:
    with reading(browser, room, STUDIES[1], claimed=True) as person:
        page = person.page
        page.keyboard.press("m")
        drag(page, place_of(page, 40, 60), place_of(page, 200, 180))
        expect(page.locator(".mark-text")).to_have_text(re.compile(r"^1[34]\d\.\d mm$"))
        length = page.locator(".mark-text").text_content() or ""
        assert abs(float(length.removesuffix(" mm")) - 140) <= 0.1001  # the mouse goes by pixels
        page.keyboard.press("k")
        page.fill("#f-findings", "A line of")
        page.keyboard.press("Escape")
        page.keyboard.press("i")
        page.fill("#f-impression", "All is well.")
        expect(page.locator("#saved")).to_have_text(re.compile(r"^Saved \d\d:\d\d$"))
        page.reload()
        wait_for_image(page)
        expect(page.locator("#f-findings")).to_have_value(f"A line of length {length}")
        expect(page.locator(".mark-text")).to_have_text(length)
        expect(page.locator("#measured")).to_contain_text(f"Length 1: {length}")
        expect(page.locator('[data-do="key"]')).to_have_attribute("aria-pressed", "true")


def test_what_is_written_without_contact_is_saved_later(browser: Browser, room: Exchange) -> None:
    with reading(browser, room, STUDIES[2], claimed=True) as person:
        page = person.page
        page.route("**/findings", lambda route: route.abort())
        page.fill("#f-impression", "Written in a tunnel.")
        expect(page.locator("#saved")).to_contain_text("kept on this computer")
        page.unroute("**/findings")
        page.reload()
        expect(page.locator("#saved")).to_have_text(re.compile("^Saved"))
        expect(page.locator("#f-impression")).to_have_value("Written in a tunnel.")


def test_signing_out_leaves_nothing_in_the_browser(browser: Browser, room: Exchange) -> None:
    with reading(browser, room, STUDIES[2], claimed=True) as person:
        page = person.page
        page.route("**/findings", lambda route: route.abort())
        page.fill("#f-advice", "Not for the next one at this desk.")
        expect(page.locator("#saved")).to_contain_text("kept on this computer")
        person.go("/")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/login**")
        named = "indexedDB.databases().then(all => all.map(each => each.name))"
        until(lambda: page.evaluate(named) == [], "the drafts to be gone", timeout_s=10)
        assert page.evaluate("sessionStorage.length") == 0


def test_a_draft_that_was_changed_elsewhere_is_shown_and_nothing_is_lost(
    browser: Browser, room: Exchange
) -> None:
    with reading(browser, room, STUDIES[2], claimed=True) as person:
        page, case_id = person.page, case_of(room, STUDIES[2])
        body = {"impression": "Written at home."}
        assert room.call(RADIOLOGIST, "PUT", f"/api/cases/{case_id}/findings", body)[0] == 200
        page.fill("#f-impression", "Written at work.")
        expect(page.locator("#conflict")).to_contain_text("Written at home.")
        expect(page.locator("#f-impression")).to_have_value("Written at work.")
        page.get_by_role("button", name="Keep what is written here").click()
        expect(page.locator("#saved")).to_have_text(re.compile("^Saved"))
        _, case = room.call(RADIOLOGIST, "GET", f"/api/cases/{case_id}")
        assert case["draft"]["impression"] == "Written at work."


def test_signing_says_what_was_not_shown_and_cannot_be_undone(
    browser: Browser, room: Exchange
) -> None:
    with reading(browser, room, STUDIES[3], claimed=True) as person:
        page = person.page
        page.fill("#f-impression", "Every block is in its place.")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#sign-sheet")).to_contain_text("Every block is in its place.")
        expect(page.locator("#sign-shown")).to_contain_text("1 of 12 images shown")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#signed-title")).to_be_visible()
        expect(page.locator("#f-impression")).to_have_count(0)
        page.get_by_text("Add to the answer").click()
        page.fill("#a-impression", "Seen again: still so.")
        page.get_by_role("button", name="Sign the addendum").click()
        expect(page.locator(".signed")).to_contain_text("Seen again: still so.")
        assert person.axe_violations() == []
        with open_parts(load(environment=room.environment)) as parts:
            everything = Scope(sites=None, specialties=None, own_site="")
            signed = parts.casebook.dossier(everything, case_of(room, STUDIES[3])).reports[0]
        shown = signed.displayed["series"][0]
        assert (shown["images"], shown["lossless"], shown["preview_only"]) == (12, 1, 0)


def test_a_case_that_somebody_holds_says_so_and_can_be_asked_about(
    browser: Browser, room: Exchange
) -> None:
    case_id = case_of(room, STUDIES[0])
    room.call(SECOND, "POST", f"/api/cases/{case_id}/claim", {})
    with reading(browser, room, STUDIES[0]) as person:
        expect(person.page.locator(".room-hold")).to_contain_text("Dr. Per Ås")
        expect(person.page.locator("#f-findings")).to_be_disabled()
    room.call(SECOND, "POST", f"/api/cases/{case_id}/release", {})
    with reading(browser, room, STUDIES[0], claimed=True) as person:
        page = person.page
        page.locator("#view").focus()
        page.keyboard.press("q")
        page.get_by_role("radio", name="The examination is incomplete").check(force=True)
        page.get_by_label("In your own words").fill("Please send the rest.")
        page.get_by_role("button", name="Ask", exact=True).click()
        page.wait_for_url(lambda address: "/cases/" not in address)
    _, case = room.call(RADIOLOGIST, "GET", f"/api/cases/{case_id}")
    assert case["state"] == "waiting"
    assert case["conversation"][-1]["reason"] == "incomplete"


def test_a_photograph_is_shown_in_its_own_colours(browser: Browser, room: Exchange) -> None:
    case_id = case_of(room, PHOTOGRAPH, reader=DERMATOLOGIST)
    with signed_in(browser, room, DERMATOLOGIST) as person:
        page = person.page
        person.go(f"/cases/{case_id}")
        expect(page.locator(".photo-profile")).to_contain_text("colours")  # the page has begun
        expect(page.locator(".photo-mark")).to_have_count(0)
        until(
            lambda: np.abs(colour_on_screen(page) - phantoms.IN_SRGB).max() <= 2,
            "the photograph in its own colours",
            timeout_s=10,
        )
        assert person.axe_violations() == []
        assert person.complaints == []


def colour_on_screen(page: Page) -> np.ndarray:
    """Return what the canvas shows in the middle of the photograph."""
    read = page.evaluate(
        """() => {
          const canvas = document.querySelector(".photo-canvas canvas");
          const copy = new OffscreenCanvas(1, 1);
          const context = copy.getContext("2d", { willReadFrequently: true });
          context.drawImage(canvas, -canvas.width / 2, -canvas.height / 2);
          return [...context.getImageData(0, 0, 1, 1).data];
        }"""
    )
    return np.array(read)[:3]
