"""A JPEG whose samples are not all there is found by the look at it; a whole one never is."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from casework.errors import Invalid
from derm_capture import jpeg
from derm_capture.photo import open_photo
from tests.derm_capture import pictures

SKIN = pictures.skin(400, 300)
EOI = b"\xff\xd9"
KINDS = {
    "4:2:0": {},
    "4:4:4": {"sampling": "4:4:4"},
    "grey": {"grey": True},
    "restarts": {"restart_marker_blocks": 5},
    "restart rows": {"restart_marker_rows": 1},
    "progressive": {"progressive": True},
    "progressive grey": {"progressive": True, "grey": True},
}


def taken(kind: str, width: int = 400, height: int = 300) -> bytes:
    return pictures.jpeg(pictures.skin(width, height), **KINDS[kind])


def last_scan(data: bytes) -> jpeg.Segment:
    return [s for s in jpeg.read_jpeg(data).segments if s.marker == jpeg.SOS][-1]


def with_size(data: bytes, *, rows: int = 0, columns: int = 0) -> bytes:
    at = next(s for s in jpeg.read_jpeg(data).segments if s.marker in jpeg.FRAMES).payload + 1
    spoiled = bytearray(data)
    if rows:
        spoiled[at : at + 2] = rows.to_bytes(2)
    if columns:
        spoiled[at + 2 : at + 4] = columns.to_bytes(2)
    return bytes(spoiled)


def code_of(data: bytes) -> str:
    try:
        open_photo(data)
    except Invalid as refused:
        return refused.code
    return ""


@pytest.mark.parametrize("kind", KINDS)
def test_open_when_whole_then_it_is_never_called_damaged(kind):
    for width, height in ((400, 300), (1, 1), (8, 8), (17, 33), (64, 16), (1300, 24)):
        assert code_of(taken(kind, width, height)) == ""
        flat = np.full((height, width, 3), 255, np.uint8)
        assert code_of(pictures.jpeg(flat, **KINDS[kind])) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_open_when_the_scan_is_cut_but_has_an_end_then_it_is_damaged(kind):
    data = taken(kind)
    scan = last_scan(data)
    for share in (0.05, 0.4, 0.9, 0.98):
        end = scan.payload + 12 + int((scan.end - scan.payload - 12) * share)
        assert code_of(data[:end].rstrip(b"\xff") + EOI) == "damaged", share


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [{"rows": 317}, {"rows": 900}, {"columns": 640}])
def test_open_when_the_header_claims_more_than_there_is_then_it_is_damaged(kind, size):
    assert code_of(with_size(taken(kind), **size)) == "damaged"


@pytest.mark.parametrize("kind", ["4:2:0", "4:4:4", "grey", "restarts"])
def test_open_when_the_header_claims_less_than_there_is_then_it_is_damaged(kind):
    assert code_of(with_size(taken(kind), rows=200)) == "damaged"


@pytest.mark.parametrize("kind", ["4:2:0", "4:4:4", "grey"])
def test_open_when_the_samples_are_spoiled_then_it_is_damaged(kind):
    data = taken(kind)
    scan = last_scan(data)
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(20):
        spoiled = bytearray(data)
        at = int(rng.integers(scan.payload + 100, scan.end - 700))
        spoiled[at : at + 300] = bytes(rng.integers(0, 255, 300, dtype=np.uint8))
        found += code_of(bytes(spoiled)) == "damaged"
    assert found >= 18  # what falls into step again at once, and ends where it should, is not told


def test_open_when_scans_of_a_progressive_file_are_missing_then_it_is_damaged():
    data = taken("progressive")
    scans = [s for s in jpeg.read_jpeg(data).segments if s.marker == jpeg.SOS]
    for scan in scans[:-1]:
        assert code_of(data[: scan.end] + EOI) == "damaged"


def test_open_when_a_restart_interval_is_missing_then_it_is_damaged():
    data = taken("restarts")
    first, second = data.index(b"\xff\xd3"), data.index(b"\xff\xd4")
    assert code_of(data[:first] + data[second:]) == "damaged"
    middle = (first + second) // 2
    assert code_of(data[:middle].rstrip(b"\xff") + data[second:]) == "damaged"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extra", [b"\x00" * 3000, b"\xff" * 9, b"\x00\x12\x34\x07"])
def test_open_when_a_camera_left_padding_before_the_end_then_it_is_whole(kind, extra):
    data = taken(kind)
    end = last_scan(data).end
    assert code_of(data[:end] + extra + data[end:]) == ""


def test_open_when_not_looked_at_then_the_samples_are_not_read():
    open_photo(with_size(taken("4:2:0"), rows=900), look=False)


def test_open_when_components_come_in_scans_of_their_own_then_they_are_whole_or_damaged():
    data = separate_scans()
    with Image.open(io.BytesIO(data)) as image:
        assert np.abs(np.asarray(image).astype(int) - SKIN).mean() < 12
    assert code_of(data) == ""
    assert code_of(data[: last_scan(data).end - 400].rstrip(b"\xff") + EOI) == "damaged"
    scans = [s for s in jpeg.read_jpeg(data).segments if s.marker == jpeg.SOS]
    assert code_of(data[: scans[1].end] + EOI) == "damaged"


def separate_scans() -> bytes:
    """Return a sequential JPEG of three scans, made of three grey ones."""
    ycc = Image.fromarray(SKIN).convert("YCbCr").split()
    made = []
    for plane in ycc:
        buffer = io.BytesIO()
        plane.save(buffer, "JPEG", quality=90)
        made.append(buffer.getvalue())
    frame = b"\xff\xc0\x00\x11\x08" + (300).to_bytes(2) + (400).to_bytes(2) + b"\x03"
    frame += b"".join(bytes((n, 0x11, 0)) for n in (1, 2, 3))
    first = jpeg.read_jpeg(made[0])
    parts = [b"\xff\xd8"]
    for segment in first.segments[1:]:
        if segment.marker in (jpeg.APP0, jpeg.DQT, jpeg.DHT):
            parts.append(first.data[segment.start : segment.end])
        elif segment.marker in jpeg.FRAMES:
            parts.append(frame)
    for number, data in enumerate(made, 1):
        scan = last_scan(data)
        parts.append(
            b"\xff\xda\x00\x08\x01"
            + bytes((number, 0))
            + b"\x00\x3f\x00"
            + data[scan.payload + 6 : scan.end]
        )
    return b"".join([*parts, EOI])
