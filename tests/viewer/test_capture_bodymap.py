"""The body map of the capture page: every part is a site, and a press fills in the form."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from derm_capture import anatomy
from tests.conftest import ROOT
from tests.viewer.conftest import World
from tests.viewer.test_pages_browser import Visit, address, browser, phone

__all__ = ["address", "browser", "phone"]

TEMPLATE = ROOT / "viewer" / "templates" / "capture_bodymap.html"
PARTS = re.findall(r'\b(part|pair)\("(\d+)"', TEMPLATE.read_text("utf-8"))


def test_parts_when_compared_with_the_standard_then_each_is_a_site_with_its_sides() -> None:
    assert len(PARTS) == 28
    for drawn, code in PARTS:
        site = anatomy.site_of(code)
        assert site.paired == (drawn == "pair"), site.en
        assert site.common, site.en


@pytest.mark.browser
def test_bodymap_when_a_part_is_pressed_then_site_and_side_are_chosen(
    world: World, phone: Visit
) -> None:
    page = phone.sign_in("referrer@fjord")
    page.goto(phone.address + "/capture")
    page.fill("#patient-id", "fjord-1")
    page.fill("#family", "Hætta")
    page.locator("#next-who").tap()
    behind = page.locator('#bodymap [data-site="47224004"][data-side="R"]')
    behind.tap()
    expect(page.locator("#site")).to_have_value("47224004")
    expect(page.locator('[name="laterality"][value="R"]')).to_be_checked()
    expect(behind).to_have_attribute("data-chosen", "yes")
    page.locator('#bodymap [data-site="244106003"]').tap()
    expect(page.locator("#sides")).to_be_hidden()
    expect(behind).to_have_attribute("data-chosen", "no")
    page.locator("#site").select_option("70887009")
    page.locator(".chip", has_text="Venstre").tap()
    left = page.locator('#bodymap [data-site="70887009"][data-side="L"]')
    expect(left).to_have_attribute("data-chosen", "yes")
    assert phone.said == []
