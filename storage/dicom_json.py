"""Writes a data set as DICOM JSON (PS3.18 annex F) from a bounded walk, bulk data by address."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from pydicom.datadict import dictionary_VR

from storage.charset import decode_text
from storage.filemeta import EXPLICIT_BE, IMPLICIT_LE
from storage.part10 import WalkLimits, plain_source
from storage.source import Source
from storage.values import BINARY_FORMATS, TEXT_VRS, charset_of, decimal, integer, numbers
from storage.walker import EVERYTHING, OFFSET_TABLES, Element, Node, walk_structure

_BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_AMBIGUOUS = {"US or SS": "US", "OB or OW": "OB", "US or OW": "OW", "US or SS or OW": "US"}
_SINGLE = frozenset({"ST", "LT", "UT", "UR"})
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_BLANK = " \x00"
_LONGEST_VALUE = 1 << 16

Bulk = Callable[[str], str]
"""Gives the address of a value by its path: tags, and between them the numbers of items from 1."""


def dicom_json(
    source: Source, *, transfer_syntax_uid: str, limits: WalkLimits, bulk: Bulk | None = None
) -> dict[str, Any]:
    """Return the data set's elements by tag.

    Bulk data and values beyond 64 KiB have a BulkDataURI where `bulk` gives one, else a VR only.
    """
    content = plain_source(source, transfer_syntax_uid=transfer_syntax_uid, limits=limits)
    little_endian = transfer_syntax_uid != EXPLICIT_BE
    walked = walk_structure(
        content,
        implicit=transfer_syntax_uid == IMPLICIT_LE,
        little_endian=little_endian,
        wanted=EVERYTHING,
        limits=replace(limits, max_value_bytes=_LONGEST_VALUE),
    )
    how = _How(little_endian, bulk)
    return _node(walked.node, ("iso8859",), how, "")


@dataclass(frozen=True)
class _How:
    little_endian: bool
    bulk: Bulk | None


def _node(node: Node, encodings: Sequence[str], how: _How, path: str) -> dict[str, Any]:
    encodings = charset_of(node, encodings)
    return {
        f"{tag:08X}": _element(tag, node[tag], encodings, how, f"{path}{tag:08X}")
        for tag in sorted(node)
        if tag & 0xFFFF  # group lengths say nothing outside their encoding
    }


def _element(
    tag: int, element: Element, encodings: Sequence[str], how: _How, path: str
) -> dict[str, Any]:
    if element.items is not None:
        items = [
            _node(item, encodings, how, f"{path}/{number}/")
            for number, item in enumerate(element.items, 1)
        ]
        return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
    vr = vr_of(tag, element.vr)
    is_long = element.span is not None and element.span[1] > 0
    is_bulk = is_long or (vr in _BULK and bool(element.value))
    # offset tables count within the pixel data as it is kept, and go with it
    if how.bulk is not None and is_bulk and tag not in OFFSET_TABLES:
        return {"vr": vr, "BulkDataURI": how.bulk(path)}
    if vr in _BULK or not element.value:
        return {"vr": vr}
    is_short = len(element.value) <= _REMEMBERED_BYTES
    read = _remembered if is_short else _values
    values = read(element.value, vr, tuple(encodings), how.little_endian)
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def vr_of(tag: int, said: bytes) -> str:
    """Return the VR that an element states, else that of the dictionary."""
    if said:
        return said.decode("ascii")
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return "UN"
    return _AMBIGUOUS.get(vr, vr)


def _values(raw: bytes, vr: str, encodings: tuple[str, ...], little_endian: bool) -> list[Any]:
    if vr in BINARY_FORMATS:
        found = numbers(raw, vr, little_endian=little_endian)
        return [n if math.isfinite(n) else None for n in found]
    if vr == "AT":
        halves = numbers(raw, "US", little_endian=little_endian)
        pairs = zip(halves[0::2], halves[1::2], strict=False)
        return [f"{int(group):04X}{int(number):04X}" for group, number in pairs]
    text = decode_text(raw, encodings) if vr in TEXT_VRS else raw.decode("latin-1")
    if vr in _SINGLE:
        return [text.rstrip(_BLANK)]
    parts = [p.strip(_BLANK) if vr != "PN" else p.rstrip(_BLANK) for p in text.split("\\")]
    if not any(parts):
        return []
    if vr == "PN":
        return [_name(p) for p in parts]
    if vr == "DS":
        return [decimal(p) if decimal(p) is not None else (p or None) for p in parts]
    if vr == "IS":
        return [integer(p) if integer(p) is not None else (p or None) for p in parts]
    return [p or None for p in parts]


_REMEMBERED_BYTES = 64
_remembered = lru_cache(maxsize=2048)(_values)
"""Most elements of a slice are those of the slice before it; nobody changes the lists."""


def _name(text: str) -> dict[str, str]:
    groups = zip(_NAME_GROUPS, text.split("="), strict=False)
    return {group: value for group, value in groups if value}
