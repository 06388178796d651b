"""Markers are rewritten, coded samples never; what is cut off or damaged is refused."""

from __future__ import annotations

import contextlib

import pytest

from casework.errors import Invalid
from derm_capture import jpeg
from derm_capture.srgb import SRGB
from tests.derm_capture import pictures


def test_clean_when_a_camera_wrote_the_file_then_only_the_coded_picture_is_left():
    data = pictures.jpeg(pictures.skin(), icc=SRGB) + b"\xff\xd8 a second picture \xff\xd9"
    source = jpeg.read_jpeg(data)
    cleaned = jpeg.clean(source)
    assert pictures.GPS_NOTE not in cleaned
    assert b"Nordcam" not in cleaned
    assert b"a note" not in cleaned
    assert cleaned.endswith(b"\xff\xd9")
    assert b"second" not in cleaned
    assert jpeg.foreign_segments(source) == ("APP1", "COM")
    assert jpeg.foreign_segments(jpeg.read_jpeg(cleaned)) == ()
    assert jpeg.scan_sha256(jpeg.read_jpeg(cleaned)) == jpeg.scan_sha256(source)
    assert (pictures.shown(cleaned) == pictures.shown(data)).all()


def test_clean_when_a_large_profile_is_given_then_it_comes_back_from_its_chunks():
    profile = SRGB + bytes(range(256)) * 600
    cleaned = jpeg.clean(jpeg.read_jpeg(pictures.jpeg(pictures.skin())), icc=profile)
    assert len(jpeg.read_jpeg(cleaned).payloads(jpeg.APP2)) == 3
    assert jpeg.read_jpeg(cleaned).icc == profile


def test_icc_when_a_chunk_is_missing_then_there_is_none():
    cleaned = jpeg.clean(jpeg.read_jpeg(pictures.jpeg(pictures.skin())), icc=SRGB)
    assert (
        jpeg.read_jpeg(cleaned.replace(b"ICC_PROFILE\x00\x01\x01", b"ICC_PROFILE\x00\x01\x02")).icc
        == b""
    )


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9, 0.999])
def test_read_when_the_file_is_cut_off_then_it_is_refused(keep: float):
    data = pictures.jpeg(pictures.skin())
    with pytest.raises(Invalid) as refused:
        jpeg.read_jpeg(data[: int(len(data) * keep)])
    assert refused.value.code == "truncated"


def test_read_when_any_byte_before_the_scan_is_wrong_then_it_is_read_or_refused():
    data = pictures.jpeg(pictures.skin(32, 32))
    for at in range(2, data.index(b"\xff\xda")):
        for value in (0x00, 0xFF):
            spoiled = data[:at] + bytes([value]) + data[at + 1 :]
            with contextlib.suppress(Invalid):
                assert jpeg.read_jpeg(spoiled).end <= len(spoiled)


def test_colour_when_an_adobe_segment_or_letters_say_rgb_then_it_is_not_taken_for_ycc():
    data = pictures.jpeg(pictures.skin(), exif=b"")
    assert jpeg.read_jpeg(data).colour is jpeg.Colour.YCC
    assert jpeg.read_jpeg(pictures.with_adobe_transform(data, 0)).colour is jpeg.Colour.RGB
    assert jpeg.read_jpeg(pictures.with_adobe_transform(data, 1)).colour is jpeg.Colour.YCC
    assert jpeg.read_jpeg(pictures.rgb_jpeg(pictures.skin())).colour is jpeg.Colour.RGB
    assert jpeg.read_jpeg(pictures.jpeg(pictures.skin(), grey=True)).colour is jpeg.Colour.GREY


def test_restart_markers_when_there_then_the_scan_is_one_segment():
    data = pictures.jpeg(pictures.skin(), restart_marker_blocks=2)
    stream = jpeg.read_jpeg(data)
    assert sum(s.marker == jpeg.SOS for s in stream.segments) == 1
    assert (pictures.shown(jpeg.clean(stream)) == pictures.shown(data)).all()
