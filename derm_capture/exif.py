"""Reads the few Exif tags that matter from a TIFF structure (Exif 3.0).

Place, owner and maker notes are not read.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

_ORIENTATION, _EXIF_IFD = 0x0112, 0x8769
_TEXTS = {0x010F: "make", 0x0110: "model", 0x0131: "software"}
_EXIF_TEXTS = {0xA431: "serial", 0xA433: "lens_make", 0xA434: "lens_model"}
_EXIF_NUMBERS = {
    0x829A: "exposure_s",
    0x829D: "f_number",
    0x8827: "iso",
    0x9209: "flash",
    0x920A: "focal_length_mm",
    0x9206: "subject_distance_m",
    0xA403: "white_balance",
    0xA404: "digital_zoom",
    0xA405: "focal_length_35mm",
    0x8822: "exposure_program",
    0x8830: "sensitivity_type",
    0x8831: "standard_sensitivity",
    0x8832: "recommended_index",
    0x9201: "shutter_speed",
    0x9202: "aperture",
    0x9203: "brightness",
    0x9204: "exposure_bias",
    0x9205: "max_aperture",
    0x9207: "metering_mode",
    0x9208: "light_source",
    0xA217: "sensing_method",
    0xA401: "custom_rendered",
    0xA402: "exposure_mode",
    0xA406: "scene_capture_type",
    0xA407: "gain_control",
    0xA408: "contrast",
    0xA409: "saturation",
    0xA40A: "sharpness",
    0xA40C: "subject_distance_range",
}
_TAKEN_AT, _OFFSET, _VERSION = 0x9003, 0x9011, 0x9000
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8}
_NUMBERS = {1: "B", 3: "H", 4: "L", 9: "l"}
_MAX_ENTRIES, _MAX_VALUE_BYTES = 512, 256
_CLOCK = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)")
_ZONE = re.compile(r"([+-])(\d\d):(\d\d)")
_YEARS = range(1900, 3000)
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=\"|>)([1-8])")


@dataclass(frozen=True)
class Camera:
    """What a camera says of itself and of the exposure; empty where it says nothing."""

    orientation: int = 1
    make: str = ""
    model: str = ""
    serial: str = ""
    software: str = ""
    lens_make: str = ""
    lens_model: str = ""
    version: str = ""
    taken_at: datetime | None = None  # naive when the camera gives no zone
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def says_anything(self) -> bool:
        """Tell whether the file kept any trace of a camera; a messenger takes them all away."""
        return bool(self.make or self.model or self.taken_at)


def read_exif(block: bytes, *, xmp: bytes = b"") -> Camera:
    """Return what an Exif block says; what is damaged in it is passed over."""
    entries = _Entries(block)
    first = entries.directory(entries.first)
    pointer = entries.number(first.get(_EXIF_IFD))
    second = entries.directory(int(pointer)) if pointer else {}
    texts = {name: entries.text(first.get(tag)) for tag, name in _TEXTS.items()}
    texts |= {name: entries.text(second.get(tag)) for tag, name in _EXIF_TEXTS.items()}
    found = {name: entries.number(second.get(tag)) for tag, name in _EXIF_NUMBERS.items()}
    orientation = entries.number(first.get(_ORIENTATION))
    return Camera(
        orientation=_orientation(orientation, xmp),
        version=entries.text(second.get(_VERSION)),
        taken_at=_time(entries.text(second.get(_TAKEN_AT)), entries.text(second.get(_OFFSET))),
        numbers={name: value for name, value in found.items() if value is not None},
        **texts,
    )


def _orientation(value: float | None, xmp: bytes) -> int:
    if value is not None and 1 <= value <= 8:
        return int(value)
    found = _XMP_ORIENTATION.search(xmp)
    return int(found[1]) if found else 1


def _time(clock: str, zone: str) -> datetime | None:
    found = _CLOCK.match(clock)
    if found is None:
        return None
    try:
        taken = datetime(*(int(part) for part in found.groups()))  # type: ignore[arg-type]
    except ValueError:
        return None
    if taken.year not in _YEARS:  # a clock that was never set, or a jest
        return None
    offset = _ZONE.fullmatch(zone)
    if offset is None or int(offset[2]) > 14 or int(offset[3]) > 59:
        return taken
    minutes = int(offset[2]) * 60 + int(offset[3])
    ahead = timedelta(minutes=-minutes if offset[1] == "-" else minutes)
    return taken.replace(tzinfo=timezone(ahead) if ahead else UTC)


class _Entries:
    """The directories of a TIFF structure, read within its bounds."""

    def __init__(self, block: bytes) -> None:
        order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(block[:4], "")
        self._block = block if order else b""
        self._order = order or "<"
        self.first = self._unpack("L", 4) or 0

    def directory(self, offset: int) -> dict[int, tuple[int, bytes]]:
        """Return tag -> (type, value bytes) of one directory."""
        count = self._unpack("H", offset) if offset else None
        if not count:
            return {}
        entries: dict[int, tuple[int, bytes]] = {}
        for at in range(offset + 2, offset + 2 + 12 * min(count, _MAX_ENTRIES), 12):
            if at + 12 > len(self._block):
                break
            tag, kind, number = struct.unpack_from(self._order + "HHL", self._block, at)
            size = _SIZES.get(kind, 0) * number
            if not 0 < size <= _MAX_VALUE_BYTES:
                continue
            start = at + 8 if size <= 4 else self._unpack("L", at + 8) or 0
            value = self._block[start : start + size]
            if len(value) == size:
                entries.setdefault(tag, (kind, value))
        return entries

    def text(self, entry: tuple[int, bytes] | None) -> str:
        """Return a text without padding and control characters."""
        if entry is None or entry[0] not in (2, 7):
            return ""
        text = entry[1].split(b"\x00")[0].decode("utf-8", errors="replace")
        return "".join(c for c in text if c.isprintable() and c not in "\\\ufffd").strip()[:64]

    def number(self, entry: tuple[int, bytes] | None) -> float | None:
        """Return the first number of an entry."""
        if entry is None:
            return None
        kind, value = entry
        if kind in (5, 10):
            top, bottom = struct.unpack_from(self._order + ("LL" if kind == 5 else "ll"), value)
            return top / bottom if bottom else None
        if kind not in _NUMBERS:
            return None
        (number,) = struct.unpack_from(self._order + _NUMBERS[kind], value)
        return float(number)

    def _unpack(self, code: str, offset: int) -> int | None:
        if offset < 0 or offset + struct.calcsize(code) > len(self._block):
            return None
        (value,) = struct.unpack_from(self._order + code, self._block, offset)
        return int(value)
