"""Writes a data set of the DICOM JSON model as Explicit VR Little Endian (PS3.18 annex F, PS3.5).

Goes to a file as it is made, bulk data copied from where it lies. Text is UTF-8, and said to be.
Knows no media type; what stands in for pixel data is handed in.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from casework.errors import Invalid
from storage.source import Source
from storage.walker import LONG_VRS

SPECIFIC_CHARACTER_SET = "00080005"
UTF_8 = "ISO_IR 192"
_LONG = frozenset(vr.decode() for vr in LONG_VRS) | {"SV", "UV"}
_BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_PACKED: Mapping[str, str] = {
    "US": "<H", "SS": "<h", "UL": "<L", "SL": "<l", "UV": "<Q", "SV": "<q", "FL": "<f", "FD": "<d",
}  # fmt: skip
_TEXTS = frozenset({
    "AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "SH", "ST", "TM", "UC", "UI", "UR", "UT",
})  # fmt: skip
_ONE_TEXT = frozenset({"LT", "ST", "UT", "UR"})
_PN_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_UNDEFINED = 0xFFFFFFFF
_LONGEST = _UNDEFINED - 1
_MAX_DEPTH = 32
_COPY_BYTES = 1 << 20
_ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, _UNDEFINED)
_ITEM_END = struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
_SEQUENCE_END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)

Bulk = Callable[[str], Source]
"""Gives the bytes of an address, or raises Invalid."""


@dataclass(frozen=True)
class Raw:
    """A value that is there as bytes: an element may have it instead of `Value`."""

    source: Source


@dataclass(frozen=True)
class Frames:
    """Compressed frames, each to become one fragment of an encapsulated element (PS3.5 A.4)."""

    sources: Sequence[Source]


def write(dataset: Mapping[str, Any], target: BinaryIO, *, bulk: Bulk) -> None:
    """Write the elements of a data set in the order of their tags; raise Invalid for what is none.

    An element is as in JSON, or has `Raw` or `Frames` under "raw".
    """
    _write(dict(dataset) | {SPECIFIC_CHARACTER_SET: _utf_8()}, target, bulk, depth=0)


def inline_bytes(tag: str, element: Mapping[str, Any]) -> bytes:
    """Return the bytes that stand in an element itself, or raise Invalid."""
    try:
        return base64.b64decode(element["InlineBinary"], validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise Invalid(f"Element {tag} is not in base 64.", code="not-dicom") from error


def _utf_8() -> dict[str, Any]:
    return {"vr": "CS", "Value": [UTF_8]}


def _write(dataset: Mapping[str, Any], target: BinaryIO, bulk: Bulk, *, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise Invalid("Sequences stand too deep in each other.", code="not-dicom")
    for tag, element in sorted(dataset.items(), key=lambda pair: pair[0].upper()):
        number = _number(tag)
        vr = element.get("vr") if isinstance(element, dict) else None
        if not isinstance(vr, str):
            raise Invalid(f"Element {tag} has no VR.", code="not-dicom")
        if depth and tag == SPECIFIC_CHARACTER_SET:
            element = _utf_8()  # noqa: PLW2901 - an item must not speak of another repertoire
        if vr == "SQ":
            _write_sequence(number, element, target, bulk, depth)
        elif isinstance(element.get("raw"), Frames):
            _write_frames(number, element["raw"], target)
        else:
            source = _source(tag, vr, element, bulk)
            _write_value(number, vr, source, target)


def _number(tag: str) -> int:
    try:
        number = int(tag, 16) if len(tag) == 8 else -1
    except ValueError:
        number = -1
    if number < 0 or number >> 16 in {0x0000, 0x0002, 0xFFFE}:
        raise Invalid(f"{tag[:16]!r} is no tag of a data set.", code="not-dicom")
    return number


def _write_sequence(
    number: int, element: Mapping[str, Any], target: BinaryIO, bulk: Bulk, depth: int
) -> None:
    items = _values(number, element)
    if not all(isinstance(item, dict) for item in items):
        raise Invalid(f"Sequence {number:08X} has an item that is none.", code="not-dicom")
    target.write(_head(number, "SQ", _UNDEFINED))
    for item in items:
        target.write(_ITEM)
        _write(item, target, bulk, depth=depth + 1)
        target.write(_ITEM_END)
    target.write(_SEQUENCE_END)


def _write_frames(number: int, frames: Frames, target: BinaryIO) -> None:
    target.write(_head(number, "OB", _UNDEFINED))
    target.write(struct.pack("<HHL", 0xFFFE, 0xE000, 0))  # an empty Basic Offset Table
    for source in frames.sources:
        length = source.size + source.size % 2
        if length > _LONGEST:
            raise Invalid("A frame is larger than a fragment may be.", code="not-dicom")
        target.write(struct.pack("<HHL", 0xFFFE, 0xE000, length))
        _copy(source, target, source.size)
        target.write(b"\0" * (source.size % 2))
    target.write(_SEQUENCE_END)


def _write_value(number: int, vr: str, source: Source | bytes, target: BinaryIO) -> None:
    size = len(source) if isinstance(source, bytes) else source.size
    length = size + size % 2
    if length > (_LONGEST if vr in _LONG else 0xFFFE):
        raise Invalid(f"The value of {number:08X} is too long for {vr}.", code="not-dicom")
    target.write(_head(number, vr, length))
    if isinstance(source, bytes):
        target.write(source)
    else:
        _copy(source, target, size)
    target.write((b"\0" if vr in _BYTES or vr == "UI" else b" ") * (size % 2))


def _copy(source: Source, target: BinaryIO, size: int) -> None:
    for at in range(0, size, _COPY_BYTES):
        target.write(source.read_at(at, min(_COPY_BYTES, size - at)))


def _head(number: int, vr: str, length: int) -> bytes:
    tag = struct.pack("<HH", number >> 16, number & 0xFFFF) + vr.encode("ascii")
    if vr in _LONG or vr == "SQ":
        return tag + struct.pack("<HL", 0, length)
    return tag + struct.pack("<H", length)


def _source(tag: str, vr: str, element: Mapping[str, Any], bulk: Bulk) -> Source | bytes:
    if isinstance(element.get("raw"), Raw):
        source: Source = element["raw"].source
        return source
    if vr not in _BYTES and vr not in _PACKED and vr not in _TEXTS and vr not in {"PN", "AT"}:
        raise Invalid(f"{vr[:8]!r} is no VR (element {tag}).", code="not-dicom")
    if "BulkDataURI" in element:
        return bulk(str(element["BulkDataURI"]))
    if "InlineBinary" in element:
        return inline_bytes(tag, element)
    values = _values(int(tag, 16), element)
    if vr in _BYTES and values:
        raise Invalid(f"Element {tag} has values, and its VR is {vr}.", code="not-dicom")
    try:
        return _encoded(vr, values)
    except (struct.error, ValueError, TypeError, OverflowError) as error:
        raise Invalid(f"A value of {tag} does not fit its VR {vr}.", code="not-dicom") from error


def _values(number: int, element: Mapping[str, Any]) -> list[Any]:
    values = element.get("Value", [])
    if not isinstance(values, list):
        raise Invalid(f"The value of {number:08X} is no array.", code="not-dicom")
    return values


def _encoded(vr: str, values: Sequence[Any]) -> bytes:
    if vr in _PACKED:
        kind = float if vr in {"FL", "FD"} else int
        return b"".join(struct.pack(_PACKED[vr], kind(value)) for value in values)
    if vr == "AT":
        numbers = [int(str(value), 16) for value in values]
        return b"".join(struct.pack("<HH", n >> 16, n & 0xFFFF) for n in numbers)
    if vr == "PN":
        return "\\".join(map(_name, values)).encode()
    if vr in _ONE_TEXT and len(values) > 1:
        raise ValueError(f"{vr} has one value")
    return "\\".join(_text(vr, value) for value in values).encode()


def _text(vr: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError("no text and no number")
    if vr == "IS":
        return str(int(value))
    return _decimal(value) if isinstance(value, float) else str(value)


def _decimal(value: float) -> str:
    """Return a number with as many digits as a DS has room for (PS3.5 section 6.2: 16)."""
    for digits in range(17, 0, -1):
        text = f"{value:.{digits}g}"
        if len(text) <= 16:
            return text
    raise ValueError("no decimal string")


def _name(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, dict):
        raise TypeError("no person's name")
    return "=".join(str(value.get(group) or "") for group in _PN_GROUPS).rstrip("=")
