"""Finds the lesion in a picture roughly: enough to tell that it is far away or cut off.

What stands out in colour from the skin around it, weighed towards the middle. Where nothing stands
out clearly it says nothing: many rashes have no edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from derm_capture.raster import Pixels

Mask = NDArray[np.bool_]

_SIDE = 256  # long side in pixels: an outline needs no more
_SURROUND = 8.0  # L* below which it is the black ring of a dermatoscope
_LIGHTER = 3.0  # L* above the skin's own: a reflection, no lesion
_LEAST_CONTRAST = 6.0  # CIELAB units from the skin
_CLEAR = 13.0  # mean contrast from which an outline is believed
_STEPS = 4.0  # of a CIELAB unit, when distances become bytes
_LIGHTNESS_WEIGHT = 0.7  # shadows are a matter of lightness
_MIDDLE = 0.35  # of the picture: how fast what lies aside loses weight


@dataclass(frozen=True)
class Outline:
    """The lesion as it was found."""

    area_share: float  # of the picture
    edge_share: float  # of the picture's own edge that the lesion covers
    contrast: float  # mean distance from the skin in CIELAB units


@dataclass(frozen=True, eq=False)
class Region:
    """The pixels of the lesion on the small picture, and how far they are from the skin."""

    mask: Mask
    contrast: float  # mean distance from the skin in CIELAB units

    @property
    def is_clear(self) -> bool:
        """Tell whether the outline is believed."""
        return self.contrast >= _CLEAR


def area_share(pixels: Pixels) -> float:
    """Return how much of a picture the lesion fills; all of it where no lesion has a clear edge."""
    found = find_lesion(pixels)
    return found.area_share if found and found.contrast >= _CLEAR else 1.0


def edge_share(pixels: Pixels) -> float:
    """Return how much of a picture's edge the lesion covers; nothing where it is not clear."""
    found = find_lesion(pixels)
    return found.edge_share if found and found.contrast >= _CLEAR else 0.0


def find_lesion(pixels: Pixels) -> Outline | None:
    """Return what stands out most near the middle, or None where nothing does."""
    found = find_region(pixels)
    if found is None:
        return None
    chosen = found.mask
    edge = np.ones_like(chosen)
    edge[1:-1, 1:-1] = False
    return Outline(
        area_share=float(chosen.mean()),
        edge_share=float((chosen & edge).sum() / edge.sum()),
        contrast=found.contrast,
    )


def find_region(
    pixels: Pixels, *, skin_alone: Mask | None = None, strictness: float = 1.0
) -> Region | None:
    """Return the pixels of what stands out most near the middle, on the small picture.

    Of a given mask, what is no skin is not looked at; a strictness above 1 draws the edge nearer.
    """
    lab = _small_lab(pixels)
    is_surround = lab[..., 0] < _SURROUND
    if skin_alone is not None:
        size = (lab.shape[1], lab.shape[0])
        inside = cv2.resize(skin_alone.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        is_surround |= inside == 0
    if is_surround.all():
        return None
    skin = np.median(lab[~is_surround], axis=0)
    weights = np.array([_LIGHTNESS_WEIGHT, 1, 1])
    distance = np.sqrt((((lab - skin) * weights) ** 2).sum(axis=-1))
    distance[is_surround | (lab[..., 0] > skin[0] + _LIGHTER)] = 0
    chosen = _most_central(_apart(distance, ~is_surround, strictness), distance)
    if chosen is None:
        return None
    return Region(chosen, float(distance[chosen].mean()))


def _small_lab(pixels: Pixels) -> NDArray[np.float32]:
    rows, columns = pixels.shape[:2]
    scale = _SIDE / max(rows, columns)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), 2).astype(np.float32) / 255
    return np.asarray(cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB), dtype=np.float32)


def _apart(
    distance: NDArray[np.floating], seen: Mask, strictness: float = 1.0
) -> NDArray[np.uint8]:
    """Return what lies apart from the skin: beyond Otsu's threshold, specks and gaps closed."""
    steps = np.clip(distance * _STEPS, 0, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(steps[seen].reshape(-1, 1), 0, 255, cv2.THRESH_OTSU)
    mask = (steps > max(threshold * strictness, _STEPS * _LEAST_CONTRAST)).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return np.asarray(closed, dtype=np.uint8)


def _most_central(mask: NDArray[np.uint8], distance: NDArray[np.floating]) -> Mask | None:
    count, labels = cv2.connectedComponents(mask)
    if count < 2:
        return None
    rows, columns = mask.shape
    y, x = np.mgrid[0:rows, 0:columns]
    aside = ((x / columns - 0.5) / _MIDDLE) ** 2 + ((y / rows - 0.5) / _MIDDLE) ** 2
    weight = np.exp(-aside / 2) * distance
    sums = np.bincount(labels.ravel(), weights=weight.ravel(), minlength=count)
    return np.asarray(labels == 1 + int(np.argmax(sums[1:])))
