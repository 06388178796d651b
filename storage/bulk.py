"""Finds where one value lies in a data set by its path, and turns its bytes to little endian.

A path names a tag, and for what lies in sequences item numbers from 1 between the tags:
`00081115/1/0040A730/2/0042E001`. Reads no value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from casework.errors import Invalid
from storage.dicom_json import vr_of
from storage.filemeta import EXPLICIT_BE, IMPLICIT_LE
from storage.source import Source
from storage.walker import OFFSET_TABLES, PIXEL_TAGS, WalkLimits, Wanted, walk_structure

_PATH = re.compile(r"[0-9A-F]{8}(?:/[1-9][0-9]{0,5}/[0-9A-F]{8})*")
_DEEPEST = 16
_WORD_BYTES = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), 2),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}


@dataclass(frozen=True)
class Found:
    """A value: its tag and VR, and where it lies in the (inflated) data set."""

    tag: int
    vr: str
    offset: int
    length: int


def path_of(text: str) -> tuple[int, ...]:
    """Return tags and item numbers in turn, or raise Invalid when this is no path."""
    upper = text.upper()
    if not _PATH.fullmatch(upper) or upper.count("/") > 2 * _DEEPEST:
        raise Invalid(
            "Bulk data is asked for by tag, and in sequences by item number and tag: "
            "00420011 or 00081115/1/00081199.",
            code="bad-request",
        )
    parts = upper.split("/")
    return tuple(int(part, 10 if n % 2 else 16) for n, part in enumerate(parts))


def find_value(
    source: Source, path: tuple[int, ...], *, transfer_syntax_uid: str, limits: WalkLimits
) -> Found | None:
    """Return where a value lies, or None when there is none that is one stretch of bytes.

    `source` is the data set, inflated. Pixel data is not found here; the index knows it.
    """
    if path[0] in PIXEL_TAGS or path[-1] in OFFSET_TABLES:
        return None
    wanted: Wanted | None = None
    for tag in reversed(path[0::2]):
        wanted = {tag: wanted}
    walked = walk_structure(
        source,
        implicit=transfer_syntax_uid == IMPLICIT_LE,
        little_endian=transfer_syntax_uid != EXPLICIT_BE,
        wanted=wanted or {},
        limits=replace(limits, max_value_bytes=-1),
        stop_after=path[0],
    )
    node = walked.node
    for tag, number in zip(path[0:-1:2], path[1::2], strict=True):
        element = node.get(tag)
        if element is None or element.items is None or number > len(element.items):
            return None
        node = element.items[number - 1]
    last = node.get(path[-1])
    if last is None or last.span is None:
        return None
    return Found(path[-1], vr_of(path[-1], last.vr), *last.span)


def word_bytes(vr: str) -> int:
    """Return how many bytes of a value of a VR are turned together (PS3.5 section 7.3)."""
    return _WORD_BYTES.get(vr, 1)


def swapped(data: bytes, width: int) -> bytes:
    """Return big endian words of some bytes in little endian; a last one that is cut stays."""
    if width == 1:
        return data
    whole = len(data) // width * width
    return np.frombuffer(data[:whole], f">u{width}").astype(f"<u{width}").tobytes() + data[whole:]
