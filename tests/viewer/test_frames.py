"""Frames, previews, photographs and papers over HTTP, for those who may see them."""

from __future__ import annotations

import gzip
import io
import json
import re
from typing import Any
from urllib.parse import unquote

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.viewer.images import attributes_of, gradient
from viewer.pixel_coding import residuals

pytestmark = pytest.mark.slow

PIXELS = "application/vnd.lysbro.pixels"
EXPLICIT = "1.2.840.10008.1.2.1"
DECODED = {"Accept": f"application/octet-stream; transfer-syntax={EXPLICIT}"}
COLOURS = {"Red": [255, 0, 0, 9], "Green": [0, 255, 0, 8], "Blue": [0, 0, 255, 7]}
VALUES = gradient(64, 48, "int16")
UID, STUDY = "1.2.826.0.1.7.1", "1.2.826.0.1.7"


def store(world: Any, pixels: np.ndarray = VALUES, site: str = "hammer", **more: Any) -> None:
    told = {
        **attributes_of(pixels),
        "SOPInstanceUID": UID,
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": STUDY + ".0",
        "PixelData": pixels.tobytes(),
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "WindowCenter": 40,
        "WindowWidth": 80,
        **more,
    }
    world.store(site, **told)


@pytest.fixture
def reader(world: Any) -> Any:
    store(world)
    return world.client("radiologist@centre")


def frame_of(client: Any, path: str = f"/api/instances/{UID}/frames/1", **headers: str) -> Any:
    return client.get(path, headers={"Accept-Encoding": "identity", **headers})


def test_pixels_come_with_what_is_needed_to_window_them(reader: Any) -> None:
    answer = frame_of(reader, Accept=PIXELS)
    assert answer.status_code == 200
    assert answer.headers["Lysbro-Size"] == "48x64"
    assert answer.headers["Lysbro-Type"] == "int16"
    assert answer.headers["Lysbro-Rescale"] == "1.0,-1024.0"
    assert answer.headers["Lysbro-Window"] == "40.0,80.0"
    assert answer.headers["Cache-Control"] == "no-store"
    values = np.frombuffer(answer.data, "<i2").reshape(64, 48)
    np.testing.assert_array_equal(values, VALUES)


def test_pixels_are_packed_for_those_who_can_unpack(reader: Any) -> None:
    answer = reader.get(
        f"/api/instances/{UID}/frames/1", headers={"Accept": PIXELS, "Accept-Encoding": "gzip"}
    )
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.data) == VALUES.tobytes()


def test_pixels_come_as_differences_or_as_they_are_for_those_who_say_so(reader: Any) -> None:
    path = f"/api/instances/{UID}/frames/1"
    small = {"Accept": f"{PIXELS}; coding=median", "Accept-Encoding": "gzip"}
    answer = reader.get(path, headers=small)
    assert answer.headers["Lysbro-Coding"] == "median"
    assert gzip.decompress(answer.data) == residuals(VALUES)
    assert frame_of(reader, Accept=small["Accept"]).data == residuals(VALUES)
    plain = reader.get(path, headers={**small, "Accept": f"{PIXELS}; coding=plain"})
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["Lysbro-Coding"] == "plain"
    assert plain.data == VALUES.tobytes()
    assert len({each.headers["ETag"] for each in (answer, plain)}) == 2


def test_a_frame_comes_as_it_is_stored_unless_another_form_is_asked_for(reader: Any) -> None:
    for headers in ({}, {"Accept": "*/*"}, DECODED):
        answer = frame_of(reader, **headers)
        assert answer.data == VALUES.tobytes()
        assert (
            answer.headers["Content-Type"]
            == f"application/octet-stream; transfer-syntax={EXPLICIT}"
        )


def test_a_form_that_is_not_there_is_not_acceptable(reader: Any) -> None:
    assert frame_of(reader, Accept="image/jp2").status_code == 406


def test_a_part_of_a_frame_can_be_asked_for(reader: Any) -> None:
    part = frame_of(reader, Range="bytes=10-19")
    assert part.status_code == 206
    assert part.data == VALUES.tobytes()[10:20]
    assert part.headers["Content-Range"] == f"bytes 10-19/{VALUES.nbytes}"
    assert frame_of(reader, Range=f"bytes={VALUES.nbytes}-").status_code == 416


def test_a_frame_that_is_known_is_not_sent_again(reader: Any) -> None:
    tag = frame_of(reader).headers["ETag"]
    assert frame_of(reader, **{"If-None-Match": tag}).status_code == 304
    assert frame_of(reader, Accept=PIXELS).headers["ETag"] != tag


def test_a_frame_that_is_not_there_is_not_found(reader: Any) -> None:
    assert frame_of(reader, f"/api/instances/{UID}/frames/2").status_code == 404
    assert frame_of(reader, f"/api/instances/{UID}/frames/0").status_code == 404
    assert frame_of(reader, "/api/instances/1.2.3.999/frames/1").status_code == 404


@pytest.mark.parametrize("what", ["frames/1", "frames/1/preview", "photo", "document", "text"])
def test_another_site_never_gets_an_image(world: Any, what: str) -> None:
    store(world)
    path = f"/api/instances/{UID}/{what}"
    assert world.client("referrer@berg").get(path).status_code == 404
    assert world.client("dermatologist@centre").get(path).status_code == 404
    assert world.anonymous().get(path).status_code == 401


def test_the_same_uid_from_two_sites_is_two_images(world: Any) -> None:
    store(world)
    store(world, VALUES + 7, site="berg")
    reader = world.client("radiologist@centre")
    for site, values in (("hammer", VALUES), ("berg", VALUES + 7)):
        answer = frame_of(reader, f"/api/instances/{UID}/frames/1?site={site}")
        assert answer.data == values.tobytes()


def test_a_preview_is_a_jpeg_in_the_default_window(reader: Any) -> None:
    answer = reader.get(f"/api/instances/{UID}/frames/1/preview")
    assert answer.mimetype == "image/jpeg"
    shown = imagecodecs.jpeg8_decode(answer.data).astype(float)
    values = VALUES.astype(float) - 1024
    expected = np.clip(((values - 39.5) / 79 + 0.5) * 255, 0, 255)
    assert np.abs(shown - expected).mean() < 4
    again = reader.get(f"/api/instances/{UID}/frames/1/preview")
    assert again.data == answer.data


def test_a_header_that_makes_no_image_is_refused_with_words(world: Any) -> None:
    store(world, SamplesPerPixel=2, PixelData=VALUES.tobytes() * 2)
    answer = world.client("radiologist@centre").get(f"/api/instances/{UID}/frames/1/preview")
    assert answer.status_code == 422
    assert answer.get_json()["code"] == "no-pixels"


def test_a_palette_becomes_colours(world: Any) -> None:
    indices = (np.arange(64 * 48) % 4).reshape(64, 48).astype(np.uint8)
    tables = {
        f"{name}PaletteColorLookupTable{part}": value
        for name, entries in COLOURS.items()
        for part, value in (
            ("Descriptor", [4, 0, 16]),
            ("Data", np.array([e << 8 for e in entries], "<u2").tobytes()),
        )
    }  # fmt: skip
    store(world, indices, PhotometricInterpretation="PALETTE COLOR", Modality="US", **tables)
    answer = frame_of(world.client("radiologist@centre"), Accept=PIXELS)
    assert answer.headers["Lysbro-Samples"] == "3"
    colours = np.frombuffer(answer.data, np.uint8).reshape(64, 48, 3)
    assert colours[0, :4].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 8, 7]]
    plain = frame_of(world.client("radiologist@centre"), **DECODED)
    assert plain.data == indices.tobytes()


def test_a_modality_table_is_applied_where_a_slope_cannot_say_it(world: Any) -> None:
    values = (np.arange(64 * 48) % 4).reshape(64, 48).astype(np.uint16)
    table = Dataset()
    table.add_new(0x00283002, "US", [4, 0, 16])
    table.add_new(0x00283006, "US", [5, 50, 500, 5000])
    table.ModalityLUTType = "US"
    more = {"ModalityLUTSequence": Sequence([table]), "RescaleSlope": None}
    store(world, values, Modality="CR", RescaleIntercept=None, **more)
    answer = frame_of(world.client("radiologist@centre"), Accept=PIXELS)
    assert answer.headers["Lysbro-Rescale"] == "1.0,0.0"
    assert set(np.frombuffer(answer.data, "<u2")) == {5, 50, 500, 5000}


def test_wide_values_are_brought_to_16_bits_and_say_so(world: Any) -> None:
    dose = (np.arange(64 * 48).reshape(64, 48) * 100_000).astype(np.uint32)
    store(world, dose, RescaleSlope="0.001", RescaleIntercept=0, Modality="RTDOSE")
    answer = frame_of(world.client("radiologist@centre"), Accept=PIXELS)
    assert answer.headers["Lysbro-Reduced"] == "1"
    slope, intercept = map(float, answer.headers["Lysbro-Rescale"].split(","))
    back = np.frombuffer(answer.data, "<u2").astype(float) * slope + intercept
    np.testing.assert_allclose(back.reshape(64, 48), dose * 0.001, atol=slope)


def test_a_report_is_read_as_text(world: Any) -> None:
    item = Dataset()
    item.RelationshipType, item.ValueType, item.TextValue = (
        "CONTAINS",
        "TEXT",
        "No <b>bleeding</b>.",
    )
    name = Dataset()
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = "121071", "DCM", "Finding"
    item.ConceptNameCodeSequence = Sequence([name])
    store_paper(
        world, "1.2.840.10008.5.1.4.1.1.88.11", Modality="SR", ContentSequence=Sequence([item])
    )
    answer = world.client("radiologist@centre").get(f"/api/instances/{UID}/text").get_json()
    assert answer["lines"] == [{"depth": 1, "name": "Finding", "value": "No <b>bleeding</b>."}]


def test_a_document_opens_where_it_is(world: Any) -> None:
    pdf = b"%PDF-1.4 a document\n"
    store_paper(
        world, "1.2.840.10008.5.1.4.1.1.104.1", Modality="DOC", EncapsulatedDocument=pdf,
        MIMETypeOfEncapsulatedDocument="application/pdf",
    )  # fmt: skip
    answer = world.client("radiologist@centre").get(f"/api/instances/{UID}/document")
    assert answer.mimetype == "application/pdf"
    assert answer.data.startswith(b"%PDF")
    assert answer.headers["Content-Disposition"].startswith("inline")
    assert world.client("radiologist@centre").get(f"/api/instances/{UID}/text").status_code == 404


def test_a_document_that_is_no_pdf_is_downloaded(world: Any) -> None:
    store_paper(
        world, "1.2.840.10008.5.1.4.1.1.104.1", Modality="DOC",
        EncapsulatedDocument=b"<script>alert(1)</script>",
    )  # fmt: skip
    answer = world.client("radiologist@centre").get(f"/api/instances/{UID}/document")
    assert answer.mimetype == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")


def store_paper(world: Any, sop_class: str, **attributes: Any) -> None:
    """Take in an object without pixels."""
    absent = dict.fromkeys(("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit"))
    world.store(
        "hammer",
        **absent,
        **{
            "SOPClassUID": sop_class,
            "SOPInstanceUID": UID,
            "StudyInstanceUID": STUDY,
            "SeriesInstanceUID": STUDY + ".0",
            "PixelData": None,
            **attributes,
        },
    )


def test_the_page_has_the_manifest_inlined_and_the_api_gives_the_same(world: Any) -> None:
    store(world, SeriesDescription="</script><script>alert(1)</script>")
    case_id = world.case_of("hammer", STUDY)
    reader = world.client("radiologist@centre")
    page = reader.get(f"/cases/{case_id}", headers={"Accept": "text/html"}).text
    found = re.search(r'<script type="application/json" id="manifest">(.*?)</script>', page)
    assert found is not None
    inlined = json.loads(found[1])
    assert inlined == reader.get(f"/api/cases/{case_id}/manifest").get_json()
    assert inlined["series"][0]["description"] == "</script><script>alert(1)</script>"
    assert "<script>alert" not in page


def test_an_opening_is_noted_where_the_image_has_been(world: Any) -> None:
    store(world)
    case_id = world.case_of("hammer", STUDY)
    reader = world.client("radiologist@centre")
    for who in ("radiologist@centre", "coordinator@centre", "radiologist@centre"):
        world.client(who).get(f"/cases/{case_id}", headers={"Accept": "text/html"})
    custody = reader.get(f"/api/instances/{UID}/custody").get_json()["custody"]
    assert [line["event"] for line in custody].count("opened") == 1
    opened = next(line for line in custody if line["event"] == "opened")
    assert opened["detail"]["case"] == case_id
    assert opened["detail"]["name"] == "radiologist centre"


def test_a_draft_is_shown_to_the_one_who_writes_it_only(world: Any) -> None:
    store(world)
    case_id = world.case_of("hammer", STUDY)
    writer, other = world.client("radiologist@centre"), world.client("coordinator@centre")
    assert writer.post(f"/api/cases/{case_id}/claim", json={}).status_code == 200
    writer.put(f"/api/cases/{case_id}/findings", json={"impression": "A quiet thought"})
    pages = [
        c.get(f"/cases/{case_id}", headers={"Accept": "text/html"}).text for c in (writer, other)
    ]
    assert ["A quiet thought" in page for page in pages] == [True, False]


def test_a_photograph_keeps_its_bytes_and_its_colours(world: Any) -> None:
    rng = np.random.default_rng(1)
    skin = (rng.normal((200, 150, 120), 12, (600, 800, 3))).clip(0, 255).astype(np.uint8)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    jpeg = io.BytesIO()
    Image.fromarray(skin).save(jpeg, "JPEG", quality=90, icc_profile=srgb)
    case_id = world.derm_case("fjord")
    taken = world.client("referrer@fjord").post(
        f"/api/cases/{case_id}/photos",
        data={
            "photo": (io.BytesIO(jpeg.getvalue()), "a.jpg"),
            "kind": "closeup",
            "site_code": "244111001",
        },
    )
    assert taken.status_code == 201, taken.text
    uid = taken.get_json()["sop_instance_uid"]
    world.parts.archive.settle()
    world.client("referrer@fjord").post(f"/api/cases/{case_id}/submit")
    reader = world.client("dermatologist@centre")
    answer = reader.get(f"/api/instances/{uid}/photo")
    assert answer.mimetype == "image/jpeg"
    assert "sRGB" in unquote(answer.headers["Lysbro-Profile"])
    with Image.open(io.BytesIO(answer.data)) as shown, Image.open(jpeg) as sent:
        np.testing.assert_array_equal(np.asarray(shown), np.asarray(sent))
        assert shown.info["icc_profile"]
    manifest = reader.get(f"/api/cases/{case_id}/manifest").get_json()
    assert manifest["hanging"]["layout"] == "photos"
    assert manifest["series"][0]["common"]["view"] == "CLOSEUP"
    assert reader.get(f"/api/instances/{uid}/frames/1/preview").mimetype == "image/jpeg"


def test_what_functional_groups_say_of_a_frame_comes_with_its_pixels(world: Any) -> None:
    def item(**values: Any) -> Dataset:
        dataset = Dataset()
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        return dataset

    shared = item(
        PixelMeasuresSequence=Sequence([item(PixelSpacing=[0.4, 0.8])]),
        PixelValueTransformationSequence=Sequence(
            [item(RescaleSlope=2, RescaleIntercept=-500, RescaleType="HU")]
        ),
    )
    own = [
        item(FrameVOILUTSequence=Sequence([item(WindowCenter=center, WindowWidth=300)]))
        for center in (50, 60)
    ]
    store(
        world,
        SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1",
        NumberOfFrames=2,
        PixelData=VALUES.tobytes() + (VALUES + 1).tobytes(),
        SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(own),
        WindowCenter=None,
        WindowWidth=None,
        RescaleSlope=None,
        RescaleIntercept=None,
    )
    reader = world.client("radiologist@centre")
    answer = frame_of(reader, f"/api/instances/{UID}/frames/2", Accept=PIXELS)
    assert answer.headers["Lysbro-Rescale"] == "2.0,-500.0"
    assert answer.headers["Lysbro-Window"] == "60.0,300.0"
    assert answer.headers["Lysbro-Spacing"] == "0.4,0.8,patient"
    assert answer.data == (VALUES + 1).tobytes()
    preview = reader.get(f"/api/instances/{UID}/frames/1/preview")
    assert imagecodecs.jpeg8_decode(preview.data).shape == (64, 96)  # square pixels
