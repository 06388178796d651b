"""Reads the contours of structure sets, each in the pixels of the image that it was drawn on.

PS3.3 C.8.8.5 and C.8.8.6. Pure and bounded; shows nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from casework.errors import Invalid
from viewer.cielab import Colour
from viewer.groups import items_of, numbers_of
from viewer.lying import Plane, Stack, image_at, point_in, stacked

STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"
_MOST_CONTOURS, _MOST_POINTS = 20_000, 1_000_000
_KINDS = {"CLOSED_PLANAR": True, "CLOSEDPLANAR_XOR": True, "OPEN_PLANAR": False, "POINT": False}
Point = tuple[float, float]


@dataclass(frozen=True)
class Structure:
    """A region of interest with its name and colour."""

    number: int
    label: str
    kind: str
    colour: Colour


@dataclass(frozen=True)
class Contour:
    """A line on one image, in pixels from the corner of the first."""

    structure: int
    uid: str
    image_frame: int
    points: tuple[Point, ...]
    is_closed: bool


@dataclass(frozen=True)
class Structures:
    """A structure set over the images that are here."""

    label: str
    structures: tuple[Structure, ...]
    contours: tuple[Contour, ...]


def structures_of(header: Dataset, images: Sequence[Plane]) -> Structures:
    """Return the structures of a set with their contours on images whose places are given."""
    if str(header.get("SOPClassUID", "")) != STRUCTURES:
        raise Invalid("The object is no structure set.", code="no-structures")
    kinds = {
        _number(item, "ReferencedROINumber"): str(item.get("RTROIInterpretedType", "") or "")
        for item in items_of(header, "RTROIObservationsSequence")
    }
    colours = {
        _number(item, "ReferencedROINumber"): numbers_of(item, "ROIDisplayColor", 3)
        for item in items_of(header, "ROIContourSequence")
    }
    structures = []
    for item in items_of(header, "StructureSetROISequence"):
        number = _number(item, "ROINumber")
        red, green, blue = colours.get(number) or (230.0, 90.0, 80.0)
        structures.append(
            Structure(
                number,
                str(item.get("ROIName", "") or number),
                kinds.get(number, ""),
                (_byte(red), _byte(green), _byte(blue)),
            )
        )
    label = str(header.get("StructureSetLabel", "") or header.get("SeriesDescription", "") or "")
    return Structures(label, tuple(structures), tuple(_contours(header, images)))


def _contours(header: Dataset, images: Sequence[Plane]) -> list[Contour]:
    by_uid = {each.uid: each for each in images}
    stacks = stacked(images)
    found: list[Contour] = []
    points = 0
    for region in items_of(header, "ROIContourSequence"):
        number = _number(region, "ReferencedROINumber")
        for item in items_of(region, "ContourSequence"):
            count = len(item.get("ContourData") or ())
            points += count // 3
            if points > _MOST_POINTS or len(found) >= _MOST_CONTOURS:
                return found
            numbers = numbers_of(item, "ContourData", count)
            kind = str(item.get("ContourGeometricType", ""))
            if numbers is None or count < 3 or count % 3 or kind not in _KINDS:
                continue
            places = [numbers[at : at + 3] for at in range(0, count, 3)]
            image = _image_of(item, places, by_uid, stacks)
            if image is not None:
                drawn = tuple(point_in(image, place) for place in places)
                found.append(Contour(number, image.uid, image.frame, drawn, _KINDS[kind]))
    return found


def _image_of(
    item: Dataset,
    places: Sequence[Sequence[float]],
    by_uid: dict[str, Plane],
    stacks: Sequence[Stack],
) -> Plane | None:
    for reference in items_of(item, "ContourImageSequence"):
        named = by_uid.get(str(reference.get("ReferencedSOPInstanceUID", "")))
        if named is not None:
            return named
    return image_at((places[0], places[len(places) // 2], places[-1]), stacks)


def _number(item: Dataset, keyword: str) -> int:
    found = numbers_of(item, keyword, 1)
    return int(found[0]) if found else 0


def _byte(value: float) -> int:
    return min(255, max(0, round(value)))
