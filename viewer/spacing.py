"""Says how large a pixel is and who vouches for it. A detector's spacing is never the patient's.

PS3.3 section 10.7.1.3 (spacing calibration) and C.8.5.5 (ultrasound regions).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from viewer.attributes import as_list, first

PROJECTIONS = frozenset({"CR", "DX", "MG", "XA", "RF", "IO", "PX", "RG"})
"""Modalities whose pixels are smaller in the patient than at the detector."""

_CENTIMETRES = 3  # PS3.3 C.8.5.5.1.15


@dataclass(frozen=True)
class Spacing:
    """Millimetres between rows and between columns, and where they come from."""

    row_mm: float = 0.0
    column_mm: float = 0.0
    source: str = "none"  # patient | calibrated | detector | unstated | none


UNKNOWN = Spacing()
"""The spacing of an image that says nothing of it."""


@dataclass(frozen=True)
class Region:
    """A part of an ultrasound image with a scale of its own, in pixels and millimetres a pixel."""

    left: int
    top: int
    right: int
    bottom: int
    x_mm: float
    y_mm: float


def spacing_of(attributes: Mapping[str, Any]) -> Spacing:
    """Return the spacing of an image with its provenance."""
    in_patient = _pair(attributes.get("PixelSpacing"))
    at_detector = _pair(attributes.get("ImagerPixelSpacing"))
    if attributes.get("Modality") not in PROJECTIONS:
        if in_patient is None:
            return UNKNOWN
        by_marker = attributes.get("PixelSpacingCalibrationType") == "FIDUCIAL"
        return Spacing(*in_patient, "calibrated" if by_marker else "patient")
    if in_patient is None:
        return Spacing(*at_detector, "detector") if at_detector else UNKNOWN
    if attributes.get("PixelSpacingCalibrationType") in {"GEOMETRY", "FIDUCIAL"}:
        return Spacing(*in_patient, "calibrated")
    if at_detector is None:
        return Spacing(*in_patient, "unstated")
    return Spacing(*in_patient, "detector" if in_patient == at_detector else "calibrated")


def regions_of(attributes: Mapping[str, Any]) -> list[Region]:
    """Return the regions in which both directions are lengths; elsewhere pixels alone are said."""
    found = []
    for item in as_list(attributes.get("SequenceOfUltrasoundRegions")):
        units = (item.get("PhysicalUnitsXDirection"), item.get("PhysicalUnitsYDirection"))
        deltas = (item.get("PhysicalDeltaX"), item.get("PhysicalDeltaY"))
        corners = [
            item.get(f"RegionLocation{corner}") for corner in ("MinX0", "MinY0", "MaxX1", "MaxY1")
        ]
        if units != (_CENTIMETRES, _CENTIMETRES) or not all(deltas) or None in corners:
            continue
        found.append(Region(*map(int, corners), *(abs(float(delta)) * 10 for delta in deltas)))
    return found


def _pair(value: Any) -> tuple[float, float] | None:
    pair = as_list(value)
    if len(pair) != 2:
        return None
    row, column = (first(each, 0) for each in pair)
    if not isinstance(row, int | float) or not isinstance(column, int | float):
        return None
    return (float(row), float(column)) if row > 0 and column > 0 else None
