"""The capture page judges by a small copy, within a moment, and asks whether somebody is seen."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from derm_capture import quality
from derm_capture.photo import open_photo
from derm_capture.raster import Pixels
from tests.derm_capture import pictures
from tests.viewer.conftest import World
from tests.viewer.test_api_cases import photo_form
from tests.viewer.test_pages_browser import Visit, address, browser, desk, phone

__all__ = ["address", "browser", "desk", "phone"]

CHEEK, FOREARM = "36141000", "70559009"


def advice_of(world: World, data: bytes, **fields: object) -> tuple[int, dict]:
    form = {**fields, "photo": (io.BytesIO(data), "photo.jpg")}
    answer = world.client("referrer@fjord").post("/api/photos/assess", data=form)
    return answer.status_code, answer.get_json()


def test_assess_when_a_copy_is_sent_then_resolution_is_that_of_the_photograph(world: World) -> None:
    copy = pictures.jpeg(pictures.skin(512, 384))
    _, alone = advice_of(world, copy)
    status, as_copy = advice_of(world, copy, rows=3024, columns=4032)
    assert status == 200
    verdicts = [{a["check"]: a["verdict"] for a in each["advice"]} for each in (alone, as_copy)]
    assert [each["resolution"] for each in verdicts] == ["poor", "good"]
    reasons = {a["check"]: a["reason"] for a in as_copy["advice"]}
    assert reasons["focus"] == "blurred"


@pytest.mark.parametrize("size", [(4032, 3024), (300, 400), (3024, 100_001)])
def test_assess_when_it_is_no_copy_of_such_a_picture_then_it_is_refused(
    world: World, size: tuple[int, int]
) -> None:
    copy = pictures.jpeg(pictures.skin(512, 384))
    status, _ = advice_of(world, copy, rows=size[0], columns=size[1])
    assert status == 422


def test_assess_when_the_photograph_itself_is_too_large_then_it_is_refused_before_it_is_sent(
    world: World,
) -> None:
    copy = pictures.jpeg(pictures.skin(512, 384))
    status, said = advice_of(world, copy, rows=3024, columns=4032, size_bytes=65 << 20)
    assert (status, said["code"]) == (413, "too-large")


@pytest.mark.parametrize(("said", "told"), [("yes", True), ("no", False), ("", False)])
def test_photo_when_somebody_is_seen_in_it_then_lists_know(
    world: World, said: str, told: bool
) -> None:
    asker, case_id = world.client("referrer@fjord"), world.derm_case()
    url = f"/api/cases/{case_id}/photos"
    form = photo_form(pictures.jpeg(pictures.skin()), recognizable=said)
    assert asker.post(url, data=form).status_code == 201
    assert [p["is_recognizable"] for p in asker.get(url).get_json()["photos"]] == [told]
    blurred = 'data-recognizable="yes"'
    assert (blurred in asker.get(f"/cases/{case_id}").get_data(as_text=True)) == told
    drafted = asker.get(f"/capture/{case_id}").get_data(as_text=True)
    assert ('"is_recognizable": true' in drafted) == told


def sharp(width: int, height: int) -> Pixels:
    """Return sharp skin as a telephone sees it: fine detail that is left in the small copy."""
    small = pictures.skin(1024, round(1024 * height / width))
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def at_the_pictures(phone: Visit, site: str, side: str = "") -> Page:
    page = phone.sign_in("referrer@fjord")
    page.goto(phone.address + "/capture")
    page.fill("#patient-id", "fjord-1")
    page.fill("#family", "Hætta")
    page.locator("#next-who").tap()
    page.locator("#site").select_option(site)
    if side:
        page.locator(f'[name="laterality"][value="{side}"]').check()
    page.locator("#next-where").tap()
    return page


def noting_what_is_judged(world: World) -> list[bytes]:
    """Return a list that the bodies of the calls that judge are added to."""
    bodies: list[bytes] = []
    answer = world.app.wsgi_app

    def noted(environ: dict, start: Callable) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/api/photos/assess":
            bodies.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            environ["wsgi.input"] = io.BytesIO(bodies[-1])
        return answer(environ, start)

    world.app.wsgi_app = noted
    return bodies


@pytest.mark.browser
@pytest.mark.slow
def test_capture_when_twelve_megapixels_are_chosen_then_a_small_copy_is_judged_at_once(
    world: World, phone: Visit, tmp_path: Path
) -> None:
    path = tmp_path / "IMG_1.jpg"
    lying = np.rot90(sharp(3024, 4032))  # as a telephone writes it: on its side, and says so
    block = Image.Exif()  # without a time: the clock is judged elsewhere
    block[0x0112], block[0x010F] = 6, "Nordcam"
    Image.fromarray(np.ascontiguousarray(lying)).save(path, quality=95, exif=block)
    page = at_the_pictures(phone, FOREARM, "L")
    world.app.config["MAX_CONTENT_LENGTH"] = 64 << 20
    asked = noting_what_is_judged(world)
    slot = page.locator('[data-slot="closeup"]')

    slot.locator("[data-choose]").set_input_files(path)

    expect(slot.locator(".advice li")).to_have_text("Et godt bilde.", timeout=30_000)
    assert slot.locator(".advice .thumb").count() == 1
    took_ms = page.evaluate("performance.getEntriesByName('advice')[0].duration")
    size = path.stat().st_size
    said = f"advice on {size / 1e6:.1f} MB after {took_ms:.0f} ms by {len(asked[0]) / 1e3:.0f} kB"
    print(said)  # noqa: T201  # run with -s to read it
    assert len(asked) == 1
    assert len(asked[0]) < 400_000 < size
    for part in (b'name="rows"\r\n\r\n4032', b'name="columns"\r\n\r\n3024', b"Nordcam"):
        assert part in asked[0]
    expect(slot.locator(".slot-state")).to_have_text("Beholdt", timeout=30_000)
    case_id = page.url.rsplit("/", 1)[-1]
    (kept,) = (
        world.client("referrer@fjord").get(f"/api/cases/{case_id}/photos").get_json()["photos"]
    )
    assert (kept["rows"], kept["columns"]) == (4032, 3024)  # the file itself, not the copy
    assert phone.said == []


@pytest.mark.browser
@pytest.mark.slow
def test_capture_when_copies_are_judged_then_the_verdicts_are_those_of_the_photographs(
    phone: Visit, tmp_path: Path
) -> None:
    page = at_the_pictures(phone, FOREARM, "L")
    answers: list[dict[str, str]] = []
    page.on("response", lambda r: answers.append(verdicts(r.json())) if "assess" in r.url else None)
    slot, expected = page.locator('[data-slot="closeup"]'), []
    good = sharp(1800, 1350)
    for number, pixels in enumerate(
        [
            cv2.GaussianBlur(good, (0, 0), 6),
            np.clip(good * np.array([0.6, 0.85, 1.3]), 0, 255).astype(np.uint8),
            np.clip(good * 2.2, 0, 255).astype(np.uint8),
        ]
    ):
        path = tmp_path / f"{number}.png"
        assert cv2.imwrite(str(path), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        expected.append(
            {a.check: a.verdict.value for a in quality.assess(open_photo(path.read_bytes()))}
        )
        with page.expect_response("**/assess"):
            slot.locator("[data-choose]").set_input_files(path)
        expect(slot.locator("[data-keep]")).to_be_visible(timeout=30_000)
    assert answers == expected
    assert all(set(each.values()) != {"good"} for each in expected)


def verdicts(answer: dict) -> dict[str, str]:
    return {each["check"]: each["verdict"] for each in answer["advice"]}


@pytest.mark.browser
@pytest.mark.slow
def test_capture_when_the_site_is_a_face_then_it_waits_for_the_answer_and_blurs_by_it(
    world: World, phone: Visit, tmp_path: Path
) -> None:
    path = tmp_path / "cheek.jpg"
    path.write_bytes(pictures.encoded(pictures.skin(1280, 960), "JPEG", quality=92))
    page = at_the_pictures(phone, CHEEK, "L")
    slot = page.locator('[data-slot="closeup"]')
    choice = slot.locator("fieldset[data-recognizable]")
    expect(choice).to_be_hidden()
    slot.locator("[data-choose]").set_input_files(path)
    expect(slot.locator(".advice li")).to_have_text("Et godt bilde.", timeout=20_000)
    expect(choice).to_be_visible()
    expect(slot.locator("[data-keep]")).to_be_visible()  # it waits

    choice.get_by_role("radio", name="Ja").click()  # which sends it, and asks no more

    expect(slot).to_have_attribute("data-kept", "yes", timeout=20_000)
    expect(choice).to_be_hidden()
    expect(slot.locator(".slot-kept canvas")).to_have_css("filter", "blur(12px)")
    expect(slot.locator(".slot-state")).to_have_text("Beholdt", timeout=20_000)  # by the exchange
    page.reload()
    again = page.locator('[data-slot="closeup"] .slot-kept img')
    expect(again).to_have_css("filter", "blur(12px)")
    case_id = page.url.rsplit("/", 1)[-1]
    photos = world.client("referrer@fjord").get(f"/api/cases/{case_id}/photos").get_json()
    assert json.dumps(photos).count('"is_recognizable": true') == 1
    assert phone.said == []


@pytest.mark.browser
@pytest.mark.slow
def test_capture_when_nothing_gives_cause_then_only_the_overview_offers_the_choice(
    phone: Visit, tmp_path: Path
) -> None:
    path = tmp_path / "arm.jpg"
    path.write_bytes(pictures.encoded(pictures.skin(1280, 960), "JPEG", quality=92))
    page = at_the_pictures(phone, FOREARM, "L")
    for slot in ("overview", "closeup", "dermoscopic"):
        place = page.locator(f'[data-slot="{slot}"]')
        place.locator("[data-choose]").set_input_files(path)
        expect(place).to_have_attribute("data-kept", "yes", timeout=20_000)
        expect(place.locator("[data-recognizable]:not([hidden])")).to_have_count(
            1 if slot == "overview" else 0
        )


@pytest.mark.browser
@pytest.mark.slow
def test_strip_when_somebody_is_seen_then_the_picture_is_blurred_until_it_is_opened(
    world: World, desk: Visit
) -> None:
    asker, case_id = world.client("referrer@fjord"), world.derm_case()
    form = photo_form(pictures.jpeg(pictures.skin(640, 480)), recognizable="yes")
    assert asker.post(f"/api/cases/{case_id}/photos", data=form).status_code == 201
    assert asker.post(f"/api/cases/{case_id}/submit", json={}).status_code == 200
    page = desk.sign_in("dermatologist@centre")
    page.goto(f"{desk.address}/cases/{case_id}")
    picture = page.locator(".strip-series img")
    expect(picture).to_have_css("filter", "blur(12px)")
    page.locator(".strip-series").click()
    expect(picture).to_have_css("filter", "none")
