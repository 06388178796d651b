"""Reads what was said of recorded curves: words, measurements, points in time.

PS3.3 C.10.10 (Waveform Annotation). Knows no samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset


@dataclass(frozen=True)
class Note:
    """Something that was said of the recording: words, or a measurement with its unit."""

    name: str
    value: str
    unit: str = ""
    at_ms: float | None = None  # from the start of its group
    group: int = 0  # from 1; 0: of all
    channel: int = 0


def note_of(item: Dataset, rates_hz: Sequence[float]) -> Note | None:
    """Return an annotation; None when it says nothing."""
    name, unit = _meaning(item, "ConceptNameCodeSequence"), ""
    value = str(item.get("UnformattedTextValue", "") or "").strip()
    if not value:
        value = _meaning(item, "ConceptCodeSequence")
    if not value and item.get("NumericValue") is not None:
        value = " ".join(str(each) for each in _several(item.get("NumericValue")))
        codes = item.get("MeasurementUnitsCodeSequence")
        unit = str(codes[0].get("CodeValue", "") or "") if codes else ""
    at = _moment(item, rates_hz)
    if not value and not (name and at is not None):
        return None
    group, channel = next(iter(_pairs(item)), (0, 0))
    return Note(name, value, "" if unit == "1" else unit, at, group, channel)


def _moment(item: Dataset, rates_hz: Sequence[float]) -> float | None:
    """Return where in its group an annotation points to, in milliseconds."""
    offsets = _several(item.get("ReferencedTimeOffsets"))
    if offsets:
        return number_of(offsets[0])
    positions = _several(item.get("ReferencedSamplePositions"))
    number = next(iter(_pairs(item)), (1, 0))[0] or 1
    if not positions or not 1 <= number <= len(rates_hz):
        return None
    position = number_of(positions[0])
    return None if position is None else (position - 1) * 1000 / rates_hz[number - 1]


def _pairs(item: Dataset) -> Iterator[tuple[int, int]]:
    channels = [int(each) for each in _several(item.get("ReferencedWaveformChannels"))]
    yield from zip(channels[::2], channels[1::2], strict=False)


def number_of(value: Any) -> float | None:
    """Return a number that an element holds; None where it holds none that is finite."""
    try:
        number = None if value is None else float(value)
    except (TypeError, ValueError):
        return None
    return number if number is not None and math.isfinite(number) else None


def _meaning(item: Dataset, keyword: str) -> str:
    codes = item.get(keyword)
    return str(codes[0].get("CodeMeaning", "") or "") if codes else ""


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    return [value] if isinstance(value, str | int | float) else list(value)
