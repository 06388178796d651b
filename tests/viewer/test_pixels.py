"""Frames of every still transfer syntax come out as the pixels that went in; limits hold first."""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
import pytest

from casework.errors import Invalid, TooLarge
from tests.viewer.images import EXPLICIT, attributes_of, gradient
from viewer.codestreams import stated_size
from viewer.pixels import BIG_ENDIAN, JPEG_BASELINE, RLE, PixelLimits, decode, shape_of

GREY16 = gradient(kind="uint16")
SIGNED = gradient(kind="int16")
COLOUR = np.stack([gradient(kind="uint8") + i for i in range(3)], axis=-1)


def rle(pixels: np.ndarray) -> bytes:
    """Return PS3.5 annex G bytes, every segment as literal runs."""
    samples = pixels.reshape(*pixels.shape[:2], -1)
    width, segments = pixels.dtype.itemsize, []
    for i in range(samples.shape[2]):
        plane = np.ascontiguousarray(samples[:, :, i]).view(np.uint8).reshape(-1, width)
        for byte in reversed(range(width)):
            segments.append(imagecodecs.packbits_encode(plane[:, byte].tobytes()))
    offsets, at = [], 64
    for segment in segments:
        offsets.append(at)
        at += len(segment)
    head = [len(segments), *offsets] + [0] * (15 - len(offsets))
    return np.array(head, "<u4").tobytes() + b"".join(segments)


LOSSLESS = {
    "explicit": (EXPLICIT, GREY16, GREY16.tobytes()),
    "signed": (EXPLICIT, SIGNED, SIGNED.tobytes()),
    "big endian": (BIG_ENDIAN, GREY16, GREY16.byteswap().tobytes()),
    "colour by pixel": (EXPLICIT, COLOUR, COLOUR.tobytes()),
    "RLE": (RLE, GREY16, rle(GREY16)),
    "RLE colour": (RLE, COLOUR, rle(COLOUR)),
    "JPEG lossless": (
        "1.2.840.10008.1.2.4.70",
        GREY16,
        imagecodecs.ljpeg_encode(GREY16, bitspersample=16),
    ),
    "JPEG-LS": ("1.2.840.10008.1.2.4.80", GREY16, imagecodecs.jpegls_encode(GREY16)),
    "JPEG 2000": (
        "1.2.840.10008.1.2.4.90",
        GREY16,
        imagecodecs.jpeg2k_encode(GREY16, reversible=True, level=0),
    ),
    "HTJ2K": ("1.2.840.10008.1.2.4.201", GREY16, imagecodecs.htj2k_encode(GREY16)),
    "JPEG XL": (
        "1.2.840.10008.1.2.4.110",
        COLOUR,
        imagecodecs.jpegxl_encode(COLOUR, lossless=True),
    ),
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_lossless_frame_comes_out_as_it_went_in(name: str) -> None:
    syntax, pixels, data = LOSSLESS[name]
    decoded = decode(data, syntax, attributes_of(pixels))
    assert decoded.is_colour == (pixels.ndim == 3)
    np.testing.assert_array_equal(decoded.pixels, pixels)


def test_planes_of_colour_are_brought_together() -> None:
    data = COLOUR.transpose(2, 0, 1).tobytes()
    decoded = decode(data, EXPLICIT, attributes_of(COLOUR, PlanarConfiguration=1))
    np.testing.assert_array_equal(decoded.pixels, COLOUR)


def test_bits_outside_the_stored_ones_do_not_count() -> None:
    values = np.array([[0, 1], [2047, -2048]], np.int16)
    raw = (values & 0x0FFF | np.int16(0x7000)).tobytes()  # an overlay above twelve stored bits
    shape = attributes_of(values, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(decode(raw, EXPLICIT, shape).pixels, values)


def test_chroma_for_two_pixels_becomes_colour_for_each() -> None:
    data = bytes([81, 81, 90, 240] * 4)  # red, as full range YCbCr says it
    shape = attributes_of(np.zeros((2, 4, 3), np.uint8), PhotometricInterpretation="YBR_FULL_422")
    decoded = decode(data, EXPLICIT, shape)
    assert decoded.pixels.shape == (2, 4, 3)
    np.testing.assert_allclose(decoded.pixels[1, 3], [238, 14, 14], atol=1)


@pytest.mark.parametrize(
    ("photometric", "inside", "colour"),
    [("YBR_FULL_422", "YCBCR", (200, 120, 100)), ("RGB", "RGB", (200, 120, 100))],
)
def test_a_jpeg_keeps_its_colour_whatever_its_samples_are(
    photometric: str, inside: str, colour: tuple[int, int, int]
) -> None:
    pixels = np.full((16, 16, 3), colour, np.uint8)
    data = imagecodecs.jpeg8_encode(pixels, level=98, colorspace="RGB", outcolorspace=inside)
    shape = attributes_of(pixels, PhotometricInterpretation=photometric)
    decoded = decode(data, JPEG_BASELINE, shape)
    np.testing.assert_allclose(decoded.pixels[8, 8], colour, atol=3)


def test_single_bits_become_pixels() -> None:
    mask = np.array([[1, 0, 1, 0, 0, 0, 0, 1], [0, 1, 1, 1, 1, 0, 0, 0]], np.uint8)
    data = np.packbits(mask, bitorder="little").tobytes()
    shape = attributes_of(mask, BitsAllocated=1, BitsStored=1, HighBit=0)
    np.testing.assert_array_equal(decode(data, EXPLICIT, shape).pixels, mask)


def test_a_palette_stays_indices() -> None:
    indices = gradient(kind="uint8")
    shape = attributes_of(indices, PhotometricInterpretation="PALETTE COLOR")
    assert decode(indices.tobytes(), EXPLICIT, shape).photometric == "PALETTE COLOR"


def test_an_image_over_the_limit_is_refused_before_it_is_decoded() -> None:
    shape = attributes_of(GREY16, Rows=60_000, Columns=60_000)
    with pytest.raises(TooLarge, match="60000 x 60000"):
        decode(b"", EXPLICIT, shape)


def test_a_stream_that_states_another_size_is_refused_before_it_is_decoded() -> None:
    large = imagecodecs.jpeg2k_encode(np.zeros((64, 48), np.uint8), level=0)
    shape = attributes_of(np.zeros((16, 16), np.uint8))
    with pytest.raises(Invalid, match="48 x 64"):
        decode(large, "1.2.840.10008.1.2.4.90", shape)
    with pytest.raises(TooLarge):
        decode(large, "1.2.840.10008.1.2.4.90", shape, limits=PixelLimits(max_pixels=1000))


@pytest.mark.parametrize("syntax", [EXPLICIT, RLE, JPEG_BASELINE, "1.2.840.10008.1.2.4.80"])
def test_a_broken_frame_is_refused_with_words(syntax: str) -> None:
    with pytest.raises(Invalid):
        decode(b"\x01\x00\x00\x00 nothing", syntax, attributes_of(GREY16))


def test_a_video_is_not_taken_for_an_image() -> None:
    with pytest.raises(Invalid, match="video"):
        decode(b"", "1.2.840.10008.1.2.4.102", attributes_of(GREY16))


@pytest.mark.parametrize("wrong", [{"Rows": 0}, {"SamplesPerPixel": 2}, {"BitsAllocated": 12}])
def test_a_header_that_makes_no_image_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        shape_of(attributes_of(GREY16) | wrong)


def test_the_size_of_a_stream_is_read_from_its_head() -> None:
    pixels = np.zeros((37, 53, 3), np.uint8)
    for data in (
        imagecodecs.jpeg8_encode(pixels),
        imagecodecs.jpegls_encode(pixels),
        imagecodecs.jpeg2k_encode(pixels, codecformat="j2k"),
        imagecodecs.jpeg2k_encode(pixels, codecformat="jp2"),
        imagecodecs.htj2k_encode(pixels),
        imagecodecs.jpegxl_encode(pixels),
        imagecodecs.jpegxl_encode(pixels, usecontainer=True),
    ):
        assert stated_size(bytes(data)) == (53, 37), bytes(data[:16])
    assert stated_size(imagecodecs.jpegxl_encode(np.zeros((64, 64), np.uint8))) == (64, 64)
    assert stated_size(b"no image") is None
