"""The large collection of real pictures through the whole of it, checked by peers."""

from __future__ import annotations

import pytest

from benchmarks import quality as bench
from benchmarks.spoiling import SPOILERS
from derm_capture.checks import Verdict
from derm_capture.photo import Format, Photo, open_photo

pytestmark = [pytest.mark.fixtures, pytest.mark.slow]


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
