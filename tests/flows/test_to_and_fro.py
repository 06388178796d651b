"""To and fro: what the specialist asks comes first for the GP; a refusal and an end are said."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lysbro import demo_client
from lysbro.settings import load
from tests.flows.browsing import DESK, PHONE, Person, chromium, signed_in
from tests.flows.conftest import Exchange

SAMPLES = Path(__file__).parents[2] / "lysbro" / "samples" / "photos"
GP, DERMATOLOGIST = "gp@fjordgata.example", "dermatologist@nordlys.example"
COORDINATOR, ADMIN = "coordinator@nordlys.example", "admin@nordlys.example"

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def case_id(exchange: Exchange) -> str:
    """Return a case of the GP with the sample photographs, sent."""
    made, _count = demo_client.refer(
        load(environment=exchange.environment), SAMPLES, token=exchange.token(GP)
    )
    return made


def in_norwegian(person: Person) -> Page:
    person.page.get_by_role("link", name="Norsk").click()
    return person.page


def open_case(page: Page, case_id: str) -> None:
    page.locator(f'[data-case="{case_id}"] a.case-link').click()


def test_a_question_goes_to_the_gp_and_comes_back_with_pictures(
    exchange: Exchange, case_id: str
) -> None:
    with chromium() as browser:
        with signed_in(browser, exchange, DERMATOLOGIST, DESK) as reader:
            page = in_norwegian(reader)
            open_case(page, case_id)
            page.locator("#claim").click()
            expect(page.locator("#sign")).to_be_visible(timeout=20_000)
            page.locator("#sign").click()
            expect(page.locator("#toast")).to_have_text("Skriv en konklusjon før du signerer.")
            page.locator("#view, #photos").first.focus()
            page.get_by_role("button", name="Spør tilbake").click()
            page.get_by_role("radio", name="Uskarpe eller utilstrekkelige bilder").check()
            assert reader.axe_violations() == []
            page.get_by_role("button", name="Spør", exact=True).click()
            page.wait_for_url(exchange.address + "/")
            assert reader.complaints == []
        with signed_in(browser, exchange, GP, PHONE) as gp:
            page = in_norwegian(gp)
            expect(page.locator("section h2").first).to_contain_text("Spørsmål til deg")
            open_case(page, case_id)
            page.get_by_label("Ditt svar").fill("Tatt på nytt i dagslys.")
            page.get_by_role("link", name="Legg til bilder først").click()
            place = page.locator('[data-slot="overview"]')
            place.locator("[data-choose]").set_input_files(SAMPLES / "closeup.png")
            keep = place.get_by_role("button", name="Behold likevel")
            kept = place.get_by_text("2 bilder beholdt")
            expect(keep.or_(kept)).to_be_visible(timeout=20_000)
            if keep.is_visible():
                keep.click()
            expect(kept).to_be_visible(timeout=20_000)
            page.get_by_role("link", name="Tilbake til saken").click()
            expect(page.get_by_label("Ditt svar")).to_have_value("Tatt på nytt i dagslys.")
            page.get_by_role("button", name="Send svaret").click()
            expect(page.locator("#conversation")).to_contain_text("Tatt på nytt i dagslys.")
            assert gp.axe_violations() == []
            assert gp.complaints == []


def test_a_declined_case_says_why(exchange: Exchange, case_id: str) -> None:
    with chromium() as browser:
        with signed_in(browser, exchange, COORDINATOR, DESK) as coordinator:
            page = coordinator.page
            open_case(page, case_id)
            expect(page.get_by_text("Tatt på nytt i dagslys.").first).to_be_visible()
            page.locator(".room-more summary").click()
            page.get_by_role("button", name="Decline").first.click()
            page.get_by_label("Reason").fill("Send the patient to the local hospital.")
            page.locator("#decline-form button[type=submit]").click()
            page.wait_for_url(exchange.address + "/")
        with signed_in(browser, exchange, GP, PHONE) as gp:
            open_case(gp.page, case_id)
            expect(gp.page.locator(".answer")).to_contain_text("to the local hospital.")
            gp.page.get_by_role("button", name="I have read this").click()
            expect(gp.page.get_by_role("button", name="I have read this")).to_be_hidden()


def test_an_ended_access_shows_the_sign_in_page_at_once(exchange: Exchange) -> None:
    with (
        chromium() as browser,
        signed_in(browser, exchange, ADMIN, DESK) as admin,
        signed_in(browser, exchange, "second@nordlys.example", DESK) as reader,
    ):
        admin.go("/admin/people")
        row = admin.page.locator("tr", has_text="second@nordlys.example")
        row.get_by_role("button", name="End access").click()
        reader.page.wait_for_url("**/login?next=*", timeout=15_000)
        expect(reader.page.get_by_role("heading", name="Sign in")).to_be_visible()
        admin.page.set_viewport_size({"width": 390, "height": 844})
        assert admin.page.evaluate("document.documentElement.scrollWidth") == 390
        assert admin.axe_violations() == []
