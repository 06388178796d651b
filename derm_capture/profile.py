"""Takes from a colour profile what says more than its colours: names of people, devices, monitors.

What tells how to show a colour is never touched (ICC.1); a profile that is known is kept as it is.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_HEADER_BYTES, _ENTRY_BYTES, _MOST_TAGS = 128, 12, 100
_LONGEST_TEXT = 500
_COLOURS = frozenset(
    {b"wtpt", b"bkpt", b"chad", b"chrm", b"lumi", b"meas", b"view", b"tech", b"cicp", b"gamt"}
    | {letter + rest for letter in (b"r", b"g", b"b") for rest in (b"XYZ", b"TRC")}
    | {b"A2B0", b"A2B1", b"A2B2", b"B2A0", b"B2A1", b"B2A2", b"D2B0", b"D2B1", b"D2B2", b"D2B3"}
    | {b"B2D0", b"B2D1", b"B2D2", b"B2D3", b"pre0", b"pre1", b"pre2", b"kTRC", b"aarg", b"aagg"}
    | {b"aabg"}
)
_TEXTS = frozenset({b"desc", b"cprt", b"dmnd", b"dmdd", b"vued", b"dscm"})
_RESERVED = slice(100, 128)
_IDENTITY = slice(84, 100)  # a hash of the profile; zero: not computed (7.2.18)
_KNOWN = re.compile(
    r"""(copyright|©|\(c\)|\d{1,5}(?!\d)|[-.,:;/()'"_ ]
    |(?:s?rgb|e?sycc|display|colou?r|space|profile|default|view(?:ing)?|reference|condition|standard
    |built|in|iec|http|https|www|ch|all|rights|reserved|no|use|freely|public|domain|the|by|of|and
    |dci|p3|d50|d65|adobe|prophoto|romm|rec|bt|itu|wide|gamut|photo|generic|linear|gamma|grey|gray
    |scrgb|colormatch|match|camera|monitor|computer|apple|hewlett|packard|company|incorporated
    |systems?|inc|ltd|corp|corporation|co|hp|google|llc|microsoft|kodak|eastman|canon|nikon|sony|samsung|electronics|huawei|xiaomi|lg|qualcomm
    |international|consortium|icc|facebook|meta|tiny|c2|v[24]|preference|appearance|beta|web
    |swop|coated|uncoated|fogra|iso|euroscale|japan|newspaper|sheetfed|eci|basiccolor|gmbh
    |little|cms|lcms|artifex|software|ghostscript|creative|commons|cc0|elle|stone|ninedegreesbelow
    |com|org|net|with|trc|color|org)(?![a-zæøå])
    )*""",
    re.IGNORECASE | re.VERBOSE,
)
"""What standard profiles are made of; who writes other words into one may write a name."""


@dataclass(frozen=True)
class _Tag:
    name: bytes
    start: int
    end: int


def without_names(icc: bytes) -> bytes:
    """Return a profile with blanks for texts that are not of a standard profile, and for what is
    no known tag; all else stands where it stood.
    """
    if len(icc) < _HEADER_BYTES + 4:
        return b""
    size = min(len(icc), int.from_bytes(icc[:4]))
    tags = list(_tags(icc[:size]))
    colours = [tag for tag in tags if tag.name in _COLOURS]
    kept = bytearray(size)
    count_end = _HEADER_BYTES + 4 + _ENTRY_BYTES * len(tags)
    kept[:count_end] = icc[:count_end]
    for tag in tags:
        if tag.name in _TEXTS:
            kept[tag.start : tag.end] = _plain(icc[tag.start : tag.end])
    for tag in colours:
        kept[tag.start : tag.end] = icc[tag.start : tag.end]
    kept[_RESERVED] = bytes(28)
    if bytes(kept) != icc:
        kept[_IDENTITY] = bytes(16)
        kept[:4] = struct.pack(">L", size)
    return bytes(kept)


def _tags(icc: bytes) -> Iterator[_Tag]:
    count = int.from_bytes(icc[_HEADER_BYTES : _HEADER_BYTES + 4])
    for number in range(min(count, _MOST_TAGS)):
        at = _HEADER_BYTES + 4 + _ENTRY_BYTES * number
        if at + _ENTRY_BYTES > len(icc):
            return
        name, start, length = struct.unpack_from(">4sLL", icc, at)
        first = _HEADER_BYTES + 4 + _ENTRY_BYTES * count
        if start < first:
            start, length = first, 0
        yield _Tag(name, min(start, len(icc)), min(start + length, len(icc)))


def _plain(element: bytes) -> bytes:
    """Return an element of text as it is when all its words are known, else with blanks in it."""
    kind = element[:4]
    if kind == b"text":
        return _or_blank(element, 8, len(element), "latin-1")
    if kind == b"desc":
        return _plain_description(element)
    if kind == b"mluc":
        return _plain_localized(element)
    return bytes(len(element))


def _plain_description(element: bytes) -> bytes:
    """Return a description of ICC.1:2001 as it is, or with blanks for its Roman text and without
    those in other letters (6.5.17).
    """
    end = 12 + int.from_bytes(element[8:12])
    if not 12 < end <= len(element):
        return bytes(len(element))
    others = "".join(c for c in element[end:].decode("latin-1") if c > "\x1f")
    if len(others) <= _LONGEST_TEXT and _KNOWN.fullmatch(others):
        return _or_blank(element, 12, end, "latin-1")
    return _or_blank(element[:end], 12, end, "latin-1") + bytes(len(element) - end)


def _plain_localized(element: bytes) -> bytes:
    """Return a text in languages, each of them checked (ICC.1:2022 10.15)."""
    count, width = struct.unpack_from(">LL", element.ljust(16, b"\0"), 8)
    if width != 12 or not count <= _MOST_TAGS or 16 + 12 * count > len(element):
        return bytes(len(element))
    kept = element[: 16 + 12 * count].ljust(len(element), b"\0")
    for number in range(count):
        length, start = struct.unpack_from(">LL", element, 16 + 12 * number + 4)
        end = start + length
        if not 16 + 12 * count <= start <= end <= len(element):
            return bytes(len(element))
        checked = _or_blank(element, start, end, "utf-16-be")
        kept = kept[:start] + checked[start:end] + kept[end:]
    return kept


def _or_blank(element: bytes, start: int, end: int, encoding: str) -> bytes:
    text = element[start:end].decode(encoding, errors="replace").replace("\0", "")
    if len(text) <= _LONGEST_TEXT and _KNOWN.fullmatch(text):
        return element
    blank = " ".encode(encoding)
    length = end - start - len(blank)  # the last character is a null where there is one
    blanks = (blank * (max(0, length) // len(blank))).ljust(end - start, b"\0")
    return element[:start] + blanks + element[end:]
