"""How often a photograph and the small copy that a browser makes of it are judged alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from derm_capture import quality
from derm_capture.photo import WORKING_SIDE, Photo, open_photo
from derm_capture.raster import Pixels

LARGE = 3000  # long side that smaller photographs are enlarged to, with the grain of a sensor
COPY_QUALITY = 90
_GRAIN = 8.0


@dataclass(frozen=True)
class Agreement:
    """How many verdicts there were, how many differ, and how large the copies are."""

    verdicts: int
    differing: Sequence[tuple[str, str, str]]  # check, of the photograph, of its copy
    mean_bytes: float

    @property
    def share(self) -> float:
        return 1 - len(self.differing) / self.verdicts


def agreement(
    photos: Sequence[Photo], spoil: Callable[[Pixels, int], Pixels] = lambda pixels, _: pixels
) -> Agreement:
    """Judge photographs, spoiled in a way, and their copies."""
    verdicts, differing, sizes = 0, [], []
    for number, photo in enumerate(photos):
        pixels = spoil(enlarged(photo.pixels()), number)
        whole = open_photo(_jpeg(pixels, 92))
        data = _jpeg(small_copy(pixels), COPY_QUALITY)
        sizes.append(len(data))
        copy = open_photo(data).as_copy_of(whole.rows, whole.columns)
        pairs = zip(quality.assess(whole), quality.assess(copy), strict=True)
        for of_whole, of_copy in pairs:
            verdicts += 1
            if of_whole.verdict is not of_copy.verdict:
                differing.append((of_whole.check, of_whole.verdict.value, of_copy.verdict.value))
    return Agreement(verdicts, differing, float(np.mean(sizes)))


def enlarged(pixels: Pixels) -> Pixels:
    """Return a photograph as large as a telephone takes them, with grain so that it is sharp."""
    scale = LARGE / max(pixels.shape[:2])
    if scale <= 1:
        return pixels
    large = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    grain = np.random.default_rng(1).normal(0, _GRAIN, large.shape[:2]).astype(np.float32)
    return np.clip(large + cv2.GaussianBlur(grain, (0, 0), 0.7)[..., None], 0, 255).astype(np.uint8)


def small_copy(pixels: Pixels) -> Pixels:
    """Return the copy that the capture page makes: halved by bilinear drawing, then averaged."""
    rows, columns = pixels.shape[:2]
    scale = WORKING_SIDE / max(rows, columns)
    size = (round(columns * scale), round(rows * scale))
    while columns >= 2 * size[0] and rows >= 2 * size[1]:
        rows, columns = round(rows / 2), round(columns / 2)
        pixels = cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _jpeg(pixels: Pixels, level: int) -> bytes:
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, level])
    return data.tobytes()
