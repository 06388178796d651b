"""How well faces and colour cards are found in photographs, and how often where there are none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from benchmarks.laying import Head, seen_from, with_colour_card
from derm_capture import checks
from derm_capture.colour_card import find_colour_card
from derm_capture.faces import face_score
from derm_capture.photo import Photo
from derm_capture.raster import Pixels

PORTRAITS = (
    ("hopper.png", "light", 62, 51, 50),
    ("astronaut.png", "light", 227, 121, 107),
    ("biden.jpg", "light", 590, 391, 320),
    ("obama.jpg", "brown", 488, 267, 282),
)
"""Portraits in the public domain (US Navy, NASA, White House), and where in them the face is."""
SHARES = (0.1, 0.2, 0.3, 0.5, 0.8, 1.1, 1.5, 2.0, 3.0)
_VIEWS: Sequence[Mapping[str, float]] = (
    {},
    {"turn": 25},
    {"turn": -25},
    {"turn": 90},
    {"turn": 180},
    {"brightness": 0.5},
    {"brightness": 0.7, "turn": 10},
    {"brightness": 1.4},
    {"aside": 0.2},
)
_BLURRED = 2.0  # pixels, of a further view: such pictures are taken all the same
_CASTS = {
    "white light": (1.0, 1.0, 1.0),
    "warm light": (1.15, 0.9, 0.55),
    "cold light": (0.7, 0.9, 1.15),
    "green light": (0.75, 1.1, 0.8),
    "half the light": (0.5, 0.5, 0.5),
}
_WIDTHS, _TURNS = (0.2, 0.4), (0, 15, 90, 200, 340)


@dataclass(frozen=True)
class Faces:
    """How sure the network is of faces, by how near they are, and where there are none."""

    limit: float
    portraits: int
    none: Sequence[float]
    by_share: Mapping[float, Sequence[float]]
    by_tone: Mapping[str, Sequence[float]]  # of faces that are whole in the picture

    def found(self, scores: Sequence[float]) -> float:
        return sum(score >= self.limit for score in scores) / len(scores)


@dataclass(frozen=True)
class Cards:
    """How many colour cards were found, by light: share, mean difference, that after the matrix."""

    by_light: Mapping[str, tuple[float, float, float]]
    errors: Mapping[str, Sequence[float]]
    false: int
    count: int


def faces(photos: Sequence[Photo], folders: Iterable[Path]) -> Faces:
    """Look for faces in photographs without one, and in views of the portraits that are there."""
    heads = list(_heads(folders))
    by_share: dict[float, list[float]] = {share: [] for share in SHARES}
    by_tone: dict[str, list[float]] = {}
    for tone, head in heads:
        for share in SHARES:
            scores = [face_score(view) for view in _views(head, share)]
            by_share[share] += scores
            if share <= 1:
                by_tone.setdefault(tone, []).extend(scores)
    return Faces(
        limit=checks.FACE.doubtful,
        portraits=len(heads),
        none=[face_score(photo.working) for photo in photos],
        by_share=by_share,
        by_tone=by_tone,
    )


def cards(photos: Sequence[Photo]) -> Cards:
    """Lay a card onto each photograph in each light, and look for it; look where none lies."""
    wide = [_at_least(photo.working, 700) for photo in photos]
    by_light, errors = {}, {}
    for light, cast in _CASTS.items():
        found = []
        for number, pixels in enumerate(wide):
            width = _WIDTHS[number % len(_WIDTHS)] * pixels.shape[1]
            turn = _TURNS[number % len(_TURNS)]
            found.append(
                find_colour_card(with_colour_card(pixels, width=width, turn=turn, cast=cast))
            )
        seen = [card for card in found if card is not None]
        by_light[light] = (
            len(seen) / len(found),
            float(np.mean([card.error for card in seen])),
            float(np.mean([card.corrected_error for card in seen])),
        )
        errors[light] = [card.error for card in seen]
    false = sum(find_colour_card(pixels) is not None for pixels in wide)
    return Cards(by_light=by_light, errors=errors, false=false, count=len(wide))


def _heads(folders: Iterable[Path]) -> Iterable[tuple[str, Head]]:
    places = list(folders)
    for name, tone, x, y, side in PORTRAITS:
        for path in (folder / name for folder in places):
            if path.is_file():
                pixels = np.asarray(Image.open(path).convert("RGB"))
                yield tone, Head(name, pixels, x, y, side)
                break


def _views(head: Head, share: float) -> Iterable[Pixels]:
    for view in _VIEWS:
        yield seen_from(head, share=share, **view)
    yield np.asarray(cv2.GaussianBlur(seen_from(head, share=share), (0, 0), _BLURRED))


def _at_least(pixels: Pixels, side: int) -> Pixels:
    scale = side / pixels.shape[1]
    return pixels if scale <= 1 else np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale))
