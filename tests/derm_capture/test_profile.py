"""A colour profile keeps its colours and loses the names in it."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from derm_capture.profile import without_names
from derm_capture.srgb import DISPLAY_P3, SRGB
from tests.derm_capture import pictures

NAME = "Kari Nordmann"


def with_tag(icc: bytes, name: bytes, element: bytes) -> bytes:
    """Return a profile with a tag at its end, in place of one of that name."""
    count = int.from_bytes(icc[128:132])
    table_end = 132 + 12 * count
    rows = [struct.unpack_from(">4sLL", icc, 132 + 12 * n) for n in range(count)]
    rows = [*(row for row in rows if row[0] != name), (name, len(icc), len(element))]
    shift = 12 * (len(rows) - count)
    table = b"".join(struct.pack(">4sLL", tag, start + shift, size) for tag, start, size in rows)
    made = icc[:128] + struct.pack(">L", len(rows)) + table + icc[table_end:] + element
    return struct.pack(">L", len(made)) + made[4:]


def named(icc: bytes) -> bytes:
    """Return the sRGB profile calling itself by a person's name."""
    return icc.replace("sRGB built-in".encode("utf-16-be"), NAME.encode("utf-16-be"))


TEXTS = {
    b"desc": b"desc" + bytes(4) + struct.pack(">L", 14) + NAME.encode() + bytes(79),
    b"cprt": b"text" + bytes(4) + NAME.encode() + b"\0",
    b"dmdd": b"mluc" + bytes(4) + struct.pack(">LL2s2sLL", 1, 12, b"nb", b"NO", 26, 28)
    + NAME.encode("utf-16-be"),
    b"mmod": b"mmod" + bytes(8) + NAME.encode(),
    b"meta": b"dict" + bytes(12) + NAME.encode("utf-16-be"),
}  # fmt: skip


def holds_name(data: bytes) -> bool:
    return any(NAME.encode(c) in data for c in ("ascii", "utf-16-be", "utf-16-le"))


def transform(icc: bytes) -> np.ndarray:
    image = Image.fromarray(pictures.skin())
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    turned = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"))
    return np.asarray(turned)


@pytest.mark.parametrize("tag", TEXTS)
def test_profile_when_a_tag_holds_a_name_then_it_is_gone_and_the_colours_are_the_same(tag):
    named_one = with_tag(DISPLAY_P3, tag, TEXTS[tag])
    assert holds_name(named_one)
    cleaned = without_names(named_one)
    assert not holds_name(cleaned)
    assert (transform(cleaned) == transform(DISPLAY_P3)).all()
    assert without_names(cleaned) == cleaned


def test_profile_when_it_calls_itself_by_a_name_then_it_has_blanks():
    cleaned = without_names(named(SRGB))
    assert holds_name(named(SRGB))
    assert not holds_name(cleaned)
    assert len(cleaned) == len(SRGB)
    assert (transform(cleaned) == transform(SRGB)).all()


def test_profile_when_bytes_lie_behind_it_or_in_its_header_then_they_are_gone():
    assert without_names(SRGB + NAME.encode()) == SRGB
    assert not holds_name(without_names(SRGB[:100] + NAME.encode() + SRGB[113:]))


def test_profile_when_its_words_hold_a_number_then_only_short_ones_stay():
    for text, is_kept in (("sRGB 61966    ", True), ("sRGB 131169002", False)):
        made = with_tag(SRGB, b"cprt", b"text" + bytes(4) + text.encode() + b"\0")
        assert (text.encode() in without_names(made)) is is_kept


@pytest.mark.parametrize("icc", [SRGB, DISPLAY_P3])
def test_profile_when_it_is_a_standard_one_then_it_is_kept_to_the_byte(icc):
    assert without_names(icc) == icc


def test_profile_when_spoiled_then_it_never_fails():
    rng = np.random.default_rng(11)
    for _ in range(500):
        spoiled = bytearray(SRGB)
        for at in rng.integers(128, len(SRGB), 6):
            spoiled[at] = rng.integers(0, 256)
        assert len(without_names(bytes(spoiled))) <= len(SRGB)
    for length in range(0, len(SRGB), 7):
        without_names(SRGB[:length])


@pytest.mark.fixtures
def test_profiles_of_real_photographs_when_standard_then_they_are_kept_to_the_byte(fixtures_dir):
    kept = 0
    for name in ("sharp/p3.png", "pillow/icc_profile.png", "pillow/hopper.iccprofile.tif"):
        with Image.open(fixtures_dir / "photo_exif_icc" / name) as image:
            icc = image.info["icc_profile"]
        kept += without_names(icc) == icc
    assert kept == 3
