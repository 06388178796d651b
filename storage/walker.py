"""Walks the structure of a data set: iterative and bounded, and blind to what the values mean.

PS3.5 section 7: every length is checked against what holds it, sums must end exactly, delimiters
must be there. Pixel data is passed over by its length. Tolerates what modalities really send, and
says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import Struct
from typing import NamedTuple, NoReturn

from pydicom.datadict import DicomDictionary  # type: ignore[attr-defined]

from casework.errors import Invalid
from storage.source import Source

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_TAGS = frozenset({0x7FE00010, 0x7FE00008, 0x7FE00009})

OFFSET_TABLES = frozenset({0x7FE00001, 0x7FE00002})
"""Extended Offset Table and its lengths: kept whatever their size (PS3.5 section A.4)."""

LONG_VRS = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
SHORT_VRS = frozenset(
    {
        b"AE",
        b"AS",
        b"AT",
        b"CS",
        b"DA",
        b"DS",
        b"DT",
        b"FD",
        b"FL",
        b"IS",
        b"LO",
        b"LT",
        b"PN",
        b"SH",
    }
    | {b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}
)

Wanted = Mapping[int, "Wanted | None"]
"""Tags whose values are kept; the value says what is kept of a sequence's items."""

EVERYTHING: Wanted = {}
"""Stands for every element at every level; compared by identity."""


class Element(NamedTuple):
    """One element: its value bytes, or the items of a sequence; `vr` is empty for implicit VR.

    `value` is None when the value is longer than what is kept, and `span` then says where it lies;
    it is None without a span when it is encapsulated.
    """

    vr: bytes
    value: bytes | None
    items: tuple[Node, ...] | None = None
    span: tuple[int, int] | None = None


Node = dict[int, Element]
"""The kept elements of a data set or item, by tag."""


@dataclass(frozen=True)
class WalkLimits:
    """Bounds on the work that one data set may cause."""

    max_depth: int = 64  # of sequences
    max_elements: int = 2_000_000
    max_value_bytes: int = 1 << 14  # longest value kept
    takes_meta: bool = False  # elements of group 0002, which are of a file and of no data set
    inflate_ratio: int = 100
    inflate_floor_bytes: int = 4 << 20  # the ratio counts beyond this
    inflate_bytes: int = 256 << 20


@dataclass
class PixelSpan:
    """Where top-level pixel data lies, with the spans of its items' payloads when encapsulated."""

    tag: int
    offset: int
    length: int
    encapsulated: bool
    fragments: list[tuple[int, int]] = field(
        default_factory=list
    )  # first is the Basic Offset Table


@dataclass
class Walked:
    """What a walk found."""

    node: Node
    pixel: PixelSpan | None
    warnings: list[str]
    elements: int
    end: int


@dataclass(slots=True)
class _Level:
    """A data set, item, sequence or fragment list that is being walked."""

    items_only: bool  # a sequence or fragments: holds items, not elements
    end: int  # hard end: its own, or that of what holds it when its length is undefined
    undefined: bool
    implicit: bool
    wanted: Wanted | None
    node: Node | None = None  # elements kept of a data set or item
    items: list[Node] | None = None  # items kept of a sequence
    key: tuple[int, bytes] | None = None  # where a sequence goes in the level below
    pixel: PixelSpan | None = None
    is_fragments: bool = False


def walk_structure(  # noqa: PLR0912, PLR0915 - one loop on purpose: it runs for every element received
    source: Source,
    *,
    implicit: bool,
    little_endian: bool,
    wanted: Wanted,
    limits: WalkLimits,
    stop_after: int | None = None,
) -> Walked:
    """Return what the data set holds of the wanted elements, or raise Invalid when it is not whole.

    With `stop_after` the walk ends before the first top-level element beyond that tag.
    """
    order = "<" if little_endian else ">"
    tag_and_length = Struct(order + "HHL").unpack_from
    short_element = Struct(order + "HH2sH").unpack_from
    length_16 = Struct(order + "H").unpack_from
    length_32 = Struct(order + "L").unpack_from
    size = source.size
    warnings: list[str] = []
    found_pixel: PixelSpan | None = None
    root: Node = {}
    level = _Level(False, size, False, implicit, wanted, node=root)
    stack: list[_Level] = []
    window, low = source.read_at(0, _WINDOW), 0
    high = len(window)
    position = 0
    elements = 0
    max_value = limits.max_value_bytes

    while True:
        end = level.end
        if position >= end:
            if position > end:
                _fail_length(position, end, size)
            if level.undefined:
                _fail_delimiter(position, end, size)
            if not stack:
                break
            level = _closed(level, stack)
            continue
        if end - position < 8:
            _fail_length(position, end, size)
        if (position + 12 > high and high < size) or position < low:
            window, low = source.read_at(position, _WINDOW), position
            high = low + len(window)
            if high - low < min(12, size - low):
                _fail_length(position, end, size)
        at = position - low
        if not level.implicit and not level.items_only:
            # the common element: explicit, short, whole in the window, and nothing structural
            group, number, vr, length = short_element(window, at)
            after = position + 8 + length
            if vr in SHORT_VRS and after <= end and after <= high and 2 < group < 0x7FE0:
                tag = group << 16 | number
                if stop_after is not None and tag > stop_after and not stack:
                    break
                elements += 1
                wants = level.wanted
                if (
                    wants is not None
                    and (tag in wants or wants is EVERYTHING)
                    and level.node is not None
                ):
                    if length <= max_value:
                        level.node[tag] = Element(vr, bytes(window[at + 8 : at + 8 + length]))
                    else:
                        level.node[tag] = Element(vr, None, None, (position + 8, length))
                if elements > limits.max_elements:
                    _fail_elements(limits.max_elements)
                position = after
                continue
        group, number, length = tag_and_length(window, at)
        tag = group << 16 | number
        elements += 1
        if elements > limits.max_elements:
            _fail_elements(limits.max_elements)

        if level.items_only:
            position += 8
            if tag == SEQUENCE_END:
                if not level.undefined:
                    _once(warnings, "a sequence of defined length has a delimiter")
                    continue
                if level.pixel is not None:
                    level.pixel.length = position - 8 - level.pixel.offset
                level = _closed(level, stack)
                continue
            if tag != ITEM:
                raise Invalid(
                    f"An item was expected at byte {position - 8}, not ({group:04X},{number:04X}).",
                    code="bad-structure",
                )
            if level.is_fragments:
                if length == UNDEFINED or length > end - position:
                    _fail_length(position + length, end, size)
                if level.pixel is not None:
                    level.pixel.fragments.append((position, length))
                position += length
                continue
            if length != UNDEFINED and length > end - position:
                _fail_length(position + length, end, size)
            if len(stack) >= 2 * limits.max_depth:
                _fail_depth(limits.max_depth)
            node: Node | None = None
            if level.items is not None:
                node = {}
                level.items.append(node)
            undefined = length == UNDEFINED
            stack.append(level)
            level = _Level(
                False,
                end if undefined else position + length,
                undefined,
                level.implicit,
                level.wanted,
                node=node,
            )
            continue

        if tag == ITEM_END:
            position += 8
            if level.undefined:
                level = _closed(level, stack)
            elif stack and position == end:
                _once(warnings, "an item of defined length has a delimiter")
            else:
                raise Invalid(
                    f"An item delimiter at byte {position - 8} closes nothing.",
                    code="bad-structure",
                )
            continue
        if group == 0xFFFE:
            raise Invalid(
                f"({group:04X},{number:04X}) stands among elements at byte {position}.",
                code="bad-structure",
            )
        if group == 0x0002 and not stack and not limits.takes_meta:
            raise Invalid(
                "The data set holds file meta information (group 0002). Send the data set alone.",
                code="bad-structure",
            )
        if stop_after is not None and tag > stop_after and not stack:
            break

        vr = b""
        if level.implicit:
            value = position + 8
        else:
            vr = bytes(window[at + 4 : at + 6])
            if vr in SHORT_VRS:
                (length,) = length_16(window, at + 6)
                value = position + 8
            elif vr in LONG_VRS:
                if end - position < 12:
                    _fail_length(position + 12, end, size)
                (length,) = length_32(window, at + 8)
                value = position + 12
            elif b"AA" <= vr <= b"ZZ" and vr.isalpha():
                _once(warnings, f"the value representation {vr.decode('ascii')} is not known")
                # PS3.5 section 7.1.2: VRs to come have the long form; old odd ones have the short
                (length,) = length_16(window, at + 6)
                value = position + 8
                if length == 0 and end - position >= 12:
                    (long_length,) = length_32(window, at + 8)
                    if long_length <= end - position - 12:
                        length, value = long_length, position + 12
            else:  # some senders fall back to implicit VR in the middle
                _once(warnings, "elements in implicit VR stand among explicit ones")
                vr = b""
                value = position + 8

        keep = level.node is not None and (
            level.wanted is EVERYTHING or (level.wanted is not None and tag in level.wanted)
        )
        if length != UNDEFINED:
            after = value + length
            if after > end:
                _fail_length(after, end, size)
            if tag in PIXEL_TAGS and not stack:
                found_pixel = PixelSpan(tag, value, length, encapsulated=False)
            elif vr == b"SQ" or (
                not vr and length >= 8 and _is_sequence(source, tag, value, order)
            ):
                if length == 0:
                    if keep and level.node is not None:
                        level.node[tag] = Element(b"SQ", None, ())
                    position = after
                    continue
                level = _sequence(level, stack, tag, vr, keep, after, False, limits)
                position = value
                continue
            if keep and level.node is not None:
                if length > max_value and tag not in OFFSET_TABLES:
                    level.node[tag] = Element(vr, None, None, (value, length))
                elif after <= high:
                    level.node[tag] = Element(vr, bytes(window[value - low : after - low]))
                else:
                    level.node[tag] = Element(vr, source.read_at(value, length))
            position = after
            continue

        # undefined length: a sequence, or encapsulated data (PS3.5 section A.4)
        holds_fragments = tag in PIXEL_TAGS or vr not in (b"SQ", b"UN", b"")
        if len(stack) >= 2 * limits.max_depth:
            _fail_depth(limits.max_depth)
        if holds_fragments:
            span = None
            if not stack:
                found_pixel = span = PixelSpan(tag, value, 0, encapsulated=True)
            if keep and level.node is not None:
                level.node[tag] = Element(vr, None)
            stack.append(level)
            level = _Level(True, end, True, level.implicit, None, pixel=span, is_fragments=True)
        else:
            level = _sequence(level, stack, tag, vr, keep, end, True, limits)
        position = value

    return Walked(root, found_pixel, warnings, elements, position)


_WINDOW = 1 << 16
_ITEM_BYTES = {"<": b"\xfe\xff\x00\xe0", ">": b"\xff\xfe\xe0\x00"}
_SEQUENCE_TAGS = frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == "SQ")


def _sequence(
    level: _Level,
    stack: list[_Level],
    tag: int,
    vr: bytes,
    keep: bool,
    end: int,
    undefined: bool,
    limits: WalkLimits,
) -> _Level:
    """Open a sequence; what stands under UN is implicit VR (PS3.5 section 6.2.2, note 2)."""
    if len(stack) >= 2 * limits.max_depth:
        _fail_depth(limits.max_depth)
    stack.append(level)
    wanted: Wanted | None = None
    if keep:
        wanted = EVERYTHING if level.wanted is EVERYTHING else (level.wanted or {}).get(tag)
    return _Level(
        True,
        end,
        undefined,
        level.implicit or vr == b"UN",
        wanted,
        items=[] if keep else None,
        key=(tag, vr),
    )


def _closed(level: _Level, stack: list[_Level]) -> _Level:
    """Close a level and return the one that holds it, with a kept sequence entered there."""
    below = stack.pop()
    if level.items is not None and level.key is not None and below.node is not None:
        below.node[level.key[0]] = Element(b"SQ", None, tuple(level.items))
    return below


def _is_sequence(source: Source, tag: int, value: int, order: str) -> bool:
    """Tell whether an implicit VR element of defined length is a sequence the dictionary knows.

    Private ones stay opaque: nothing says that their value is made of items.
    """
    return tag in _SEQUENCE_TAGS and source.read_at(value, 4) == _ITEM_BYTES[order]


def _once(warnings: list[str], text: str) -> None:
    if text not in warnings:
        warnings.append(text)


def _fail_elements(most: int) -> NoReturn:
    raise Invalid(
        f"The data set has more than {most} elements. It was not taken.", code="bad-structure"
    )


def _fail_length(needed: int, end: int, size: int) -> NoReturn:
    if end >= size:
        raise Invalid(
            f"The data set ends at byte {size}, but an element goes on to byte {needed}. "
            "Send it again.",
            code="truncated",
        )
    raise Invalid(
        f"An element goes on to byte {needed}, past the end of what holds it at byte {end}.",
        code="bad-structure",
    )


def _fail_delimiter(position: int, end: int, size: int) -> NoReturn:
    code = "truncated" if end >= size else "bad-structure"
    raise Invalid(f"A delimiter is missing at byte {position}. Send the object again.", code=code)


def _fail_depth(depth: int) -> NoReturn:
    raise Invalid(f"Sequences are nested deeper than {depth} levels.", code="bad-structure")
