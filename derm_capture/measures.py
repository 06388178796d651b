"""Measures focus, light and colour of a small picture.

Numbers only; what they mean is decided in `quality`.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from derm_capture.raster import Pixels

Plane = NDArray[np.float32]

_NOISE_SIGMA = 0.8  # takes sensor noise away before the re-blur, which reads noise as sharpness
_REBLUR = 9
_DIRECTIONS = ((1, 0), (0, 1), (1, 1), (1, -1))
_FLAT = 0.05  # a picture of one colour has no direction


def centre(pixels: Pixels) -> Pixels:
    """Return the middle three fifths of a picture each way: where the lesion is."""
    rows, columns = pixels.shape[:2]
    return pixels[rows // 5 : rows - rows // 5, columns // 5 : columns - columns // 5]


def sharpness(pixels: Pixels) -> float:
    """Return 0 (blurred) to 1 (sharp) by how much a further blur takes away.

    After Crété-Roffet et al., SPIE 6492 (2007); the worse direction counts, so that a shaken
    picture is found too.
    """
    smooth = cv2.GaussianBlur(_grey(pixels), (0, 0), _NOISE_SIGMA)
    grey = np.asarray(smooth, dtype=np.float32)
    return min(_loss(grey, axis=1), _loss(grey, axis=0))


def steadiness(pixels: Pixels) -> float:
    """Return how much sharper the sharpest of four directions is than the least sharp one, as a
    share: near 1 where the camera stood still, lower the further it moved along one direction.
    """
    smooth = cv2.GaussianBlur(_grey(pixels), (0, 0), _NOISE_SIGMA)
    losses = [_loss_along(np.asarray(smooth, dtype=np.float32), x, y) for x, y in _DIRECTIONS]
    return min(losses) / max(losses) if max(losses) > _FLAT else 1.0


def brightest_skin(pixels: Pixels) -> float:
    """Return the L* (0 to 100) under which 95 % of the pixels lie: low in the dark, whatever the
    skin's colour.
    """
    return float(np.percentile(_lab(pixels)[..., 0], 95))


def burnt_out_share(pixels: Pixels) -> float:
    """Return the share of pixels with a channel at its end."""
    return float((pixels.max(axis=2) >= 253).mean())


def glare_share(pixels: Pixels) -> float:
    """Return the share of pixels that are bright and without colour: a lamp or a flash mirrored by
    the skin.
    """
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    return float(((hsv[..., 2] > 240) & (hsv[..., 1] < 30)).mean())


def cast(pixels: Pixels) -> float:
    """Return how far the median colour is on the green or blue side of grey, where no skin is
    (CIELAB units).
    """
    lab = _lab(pixels)
    a, b = float(np.median(lab[..., 1])), float(np.median(lab[..., 2]))
    return max(0.0, -a, -b)


def _loss_along(grey: Plane, x: int, y: int) -> float:
    """Return how much of the change along a direction a re-blur along it takes away."""
    half = _REBLUR // 2 if 0 in (x, y) else _REBLUR * 5 // 14  # as long on the diagonal
    kernel = np.zeros((_REBLUR, _REBLUR), np.float32)
    for step in range(-half, half + 1):
        kernel[_REBLUR // 2 + step * y, _REBLUR // 2 + step * x] = 1 / (2 * half + 1)
    change = _change_along(grey, x, y)
    left = _change_along(np.asarray(cv2.filter2D(grey, -1, kernel), dtype=np.float32), x, y)
    total = float(change.sum(dtype=np.float64))
    return float(np.maximum(change - left, 0).sum(dtype=np.float64)) / total if total else 0.0


def _change_along(plane: Plane, x: int, y: int) -> Plane:
    rows, columns = plane.shape
    here = plane[max(0, -y) : rows - max(0, y), max(0, -x) : columns - max(0, x)]
    there = plane[max(0, y) : rows - max(0, -y), max(0, x) : columns - max(0, -x)]
    return np.asarray(np.abs(there - here), dtype=np.float32)


def _loss(grey: Plane, *, axis: int) -> float:
    size = (_REBLUR, 1) if axis == 1 else (1, _REBLUR)
    change = np.abs(np.diff(grey, axis=axis))
    left = np.abs(np.diff(cv2.blur(grey, size), axis=axis))
    total = float(change.sum(dtype=np.float64))
    gone = float(np.maximum(change - left, 0).sum(dtype=np.float64))
    return gone / total if total else 0.0


def _grey(pixels: Pixels) -> Plane:
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _lab(pixels: Pixels) -> Plane:
    return np.asarray(
        cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), dtype=np.float32
    )
