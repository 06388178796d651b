"""A coordinator and two readers at the list and in the room, by key, in a real browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from werkzeug.serving import make_server

from casework.model import Role
from tests.viewer.conftest import PASSWORD, World, password_hash

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
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
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def sign_in(browser: Browser, address: str, who: str, said: list[str]) -> Page:
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.on("pageerror", lambda error: said.append(f"{who}: {error}"))
    page.goto(f"{address}/login")
    page.fill("#email", who)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    return page


def study(world: World, number: int, **more: str) -> str:
    uid = f"1.2.826.0.{number}"
    uids = {
        "StudyInstanceUID": uid, "SeriesInstanceUID": f"{uid}.1", "SOPInstanceUID": f"{uid}.1.1",
    }  # fmt: skip
    world.store("hammer", **uids, PatientID=f"p-{number}", **more)
    return world.case_of("hammer", uid)


def troubles(page: Page) -> list[str]:
    return [each["id"] for each in Axe().run(page).response["violations"]]


def row(page: Page, case_id: str):
    return page.locator(f"li.case[data-case='{case_id}']")


def test_a_case_is_assigned_read_by_two_and_signed_by_key(
    world: World, browser: Browser, address: str
) -> None:
    said: list[str] = []
    world.parts.people.add_user(
        "second@centre", "centre", Role.RADIOLOGIST, "Dr Second", password_hash()
    )
    urgent, routine = study(world, 1, StudyPriorityID="STAT"), study(world, 2)
    coordinator = sign_in(browser, address, "coordinator@centre", said)
    coordinator.keyboard.press("j")
    expect(row(coordinator, urgent)).to_have_attribute("aria-current", "true")
    coordinator.keyboard.press("H")
    expect(coordinator.locator("#hand-list label")).to_have_count(3)
    coordinator.locator("#hand-list label", has_text="radiologist centre").locator("input").focus()
    coordinator.keyboard.press("Space")
    coordinator.keyboard.press("Tab")
    coordinator.keyboard.type("Before noon")
    coordinator.keyboard.press("Tab")
    coordinator.keyboard.press("Tab")
    coordinator.keyboard.press("Enter")
    expect(row(coordinator, urgent).locator(".case-holder")).to_contain_text("radiologist centre")
    expect(coordinator.locator("#holders")).to_contain_text("radiologist centre 1")
    expect(row(coordinator, urgent)).to_have_attribute("aria-current", "true")
    coordinator.goto(f"{address}/?state=ours&holder=nobody")
    coordinator.keyboard.press("s")
    coordinator.keyboard.type("Free")
    coordinator.keyboard.press("Enter")
    coordinator.wait_for_url("**/?f=*")
    expect(coordinator.locator("#tabs [aria-current=page]")).to_contain_text("Free 1")
    coordinator.keyboard.press("0")
    expect(coordinator.locator("li.case")).to_have_count(2)
    coordinator.keyboard.press("1")
    expect(coordinator.locator("li.case")).to_have_count(1)
    assert troubles(coordinator) == []

    first = sign_in(browser, address, "radiologist@centre", said)
    expect(row(first, urgent)).to_contain_text("from coordinator centre: Before noon")
    first.goto(f"{address}/cases/{urgent}")
    expect(first.locator(".second")).to_contain_text("Before noon")
    first.fill("#f-impression", "No bleeding.")
    first.keyboard.press("Escape")
    first.keyboard.press("R")
    first.locator("#second-form button[type=submit]").click()
    expect(first.locator(".second").last).to_contain_text("Waits for a second reading")

    second = sign_in(browser, address, "second@centre", said)
    expect(second.locator("#tally")).to_contain_text("1 second reading for you")
    second.keyboard.press("j")
    second.keyboard.press("R")
    second.wait_for_url(f"**/cases/{urgent}")
    expect(second.locator(".second")).to_contain_text("You read second")
    expect(second.locator("#f-impression")).to_have_value("")
    second.fill("#f-impression", "Small bleeding.")
    second.keyboard.press("Control+Enter")
    second.locator("#sign-now").click()
    expect(second.locator(".second")).to_contain_text("Small bleeding.", timeout=15_000)
    expect(second.locator(".second")).to_contain_text("No bleeding.")
    second.locator(".chip", has_text="A minor difference").click()
    second.fill("#compare-text", "Size")
    second.locator("#compare button").click()
    expect(second.locator(".second")).to_contain_text("A minor difference: Size")
    assert troubles(second) == []

    first.reload()
    expect(first.locator(".second").last).to_contain_text("A minor difference: Size")
    first.locator("#f-impression").focus()
    first.keyboard.press("Control+Enter")
    first.locator("#sign-now").click()
    link = first.locator("#next-case")
    expect(link).to_have_attribute("href", f"/cases/{routine}", timeout=15_000)
    first.keyboard.press("n")
    first.wait_for_url(f"**/cases/{routine}")
    assert said == []
