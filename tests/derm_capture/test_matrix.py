"""Every photograph of the large collection goes the way that the table says, and keeps its pixels.

`matrix.tsv` is the decision matrix file by file (docs/photo-objects.md has it by kind): the
outcome, the transfer syntax, what the object says of its pixels. After a change on purpose it is
written anew by `matrix.write_table`, and read.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
import pydicom
import pytest

from derm_capture import jpeg, stored, validate
from derm_capture.context import Kind
from derm_capture.dicomize import Wrapped, wrap
from derm_capture.photo import Photo, open_photo
from derm_capture.raster import Pixels
from tests.derm_capture import matrix
from tests.derm_capture.wrapping import context, dciodvfy, read, stream_of

pytestmark = [pytest.mark.fixtures, pytest.mark.slow]

ROWS = matrix.table()
WRAPPED = {path: row for path, row in ROWS.items() if not row.is_refused}
PHOTOGRAPHS = [kind for kind in Kind if kind is not Kind.CLIP]
MOST_TURNED, MEAN_TURNED = 4, 0.15
"""A turned block has the same coefficients, and its cosines are rounded in another order."""


@dataclass(frozen=True)
class Made:
    """A photograph with the object that was made of it."""

    photo: Photo
    wrapped: Wrapped


def all_made(folder: Path) -> Iterator[tuple[str, Made]]:
    """Yield each photograph that is taken with its object; one of them is in memory at a time."""
    for (path, _), kind in zip(WRAPPED.items(), cycle(PHOTOGRAPHS), strict=False):
        photo = open_photo((folder / path).read_bytes(), look=False)
        yield path, Made(photo, wrap(photo, context(kind=kind)))


def test_table_when_the_collection_is_walked_then_each_file_has_its_row(fixtures_dir):
    found = {str(path.relative_to(fixtures_dir)) for path in matrix.files_of(fixtures_dir)}
    assert found == set(ROWS)


def test_photographs_when_taken_then_each_goes_the_way_of_its_row(fixtures_dir):
    for path, row in ROWS.items():
        assert matrix.row_of(path, (fixtures_dir / path).read_bytes()) == row


def test_table_when_counted_then_every_way_of_the_matrix_is_gone():
    ways = {(row.outcome, row.syntax, row.photometric, row.lossy) for row in WRAPPED.values()}
    assert ways >= {
        ("kept", "jpeg-baseline", "YBR_FULL_422", "ISO_10918_1"),
        ("kept", "jpeg-baseline", "MONOCHROME2", "ISO_10918_1"),
        ("turned", "jpeg-baseline", "YBR_FULL_422", "ISO_10918_1"),
        ("sequential", "jpeg-baseline", "YBR_FULL_422", "ISO_10918_1"),
        ("decoded", "jpeg-ls-lossless", "RGB", "ISO_10918_1"),
        ("decoded", "jpeg-ls-lossless", "RGB", "ISO_23008_2"),
        ("decoded", "jpeg-ls-lossless", "RGB", "WEBP"),
        ("decoded", "jpeg-ls-lossless", "RGB", "AVIF"),
        ("decoded", "jpeg-ls-lossless", "RGB", ""),
    }
    assert {row.outcome for row in ROWS.values() if row.is_refused} == {
        "animated", "damaged", "too-many-pixels", "truncated", "unsupported-format",
    }  # fmt: skip


@pytest.mark.peers
def test_objects_when_made_then_checkers_and_decoders_agree_with_the_photograph(
    fixtures_dir, tmp_path
):
    """DCMTK decodes each to the pixels of the photograph, pydicom too; dciodvfy finds no Error."""
    for path, made in all_made(fixtures_dir):
        row, object_ = WRAPPED[path], made.wrapped
        assert validate.check(object_.part10) == (), path
        assert [x for x in dciodvfy(object_, tmp_path) if x.startswith("Error")] == [], path
        expected = made.photo.pixels()
        shown = by_dcmtk(tmp_path / "object.dcm", row.syntax)
        assert shown.shape == expected.shape, path
        if "turned" in row.outcome:
            off = difference(shown, expected)
            assert off.max() <= MOST_TURNED, path
            assert off.mean() <= MEAN_TURNED, path
        else:
            assert np.array_equal(shown, expected), path
        if row.syntax == "jpeg-baseline":  # pydicom has no JPEG-LS of its own
            own = three(pydicom.pixels.pixel_array(io.BytesIO(object_.part10)))
            assert difference(own, shown).max() <= 1, path  # it rounds colours by itself


def test_objects_when_the_stream_was_kept_then_its_coded_bytes_are_those_of_the_file(fixtures_dir):
    kept = [path for path, row in WRAPPED.items() if row.outcome == "kept"]
    for path in kept:
        photo = open_photo((fixtures_dir / path).read_bytes(), look=False)
        assert photo.stream is not None
        inside = jpeg.read_jpeg(stored.store(photo).data)
        assert jpeg.scan_sha256(inside) == jpeg.scan_sha256(photo.stream), path
    assert len(kept) > 60


def test_objects_when_read_then_their_labels_are_those_of_the_row(fixtures_dir):
    small = [path for path in WRAPPED if not path.startswith("skin_")][::3]
    for path in small:
        row = WRAPPED[path]
        made = wrap(open_photo((fixtures_dir / path).read_bytes(), look=False), context())
        ds = read(made)
        assert f"{ds.Columns}x{ds.Rows}" == row.size
        assert ds.PhotometricInterpretation == row.photometric
        assert ds.LossyImageCompression == ("01" if row.lossy else "00")
        assert ds.get("LossyImageCompressionMethod", "") == row.lossy
        assert ds.get("DerivationDescription", "") == row.changes
        assert ("ICCProfile" in ds) is (row.profile != "none")
        assert (ds.get("ColorSpace") == "SRGB") is (row.profile == "sRGB")
        assert len(stream_of(made)) % 2 == 0


def difference(one: Pixels, other: Pixels) -> Pixels:
    return np.maximum(one, other) - np.minimum(one, other)


def by_dcmtk(path: Path, syntax: str) -> Pixels:
    """Return the pixels as DCMTK decodes them."""
    tool = "dcmdjpls" if syntax == "jpeg-ls-lossless" else "dcmdjpeg"
    plain = path.with_name("plain.dcm")
    subprocess.run([tool, str(path), str(plain)], check=True, capture_output=True)
    return three(pydicom.dcmread(plain).pixel_array)


def three(pixels: Pixels) -> Pixels:
    return pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1)
