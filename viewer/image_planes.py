"""Gives the places of a study's images in the patient, from the index or from their headers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from storage.index import InstanceRow
from viewer.attributes import as_list, first
from viewer.frame_tables import FrameTables
from viewer.lying import Plane
from viewer.render import can_be_shown

_LAYERS = "1.2.840.10008.5.1.4.1.1.66."


def planes_of(rows: Iterable[InstanceRow], tables: FrameTables, frame_of: str) -> list[Plane]:
    """Return the frames of images that have a place in one frame of reference."""
    return [
        plane
        for row in rows
        if _is_image(row) and row.attributes.get("FrameOfReferenceUID", "") == frame_of
        for plane in _planes(row, tables)
    ]


def sizes_of(rows: Iterable[InstanceRow]) -> dict[str, tuple[int, int, int]]:
    """Return rows, columns and frames of the images by their UIDs."""
    return {
        row.sop_instance_uid: (row.rows or 0, row.columns or 0, row.frames or 1)
        for row in rows
        if _is_image(row)
    }


def _is_image(row: InstanceRow) -> bool:
    return can_be_shown(row) and not row.sop_class_uid.startswith(_LAYERS)


def _planes(row: InstanceRow, tables: FrameTables) -> Iterator[Plane]:
    if (row.frames or 1) > 1:
        for frame, place in enumerate(tables.places(row), 1):
            if place.position and place.orientation and place.spacing:
                yield Plane(
                    row.sop_instance_uid,
                    frame,
                    place.position,
                    place.orientation,
                    place.spacing,
                    place.thickness_mm or 0.0,
                )
        return
    position = _vector(row, "ImagePositionPatient", 3)
    orientation = _vector(row, "ImageOrientationPatient", 6)
    spacing = _vector(row, "PixelSpacing", 2)
    thickness = first(row.attributes.get("SliceThickness"), 0.0)
    if position and orientation and spacing and min(spacing) > 0:
        yield Plane(row.sop_instance_uid, 1, position, orientation, spacing, float(thickness))


def _vector(row: InstanceRow, keyword: str, count: int) -> tuple[float, ...] | None:
    values = as_list(row.attributes.get(keyword))
    if len(values) != count or not all(isinstance(each, int | float) for each in values):
        return None
    return tuple(float(each) for each in values)
