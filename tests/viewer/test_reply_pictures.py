"""The pictures of a signed reply: which there are, what is drawn on them, who sees them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pypdf
import pytest
from PIL import Image

from casework.access import Scope
from lysbro.reply_pdf import pdf_of
from tests.viewer.conftest import World
from viewer.crops import View, close, whole
from viewer.display import Display, Window
from viewer.drawn_marks import extent_of, outlines
from viewer.frame_source import Photograph, Shown
from viewer.photo_bytes import as_png
from viewer.reply_pictures import pointed_of

from .images import row

EVERYTHING = Scope(sites=None, specialties=None, own_site="")
YELLOW = np.array([255, 214, 92])
STUDY, UID = "1.2.840.9", "1.2.840.9.1.1"
LENGTH = {"instance_uid": UID, "frame": 1, "kind": "length", "points": [[20, 60], [80, 60]],
          "value": 30.0, "unit": "mm", "calibration": "detector", "label": "Nodule"}  # fmt: skip


def anchor(number: int, **more: Any) -> dict[str, Any]:
    return {"number": number, "instance_uid": UID, "frame": 1, **more}


class ArraySource:
    """Gives one array as every frame, as a source of an archive would."""

    def __init__(self, pixels: Any, **display: Any) -> None:
        self.pixels, self.display = pixels, Display(**display)

    def shown(self, _ref: Any, _frame: int) -> Shown:
        return Shown(self.pixels, self.pixels.ndim == 3, self.display)

    def photograph(self, _ref: Any) -> Photograph:
        return Photograph(as_png(self.pixels, b""), "image/png", b"")


def source_of(pixels: Any, **display: Any) -> Any:
    return ArraySource(pixels, **display)


def of_size(columns: int, rows: int) -> Any:
    return row(UID, attributes={"Rows": rows, "Columns": columns})


def opened(jpeg: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")).astype(int)


def is_yellow(pixels: Any, x: float, y: float) -> bool:
    around = pixels[max(0, int(y) - 2) : int(y) + 3, max(0, int(x) - 2) : int(x) + 3]
    return bool((np.abs(around - YELLOW).sum(axis=2) < 120).any())


def test_views_of_sentences_come_first_and_each_frame_is_there() -> None:
    content = {
        "findings": "A [2]. B [1], again [3].",
        "anchors": [anchor(1, window=[40, 400]), anchor(2, measurement=0),
                    anchor(3, window=[40, 400]), anchor(9)],
        "measurements": [LENGTH, {**LENGTH, "instance_uid": "1.9", "label": "Other"}],
        "key_images": [{"instance_uid": UID, "frame": 1}, {"instance_uid": "1.8", "frame": 4}],
    }  # fmt: skip
    found = pointed_of(content)
    assert [(p.numbers, p.instance_uid, p.frame, p.mark_at) for p in found] == [
        ((1, 3), UID, 1, None), ((2,), UID, 1, 0), ((), "1.8", 4, None), ((), "1.9", 1, None),
    ]  # fmt: skip
    assert found[0].view.window == Window(40, 400)


@pytest.mark.parametrize(
    ("kind", "points", "extent"),
    [
        ("length", [(1, 2), (5, 9)], (1, 2, 5, 9)),
        ("angle", [(1, 1), (5, 5), (9, 1)], (1, 1, 9, 5)),
        ("cobb", [(0, 0), (4, 0), (0, 6), (4, 7)], (0, 0, 4, 7)),
        ("bidirectional", [(0, 0), (8, 0), (4, -2), (4, 3)], (0, -2, 8, 3)),
        ("ellipse", [(2, 4), (10, 8)], (2, 4, 10, 8)),
        ("ellipse", [(0, 5), (10, 5), (5, 2), (5, 8)], (0, 2, 10, 8)),
        ("rectangle", [(2, 4), (10, 8)], (2, 4, 10, 8)),
        ("arrow", [(3, 3), (7, 9)], (3, 3, 7, 9)),
        ("probe", [(3, 4)], (3, 4, 3, 4)),
        ("text", [(3, 4), (9, 9)], (3, 4, 3, 4)),
        ("something new", [(1, 1), (2, 5), (4, 0)], (1, 0, 4, 5)),
    ],
)
def test_a_mark_of_any_kind_lies_where_its_points_say(
    kind: str, points: list[tuple[float, float]], extent: tuple[float, ...]
) -> None:
    assert extent_of(kind, points) == pytest.approx(extent)
    assert all(line for line in outlines(kind, points))


def test_greys_are_those_of_the_readers_window_and_swapped_when_the_reader_had() -> None:
    pixels = np.full((80, 120), 40, dtype=np.int16)
    pixels[:, 60:] = 140
    ref, source = of_size(120, 80), source_of(pixels)
    shown = opened(whole(source, ref, 1, View(Window(40, 400)), []))
    assert shown.shape == (480, 720, 3)
    assert (shown[240, 100], shown[240, 600]) == (pytest.approx([128] * 3, abs=2),
                                                  pytest.approx([192] * 3, abs=2))  # fmt: skip
    swapped = opened(whole(source, ref, 1, View(Window(40, 400), True), []))
    assert swapped[240, 600] == pytest.approx([63] * 3, abs=2)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_mark_turns_and_mirrors_with_its_image(turns: int, mirrored: bool) -> None:
    pixels = np.zeros((60, 100), dtype=np.uint8)
    pixels[38:43, 18:23] = 255
    source, ref = source_of(pixels, windows=(Window(128, 256),)), of_size(100, 60)
    mark = {"kind": "probe", "points": [[20.5, 40.5]]}
    view = View(is_mirrored=mirrored, quarter_turns=turns)
    plain = opened(whole(source, ref, 1, view, []))
    rows, columns = np.nonzero(plain[:, :, 0] > 128)
    x, y = columns.mean(), rows.mean()
    drawn = opened(whole(source, ref, 1, view, [mark]))
    assert is_yellow(drawn, x, y)
    assert not is_yellow(plain, x, y)


def test_pixels_that_are_not_square_are_shown_square_with_marks_in_place() -> None:
    source = source_of(np.zeros((50, 100), dtype=np.uint8), aspect=2.0)
    shown = opened(
        whole(source, of_size(100, 50), 1, View(), [{"kind": "probe", "points": [[50, 25]]}])
    )
    assert shown.shape == (720, 720, 3)
    assert is_yellow(shown, 360, 360)


def test_a_closer_picture_is_of_what_lies_around_the_mark_also_at_the_edge() -> None:
    pixels = np.zeros((1000, 1000), dtype=np.uint8)
    pixels[0:200, 800:1000] = 200
    mark = {"kind": "length", "points": [[900, 20], [980, 20]], "value": 4, "unit": "mm"}
    source = source_of(pixels, windows=(Window(128, 256),))
    shown = opened(close(source, of_size(1000, 1000), 1, View(), [mark], mark))
    assert shown.shape == (560, 560, 3)
    assert np.median(shown[300:, :, 0]) == pytest.approx(200, abs=3)


def test_a_photograph_is_shown_in_its_colours_with_marks_in_place() -> None:
    pixels = np.full((1000, 1600, 3), (60, 120, 90), dtype=np.uint8)
    pixels[480:520, 780:820] = (220, 40, 40)
    ref = row(
        UID, attributes={"Rows": 1000, "Columns": 1600, "Modality": "XC", "SamplesPerPixel": 3}
    )
    source = source_of(pixels)
    mark = {"kind": "length", "points": [[700, 500], [900, 500]], "value": 8.0, "unit": "mm"}
    shown = opened(whole(source, ref, 1, View(), [mark]))
    assert shown.shape == (450, 720, 3)
    assert is_yellow(shown, 330, 225)
    assert shown[50, 50] == pytest.approx([60, 120, 90], abs=4)
    near = opened(close(source, ref, 1, View(), [], mark))
    assert near.shape == (560, 560, 3)
    assert near[280, 280] == pytest.approx([220, 40, 40], abs=8)


@pytest.mark.parametrize("far", [1e308, -1e308, 1e7])
@pytest.mark.parametrize("kind", ["length", "ellipse", "rectangle", "arrow", "cobb", "text"])
def test_marks_and_windows_beyond_all_bounds_are_drawn_as_far_as_they_can_be(
    kind: str, far: float
) -> None:
    mark = {"kind": kind, "points": [[10, 10], [far, far]], "value": far, "unit": "mm"}
    anchored = {"findings": "[1]", "anchors": [anchor(1, window=[far, far], measurement=0)]}
    (pointed,) = pointed_of(anchored | {"measurements": [mark | {"instance_uid": UID, "frame": 1}]})
    source, ref = source_of(np.zeros((50, 60), dtype=np.int16)), of_size(60, 50)
    assert opened(whole(source, ref, 1, pointed.view, [mark])).shape == (600, 720, 3)
    assert opened(close(source, ref, 1, pointed.view, [mark], mark)).size


@pytest.fixture(scope="module")
def signed(shared_world: World) -> tuple[World, str]:
    """Return a world with a signed case, a sentence of which points to a measured slice."""
    pixels = np.full((100, 100), 30, dtype="<u2").tobytes()
    for n in (1, 2):
        shared_world.store(
            "hammer", StudyInstanceUID=STUDY, SeriesInstanceUID=f"{STUDY}.1",
            SOPInstanceUID=f"{STUDY}.1.{n}", Rows=100, Columns=100, PixelData=pixels,
            InstanceNumber=n, SeriesDescription="Thorax", RescaleIntercept=0, RescaleSlope=1,
            WindowCenter=40, WindowWidth=80,
        )  # fmt: skip
    case_id = shared_world.case_of("hammer", STUDY)
    reader = shared_world.client("radiologist@centre")
    assert reader.post(f"/api/cases/{case_id}/claim").status_code == 200
    said = {
        "impression": "A nodule [1].", "findings": "Also [2], not [7].", "advice": "See [1]",
        "plain_words": "There is a small spot in the lung.",
        "anchors": [anchor(1, measurement=0, window=[30, 100], image=12), anchor(2)],
        "measurements": [LENGTH],
        "key_images": [{"instance_uid": f"{STUDY}.1.2", "frame": 1}],
    }  # fmt: skip
    assert reader.put(f"/api/cases/{case_id}/findings", json=said).status_code == 200
    assert reader.post(f"/api/cases/{case_id}/sign", json={}).status_code == 200
    return shared_world, case_id


def test_the_reply_page_leads_from_each_anchor_to_its_picture(signed: tuple[World, str]) -> None:
    world, case_id = signed
    client = world.client("referrer@hammer")
    page = client.get(f"/cases/{case_id}").text
    assert 'A nodule <a class="anchor" href="#picture-1-1">[1]</a>.' in page
    assert "not [7]." in page
    assert 'id="picture-1-1"' in page
    assert 'id="picture-1-2"' in page
    assert "[1] CT Thorax, image 12. Nodule: 30 mm (measured at the detector)" in page
    assert "There is a small spot in the lung." in page
    address = f"/cases/{case_id}/reports/1/pictures/"
    assert [f'"{address}{n}"' in page for n in (1, 2, 3, 4)] == [True, True, True, False]
    near, far = client.get(f"{address}1?close=1"), client.get(f"{address}1")
    assert (near.status_code, near.mimetype, far.mimetype) == (200, "image/jpeg", "image/jpeg")
    assert near.data != far.data
    assert is_yellow(opened(far.data), 360, 432)
    assert far.headers["Cache-Control"] == "no-store"


def test_pictures_are_for_those_who_see_the_case(signed: tuple[World, str]) -> None:
    world, case_id = signed
    address = f"/cases/{case_id}/reports/1/pictures/1"
    assert world.client("referrer@berg").get(address).status_code == 404
    assert world.client("referrer@hammer").get(address).status_code == 200
    for missing in (f"{address}7", f"/cases/{case_id}/reports/4/pictures/1"):
        assert world.client("referrer@hammer").get(missing).status_code == 404


def test_the_reading_room_leads_from_an_anchor_to_the_picture(signed: tuple[World, str]) -> None:
    world, case_id = signed
    page = world.client("radiologist@centre").get(f"/cases/{case_id}").text
    assert f'href="/cases/{case_id}/reports/1/pictures/1" target="_blank" data-anchor="1"' in page


def test_the_pdf_has_the_pictures_on_its_page_and_its_anchors_lead_there(
    signed: tuple[World, str],
) -> None:
    world, case_id = signed
    dossier = world.parts.casebook.dossier(EVERYTHING, case_id)
    first, second = (pdf_of(world.parts, dossier, dossier.reports[0]) for _ in range(2))
    assert first == second
    (page,) = pypdf.PdfReader(io.BytesIO(first)).pages
    assert len(page.images) == 4  # one whole and closer, one whole, one key image
    annotations: Any = page["/Annots"]
    links = [tuple(map(str, each.get_object()["/Dest"])) for each in annotations]
    assert (len(links), len(set(links))) == (3, 2)  # the impression and the advice: one picture
    text = " ".join(page.extract_text().split())
    assert "In plain words There is a small spot in the lung." in text


def test_somebody_who_can_be_recognised_is_blurred_in_print(world: World) -> None:
    noise = np.random.default_rng(7).integers(0, 255, (100, 100)).astype("<u2")
    world.store(
        "hammer", StudyInstanceUID=STUDY, SOPInstanceUID=UID, Rows=100, Columns=100,
        PixelData=noise.tobytes(), WindowCenter=128, WindowWidth=256, RescaleIntercept=0,
        RescaleSlope=1, RecognizableVisualFeatures="YES",
    )  # fmt: skip
    case_id = world.case_of("hammer", STUDY)
    reader = world.client("radiologist@centre")
    reader.post(f"/api/cases/{case_id}/claim")
    said = {
        "impression": "See [1]",
        "anchors": [anchor(1, measurement=0)],
        "measurements": [LENGTH],
    }
    reader.put(f"/api/cases/{case_id}/findings", json=said)
    reader.post(f"/api/cases/{case_id}/sign", json={})
    page = world.client("referrer@hammer").get(f"/cases/{case_id}").text
    assert 'data-recognizable="yes" alt="[1]' in page
    dossier = world.parts.casebook.dossier(EVERYTHING, case_id)
    (sheet,) = pypdf.PdfReader(io.BytesIO(pdf_of(world.parts, dossier, dossier.reports[0]))).pages
    (image,) = sheet.images  # no closer one
    assert np.asarray(image.image.convert("L")).std() < 12
    assert "blurred here" in " ".join(sheet.extract_text().split())
