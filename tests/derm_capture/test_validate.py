"""The own check finds what general checkers pass."""

from __future__ import annotations

import io
import struct

import imagecodecs
import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate

from derm_capture import jpeg, validate
from derm_capture.srgb import DISPLAY_P3
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


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda s: s + b"hidden, and an end\xff\xd9", "behind EOI"),
        (lambda s: s.rstrip(b"\0")[:-2], "has no end"),
        (lambda s: s[:30], "no JPEG-LS"),
        (lambda s: s[:2] + b"\xff\xfe\x00\x06name" + s[2:], "the stream holds FFFE"),
        (
            lambda s: s.replace(b"\xff\xda", b"\xff\xe1\x00\x06name\xff\xda", 1),
            "the stream holds FFE1",
        ),
        (
            lambda s: s.replace(b"\xff\xf7\x00\x11\x08\x00", b"\xff\xf7\x00\x11\x08\x01"),
            "samples, the header others",
        ),
    ],
)
def test_check_when_a_jpeg_ls_stream_is_not_as_made_then_it_is_found(spoil, found):
    made = wrapped(pictures.encoded(pictures.skin(), "PNG"))
    ds, stream = read(made), stream_of(made)
    ds.PixelData = encapsulate([spoil(stream)], has_bot=False)
    assert found in checked(ds)


def test_check_when_jpeg_ls_is_near_lossless_then_it_is_found():
    ds = read(wrapped(pictures.encoded(pictures.skin(), "PNG")))
    near = bytes(imagecodecs.jpegls_encode(pictures.skin(), level=2))
    ds.PixelData = encapsulate([near], has_bot=False)
    assert "near-lossless" in checked(ds)
    ds.PhotometricInterpretation = "YBR_FULL"
    assert "the header says YBR_FULL" in checked(ds)


def test_check_when_a_stream_is_progressive_or_oddly_sampled_then_it_is_found():
    ds = read(MADE)
    for data, found in (
        (pictures.jpeg(pictures.skin(), exif=b"", progressive=True), "not baseline"),
        (jpeg.clean(oddly_sampled()), "sampled 2x2 2x1 1x1"),
        (jpeg.clean(jpeg.read_jpeg(pictures.jpeg(pictures.skin(), grey=True))), "1 components"),
        (jpeg.clean(jpeg.read_jpeg(PHOTO), icc=DISPLAY_P3), "profile in the stream"),
        (PHOTO[:-40], "no whole JPEG"),
    ):
        ds.PixelData = encapsulate([data], has_bot=False)
        assert found in checked(ds), found


def oddly_sampled() -> jpeg.Jpeg:
    """Return the markers of a stream whose two chroma components are sampled differently."""
    data = bytearray(PHOTO)
    frame = next(s for s in jpeg.read_jpeg(PHOTO).segments if s.marker in jpeg.FRAMES)
    data[frame.payload + 10] = 0x21
    return jpeg.read_jpeg(bytes(data))


def test_check_when_the_fragment_is_odd_or_there_are_two_then_it_is_found():
    stream = stream_of(MADE).rstrip(b"\0")
    stream += b"\0" * (1 - len(stream) % 2)
    assert "odd length" in "; ".join(validate.check(with_items(stream)))
    assert "2 fragments" in "; ".join(validate.check(with_items(stream[:100], stream[100:])))


def with_items(*items: bytes) -> bytes:
    """Return the object with these fragments, written by hand: libraries make them even."""
    head = MADE.part10[: MADE.part10.index(b"\xe0\x7f\x10\x00OB") + 12]
    offsets = b"\xfe\xff\x00\xe0" + bytes(4)
    fragments = [b"\xfe\xff\x00\xe0" + struct.pack("<L", len(item)) + item for item in items]
    return b"".join([head, offsets, *fragments, b"\xfe\xff\xdd\xe0" + bytes(4)])


@pytest.mark.parametrize("tag", [0x00160071, 0x0016008E, 0x0016002B, 0x0016004D])
def test_check_when_any_matter_of_place_or_owner_is_there_then_it_is_found(tag):
    ds = read(MADE)
    ds.add_new(tag, dictionary_VR(tag), b"\1\2" if dictionary_VR(tag) == "OB" else "1")
    assert "where or whose" in checked(ds)


def test_check_when_the_transfer_syntax_is_another_then_it_is_found():
    ds = read(MADE)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.70"
    assert "none that photographs are stored in" in checked(ds)


def test_check_when_it_is_no_photograph_then_it_says_so():
    assert "not a photograph" in "; ".join(validate.check(b"x" * 200))
