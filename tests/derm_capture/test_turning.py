"""Eight orientations, each subsampling, whole and broken MCUs: upright, lossless if it can be."""

from __future__ import annotations

import numpy as np
import pytest

from derm_capture import jpeg, jpeg_dct
from derm_capture.photo import open_photo
from derm_capture.stored import JPEG_BASELINE, JPEG_LS_LOSSLESS, store
from tests.derm_capture import pictures
from tests.derm_capture.wrapping import pixels_of, wrapped

SAMPLINGS = ["4:2:0", "4:2:2", "4:4:4", "grey"]
ALIGNED, BROKEN = (96, 64), (90, 61)


def taken(sampling: str, orientation: int, size: tuple[int, int], **options: object) -> bytes:
    grey = {"grey": True} if sampling == "grey" else {"sampling": sampling}
    return pictures.jpeg(pictures.skin(*size), orientation=orientation, **grey, **options)


@pytest.mark.parametrize("size", [ALIGNED, BROKEN], ids=["whole", "broken"])
@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_store_when_turned_then_the_object_shows_the_upright_picture(orientation, sampling, size):
    data = taken(sampling, orientation, size)
    photo = open_photo(data)
    kept = store(photo)
    expected = pictures.upright(data, orientation).astype(int)
    assert (kept.rows, kept.columns) == expected.shape[:2] == (photo.rows, photo.columns)
    difference = np.abs(pixels_of(wrapped(data)).astype(int) - expected)
    if kept.transfer_syntax_uid == JPEG_LS_LOSSLESS:
        assert difference.max() == 0
    else:  # the same coefficients; decoders round a turned block otherwise
        assert difference.max() <= 6
        assert difference.mean() < 1


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_store_when_mcus_are_whole_then_nothing_is_coded_anew(orientation, sampling):
    photo = open_photo(taken(sampling, orientation, ALIGNED))
    kept = store(photo)
    assert kept.transfer_syntax_uid == JPEG_BASELINE
    assert kept.changes == ()
    assert photo.stream is not None
    before = jpeg_dct.read_coefficients(jpeg.without_metadata(photo.stream))
    after = jpeg_dct.read_coefficients(kept.data)
    back = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}[orientation]
    again = jpeg_dct.turned(after, back)
    for one, other in zip(before.components, again.components, strict=True):
        assert (one == other).all()


def test_store_when_upright_then_the_coded_bytes_are_those_of_the_file():
    photo = open_photo(taken("4:2:0", 1, BROKEN))
    assert photo.stream is not None
    assert jpeg.scan_sha256(jpeg.read_jpeg(store(photo).data)) == jpeg.scan_sha256(photo.stream)


def test_store_when_what_is_flipped_ends_within_an_mcu_then_it_is_kept_lossless():
    kept = store(open_photo(taken("4:2:0", 6, BROKEN)))
    assert kept.transfer_syntax_uid == JPEG_LS_LOSSLESS
    assert kept.lossy_method == "ISO_10918_1"
    assert any("90 degrees" in step for step in kept.steps)


def test_turned_when_four_quarter_turns_then_it_is_the_picture_again():
    source = jpeg_dct.read_coefficients(
        jpeg.without_metadata(jpeg.read_jpeg(taken("4:2:2", 1, ALIGNED)))
    )
    turned = source
    for _ in range(4):
        turned = jpeg_dct.turned(turned, 6)
    assert all((a == b).all() for a, b in zip(source.components, turned.components, strict=True))
    assert (source.tables == turned.tables).all()


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_store_when_progressive_then_it_is_baseline_with_the_same_pixels(sampling):
    data = taken(sampling, 1, BROKEN, progressive=True)
    kept = store(open_photo(data))
    assert kept.transfer_syntax_uid == JPEG_BASELINE
    assert jpeg.read_jpeg(kept.data).process == jpeg.SOF_BASELINE
    assert (pictures.shown(kept.data) == pictures.shown(data)).all()
