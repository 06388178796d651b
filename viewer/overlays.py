"""Takes overlay planes out of objects: bitmaps that lie over an image, one bit a pixel.

PS3.3 C.9.2: in planes of their own, or in bits of the pixels that hold no value. Draws nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

FIRST_GROUP, LAST_GROUP = 0x6000, 0x601E
_MOST_BITS = 120_000_000


@dataclass(frozen=True)
class Overlay:
    """One plane for one frame; `bits` row by row, the first pixel in the lowest bit."""

    group: int
    label: str
    kind: str  # G: graphics, R: a region of interest
    rows: int
    columns: int
    left: int  # of its first pixel in the image, from 0; may lie outside
    top: int
    bits: bytes
    layer: str = ""


def overlays_of(header: Dataset, frame: int, words: bytes | None = None) -> tuple[Overlay, ...]:
    """Return the planes of a frame, in order of their groups.

    `words` are the 16-bit words of the frame as they are stored, for planes in unused high bits.
    """
    return tuple(_each(header, frame, words))


def needs_words(header: Dataset) -> bool:
    """Tell whether a plane lies in the pixels themselves."""
    return any(_in_pixels(header, group) for group in range(FIRST_GROUP, LAST_GROUP + 1, 2))


def _each(header: Dataset, frame: int, words: bytes | None) -> Iterator[Overlay]:
    for group in range(FIRST_GROUP, LAST_GROUP + 1, 2):
        rows, columns = _whole(header, group, 0x0010), _whole(header, group, 0x0011)
        if not rows or not columns or rows * columns > _MOST_BITS:
            continue
        packed = _bits(header, group, frame, rows * columns, words)
        if packed is None:
            continue
        origin = _numbers(header, group, 0x0050) or (1, 1)
        yield Overlay(
            group=group,
            label=_text(header, group, 0x1500) or _text(header, group, 0x0022),
            kind=_text(header, group, 0x0040) or "G",
            rows=rows,
            columns=columns,
            left=int(origin[-1]) - 1,
            top=int(origin[0]) - 1,
            bits=packed,
            layer=_text(header, group, 0x1001),
        )


def _bits(header: Dataset, group: int, frame: int, size: int, words: bytes | None) -> bytes | None:
    if _in_pixels(header, group):
        position = _whole(header, group, 0x0102)
        if words is None or len(words) < 2 * size or not 0 <= position < 16:
            return None
        values = np.frombuffer(words, "<u2", size)
        return np.packbits((values >> position & 1).astype(np.uint8), bitorder="little").tobytes()
    element = header.get((group, 0x3000))
    if element is None or not isinstance(element.value, bytes):
        return None
    at = _place(header, group, frame)
    if at is None:
        return None
    data = _in_order(header, element)
    first, last = at * size // 8, -(-(at + 1) * size // 8)
    if len(data) < last:
        return None
    unpacked = np.unpackbits(np.frombuffer(data[first:last], np.uint8), bitorder="little")
    start = at * size - first * 8
    return np.packbits(unpacked[start : start + size], bitorder="little").tobytes()


def _place(header: Dataset, group: int, frame: int) -> int | None:
    """Return which frame of a plane lies over a frame of the image (PS3.3 C.9.2.1.4)."""
    count = _whole(header, group, 0x0015)
    if count <= 1 and (group, 0x0051) not in header:
        return 0
    at = frame - (_whole(header, group, 0x0051) or 1)
    return at if 0 <= at < max(count, 1) else None


def _in_pixels(header: Dataset, group: int) -> bool:
    return (group, 0x3000) not in header and _whole(header, group, 0x0100) == 16


def _in_order(header: Dataset, element: DataElement) -> bytes:
    data: bytes = element.value
    if element.VR == "OW" and header.original_encoding[1] is False and len(data) % 2 == 0:
        return np.frombuffer(data, ">u2").astype("<u2").tobytes()
    return data


def _whole(header: Dataset, group: int, element: int) -> int:
    found = _numbers(header, group, element)
    return int(found[0]) if found else 0


def _numbers(header: Dataset, group: int, element: int) -> tuple[float, ...] | None:
    found = header.get((group, element))
    if found is None or found.value is None:
        return None
    value = found.value
    values = value if hasattr(value, "__iter__") and not isinstance(value, str | bytes) else [value]
    try:
        return tuple(float(each) for each in values) or None
    except (TypeError, ValueError):
        return None


def _text(header: Dataset, group: int, element: int) -> str:
    found = header.get((group, element))
    return "" if found is None or found.value is None else str(found.value).strip()
