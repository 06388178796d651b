"""The camera is heard, the place is not; damaged blocks are passed over."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np

from derm_capture.exif import read_exif
from tests.derm_capture import pictures

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
