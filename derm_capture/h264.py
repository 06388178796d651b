"""Reads what an H.264 stream says of itself in its parameter sets (ITU-T H.264 7.3.2.1 and 7.4).

Decodes no picture; decides in which transfer syntax of PS3.5 a stream fits.
"""

from __future__ import annotations

from dataclasses import dataclass

from casework.errors import Invalid
from derm_capture.mp4 import Bytes, damaged, unpack

LEVEL_4_1 = "1.2.840.10008.1.2.4.102"  # PS3.5 8.2.7
LEVEL_4_2_FOR_2D = "1.2.840.10008.1.2.4.104"  # PS3.5 8.2.8

_BASELINE, _MAIN, _HIGH = 66, 77, 100
_WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_LARGEST_SIDE = (
    4096  # of level 4.2: the square root of eight times its 8,704 macroblocks, rounded up
)
_MOST_PARAMETER_SETS = 8
_MOST_UNITS = 256  # of one picture: a slice for every row of macroblocks, and some more
_KEPT = frozenset({1, 5, 7, 8, 9, 10, 11, 13, 19})
"""Units that decoders need or that hold nothing: slices, parameter sets, delimiters (table 7-1)."""


@dataclass(frozen=True)
class Coding:
    """How the pictures of a stream are coded."""

    profile: int
    level: int  # ten times the level
    is_constrained: bool  # constraint_set1_flag: a Baseline stream that Main reads too
    columns: int
    rows: int
    is_progressive: bool
    is_420: bool
    bits: int


@dataclass(frozen=True)
class Configuration:
    """What `avcC` says of a track (ISO 14496-15 5.3.3.1)."""

    coding: Coding
    length_size: int  # bytes of the length before each unit
    record: bytes


def read_configuration(record: Bytes) -> Configuration:
    """Return what `avcC` says; its sequence parameter sets must agree, and what no decoder needs is
    left out of it.
    """
    data = bytes(record)
    version, profile, _flags, _level, sizes = unpack("5B", data)
    sequences, at = _sets(data, 5, 31, 7)
    pictures, at = _sets(data, at, 255, 8)
    if version != 1 or not sequences or not pictures:
        raise damaged("it does not say how its pictures are coded")
    found = {read_sequence(unit) for unit in sequences}
    if len(found) != 1:
        raise changing()
    coding = found.pop()
    further = b""
    if profile in _WITH_CHROMA:
        depth = 0xF8 | coding.bits - 8 & 7
        further = bytes((0xFC | int(coding.is_420), depth, depth, 0))
    return Configuration(coding, (sizes & 3) + 1, data[:at] + further)


def changing() -> Invalid:
    """Return the error of a stream that is not of one size."""
    return Invalid(
        "The film changes its size or coding in the middle. Record it again in one go.",
        code="changing-clip",
    )


def _sets(data: bytes, at: int, mask: int, kind: int) -> tuple[list[bytes], int]:
    (count,) = unpack("B", data, at)
    found, at = [], at + 1
    if count & mask > _MOST_PARAMETER_SETS:
        raise damaged("it has more parameter sets than any film needs")
    for _ in range(count & mask):
        (length,) = unpack("H", data, at)
        unit = data[at + 2 : at + 2 + length]
        if len(unit) < length or not unit or unit[0] & 31 != kind:
            raise damaged("it does not say how its pictures are coded")
        found.append(unit)
        at += 2 + length
    return found, at


def syntax_of(coding: Coding) -> str:
    """Return the transfer syntax that a stream fits in, or raise Invalid with what to set.

    A decoder of High reads Main, and Baseline with constraint_set1_flag, too (ITU-T H.264 A.2.4).
    What is BD-compatible (…4.103) fits in …4.102 as well, which asks for less and is known wider.
    """
    fits = coding.profile in (_MAIN, _HIGH) or (
        coding.profile == _BASELINE and coding.is_constrained
    )
    if not fits or not coding.is_420 or coding.bits != 8:
        raise Invalid(
            f"The film is H.264 of a profile ({coding.profile}) that DICOM has no place for. Set"
            " the camera to its ordinary quality: not HDR, not 10 bit, not ProRes.",
            code="clip-profile",
        )
    if coding.level > 42:
        raise Invalid(
            f"The film is too large or too fast (H.264 level {coding.level / 10:g}; 4.2 is the"
            " most). Set the camera to 1080p at 30 frames a second.",
            code="clip-level",
        )
    if not coding.is_progressive:
        raise Invalid(
            "The film is interlaced. Set the camera to a progressive mode, such as 1080p.",
            code="clip-interlaced",
        )
    if not (16 <= coding.columns <= _LARGEST_SIDE and 16 <= coding.rows <= _LARGEST_SIDE):
        raise damaged("its pictures have an impossible size")
    return LEVEL_4_1 if coding.level <= 41 else LEVEL_4_2_FOR_2D


def read_sequence(unit: bytes) -> Coding:
    """Return what a sequence parameter set says."""
    bits = _Bits(_without_escapes(unit[1:]))
    profile, flags, level = bits.take(8), bits.take(8), bits.take(8)
    bits.number()
    chroma, depth = 1, 8
    if profile in _WITH_CHROMA:
        chroma = bits.number()
        if chroma == 3:
            bits.take(1)
        depth = 8 + max(bits.number(), bits.number())
        bits.take(1)
        if bits.take(1):
            for i in range(12 if chroma == 3 else 8):
                if bits.take(1):
                    _skip_scaling_list(bits, 16 if i < 6 else 64)
    bits.number()
    _skip_order(bits)
    bits.number()
    bits.take(1)
    width, height = 16 * (bits.number() + 1), bits.number() + 1
    is_progressive = bits.take(1) == 1
    if not is_progressive:
        bits.take(1)
    height *= 16 * (1 if is_progressive else 2)
    bits.take(1)
    if bits.take(1):
        step_x, step_y = (2 if chroma in (1, 2) else 1), (2 if chroma == 1 else 1)
        step_y *= 1 if is_progressive else 2
        width -= step_x * (bits.number() + bits.number())
        height -= step_y * (bits.number() + bits.number())
    return Coding(
        profile=profile,
        level=11 if level == 9 else level,  # 9 is level 1b
        is_constrained=bool(flags & 0x40),
        columns=width,
        rows=height,
        is_progressive=is_progressive,
        is_420=chroma == 1,
        bits=depth,
    )


def pictures_of(sample: Bytes, configuration: Configuration) -> list[memoryview]:
    """Return the stretches of a sample that are kept: all but what no decoder needs, which may tell
    anything (user data in SEI messages, units of no fixed meaning, filler).
    """
    view, at, count, kept, has_picture = memoryview(sample), 0, 0, list[tuple[int, int]](), False
    while at < len(view):
        start, at = at, at + configuration.length_size
        length = int.from_bytes(view[start:at], "big")
        if not 0 < length <= len(view) - at:
            raise damaged("a picture is not whole")
        unit, at = view[at : at + length], at + length
        kind, count = unit[0] & 31, count + 1
        if count > _MOST_UNITS:
            raise damaged("a picture has more parts than any needs")
        has_picture |= kind in (1, 5)
        if kind == 7 and read_sequence(bytes(unit)) != configuration.coding:
            raise changing()
        if kind in _KEPT or (kind == 6 and not _tells_more(bytes(unit))):
            kept.append((start, at))
    if not has_picture:
        raise damaged("a picture is missing")
    return [view[start:end] for start, end in _joined(kept)]


def _joined(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in stretches:
        if joined and joined[-1][1] == start:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined


def _tells_more(unit: bytes) -> bool:
    """Tell whether an SEI unit holds user data, registered or not (D.2.6, D.2.7), or is broken."""
    data, at = _without_escapes(unit[1:]), 0
    while at < len(data) and data[at:].rstrip(b"\0") != b"\x80":
        numbers = []
        for _ in range(2):  # the type and the size of a message
            number = 0
            while at < len(data) and data[at] == 255:
                number, at = number + 255, at + 1
            if at >= len(data):
                return True
            numbers.append(number + data[at])
            at += 1
        if numbers[0] in (4, 5):
            return True
        at += numbers[1]
    return at > len(data)


def _skip_order(bits: _Bits) -> None:
    kind = bits.number()
    if kind == 0:
        bits.number()
    elif kind == 1:
        bits.take(1)
        bits.number()
        bits.number()
        for _ in range(min(bits.number(), 256)):
            bits.number()


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            coded = bits.number()
            following = (last + ((coded + 1) // 2 if coded % 2 else -(coded // 2))) % 256
        last = following or last


def _without_escapes(data: bytes) -> bytes:
    return data.replace(b"\0\0\3", b"\0\0")


class _Bits:
    """The bits of a parameter set, the highest first."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        """Return the next bits as a number."""
        if count > self._left:
            raise damaged("its parameter set ends early")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def number(self) -> int:
        """Return the next Exp-Golomb number (9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise damaged("its parameter set holds no number where one must be")
        return (1 << zeros) - 1 + self.take(zeros)
