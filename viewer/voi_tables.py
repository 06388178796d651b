"""Reads lookup tables of greys out of headers: as one grey of 8 bits for each value in turn.

PS3.3 C.11.1 and C.11.2: what a screen shows has 8 bits. Applies nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from viewer.groups import group_with, items_of, numbers_of
from viewer.planes import Pixels

_MOST_RUNS = 3000


@dataclass(frozen=True)
class VoiTable:
    """Greys of 0 to 255: the first for the value `first` and all below, then one for each."""

    first: int
    greys: bytes
    label: str = ""

    @property
    def runs(self) -> str:
        """Return the greys as `grey*times` in words of base 16, or nothing when they are many."""
        values = np.frombuffer(self.greys, np.uint8)
        starts = np.flatnonzero(np.diff(values, prepend=int(values[0]) ^ 1))
        if starts.size > _MOST_RUNS:
            return ""
        lengths = np.diff(np.append(starts, values.size))
        return ",".join(
            f"{value:x}*{length:x}" if length > 1 else f"{value:x}"
            for value, length in zip(values[starts].tolist(), lengths.tolist(), strict=True)
        )


@dataclass(frozen=True)
class Lookup:
    """A table as it stands in a header: entries for `first` and the values after it."""

    first: int
    entries: Pixels
    bits: int
    label: str = ""

    @property
    def greys(self) -> bytes:
        """Return the entries in 8 bits."""
        top = (1 << self.bits) - 1
        scaled = np.rint(self.entries.astype(np.float64) * (255 / top))
        return np.clip(scaled, 0, 255).astype(np.uint8).tobytes()

    def applied(self, values: Pixels) -> Pixels:
        """Return the entries of values; what the table does not reach is as its ends."""
        at = np.clip(values.astype(np.int64) - self.first, 0, self.entries.size - 1)
        found: Pixels = self.entries[at]
        return found


def voi_tables(header: Dataset, frame: int) -> tuple[VoiTable, ...]:
    """Return the VOI tables in force for a frame; those that cannot be read are left out."""
    signed = may_be_negative(header)
    items = items_of(group_with(header, frame, "VOILUTSequence"), "VOILUTSequence")
    return tables_of(items, signed=signed)


def modality_table(header: Dataset) -> Lookup | None:
    """Return the modality table of an image (PS3.3 C.11.1), or None when it has none to read."""
    signed = (numbers_of(header, "PixelRepresentation", 1) or (0,))[0] == 1
    items = items_of(header, "ModalityLUTSequence")
    return lookup_of(items[0], signed=signed) if items else None


def tables_of(items: object, *, signed: bool) -> tuple[VoiTable, ...]:
    """Return the items of a VOI LUT Sequence as tables."""
    found = [lookup_of(each, signed=signed) for each in items]  # type: ignore[attr-defined]
    return tuple(VoiTable(each.first, each.greys, each.label) for each in found if each)


def lookup_of(item: Dataset, *, signed: bool) -> Lookup | None:
    """Return a table, or None when its descriptor and its data do not make one."""
    descriptor = numbers_of(item, "LUTDescriptor", 3)
    if descriptor is None or "LUTData" not in item:
        return None
    count, first, bits = (int(each) for each in descriptor)
    count = count or 65536
    if signed and first > 32767:  # written unsigned where the values are signed
        first -= 65536
    order = ">" if item.original_encoding[1] is False else "<"
    entries = _entries(item["LUTData"].value, count, bits, order)
    if entries is None:
        return None
    return Lookup(first, entries, bits, str(item.get("LUTExplanation", "") or ""))


def may_be_negative(header: Dataset) -> bool:
    """Tell whether the values that a table is looked up with may be below zero."""
    signed = numbers_of(header, "PixelRepresentation", 1) or (0,)
    intercept = numbers_of(header, "RescaleIntercept", 1) or (0,)
    return signed[0] == 1 or intercept[0] < 0


def _entries(data: object, count: int, bits: int, order: str) -> Pixels | None:
    if not 1 <= bits <= 16 or not 1 <= count <= 65536:
        return None
    if isinstance(data, bytes):
        is_bytes = bits <= 8 and len(data) < 2 * count
        entries: Pixels = np.frombuffer(
            data[: len(data) // (1 if is_bytes else 2) * (1 if is_bytes else 2)],
            np.uint8 if is_bytes else f"{order}u2",
        )
    else:
        values = data if hasattr(data, "__iter__") else [data]
        entries = np.asarray(list(values), np.int64) & 0xFFFF
        if bits <= 8 and entries.size * 2 >= count > entries.size:  # two entries a word
            entries = entries.astype("<u2").view(np.uint8)
    return entries[:count].astype(np.uint16) if entries.size >= count else None
