"""The own check finds what general checkers pass."""

from __future__ import annotations

import io

import pydicom
import pytest
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate

from derm_capture import validate
from tests.derm_capture import pictures
from tests.derm_capture.wrapping import read, stream_of, wrapped

PHOTO = pictures.jpeg(pictures.skin())
MADE = wrapped(PHOTO)


def checked(ds: FileDataset) -> str:
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds)
    return "; ".join(validate.check(buffer.getvalue()))


@pytest.mark.parametrize(
    ("keyword", "value", "found"),
    [
        ("Rows", 99, "header 96x99"),
        ("PhotometricInterpretation", "RGB", "the header says RGB"),
        ("SamplesPerPixel", 1, "3 components"),
        ("LossyImageCompression", "00", "not said to be lossy"),
        ("LossyImageCompressionRatio", "1.0", "compression ratio"),
        ("LossyImageCompressionMethod", None, "by which method"),
        ("ICCProfile", None, "without ICC"),
    ],
)
def test_check_when_a_label_lies_then_it_is_found(keyword, value, found):
    ds = read(MADE)
    if value is None:
        delattr(ds, keyword)
    else:
        setattr(ds, keyword, value)
    assert found in checked(ds)


def test_check_when_the_object_is_sound_then_there_is_nothing_to_say():
    assert validate.check(MADE.part10) == ()
    assert validate.check(wrapped(pictures.encoded(pictures.skin(), "PNG")).part10) == ()


def test_check_when_the_stream_still_tells_of_the_camera_then_it_is_found():
    ds = read(MADE)
    ds.PixelData = encapsulate([PHOTO], has_bot=False)
    assert "APP1" in checked(ds)
    assert "COM" in checked(ds)
    ds.PixelData = encapsulate([stream_of(MADE) + b"hidden film"], has_bot=False)
    assert "behind EOI" in checked(ds)


def test_check_when_place_or_owner_is_told_then_it_is_found():
    ds = read(MADE)
    ds.add_new(0x00160072, "DS", ["69", "38", "57"])
    assert "where or whose" in checked(ds)


def test_check_when_it_is_no_photograph_then_it_says_so():
    assert "not a photograph" in "; ".join(validate.check(b"x" * 200))
