"""What can be measured or marked in an image: the kinds, their points, the figures that each gives.

Pure. Draws nothing and measures nothing: a reader's page does, in image pixels with the origin at
the top-left corner of the top-left pixel, as PS3.3 C.18.6 has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from casework.errors import Invalid

POINTS: Mapping[str, int] = {
    "length": 2,
    "angle": 3,  # an end, the vertex, the other end
    "cobb": 4,  # two lines
    "bidirectional": 4,  # the ends of the long axis, the ends of the short one
    "ellipse": 4,  # the ends of one axis, the ends of the other
    "rectangle": 2,  # opposite corners
    "probe": 1,
    "arrow": 2,  # where it points, where it comes from
    "text": 1,
}
"""How many points each kind has."""

STATISTICS = ("mean", "sd", "min", "max", "count", "short")
"""The further figures: of the values in a region, and the short axis."""

KIND_NAMES: Mapping[str, str] = {
    "length": "Length",
    "angle": "Angle",
    "cobb": "Cobb angle",
    "bidirectional": "Long and short axis",
    "ellipse": "Ellipse",
    "rectangle": "Rectangle",
    "probe": "Value",
    "arrow": "Arrow",
    "text": "Note",
}

PROVENANCE: Mapping[str, str] = {
    "detector": "at the detector, not in the patient",
    "unstated": "scale not stated",
    "calibrated": "calibrated",
    "ultrasound": "by the ultrasound scale",
    "none": "no scale in the image",
    "patient": "",
}
"""What a length rests on, in words; nothing where the images themselves say it of the patient."""

_DOUBTFUL = ("detector", "unstated")
_UNITS: Mapping[str, tuple[str, ...]] = {
    "length": ("mm", "px"),
    "bidirectional": ("mm", "px"),
    "angle": ("°", "deg"),
    "cobb": ("°", "deg"),
    "ellipse": ("mm²", "mm2", "px²"),
    "rectangle": ("mm²", "mm2", "px²"),
}
_IN_MILLIMETRES = ("mm", "mm²", "mm2")
_UNVALUED = ("arrow", "text")
_REGIONS = ("ellipse", "rectangle")
_STATISTICS_OF: Mapping[str, tuple[str, ...]] = {
    "ellipse": ("mean", "sd", "min", "max", "count"),
    "rectangle": ("mean", "sd", "min", "max", "count"),
    "bidirectional": ("short",),
}


@dataclass(frozen=True)
class Figure:
    """One number of a measurement: what it is, and in which unit."""

    what: str  # length angle cobb long-axis short-axis area mean sd min max value
    value: float
    unit: str


def require_sound(said: Mapping[str, Any], key: str) -> None:
    """Raise Invalid, naming what is wrong, unless a measurement is whole and says no more than
    its scale allows.
    """
    kind, value, unit = said["kind"], said["value"], said["unit"]
    if kind not in POINTS:
        raise _wrong(f"{key}.kind", "one of " + ", ".join(POINTS))
    if len(said["points"]) != POINTS[kind]:
        raise _wrong(f"{key}.points", f"{POINTS[kind]} for {kind}")
    if kind == "text" and not said["label"]:
        raise _wrong(f"{key}.label", "the words of the note")
    if kind in _UNVALUED and value is not None:
        raise _wrong(f"{key}.value", f"left out of {kind}")
    allowed = _UNITS.get(kind)
    if value is not None and allowed is not None and (unit not in allowed or value < 0):
        raise _wrong(f"{key}.value", f"0 or more, in {' or '.join(allowed)}")
    if kind in ("angle", "cobb") and value is not None and value > 180:
        raise _wrong(f"{key}.value", "at most 180°")
    if said["calibration"] == "none" and unit in _IN_MILLIMETRES:
        raise _wrong(f"{key}.unit", "px where the image has no scale")
    _require_statistics(said, key)


def figures_of(said: Mapping[str, Any]) -> tuple[Figure, ...]:
    """Return the figures of a measurement, the one that matters most first; none of a mark."""
    kind, value, unit = str(said.get("kind") or ""), said.get("value"), str(said.get("unit") or "")
    if kind in _UNVALUED:
        return ()
    stats: Mapping[str, Any] = said.get("stats") or {}
    figures = [
        Figure(what, float(stats[what]), str(stats.get("unit") or ""))
        for what in ("mean", "sd", "min", "max")
        if kind in _REGIONS and what in stats
    ]
    if value is not None:
        figures.append(Figure(_WHAT.get(kind, "length"), float(value), unit))
    if kind == "bidirectional" and "short" in stats:
        figures.append(Figure("short-axis", float(stats["short"]), unit))
    return tuple(figures)


def said_in(said: Mapping[str, Any], say: Callable[[str], str] = str, *, comma: str = ".") -> str:
    """Return a measurement's figures as people read them; `say` puts a word into their language."""
    figures = figures_of(said)
    if not figures:
        return ""
    numbers = {each.what: _number(each).replace(".", comma) for each in figures}
    units = {each.what: each.unit for each in figures}
    if "short-axis" in numbers:
        return f"{numbers['long-axis']} × {numbers['short-axis']} {units['long-axis']}"
    if "mean" in numbers:
        words = [f"{say('mean')} {numbers['mean']} {units['mean']}".rstrip()]
        words += [f"{say(name)} {numbers[what]}" for what, name in _SHORT if what in numbers]
        area = [f"{numbers['area']} {units['area']}"] if "area" in numbers else []
        return "; ".join([", ".join(words), *area])
    (lead, *_rest) = figures
    gap = "" if lead.unit == "°" else " "
    return f"{numbers[lead.what]}{gap}{lead.unit}".rstrip()


def name_of(said: Mapping[str, Any], say: Callable[[str], str] = str) -> str:
    """Return what a measurement is called: its label, else its kind."""
    kind = str(said.get("kind") or "")
    return str(said.get("label") or "") or say(KIND_NAMES.get(kind, kind or "Measurement"))


def doubt_of(said: Mapping[str, Any]) -> str:
    """Return in English why a measurement in millimetres may not be the patient's, or nothing."""
    calibration = str(said.get("calibration") or "")
    is_scaled = str(said.get("unit") or "") in _IN_MILLIMETRES
    return PROVENANCE[calibration] if is_scaled and calibration in _DOUBTFUL else ""


_WHAT: Mapping[str, str] = {
    "length": "length",
    "angle": "angle",
    "cobb": "cobb",
    "bidirectional": "long-axis",
    "ellipse": "area",
    "rectangle": "area",
    "area": "area",
    "probe": "value",
}
_SHORT = (("sd", "SD"), ("min", "min"), ("max", "max"))


def _require_statistics(said: Mapping[str, Any], key: str) -> None:
    stats: Mapping[str, Any] = said.get("stats") or {}
    allowed = _STATISTICS_OF.get(said["kind"], ())
    foreign = [name for name in STATISTICS if name in stats and name not in allowed]
    if foreign:
        raise _wrong(f"{key}.stats", f"without {', '.join(foreign)} for {said['kind']}")
    if any(stats.get(name, 0) < 0 for name in ("sd", "count", "short")):
        raise _wrong(f"{key}.stats", "0 or more for sd, count and short")
    ordered = [stats[name] for name in ("min", "mean", "max") if name in stats]
    if ordered != sorted(ordered):
        raise _wrong(f"{key}.stats", "ordered: min, mean, max")
    if said["kind"] == "bidirectional" and stats.get("short", 0) > (said["value"] or 0):
        raise _wrong(f"{key}.stats.short", "at most the long axis")


def _number(figure: Figure) -> str:
    """Return a number with the places that it is good for."""
    if figure.unit in (*_IN_MILLIMETRES, "°", "deg"):
        return f"{figure.value:.1f}"
    return f"{figure.value:.6g}"


def _wrong(key: str, wanted: str) -> Invalid:
    return Invalid(f"{key} must be {wanted}.", code="invalid-findings")
