"""Turns colours as the standard writes them into those of a screen. PS3.3 C.10.7.1.1."""

from __future__ import annotations

from collections.abc import Sequence

Colour = tuple[int, int, int]
_WHITE = (0.9642, 1.0, 0.8249)  # D50, of the profile connection space
_TO_SRGB = (
    (3.1338561, -1.6168667, -0.4906146),
    (-0.9787684, 1.9161415, 0.0334540),
    (0.0719453, -0.2289914, 1.4052427),
)


def srgb_of(encoded: Sequence[float]) -> Colour:
    """Return red, green and blue of 0 to 255 for L*, a* and b* of 0 to 65535."""
    lightness = encoded[0] * 100 / 65535
    a, b = (each * 255 / 65535 - 128 for each in encoded[1:3])
    y = (lightness + 16) / 116
    xyz = [
        white * _unbent(each)
        for white, each in zip(_WHITE, (y + a / 500, y, y - b / 200), strict=True)
    ]
    linear = [sum(f * v for f, v in zip(row, xyz, strict=True)) for row in _TO_SRGB]
    red, green, blue = (round(255 * _curved(min(1.0, max(0.0, each)))) for each in linear)
    return red, green, blue


def grey_of(value: float) -> Colour:
    """Return the grey of a P-value of 0 to 65535."""
    grey = min(255, max(0, round(value / 257)))
    return grey, grey, grey


def _unbent(value: float) -> float:
    return value**3 if value > 6 / 29 else 3 * (6 / 29) ** 2 * (value - 4 / 29)


def _curved(value: float) -> float:
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
