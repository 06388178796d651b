"""Lays things into photographs: a colour card beside the lesion, a face as near as one likes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from derm_capture.colour_card import PATCHES
from derm_capture.raster import Pixels

_PATCH, _GAP = 100, 12
_FRAME = (25, 25, 25)


def colour_card() -> Pixels:
    """Return a card of four times six patches in a dark frame, as it looks from straight above."""
    step = _PATCH + _GAP
    card = np.full((4 * step + _GAP, 6 * step + _GAP, 3), _FRAME, np.uint8)
    for number, colour in enumerate(PATCHES):
        row, column = divmod(number, 6)
        top, left = _GAP + row * step, _GAP + column * step
        card[top : top + _PATCH, left : left + _PATCH] = colour
    return card


def with_colour_card(
    pixels: Pixels, *, width: float, turn: float = 0, seen: float = 1, cast: object = (1, 1, 1)
) -> Pixels:
    """Return a picture with a colour card in its middle, so many pixels wide, turned, `seen` as
    high as it is, under light of a colour.
    """
    card = colour_card()
    rows, columns = card.shape[:2]
    corners = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    laid = (corners - [columns / 2, rows / 2]) / columns * width * [1, seen]
    angle = np.radians(turn)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = np.array([pixels.shape[1] / 2, pixels.shape[0] / 2])
    onto = cv2.getPerspectiveTransform(corners, (laid @ rotation + middle).astype(np.float32))
    size = pixels.shape[1::-1]
    smooth = cv2.GaussianBlur(card, (0, 0), max(0.4, 0.4 * columns / width))
    drawn = cv2.warpPerspective(smooth, onto, size)
    covered = cv2.warpPerspective(np.full((rows, columns), 255, np.uint8), onto, size) > 127
    both = np.where(covered[..., None], drawn, pixels)
    return np.clip(both * np.asarray(cast), 0, 255).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Head:
    """A portrait, and where in it the face is."""

    name: str
    pixels: Pixels
    x: float  # of the middle of the face
    y: float
    side: float  # of the square from brow to chin


def seen_from(
    head: Head, *, share: float, turn: float = 0, brightness: float = 1, aside: float = 0
) -> Pixels:
    """Return a photograph (1024 x 768) in which the face is `share` of the short side; more than 1
    shows a part of it.
    """
    columns, rows = 1024, 768
    scale = share * rows / head.side
    onto = cv2.getRotationMatrix2D((head.x, head.y), turn, scale)
    onto[:, 2] += [columns * (0.5 + aside) - head.x, rows / 2 - head.y]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    near = cv2.warpAffine(
        head.pixels, onto, (columns, rows), flags=how, borderMode=cv2.BORDER_REPLICATE
    )
    return np.clip(near.astype(np.float32) * brightness, 0, 255).astype(np.uint8)
