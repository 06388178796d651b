"""What compares photographs of a lesion: the verbs that live in another face and are wired in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from storage.lesions import Lesions


@dataclass(frozen=True)
class Seen:
    """A photograph: what its bytes are known by, and how they are read when they must be."""

    key: str
    read: Callable[[], bytes]


class LesionEye(Protocol):
    """Lays photographs on each other and measures what they show."""

    def align(self, first: Seen, second: Seen) -> dict[str, Any] | None:
        """Return how the first lies on the second: matrix (9 numbers, rows first), points,
        residual_px, agreement, model; None where that is not certain.
        """

    def extent(self, photo: Seen, *, mm_per_pixel: float) -> dict[str, Any] | None:
        """Return longest_mm and off_by_mm of the lesion, or None where no edge is clear."""


@dataclass(frozen=True)
class LesionDesk:
    """What knows the lesions of patients, and what compares their photographs."""

    register: Lesions
    eye: LesionEye
