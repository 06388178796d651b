"""What is no picture, in the reading room: curves on paper, reports, documents."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import pypdf
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.flows import phantoms
from tests.flows.browsing import Person, signed_in
from tests.flows.conftest import Exchange, make_exchange
from tests.flows.paper_objects import write_papers
from tests.flows.waiting import until

RADIOLOGIST = "radiologist@nordlys.example"
STUDY = "1.2.826.0.1.3680043.10.1.1"

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def desk(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Person, Exchange, str]]:
    """Return a radiologist at a claimed case with images and papers, the page open."""
    folder = tmp_path_factory.mktemp("papers")
    phantoms.write_series(folder, STUDY)
    write_papers(folder, STUDY, image=f"{STUDY}.1.7")
    exchange = make_exchange(tmp_path_factory.mktemp("exchange") / "data")
    exchange.must("import", str(folder), "--site", "hammer")
    exchange.start(only="web")
    try:
        _, found = exchange.call(RADIOLOGIST, "GET", "/api/cases")
        case_id = found["cases"][0]["case_id"]
        exchange.call(RADIOLOGIST, "POST", f"/api/cases/{case_id}/claim", {})
        with signed_in(browser, exchange, RADIOLOGIST) as person:
            person.go(f"/cases/{case_id}")
            expect(person.page.locator("#strip-list button")).to_have_count(6)
            yield person, exchange, case_id
    finally:
        exchange.stop()


@pytest.fixture
def page(desk: tuple[Person, Exchange, str]) -> Page:
    return desk[0].page


def part_of(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text))


def open_series(page: Page, name: str) -> None:
    page.locator("#strip-list button", has_text=name).click()


def ink(page: Page) -> dict[str, Any]:
    """Return where the curve of the first row lies: its columns with ink, in millimetres."""
    found: dict[str, Any] = page.evaluate(
        """() => {
          const canvas = document.querySelector(".trace-canvas");
          const copy = new OffscreenCanvas(canvas.width, canvas.height);
          const context = copy.getContext("2d", { willReadFrequently: true });
          context.drawImage(canvas, 0, 0);
          const mm = canvas.width / 250;
          const top = Math.round(5 * mm), height = Math.round(30 * mm);
          const { data } = context.getImageData(0, top, Math.round(62 * mm), height);
          const width = Math.round(62 * mm);
          let highest = height, lowest = 0;
          const peaks = [];
          for (let x = Math.round(3 * mm); x < width; x++) {
            for (let y = 0; y < height; y++) {
              const at = 4 * (y * width + x);
              if (data[at] < 190 || data[at + 1] < 190 || data[at + 2] < 190) continue;
              if (y < height / 2 - 8 * mm) peaks.push(x / mm);
              highest = Math.min(highest, y);
              lowest = Math.max(lowest, y);
            }
          }
          return { above: (height / 2 - highest) / mm, peaks };
        }"""
    )
    return found


def distances(peaks: list[float]) -> list[float]:
    """Return how far apart the places are at which a curve is high."""
    starts = [b for a, b in zip([-9.0, *peaks], peaks, strict=False) if b - a > 3]
    return [b - a for a, b in zip(starts, starts[1:], strict=False)]


def test_an_ecg_lies_on_paper_as_its_speed_and_gain_say(page: Page) -> None:
    open_series(page, "12-lead ECG")
    expect(page.locator(".trace-scale")).to_contain_text(
        "25 mm/s, 10 mm/mV · not to scale on this screen · 500 Hz · filtered to 0.05–150 Hz"
    )
    drawn = until(lambda: found if (found := ink(page))["peaks"] else None, "the curves")
    assert drawn["above"] == pytest.approx(11, abs=0.8), "1.1 mV are 11 mm"
    assert distances(drawn["peaks"]) == pytest.approx([20, 20], abs=0.7), "0.8 s are 20 mm"
    page.keyboard.press("2")
    expect(page.locator(".trace-scale")).to_contain_text("50 mm/s")
    assert distances(ink(page)["peaks"]) == pytest.approx([40], abs=0.7)
    page.keyboard.press("1")
    page.keyboard.press("-")
    expect(page.locator(".trace-scale")).to_contain_text("25 mm/s, 5 mm/mV")
    page.keyboard.press("+")
    expect(page.locator(".trace-notes")).to_contain_text("Sinus rhythm, normal ECG")
    expect(page.locator(".trace-notes dl")).to_have_text("RR Interval800 ms")


def test_an_ecg_is_turned_and_measured_by_keys_and_by_mouse(page: Page) -> None:
    open_series(page, "12-lead ECG")
    canvas, told = page.locator(".trace-canvas"), page.locator(".trace-told")
    expect(canvas).to_have_attribute("aria-label", "ECG, 12 curves, 0 s to 10 s of 20 s, 25 mm/s, "
                                                   "10 mm/mV")  # fmt: skip
    page.keyboard.press("ArrowRight")
    expect(canvas).to_have_attribute("aria-label", part_of("10 s to 20 s of 20 s"))
    page.keyboard.press("Home")
    page.keyboard.press("m")
    expect(told).to_have_text("Interval 1000 ms, 60 a minute, 0.00 mV")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowUp")
    expect(told).to_have_text("Interval 980 ms, 61 a minute, 0.50 mV")
    page.keyboard.press("i")
    expect(page.locator("#f-findings")).to_have_value("Interval 980 ms, 61 a minute, 0.50 mV")
    page.keyboard.press("m")
    expect(told).to_have_text("")
    box = canvas.bounding_box()
    assert box is not None
    mm = box["width"] / 250
    page.mouse.move(box["x"] + 20 * mm, box["y"] + 30 * mm)
    page.mouse.down()
    page.mouse.move(box["x"] + 40 * mm, box["y"] + 20 * mm)
    page.mouse.up()
    expect(told).to_have_text("Interval 800 ms, 75 a minute, 1.00 mV")
    page.keyboard.press("m")


def test_a_printed_ecg_is_to_scale(page: Page) -> None:
    open_series(page, "12-lead ECG")
    expect(page.locator(".trace-canvas")).to_be_visible()
    printed = pypdf.PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))
    sizes = [float(n) for n in printed.pages[0].mediabox[2:]]
    assert sizes == pytest.approx([842, 595], abs=2), "A4, lying"
    text = printed.pages[0].extract_text()
    assert "Ola Fantom" in text
    assert "to scale" in text
    assert "not to scale" not in text
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".trace-canvas").evaluate("each => each.style.width") == "250mm"
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")


def test_a_report_reads_as_a_document_and_leads_to_its_image(page: Page) -> None:
    open_series(page, "Chest CT report")
    papers = page.locator("#papers")
    expect(papers.locator(".report-state")).to_have_text(
        "Complete · verified by Marit Lund, 5 Jan 2026, 11:30 · written 5 Jan 2026, 11:15"
    )
    expect(papers).to_contain_text("Two nodules. <b>No</b> effusion.")
    expect(papers).to_contain_text("1 image that is not in this case")
    expect(papers.locator("tbody tr").first).to_contain_text("N18.2 mm")
    papers.locator("tbody .report-jump").first.click()
    expect(page.locator("#view")).to_be_visible()
    expect(page.locator("#view")).to_have_attribute("aria-label", part_of("7 of 12"))


def test_a_dose_report_is_a_table_and_key_objects_are_pictures(page: Page) -> None:
    open_series(page, "Dose Report")
    rows = page.locator("#papers tbody tr")
    expect(rows).to_have_text(["Topogram0.1 mGy4 mGy.cm", "Thorax7.2 mGy508 mGy.cm"])
    open_series(page, "Of Interest")
    expect(page.locator("#papers .report-pictures img")).to_have_count(1)
    page.locator("#papers .report-pictures button").click()
    expect(page.locator("#view")).to_be_visible()


def test_a_pdf_opens_in_the_stage_and_is_turned_by_the_same_keys(
    desk: tuple[Person, Exchange, str],
) -> None:
    person, exchange, case_id = desk
    page = person.page
    open_series(page, "Discharge letter")
    frame = page.locator("#papers iframe")
    expect(frame).to_have_attribute("src", part_of("#page=1&view=FitH"))
    page.keyboard.press("ArrowDown")
    expect(frame).to_have_attribute("src", part_of("#page=2&view=FitH"))
    page.keyboard.press("+")
    expect(frame).to_have_attribute("src", part_of("#page=2&zoom=125"))
    assert person.axe_violations() == []
    assert person.complaints == []
    page.locator("#f-impression").fill("Nothing acute.")
    page.keyboard.press("Control+Enter")
    shown = page.locator("#sign-shown li")
    expect(shown).to_have_count(6)
    expect(shown.nth(1)).to_have_text("ECG 12-lead ECG: opened")
    expect(shown.nth(5)).to_have_text("DOC Discharge letter: opened")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#signed-title")).to_be_visible()
    _, case = exchange.call(RADIOLOGIST, "GET", f"/api/cases/{case_id}")
    displayed = case["reports"][0]["content"]["displayed"]["series"]
    told = {each["title"]: each for each in displayed}
    assert told["ECG 12-lead ECG"]["lossless"] == 1
    assert "25 mm/s, 10 mm/mV" in told["ECG 12-lead ECG"]["looks"]
    assert "C 40  W 400" in told["CT Phantom"]["looks"]
    assert told["CT Phantom"]["not_shown"], "what was not shown is said by number"
