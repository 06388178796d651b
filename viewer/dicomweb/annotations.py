"""The words that are written on a rendered image when they are asked for (PS3.18 8.3.5.1.1).

Without being asked for, nothing is written. Names and numbers as the object has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.rows import InstanceRow
from viewer.attributes import first
from viewer.picture import Asked, Texts

_LONGEST = 80


def texts_of(row: InstanceRow, how: Asked) -> Texts:
    """Return the lines for an instance: who it is of above, how it was taken below."""
    above = _patient(row.attributes) if "patient" in how.annotation else ()
    below = _technique(row, how) if "technique" in how.annotation else ()
    return Texts(above, below)


def _patient(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    name = _text(attributes, "PatientName").split("=", maxsplit=1)[0]
    born, sex = _date(_text(attributes, "PatientBirthDate")), _text(attributes, "PatientSex")
    return _told(
        ", ".join(part for part in name.split("^") if part),
        _text(attributes, "PatientID"),
        " ".join(part for part in (born, sex) if part),
    )


def _technique(row: InstanceRow, how: Asked) -> tuple[str, ...]:
    attributes = row.attributes
    when = _date(_text(attributes, "StudyDate"))
    number, series = _text(attributes, "InstanceNumber"), _text(attributes, "SeriesNumber")
    place = f"series {series}" if series else ""
    place += f" image {number}" if number else ""
    matrix = f"{row.columns} x {row.rows}" if row.rows and row.columns else ""
    thickness = _text(attributes, "SliceThickness")
    window = f"C {how.window.center:g} W {how.window.width:g}" if how.window else ""
    if not window and attributes.get("WindowCenter") is not None:
        center, width = (
            _text(attributes, "WindowCenter"),
            _text(attributes, "WindowWidth"),
        )
        window = f"C {center} W {width}"
    return _told(
        " ".join(p for p in (_text(attributes, "Modality"), when) if p),
        _text(attributes, "SeriesDescription") or _text(attributes, "StudyDescription"),
        place.strip(),
        " ".join(p for p in (matrix, f"{thickness} mm" if thickness else "", window) if p),
    )


def _text(attributes: Mapping[str, Any], keyword: str) -> str:
    value = first(attributes.get(keyword), "")
    return "" if value is None else str(value).strip()


def _date(text: str) -> str:
    is_date = len(text) == 8 and text.isdecimal()
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if is_date else text


def _told(*lines: str) -> tuple[str, ...]:
    printable = ("".join(c for c in line if c.isprintable())[:_LONGEST] for line in lines)
    return tuple(line for line in printable if line)
