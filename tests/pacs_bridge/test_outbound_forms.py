"""What a destination prefers: uncompressed or a named lossless form, with the same pixels."""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate

from casework.errors import Invalid
from pacs_bridge import plan
from pacs_bridge.compress import FORMS, to_lossless
from pacs_bridge.syntaxes import EXPLICIT_LE, IMPLICIT_LE
from pacs_bridge.transcode import decoded
from storage.destinations import FORMS as NAMED
from storage.destinations import Destination
from tests.pacs_bridge.conftest import House, open_house
from tests.pacs_bridge.making import CT, ORIGIN, ct, part10
from tests.pacs_bridge.outgoing import as_us, node, send_stored
from tests.pacs_bridge.retrieving import PLAIN, fill, listening, of

JPEG_LS, BASELINE = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.50"
RNG = np.random.default_rng(1)


def picture(instance: str = "1.2.3.1", **values: object) -> Dataset:
    """Return a CT of noise, so that nothing is right by luck."""
    kind = np.int16 if values.get("PixelRepresentation") else np.uint16
    pixels = RNG.integers(-2000 if kind is np.int16 else 0, 2000, (32, 48)).astype(kind)
    given: dict[str, object] = {
        "Rows": 32, "Columns": 48, "SamplesPerPixel": 1, "BitsAllocated": 16, "BitsStored": 12,
        "HighBit": 11, "PixelRepresentation": 0, "PhotometricInterpretation": "MONOCHROME2",
        "PixelData": pixels.tobytes(),
    }  # fmt: skip
    return ct(instance, **{**given, **values})


def colour(planar: int) -> Dataset:
    return picture(
        SamplesPerPixel=3, BitsAllocated=8, BitsStored=8, HighBit=7, PlanarConfiguration=planar,
        PhotometricInterpretation="RGB",
        PixelData=RNG.integers(0, 255, (32, 48, 3), dtype=np.uint8).tobytes(),
    )  # fmt: skip


def frames() -> Dataset:
    return picture(NumberOfFrames=3, PixelData=RNG.integers(0, 4000, 3 * 32 * 48, "<u2").tobytes())


@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize(
    "made",
    [picture(), picture(PixelRepresentation=1, BitsStored=16, HighBit=15), colour(0), frames()],
    ids=["unsigned", "signed", "colour", "frames"],
)
def test_a_lossless_form_gives_the_same_pixels_back(form: str, made: Dataset) -> None:
    target = FORMS[form]
    coded = to_lossless(part10(made), target, source=EXPLICIT_LE)

    ds = dcmread(BytesIO(part10(dcmread(BytesIO(coded), force=True), target)))
    assert ds.PixelData[:4] == b"\xfe\xff\x00\xe0"
    again = decoded(part10(ds, target), source=target)
    assert again.PhotometricInterpretation == made.PhotometricInterpretation
    if form == "rle" and made.SamplesPerPixel == 3:
        assert (again.pixel_array == made.pixel_array).all()
    else:
        assert again.PixelData == made.PixelData
    assert again.SOPInstanceUID == made.SOPInstanceUID


def test_planes_of_colour_become_pixels_of_colour() -> None:
    made = colour(1)
    coded = to_lossless(part10(made), JPEG_LS, source=EXPLICIT_LE)
    again = decoded(part10(dcmread(BytesIO(coded), force=True), JPEG_LS), source=JPEG_LS)
    planes = np.frombuffer(made.PixelData, np.uint8).reshape(3, 32, 48)
    assert again.PixelData == planes.transpose(1, 2, 0).tobytes()


@pytest.mark.parametrize(
    "made",
    [
        picture(BitsAllocated=32, BitsStored=32, HighBit=31),
        picture(PixelData=b"\0\0"),
        picture(PhotometricInterpretation="YBR_FULL_422"),
        picture(PixelData=b"\xff\xff" * 32 * 48),  # overlays in unused bits
    ],
)
def test_what_a_codec_cannot_carry_is_refused(made: Dataset) -> None:
    with pytest.raises(Invalid) as failed:
        to_lossless(part10(made), FORMS["htj2k"], source=EXPLICIT_LE)
    assert failed.value.code == "not-convertible"


def test_every_form_that_can_be_named_is_known() -> None:
    assert set(NAMED) == {plan.UNCOMPRESSED_FORM, *FORMS}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Return a house with a study: plain, in JPEG-LS, with loss, and without pixels."""
    with open_house(tmp_path_factory.mktemp("forms")) as opened:
        fill(opened, picture("1.2.3.1"))
        pixels = np.arange(32 * 48, dtype=np.uint16).reshape(32, 48)
        packed = picture("1.2.3.2", PixelData=encapsulate([imagecodecs.jpegls_encode(pixels)]))
        lossy = picture(
            "1.2.3.3", BitsAllocated=8, BitsStored=8, HighBit=7,
            PixelData=encapsulate([imagecodecs.jpeg8_encode(pixels.astype(np.uint8))]),
        )  # fmt: skip
        for ds, syntax in ((packed, JPEG_LS), (lossy, BASELINE)):
            ds["PixelData"].is_undefined_length = True
            ds["PixelData"].VR = "OB"
            opened.archive.receive_part10(BytesIO(part10(ds, syntax)), ORIGIN)
        fill(opened, picture("1.2.3.4", PixelData=b"\xff\xff" * 32 * 48))
        yield opened


def sent_in(house: House, port: int, form: str) -> dict[str, str]:
    outcomes = send_stored(
        house, node(port, "PACS"), as_us("LYSBRO"), destination=Destination("PACS", form=form)
    )
    assert all(each.has_arrived for each in outcomes)
    return {each.sop_instance_uid: each.sent_in for each in outcomes}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("", [EXPLICIT_LE, JPEG_LS, BASELINE, EXPLICIT_LE]),
        ("uncompressed", [EXPLICIT_LE] * 4),
        ("jpeg-ls", [JPEG_LS, JPEG_LS, BASELINE, EXPLICIT_LE]),
        ("jpeg-2000", [FORMS["jpeg-2000"], FORMS["jpeg-2000"], BASELINE, FORMS["jpeg-2000"]]),
        ("htj2k", [FORMS["htj2k"], FORMS["htj2k"], BASELINE, EXPLICIT_LE]),
        ("rle", [FORMS["rle"], FORMS["rle"], BASELINE, EXPLICIT_LE]),
    ],
)
def test_a_node_gets_what_it_prefers_where_that_can_be(
    house: House, form: str, expected: list[str]
) -> None:
    takes = (*PLAIN, JPEG_LS, BASELINE, *FORMS.values())
    with listening((CT, takes)) as pacs:
        found = sent_in(house, pacs.port, form)
        assert [found[f"1.2.3.{n}"] for n in range(1, 5)] == expected
        assert {uid: each.syntax for uid, each in of(pacs.arrived).items()} == found


@pytest.mark.slow
def test_a_node_that_does_not_take_what_it_prefers_gets_what_it_takes(house: House) -> None:
    with listening((CT, (IMPLICIT_LE,))) as pacs:
        assert set(sent_in(house, pacs.port, "htj2k").values()) == {IMPLICIT_LE}


@pytest.mark.slow
def test_a_slow_line_is_not_sent_to_faster_than_it_is_set(house: House) -> None:
    with listening((CT, (*PLAIN, JPEG_LS, BASELINE))) as pacs:
        began = time.monotonic()
        outcomes = send_stored(
            house, node(pacs.port, "PACS"), as_us("LYSBRO"),
            destination=Destination("PACS", rate_bytes=12_000),
        )  # fmt: skip
        took_s = time.monotonic() - began
    assert len(outcomes) == 4
    assert took_s > 0.3
