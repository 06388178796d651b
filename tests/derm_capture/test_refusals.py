"""What is no photograph is refused with a code and a sentence, before it costs anything."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from casework.errors import Invalid, TooLarge
from derm_capture.photo import PhotoLimits, open_photo
from tests.derm_capture import pictures
from viewer.error_words import error_in

SKIN = pictures.skin()


def animation(form: str) -> bytes:
    frames = [Image.fromarray(pictures.skin(seed=n)) for n in (1, 2, 3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, form, save_all=True, append_images=frames[1:], duration=50)
    return buffer.getvalue()


def png_bomb() -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">L", len(body)) + name + body + struct.pack(">L", zlib.crc32(name + body))
        )

    head = struct.pack(">LLBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


CASES = [
    (b"", "not-an-image"),
    (b"just a letter to the dermatologist", "not-an-image"),
    (b"%PDF-1.7 ...", "not-an-image"),
    (b"\x89PNG\r\n\x1a\n", "damaged"),
    (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'></svg>", "vector"),
    (b"\x00\x00\x00\x18ftypmp42....", "video"),
    (b"\x00\x00\x00\x18ftypqt  ....", "video"),
    (pictures.encoded(SKIN, "GIF"), "unsupported-format"),
    (pictures.encoded(SKIN, "JPEG2000"), "unsupported-format"),
    (animation("GIF"), "animated"),
    (animation("WEBP"), "animated"),
    (animation("PNG"), "animated"),
    (animation("TIFF"), "animated"),
    (pictures.jpeg(SKIN)[:-400], "truncated"),
    (pictures.encoded(SKIN, "PNG")[:-400], "truncated"),
    (pictures.encoded(SKIN, "WEBP")[:-400], "damaged"),
    (pictures.jpeg(SKIN)[:60] + b"\xff\xd9", "truncated"),
    (b"\xff\xd8\xff\xfe\x00\x04hi\xff\xd9", "damaged"),
]


@pytest.mark.parametrize(("data", "code"), CASES, ids=[f"{n}-{c[1]}" for n, c in enumerate(CASES)])
def test_open_when_it_is_no_photograph_then_it_says_so(data, code):
    with pytest.raises(Invalid) as refused:
        open_photo(data)
    assert refused.value.code == code
    assert refused.value.message.endswith(".")
    assert error_in(refused.value.message, "nb") != refused.value.message


def test_open_when_too_many_bytes_then_it_is_too_large():
    with pytest.raises(TooLarge) as refused:
        open_photo(pictures.jpeg(SKIN), limits=PhotoLimits(max_bytes=1000))
    assert refused.value.code == "too-many-bytes"


@pytest.mark.parametrize(
    "data",
    [
        pictures.jpeg(SKIN),
        *(pictures.encoded(SKIN, f) for f in ("PNG", "WEBP", "TIFF", "BMP", "AVIF")),
    ],
)
def test_open_when_too_many_pixels_then_it_is_too_large(data):
    with pytest.raises(TooLarge) as refused:
        open_photo(data, limits=PhotoLimits(max_pixels=SKIN.shape[0] * SKIN.shape[1] - 1))
    assert refused.value.code == "too-many-pixels"


def test_open_when_a_bomb_then_it_is_refused_by_its_header():
    with pytest.raises(TooLarge) as refused:
        open_photo(png_bomb())
    assert refused.value.code == "too-many-pixels"


def test_open_when_a_jpeg_header_lies_about_its_size_then_nothing_is_decoded():
    data = bytearray(pictures.jpeg(SKIN))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"\xff\xff\xff\xff"
    with pytest.raises(TooLarge):
        open_photo(bytes(data))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF"])
def test_open_when_bytes_are_spoiled_then_it_opens_or_refuses(form):
    data = pictures.encoded(pictures.skin(40, 32), form)
    rng = np.random.default_rng(7)
    for _ in range(60):
        spoiled = bytearray(data)
        for at in rng.integers(0, len(data), 4):
            spoiled[at] = rng.integers(0, 256)
        with contextlib.suppress(Invalid):
            open_photo(bytes(spoiled), limits=PhotoLimits(max_pixels=100_000))
