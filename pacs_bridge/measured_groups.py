"""Makes the group of one measurement in a TID 1500 report: its numbers, concepts, units, places.

By highdicom; knows neither the report nor who signed it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from highdicom import sr
from pydicom.sr.coding import Code

from casework.measured import Figure
from pacs_bridge import outlines
from pacs_bridge.reply_objects import Evidence

_UNITS: Mapping[str, tuple[str, str]] = {
    "mm": ("mm", "millimeter"),
    "mm2": ("mm2", "square millimeter"),
    "mm²": ("mm2", "square millimeter"),
    "deg": ("deg", "degree"),
    "°": ("deg", "degree"),
    "px": ("{pixels}", "pixels"),
    "px²": ("{pixels}", "pixels"),
    "HU": ("[hnsf'U]", "Hounsfield unit"),
}
"""UCUM."""

_CONCEPTS: Mapping[str, tuple[str, str, str]] = {
    "length": ("410668003", "SCT", "Length"),
    "angle": ("1483009", "SCT", "Angle"),
    "cobb": ("285285000", "SCT", "Cobb angle"),
    "area": ("42798000", "SCT", "Area"),
    "long-axis": ("103339001", "SCT", "Long axis"),
    "short-axis": ("103340004", "SCT", "Short axis"),
}
"""PS3.16 CID 7469 and CID 7550."""

_DERIVED: Mapping[str, tuple[str, str, str]] = {
    "mean": ("373098007", "SCT", "Mean"),
    "sd": ("386136009", "SCT", "Standard Deviation"),
    "min": ("255605001", "SCT", "Minimum"),
    "max": ("56851009", "SCT", "Maximum"),
}
"""PS3.16 CID 7464: what was made of the values in a region."""

_HOUNSFIELD = ("112031", "DCM", "Attenuation Coefficient")
_MR = ("110852", "DCM", "MR signal intensity")
_VALUE = ("image-value", "99LYSBRO", "Value in the image")
_AT_DETECTOR = Code("at-detector", "99LYSBRO", "At the detector, magnification not known")
_UNSTATED = Code("scale-unstated", "99LYSBRO", "Scale that nobody vouches for")
_METHODS: Mapping[str, Code] = {"detector": _AT_DETECTOR, "unstated": _UNSTATED}


def group_of(
    said: Mapping[str, Any], figures: Sequence[Figure], image: Evidence, tracking: Any
) -> Any:
    """Return the group of a measurement: TID 1410 for a region, TID 1501 for anything else."""
    source = _source(image, said)
    if said["kind"] in outlines.REGIONS:
        kind, points = outlines.region_of(said["kind"], said["points"])
        return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=tracking,
            referenced_region=sr.ImageRegion(sr.GraphicTypeValues(kind), points, source),
            measurements=[_number(said, figure, image) for figure in figures],
        )
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking,
        measurements=[_number(said, figure, image, source) for figure in figures],
    )


def _number(said: Mapping[str, Any], figure: Figure, image: Evidence, source: Any = None) -> Any:
    """Return a NUM; with a source, with the coordinates that it was measured between."""
    unit, meaning = _UNITS.get(figure.unit, ("1", "no units"))
    derived, places = _DERIVED.get(figure.what), None
    if source is not None:
        kind, points = outlines.drawn(said["points"], figure.what)
        places = [sr.CoordinatesForMeasurement(sr.GraphicTypeValues(kind), points, source)]
    return sr.Measurement(
        name=Code(*_concept(figure, image)),
        value=figure.value,
        unit=Code(unit, "UCUM", meaning),
        derivation=Code(*derived) if derived else None,
        method=_METHODS.get(str(said.get("calibration"))) if unit in ("mm", "mm2") else None,
        referenced_coordinates=places,
    )


def _concept(figure: Figure, image: Evidence) -> tuple[str, str, str]:
    if figure.what in _CONCEPTS:
        return _CONCEPTS[figure.what]
    if figure.unit == "HU":
        return _HOUNSFIELD
    return _MR if image.modality == "MR" else _VALUE


def _source(image: Evidence, said: Mapping[str, Any]) -> Any:
    frame = int(said.get("frame") or 1)
    frames = [frame] if image.frames > 1 else None
    return sr.SourceImageForRegion(image.sop_class_uid, image.sop_instance_uid, frames)
