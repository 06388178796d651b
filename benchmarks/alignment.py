"""How often a lesion that is photographed again is laid on its earlier picture, and how exactly;
and how often one lesion is laid on another.

    python -m benchmarks alignment

Each photograph of the collection is taken again in known ways, so the right answer is known to a
fraction of a pixel. Then every photograph is tried on every other one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.retakes import RETAKES, Retake, error_px, take_again
from derm_capture.alignment import Alignment, Sight, align, see
from derm_capture.photo import open_photo
from derm_capture.raster import Pixels

COLLECTION = Path(
    os.environ.get("LYSBRO_FIXTURES") or Path(__file__).resolve().parents[2] / "shared" / "fixtures"
)
FOLDERS = ("skin_clinical", "skin_dermoscopic")
RESULT = Path(__file__).parent / "results" / "alignment.md"
CLOSE_PX = 3.0
WRONG_PX = 12.0
STRENGTHS = ("mild", "moderate", "strong")


@dataclass(frozen=True)
class Try:
    """One photograph taken again: how far off the answer is; None when there was none."""

    how: Retake
    error_px: float | None
    seconds: float


def main(words: Sequence[str]) -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks alignment")
    parser.add_argument("--most", type=int, default=1000, help="photographs to take again")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    given = parser.parse_args(words)
    pictures = [(path.stem, open_photo(path.read_bytes()).working) for path in paths()]
    seen = [see(pixels) for _, pixels in pictures]
    some = list(zip(pictures, seen, strict=True))[:: max(1, len(pictures) // given.most)]
    tries = [
        one
        for number, ((_, pixels), sight) in enumerate(some)
        for one in taken_again(pixels, sight, seed=number)
    ]
    falsely, seconds = on_others(seen)
    names = [name for name, _ in pictures]
    text = page(tries, [(names[i], names[j], found) for i, j, found in falsely], seconds, len(some))
    print(text)
    given.output.write_text(text)


def paths() -> list[Path]:
    """Return the photographs of skin of the collection."""
    found = [p for folder in FOLDERS for p in sorted((COLLECTION / folder).rglob("*.*"))]
    return [p for p in found if p.suffix in (".jpg", ".png")]


def taken_again(pixels: Pixels, sight: Sight, *, seed: int) -> list[Try]:
    """Return what became of one photograph in every retake."""
    tries = []
    for number, how in enumerate(RETAKES):
        taken = take_again(pixels, how, seed=1000 * seed + number)
        begun = time.perf_counter()
        found = align(sight, see(taken.pixels))
        seconds = time.perf_counter() - begun
        error = None if found is None else error_px(found.matrix, taken.matrix, pixels.shape)
        tries.append(Try(how, error, seconds))
    return tries


def on_others(seen: Sequence[Sight]) -> tuple[list[tuple[int, int, Alignment]], list[float]]:
    """Return the pairs of different photographs that were aligned, and the seconds of each pair."""
    falsely, seconds = [], []
    for i in range(len(seen)):
        for j in range(i):
            begun = time.perf_counter()
            found = align(seen[i], seen[j])
            seconds.append(time.perf_counter() - begun)
            if found is not None:
                falsely.append((i, j, found))
    return falsely, seconds


def page(
    tries: Sequence[Try],
    falsely: Sequence[tuple[str, str, Alignment]],
    seconds: Sequence[float],
    photographs: int,
) -> str:
    """Return the result as a page."""
    wrong = [one for one in tries if one.error_px is not None and one.error_px > WRONG_PX]
    lines = [
        "# A lesion photographed again, laid on its earlier picture",
        "",
        f"{photographs} real photographs of skin lesions (dermoscopic and clinical), each taken"
        f" again in {len(RETAKES)} known ways, at a long side of 1,024 pixels at most."
        " `python -m benchmarks alignment`.",
        "",
        f"Aligned: within {CLOSE_PX:g} pixels of the truth on the mean over what both show."
        " Error: median of those.",
        "",
        "| change | " + " | ".join(f"{s}: aligned | error" for s in STRENGTHS) + " |",
        "|---|" + "---:|---:|" * len(STRENGTHS),
    ]
    for name in dict.fromkeys(how.name for how in RETAKES):
        cells = []
        for strength in STRENGTHS:
            of = [t for t in tries if t.how.name == name and t.how.strength == strength]
            good = [t.error_px for t in of if t.error_px is not None and t.error_px <= CLOSE_PX]
            cells.append(f"{100 * len(good) / len(of):.0f} %")
            cells.append(f"{statistics.median(good):.2f} px" if good else "-")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    times = sorted(t.seconds for t in tries)
    lines += [
        "",
        f"Claimed an alignment that is off by more than {WRONG_PX:g} pixels: {len(wrong)} of"
        f" {sum(t.error_px is not None for t in tries)} claimed.",
        "",
        f"One lesion laid on another: {len(falsely)} of {len(seconds)} pairs"
        " of different photographs"
        + ("." if not falsely else ": " + "; ".join(_said(one) for one in falsely) + "."),
        "",
        f"Time for looking at a picture and aligning it: median {statistics.median(times):.2f} s,"
        f" 99 of 100 within {float(np.quantile(times, 0.99)):.2f} s; two that were looked at"
        f" before: median {statistics.median(seconds):.2f} s. Two cores.",
        "",
        "The same skin months later is not among these: growth, tan and shaved hair are what no"
        " made-up retake shows.",
        "",
    ]
    return "\n".join(lines)


def _said(one: tuple[str, str, Alignment]) -> str:
    first, second, found = one
    return f"{first} on {second} ({found.points} points, agreement {found.agreement:.2f})"
