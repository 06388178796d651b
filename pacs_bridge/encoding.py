"""Encodes plain values as a data set (PS3.5 section 7.1), without judging them. Reads nothing."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.valuerep import format_number_as_ds

from storage.repertoire import Repertoire
from storage.values import BINARY_FORMATS
from storage.walker import LONG_VRS

TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""VRs whose text is in the data set's Specific Character Set."""


def encode_values(
    values: Mapping[str, Any], *, encoding: str | Repertoire, implicit: bool
) -> bytes:
    """Return the little endian data set of plain values by keyword; unknown keywords are left out.

    `encoding` is Python's name of one, or sets that can hold the texts. Values are text, numbers,
    bytes, lists of them, and lists of mappings for sequences.
    """
    tagged = {tag: keyword for keyword in values if (tag := tag_for_keyword(keyword)) is not None}
    return b"".join(
        _element(tag, _vr(keyword), values[keyword], encoding, implicit=implicit)
        for tag, keyword in sorted(tagged.items())
    )


def _vr(keyword: str) -> str:
    vr = dictionary_VR(keyword)
    return "US" if vr == "US or SS" else vr


def _element(tag: int, vr: str, value: Any, encoding: str | Repertoire, *, implicit: bool) -> bytes:
    if vr == "SQ":
        encoded = b"".join(_item(item, encoding, implicit=implicit) for item in value or ())
    else:
        encoded = _value(vr, value, encoding)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if implicit:
        return head + struct.pack("<L", len(encoded)) + encoded
    if vr.encode() in LONG_VRS:
        return head + vr.encode() + struct.pack("<HL", 0, len(encoded)) + encoded
    if len(encoded) > 0xFFFE:
        encoded = b""  # explicit VR has no room for it; an empty value says nothing false
    return head + vr.encode() + struct.pack("<H", len(encoded)) + encoded


def _item(item: Mapping[str, Any], encoding: str | Repertoire, *, implicit: bool) -> bytes:
    encoded = encode_values(item, encoding=encoding, implicit=implicit)
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(encoded)) + encoded


def _value(vr: str, value: Any, encoding: str | Repertoire) -> bytes:
    parts: Iterable[Any] = value if isinstance(value, list | tuple) else [value]
    if isinstance(value, bytes):
        return value if len(value) % 2 == 0 else value + b"\0"
    if vr in BINARY_FORMATS:
        return b"".join(struct.pack("<" + BINARY_FORMATS[vr], n) for n in parts if n != "")
    text = "\\".join(_text(vr, part) for part in parts)
    if vr not in TEXT_VRS:
        encoded = text.encode("ascii", errors="replace")
    elif isinstance(encoding, Repertoire):
        encoded = encoding.encode(text)
    else:
        encoded = text.encode(encoding, errors="replace")
    return encoded if len(encoded) % 2 == 0 else encoded + (b"\0" if vr == "UI" else b" ")


def _text(vr: str, part: Any) -> str:
    if part is None:
        return ""
    if vr == "DS" and isinstance(part, float):
        return format_number_as_ds(part)
    return str(part)
