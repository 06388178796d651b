"""A lesion over time in a real browser: aligned, blended by key; and chosen again by a referrer."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from derm_capture.context import Lesion
from tests.viewer.conftest import World
from tests.viewer.skin_visits import FOREARM, NUMBER, again, as_jpeg, import_earlier, sample, upload
from tests.viewer.test_pages_browser import address, browser

__all__ = ["address", "browser"]  # fixtures

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa"]}}


def page_of(browser: Browser, world: World, who: str, **how) -> tuple[Page, list[str]]:
    """Return a page of a person who is signed in by token, and what its console says."""
    headers = {"Authorization": f"Bearer {world.tokens[who]}"}
    context = browser.new_context(extra_http_headers=headers, locale="en", **how)
    page, said = context.new_page(), []
    page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return page, said


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found]


@pytest.mark.slow
def test_an_aligned_pair_is_blended_wiped_and_swapped_by_key(world, browser, address):
    first = sample()
    second, matrix = again(first)
    old = import_earlier(world, as_jpeg(first), lesion=Lesion("A", "1.2.3.4.5"))
    other = import_earlier(
        world, as_jpeg(sample("closeup.png")), lesion=Lesion("A", "1.2.3.4.5"), capture_id="other"
    )
    case_id = world.derm_case(clinical={"site": FOREARM, "laterality": "L", "lesion": "A"})
    upload(world, case_id, as_jpeg(second))
    world.client("referrer@fjord").post(f"/api/cases/{case_id}/submit")
    page, said = page_of(browser, world, "dermatologist@centre")
    page.goto(f"{address}/cases/{case_id}/lesions/A")
    page.select_option("#from", old)
    expect(page.locator("#rests-on")).to_contain_text("Aligned by", timeout=20_000)
    assert violations(page) == []

    page.keyboard.press("b")
    mix = page.get_by_role("slider", name="How much of the earlier picture is shown, in per cent")
    expect(mix).to_be_focused()
    page.keyboard.press("ArrowRight")
    over = page.locator(".pane-over")
    expect(over).to_have_css("opacity", "0.51")
    expect(mix).to_have_attribute("aria-valuetext", "51 per cent of the earlier picture")
    corner = page.evaluate(
        """() => {
            const box = document.querySelector("#pane-to .pane-box").getBoundingClientRect();
            const image = document.querySelector(".pane-over img");
            const m = new DOMMatrix(getComputedStyle(image).transform);
            const middle = new DOMPoint(image.offsetWidth / 2, image.offsetHeight / 2);
            const at = m.transformPoint(middle);
            return [at.x / at.w / box.width, at.y / at.w / box.height];
        }"""
    )
    rows, columns = first.shape[:2]
    x, y, w = matrix @ (columns / 2, rows / 2, 1)
    assert corner == pytest.approx([x / w / columns, y / w / rows], abs=0.004)

    page.keyboard.press("w")
    expect(over).to_have_css("clip-path", "inset(0px 49% 0px 0px)")
    page.keyboard.press("f")
    expect(over).to_have_css("visibility", "hidden")
    page.keyboard.press("f")
    expect(over).to_have_css("visibility", "visible")

    page.keyboard.press("s")
    page.select_option("#from", other)
    expect(page.locator("#rests-on")).to_have_text("Could not be aligned: shown side by side.")
    expect(page.get_by_role("radio", name="Blend")).to_be_disabled()
    expect(page.locator("#pane-from")).to_be_visible()
    assert said == []
    page.context.close()


@pytest.mark.slow
def test_a_lesion_that_was_seen_before_is_chosen_again_on_a_phone(world, browser, address):
    import_earlier(world, as_jpeg(sample()), lesion=Lesion("A", "1.2.3.4.5"))
    earlier = world.derm_case(clinical={"site": FOREARM, "laterality": "L", "lesion": "A"})
    upload(world, earlier, as_jpeg(sample()))
    page, said = page_of(
        browser, world, "referrer@fjord", viewport=PHONE, has_touch=True, is_mobile=True
    )
    page.goto(f"{address}/capture")
    page.fill("#patient-id", NUMBER)
    page.fill("#family", "Nordmann")
    page.click("#next-who")
    expect(page.get_by_role("radio", name="A, forearm, front left")).to_be_visible()
    expect(page.locator("#lesion")).to_have_value("B")
    expect(page.get_by_role("radio", name="A new one")).to_be_checked()
    assert violations(page) == []
    page.locator("#seen-chips label").first.click()
    expect(page.locator("#lesion")).to_have_value("A")
    assert page.input_value("#site") == FOREARM
    expect(page.get_by_role("radio", name="Left", exact=True)).to_be_checked()
    page.click("#next-where")
    expect(page.get_by_alt_text("The picture from last time")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.set_input_files(
        '[data-slot="dermoscopic"] [data-choose]',
        {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": as_jpeg(again(sample())[0])},
    )
    page.locator('[data-slot="dermoscopic"] [data-keep]:visible').click()
    expect(page.locator('[data-slot="dermoscopic"] .slot-state')).to_have_text(
        "Kept", timeout=20_000
    )
    case_id = page.url.rsplit("/", 1)[1]
    client = world.client("referrer@fjord")
    (taken,) = client.get(f"/api/cases/{case_id}/photos").get_json()["photos"]
    uid = taken["sop_instance_uid"]
    (lesion,) = client.get(f"/api/cases/{case_id}/lesions").get_json()["lesions"]
    assert lesion["uid"] == "1.2.3.4.5"
    assert uid in [p["sop_instance_uid"] for p in lesion["pictures"]]

    page.go_back()
    with page.expect_response("**/lesion"):
        page.locator("#seen-chips label").last.click()  # it was another one after all
    expect(page.locator("#lesion")).to_have_value("B")
    by_label = {
        each["label"]: [p["sop_instance_uid"] for p in each["pictures"]]
        for each in client.get(f"/api/cases/{case_id}/lesions").get_json()["lesions"]
    }
    assert by_label["B"] == [uid]
    page.context.close()
    assert said == []
