"""Each kind of file becomes an object with its own pixels and true labels."""

from __future__ import annotations

import io
import subprocess

import numpy as np
import pydicom
import pytest
from PIL import Image

from derm_capture.photo import Format, open_photo
from derm_capture.srgb import SRGB
from derm_capture.stored import JPEG_BASELINE, JPEG_LS_LOSSLESS, store
from tests.derm_capture import pictures
from tests.derm_capture.wrapping import pixels_of, read, wrapped

SKIN = pictures.skin()


def p3_profile() -> bytes:
    """Return a profile that is not sRGB, as a telephone embeds one."""
    return SRGB.replace(b"s\x00R\x00G\x00B", b"P\x003\x00 \x00 ")


def test_png_when_opaque_then_pixels_and_no_loss_are_kept():
    made = wrapped(pictures.encoded(SKIN, "PNG"))
    ds = read(made)
    assert (pixels_of(made) == SKIN).all()
    assert (ds.PhotometricInterpretation, ds.LossyImageCompression) == ("RGB", "00")
    assert "LossyImageCompressionRatio" not in ds
    assert list(ds.ImageType) == ["ORIGINAL", "PRIMARY", "", "CLOSEUP"]
    assert ds.file_meta.TransferSyntaxUID == JPEG_LS_LOSSLESS


def test_png_when_transparent_then_it_is_laid_on_white_and_said_to_be_derived():
    rgba = np.dstack([SKIN, np.full(SKIN.shape[:2], 255, np.uint8)])
    rgba[:8, :8, 3] = 0
    made = wrapped(pictures.encoded(rgba, "PNG", mode="RGBA"))
    ds = read(made)
    assert (pixels_of(made)[:8, :8] == 255).all()
    assert (pixels_of(made)[8:, 8:] == SKIN[8:, 8:]).all()
    assert ds.ImageType[0] == "DERIVED"
    assert "white" in ds.DerivationDescription


def test_png_when_sixteen_bits_deep_then_the_upper_eight_are_kept_and_said():
    deep = (np.arange(64 * 32, dtype=np.uint16) * 31).reshape(32, 64)

    buffer = io.BytesIO()
    Image.fromarray(deep).save(buffer, "PNG")
    made = wrapped(buffer.getvalue())
    assert (pixels_of(made)[..., 0] == deep >> 8).all()
    assert "16 bits" in read(made).DerivationDescription


@pytest.mark.parametrize(("form", "method"), [("WEBP", "WEBP"), ("AVIF", "AVIF")])
def test_lossy_files_when_wrapped_then_the_loss_is_told(form, method):
    data = pictures.encoded(SKIN, form, quality=80)
    made = wrapped(data)
    ds = read(made)
    assert (ds.LossyImageCompression, ds.LossyImageCompressionMethod) == ("01", method)
    assert float(ds.LossyImageCompressionRatio) == pytest.approx(SKIN.size / len(data), rel=0.01)
    assert (pixels_of(made) == pictures.shown(data)).all()


@pytest.mark.parametrize(
    ("form", "options"), [("WEBP", {"lossless": True}), ("TIFF", {}), ("BMP", {})]
)
def test_lossless_files_when_wrapped_then_the_pixels_are_the_same(form, options):
    made = wrapped(pictures.encoded(SKIN, form, **options))
    assert (pixels_of(made) == SKIN).all()
    assert read(made).LossyImageCompression == "00"


def test_rgb_jpeg_when_wrapped_then_it_is_not_labelled_ycc():
    data = pictures.rgb_jpeg(SKIN)
    made = wrapped(data)
    assert read(made).PhotometricInterpretation == "RGB"
    assert (pixels_of(made) == pictures.shown(data)).all()
    assert read(made).LossyImageCompression == "01"


def test_cmyk_jpeg_when_wrapped_then_it_is_rgb_and_derived():
    made = wrapped(pictures.encoded(SKIN, "JPEG", mode="CMYK", quality=95))
    assert read(made).ImageType[0] == "DERIVED"
    assert np.abs(pixels_of(made).astype(int) - SKIN).mean() < 6


def test_grey_jpeg_when_wrapped_then_it_is_monochrome_without_profile():
    ds = read(wrapped(pictures.jpeg(SKIN, grey=True)))
    assert (ds.SamplesPerPixel, ds.PhotometricInterpretation) == (1, "MONOCHROME2")
    assert "PlanarConfiguration" not in ds
    assert "ICCProfile" not in ds


def test_profile_when_the_file_brings_one_then_it_is_kept_verbatim():
    for data in (
        pictures.jpeg(SKIN, icc=p3_profile()),
        pictures.encoded(SKIN, "PNG", icc_profile=p3_profile()),
    ):
        ds = read(wrapped(data))
        assert ds.ICCProfile == p3_profile()
        assert "ColorSpace" not in ds


def test_profile_when_the_file_brings_none_or_nonsense_then_it_is_srgb():
    for icc in (None, b"no profile at all", SRGB.replace(b"RGB ", b"GRAY")):
        ds = read(wrapped(pictures.jpeg(SKIN, icc=icc)))
        assert ds.ICCProfile == SRGB
        assert ds.ColorSpace == "SRGB"


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_orientation_when_in_other_formats_then_it_is_applied(form, orientation):

    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if form == "WEBP" else {}
    photo = open_photo(pictures.encoded(SKIN, form, exif=exif.tobytes(), **options))
    expected = np.rot90(SKIN, {1: 0, 3: 2, 6: 3}[orientation])
    assert (photo.pixels() == expected).all()


@pytest.mark.fixtures
def test_heic_when_opened_then_it_is_rgb_of_a_hevc_source(fixtures_dir):
    data = (fixtures_dir / "photo_exif_icc/pillow/avif/hopper.heif").read_bytes()
    photo = open_photo(data)
    assert photo.format is Format.HEIC
    ds = read(wrapped(data))
    assert ds.LossyImageCompressionMethod == "ISO_23008_2"
    assert (ds.Rows, ds.Columns) == (128, 128)
    assert (pixels_of(wrapped(data)) == photo.pixels()).all()


def test_store_when_a_wide_quantisation_table_then_it_is_not_called_baseline():
    tables = [[300 + i for i in range(64)], [300 + i for i in range(64)]]
    data = pictures.encoded(SKIN, "JPEG", qtables=tables)
    kept = store(open_photo(data))
    assert kept.transfer_syntax_uid == JPEG_LS_LOSSLESS
    assert store(open_photo(pictures.jpeg(SKIN))).transfer_syntax_uid == JPEG_BASELINE


@pytest.mark.peers
def test_jpeg_ls_when_dcmtk_decodes_it_then_the_pixels_are_those_of_the_file(tmp_path):
    (tmp_path / "in.dcm").write_bytes(wrapped(pictures.encoded(SKIN, "PNG")).part10)
    decode = ["dcmdjpls", str(tmp_path / "in.dcm"), str(tmp_path / "out.dcm")]
    subprocess.run(decode, check=True)
    assert (pydicom.dcmread(tmp_path / "out.dcm").pixel_array == SKIN).all()
