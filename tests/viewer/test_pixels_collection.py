"""The first frame of every file of the collection comes out as pydicom has it."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels import pixel_array

from casework.errors import Invalid
from viewer.pixels import BIG_ENDIAN, DECODABLE, decode, shape_of

pytestmark = [pytest.mark.fixtures, pytest.mark.slow]

KEYWORDS = (
    "Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "SOPClassUID",
    "PixelRepresentation", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames",
)  # fmt: skip


def first_frame(ds: Dataset, attributes: dict[str, Any]) -> bytes:
    names = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
    data = bytes(next(ds[name].value for name in names if name in ds))
    if ds.file_meta.TransferSyntaxUID.is_encapsulated:
        return next(generate_frames(data, number_of_frames=attributes.get("NumberOfFrames", 1)))
    size = (shape_of(attributes).native_bits + 7) // 8
    is_swapped = ds.file_meta.TransferSyntaxUID == BIG_ENDIAN and ds["PixelData"].VR == "OW"
    if is_swapped and attributes["BitsAllocated"] == 8:
        data = np.frombuffer(data, ">u2").astype("<u2").tobytes()
    return data[:size]


def test_every_frame_that_pydicom_decodes_is_decoded_alike(fixtures_dir: Path) -> None:
    compared, different = 0, []
    with (fixtures_dir / "MANIFEST.tsv").open(newline="") as table:
        rows = [
            each for each in csv.DictReader(table, delimiter="\t")
            if each["opens"] == "yes" and each["decode_first_frame"] == "ok"
            and each["transfer_syntax"].split(" ")[0] in DECODABLE
        ]  # fmt: skip
    for each in rows:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's on what is odd in a file
            ds = pydicom.dcmread(fixtures_dir / each["path"])
            try:
                expected = pixel_array(ds, index=0)
            except (NotImplementedError, RuntimeError, AttributeError, ValueError):
                continue
            attributes = {
                key: int(ds[key].value) if isinstance(ds[key].value, int) else str(ds[key].value)
                for key in KEYWORDS
                if key in ds and ds[key].value is not None
            }
        try:
            found = decode(first_frame(ds, attributes), ds.file_meta.TransferSyntaxUID, attributes)
        except Invalid as error:
            different.append(f"{each['path']}: {error.message}")
            continue
        compared += 1
        if np.abs(found.pixels.astype(float) - expected.astype(float)).max() > 1:
            different.append(each["path"])
    assert different == []
    assert compared > 400
