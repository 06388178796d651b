"""Colours the values of a grey image that its supplemental palette is for, the rest in its window.

PS3.3 C.7.6.23 and C.8.16.2.1: values from the first mapped one on are colours. Reads no bytes.
"""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from casework.errors import Invalid
from viewer.display import Display
from viewer.greys import windowed
from viewer.groups import numbers_of
from viewer.planes import Pixels

_CHANNELS = ("Red", "Green", "Blue")


def is_partly_coloured(header: Dataset) -> bool:
    """Tell whether a grey image has a supplemental palette."""
    if str(header.get("PixelPresentation", "")) not in {"COLOR", "MIXED"}:
        return False
    return all(f"{each}PaletteColorLookupTableData" in header for each in _CHANNELS)


def with_colours(values: Pixels, stored: Pixels, header: Dataset, display: Display) -> Pixels:
    """Return RGB: greys in the default window, colours where stored values are mapped."""
    grey = windowed(values, display)
    colours = np.repeat(grey[:, :, None], 3, axis=2)
    for channel, name in enumerate(_CHANNELS):
        descriptor = numbers_of(header, f"{name}PaletteColorLookupTableDescriptor", 3)
        data = header[f"{name}PaletteColorLookupTableData"].value
        if descriptor is None or not isinstance(data, bytes):
            raise Invalid("The image's palette cannot be read.", code="bad-structure")
        count, first, bits = map(int, descriptor)
        count = min(count or 65536, len(data) // (1 if bits == 8 else 2))
        entries = np.frombuffer(data, np.uint8 if bits == 8 else "<u2", count)
        if not entries.size:
            continue
        eight = (entries >> 8 if bits == 16 else entries).astype(np.uint8)
        is_mapped = stored >= first
        at = np.clip(stored.astype(np.int64) - first, 0, eight.size - 1)
        colours[:, :, channel] = np.where(is_mapped, eight[at], colours[:, :, channel])
    return colours
