"""Works out how stored values become what is shown: rescale, windows, tables, padding, aspect.

From the indexed attributes alone where they are enough, from the object's header where not.
Decodes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydicom.dataset import Dataset

from viewer.attributes import as_list, first
from viewer.groups import groups_of, plain
from viewer.pixels import PARAMETRIC_MAP
from viewer.scales import Scale, scales_of, unit_of
from viewer.spacing import UNKNOWN, Spacing, spacing_of
from viewer.voi_tables import VoiTable, voi_tables

_ENHANCED_ROOTS = tuple(
    f"1.2.840.10008.5.1.4.1.1.{arc}"
    for arc in ("2.1", "2.2", "4.1", "4.3", "6.2", "12.1.1", "12.2.1", "13.1", "128.1", "66.4")
)
_NOTED = (
    "ModalityLUTSequence",
    "VOILUTSequence",
    "PixelPaddingRangeLimit",
    "RedPaletteColorLookupTableDescriptor",
    "RealWorldValueMappingSequence",
)
_WITH_TABLES = frozenset({"CR", "DX", "MG", "XA", "RF", "IO", "PX", "OT", "SC", "US", "NM"})


@dataclass(frozen=True)
class Window:
    """A range of values that is spread over the greys (PS3.3 C.11.2)."""

    center: float
    width: float
    label: str = ""


@dataclass(frozen=True)
class Display:
    """How the values of one frame are to be shown."""

    slope: float = 1.0
    intercept: float = 0.0
    windows: tuple[Window, ...] = ()
    function: str = "LINEAR"  # LINEAR | LINEAR_EXACT | SIGMOID
    is_inverted: bool = False
    padding: tuple[float, float] | None = None  # stored values that are no part of the image
    aspect: float = 1.0  # height of a pixel over its width
    spacing: Spacing = UNKNOWN
    tables: tuple[VoiTable, ...] = ()  # as the sender's first choice, before its windows
    unit: str = ""
    scales: tuple[Scale, ...] = ()  # what else the stored values mean


def needs_header(sop_class_uid: str, attributes: Mapping[str, Any]) -> bool:
    """Tell whether the index alone cannot say how a frame is shown."""
    if attributes.get("PhotometricInterpretation") == "PALETTE COLOR":
        return True
    if sop_class_uid == PARAMETRIC_MAP or sop_class_uid.startswith(_ENHANCED_ROOTS):
        return True
    if attributes.get("Modality") == "PT" or any(each in attributes for each in _NOTED):
        return True
    if int(first(attributes.get("SamplesPerPixel"), 1)) != 1:
        return False
    may_have_tables = attributes.get("Modality") in _WITH_TABLES
    return may_have_tables and (
        "WindowCenter" not in attributes or "RescaleSlope" not in attributes
    )


def display_of(attributes: Mapping[str, Any]) -> Display:
    """Return how an object is shown, as its indexed attributes say."""
    return Display(
        slope=float(first(attributes.get("RescaleSlope"), 1.0)) or 1.0,
        intercept=float(first(attributes.get("RescaleIntercept"), 0.0)),
        windows=_windows(attributes),
        function=str(attributes.get("VOILUTFunction", "LINEAR")),
        is_inverted=_is_inverted(attributes),
        padding=_padding(attributes),
        aspect=_aspect(attributes),
        spacing=spacing_of(attributes),
        unit=unit_of(attributes),
    )


def display_of_frame(attributes: Mapping[str, Any], header: Dataset, frame: int) -> Display:
    """Return how one frame is shown; functional groups come first (PS3.3 C.7.6.16)."""
    merged = dict(attributes)
    if "PixelPaddingRangeLimit" in header:
        merged["PixelPaddingRangeLimit"] = plain(header.PixelPaddingRangeLimit)
    for group in groups_of(header, frame):
        for keyword in _FROM_GROUPS:
            if keyword in group:
                merged[keyword] = plain(group[keyword].value)
    display = display_of(merged)
    return replace(
        display,
        tables=voi_tables(header, frame),
        scales=scales_of(header, frame),
        unit=display.unit or unit_of(merged, header),
    )


_FROM_GROUPS = (
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "WindowCenter",
    "WindowWidth",
    "WindowCenterWidthExplanation",
    "VOILUTFunction",
    "PixelSpacing",
)


def _windows(attributes: Mapping[str, Any]) -> tuple[Window, ...]:
    centers = as_list(attributes.get("WindowCenter"))
    widths = as_list(attributes.get("WindowWidth"))
    labels = as_list(attributes.get("WindowCenterWidthExplanation"))
    labels += [""] * len(centers)
    return tuple(
        Window(float(center), float(width), str(label or ""))
        for center, width, label in zip(centers, widths, labels, strict=False)
        if _number(center) is not None and (_number(width) or 0) > 0
    )


def _is_inverted(attributes: Mapping[str, Any]) -> bool:
    """Tell whether the lowest value is white (PS3.3 C.7.6.3.1.2)."""
    return attributes.get("PhotometricInterpretation") == "MONOCHROME1"


def _aspect(attributes: Mapping[str, Any]) -> float:
    """Return the height of a pixel over its width (PS3.3 C.7.6.3.1.7)."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio"):
        pair = [_number(each) for each in as_list(attributes.get(keyword))]
        if len(pair) == 2 and pair[0] and pair[1] and pair[0] > 0 and pair[1] > 0:
            ratio = pair[0] / pair[1]
            return ratio if 0.05 < ratio < 20 else 1.0
    return 1.0


def _padding(attributes: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the stored values that only fill the rectangle (PS3.3 C.7.5.1.1.2)."""
    value = _number(attributes.get("PixelPaddingValue"))
    if value is None:
        return None
    limit = _number(attributes.get("PixelPaddingRangeLimit"))
    other = value if limit is None else limit
    return (min(value, other), max(value, other))


def _number(value: Any) -> float | None:
    found = first(value, None)
    try:
        return None if found is None else float(found)
    except (TypeError, ValueError):
        return None
