"""Chromium as the people of the flows use it: at a desk or on a telephone, signed in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.flows.conftest import PASSWORD, Exchange

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESK, PHONE = (1440, 900), (390, 844)


@dataclass
class Person:
    """Somebody at a browser, signed in."""

    page: Page
    exchange: Exchange
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        self.page.goto(self.exchange.address + path)

    def axe_violations(self) -> list[str]:
        """Return what axe-core finds against WCAG 2 A and AA on the page as it is now."""
        found = Axe().run(
            self.page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
        )
        return [
            f"{each['id']}: {each['nodes'][0]['html'][:160]}"
            for each in found.response["violations"]
        ]


@contextmanager
def chromium(*more: str) -> Iterator[Browser]:
    """Start Debian's Chromium, with further switches when they are given."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=[*ARGUMENTS, *more]
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def signed_in(
    browser: Browser, exchange: Exchange, email: str, size: tuple[int, int] = DESK
) -> Iterator[Person]:
    """Sign a person in by the page's own form."""
    is_phone = size[0] < 600
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        has_touch=is_phone,
        is_mobile=is_phone,
        locale="en-GB",
    )
    person = Person(context.new_page(), exchange)
    page = person.page
    page.set_default_timeout(15_000)
    page.on(
        "console",
        lambda m: person.complaints.append(m.text) if m.type in {"error", "warning"} else None,
    )
    page.on("pageerror", lambda error: person.complaints.append(str(error)))
    try:
        person.go("/login")
        page.fill("[name=email]", email)
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")
        page.wait_for_url(lambda address: "/login" not in address)
        yield person
    finally:
        context.close()


def keep_picture(page: Page, name: str, folder: Path | None) -> None:
    """Save a screenshot for the documents when a folder is given."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(folder / name))
