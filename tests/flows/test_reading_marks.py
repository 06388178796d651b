"""Marks in the reading room: each kind by mouse, finger and keys, however the image lies, kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.flows import phantoms
from tests.flows.browsing import PHONE, signed_in
from tests.flows.conftest import Exchange, make_exchange
from tests.flows.test_reading_room import (
    DERMATOLOGIST,
    RADIOLOGIST,
    case_of,
    drag,
    place_of,
    reading,
    wait_for_image,
)
from tests.flows.waiting import until

CT, PHOTOGRAPH = "1.2.826.0.1.3680043.10.2.1", "1.2.826.0.1.3680043.10.2.9"
MIDDLE = (phantoms.SLICES + 1) // 2
PHOTO_MM = 0.05
HU = {block: block * 40 + MIDDLE - 1024 for block in range(64)}  # of the blocks of the middle slice

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Return an exchange with a CT whose first block is padding, and a photograph with a scale."""
    folder = tmp_path_factory.mktemp("marks")
    phantoms.write_series(folder, CT, PixelPaddingValue=MIDDLE)
    phantoms.write_photograph(
        folder, PHOTOGRAPH, phantoms.display_p3(), PixelSpacing=[PHOTO_MM, PHOTO_MM],
        PixelSpacingCalibrationType="FIDUCIAL",
    )  # fmt: skip
    exchange = make_exchange(tmp_path_factory.mktemp("room") / "data")
    exchange.must("import", str(folder), "--site", "hammer")
    exchange.start(only="web")
    try:
        yield exchange
    finally:
        exchange.stop()


def listed(page: Page) -> list[str]:
    """Return the measurements in the list beside the findings."""
    return [each.inner_text() for each in page.locator("#measured .link").all()]


def kept(exchange: Exchange, study: str, *, reader: str = RADIOLOGIST) -> list[dict[str, Any]]:
    _, case = exchange.call(reader, "GET", f"/api/cases/{case_of(exchange, study, reader=reader)}")
    return list((case.get("draft") or {}).get("measurements") or [])


def figure(text: str) -> float:
    found = re.search(r"-?[\d.]+", text.partition(": ")[2])
    assert found, text
    return float(found[0])


def test_every_kind_is_drawn_with_the_mouse_measures_right_and_stays(
    browser: Browser, room: Exchange
) -> None:
    with reading(browser, room, CT, claimed=True) as person:
        page = person.page

        def at(x: float, y: float) -> tuple[float, float]:
            return place_of(page, x, y)

        page.keyboard.press("a")
        drag(page, at(180, 110), at(140, 110))
        page.mouse.move(*at(140, 150))
        page.mouse.down()
        page.mouse.up()
        page.keyboard.press("b")
        drag(page, at(20, 60), at(60, 60))
        drag(page, at(20, 100), at(60, 140))
        page.keyboard.press("d")
        drag(page, at(20, 220), at(120, 220))
        page.keyboard.press("e")
        drag(page, at(4, 4), at(60, 28))  # over padding and the block beside it
        page.keyboard.press("g")
        drag(page, at(100, 68), at(124, 92))  # within one block
        page.keyboard.press("x")
        page.mouse.click(*at(240, 240))
        page.keyboard.press("y")
        drag(page, at(200, 40), at(220, 20))
        page.keyboard.press("t")
        page.mouse.click(*at(200, 200))
        page.keyboard.type("again in spring")
        page.keyboard.press("Enter")
        angle, cobb, axes, ellipse, rectangle, value, arrow, note = listed(page)
        assert abs(figure(angle) - 90) <= 0.6  # the mouse goes by pixels of the screen
        assert abs(figure(cobb) - 45) <= 0.6
        across = re.match(r"Long and short axis 1: ([\d.]+) × ([\d.]+) mm", axes)
        assert across
        assert abs(float(across[1]) - 70) <= 0.3
        assert abs(float(across[2]) - 42) <= 0.3
        assert ellipse.startswith(f"Ellipse 1: mean {HU[1]} HU, SD 0, min {HU[1]}, max {HU[1]}; ")
        assert rectangle.startswith(f"Rectangle 1: mean {HU[19]} HU, SD 0, ")
        assert (value, arrow, note) == (f"Value 1: {HU[63]} HU", "Arrow", "Note: again in spring")
        drag(page, at(124, 92), at(100, 68))  # a corner upon the other: not meant
        assert listed(page)[4] == rectangle
        for key in ("r", "h", "+", "f"):
            page.keyboard.press(key)
            assert len(page.locator(".mark").all()) == 8
        before = listed(page)
        expect(page.locator("#saved")).to_have_text(re.compile("^Saved"))
        page.reload()
        wait_for_image(page)
        assert listed(page) == before
        assert page.locator(".mark").count() == 8
        page.keyboard.press("ArrowDown")
        expect(page.locator(".mark")).to_have_count(0)  # they belong to their image
        assert [each["kind"] for each in kept(room, CT)] == [
            "angle", "cobb", "bidirectional", "ellipse", "rectangle", "probe", "arrow", "text",
        ]  # fmt: skip
        page.locator("#measured").get_by_role("button", name=re.compile("^Name Long")).click()
        page.keyboard.type("Cyst, left")
        page.keyboard.press("Enter")
        page.locator("#view").focus()
        page.keyboard.press("i")
        words = f"Cyst, left: long and short axis {across[1]} × {across[2]} mm"
        expect(page.locator("#f-findings")).to_have_value(words)
        page.keyboard.press("k")
        page.get_by_role("button", name=re.compile("^Note on")).click()
        page.keyboard.type("the upper edge")
        page.keyboard.press("Enter")
        expect(page.locator("#key-list")).to_contain_text("the upper edge")
        until(lambda: noted(room) == ["the upper edge"], "the note to be kept")
        assert kept(room, CT)[2]["label"] == "Cyst, left"
        assert person.axe_violations() == []
        assert person.complaints == []


def test_every_kind_can_be_set_moved_named_and_removed_by_the_keyboard_alone(
    browser: Browser, room: Exchange
) -> None:
    with reading(browser, room, CT) as person:
        page = person.page
        page.keyboard.press("Home")
        page.locator("#view").focus()
        wait_for_image(page)
        expect(page.locator("#live")).to_contain_text("Image 1 of")  # which is said a little later
        for key in "abdegxy":
            page.locator("#view").focus()
            page.keyboard.press(key)
            pressed = page.locator(f'#tools [aria-keyshortcuts="{key}"]')
            expect(pressed).to_have_attribute("aria-pressed", "true")
            page.keyboard.press("Enter")
            focused = page.locator(".mark-end:focus")
            expect(focused).to_have_attribute("aria-label", re.compile("Arrow keys move it"))
            before = focused.locator(".mark-dot").get_attribute("cy")
            page.keyboard.press("Shift+ArrowUp")
            assert focused.locator(".mark-dot").get_attribute("cy") != before
            page.keyboard.press("Delete")
            expect(page.locator(".mark")).to_have_count(0)
            expect(page.locator("#live")).to_contain_text("Removed")  # and nothing talks over it
        page.keyboard.press("m")
        page.keyboard.press("Enter")
        expect(page.locator("#live")).to_have_text(re.compile(r"^Length 1: [\d.]+ mm$"))
        page.keyboard.press("Enter")
        page.keyboard.type("nodule, right upper lobe")
        page.keyboard.press("Enter")
        expect(page.locator("#live")).to_contain_text("nodule, right upper lobe: ")
        page.keyboard.press("0")
        expect(page.locator(".mark")).to_have_count(0)
        page.keyboard.press("0")
        expect(page.locator(".mark-text")).to_contain_text("nodule, right upper lobe")
        page.keyboard.press("t")
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")  # a note without words is none
        expect(page.locator(".mark")).to_have_count(1)


def noted(room: Exchange) -> list[str]:
    """Return the notes on key images that the draft holds."""
    _, case = room.call(RADIOLOGIST, "GET", f"/api/cases/{case_of(room, CT)}")
    return [each.get("note", "") for each in case["draft"]["key_images"]]


def test_a_finger_draws_and_takes_hold_and_the_tools_stay_in_the_window(
    browser: Browser, room: Exchange
) -> None:
    with reading(browser, room, CT, size=PHONE) as person:
        page = person.page
        touch = page.context.new_cdp_session(page)

        def finger(*points: tuple[float, float]) -> None:
            for kind, (x, y) in zip(["touchStart", *["touchMove"] * 9], points, strict=False):
                where = [{"x": x, "y": y}]
                touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": where})
            touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

        page.locator("#marks-open").click()
        group = page.locator("#marks-more").bounding_box()
        assert group is not None
        assert min(group["x"], group["y"]) >= 0
        assert group["x"] + group["width"] <= PHONE[0]
        assert group["y"] + group["height"] <= PHONE[1]
        page.locator('[data-tool="rectangle"]').click()
        expect(page.locator("#marks-open")).to_contain_text("Rectangle")
        marks = page.locator(".mark").count()
        box = page.locator("#view").bounding_box()
        assert box is not None
        x, y = box["x"] + 150, box["y"] + 260
        finger((x, y), (x + 30, y + 30), (x + 90, y + 60))
        expect(page.locator(".mark")).to_have_count(marks + 1)
        width = page.locator(".mark-text").last
        before = width.text_content()
        finger((x + 90 + 14, y + 60 + 12), (x + 110, y + 90), (x + 130, y + 120))  # near its corner
        until(lambda: width.text_content() != before, "the corner to follow the finger")
        expect(page.locator(".mark")).to_have_count(marks + 1)
        scroll = page.locator('#tools [data-tool="scroll"]')
        expect(scroll).to_have_attribute("aria-pressed", "false")  # the tool stays
        page.locator("#marks-open").click()
        page.locator('[data-do="stay"]').click()
        page.locator('[data-tool="arrow"]').click()
        finger((x - 60, y - 60), (x - 80, y - 80), (x - 90, y - 120))
        expect(page.locator(".mark")).to_have_count(marks + 2)
        expect(scroll).to_have_attribute("aria-pressed", "true")  # and now goes back
        assert person.complaints == []


def test_a_photograph_with_a_scale_is_measured_in_millimetres(
    browser: Browser, room: Exchange
) -> None:
    case_id = case_of(room, PHOTOGRAPH, reader=DERMATOLOGIST)
    room.call(DERMATOLOGIST, "POST", f"/api/cases/{case_id}/claim", {})
    with signed_in(browser, room, DERMATOLOGIST) as person:
        page = person.page
        person.go(f"/cases/{case_id}")
        expect(page.locator(".photo-profile")).to_contain_text("colours")  # the page has begun
        expect(page.locator(".photo-mark")).to_have_count(0)
        box = page.locator(".photo-over").bounding_box()
        assert box is not None
        scale = min(box["width"] / 640, box["height"] / 480)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.keyboard.press("m")
        drag(page, (x - 160 * scale, y - 120 * scale), (x + 160 * scale, y + 120 * scale))
        length = page.locator(".mark-text")
        expect(length).to_have_text(re.compile(r"^(20\.\d|19\.9) mm$"))
        page.keyboard.press("+")
        expect(length).to_have_text(re.compile(r"^(20\.\d|19\.9) mm$"))
        page.keyboard.press("y")
        page.keyboard.press("Enter")
        expect(page.locator(".mark")).to_have_count(2)
        until(lambda: len(kept(room, PHOTOGRAPH, reader=DERMATOLOGIST)) == 2, "both to be kept")
        (measured, _arrow) = kept(room, PHOTOGRAPH, reader=DERMATOLOGIST)
        assert (measured["unit"], measured["calibration"]) == ("mm", "calibrated")
        assert person.axe_violations() == []
        assert person.complaints == []
