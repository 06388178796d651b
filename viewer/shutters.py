"""Reads shutters: which part of an image is to be seen. PS3.3 C.7.6.11, C.7.6.15. Draws nothing."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from viewer.cielab import Colour, grey_of, srgb_of
from viewer.groups import numbers_of

_MOST_CORNERS = 10_000
Point = tuple[float, float]


@dataclass(frozen=True)
class Shutter:
    """A shape outside of which an image is covered; places from the corner of the first pixel."""

    shape: str  # rectangle: two corners | circle: middle | polygon: corners | bitmap: none
    points: tuple[Point, ...] = ()
    radius: float = 0.0
    group: int = 0  # of the overlay whose bits cover the image


@dataclass(frozen=True)
class Shutters:
    """All shutters of an image or a state; only what every one leaves open is seen."""

    shapes: tuple[Shutter, ...] = ()
    colour: Colour = (0, 0, 0)


def shutters_of(header: Dataset) -> Shutters:
    """Return the shutters of an image or a state; one that cannot be read is left out."""
    value = header.get("ShutterShape")
    words = [value] if isinstance(value, str) else list(value or ())
    made = {
        "RECTANGULAR": _rectangle,
        "CIRCULAR": _circle,
        "POLYGONAL": _polygon,
        "BITMAP": _bitmap,
    }
    found = [made[word](header) for word in map(str, words) if word in made]
    shapes = tuple(each for each in found if each is not None)
    return Shutters(shapes, _colour(header)) if shapes else Shutters()


def _rectangle(header: Dataset) -> Shutter | None:
    edges = [
        numbers_of(header, f"Shutter{edge}Edge", 1)
        for edge in ("LeftVertical", "UpperHorizontal", "RightVertical", "LowerHorizontal")
    ]
    known = [each[0] for each in edges if each is not None]
    if len(known) != 4:
        return None
    left, top, right, bottom = known
    return Shutter("rectangle", ((left - 1, top - 1), (right, bottom)))


def _circle(header: Dataset) -> Shutter | None:
    middle = numbers_of(header, "CenterOfCircularShutter", 2)
    radius = numbers_of(header, "RadiusOfCircularShutter", 1)
    if middle is None or radius is None or radius[0] <= 0:
        return None
    return Shutter("circle", ((middle[1] - 0.5, middle[0] - 0.5),), radius[0])


def _polygon(header: Dataset) -> Shutter | None:
    value = header.get("VerticesOfThePolygonalShutter")
    count = len(value) if hasattr(value, "__len__") else 0
    numbers = numbers_of(header, "VerticesOfThePolygonalShutter", count)
    if numbers is None or count < 6 or count % 2 or count > 2 * _MOST_CORNERS:
        return None
    rows, columns = numbers[0::2], numbers[1::2]
    return Shutter("polygon", tuple((x - 0.5, y - 0.5) for y, x in zip(rows, columns, strict=True)))


def _bitmap(header: Dataset) -> Shutter | None:
    group = numbers_of(header, "ShutterOverlayGroup", 1)
    return None if group is None else Shutter("bitmap", group=int(group[0]))


def _colour(header: Dataset) -> Colour:
    lab = numbers_of(header, "ShutterPresentationColorCIELabValue", 3)
    if lab is not None:
        return srgb_of(lab)
    grey = numbers_of(header, "ShutterPresentationValue", 1)
    return grey_of(grey[0]) if grey is not None else (0, 0, 0)
