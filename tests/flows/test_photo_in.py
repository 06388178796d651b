"""Photo in: a GP refers a mole on a telephone; each photograph becomes a DICOM object."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from pydicom import dcmread

from lysbro.settings import load
from lysbro.wiring import open_parts
from tests.flows.browsing import PHONE, keep_picture, signed_in
from tests.flows.conftest import Exchange

SAMPLES = Path(__file__).parents[2] / "lysbro" / "samples" / "photos"
PICTURES = Path(os.environ["LYSBRO_SCREENSHOTS"]) if "LYSBRO_SCREENSHOTS" in os.environ else None
GP = "gp@fjordgata.example"
DERMATOLOGIST = "dermatologist@nordlys.example"

pytestmark = [pytest.mark.browser, pytest.mark.peers, pytest.mark.slow]


@pytest.fixture(scope="module")
def located(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a photograph that lies on its side and knows where it was taken."""
    path = tmp_path_factory.mktemp("phone") / "IMG_0042_Kari.jpg"
    picture = Image.open(SAMPLES / "dermoscopic.jpg").convert("RGB").resize((1600, 1200))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F], exif[0x0110] = "Nordic", "Phone 1"
    exif.get_ifd(0x8825).update({1: "N", 2: (69.0, 39.0, 0.0), 3: "E", 4: (18.0, 57.0, 0.0)})
    picture.save(path, quality=92, exif=exif)
    return path


def refer(page: Page, photograph: Path) -> str:
    """Fill in the five steps as a GP does; return the case number."""
    page.get_by_label("National identity number").fill("fjord-77")
    page.get_by_label("Family name").fill("Øverås <b>")
    page.get_by_label("Given name").fill("Nils")
    page.get_by_label("Date of birth").fill("1961-03-09")
    page.get_by_role("radio", name="Male", exact=True).check()
    page.get_by_role("button", name="Next: where").click()
    page.get_by_role("radio", name="Mole or tumour").check()
    page.get_by_label("Site on the body").select_option(label="Forearm, back")
    page.get_by_role("radio", name="Left", exact=True).check()
    page.get_by_role("button", name="Next: pictures").click()
    for slot, path in (("overview", photograph), ("closeup", SAMPLES / "closeup.png"),
                       ("dermoscopic", SAMPLES / "dermoscopic.jpg")):  # fmt: skip
        place = page.locator(f'[data-slot="{slot}"]')
        place.locator("[data-choose]").set_input_files(path)
        expect(place.locator(".advice li").first).to_be_visible(timeout=20_000)
        keep = place.get_by_role("button", name="Keep anyway")
        state = place.locator(".slot-state")
        expect(keep.or_(state.get_by_text("Kept"))).to_be_visible(timeout=20_000)
        if keep.is_visible():
            keep.click()
        expect(state).to_have_text("Kept", timeout=20_000)
    page.evaluate("scrollTo(0, 0)")
    keep_picture(page, "capture-phone.png", PICTURES)
    page.get_by_role("button", name="Next: question").click()
    page.get_by_label("Your question").fill("Is this a melanoma? Grown since spring.")
    page.get_by_role("checkbox", name="Grown").check()
    page.get_by_role("button", name="Next: send").click()
    page.get_by_role("checkbox", name="Assessment by a specialist").check()
    page.get_by_role("button", name="Send to the specialist").click()
    number = page.locator("#sent-number")
    expect(number).to_be_visible(timeout=20_000)
    return number.inner_text()


def test_a_gp_refers_a_mole_on_a_telephone(
    browser: Browser, web: Exchange, located: Path, tmp_path: Path
) -> None:
    with signed_in(browser, web, GP, PHONE) as gp:
        gp.go("/capture")
        assert gp.axe_violations() == []
        case_id = refer(gp.page, located)
        assert gp.axe_violations() == []
        gp.page.get_by_role("button", name="Another lesion, same patient").click()
        gp.page.wait_for_url(f"**/capture?after={case_id}")
        gp.page.reload()  # what is taken over outlives it
        expect(gp.page.get_by_role("heading", name="Where is it?")).to_be_visible()
        gp.page.get_by_role("button", name="Who").click()
        expect(gp.page.get_by_label("Family name")).to_have_value("Øverås <b>")
        gp.go(f"/cases/{case_id}")
        gp.page.get_by_text("What you told").click()
        expect(gp.page.locator("dl.facts").first).to_contain_text("Forearm, back, left")
        assert gp.complaints == []
    status, case = web.call(DERMATOLOGIST, "GET", f"/api/cases/{case_id}")
    assert (status, case["state"], case["specialty"]) == (200, "submitted", "dermatology")
    check_objects(web, case_id, tmp_path)


def check_objects(web: Exchange, case_id: str, folder: Path) -> None:
    """Hold every object of the case against the standard: upright, without a place, no Error."""
    status, listed = web.call(GP, "GET", f"/api/cases/{case_id}/photos")
    assert status == 200
    assert len(listed["photos"]) == 3
    classes = set()
    with open_parts(load(environment=web.environment)) as parts:
        gp = parts.people.user_by_email(GP)
        assert gp is not None
        from casework.access import scope_of  # noqa: PLC0415

        for photo in listed["photos"]:
            row = parts.index.instance(scope_of(gp.actor), photo["sop_instance_uid"])
            path = folder / f"{row.number}-{row.pk}.dcm"
            path.write_bytes(parts.archive.read_part10(row))
            done = subprocess.run(
                ["dciodvfy", str(path)], capture_output=True, text=True, check=False
            )
            errors = [line for line in done.stderr.splitlines() if line.startswith("Error")]
            assert errors == []
            raw = path.read_bytes()
            assert b"IMG_0042" not in raw
            ds = dcmread(path)
            assert not [e for e in ds if e.tag.group == 0x0016 and 0x70 <= e.tag.elem <= 0x8F]
            assert str(ds.PatientName) == "Øverås <b>^Nils"
            classes.add(ds.SOPClassUID.name)
            if "OVERVIEW" in ds.ImageType:
                assert (ds.Rows, ds.Columns) == (1600, 1200)  # stood up
                assert b"Exif\x00\x00" not in raw
    assert classes == {"VL Photographic Image Storage", "Dermoscopic Photography Image Storage"}


def begin(page: Page, number: str) -> None:
    """Fill in who it is about and where it is; end at the pictures."""
    page.get_by_label("National identity number").fill(number)
    page.get_by_label("Family name").fill("Bø")
    page.get_by_label("Family name").press("Enter")
    page.get_by_label("Site on the body").select_option(label="Forehead")
    page.get_by_role("button", name="Next: pictures").click()
    expect(page.get_by_role("heading", name="Take the pictures")).to_be_visible()


def test_what_is_no_photograph_is_refused_in_words(
    browser: Browser, web: Exchange, tmp_path: Path
) -> None:
    note = tmp_path / "note.jpg"
    note.write_text("this is not a picture")
    with signed_in(browser, web, GP, PHONE) as gp:
        gp.go("/capture")
        begin(gp.page, "fjord-79")
        place = gp.page.locator('[data-slot="overview"]')
        place.locator("[data-choose]").set_input_files(note)
        expect(place.locator('.advice li[data-verdict="poor"]')).to_be_visible(timeout=20_000)
        expect(place.locator(".slot-state")).to_have_text("Not a picture that can be used")


def test_the_browsers_back_leads_to_the_step_before_and_a_closed_tab_to_the_draft(
    browser: Browser, web: Exchange
) -> None:
    with signed_in(browser, web, GP, PHONE) as gp:
        gp.go("/capture")
        begin(gp.page, "fjord-80")
        gp.page.wait_for_url("**/capture/*")
        gp.page.go_back()
        expect(gp.page.get_by_label("Site on the body")).to_be_visible()
        gp.page.go_back()
        expect(gp.page.get_by_label("Family name")).to_have_value("Bø")
        gp.page.go_forward()
        expect(gp.page.get_by_label("Site on the body")).to_be_visible()
        expect(gp.page.locator("#saved")).to_contain_text("Saved")
        address = gp.page.url
        gp.page.goto("about:blank")
        gp.page.goto(address)
        expect(gp.page.get_by_role("heading", name="Take the pictures")).to_be_visible()
        gp.page.get_by_role("button", name="Who").click()
        expect(gp.page.get_by_label("Family name")).to_have_value("Bø")
        assert gp.complaints == []


def test_a_rash_needs_no_dermoscopic_picture_and_the_device_is_remembered(
    browser: Browser, web: Exchange
) -> None:
    for name, kind in (("Old telephone", "camera"), ("New telephone", "camera")):
        body = {"name": name, "kind": kind}
        assert web.call(GP, "POST", "/api/devices", body)[0] == 201
    with signed_in(browser, web, GP, PHONE) as gp:
        gp.go("/capture")
        begin(gp.page, "fjord-81")
        overview = gp.page.locator('[data-slot="overview"]')
        overview.get_by_role("radio", name="New telephone").check()
        dermoscopic = gp.page.locator('[data-slot="dermoscopic"]')
        expect(dermoscopic).to_be_visible()
        assert gp.axe_violations() == []
        choose = '[name="clinical.category"][value="rash"]'
        gp.page.locator(choose).evaluate("box => { box.checked = true; }")
        gp.page.locator(choose).dispatch_event("change")
        expect(dermoscopic).to_be_hidden()
        expect(overview.locator("[data-how]")).to_contain_text("the whole rash is seen")
        asked = gp.page.locator('[data-question="new_drug"]')
        assert asked.evaluate("block => block.hidden") is False
        assert gp.page.locator('[data-question="exudate"]').evaluate("block => block.hidden")
        gp.go("/capture")
        remembered = gp.page.locator('[name="device-overview"]:checked + span')
        assert remembered.text_content() == "New telephone"
        assert gp.complaints == []
