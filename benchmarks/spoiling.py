"""Spoils photographs in known ways, each as strong in any size of picture; judges none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from derm_capture.raster import Pixels

_SIDE = 1024  # of the picture that photographs are judged on
Spoil = Callable[[Pixels, int], Pixels]
"""What spoils a picture; the number varies it from one photograph to the next."""


@dataclass(frozen=True)
class Spoiler:
    """One way to spoil a photograph: which check should find it, and whether it is a strong one."""

    name: str
    check: str
    is_strong: bool
    spoil: Spoil


def defocus(sigma: float) -> Spoil:
    """Return a spoiler that blurs as a lens out of focus does."""
    return lambda pixels, _: cv2.GaussianBlur(pixels, (0, 0), sigma * _size_of(pixels))


def shake(length: int) -> Spoil:
    """Return a spoiler that moves the camera, each photograph in another direction."""

    def spoil(pixels: Pixels, number: int) -> Pixels:
        reach = max(2, round(length * _size_of(pixels)))
        kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
        angle = np.radians(number * 37 % 180)
        for step in np.linspace(-reach / 2, reach / 2, 8 * reach):
            kernel[round(reach + step * np.sin(angle)), round(reach + step * np.cos(angle))] += 1
        return cv2.filter2D(pixels, -1, kernel / kernel.sum())

    return spoil


def light(factor: float) -> Spoil:
    """Return a spoiler that exposes too little or too much."""
    return lambda pixels, _: np.clip(pixels * factor, 0, 255).astype(np.uint8)


def tint(red: float, green: float, blue: float) -> Spoil:
    """Return a spoiler that colours the light."""
    return lambda pixels, _: np.clip(pixels * np.array([red, green, blue]), 0, 255).astype(np.uint8)


def lamp(share: float) -> Spoil:
    """Return a spoiler that mirrors a lamp in the skin, near the middle."""

    def spoil(pixels: Pixels, number: int) -> Pixels:
        rows, columns = pixels.shape[:2]
        radius = max(2, round((share * rows * columns / np.pi) ** 0.5))
        glow = np.zeros((rows, columns), np.float32)
        angle = np.radians(number * 61)
        at = (
            round(columns / 2 + np.cos(angle) * columns * 0.12),
            round(rows / 2 + np.sin(angle) * rows * 0.12),
        )
        cv2.circle(glow, at, radius, 1.0, -1)
        glow = cv2.GaussianBlur(glow, (0, 0), radius * 0.15)[..., None]
        return np.clip(pixels * (1 - glow) + 252 * glow, 0, 255).astype(np.uint8)

    return spoil


def farther(times: int) -> Spoil:
    """Return a spoiler that takes the picture from farther away, with more of the same skin."""

    def spoil(pixels: Pixels, number: int) -> Pixels:
        rows, columns = pixels.shape[:2]
        height, width = rows // times, columns // times
        small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        noise = np.random.default_rng(number).normal(0, 4, (rows, columns, 1))
        wide = np.median(rim, axis=0) + noise
        fade = np.zeros((height, width), np.float32)
        axes = (round(width * 0.45), round(height * 0.45))
        cv2.ellipse(fade, (width // 2, height // 2), axes, 0, 0, 360, 1.0, -1)
        fade = cv2.GaussianBlur(fade, (0, 0), max(1.0, width * 0.05))[..., None]
        top, left = (rows - height) // 2, (columns - width) // 2
        part = wide[top : top + height, left : left + width]
        wide[top : top + height, left : left + width] = small * fade + part * (1 - fade)
        return np.clip(wide, 0, 255).astype(np.uint8)

    return spoil


def halved(pixels: Pixels, number: int) -> Pixels:
    """Return half of a picture, so that its middle lies on an edge."""
    rows, columns = pixels.shape[:2]
    halves = (
        pixels[:, columns // 2 :],
        pixels[:, : columns // 2],
        pixels[rows // 2 :],
        pixels[: rows // 2],
    )
    return np.ascontiguousarray(halves[number % 4])


SPOILERS = (
    Spoiler("blur 1.5", "focus", False, defocus(1.5)),
    Spoiler("blur 2", "focus", False, defocus(2)),
    Spoiler("blur 3", "focus", True, defocus(3)),
    Spoiler("blur 5", "focus", True, defocus(5)),
    Spoiler("shake 5", "motion", False, shake(5)),
    Spoiler("shake 9", "motion", False, shake(9)),
    Spoiler("shake 17", "motion", True, shake(17)),
    Spoiler("light x 0.6", "dark", False, light(0.6)),
    Spoiler("light x 0.4", "dark", True, light(0.4)),
    Spoiler("light x 0.25", "dark", True, light(0.25)),
    Spoiler("light x 1.5", "bright", False, light(1.5)),
    Spoiler("light x 1.8", "bright", True, light(1.8)),
    Spoiler("light x 2.5", "bright", True, light(2.5)),
    Spoiler("a lamp over 6 %", "glare", True, lamp(0.06)),
    Spoiler("blue light", "colour", True, tint(0.6, 0.85, 1.3)),
    Spoiler("green light", "colour", True, tint(0.65, 1.1, 0.7)),
    Spoiler("6 times farther", "distance", True, farther(6)),
    Spoiler("10 times farther", "distance", True, farther(10)),
    Spoiler("cut through the middle", "framing", True, halved),
)


def _size_of(pixels: Pixels) -> float:
    """Return how much larger a picture is than the one that is judged."""
    return max(1.0, max(pixels.shape) / _SIDE)
