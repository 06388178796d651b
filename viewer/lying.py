"""Finds which frames of images a plane lies on, and where: by its place in the patient. Pure.

PS3.3 C.7.6.2.1.1: an image's position and orientation give the place of each of its pixels.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Vector = tuple[float, ...]
Affine = tuple[float, float, float, float, float, float]
IDENTITY: Affine = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
"""a, b, c, d, e, f: x' = a x + c y + e, y' = b x + d y + f, in pixels from the first corner."""

_PARALLEL = 0.999
_LEAST_REACH_MM = 0.05
_CONTOUR_REACH_MM = 0.5


@dataclass(frozen=True)
class Plane:
    """A frame in space."""

    uid: str
    frame: int
    position: Vector
    orientation: Vector
    spacing: Vector
    thickness_mm: float = 0.0

    @property
    def normal(self) -> Vector:
        """Return the direction that it looks into."""
        a, b = self.orientation[:3], self.orientation[3:]
        return (
            a[1] * b[2] - a[2] * b[1],
            a[2] * b[0] - a[0] * b[2],
            a[0] * b[1] - a[1] * b[0],
        )


class Stack:
    """Frames that lie parallel, in the order of their places along their normal."""

    def __init__(self, planes: Sequence[Plane]) -> None:
        self.normal = planes[0].normal
        placed = sorted(
            ((_dot(self.normal, each.position), at) for at, each in enumerate(planes)),
        )
        self.distances = [distance for distance, _ in placed]
        self.planes = [planes[at] for _, at in placed]

    def near(self, place: Sequence[float], reach_mm: float) -> list[tuple[float, Plane]]:
        """Return the frames within reach of a place, with their distances."""
        distance = _dot(self.normal, place)
        most = max([reach_mm, *(each.thickness_mm / 2 for each in self.planes[:1])])
        first = bisect_left(self.distances, distance - most - _LEAST_REACH_MM)
        last = bisect_right(self.distances, distance + most + _LEAST_REACH_MM)
        return [(abs(self.distances[at] - distance), self.planes[at]) for at in range(first, last)]


def stacked(planes: Iterable[Plane]) -> list[Stack]:
    """Return frames in stacks of one orientation."""
    by_axes: dict[Vector, list[Plane]] = {}
    for plane in planes:
        by_axes.setdefault(tuple(round(each, 3) for each in plane.orientation), []).append(plane)
    return [Stack(each) for each in by_axes.values()]


def images_under(plane: Plane, stacks: Iterable[Stack]) -> list[Plane]:
    """Return the frames of images that a plane lies on: parallel, and within half a slice."""
    reach = max(plane.thickness_mm / 2, _LEAST_REACH_MM)
    near: list[tuple[float, Plane]] = []
    for stack in stacks:
        if abs(_dot(stack.normal, plane.normal)) < _PARALLEL:
            continue
        found = stack.near(plane.position, reach)
        closest = min((away for away, _ in found), default=0.0)
        near.extend(pair for pair in found if pair[0] <= closest + _LEAST_REACH_MM)
    return [image for _, image in near]


def image_at(places: Sequence[Sequence[float]], stacks: Iterable[Stack]) -> Plane | None:
    """Return the nearest frame that all of some places lie on, or None."""
    near = [
        (max(away, *(distance_to(image, each) for each in places)), at, image)
        for stack in stacks
        for at, (away, image) in enumerate(stack.near(places[0], _CONTOUR_REACH_MM))
    ]
    if not near:
        return None
    away, _, image = min(near, key=lambda each: each[:2])
    return image if away <= max(_CONTOUR_REACH_MM, image.thickness_mm / 2) else None


def map_onto(plane: Plane, image: Plane) -> Affine:
    """Return how pixels of a plane lie in pixels of a parallel image."""
    right, down = image.orientation[:3], image.orientation[3:]
    across, along = plane.orientation[:3], plane.orientation[3:]
    row_mm, column_mm = image.spacing
    plane_row_mm, plane_column_mm = plane.spacing
    offset = _minus(plane.position, image.position)
    a = _dot(across, right) * plane_column_mm / column_mm
    b = _dot(across, down) * plane_column_mm / row_mm
    c = _dot(along, right) * plane_row_mm / column_mm
    d = _dot(along, down) * plane_row_mm / row_mm
    e = _dot(offset, right) / column_mm + 0.5 - (a + c) / 2
    f = _dot(offset, down) / row_mm + 0.5 - (b + d) / 2
    found = (a, b, c, d, e, f)
    return IDENTITY if _is_close(found, IDENTITY) else found


def point_in(image: Plane, point: Sequence[float]) -> tuple[float, float]:
    """Return where a place of the patient lies in an image, in pixels from the first corner."""
    offset = _minus(tuple(point), image.position)
    row_mm, column_mm = image.spacing
    return (
        _dot(offset, image.orientation[:3]) / column_mm + 0.5,
        _dot(offset, image.orientation[3:]) / row_mm + 0.5,
    )


def distance_to(image: Plane, point: Sequence[float]) -> float:
    """Return how far a place of the patient is from an image."""
    return abs(_dot(image.normal, _minus(tuple(point), image.position)))


def _is_close(one: Affine, other: Affine) -> bool:
    return all(abs(a - b) < 1e-3 for a, b in zip(one, other, strict=True))


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _minus(a: Vector, b: Vector) -> Vector:
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])
