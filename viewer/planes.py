"""Arranges decoded samples: bits within their words, planes, chroma, PackBits. Knows no header."""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from casework.errors import Invalid

Pixels = NDArray[Any]


def stored_values(pixels: Pixels, *, bits_stored: int, high_bit: int, signed: bool) -> Pixels:
    """Return the values of the stored bits alone, sign extended (PS3.5 section 8.1)."""
    kind = pixels.dtype
    if kind.kind not in "iu":
        return pixels
    width = kind.itemsize * 8
    if bits_stored >= width and signed == (kind.kind == "i"):
        return pixels
    unsigned = pixels.view(f"u{kind.itemsize}")
    low = max(0, high_bit + 1 - bits_stored)
    up = width - bits_stored
    moved = (unsigned >> low) << up if low or up else unsigned
    values: Pixels = moved.view(f"i{kind.itemsize}") if signed else moved
    return np.ascontiguousarray(values >> up if up else values)


def from_422(flat: Pixels, *, rows: int, columns: int) -> Pixels:
    """Return full samples from Y1 Y2 Cb Cr (PS3.3 C.7.6.3.1.2)."""
    if columns % 2:
        raise Invalid("The image's width does not fit its colour samples.", code="bad-structure")
    quads = flat.reshape(rows, columns // 2, 4)
    full = np.empty((rows, columns, 3), flat.dtype)
    full[:, 0::2, 0], full[:, 1::2, 0] = quads[:, :, 0], quads[:, :, 1]
    full[:, :, 1] = np.repeat(quads[:, :, 2], 2, axis=1)
    full[:, :, 2] = np.repeat(quads[:, :, 3], 2, axis=1)
    return full


def from_rle(data: bytes, *, rows: int, columns: int, samples: int, bits_allocated: int) -> Pixels:
    """Return planes of bytes, most significant first, put together (PS3.5 annex G)."""
    if bits_allocated == 1:
        packed = _unpacked(data[int.from_bytes(data[4:8], "little") :], (rows * columns + 7) // 8)
        return np.unpackbits(packed, bitorder="little")[: rows * columns].reshape(rows, columns)
    count = int.from_bytes(data[:4], "little")
    width = bits_allocated // 8
    if count != samples * width or count > 15:
        raise ValueError("the number of RLE segments does not fit")
    starts = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "little") for i in range(count)]
    size = rows * columns
    planes = np.empty((samples, size, width), np.uint8)
    for i, (start, end) in enumerate(zip(starts, [*starts[1:], len(data)], strict=True)):
        segment = _unpacked(data[start:end], size)
        planes[i // width, :, width - 1 - i % width] = segment
    values = planes.view(f"<u{width}").reshape(samples, rows, columns).transpose(1, 2, 0)
    return values[:, :, 0] if samples == 1 else values


def rgb_of_ybr(ybr: Pixels) -> Pixels:
    """Return RGB for full range YCbCr (PS3.3 C.7.6.3.1.2)."""
    top = float(np.iinfo(ybr.dtype).max)
    half = (top + 1) / 2
    y, cb, cr = (ybr[:, :, i].astype(np.float32) for i in range(3))
    rgb: Pixels = np.stack(
        (
            y + 1.402 * (cr - half),
            y - 0.344136 * (cb - half) - 0.714136 * (cr - half),
            y + 1.772 * (cb - half),
        ),
        axis=-1,
    )
    rounded: Pixels = np.clip(np.rint(rgb), 0, top).astype(ybr.dtype)
    return rounded


def _unpacked(segment: bytes, size: int) -> Pixels:
    """Return the bytes of one PackBits segment, which may end in a pad byte."""
    out = np.frombuffer(imagecodecs.packbits_decode(segment), np.uint8)
    if out.size < size:
        raise ValueError("an RLE segment is too short")
    return out[:size]
