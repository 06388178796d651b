"""Turns a data set between implicit and explicit VR; the way back gives the very same bytes.

Works on what stands around the pixel data. VRs come from the dictionary (PS3.5 section 6.2.2);
what it does not know is UN, and no value is changed, padded or sorted.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydicom.datadict import dictionary_VR

from casework.errors import Invalid
from storage.walker import ITEM, ITEM_END, LONG_VRS, SEQUENCE_END, UNDEFINED

_LONG = frozenset(vr.decode() for vr in LONG_VRS)
_AMBIGUOUS = {
    "OB or OW": "OW",  # PS3.5 section A.1: in implicit VR these are words
    "US or OW": "OW",
    "US or SS or OW": "OW",
}


@dataclass(frozen=True)
class _Element:
    tag: int
    vr: str  # empty in implicit VR
    raw_length: int
    value: bytes
    children: tuple[_Element, ...] | None = None  # items of a sequence, or elements of an item


def to_explicit(data: bytes, *, is_signed: bool) -> bytes:
    """Return implicit VR elements in explicit VR; `is_signed` tells US from SS."""
    return b"".join(_explicit(e, is_signed) for e in _elements(data, _Reader(data, explicit=False)))


def to_implicit(data: bytes) -> bytes:
    """Return explicit VR elements in implicit VR."""
    return b"".join(_implicit(e) for e in _elements(data, _Reader(data, explicit=True)))


class _Reader:
    """Reads elements one after the other; what is not whole is Invalid."""

    def __init__(self, data: bytes, *, explicit: bool) -> None:
        self._data = data
        self._is_explicit = explicit
        self.at = 0

    def header(self) -> tuple[int, str, int]:
        """Return tag, VR and length of the element that begins here, and go to its value."""
        data, at = self._data, self.at
        if at + 8 > len(data):
            raise _broken()
        group, number, length = struct.unpack_from("<HHL", data, at)
        tag = group << 16 | number
        self.at = at + 8
        if group == 0xFFFE or not self._is_explicit:
            return tag, "", length
        vr = data[at + 4 : at + 6].decode("latin-1")
        if vr not in _LONG:
            return tag, vr, struct.unpack_from("<H", data, at + 6)[0]
        if at + 12 > len(data):
            raise _broken()
        self.at = at + 12
        return tag, vr, struct.unpack_from("<L", data, at + 8)[0]

    def take(self, length: int) -> bytes:
        """Return a value."""
        if self.at + length > len(self._data):
            raise _broken()
        self.at += length
        return self._data[self.at - length : self.at]

    def is_sequence(self, tag: int, vr: str, length: int) -> bool:
        """Tell whether a value is made of items that are turned too."""
        if self._is_explicit:
            return vr == "SQ"
        if _vr_of(tag, is_signed=False) != "SQ":
            return False
        follows = self._data[self.at : self.at + 4]
        return length == 0 or follows in (b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0")

    def take_opaque(self) -> bytes:
        """Return a value of undefined length that stays as it is, with its delimiter."""
        start, inner = self.at, _Reader(self._data, explicit=False)
        inner.at = start
        for _ in _items(inner, UNDEFINED):
            pass
        self.at = inner.at
        return self._data[start : self.at]


def _elements(data: bytes, reader: _Reader) -> Iterator[_Element]:
    while reader.at < len(data):
        yield _element(reader)


def _element(reader: _Reader) -> _Element:
    tag, vr, length = reader.header()
    if tag in (ITEM, ITEM_END, SEQUENCE_END):
        raise _broken()
    if reader.is_sequence(tag, vr, length):
        return _Element(tag, "SQ", length, b"", tuple(_items(reader, length)))
    if length == UNDEFINED:
        return _Element(tag, vr or "UN", length, reader.take_opaque())
    return _Element(tag, vr, length, reader.take(length))


def _items(reader: _Reader, length: int) -> Iterator[_Element]:
    """Yield the items of a sequence; its delimiter is the last of them."""
    end = None if length == UNDEFINED else reader.at + length
    while end is None or reader.at < end:
        tag, _, item_length = reader.header()
        if tag == SEQUENCE_END and end is None and item_length == 0:
            yield _Element(tag, "", 0, b"")
            return
        if tag != ITEM:
            raise _broken()
        yield _Element(tag, "", item_length, b"", tuple(_contents(reader, item_length)))
    if reader.at != end:
        raise _broken()


def _contents(reader: _Reader, length: int) -> Iterator[_Element]:
    """Yield the elements of an item; its delimiter is the last of them."""
    end = None if length == UNDEFINED else reader.at + length
    while end is None or reader.at < end:
        before = reader.at
        tag, _, delimiter_length = reader.header()
        if tag == ITEM_END and end is None and delimiter_length == 0:
            yield _Element(tag, "", 0, b"")
            return
        reader.at = before
        yield _element(reader)
    if reader.at != end:
        raise _broken()


def _explicit(element: _Element, is_signed: bool) -> bytes:
    value = _value(element, lambda child: _explicit(child, is_signed))
    length = _length(element, value)
    if element.tag >> 16 == 0xFFFE:
        return _tag(element.tag) + struct.pack("<L", length) + value
    vr = element.vr or _vr_of(element.tag, is_signed=is_signed)
    is_odd = vr == "SQ" and element.children is None  # what should be items and is not
    if is_odd or (vr not in _LONG and length > 0xFFFF):
        vr = "UN"  # PS3.5 section 6.2.2: also a value that its own VR has no room for
    if vr in _LONG:
        return _tag(element.tag) + vr.encode() + b"\0\0" + struct.pack("<L", length) + value
    return _tag(element.tag) + vr.encode() + struct.pack("<H", length) + value


def _implicit(element: _Element) -> bytes:
    value = _value(element, _implicit)
    return _tag(element.tag) + struct.pack("<L", _length(element, value)) + value


def _value(element: _Element, turn: Callable[[_Element], bytes]) -> bytes:
    if element.children is None:
        return element.value
    return b"".join(turn(child) for child in element.children)


def _length(element: _Element, value: bytes) -> int:
    return UNDEFINED if element.raw_length == UNDEFINED else len(value)


def _vr_of(tag: int, *, is_signed: bool) -> str:
    group, number = tag >> 16, tag & 0xFFFF
    if number == 0:
        return "UL"
    if group % 2:
        return "LO" if 0x10 <= number <= 0xFF else "UN"  # PS3.5 section 7.8.1
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return "UN"
    if vr == "US or SS":
        return "SS" if is_signed else "US"
    return _AMBIGUOUS.get(vr, vr)


def _tag(tag: int) -> bytes:
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF)


def _broken() -> Invalid:
    return Invalid("The header is not whole, or of mixed form.", code="header")
