"""Files that few cameras write: deep, arithmetic and lossless JPEG, deep AVIF, turned HEIC, P3."""

from __future__ import annotations

import io
from pathlib import Path

import imagecodecs
import jpeglib
import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from casework.errors import Invalid
from derm_capture import jpeg
from derm_capture.exif import read_exif
from derm_capture.photo import open_photo
from derm_capture.srgb import DISPLAY_P3, SRGB
from derm_capture.stored import JPEG_LS_LOSSLESS, store
from tests.derm_capture import heif, pictures
from tests.derm_capture.wrapping import pixels_of, read, wrapped

SKIN = pictures.skin()


def arithmetic(pixels: np.ndarray, folder: Path) -> bytes:
    """Return a JPEG with arithmetic coding (SOF9), made on the coefficients of another."""
    (folder / "in.jpg").write_bytes(pictures.jpeg(pixels))
    with jpeglib.version("turbo210"):
        made = jpeglib.read_dct(str(folder / "in.jpg"))
        made.write_dct(str(folder / "out.jpg"), flags=["+ARITH_CODE"])
    return (folder / "out.jpg").read_bytes()


def test_jpeg_when_of_a_lossless_process_then_it_is_not_said_to_be_lossy():
    data = imagecodecs.jpeg8_encode(SKIN, lossless=True, bitspersample=8)
    assert jpeg.read_jpeg(data).process == jpeg.SOF_LOSSLESS
    ds = read(wrapped(data))
    assert (pixels_of(wrapped(data)) == SKIN).all()
    assert (ds.LossyImageCompression, ds.PhotometricInterpretation) == ("00", "RGB")
    assert "LossyImageCompressionMethod" not in ds


def test_jpeg_when_twelve_bits_deep_then_the_upper_eight_are_kept_and_said():
    data = imagecodecs.jpeg8_encode(SKIN.astype(np.uint16) << 4, level=95, bitspersample=12)
    made = wrapped(data)
    ds = read(made)
    assert np.abs(pixels_of(made).astype(int) - SKIN).max() < 8
    assert ds.DerivationDescription == "12 bits a sample reduced to 8"
    assert (ds.LossyImageCompression, ds.LossyImageCompressionMethod) == ("01", "ISO_10918_1")


@pytest.mark.parametrize("look", [True, False])
def test_jpeg_when_arithmetic_then_it_is_decoded_and_kept_lossless(tmp_path, look):
    data = arithmetic(SKIN, tmp_path)
    assert jpeg.read_jpeg(data).process == 0xC9
    kept = store(open_photo(data, look=look))
    assert kept.transfer_syntax_uid == JPEG_LS_LOSSLESS
    assert kept.lossy_method == "ISO_10918_1"
    shown = pictures.shown(pictures.jpeg(SKIN))
    assert (pixels_of(wrapped(data)) == shown).all()


def test_avif_when_ten_bits_deep_then_it_says_what_is_lost():
    data = imagecodecs.avif_encode(SKIN.astype(np.uint16) << 2, level=95, bitspersample=10)
    assert open_photo(data).changes == ("10 bits a sample reduced to 8",)
    eight = imagecodecs.avif_encode(SKIN, level=95)
    assert open_photo(eight).changes == ()


def test_avif_when_its_primaries_are_told_by_number_then_it_gets_their_profile():
    p3 = imagecodecs.avif_encode(SKIN, level=90, primaries=12, transfer=13, matrix=6)
    ds = read(wrapped(p3))
    assert ds.ICCProfile == DISPLAY_P3
    assert "ColorSpace" not in ds
    usual = imagecodecs.avif_encode(SKIN, level=90, primaries=1, transfer=13, matrix=6)
    assert read(wrapped(usual)).ICCProfile == SRGB


def test_png_when_one_deep_grey_stands_for_clear_then_it_is_laid_on_white():
    deep = np.full((32, 32), 20_000, np.uint16)
    deep[:8] = 300
    buffer = io.BytesIO()
    Image.fromarray(deep).save(buffer, "PNG", transparency=300)
    made = wrapped(buffer.getvalue())
    assert (pixels_of(made)[:8] == 255).all()
    assert (pixels_of(made)[8:] == 20_000 >> 8).all()
    assert "white" in read(made).DerivationDescription


def test_tiff_when_of_wide_integers_then_it_is_refused():
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8), 1 << 20, np.int32)).save(buffer, "TIFF")
    with pytest.raises(Invalid) as refused:
        open_photo(buffer.getvalue())
    assert refused.value.code == "unsupported-format"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (imagecodecs.jpegls_encode(SKIN), "unsupported-format"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "video"),
        (b"\x1a\x45\xdf\xa3\x01webm", "video"),
    ],
)
def test_open_when_it_is_of_another_kind_then_it_says_which(data, code):
    with pytest.raises(Invalid) as refused:
        open_photo(data)
    assert refused.value.code == code


@pytest.mark.fixtures
def test_avif_when_xmp_tells_an_orientation_then_its_properties_alone_turn_it(fixtures_dir):
    path = fixtures_dir / "photo_exif_icc/pillow/avif/xmp_tags_orientation.avif"
    with Image.open(path) as image:
        expected = np.asarray(image.convert("RGB"))
    assert (open_photo(path.read_bytes()).pixels() == expected).all()


@pytest.mark.fixtures
@pytest.mark.parametrize("quarter_turns", range(4))
@pytest.mark.parametrize("mirror", [None, 0, 1])
def test_heic_when_turned_by_its_properties_then_it_is_upright(fixtures_dir, quarter_turns, mirror):
    data = (fixtures_dir / "photo_exif_icc/pillow/avif/hopper.heif").read_bytes()
    exif = bytes(4) + pictures.exif_block(6).removeprefix(b"Exif\x00\x00")
    turned = heif.turned(data, quarter_turns=quarter_turns, mirror=mirror)
    turned = heif.with_items(turned, {b"Exif": exif})
    expected = np.rot90(open_photo(data).pixels(), quarter_turns)
    if mirror is not None:
        expected = expected[::-1] if mirror == 0 else expected[:, ::-1]
    opened = open_photo(turned)
    assert (opened.pixels() == expected).all(), "Exif's orientation is not applied on top"
    assert opened.camera.model == "Fjellfone 9"


def test_exif_when_it_tells_of_the_exposure_then_it_is_mapped():
    exif = Image.Exif()
    inner = exif.get_ifd(0x8769)
    inner[0x9000], inner[0x9207], inner[0x8822] = b"0232", 5, 2
    inner[0x9204] = IFDRational(-1, 3)
    inner[0xA402], inner[0xA406] = 9, 0  # 9: no exposure mode that Exif knows
    data = pictures.jpeg(SKIN, exif=exif.tobytes())
    assert read_exif(exif.tobytes().removeprefix(b"Exif\0\0")).version == "0232"
    ds = read(wrapped(data))
    assert (ds.EXIFVersion, ds.MeteringMode, ds.ExposureProgram) == ("0232", 5, 2)
    assert (float(ds.ExposureBiasValue), ds.SceneCaptureType) == (-0.333333, 0)
    assert "ExposureMode" not in ds
