"""The large collection of real pictures through the whole of it, checked by peers."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageOps

from benchmarks import quality as bench
from benchmarks.spoiling import SPOILERS
from casework.errors import Invalid
from derm_capture import jpeg, validate
from derm_capture.checks import Verdict
from derm_capture.context import Kind
from derm_capture.photo import Format, Photo, open_photo
from derm_capture.stored import JPEG_BASELINE, store
from tests.derm_capture.wrapping import dciodvfy, pixels_of, wrapped

FOLDERS = ("photo_exif_icc", "skin_clinical", "skin_dermoscopic")
SUFFIXES = frozenset({".jpg", ".mpo", ".png", ".webp", ".avif", ".heif", ".tif", ".tiff", ".bmp"})
REFUSED_BY_DAMAGE = frozenset({"ultrahdr.jpg", "truncated.png", "rgb16-231.bmp", "rgba16-4444.bmp"})
CODES = frozenset({"animated", "too-many-pixels", "truncated", "damaged"})

pytestmark = [pytest.mark.fixtures, pytest.mark.slow]


def pictures_of(folder: Path) -> list[Path]:
    return sorted(p for f in FOLDERS for p in (folder / f).rglob("*") if p.suffix in SUFFIXES)


@pytest.mark.peers
def test_every_picture_when_wrapped_then_checkers_find_no_error(fixtures_dir, tmp_path):
    kinds = list(Kind)
    wrapped_count = 0
    codes = set()
    for number, path in enumerate(pictures_of(fixtures_dir)):
        data = path.read_bytes()
        try:
            made = wrapped(data, kind=kinds[number % 3])
        except Invalid as refused:
            codes.add(refused.code)
            continue
        assert validate.check(made.part10) == (), path
        assert [x for x in dciodvfy(made, tmp_path) if x.startswith("Error")] == [], path
        wrapped_count += 1
    assert wrapped_count > 150
    assert codes == CODES


def test_refused_pictures_when_listed_then_only_damaged_ones_are_among_them(fixtures_dir):
    damaged = set()
    for path in pictures_of(fixtures_dir):
        try:
            open_photo(path.read_bytes())
        except Invalid as refused:
            if refused.code in ("truncated", "damaged"):
                damaged.add(path.name)
    assert damaged - {p for p in damaged if "chunk" in p or "syntax" in p} == REFUSED_BY_DAMAGE


def test_orientations_when_stored_then_all_eight_show_the_same_picture(fixtures_dir):
    folder = fixtures_dir / "photo_exif_icc/exif-orientation"
    for name in ("Landscape", "Portrait"):
        first = pixels_of(wrapped((folder / f"{name}_1.jpg").read_bytes())).astype(int)
        for orientation in range(2, 9):
            data = (folder / f"{name}_{orientation}.jpg").read_bytes()
            shown = pixels_of(wrapped(data)).astype(int)
            assert shown.shape == first.shape
            assert np.abs(shown - first).mean() < 6, (name, orientation)
            with Image.open(io.BytesIO(data)) as image:
                expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)
            assert np.abs(shown - expected).mean() < 1, (name, orientation)


def test_jpegs_when_upright_then_the_coded_bytes_are_unchanged(fixtures_dir):
    count = 0
    for path in (fixtures_dir / "skin_dermoscopic").rglob("*.jpg"):
        photo = open_photo(path.read_bytes())
        kept = store(photo)
        assert photo.stream is not None
        if photo.stream.process == jpeg.SOF_BASELINE and photo.camera.orientation == 1:
            assert jpeg.scan_sha256(jpeg.read_jpeg(kept.data)) == jpeg.scan_sha256(photo.stream)
            count += 1
    assert count > 20


@pytest.mark.peers
def test_dcmtk_when_it_decodes_a_stored_jpeg_then_the_pixels_are_those_of_the_file(
    fixtures_dir, tmp_path
):
    path = fixtures_dir / "skin_dermoscopic/isic_uda1/ISIC_0000000.jpg"
    made = wrapped(path.read_bytes())
    assert made.transfer_syntax_uid == JPEG_BASELINE
    (tmp_path / "in.dcm").write_bytes(made.part10)
    decode = ["dcmdjpeg", "+cp", str(tmp_path / "in.dcm"), str(tmp_path / "out.dcm")]
    subprocess.run(decode, check=True)
    plain = pydicom.dcmread(tmp_path / "out.dcm").pixel_array.astype(int)
    with Image.open(path) as image:
        assert np.abs(plain - np.asarray(image).astype(int)).mean() < 1.5


@pytest.fixture(scope="module")
def real(fixtures_dir) -> list[Photo]:
    return bench.photographs([fixtures_dir / name for name in bench.FOLDERS])


def test_quality_when_real_photographs_are_untouched_then_few_are_warned_of(real):
    for name, check in bench.CHECKS.items():
        alarms = sum(check.judge(value) is not Verdict.GOOD for value in measured(name, real))
        assert alarms / len(real) <= 0.05, name


@pytest.mark.parametrize("way", [w for w in SPOILERS if w.check in {"focus", "dark", "bright"}])
def test_quality_when_real_photographs_are_spoiled_then_it_is_found(real, way):
    some = real[::6]
    sign = -1 if bench.CHECKS[way.check].high_is_good else 1
    bad = measured(way.check, [bench.spoiled(photo, way, n) for n, photo in enumerate(some)])
    good = measured(way.check, real)
    told_apart = bench.auc([sign * v for v in good], [sign * v for v in bad])
    assert told_apart >= (0.95 if way.is_strong else 0.85)


def measured(name: str, photos: list[Photo]) -> list[float]:
    return [bench.value_of(name, photo) for photo in photos]


def test_heif_family_when_sniffed_then_each_has_its_name(fixtures_dir):
    folder = fixtures_dir / "photo_exif_icc/pillow/avif"
    assert open_photo((folder / "hopper.heif").read_bytes()).format is Format.HEIC
    assert open_photo((folder / "hopper.avif").read_bytes()).format is Format.AVIF
