"""A day at the desk: two readers go from the worklist to the last signed answer, by keyboard alone.

`LYSBRO_TEST_DAY_CASES` says how many cases each of them reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.flows import phantoms
from tests.flows.browsing import Person, signed_in
from tests.flows.conftest import Exchange, make_exchange

CASES = int(os.environ.get("LYSBRO_TEST_DAY_CASES", "2"))
MOST_TABS = 200
ROOT = "1.2.826.0.1.3680043.10.7"

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TOUCHED = """
  window.touched = [];
  for (const kind of ["pointerdown", "mousedown", "touchstart"]) {
    addEventListener(kind, (event) => {
      const isImage = event.target.closest?.(".view, .photos") != null;
      if (event.isTrusted && !isImage) window.touched.push(kind);
    }, { capture: true });
  }
"""


@dataclass(frozen=True)
class Reader:
    """Somebody who reads, and what they read."""

    email: str
    shown: str  # what is on the screen once the images are


READERS = (
    Reader("radiologist@nordlys.example", "#preview-mark[hidden]"),
    Reader("dermatologist@nordlys.example", ".photo"),
)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Return an exchange with as many cases of each specialty as are read."""
    folder = tmp_path_factory.mktemp("day")
    profile = phantoms.display_p3()
    for n in range(1, CASES + 1):
        phantoms.write_series(folder, f"{ROOT}.1.{n}")
        phantoms.write_photograph(folder, f"{ROOT}.2.{n}", profile)
    exchange = make_exchange(tmp_path_factory.mktemp("exchange") / "data")
    exchange.must("import", str(folder), "--site", "hammer")
    exchange.start(only="web")
    try:
        yield exchange
    finally:
        exchange.stop()


def focus_on(page: Page, name: str) -> None:
    """Go to a field with Tab, as somebody does who knows no shortcut."""
    for _ in range(MOST_TABS):
        if page.evaluate("document.activeElement?.id") == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to #{name}")


def read_one(person: Person, reader: Reader, number: int) -> str:
    """Claim the case that is open, look at it, write and sign; return its number."""
    page = person.page
    case_id = page.url.rpartition("/")[2]
    expect(page.locator("#claim")).to_be_visible()
    page.keyboard.press("c")
    expect(page.locator("#f-findings")).to_be_enabled()
    page.wait_for_selector(reader.shown, state="attached")
    for key in ("End", "Home", "ArrowDown", ".", ","):
        page.keyboard.press(key)
    focus_on(page, "f-findings")
    page.keyboard.type(f"Looked at case {number}. c n q k 1 2 3", delay=0)
    focus_on(page, "f-impression")
    page.keyboard.type(f"Nothing acute in case {number}.", delay=0)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#sign-dialog")).to_be_visible()
    expect(page.locator("#sign-sheet")).to_contain_text(f"Nothing acute in case {number}.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#signed-title")).to_be_visible()
    return case_id


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.email.partition("@")[0])
def test_a_reader_comes_from_the_worklist_to_the_last_answer_by_keys_alone(
    browser: Browser, full: Exchange, reader: Reader
) -> None:
    signed: list[str] = []
    with signed_in(browser, full, reader.email) as person:
        page = person.page
        page.add_init_script(TOUCHED)
        touched = 0
        person.go("/")
        expect(page.locator("li.case")).to_have_count(CASES)
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        for number in range(1, CASES + 1):
            page.wait_for_url("**/cases/*")
            signed.append(read_one(person, reader, number))
            touched += len(page.evaluate("window.touched"))
            if number < CASES:
                expect(page.locator("#next-case")).to_be_visible()
                before = page.url
                page.keyboard.press("n")
                page.wait_for_url(lambda address, before=before: address != before)
        assert touched == 0, "nothing but keys was used"
        assert person.complaints == []
    assert len(set(signed)) == CASES
    for number, case_id in enumerate(signed, 1):
        status, case = full.call(reader.email, "GET", f"/api/cases/{case_id}")
        assert (status, case["state"]) == (200, "signed")
        content = case["reports"][0]["content"]
        assert content["impression"] == f"Nothing acute in case {number}."
        assert content["findings"] == f"Looked at case {number}. c n q k 1 2 3"
        seen = [each for each in content["displayed"]["series"] if each["lossless"]]
        assert seen, "what was shown is kept with the signature"
