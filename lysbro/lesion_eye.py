"""Wires the comparing of photographs to the web application, whose `LesionEye` it is.

What was compared is remembered for a while; nothing is written.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from threading import Lock
from typing import Any, TypeVar

from casework.errors import Invalid
from derm_capture import alignment
from derm_capture.alignment import Sight
from derm_capture.extent import extent_of
from derm_capture.photo import Photo, PhotoLimits, open_photo
from viewer.lesion_door import Seen

T = TypeVar("T")

_SIGHTS_KEPT = 8  # of some 3 MB each
_ANSWERS_KEPT = 512


class PhotoComparing:
    """Compares one pair at a time in a process, so that the other pages keep their processor."""

    def __init__(self, limits: PhotoLimits) -> None:
        self._limits = limits
        self._sights: OrderedDict[Any, Sight | None] = OrderedDict()
        self._answers: OrderedDict[Any, dict[str, Any] | None] = OrderedDict()
        self._lock = Lock()

    def align(self, first: Seen, second: Seen) -> dict[str, Any] | None:
        """Return how the first photograph lies on the second, or None where that is not certain."""
        with self._lock:
            key = ("align", first.key, second.key)
            return _kept(self._answers, key, _ANSWERS_KEPT, lambda: self._aligned(first, second))

    def extent(self, photo: Seen, *, mm_per_pixel: float) -> dict[str, Any] | None:
        """Return how long the lesion is, or None where no edge is clear."""
        with self._lock:
            key = ("extent", photo.key, mm_per_pixel)
            return _kept(
                self._answers, key, _ANSWERS_KEPT, lambda: self._measured(photo, mm_per_pixel)
            )

    def _aligned(self, first: Seen, second: Seen) -> dict[str, Any] | None:
        here, there = self._sight(first), self._sight(second)
        found = None if here is None or there is None else alignment.align(here, there)
        if found is None:
            return None
        return {
            "matrix": [float(each) for each in found.matrix.ravel()],
            "points": found.points,
            "residual_px": round(found.residual, 2),
            "agreement": round(found.agreement, 3),
            "model": found.model,
        }

    def _sight(self, photo: Seen) -> Sight | None:
        return _kept(self._sights, photo.key, _SIGHTS_KEPT, lambda: self._looked_at(photo))

    def _looked_at(self, photo: Seen) -> Sight | None:
        opened = self._opened(photo)
        if opened is None:
            return None
        return alignment.see(opened.working, full_side=max(opened.rows, opened.columns))

    def _measured(self, photo: Seen, mm_per_pixel: float) -> dict[str, Any] | None:
        opened = self._opened(photo)
        if opened is None:
            return None
        factor = max(opened.rows, opened.columns) / max(opened.working.shape[:2])
        found = extent_of(opened.working, mm_per_pixel=mm_per_pixel * factor)
        return None if found is None else asdict(found)

    def _opened(self, photo: Seen) -> Photo | None:
        try:
            return open_photo(photo.read(), limits=self._limits)
        except Invalid:  # of another sender, and larger or other than what is taken in here
            return None


def _kept(kept: OrderedDict[Any, T], key: Any, most: int, make: Callable[[], T]) -> T:
    if key in kept:
        kept.move_to_end(key)
        return kept[key]
    made = kept[key] = make()
    while len(kept) > most:
        kept.popitem(last=False)
    return made
