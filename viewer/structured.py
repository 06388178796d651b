"""Reads a structured report as lines of text, whatever its template. Keeps no coordinates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

_MAX_LINES = 2000
_MAX_DEPTH = 16


@dataclass(frozen=True)
class Line:
    """One content item: how deep it stands, what it is about, what it says."""

    depth: int
    name: str
    value: str


def lines_of(report: Dataset) -> list[Line]:
    """Return the content tree of a report as lines (PS3.3 C.17.3)."""
    found: list[Line] = []
    for line in _walk(report, 0):
        found.append(line)
        if len(found) >= _MAX_LINES:
            break
    return found


def title_of(report: Dataset) -> str:
    """Return what a report calls itself."""
    return _meaning(report.get("ConceptNameCodeSequence")) or str(
        report.get("SeriesDescription", "")
    )


def _walk(item: Dataset, depth: int) -> Iterator[Line]:
    name, value = _meaning(item.get("ConceptNameCodeSequence")), _value(item)
    if name or value:
        yield Line(depth, name, value)
    if depth < _MAX_DEPTH:
        for child in item.get("ContentSequence") or ():
            yield from _walk(child, depth + 1)


def _value(item: Dataset) -> str:
    kind = item.get("ValueType")
    if kind == "TEXT":
        return str(item.get("TextValue", ""))
    if kind == "CODE":
        return _meaning(item.get("ConceptCodeSequence"))
    if kind == "NUM":
        return _measured(item)
    if kind == "PNAME":
        return str(item.get("PersonName", "")).replace("^", " ").strip()
    if kind in {"DATE", "TIME", "DATETIME", "UIDREF"}:
        keyword = {"DATE": "Date", "TIME": "Time", "DATETIME": "DateTime", "UIDREF": "UID"}[kind]
        return str(item.get(keyword, ""))
    return ""


def _measured(item: Dataset) -> str:
    measured = item.get("MeasuredValueSequence")
    if not measured:
        return ""
    units = measured[0].get("MeasurementUnitsCodeSequence")
    unit = str(units[0].get("CodeValue", "")) if units else ""
    return f"{measured[0].get('NumericValue', '')} {'' if unit == '1' else unit}".strip()


def _meaning(codes: Any) -> str:
    return str(codes[0].get("CodeMeaning", "")) if codes else ""
