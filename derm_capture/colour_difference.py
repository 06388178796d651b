"""How different two colours look: CIEDE2000 (ISO/CIE 11664-6), and nothing else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

_POW = 25.0**7


def ciede2000(one: Numbers, other: Numbers) -> Numbers:
    """Return the difference of each pair of CIELAB colours (rows of L*, a*, b*)."""
    lightness_1, a_1, b_1 = one.T
    lightness_2, a_2, b_2 = other.T
    stretch = 1 + 0.5 * (1 - _vividness((np.hypot(a_1, b_1) + np.hypot(a_2, b_2)) / 2))
    a_1, a_2 = a_1 * stretch, a_2 * stretch
    chroma_1, chroma_2 = np.hypot(a_1, b_1), np.hypot(a_2, b_2)
    hue_1, hue_2 = _hue(a_1, b_1), _hue(a_2, b_2)
    has_hue = chroma_1 * chroma_2 != 0
    turn = np.where(has_hue, (hue_2 - hue_1 + 180) % 360 - 180, 0.0)
    apart = np.abs(hue_1 - hue_2) > 180
    middle = (hue_1 + hue_2) / 2 + np.where(apart, 180.0, 0.0)
    hue = np.where(has_hue, middle % 360, hue_1 + hue_2)
    lightness, chroma = (lightness_1 + lightness_2) / 2, (chroma_1 + chroma_2) / 2
    of_lightness = (lightness_2 - lightness_1) / (
        1 + 0.015 * (lightness - 50) ** 2 / np.sqrt(20 + (lightness - 50) ** 2)
    )
    of_chroma = (chroma_2 - chroma_1) / (1 + 0.045 * chroma)
    of_hue = 2 * np.sqrt(chroma_1 * chroma_2) * np.sin(np.radians(turn / 2))
    of_hue /= 1 + 0.015 * chroma * _hue_weight(hue)
    blue = 2 * _vividness(chroma) * np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    return np.asarray(
        np.sqrt(of_lightness**2 + of_chroma**2 + of_hue**2 - blue * of_chroma * of_hue)
    )


def _vividness(chroma: Numbers) -> Numbers:
    return np.asarray(np.sqrt(chroma**7 / (chroma**7 + _POW)))


def _hue(a: Numbers, b: Numbers) -> Numbers:
    return np.asarray(np.degrees(np.arctan2(b, a)) % 360)


def _hue_weight(hue: Numbers) -> Numbers:
    """Return how much a turn of the hue counts, by the hue."""
    told = (
        1
        - 0.17 * np.cos(np.radians(hue - 30))
        + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6))
        - 0.20 * np.cos(np.radians(4 * hue - 63))
    )
    return np.asarray(told)
