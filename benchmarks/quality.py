"""How well the quality checks tell spoiled photographs from untouched ones, on real photographs.

    python benchmarks/quality.py [FOLDER ...]

Each photograph is spoiled in known ways, written as JPEG, opened and judged as at the door. For
each way it prints the AUC of the measure and the share found (doubtful or poor); for the untouched
ones the share of false alarms. Without folders it reads skin_clinical and skin_dermoscopic of the
large collection.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from derm_capture import quality
from derm_capture.photo import Photo, open_photo
from derm_capture.quality import Advice, Verdict
from derm_capture.raster import Pixels

COLLECTION = Path(
    os.environ.get("LYSBRO_FIXTURES") or Path(__file__).resolve().parents[2] / "shared" / "fixtures"
)
FOLDERS = ("skin_clinical", "skin_dermoscopic")
TWELVE_MPX = (3024, 4032)


def defocus(sigma: float) -> Callable[[Pixels], Pixels]:
    """Return a spoiler that blurs as a lens out of focus does, `sigma` in pixels of the working
    picture.
    """
    return lambda pixels: cv2.GaussianBlur(
        pixels, (0, 0), sigma * max(1.0, max(pixels.shape) / 1024)
    )


def shake(length: int) -> Callable[[Pixels], Pixels]:
    """Return a spoiler that moves the camera sideways."""

    def spoil(pixels: Pixels) -> Pixels:
        size = max(3, round(length * max(1.0, max(pixels.shape) / 1024)))
        return cv2.blur(pixels, (size, 1))

    return spoil


def light(factor: float) -> Callable[[Pixels], Pixels]:
    """Return a spoiler that exposes too little or too much."""
    return lambda pixels: np.clip(pixels * factor, 0, 255).astype(np.uint8)


SPOILED: dict[str, tuple[str, Callable[[Pixels], Pixels]]] = {
    "blur 1.5": ("focus", defocus(1.5)),
    "blur 2": ("focus", defocus(2)),
    "blur 3 (strong)": ("focus", defocus(3)),
    "blur 5 (strong)": ("focus", defocus(5)),
    "shake 9": ("focus", shake(9)),
    "shake 17 (strong)": ("focus", shake(17)),
    "light x0.6": ("exposure", light(0.6)),
    "light x0.4 (strong)": ("exposure", light(0.4)),
    "light x1.8 (strong)": ("exposure", light(1.8)),
    "light x2.5 (strong)": ("exposure", light(2.5)),
}


def spoiled(photo: Photo, spoil: Callable[[Pixels], Pixels], *, jpeg_quality: int = 88) -> Photo:
    """Return a photograph spoiled and written as JPEG."""
    bgr = cv2.cvtColor(spoil(photo.pixels()), cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    assert done
    return open_photo(data.tobytes())


def of_check(advice: tuple[Advice, ...], check: str) -> Advice:
    """Return the advice of one check."""
    return next(a for a in advice if a.check == check)


def badness(advice: Advice) -> float:
    """Return a number that grows as the advice worsens; exposure has two measures, so it is the
    verdict's.
    """
    if advice.check == "focus":
        return -advice.value
    return float(list(Verdict).index(advice.verdict))


def auc(good: list[float], bad: list[float]) -> float:
    """Return the share of (good, bad) pairs that are told apart; 0.5 is chance."""
    pairs = [(b > g) + 0.5 * (b == g) for g in good for b in bad]
    return sum(pairs) / len(pairs)


def photographs(folders: list[Path]) -> list[Photo]:
    """Return all photographs below some folders."""
    files = sorted(
        path for folder in folders for path in folder.rglob("*") if path.suffix in (".jpg", ".png")
    )
    return [open_photo(path.read_bytes()) for path in files]


def twelve_megapixels(photo: Photo) -> bytes:
    """Return a photograph enlarged to what a phone takes."""
    large = cv2.resize(photo.pixels(), TWELVE_MPX[::-1], interpolation=cv2.INTER_CUBIC)
    done, data = cv2.imencode(".jpg", cv2.cvtColor(large, cv2.COLOR_RGB2BGR))
    assert done
    return data.tobytes()


def main(arguments: list[str]) -> None:
    """Print the figures."""
    photos = photographs([Path(a) for a in arguments] or [COLLECTION / name for name in FOLDERS])
    print(f"{len(photos)} photographs")
    untouched = [quality.assess(photo) for photo in photos]
    print(f"{'untouched':22}{'false alarms':>14}{'of them poor':>14}")
    for check in [a.check for a in untouched[0]]:
        verdicts = [of_check(advice, check).verdict for advice in untouched]
        alarms = sum(v is not Verdict.GOOD for v in verdicts) / len(verdicts)
        poor = sum(v is Verdict.POOR for v in verdicts) / len(verdicts)
        print(f"  {check:20}{alarms:14.1%}{poor:14.1%}")
    print(f"{'spoiled by':22}{'AUC':>14}{'found':>14}{'as poor':>14}")
    for name, (check, spoil) in SPOILED.items():
        bad = [of_check(quality.assess(spoiled(photo, spoil)), check) for photo in photos]
        good = [badness(of_check(advice, check)) for advice in untouched]
        found = sum(a.verdict is not Verdict.GOOD for a in bad) / len(bad)
        poor = sum(a.verdict is Verdict.POOR for a in bad) / len(bad)
        print(f"  {name:20}{auc(good, [badness(a) for a in bad]):14.3f}{found:14.1%}{poor:14.1%}")
    data = twelve_megapixels(photos[-1])
    started = time.perf_counter()
    quality.assess(open_photo(data))
    took_s = time.perf_counter() - started
    print(f"12 Mpx JPEG of {len(data) / 1e6:.1f} MB opened and judged in {took_s:.2f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
