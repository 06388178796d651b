"""Says what was measured in the reader's language: names, figures, and what a length rests on.

Decides nothing; `casework.measured` has the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from casework.measured import KIND_NAMES, PROVENANCE, name_of, said_in
from viewer.texts import mark, translate

_WORDS = (
    mark("Length"),
    mark("Angle"),
    mark("Cobb angle"),
    mark("Long and short axis"),
    mark("Ellipse"),
    mark("Rectangle"),
    mark("Value"),
    mark("Arrow"),
    mark("Note"),
    mark("mean"),
    mark("SD"),
    mark("min"),
    mark("max"),
    mark("at the detector, not in the patient"),
    mark("scale not stated"),
    mark("calibrated"),
    mark("by the ultrasound scale"),
    mark("no scale in the image"),
)
"""What `casework.measured` says in English."""


def measurement_name(said: Mapping[str, Any], language: str) -> str:
    """Return what a measurement is called; of a mark that measures nothing, of which kind it is."""
    kind = str(said.get("kind") or "")
    if kind in ("arrow", "text"):
        return translate(KIND_NAMES[kind], language)
    return name_of(said, lambda word: translate(word, language))


def measurement_text(said: Mapping[str, Any], language: str) -> str:
    """Return the figures of a measurement; of a mark that measures nothing, its words."""
    if said.get("kind") in ("arrow", "text"):
        return str(said.get("label") or "")
    comma = "," if language == "nb" else "."
    return said_in(said, lambda word: translate(word, language), comma=comma)


def calibration_text(said: Mapping[str, Any], language: str) -> str:
    """Return what lengths of a measurement rest on; empty where they are the patient's."""
    calibration = str(said.get("calibration") or "")
    return translate(PROVENANCE.get(calibration, calibration), language) if calibration else ""


def measurement_line(said: Mapping[str, Any], language: str) -> str:
    """Return a measurement in one line, or nothing when it says nothing."""
    text, rests_on = measurement_text(said, language), calibration_text(said, language)
    if not text:
        return ""
    has_scale = said.get("kind") not in ("angle", "cobb", "probe", "arrow", "text")
    more = f" ({rests_on})" if rests_on and has_scale else ""
    return f"{measurement_name(said, language)}: {text}{more}"
