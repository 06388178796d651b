"""The findings form by keys alone: template, diagnosis, phrase, dictation, and a conflict."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.flows import phantoms
from tests.flows.browsing import Person, signed_in
from tests.flows.conftest import Exchange, make_exchange
from tests.flows.test_reading_room import RADIOLOGIST, case_of

STUDIES = tuple(f"1.2.826.0.1.3680043.10.2.{n}" for n in range(1, 3))
SAVED = re.compile(r"^Saved \d\d:\d\d$")
EARS = """
  window.SpeechRecognition = undefined;
  window.webkitSpeechRecognition = class {
    start() {
      const heard = [{ isFinal: true, length: 1, 0: { transcript: "ingen blødning" } }];
      setTimeout(() => this.onresult({ resultIndex: 0, results: heard }), 0);
    }
    stop() { this.onend(); }
  };
"""

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Return an exchange with two cases that lets its readers dictate."""
    folder = tmp_path_factory.mktemp("phantoms")
    for study in STUDIES:
        phantoms.write_series(folder, study)
    exchange = make_exchange(tmp_path_factory.mktemp("form") / "data")
    exchange.environment["LYSBRO_DICTATION"] = "true"
    exchange.must("import", str(folder), "--site", "hammer")
    exchange.start(only="web")
    try:
        yield exchange
    finally:
        exchange.stop()


def opened(person: Person, exchange: Exchange, study: str) -> str:
    """Claim the case of a study, open it, and go to its images."""
    case_id = case_of(exchange, study)
    exchange.call(RADIOLOGIST, "POST", f"/api/cases/{case_id}/claim", {})
    person.go(f"/cases/{case_id}")
    expect(person.page.locator("#f-findings")).to_be_enabled()
    person.page.locator("#view").focus()
    return case_id


def type_at(page: Page, key: str, selector: str, words: str) -> None:
    """Go from the images to a field by its key, write there, and come back."""
    page.keyboard.press(key)
    expect(page.locator(selector)).to_be_focused()
    page.keyboard.type(words)
    page.keyboard.press("Escape")
    expect(page.locator("#view")).to_be_focused()


def test_findings_are_written_and_signed_by_keys_alone(browser: Browser, room: Exchange) -> None:
    with signed_in(browser, room, RADIOLOGIST) as person:
        page = person.page
        page.add_init_script(EARS)
        case_id = opened(person, room, STUDIES[0])
        page.keyboard.press("T")
        expect(page.locator("#f-template")).to_be_focused()
        page.keyboard.type("CT head")
        expect(page.locator("#t-bleeding")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("G")
        expect(page.locator("#described")).to_contain_text("No bleeding inside the skull.")
        page.locator("#t-infarct").focus()
        page.keyboard.type("old")
        expect(page.locator("#described")).to_contain_text("Old infarction.")
        page.keyboard.press("Escape")

        page.keyboard.press("F")
        page.keyboard.press("F2")
        expect(page.locator("#f-findings")).to_have_value("Ingen blødning")
        page.keyboard.press("F2")
        page.keyboard.press("Escape")

        type_at(page, "I", "#f-impression", "Old infarction.")
        page.locator("#f-impression").focus()
        page.keyboard.press("Control+a")
        expect(page.locator("#phrases")).to_have_text("Keep the selection as a phrase")
        page.keyboard.press("Alt+p")
        expect(page.locator("#toast")).to_contain_text("/old")
        page.locator("#f-advice").focus()
        page.keyboard.type("/old")
        expect(page.locator("#phrase-hint")).to_have_text("Tab: Old infarction.")
        page.keyboard.press("Tab")
        expect(page.locator("#f-advice")).to_have_value("Old infarction.")
        expect(page.locator("#f-advice")).to_be_focused()

        expect(page.locator("#notices")).to_contain_text("No diagnosis")
        page.get_by_role("combobox", name="Main diagnosis").focus()
        page.keyboard.type("hjerneinf")
        expect(page.locator(".found li").first).to_contain_text("Cerebral infarction")
        page.keyboard.press("Enter")
        expect(page.locator(".diagnosis-codes").first).to_contain_text("ICD-10 I63.9")
        expect(page.locator("#notices")).to_be_hidden()
        page.get_by_role("button", name="Put in: Contact the stroke unit").press("Enter")
        expect(page.locator("#f-advice")).to_have_value(re.compile("stroke unit on duty now"))
        expect(page.locator("#saved")).to_have_text(SAVED)
        assert person.axe_violations() == []

        page.keyboard.press("Escape")
        page.keyboard.press("Control+Enter")
        sheet = page.locator("#sign-sheet")
        for said in ("Old infarction. No mass.", "ICPC-2 K90", "Ingen blødning", "stroke unit"):
            expect(sheet).to_contain_text(said)
        page.keyboard.press("Control+Enter")
        expect(page.locator(".signed")).to_contain_text("No bleeding inside the skull.")
        assert person.complaints == []
    _, case = room.call(RADIOLOGIST, "GET", f"/api/cases/{case_id}")
    content = case["reports"][0]["content"]
    assert content["fields"]["infarct"] == "old"
    assert {each["system"] for each in content["diagnoses"][0]["codes"]} == {
        "sct", "icd-10", "icpc-2",
    }  # fmt: skip


def test_a_conflict_shows_the_others_answers_and_loses_none(
    browser: Browser, room: Exchange
) -> None:
    with signed_in(browser, room, RADIOLOGIST) as person:
        page = person.page
        case_id = opened(person, room, STUDIES[1])
        address = f"/api/cases/{case_id}/findings"
        page.select_option("#f-template", "ct-chest")
        page.select_option("#t-effusion", "left")
        expect(page.locator("#described")).to_have_text("Pleura: Pleural effusion on the left.")

        theirs = {"template": "wound", "language": "en", "fields": {"bed": "black"},
                  "impression": "Theirs.", "malignancy": "low"}  # fmt: skip
        assert room.call(RADIOLOGIST, "PUT", address, theirs)[0] == 200
        page.select_option("#t-effusion", "both")
        expect(page.locator("#conflict")).to_contain_text("Necrotic wound bed.")
        page.get_by_role("button", name="Keep what is written here").click()
        expect(page.locator("#saved")).to_have_text(SAVED)
        _, case = room.call(RADIOLOGIST, "GET", f"/api/cases/{case_id}")
        assert case["draft"]["fields"] == {"effusion": "both"}

        assert room.call(RADIOLOGIST, "PUT", address, theirs)[0] == 200
        page.select_option("#t-effusion", "right")
        page.get_by_role("button", name="Take the other one").click()
        expect(page.locator("#f-template")).to_have_value("wound")
        expect(page.locator("#t-bed")).to_have_value("black")
        expect(page.locator("#f-impression")).to_have_value("Theirs.")
        expect(page.locator("input[name=malignancy][value=low]")).to_be_checked()

        page.route("**/findings", lambda route: route.abort())
        page.fill("#t-length_mm", "12")
        expect(page.locator("#saved")).to_contain_text("kept on this computer")
        page.unroute("**/findings")
        page.reload()
        expect(page.locator("#t-length_mm")).to_have_value("12")
        expect(page.locator("#described")).to_contain_text("Length 12 mm.")
