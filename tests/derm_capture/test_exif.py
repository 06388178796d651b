"""The camera is heard, the place is not; damaged blocks are passed over."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from derm_capture import validate
from derm_capture.exif import read_exif
from tests.derm_capture import pictures
from tests.derm_capture.wrapping import read, wrapped

BLOCK = pictures.exif_block(6).removeprefix(b"Exif\x00\x00")


def test_read_when_a_telephone_wrote_it_then_camera_time_and_exposure_are_known():
    camera = read_exif(BLOCK)
    assert (camera.orientation, camera.make, camera.model) == (6, "Nordcam", "Fjellfone 9")
    assert camera.taken_at == datetime(2026, 2, 3, 10, 42, 7, tzinfo=timezone(timedelta(hours=1)))
    assert camera.numbers["iso"] == 200
    assert camera.numbers["exposure_s"] == 0.02
    assert camera.says_anything
    assert "Kari" not in repr(camera)
    assert "69" not in repr(camera)


def test_read_when_there_is_no_block_then_the_picture_is_upright_and_silent():
    assert read_exif(b"").orientation == 1
    assert not read_exif(b"").says_anything


def test_read_when_only_xmp_tells_the_orientation_then_it_counts():
    xmp = b'<rdf:Description tiff:Orientation="8"/>'
    assert read_exif(b"", xmp=xmp).orientation == 8
    assert read_exif(BLOCK, xmp=xmp).orientation == 6


def test_read_when_bytes_are_spoiled_then_it_never_fails():
    rng = np.random.default_rng(5)
    for _ in range(400):
        spoiled = bytearray(BLOCK)
        for at in rng.integers(0, len(BLOCK), 6):
            spoiled[at] = rng.integers(0, 256)
        assert 1 <= read_exif(bytes(spoiled)).orientation <= 8
    for length in range(len(BLOCK)):
        read_exif(BLOCK[:length])


@pytest.mark.parametrize("year", [b"0001", b"1826", b"9999"])
def test_read_when_the_clock_was_never_set_then_there_is_no_time(year):
    said = BLOCK.replace(b"2026:02:03", year + b":02:03")
    assert said != BLOCK
    assert read_exif(said).taken_at is None
    photo = pictures.jpeg(pictures.skin(), exif=b"Exif\x00\x00" + said)
    assert validate.check(wrapped(photo).part10) == ()


@pytest.mark.parametrize(
    ("day", "offset", "acquired", "content"),
    [
        (b"2026:02:03", "+0100", "20260203104207+0100", "104207"),
        (b"2026:07:03", "+0100", "20260703114207+0200", "104207"),
    ],
)
def test_times_when_the_picture_is_of_another_season_then_all_are_told_by_one_offset(
    day, offset, acquired, content
):
    said = BLOCK.replace(b"2026:02:03", day)
    ds = read(wrapped(pictures.jpeg(pictures.skin(), exif=b"Exif\x00\x00" + said)))
    assert (ds.TimezoneOffsetFromUTC, ds.AcquisitionDateTime, ds.ContentTime) == (
        offset, acquired, content,
    )  # fmt: skip
