"""Planes of every direction through a series: what they show, by key and by mouse, and when not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.flows import phantoms
from tests.flows.browsing import DESK, PHONE, signed_in
from tests.flows.conftest import Exchange, make_exchange
from tests.flows.test_reading_room import RADIOLOGIST, case_of, wait_for_image
from tests.flows.waiting import until

WHOLE, GAPPED = "1.2.826.0.1.3680043.10.1.21", "1.2.826.0.1.3680043.10.1.22"
CENTRE = (phantoms.VOLUME_SIZE - 1) / 2

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    folder = tmp_path_factory.mktemp("phantoms")
    phantoms.write_volume(folder, WHOLE)
    phantoms.write_volume(folder, GAPPED, without=17)
    exchange = make_exchange(tmp_path_factory.mktemp("room") / "data")
    exchange.must("import", str(folder), "--site", "hammer")
    exchange.start(only="web")
    try:
        yield exchange
    finally:
        exchange.stop()


def plane(page: Page, name: str) -> Locator:
    return page.locator(f".mpr-pane[data-plane={name}]")


def value_at(page: Page, name: str, x_mm: float, y_mm: float) -> float:
    """Return what is drawn so far to the right of and below the middle of a plane, as a value."""
    grey = page.evaluate(
        """([name, x, y]) => {
          const pane = document.querySelector(`.mpr-pane[data-plane=${name}]`);
          const canvas = pane.querySelector("canvas");
          const size = name === "axial" ? [128, 128] : [128, 120];
          const mm = Math.max(size[0] / pane.clientWidth, size[1] / pane.clientHeight);
          const ratio = canvas.width / pane.clientWidth;
          const at = [canvas.width / 2 + x / mm * ratio, canvas.height / 2 + y / mm * ratio];
          const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
          context.drawImage(canvas, -Math.round(at[0]), -Math.round(at[1]));
          return context.getImageData(0, 0, 1, 1).data[0];
        }""",
        [name, x_mm, y_mm],
    )
    return float(grey) / 255 * 1999 + 0.5 + 1024  # of the window that the images came with


def expected(x_mm: float, y_mm: float, z_mm: float) -> float:
    """Return the value so far to the left, to the back and to the head of the middle."""
    slices = (phantoms.VOLUME_SLICES - 1) / 2 + z_mm / 3
    return 1000 + 2 * (CENTRE + x_mm) + 4 * (CENTRE + y_mm) + 8 * slices


def test_planes_show_the_values_of_their_places_and_lead_back_to_the_slice(
    browser: Browser, room: Exchange
) -> None:
    with signed_in(browser, room, RADIOLOGIST, DESK) as person:
        page = person.page
        person.go(f"/cases/{case_of(room, WHOLE)}")
        wait_for_image(page)
        page.locator("#view").focus()
        page.keyboard.press("M")
        expect(page.locator(".mpr-facts")).to_contain_text("Worked out from 40 slices, 3 mm apart")
        expect(plane(page, "axial")).to_be_focused()

        def is_right() -> bool:
            found = [
                (value_at(page, "axial", 30, -20), expected(30, -20, 0)),
                (value_at(page, "coronal", 30, -25), expected(30, 0, 25)),
                (value_at(page, "sagittal", -30, 40), expected(0, -30, -40)),
            ]
            return all(abs(drawn - wanted) <= 16 for drawn, wanted in found)  # two greys

        until(is_right, "every plane to show the values of its places", timeout_s=10)
        assert page.locator(".mpr-letter").all_inner_texts() == list("ALPRHLFRHPFA")

        page.keyboard.press("ArrowDown")  # one slice on: 24 mm of the ramp are 64 of the value
        until(
            lambda: abs(value_at(page, "axial", 30, -20) - expected(30, -20, 3)) <= 16,
            "the axial plane to be one slice on",
        )
        page.keyboard.press("Tab")
        expect(plane(page, "coronal")).to_be_focused()
        for _ in range(4):
            page.keyboard.press("t")  # 20 mm
        page.keyboard.press("x")
        expect(page.get_by_label("Slab", exact=False).first).to_have_value("20")
        # a slab of the brightest sees the rod beside which the plane may lie
        for _ in range(8):
            page.keyboard.press("ArrowDown")
        until(lambda: value_at(page, "coronal", 0.5, 0) > 2900, "the rod in the slab")
        page.keyboard.press("t")
        page.keyboard.press("r")
        expect(page.locator(".mpr-caption").first).to_have_text("Axial, oblique")
        page.keyboard.press("f")
        expect(page.locator(".mpr-caption").first).to_have_text("Axial")

        box = plane(page, "sagittal").bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.25)
        page.keyboard.press("M")
        expect(page.locator(".mpr")).to_have_count(0)
        shown = page.locator("#corner-br").inner_text()
        number = int(shown.split("Image ")[1].split()[0])
        assert 25 <= number <= 37, "the slice of the cross, a quarter from the head"
        assert person.complaints == []


def test_planes_are_refused_where_a_slice_is_missing(browser: Browser, room: Exchange) -> None:
    with signed_in(browser, room, RADIOLOGIST, PHONE) as person:
        page = person.page
        person.go(f"/cases/{case_of(room, GAPPED)}")
        wait_for_image(page)
        page.locator("#view").focus()
        page.keyboard.press("M")
        expect(page.locator("#toast")).to_contain_text("Slices are missing or lie unevenly")
        expect(page.locator(".mpr")).to_have_count(0)
        person.go(f"/cases/{case_of(room, WHOLE)}")
        wait_for_image(page)
        page.keyboard.press("M")
        expect(page.locator(".mpr-facts")).to_contain_text("Worked out from 40 slices")
        assert person.axe_violations() == []
        assert np.isfinite(value_at(page, "axial", 0, 20))
