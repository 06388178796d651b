"""Turns value bytes of elements into plain values. Never fails: notes what is odd."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from storage.charset import decode_text, encodings_of
from storage.walker import Element, Node

TEXT_VRS = frozenset({"LO", "SH", "PN", "ST", "LT", "UC", "UT"})
_SINGLE_VRS = frozenset({"ST", "LT", "UT", "UR"})
_ASCII_VRS = frozenset({"AE", "AS", "CS", "DA", "DT", "TM", "UI", "UR"})
BINARY_FORMATS = {
    "US": "H", "SS": "h", "UL": "L", "SL": "l", "UV": "Q", "SV": "q", "FL": "f", "FD": "d",
}  # fmt: skip
_BLANK = " \x00"


def charset_of(node: Node, inherited: Sequence[str]) -> Sequence[str]:
    """Return the encodings in force in a data set or item (PS3.5 section 7.5.3: inherited)."""
    element = node.get(0x00080005)
    if element is None or element.value is None:
        return inherited
    terms = element.value.decode("latin-1").strip(_BLANK).split("\\")
    return encodings_of(terms)


def plain_value(
    element: Element, vr: str, encodings: Sequence[str], *, little_endian: bool
) -> Any | None:
    """Return str, int, float or a list of them; None when empty or not readable as its VR."""
    raw = element.value
    if not raw:
        return None
    if len(raw) > _REMEMBERED_BYTES:
        return _plain(raw, vr, tuple(encodings), little_endian)
    return _remembered(raw, vr, tuple(encodings), little_endian)


def _plain(raw: bytes, vr: str, encodings: tuple[str, ...], little_endian: bool) -> Any | None:
    if vr in BINARY_FORMATS:
        found = numbers(raw, vr, little_endian=little_endian)
        return _one_or_list(found) if all(map(math.isfinite, found)) else None
    if vr in TEXT_VRS:
        text = decode_text(raw, encodings)
        if vr in _SINGLE_VRS:
            return text.rstrip(_BLANK) or None
        return _one_or_list(_parts(text, both_ends=vr != "PN"))
    text = raw.decode("latin-1")
    if vr in _ASCII_VRS:
        return _one_or_list(_parts(text, both_ends=True))
    if vr in ("DS", "IS"):
        parts = [p.strip(_BLANK) for p in text.split("\\")]
        read = decimal if vr == "DS" else integer
        readings = [read(p) for p in parts if p]
        return None if None in readings else _one_or_list(readings)
    return None


def plain_node(
    node: Node,
    wanted: Mapping[int, tuple[str, str, Mapping[int, Any] | None]],
    encodings: Sequence[str],
    *,
    little_endian: bool,
    warnings: list[str],
) -> dict[str, Any]:
    """Return keyword and plain value of each wanted element that has one."""
    encodings = charset_of(node, encodings)
    plain: dict[str, Any] = {}
    for tag, element in node.items():
        keyword, vr, nested = wanted[tag]
        if nested is not None:
            items = [
                plain_node(i, nested, encodings, little_endian=little_endian, warnings=warnings)
                for i in element.items or ()
            ]
            if items:
                plain[keyword] = items
            continue
        if vr == "US or SS":
            vr = "SS" if _is_signed(node, little_endian=little_endian) else "US"
        value = plain_value(element, vr, encodings, little_endian=little_endian)
        if value is not None:
            plain[keyword] = value
        elif element.value is None or element.value.strip(b" \x00\\"):
            warnings.append(f"{keyword} cannot be read as {vr}")
    return plain


_REMEMBERED_BYTES = 64
_remembered = lru_cache(maxsize=2048)(_plain)
"""Most elements of a slice are those of the slice before it; nobody changes the lists."""


def numbers(raw: bytes, vr: str, *, little_endian: bool) -> list[int | float]:
    """Return the numbers of a binary VR; an incomplete last one is left out."""
    code = BINARY_FORMATS[vr]
    width = struct.calcsize("<" + code)
    count = len(raw) // width
    order = "<" if little_endian else ">"
    return list(struct.unpack_from(f"{order}{count}{code}", raw))


def decimal(text: str) -> float | None:
    """Return a finite number, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def integer(text: str) -> int | None:
    """Return a whole number of sane size, or None; `12.0` counts, as some modalities write it."""
    number = decimal(text)
    if number is None or number != int(number) or abs(number) > 1 << 53:
        return None
    return int(number)


def _is_signed(node: Node, *, little_endian: bool) -> bool:
    element = node.get(0x00280103)
    if element is None or not element.value:
        return False
    return numbers(element.value, "US", little_endian=little_endian)[:1] == [1]


def _parts(text: str, *, both_ends: bool) -> list[str]:
    parts = [p.strip(_BLANK) if both_ends else p.rstrip(_BLANK) for p in text.split("\\")]
    return parts if any(parts) else []


def _one_or_list(values: Sequence[Any]) -> Any | None:
    if not values:
        return None
    return values[0] if len(values) == 1 else list(values)
