"""Works out where each frame lies and whether the pixel data has the length that the header says.

PS3.5 sections 8.1 and A.4, PS3.3 section C.7.6.3. Decodes no pixel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from casework.errors import Invalid
from storage.header import PixelLayout, Span
from storage.source import Source
from storage.values import numbers
from storage.walker import Node, PixelSpan

_EXTENDED_OFFSETS, _EXTENDED_LENGTHS = 0x7FE00001, 0x7FE00002
_BITS_OF = {0x7FE00008: 32, 0x7FE00009: 64}
_FRAME_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ", b"\xff\x0a")
_ITEM_HEADER = 8


def layout_of(
    pixel: PixelSpan,
    *,
    attributes: Mapping[str, Any],
    node: Node,
    source: Source,
    little_endian: bool,
    warnings: list[str],
    is_video: bool = False,
) -> PixelLayout:
    """Return the layout, or raise Invalid when native data is shorter than its frames need."""
    frames = _whole(attributes.get("NumberOfFrames")) or 1
    if not pixel.encapsulated:
        _check_native_length(pixel, frames=frames, attributes=attributes, warnings=warnings)
        return PixelLayout(pixel.offset, pixel.length, False, frames)
    table = _frame_table(
        pixel, frames=frames, node=node, source=source, little_endian=little_endian
    )
    if (
        table is None and not is_video
    ):  # frames of a video stand in one stream (PS3.5 section 8.2.5)
        warnings.append("the frames of the encapsulated pixel data cannot be told apart")
    return PixelLayout(pixel.offset, pixel.length, True, frames, table)


def native_frame_bits(attributes: Mapping[str, Any], *, pixel_tag: int = 0x7FE00010) -> int | None:
    """Return the bits of one native frame, or None when the header does not say."""
    rows, columns = _whole(attributes.get("Rows")), _whole(attributes.get("Columns"))
    samples = _whole(attributes.get("SamplesPerPixel")) or 1
    bits = _BITS_OF.get(pixel_tag) or _whole(attributes.get("BitsAllocated"))
    if not rows or not columns or not bits:
        return None
    photometric = attributes.get("PhotometricInterpretation")
    if samples == 3 and photometric in ("YBR_FULL_422", "YBR_PARTIAL_422"):
        return rows * columns * 2 * bits  # two chroma samples for two pixels
    if samples == 3 and photometric == "YBR_PARTIAL_420":
        return rows * columns * 3 * bits // 2
    return rows * columns * samples * bits


def _check_native_length(
    pixel: PixelSpan, *, frames: int, attributes: Mapping[str, Any], warnings: list[str]
) -> None:
    frame_bits = native_frame_bits(attributes, pixel_tag=pixel.tag)
    if frame_bits is None:
        warnings.append("the pixel data cannot be checked: rows, columns or bits are missing")
        return
    needed = (frame_bits * frames + 7) // 8
    if pixel.length < needed:
        raise Invalid(
            f"The pixel data has {pixel.length} bytes; its {frames} frames need {needed}. "
            "Send the object again.",
            code="bad-structure",
        )
    if pixel.length > needed + needed % 2:
        warnings.append(f"the pixel data is {pixel.length - needed} bytes longer than its frames")


def _frame_table(
    pixel: PixelSpan, *, frames: int, node: Node, source: Source, little_endian: bool
) -> tuple[tuple[Span, ...], ...] | None:
    """Return the spans of each frame: by an offset table that holds, by count, or by markers."""
    if not pixel.fragments:
        return None
    table, fragments = pixel.fragments[0], pixel.fragments[1:]
    if not fragments:
        return None
    starts = _extended(node, little_endian=little_endian) or _basic(
        source, table, little_endian=little_endian
    )
    if len(starts) == frames:
        grouped = _grouped_by_offset(fragments, starts)
        if grouped is not None:
            return grouped
    if len(fragments) == frames:
        return tuple((f,) for f in fragments)
    if frames == 1:
        return (tuple(fragments),)
    if len(fragments) > frames:
        return _grouped_by_marker(fragments, frames, source)
    return None


def _basic(source: Source, table: Span, *, little_endian: bool) -> list[int]:
    offset, length = table
    return [
        int(n) for n in numbers(source.read_at(offset, length), "UL", little_endian=little_endian)
    ]


def _extended(node: Node, *, little_endian: bool) -> list[int]:
    element = node.get(_EXTENDED_OFFSETS)
    if element is None or not element.value or _EXTENDED_LENGTHS not in node:
        return []
    return [int(n) for n in numbers(element.value, "UV", little_endian=little_endian)]


def _grouped_by_offset(
    fragments: Sequence[Span], starts: Sequence[int]
) -> tuple[tuple[Span, ...], ...] | None:
    """Group fragments by offsets that count from the first item after the table."""
    base = fragments[0][0] - _ITEM_HEADER
    expected = set(starts)
    if len(expected) != len(starts) or list(starts) != sorted(starts) or starts[0] != 0:
        return None
    grouped: list[list[Span]] = []
    for fragment in fragments:
        if fragment[0] - _ITEM_HEADER - base in expected:
            grouped.append([])
        grouped[-1].append(fragment)
    if len(grouped) != len(starts):
        return None
    return tuple(tuple(g) for g in grouped)


def _grouped_by_marker(
    fragments: Sequence[Span], frames: int, source: Source
) -> tuple[tuple[Span, ...], ...] | None:
    """Group fragments by the marker that starts a JPEG, JPEG 2000 or JPEG XL code stream."""
    grouped: list[list[Span]] = []
    for offset, length in fragments:
        if source.read_at(offset, min(length, 16)).startswith(_FRAME_STARTS) or not grouped:
            grouped.append([])
        grouped[-1].append((offset, length))
    return tuple(tuple(g) for g in grouped) if len(grouped) == frames else None


def _whole(value: Any) -> int:
    if isinstance(value, list):
        value = value[0]
    return int(value) if isinstance(value, int | float) and value > 0 else 0
