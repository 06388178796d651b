"""What our pages draw of the collection's images is what pydicom makes of them, within one grey."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest

from casework.errors import Invalid
from tests.viewer.golden import compare, page_greys, shown_of
from viewer.pixels import DECODABLE

pytestmark = [pytest.mark.fixtures, pytest.mark.slow]

EVERY = 9  # of the files that are all alike; whoever changes how greys are made sets it to 1
ALWAYS = ("vlut", "mlut", "palette", "overlay", "enh", "emri", "pet_nm", "parametric", "color-pl")
EXCEPT = {
    "eCT_Supplemental.dcm": "a supplemental palette, which pydicom does not apply",
    "GDCMJ2K_TextGBR.dcm": "pydicom cannot decode it here",
    "SC_rgb_jpeg_gdcm.dcm": "pydicom cannot decode it here",
    "JPEG-LL.dcm": "pydicom cannot decode it here",
    "JPGExtended.dcm": "pydicom cannot decode it here",
    "JPGLosslessP14SV1_1s_1f_8b.dcm": "pydicom cannot decode it here",
}


def files(folder: Path) -> Iterator[Path]:
    """Yield a part of the files with pixels, and all that are of a rare kind."""
    with (folder / "MANIFEST.tsv").open(newline="") as table:
        found = [
            each["path"] for each in csv.DictReader(table, delimiter="\t")
            if each["opens"] == "yes" and each["decode_first_frame"] == "ok"
            and each["transfer_syntax"].split(" ")[0] in DECODABLE
        ]  # fmt: skip
    for at, path in enumerate(sorted(found)):
        is_rare = any(word in path.lower() for word in ALWAYS)
        if (is_rare or at % EVERY == 0) and Path(path).name not in EXCEPT:
            yield folder / path


def test_greys_and_colours_are_those_of_pydicom(fixtures_dir: Path) -> None:
    compared, different = 0, []
    for path in files(fixtures_dir):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's on what is odd in a file
            try:
                found = compare(path)
            except Invalid:  # refused at the door
                continue
        compared += 1
        if found.ours.shape != found.theirs.shape:
            different.append(f"{path.name}: {found.ours.shape} for {found.theirs.shape}")
        elif np.abs(found.ours - found.theirs).max() > found.step + 1e-6:
            different.append(path.name)
    assert different == []
    assert compared > 60


def test_values_of_a_supplemental_palette_are_colours_and_the_rest_is_grey(
    fixtures_dir: Path,
) -> None:
    path = next(fixtures_dir.rglob("eCT_Supplemental.dcm"))
    ds = pydicom.dcmread(path)
    stored = ds.pixel_array[0]
    shown, display = shown_of(path.read_bytes(), ds)
    assert shown.is_colour
    is_mapped = stored >= int(ds.RedPaletteColorLookupTableDescriptor[1])
    greys = shown.pixels[~is_mapped]
    assert (greys == greys[:, :1]).all()
    expected = page_greys(stored, display)
    assert np.abs(greys[:, 0] - expected[~is_mapped]).max() <= 1
