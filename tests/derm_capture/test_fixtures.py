"""The large collection of real pictures through the whole of it, checked by peers."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageOps

from casework.errors import Invalid
from derm_capture import jpeg, validate
from derm_capture.context import Kind
from derm_capture.photo import Format, open_photo
from derm_capture.stored import JPEG_BASELINE, store
from tests.conftest import ROOT
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


def test_quality_when_real_photographs_are_spoiled_then_it_is_found(fixtures_dir):
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import quality as bench  # noqa: PLC0415 - a script beside the tests, not a package
    finally:
        sys.path.pop(0)
    photos = bench.photographs([fixtures_dir / name for name in bench.FOLDERS])
    untouched = [bench.of_check(bench.quality.assess(p), "focus") for p in photos]
    alarms = sum(a.verdict is not bench.Verdict.GOOD for a in untouched) / len(untouched)
    assert alarms <= 0.05
    good = [bench.badness(a) for a in untouched]
    for name in ("blur 3 (strong)", "shake 17 (strong)"):
        spoil = bench.SPOILED[name][1]
        bad = [
            bench.of_check(bench.quality.assess(bench.spoiled(p, spoil)), "focus") for p in photos
        ]
        assert bench.auc(good, [bench.badness(a) for a in bad]) >= 0.95, name


def test_heif_family_when_sniffed_then_each_has_its_name(fixtures_dir):
    folder = fixtures_dir / "photo_exif_icc/pillow/avif"
    assert open_photo((folder / "hopper.heif").read_bytes()).format is Format.HEIC
    assert open_photo((folder / "hopper.avif").read_bytes()).format is Format.AVIF
