"""Previews show the right greys, shapes and colours; their cache stays within its bound."""

from __future__ import annotations

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms

from viewer.display import Display, Window, display_of, needs_header
from viewer.frame_source import Shown
from viewer.photo_bytes import as_srgb, embedded_profile, profile_name, with_profile
from viewer.preview_cache import PreviewCache
from viewer.render import preview_of, windowed


def test_a_window_spreads_values_as_the_standard_says() -> None:
    # PS3.3 C.11.2.1.2.1: with centre 2048 and width 4096, 0 is black and 4095 is white
    values = np.array([[-1, 0, 2047, 2048, 4095, 5000]], np.int16)
    greys = windowed(values, Display(windows=(Window(2048, 4096),)))
    assert greys.tolist() == [[0, 0, 127, 128, 255, 255]]


def test_rescale_comes_before_the_window() -> None:
    display = Display(slope=2, intercept=-1024, windows=(Window(0, 256),))
    greys = windowed(np.array([[448, 512, 576]], np.uint16), display)
    assert greys.tolist() == [[0, 128, 255]]


def test_the_lowest_value_is_white_where_the_image_says_so() -> None:
    display = display_of(
        {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 128, "WindowWidth": 256}
    )
    assert windowed(np.array([[0, 255]], np.uint8), display).tolist() == [[255, 0]]


def test_without_a_window_the_whole_range_is_shown_but_for_padding() -> None:
    values = np.array([[-2000, 100, 200, 300]], np.int16)
    greys = windowed(values, Display(padding=(-2000, -2000)))
    assert greys.tolist() == [[0, 0, 128, 255]]


def test_other_functions_of_a_window_are_kept() -> None:
    values = np.array([[0, 50, 100]], np.int16)
    exact = windowed(values, Display(windows=(Window(50, 100),), function="LINEAR_EXACT"))
    assert exact.tolist() == [[0, 128, 255]]
    sigmoid = windowed(values, Display(windows=(Window(50, 100),), function="SIGMOID"))
    assert sigmoid.tolist() == [[30, 128, 225]]


def test_a_preview_has_square_pixels_and_a_bounded_size() -> None:
    tall = Shown(np.zeros((100, 100), np.uint8), False, Display(aspect=2.0))
    assert imagecodecs.jpeg8_decode(preview_of(tall)).shape == (200, 100)
    large = Shown(np.zeros((3000, 2500), np.uint16), False, Display())
    assert imagecodecs.jpeg8_decode(preview_of(large)).shape == (1024, 853)


def test_colour_stays_colour_in_a_preview() -> None:
    pixels = np.full((32, 32, 3), (200, 120, 100), np.uint8)
    shown = Shown(pixels, True, Display())
    decoded = imagecodecs.jpeg8_decode(preview_of(shown))
    np.testing.assert_allclose(decoded[16, 16], (200, 120, 100), atol=3)


def test_an_object_whose_tables_are_not_in_the_index_has_its_header_read() -> None:
    ct = "1.2.840.10008.5.1.4.1.1.2"
    assert not needs_header(ct, {"Modality": "CT", "WindowCenter": 1, "RescaleSlope": 1})
    assert needs_header(ct, {"PhotometricInterpretation": "PALETTE COLOR"})
    assert needs_header(ct + ".1", {"Modality": "CT"})
    assert needs_header("1.2.840.10008.5.1.4.1.1.1", {"Modality": "CR"})


@pytest.fixture
def photograph() -> tuple[bytes, bytes]:
    """Return a JPEG without a profile, and a profile."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    jpeg = bytes(imagecodecs.jpeg8_encode(np.full((32, 48, 3), (200, 120, 100), np.uint8)))
    return jpeg, srgb


def test_a_profile_is_put_into_a_jpeg_without_touching_its_pixels(
    photograph: tuple[bytes, bytes],
) -> None:
    jpeg, profile = photograph
    joined = with_profile(jpeg, profile)
    assert embedded_profile(jpeg) == b""
    assert embedded_profile(joined) == profile
    assert joined.endswith(jpeg[20:])
    np.testing.assert_array_equal(imagecodecs.jpeg8_decode(joined), imagecodecs.jpeg8_decode(jpeg))
    assert "sRGB" in profile_name(profile)


def test_a_long_profile_is_put_in_parts(photograph: tuple[bytes, bytes]) -> None:
    jpeg, _ = photograph
    long = bytes(range(256)) * 600
    with Image.open(io.BytesIO(with_profile(jpeg, long))) as image:
        assert image.info["icc_profile"] == long


def test_a_small_copy_is_in_srgb(photograph: tuple[bytes, bytes]) -> None:
    jpeg, profile = photograph
    small = as_srgb(jpeg, profile, longest=24)
    assert small.size == (24, 16)
    np.testing.assert_allclose(small.getpixel((8, 8)), (200, 120, 100), atol=4)


def test_the_cache_gives_back_what_it_keeps_and_drops_the_oldest(tmp_path: Path) -> None:
    cache = PreviewCache(tmp_path / "previews", limit_bytes=250)
    assert cache.get("a") is None
    for name in "abc":
        cache.put(name, name.encode() * 100)
    assert cache.get("c") == b"c" * 100
    assert cache.trim() == 1
    kept = [name for name in "abc" if cache.get(name)]
    assert len(kept) == 2
    assert not list((tmp_path / "previews").glob("*/.*"))


def test_without_a_folder_nothing_is_kept() -> None:
    cache = PreviewCache(None, limit_bytes=1)
    cache.put("a", b"x")
    assert cache.get("a") is None
    assert cache.trim() == 0


TABLED = (
    Display(windows=(Window(40, 80),), slope=0.5, intercept=-100.25),
    Display(windows=(Window(40, 81),), is_inverted=True),
    Display(windows=(Window(40, 80),), function="SIGMOID"),
    Display(padding=(-2.0, -2.0)),
)


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16"])
@pytest.mark.parametrize("display", TABLED)
def test_greys_by_table_are_those_of_each_value(kind: str, display: Display) -> None:
    info = np.iinfo(kind)
    dice = np.random.default_rng(3)
    for low, high in ((info.min, info.max), (info.min, info.min + 90), (-5, 90), (7, 8)):
        values = dice.integers(max(low, info.min), high, (300, 300), dtype=kind, endpoint=True)
        np.testing.assert_array_equal(
            windowed(values, display), windowed(values.astype(np.int64), display)
        )
