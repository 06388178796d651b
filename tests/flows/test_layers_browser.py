"""What lies over images in the reading room: overlays by O, states by P, segments by S."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.flows import phantoms
from tests.flows.browsing import Person, chromium, signed_in
from tests.flows.conftest import make_exchange
from tests.flows.test_reading_room import RADIOLOGIST, case_of, greys_on_screen, wait_for_image
from tests.flows.waiting import until
from tests.viewer.layered import (
    GSPS,
    SEG,
    graphic,
    item,
    overlay_bits,
    plain,
    references,
    segmentation,
    state,
    with_overlay,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STUDY = "1.2.826.0.1.3680043.10.39.1"
MIDDLE = (phantoms.SLICES + 1) // 2  # that opens first
SPACE = STUDY + ".9"


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """Return the radiologist before the case of a study with layers of every kind."""
    folder = tmp_path_factory.mktemp("layers")
    write_study(folder)
    exchange = make_exchange(tmp_path_factory.mktemp("room") / "data")
    exchange.must("import", str(folder), "--site", "hammer")
    exchange.start(only="web")
    try:
        with chromium() as browser, signed_in(browser, exchange, RADIOLOGIST) as found:
            found.go(f"/cases/{case_of(exchange, STUDY)}")
            wait_for_image(found.page)
            yield found
    finally:
        exchange.stop()


def write_study(folder: Path) -> None:
    """Write a series with an overlay in its middle slice, two states and a segmentation."""
    phantoms.write_series(folder, STUDY, FrameOfReferenceUID=SPACE)
    middle = folder / f"{STUDY}-{MIDDLE:02}.dcm"
    bits = np.kron(overlay_bits(), np.ones((8, 8))).astype(np.uint8)
    with_overlay(ds := pydicom.dcmread(middle), bits, origin=(20, 30)).save_as(middle)
    every = [item(SeriesInstanceUID=f"{STUDY}.1", ReferencedImageSequence=references(
        *range(1, phantoms.SLICES + 1), study=STUDY))]  # fmt: skip
    whole = {"ShutterShape": None, "ImageRotation": 0, "ImageHorizontalFlip": "N",
             "DisplayedAreaSelectionSequence": None, "ReferencedSeriesSequence": every}  # fmt: skip
    plainly = state(**whole, ContentDescription="Bone, inverse", GraphicAnnotationSequence=None,
                    SoftcopyVOILUTSequence=[item(WindowCenter=500, WindowWidth=2500)])  # fmt: skip
    area = item(
        DisplayedAreaTopLeftHandCorner=[33, 33],
        DisplayedAreaBottomRightHandCorner=[224, 224],
        PresentationSizeMode="SCALE TO FIT",
        PresentationPixelAspectRatio=[1, 1],
    )
    notes = item(GraphicLayer="NOTES", GraphicObjectSequence=[
        graphic("ELLIPSE", [90.0, 128.0, 166.0, 128.0, 128.0, 100.0, 128.0, 156.0]),
        graphic("INTERPOLATED", [60.0, 60.0, 90.0, 80.0, 120.0, 60.0, 150.0, 80.0]),
    ], TextObjectSequence=[item(
        UnformattedTextValue="Nodule", AnchorPoint=[166.0, 128.0], AnchorPointVisibility="Y",
        AnchorPointAnnotationUnits="PIXEL", BoundingBoxAnnotationUnits="PIXEL",
        BoundingBoxTopLeftHandCorner=[180.0, 150.0],
        BoundingBoxBottomRightHandCorner=[220.0, 160.0],
    )])  # fmt: skip
    shut = {"ShutterLeftVerticalEdge": 50, "ShutterRightVerticalEdge": 207,
            "ShutterUpperHorizontalEdge": 50, "ShutterLowerHorizontalEdge": 207}  # fmt: skip
    marked = state(
        ReferencedSeriesSequence=every, ContentDescription="Marked", ShutterShape="RECTANGULAR",
        DisplayedAreaSelectionSequence=[area], GraphicAnnotationSequence=[notes],
        PresentationLUTShape="IDENTITY", **shut,
        SoftcopyVOILUTSequence=[item(WindowCenter=40, WindowWidth=400)],
    )  # fmt: skip
    for number, each in enumerate((plainly, marked), 1):
        put(folder, GSPS, 2, number, each, Modality="PR")
    header, _ = segmentation(by_reference=False, size=(phantoms.SIZE, phantoms.SIZE))
    shared = header.SharedFunctionalGroupsSequence[0]
    shared.PixelMeasuresSequence[0].PixelSpacing = [phantoms.SPACING_MM] * 2
    frames = np.zeros((3, phantoms.SIZE, phantoms.SIZE), np.uint8)
    for frame, (group, number) in enumerate(
        zip(header.PerFrameFunctionalGroupsSequence, (MIDDLE, MIDDLE + 1, MIDDLE), strict=True)
    ):
        group.PlanePositionSequence[0].ImagePositionPatient = [0, 0, number * 2.0]
        frames[frame, 40:100, 40 + 60 * frame : 80 + 60 * frame] = 1
    header.PixelData = np.packbits(frames.reshape(-1), bitorder="little").tobytes()
    header.FrameOfReferenceUID = SPACE
    put(folder, SEG, 3, 1, header)
    assert ds


def put(folder: Path, sop_class: str, series: int, number: int, ds: Any, **more: Any) -> None:
    told = {key: value for key, value in plain(ds).items() if value is not None}
    named = {"SeriesInstanceUID": f"{STUDY}.{series}", "StudyInstanceUID": STUDY,
             "SOPInstanceUID": f"{STUDY}.{series}.{number}", "InstanceNumber": number}  # fmt: skip
    made = phantoms.object_of(sop_class, STUDY, number, **(told | named | more))
    if "PixelData" in made:
        made["PixelData"].VR = "OB"
    phantoms.write(made, folder / f"{STUDY}-{series}-{number}.dcm")


def colour_at(page: Page, x: float, y: float) -> list[int]:
    """Return what is on the screen at a place of the fitted image."""
    box = page.locator("#view").bounding_box()
    assert box is not None
    scale = min(box["width"], box["height"]) / phantoms.SIZE
    left = box["x"] + (box["width"] - phantoms.SIZE * scale) / 2
    top = box["y"] + (box["height"] - phantoms.SIZE * scale) / 2
    shot = Image.open(io.BytesIO(page.screenshot()))
    return list(shot.convert("RGB").getpixel((round(left + x * scale), round(top + y * scale))))


def is_grey(colour: list[int]) -> bool:
    return max(colour) - min(colour) <= 1


def said(page: Page) -> Locator:
    return page.locator(".layers-said").first


def overlays(page: Page) -> int:
    return page.locator("#pane .layers > canvas").count()


def test_an_overlay_is_seen_until_it_is_hidden(person: Person) -> None:
    page = person.page
    page.locator("#view").focus()
    until(lambda: overlays(page) == 2, "an overlay, and segments on the middle slice")
    assert colour_at(page, 29 + 4, 19 + 4) == [255, 214, 120]  # the first bit
    page.keyboard.press("O")
    expect(said(page)).to_contain_text("overlays hidden")
    until(lambda: overlays(page) == 1, "the overlay to go")
    page.keyboard.press("O")
    until(lambda: overlays(page) == 2, "the overlay to come back")


def test_segments_have_their_colours_and_go_one_by_one(person: Person) -> None:
    page = person.page
    expect(said(page)).to_have_text("Liver, Lesion")
    red, green, blue = colour_at(page, 60, 90)
    assert red > max(green, blue) + 60, "the liver is red over the grey"
    page.locator("#layers summary").click()
    page.get_by_role("checkbox", name="Liver").uncheck()
    expect(said(page)).to_have_text("Lesion")
    until(lambda: is_grey(colour_at(page, 60, 90)), "the liver to go")
    page.get_by_role("checkbox", name="Liver").check()
    page.keyboard.press("Escape")
    page.locator("#view").focus()
    page.keyboard.press("S")
    expect(said(page)).to_have_text("segments hidden")
    until(lambda: overlays(page) == 1, "the segments to go")


def test_a_state_brings_its_greys_place_shutter_and_notes(person: Person) -> None:
    page = person.page
    page.locator("#view").focus()
    page.keyboard.press("P")
    expect(said(page)).to_contain_text("State: Bone, inverse (Berg Kari)")
    expect(page.locator("#corner-bl")).to_contain_text("C 500  W 2500")
    stored = phantoms.values(MIDDLE)[:: phantoms.BLOCK, :: phantoms.BLOCK].astype(float)
    expected = 255 - phantoms.greys(stored - 1024, 500, 2500)
    until(lambda: np.abs(greys_on_screen(page) - expected).max() <= 1, "the greys of the state")
    page.keyboard.press("P")
    expect(said(page)).to_contain_text("State: Marked")
    expect(page.locator("#pane .layer-text")).to_have_text("Nodule")
    assert page.locator("#pane .layer-cover").count() == 1
    assert page.locator("#pane .layer-line").count() == 3  # two shapes, one to the anchor
    assert colour_at(page, 10, 180) == [255, 255, 255], "the shutter covers in its own grey"
    place = page.locator("#corner-bl").inner_text()
    page.keyboard.press("P")
    expect(page.locator("#pane .layer-text")).to_have_count(0)
    expect(page.locator("#corner-bl")).to_contain_text("C 40  W 400")
    assert page.locator("#corner-bl").inner_text() != place
    assert person.complaints == []


def test_the_menu_of_layers_can_be_used_by_everybody(person: Person) -> None:
    page = person.page
    page.locator("#layers summary").click()
    expect(page.locator("#layers-state option")).to_have_count(3)
    assert person.axe_violations() == []
