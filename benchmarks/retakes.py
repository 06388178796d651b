"""Takes a photograph again in known ways: how each pixel moves is known exactly. Judges none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from derm_capture.raster import Pixels

Matrix = NDArray[np.float64]
Spoil = Callable[[Pixels, np.random.Generator], Pixels]


@dataclass(frozen=True)
class Retake:
    """How a photograph is taken again: the camera, then what the light and the skin do."""

    name: str
    strength: str  # mild | moderate | strong
    turn_deg: float = 0.0
    scale: float = 1.0
    shift: float = 0.0  # of the long side
    tilt: float = 0.0  # how much smaller the far side is
    spoils: Sequence[Spoil] = field(default_factory=tuple)


@dataclass(frozen=True, eq=False)
class Taken:
    """The photograph that was taken again, and where the pixels of the first one went."""

    pixels: Pixels
    matrix: Matrix


def take_again(pixels: Pixels, how: Retake, *, seed: int) -> Taken:
    """Return the same skin as another photograph of the same size."""
    rng = np.random.default_rng(seed)
    rows, columns = pixels.shape[:2]
    matrix = _matrix(how, rows, columns, rng)
    around = tuple(float(each) for each in np.median(pixels.reshape(-1, 3), axis=0))
    taken = cv2.warpPerspective(
        pixels, matrix, (columns, rows), flags=cv2.INTER_AREA, borderValue=around
    )
    made = np.asarray(taken, dtype=np.uint8)
    for spoil in how.spoils:
        made = spoil(made, rng)
    return Taken(made, matrix)


def error_px(found: Matrix, true: Matrix, shape: tuple[int, ...]) -> float:
    """Return the mean distance in pixels over what both photographs show."""
    rows, columns = shape[:2]
    x, y = np.meshgrid(np.linspace(0, columns, 15), np.linspace(0, rows, 15))
    places = np.stack([x.ravel(), y.ravel()], axis=1).reshape(-1, 1, 2)
    right = cv2.perspectiveTransform(places, true).reshape(-1, 2)
    told = cv2.perspectiveTransform(places, found).reshape(-1, 2)
    is_seen = ((right >= 0) & (right <= (columns, rows))).all(axis=1)
    return float(np.linalg.norm(right - told, axis=1)[is_seen].mean()) if is_seen.any() else 0.0


def gain(factor: float, gamma: float = 1.0, slope: float = 0.0) -> Spoil:
    """Return another exposure, with a light that falls off to one side."""

    def spoil(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        columns = pixels.shape[1]
        side = 1 if rng.random() < 0.5 else -1
        fall = 1 + side * slope * np.linspace(-1, 1, columns)[None, :, None]
        tint = 1 + rng.uniform(-0.06, 0.06, 3)
        bright = (pixels / 255.0) ** gamma * factor * fall * tint
        return np.asarray(np.clip(bright * 255, 0, 255), dtype=np.uint8)

    return spoil


def blur(sigma: float) -> Spoil:
    """Return a lens out of focus; sigma in pixels at a long side of 1,024."""
    return lambda pixels, _: np.asarray(
        cv2.GaussianBlur(pixels, (0, 0), sigma * max(pixels.shape) / 1024), dtype=np.uint8
    )


def noise(sigma: float) -> Spoil:
    """Return a sensor's noise."""
    return lambda pixels, rng: np.clip(pixels + rng.normal(0, sigma, pixels.shape), 0, 255).astype(
        np.uint8
    )


def jpeg(quality: int) -> Spoil:
    """Return what a JPEG of this quality leaves."""

    def spoil(pixels: Pixels, _: np.random.Generator) -> Pixels:
        _, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)

    return spoil


def crop(share: float) -> Spoil:
    """Return a frame of other skin around the middle, so that less of the same is seen."""

    def spoil(pixels: Pixels, _: np.random.Generator) -> Pixels:
        rows, columns = pixels.shape[:2]
        made = np.empty_like(pixels)
        made[:] = np.median(pixels.reshape(-1, 3), axis=0)
        y, x = round(rows * (1 - share) / 2), round(columns * (1 - share) / 2)
        made[y : rows - y, x : columns - x] = pixels[y : rows - y, x : columns - x]
        return made

    return spoil


def hairs(count: int) -> Spoil:
    """Return hairs that lie elsewhere each time."""

    def spoil(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        made = pixels.copy()
        rows, columns = pixels.shape[:2]
        wide = max(1, round(max(rows, columns) / 400))
        for _ in range(count):
            start, bend, end = (rng.uniform(0, 1, 2) * (columns, rows) for _ in range(3))
            t = np.linspace(0, 1, 30)[:, None]
            curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end
            cv2.polylines(made, [curve.astype(np.int32)], False, (40, 28, 22), wide, cv2.LINE_AA)
        return made

    return spoil


def bubbles(count: int) -> Spoil:
    """Return bubbles in the gel and a lamp in them, elsewhere each time."""

    def spoil(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        made = pixels.copy()
        rows, columns = pixels.shape[:2]
        for _ in range(count):
            x, y = (int(v) for v in rng.uniform(0, 1, 2) * (columns, rows))
            r = int(rng.uniform(0.006, 0.03) * max(rows, columns)) + 2
            cv2.circle(made, (x, y), r, (235, 225, 220), max(1, r // 6), cv2.LINE_AA)
            cv2.circle(made, (x - r // 3, y - r // 3), max(1, r // 4), (255, 255, 255), -1)
        return made

    return spoil


RETAKES: tuple[Retake, ...] = (
    Retake("turned", "mild", turn_deg=10),
    Retake("turned", "moderate", turn_deg=40),
    Retake("turned", "strong", turn_deg=150),
    Retake("nearer or farther", "mild", scale=1.2),
    Retake("nearer or farther", "moderate", scale=1.6),
    Retake("nearer or farther", "strong", scale=0.45),
    Retake("moved", "mild", shift=0.08),
    Retake("moved", "moderate", shift=0.2),
    Retake("moved", "strong", shift=0.35),
    Retake("tilted", "mild", tilt=0.08),
    Retake("tilted", "moderate", tilt=0.18),
    Retake("tilted", "strong", tilt=0.3),
    Retake("other light", "mild", spoils=(gain(1.1, 1.1, 0.1),)),
    Retake("other light", "moderate", spoils=(gain(0.75, 0.85, 0.25),)),
    Retake("other light", "strong", spoils=(gain(0.5, 1.3, 0.45),)),
    Retake("blurred", "mild", spoils=(blur(1.0),)),
    Retake("blurred", "moderate", spoils=(blur(2.5),)),
    Retake("blurred", "strong", spoils=(blur(5.0),)),
    Retake("noise and JPEG", "mild", spoils=(noise(4), jpeg(80))),
    Retake("noise and JPEG", "moderate", spoils=(noise(9), jpeg(60))),
    Retake("noise and JPEG", "strong", spoils=(noise(18), jpeg(35))),
    Retake("less of it", "mild", spoils=(crop(0.8),)),
    Retake("less of it", "moderate", spoils=(crop(0.6),)),
    Retake("less of it", "strong", spoils=(crop(0.4),)),
    Retake("hairs and bubbles", "mild", spoils=(hairs(15), bubbles(10))),
    Retake("hairs and bubbles", "moderate", spoils=(hairs(60), bubbles(40))),
    Retake("hairs and bubbles", "strong", spoils=(hairs(150), bubbles(120))),
    Retake(
        "all at once", "mild", turn_deg=8, scale=1.1, shift=0.05, tilt=0.04,
        spoils=(hairs(8), gain(1.1, 1.1, 0.1), blur(0.7), noise(3), jpeg(85)),
    ),
    Retake(
        "all at once", "moderate", turn_deg=25, scale=1.3, shift=0.1, tilt=0.1,
        spoils=(hairs(25), bubbles(10), gain(0.85, 0.9, 0.2), blur(1.2), noise(5), jpeg(70)),
    ),
    Retake(
        "all at once", "strong", turn_deg=80, scale=0.6, shift=0.15, tilt=0.18,
        spoils=(hairs(50), bubbles(30), gain(0.65, 1.2, 0.35), blur(2.0), noise(9), jpeg(50)),
    ),
)  # fmt: skip


def _matrix(how: Retake, rows: int, columns: int, rng: np.random.Generator) -> Matrix:
    """Return where the camera's second stand puts each pixel of the first."""
    side = max(rows, columns)
    sign = 1 if rng.random() < 0.5 else -1
    angle = np.radians(how.turn_deg * sign)
    way = rng.uniform(0, 2 * np.pi)
    to_middle = np.array([[1, 0, -columns / 2], [0, 1, -rows / 2], [0, 0, 1.0]])
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]])
    stand = np.vstack([turn * how.scale, [0, 0, 1.0]])
    lean = np.eye(3)
    lean[2, :2] = np.array([np.cos(way), np.sin(way)]) * how.tilt / side
    moved = np.array(
        [
            [1, 0, columns / 2 + how.shift * side * np.cos(way + 1)],
            [0, 1, rows / 2 + how.shift * side * np.sin(way + 1)],
            [0, 0, 1.0],
        ]
    )
    made: Matrix = moved @ lean @ stand @ to_middle
    return made / made[2, 2]
