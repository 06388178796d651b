"""Leaving a transfer syntax: the pixels and the rest stay what they are."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.filereader import read_dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from casework.errors import Invalid
from pacs_bridge.syntaxes import EXPLICIT_LE, IMPLICIT_LE
from pacs_bridge.transcode import to_uncompressed
from tests.pacs_bridge.making import ct, part10

GREY = (np.arange(48 * 32, dtype=np.uint16).reshape(48, 32) * 7) % 4096
COLOUR = np.stack([GREY % 251, GREY % 241, GREY % 239], axis=-1).astype(np.uint8)
JPEG, JPEG_LS, MPEG2 = (f"1.2.840.10008.1.2.4.{n}" for n in (50, 80, 100))
TARGETS = pytest.mark.parametrize("target", [EXPLICIT_LE, IMPLICIT_LE])


def grey(**values: object) -> object:
    return ct("1.2.3", Rows=48, Columns=32, BitsStored=12, HighBit=11, **values)


def jpeg_2000(pixels: np.ndarray) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="j2k"))


def compressed(encode: Callable[[np.ndarray], bytes], syntax: str, *, frames: int = 1) -> bytes:
    ds = grey(NumberOfFrames=frames, PixelData=encapsulate([encode(GREY)] * frames))
    ds["PixelData"].is_undefined_length = True
    ds["PixelData"].VR = "OB"
    return part10(ds, syntax)


def pixels_of(data: bytes, target: str, frames: int = 1) -> np.ndarray:
    ds = read_dataset(BytesIO(data), target == IMPLICIT_LE, True)
    assert str(ds.PatientName) == "Bjørnson^Åse"
    size = 48 * 32 * 2 * frames
    return np.frombuffer(ds.PixelData[:size], "<u2").reshape(frames, 48, 32)


@TARGETS
@pytest.mark.parametrize(
    ("encode", "syntax"),
    [
        (imagecodecs.jpegls_encode, JPEG_LS),
        (
            lambda a: imagecodecs.jpeg2k_encode(a, level=0, codecformat="j2k"),
            "1.2.840.10008.1.2.4.90",
        ),
        (lambda a: imagecodecs.htj2k_encode(a, reversible=True), "1.2.840.10008.1.2.4.201"),
        (lambda a: imagecodecs.ljpeg_encode(a, bitspersample=12), "1.2.840.10008.1.2.4.70"),
    ],
)
def test_lossless_pixels_are_the_same_after(
    encode: Callable[[np.ndarray], bytes], syntax: str, target: str
) -> None:
    data = to_uncompressed(compressed(encode, syntax, frames=2), target, source=syntax)

    assert (pixels_of(data, target, 2) == GREY).all()


@TARGETS
def test_rle_is_left_as_well(target: str) -> None:
    ds = dcmread(BytesIO(part10(grey(PixelData=GREY.tobytes()))))
    ds.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)

    data = to_uncompressed(part10(ds, RLELossless), target, source=RLELossless)

    assert (pixels_of(data, target) == GREY).all()
    assert read_dataset(BytesIO(data), target == IMPLICIT_LE, True).SOPInstanceUID == "1.2.3"


@TARGETS
@pytest.mark.parametrize("syntax", [EXPLICIT_LE, ImplicitVRLittleEndian])
def test_uncompressed_is_only_written_otherwise(syntax: str, target: str) -> None:
    data = to_uncompressed(part10(grey(PixelData=GREY.tobytes()), syntax), target, source=syntax)

    assert (pixels_of(data, target) == GREY).all()


@TARGETS
def test_big_endian_words_are_swapped(target: str) -> None:
    ds = grey()
    ds.add_new(0x7FE00010, "OW", GREY.astype(">u2").tobytes())

    data = to_uncompressed(part10(ds, ExplicitVRBigEndian), target, source=ExplicitVRBigEndian)

    assert (pixels_of(data, target) == GREY).all()


def test_colour_of_jpeg_becomes_rgb() -> None:
    ds = grey(
        SamplesPerPixel=3, PhotometricInterpretation="YBR_FULL_422", PlanarConfiguration=0,
        BitsAllocated=8, PixelData=encapsulate([imagecodecs.jpeg8_encode(COLOUR, level=95)]),
    )  # fmt: skip
    ds.BitsStored, ds.HighBit = 8, 7
    ds["PixelData"].is_undefined_length = True
    ds["PixelData"].VR = "OB"

    data = to_uncompressed(part10(ds, JPEG), EXPLICIT_LE, source=JPEG)

    read = read_dataset(BytesIO(data), False, True)
    assert read.PhotometricInterpretation == "RGB"
    assert len(read.PixelData) == 48 * 32 * 3


def test_what_cannot_be_converted_is_refused_by_name() -> None:
    film = compressed(lambda _: b"a film, as it were", MPEG2)

    with pytest.raises(Invalid, match="MPEG2"):
        to_uncompressed(film, EXPLICIT_LE, source=MPEG2)


def test_broken_pixels_are_refused() -> None:
    broken = compressed(lambda _: b"no image at all", JPEG_LS)

    with pytest.raises(Invalid, match="JPEG-LS"):
        to_uncompressed(broken, EXPLICIT_LE, source=JPEG_LS)
