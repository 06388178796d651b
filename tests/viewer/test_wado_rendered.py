"""Rendered images and thumbnails: their size, their window, their colours and what is on them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from storage.part10 import BytesSource, read_file_meta, walk
from tests.viewer import retrieving
from tests.viewer.images import attributes_of
from tests.viewer.retrieving import COLOUR, GREY, READER, STUDY, Stored, multipart, parts_of
from viewer.dicomweb import rendering
from viewer.picture import Texts, Viewport, annotated, fitted

TYPES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/jp2": "JPEG2000"}
WEDGE = np.tile(np.arange(0, 4096, 64, dtype=np.uint16), (48, 1))  # 48 x 64, dark to light
WEDGE_UID = f"{STUDY}.7.1"
WEDGE_URL = f"/dicom-web/studies/{STUDY}.7/series/{STUDY}.7.1/instances/{WEDGE_UID}"


@pytest.fixture(scope="module")
def world(shared_world: Any) -> tuple[Any, dict[str, Stored]]:
    shared_world.store(
        "hammer",
        **attributes_of(WEDGE),
        SOPInstanceUID=WEDGE_UID,
        StudyInstanceUID=f"{STUDY}.7",
        SeriesInstanceUID=f"{STUDY}.7.1",
        PatientName="Nordmann^Kari",
        PixelData=WEDGE.tobytes(),
    )
    return shared_world, retrieving.store_all(shared_world)


def get(world: Any, url: str, accept: str = "image/png", who: str = READER) -> Any:
    return world[0].client(who).get(url, headers={"Accept": accept})


def picture(answer: Any) -> Image.Image:
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.data))


def shown(world: Any, query: str) -> np.ndarray:
    return np.asarray(picture(get(world, f"{WEDGE_URL}/rendered?{query}")))


@pytest.mark.parametrize("media_type", TYPES)
@pytest.mark.parametrize("name", ["grey", "colour", "jpeg", "big"])
def test_a_picture_comes_as_each_type_of_file(world: Any, media_type: str, name: str) -> None:
    answer = get(world, world[1][name].url + "/frames/1/rendered", media_type)
    image = picture(answer)
    assert answer.content_type == media_type
    assert image.format == TYPES[media_type]
    size = {"grey": (20, 24), "big": (5, 4)}.get(name, (COLOUR.columns, COLOUR.rows))
    assert image.size == size
    again = get(world, world[1][name].url + f"/frames/1/rendered?accept={media_type}", "*/*")
    assert again.data == answer.data


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ("", (64, 48)),
        ("viewport=32,32", (32, 24)),
        ("viewport=128,48", (64, 48)),
        ("viewport=640,480", (640, 480)),
        ("viewport=16,16,0,0,32,32", (16, 16)),
        ("viewport=20,10,,,,", (13, 10)),
        ("viewport=64,48,32,0,32,48", (32, 48)),
        ("viewport=64,48,0,0,-64,-48", (64, 48)),
    ],
)
def test_the_region_is_fitted_into_the_viewport(
    world: Any, query: str, size: tuple[int, int]
) -> None:
    assert shown(world, query).shape[:2] == size[::-1]


def test_a_negative_width_or_height_flips_the_region(world: Any) -> None:
    plain = shown(world, "viewport=64,48")
    assert (shown(world, "viewport=64,48,0,0,-64,48") == plain[:, ::-1]).all()
    assert (shown(world, "viewport=64,48,0,0,64,-48") == plain[::-1]).all()
    cut = shown(world, "viewport=10,8,20,5,10,8")
    assert (cut == plain[5:13, 20:30]).all()
    assert (shown(world, "viewport=10,8,20,5,-10,-8") == cut[::-1, ::-1]).all()


def test_each_function_of_a_window_spreads_the_values_its_own_way(world: Any) -> None:
    values = WEDGE[0].astype(float)
    linear = shown(world, "window=2048,2048,linear")[0]
    exact = shown(world, "window=2048,2048,linear-exact")[0]
    sigmoid = shown(world, "window=2048,2048,SIGMOID")[0]
    assert (shown(world, "window=2048,2048")[0] == linear).all()
    # PS3.3 C.11.2.1.2.1, C.11.2.1.3.2 and C.11.2.1.3.1
    expected = np.clip((values - 2047.5) / 2047 + 0.5, 0, 1) * 255
    assert np.abs(linear - expected).max() <= 1
    assert np.abs(exact - np.clip((values - 2048) / 2048 + 0.5, 0, 1) * 255).max() <= 1
    assert np.abs(sigmoid - 255 / (1 + np.exp(-4 * (values - 2048) / 2048))).max() <= 1
    assert set(shown(world, "window=1000.5,0.5,linear_exact")[0]) == {0, 255}


@pytest.mark.parametrize(
    "query",
    [
        "viewport=0,10", "viewport=8192,8192", "viewport=10,9000", "viewport=10",
        "viewport=a,b", "viewport=10,10,1",
        "viewport=10,10,0,0,65,10", "viewport=10,10,-1,0,10,10", "viewport=10,10,0,0,0,10",
        "viewport=1.5,10", "viewport=nan,10", "window=1,0,sigmoid", "window=1,2,linear,4",
        "window=1,2,LOG", "quality=101", "quality=-1", "iccprofile=adobergb",
        "iccprofile=rommrgb", "iccprofile=displayp3", "iccprofile=x", "annotation=name",
        "annotation=patient,x", "presentation=1.2.3", "anything=1",
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for_is_said(world: Any, query: str) -> None:
    answer = get(world, f"{WEDGE_URL}/rendered?{query}")
    assert answer.status_code == 400, query
    assert answer.get_json()["detail"].endswith(".")


def test_nothing_is_written_on_a_picture_unless_it_is_asked_for(world: Any) -> None:
    large = "viewport=640,480"
    plain = shown(world, large)
    assert (shown(world, f"{large}&annotation=") == plain).all()
    patient = shown(world, f"{large}&annotation=patient")
    technique = shown(world, f"{large}&annotation=technique")
    both = shown(world, f"{large}&annotation=patient,technique")
    assert (patient[:240] != plain[:240]).any()
    assert (patient[240:] == plain[240:]).all()
    assert (technique[:240] == plain[:240]).all()
    assert (technique[240:] != plain[240:]).any()
    assert (both[:240] == patient[:240]).all()
    assert (both[240:] == technique[240:]).all()


def test_words_are_white_with_a_black_edge_and_fit() -> None:
    grey = np.full((200, 300), 128, np.uint8)
    texts = Texts(("Nordmann, Kari Ærlig-Ødegård", "13116900216"), ("CT 2026-01-02",))
    written = annotated(grey, texts)
    assert {0, 255} <= set(np.unique(written))
    changed = np.argwhere(written != grey)
    assert changed[:, 1].max() < 300
    tiny = annotated(np.zeros((40, 60, 3), np.uint8), texts)
    assert tiny.shape == (40, 60, 3)


def test_colours_carry_the_profile_that_is_asked_for(world: Any) -> None:
    url = world[1]["colour"].url + "/rendered"
    for media_type in ("image/jpeg", "image/png"):
        for query, expected in (("", None), ("?iccprofile=no", None)):
            assert picture(get(world, url + query, media_type)).info.get("icc_profile") == expected
        for query in ("?iccprofile=yes", "?iccprofile=srgb"):
            profile = picture(get(world, url + query, media_type)).info["icc_profile"]
            name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
            assert "sRGB" in name
    assert get(world, url + "?iccprofile=yes", "image/gif").status_code == 400
    grey = picture(get(world, f"{WEDGE_URL}/rendered?iccprofile=yes"))
    assert grey.mode == "L"
    assert "icc_profile" not in grey.info


def test_frames_are_rendered_one_by_one_and_together(world: Any) -> None:
    url = world[1]["grey"].url
    one = [get(world, f"{url}/frames/{n}/rendered").data for n in (1, 2, 3)]
    parts = parts_of(get(world, f"{url}/frames/3,1/rendered", multipart("image/png")))
    assert [data for _, data in parts] == [one[2], one[0]]
    assert parts[0][0]["content-location"].endswith(f"{url}/frames/3/rendered")
    assert [d for _, d in parts_of(get(world, f"{url}/rendered", multipart("image/png")))] == one
    assert get(world, f"{url}/rendered").data == one[0]
    assert get(world, f"{url}/frames/1,2/rendered").status_code == 406
    for frames in ("4", "0", "x", "1,4"):
        assert get(world, f"{url}/frames/{frames}/rendered").status_code == 404


def test_a_gif_of_many_frames_moves(world: Any) -> None:
    gif = picture(get(world, world[1]["grey"].url + "/rendered?viewport=100,100", "image/gif"))
    assert (gif.n_frames, gif.size) == (GREY.frames, (83, 100))
    assert picture(get(world, world[1]["colour"].url + "/rendered", "image/gif")).n_frames == 1


def test_a_study_and_a_series_are_rendered_in_parts(world: Any) -> None:
    study = f"/dicom-web/studies/{STUDY}"
    for url in (study, f"{study}/series/{STUDY}.1"):
        parts = parts_of(get(world, url + "/rendered", multipart("image/jpeg")))
        assert len(parts) == 3 * 4 + 5  # the video of no stream is left out
        for head, data in parts:
            assert head["content-type"] == "image/jpeg"
            assert Image.open(io.BytesIO(data)).format == "JPEG"
        assert get(world, url + "/rendered", "image/jpeg").status_code == 406
    one = get(world, f"/dicom-web/studies/{STUDY}.7/rendered", "image/jpeg")
    assert picture(one).size == (64, 48)


def test_a_document_and_a_report_are_rendered_as_what_they_are(world: Any) -> None:
    document = get(world, world[1]["document"].url + "/rendered", "*/*")
    assert document.content_type == "application/pdf"
    assert document.data.removesuffix(b"\0") == retrieving.DOCUMENT
    report = world[1]["report"].url + "/rendered"
    page = get(world, report, "text/html")
    assert page.content_type == "text/html; charset=utf-8"
    assert "Finding &lt;of&gt; note" in page.text
    assert "Small &amp; quiet" in page.text
    plain = get(world, report, "text/plain")
    assert "Finding <of> note: Small & quiet" in plain.text
    for name in ("document", "report"):
        assert get(world, world[1][name].url + "/rendered", "image/jpeg").status_code == 406


@pytest.mark.parametrize(
    ("path", "size"),
    [
        (f"/studies/{STUDY}.7", (256, 192)),
        (f"/studies/{STUDY}.7/series/{STUDY}.7.1", (256, 192)),
        (f"/studies/{STUDY}.7/series/{STUDY}.7.1/instances/{WEDGE_UID}", (256, 192)),
        (f"/studies/{STUDY}.7/series/{STUDY}.7.1/instances/{WEDGE_UID}/frames/1", (256, 192)),
    ],
)
def test_a_thumbnail_stands_for_what_is_addressed(
    world: Any, path: str, size: tuple[int, int]
) -> None:
    url = f"/dicom-web{path}/thumbnail"
    assert picture(get(world, url, "*/*")).format == "JPEG"
    assert picture(get(world, url, "*/*")).size == size
    assert picture(get(world, url + "?viewport=32,32", "image/png")).size == (32, 24)
    assert get(world, url + "?viewport=32,32,0,0,1,1").status_code == 400
    assert get(world, url + "?window=1,2").status_code == 400
    assert get(world, url, "text/html").status_code == 406


def test_a_thumbnail_of_many_is_the_middle_and_of_no_pixels_there_is_none(world: Any) -> None:
    grey = world[1]["grey"].url
    middle = get(world, f"{grey}/frames/2/thumbnail").data
    assert get(world, f"{grey}/thumbnail").data == middle
    assert get(world, f"{grey}/frames/1/thumbnail").data != middle
    assert get(world, f"{grey}/frames/9/thumbnail").status_code == 404
    for name in ("document", "report"):
        assert get(world, world[1][name].url + "/thumbnail", "*/*").status_code == 404
    assert get(world, f"/dicom-web/studies/{STUDY}/thumbnail", "*/*").status_code == 200


def test_square_pixels_are_made_of_others() -> None:
    pixels = np.zeros((10, 20), np.uint8)
    assert fitted(pixels, aspect=2.0, viewport=None).shape == (20, 20)
    assert fitted(pixels, aspect=2.0, viewport=Viewport(40, 40)).shape == (40, 40)
    assert fitted(pixels, aspect=0.5, viewport=Viewport(40, 40)).shape == (10, 40)


def test_a_query_is_read_as_the_standard_writes_it() -> None:
    how = rendering.asked(
        {"window": "40,400,linear", "viewport": "512,512,,,-256,", "annotation": "technique"}
    )
    assert how.window is not None
    assert (how.window.center, how.window.width, how.function) == (40, 400, "LINEAR")
    assert how.viewport == Viewport(512, 512, 0, 0, -256, None)
    assert how.annotation == ("technique",)


@pytest.mark.fixtures
def test_a_real_video_plays_and_gives_its_pictures(world: Any, fixtures_dir: Path) -> None:
    content = (fixtures_dir / "derived_gapfill/derived/video_photographic_h264.dcm").read_bytes()
    meta = read_file_meta(BytesSource(content))
    header = walk(content[meta.dataset_offset :], transfer_syntax_uid=meta.transfer_syntax_uid)
    world[0].parts.archive.receive_part10(content, retrieving.ORIGIN)
    world[0].parts.archive.settle()
    url = f"/dicom-web/studies/{header.study_uid}/series/{header.series_uid}"
    instance = f"{url}/instances/{header.sop_instance_uid}"
    own = "referrer@hammer"
    whole = get(world, f"{instance}/rendered", "*/*", own)
    assert whole.content_type.startswith("video/mp4")
    assert whole.data in content
    size = (header.attributes["Columns"], header.attributes["Rows"])
    first, third = (
        picture(get(world, f"{instance}/frames/{n}/rendered", "image/jpeg", own)) for n in (1, 3)
    )
    assert first.size == third.size == size
    assert np.asarray(first).std() > 5
    small = picture(get(world, f"{url}/thumbnail", "image/*", own))
    assert max(small.size) == 256
