"""Findings back: specialists read, measure and sign; the ward and the GP read and acknowledge."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pydicom import dcmread

from lysbro import demo_client
from lysbro.settings import load
from tests.flows.browsing import DESK, PHONE, chromium, keep_picture, signed_in
from tests.flows.conftest import Exchange
from tests.flows.waiting import until

SAMPLES = Path(__file__).parents[2] / "lysbro" / "samples"
PICTURES = Path(os.environ["LYSBRO_SCREENSHOTS"]) if "LYSBRO_SCREENSHOTS" in os.environ else None
RADIOLOGIST, SECOND = "radiologist@nordlys.example", "second@nordlys.example"
DERMATOLOGIST, COORDINATOR = "dermatologist@nordlys.example", "coordinator@nordlys.example"
WARD, GP, OTHER_WARD = "ward@hammer.example", "gp@fjordgata.example", "ward@utsira.example"

pytestmark = [pytest.mark.browser, pytest.mark.peers, pytest.mark.slow]


@pytest.fixture(scope="module")
def radiology_case(exchange: Exchange) -> str:
    """Return the case that a CT from the small hospital has become."""
    demo_client.send_series(
        load(environment=exchange.environment),
        SAMPLES / "ct",
        calling="HAMMER_CT",
        story=demo_client.CT_STORY,
    )
    cases = until(lambda: listed(exchange, RADIOLOGIST), "the CT in the worklist")
    assert [case["site"] for case in cases] == ["hammer"]
    return str(cases[0]["case_id"])


@pytest.fixture(scope="module")
def skin_case(exchange: Exchange) -> str:
    """Return the case of the sample photographs."""
    case_id, count = demo_client.refer(
        load(environment=exchange.environment), SAMPLES / "photos", token=exchange.token(GP)
    )
    assert count == 3
    return case_id


def listed(exchange: Exchange, email: str) -> list[dict[str, Any]]:
    status, answer = exchange.call(email, "GET", "/api/cases")
    assert status == 200
    return list(answer["cases"])


def image_number(page: Page) -> int:
    said = page.locator("#corner-br").inner_text()
    found = re.search(r"Image (\d+) of 21", said)
    assert found, said
    return int(found[1])


def wait_for_lossless(page: Page) -> None:
    page.wait_for_selector(
        "html[data-viewer] #preview-mark[hidden]", state="attached", timeout=30_000
    )
    expect(page.locator("#corner-br")).to_contain_text("of 21", timeout=30_000)


def window_text(page: Page) -> str:
    return page.locator("#corner-bl").inner_text()


def test_the_radiologist_reads_measures_and_signs(exchange: Exchange, radiology_case: str) -> None:
    with chromium() as browser, signed_in(browser, exchange, RADIOLOGIST) as reader:
        page = reader.page
        expect(page.get_by_role("link", name="CT head")).to_be_visible()
        keep_picture(page, "worklist.png", PICTURES)
        assert reader.axe_violations() == []
        page.get_by_role("link", name="CT head").click()
        page.wait_for_url(f"**/cases/{radiology_case}")
        page.locator("#claim").click()
        expect(page.locator("#sign")).to_be_visible(timeout=20_000)
        wait_for_lossless(page)
        page.keyboard.press("Control+Enter")
        expect(page.locator("#toast")).to_have_text("Write an impression before you sign.")
        expect(page.get_by_label("Impression")).to_be_focused()
        scroll_window_and_zoom(page)
        measure_and_write(page, exchange, radiology_case)
        assert reader.axe_violations() == []
        keep_picture(page, "reading-room.png", PICTURES)
        refuse_a_second_claim(exchange, radiology_case)
        page.keyboard.press("Control+Enter")
        expect(page.locator("#sign-sheet")).to_contain_text("No bleeding.")
        page.locator("#sign-now").click()
        expect(page.get_by_role("heading", name="Signed answer")).to_be_visible(timeout=20_000)
        assert reader.complaints == []
    status, case = exchange.call(RADIOLOGIST, "GET", f"/api/cases/{radiology_case}")
    assert (status, case["reports"][0]["version"]) == (200, 1)
    assert case["state"] in {"signed", "delivered"}


def scroll_window_and_zoom(page: Page) -> None:
    view = page.locator("#view")
    view.focus()
    page.keyboard.press("Home")
    until(lambda: image_number(page) == 1, "the first image by the keyboard")
    page.keyboard.press("ArrowDown")
    until(lambda: image_number(page) == 2, "the second image by the keyboard")
    box = view.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.wheel(0, 120)
    until(lambda: image_number(page) == 3, "the third image by the wheel")
    page.keyboard.press("End")
    until(lambda: image_number(page) == 21, "the last image")
    page.keyboard.press("1")
    preset = until(lambda: window_text(page), "the window's text")
    page.keyboard.press("w")
    page.mouse.down()
    page.mouse.move(x + 60, y + 40, steps=5)
    page.mouse.up()
    until(lambda: window_text(page) != preset, "the window to change by dragging")
    before = window_text(page)
    page.keyboard.press("+")
    until(lambda: window_text(page) != before, "the zoom to change")
    page.keyboard.press("f")
    page.keyboard.press("1")
    page.keyboard.press("PageUp")
    until(lambda: image_number(page) == 11, "the image in the middle")


def measure_and_write(page: Page, exchange: Exchange, case_id: str) -> None:
    box = page.locator("#view").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.keyboard.press("m")
    page.mouse.move(x - 80, y)
    page.mouse.down()
    page.mouse.move(x + 80, y, steps=8)
    page.mouse.up()
    expect(page.locator("#measured")).to_contain_text("mm")
    page.get_by_role("textbox", name="Findings").fill(
        "Old infarct in the left occipital lobe. No blood, no midline shift."
    )
    page.get_by_label("Impression").fill("No bleeding. Old infarct on the left.")
    expect(page.locator("#saved")).to_contain_text("Saved", ignore_case=True, timeout=15_000)
    check_length(page, exchange, case_id)


def check_length(page: Page, exchange: Exchange, case_id: str) -> None:
    """Hold the kept length against the pixel spacing that the file itself states."""
    measured = until(lambda: kept_measurements(exchange, case_id), "the kept measurement")
    (x1, y1), (x2, y2) = measured[0]["points"]
    spacing = dcmread(SAMPLES / "ct" / "01.dcm").PixelSpacing
    wanted = (((x2 - x1) * spacing[1]) ** 2 + ((y2 - y1) * spacing[0]) ** 2) ** 0.5
    assert measured[0]["unit"] == "mm"
    assert measured[0]["value"] == pytest.approx(wanted, abs=0.1)


def kept_measurements(exchange: Exchange, case_id: str) -> list[dict[str, Any]]:
    _, case = exchange.call(RADIOLOGIST, "GET", f"/api/cases/{case_id}")
    return list((case.get("draft") or {}).get("measurements") or [])


def refuse_a_second_claim(exchange: Exchange, case_id: str) -> None:
    status, problem = exchange.call(SECOND, "POST", f"/api/cases/{case_id}/claim", {})
    assert status == 409
    assert "Dr. Kari Nordmann" in problem["detail"]
    assert problem["state"] in {"claimed", "reported"}


def test_a_finger_scrolls_the_series(exchange: Exchange, radiology_case: str) -> None:
    with chromium() as browser, signed_in(browser, exchange, COORDINATOR, PHONE) as reader:
        reader.go(f"/cases/{radiology_case}")
        page = reader.page
        wait_for_lossless(page)
        before = image_number(page)
        box = page.locator("#view").bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        touch = page.context.new_cdp_session(page)
        for kind, at in (("touchStart", y), *(("touchMove", y - 12 * n) for n in range(1, 9))):
            touch.send(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": at}]}
            )
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        until(lambda: image_number(page) != before, "another image by a finger")
        assert reader.axe_violations() == []


def test_the_ward_finds_the_reply_reads_and_acknowledges(
    exchange: Exchange, radiology_case: str
) -> None:
    until(lambda: state(exchange, WARD, radiology_case) == "delivered", "the delivery")
    status, _ = exchange.call(OTHER_WARD, "GET", f"/api/cases/{radiology_case}")
    assert status == 404
    with chromium() as browser, signed_in(browser, exchange, WARD) as ward:
        read_and_acknowledge(ward.page, radiology_case, "No bleeding. Old infarct on the left.")
        assert ward.axe_violations() == []
        assert ward.complaints == []
    assert state(exchange, WARD, radiology_case) == "closed"


def read_and_acknowledge(page: Page, case_id: str, impression: str) -> None:
    page.locator(f'[data-case="{case_id}"] a.case-link').click()
    expect(page.locator(".answer")).to_contain_text(impression)
    keep_picture(page, f"reply-{page_kind(page)}.png", PICTURES)
    page.get_by_role("button", name="I have read this").click()
    expect(page.get_by_role("button", name="I have read this")).to_be_hidden()


def page_kind(page: Page) -> str:
    size = page.viewport_size
    return "phone" if size and size["width"] < 600 else "desk"


def state(exchange: Exchange, email: str, case_id: str) -> str:
    status, case = exchange.call(email, "GET", f"/api/cases/{case_id}")
    assert status == 200
    return str(case["state"])


def test_the_reply_lies_in_the_study_as_a_pdf(
    exchange: Exchange, radiology_case: str, tmp_path: Path
) -> None:
    documents = until(lambda: pdfs_of(exchange, radiology_case), "the Encapsulated PDF")
    _, found = exchange.call(RADIOLOGIST, "GET", "/dicom-web/studies")
    study = found[0]["0020000D"]["Value"][0]
    series = documents[0]["0020000E"]["Value"][0]
    uid = documents[0]["00080018"]["Value"][0]
    path = tmp_path / "reply.dcm"
    path.write_bytes(fetch(exchange, f"/dicom-web/studies/{study}/series/{series}/instances/{uid}"))
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if line.startswith("Error")] == []
    assert bytes(dcmread(path).EncapsulatedDocument).startswith(b"%PDF-")


def pdfs_of(exchange: Exchange, case_id: str) -> list[dict[str, Any]]:
    _, found = exchange.call(RADIOLOGIST, "GET", "/dicom-web/instances?Modality=DOC")
    return list(found or [])


def fetch(exchange: Exchange, path: str) -> bytes:
    import urllib.request  # noqa: PLC0415

    request = urllib.request.Request(
        exchange.address + path,
        headers={
            "Authorization": f"Bearer {exchange.token(RADIOLOGIST)}",
            "Accept": "application/dicom",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bytes(answer.read())


def test_a_signed_report_is_added_to_and_never_changed(
    exchange: Exchange, radiology_case: str
) -> None:
    path = f"/api/cases/{radiology_case}"
    status, _ = exchange.call(RADIOLOGIST, "PUT", f"{path}/findings", {"impression": "Changed"})
    assert status == 409
    status, _ = exchange.call(RADIOLOGIST, "POST", f"{path}/addend", {"impression": "MR advised."})
    assert status in {200, 201}
    _, case = exchange.call(WARD, "GET", path)
    assert [r["version"] for r in case["reports"]] == [1, 2]
    assert case["reports"][0]["content"]["impression"] == "No bleeding. Old infarct on the left."
    assert case["state"] in {"signed", "delivered"}
    _, bundle = exchange.call(RADIOLOGIST, "GET", "/fhir/DiagnosticReport")
    conclusions = [entry["resource"]["conclusion"] for entry in bundle["entry"]]
    assert any("No bleeding." in text for text in conclusions)


def test_a_correction_points_to_an_image_and_leads_its_referrer_there(
    exchange: Exchange, radiology_case: str
) -> None:
    with chromium() as browser:
        with signed_in(browser, exchange, RADIOLOGIST) as reader:
            page = reader.page
            reader.go(f"/cases/{radiology_case}")
            page.get_by_role("link", name="Correct the answer").click()
            wait_for_lossless(page)
            page.locator("#view").focus()
            page.keyboard.press("Home")
            until(lambda: image_number(page) == 1, "the first image")
            page.keyboard.press("Shift+A")
            expect(page.locator("#f-findings")).to_have_value(re.compile(r"shift\. \[1\]$"))
            page.keyboard.press("End")
            until(lambda: image_number(page) == 21, "the last image")
            page.locator("#anchors").get_by_role("button", name="[1] CT HEAD, image 1").click()
            until(lambda: image_number(page) == 1, "the image that the sentence points to")
            page.get_by_role("textbox", name="What was wrong").fill("The image was not named.")
            assert reader.axe_violations() == []
            page.keyboard.press("Control+Enter")
            page.locator("#sign-now").click()
            expect(page.get_by_role("heading", name="Signed answer")).to_be_visible(timeout=20_000)
            page.locator("a.anchor").first.click()
            until(lambda: image_number(page) == 1, "the image of the signed sentence")
            assert reader.complaints == []
        with signed_in(browser, exchange, WARD, PHONE) as ward:
            ward.go(f"/cases/{radiology_case}")
            expect(ward.page.locator(".answer")).to_contain_text("The image was not named.")
            ward.page.locator("a.anchor").first.click()
            assert ward.page.url.endswith("#picture-3-1")
            picture = ward.page.locator(".reply-pictures img").first
            until(lambda: picture.evaluate("i => i.naturalWidth") == 720, "the picture")
            keep_picture(ward.page, "reply-pictures-phone.png", PICTURES)
            assert ward.axe_violations() == []
            assert ward.complaints == []


def test_the_dermatologist_answers_the_gp(exchange: Exchange, skin_case: str) -> None:
    with chromium() as browser:
        with signed_in(browser, exchange, DERMATOLOGIST, DESK) as reader:
            page = reader.page
            reader.go(f"/cases/{skin_case}")
            page.locator("#claim").click()
            expect(page.locator("#sign")).to_be_visible(timeout=20_000)
            expect(page.locator("#photos")).to_be_visible(timeout=20_000)
            page.get_by_label("Impression").fill("Benign naevus.")
            page.get_by_label("Advice").fill("No treatment. Photograph again in six months.")
            page.get_by_role("textbox", name="Come back if").fill("it grows or bleeds")
            expect(page.locator("#saved")).to_contain_text("Saved", ignore_case=True)
            keep_picture(page, "reading-room-skin.png", PICTURES)
            assert reader.axe_violations() == []
            page.locator("#sign").click()
            page.locator("#sign-now").click()
            expect(page.get_by_role("heading", name="Signed answer")).to_be_visible(timeout=20_000)
            assert reader.complaints == []
        with signed_in(browser, exchange, GP, PHONE) as gp:
            read_and_acknowledge(gp.page, skin_case, "Benign naevus.")
            assert gp.axe_violations() == []
    assert state(exchange, GP, skin_case) == "closed"


def test_the_audit_has_every_step_and_its_chain_holds(
    exchange: Exchange, radiology_case: str, skin_case: str
) -> None:
    from lysbro.wiring import open_parts  # noqa: PLC0415

    with open_parts(load(environment=exchange.environment)) as parts:
        entries = parts.ledger.entries(limit=1000)
        actions = {e.action for e in entries if e.case_id == radiology_case}
        assert {"case-opened", "claimed", "signed", "addended", "acknowledged"} <= actions
        assert parts.ledger.verify() is None
        said = " ".join(str(entry) for entry in entries)
    assert "Bjørnson" not in said
    assert "Bjørnson" not in exchange.log()
    assert "Lunde" not in exchange.log()
