"""Makes the values of a frame small for the way to a browser, without loss. Knows no request.

Each value is told as its difference from what its neighbours let expect (the median predictor of
JPEG-LS, ISO/IEC 14495-1), with the sign in the lowest bit; the bytes that are nearly all zero come
first, by themselves. The browser undoes it (`reading/coding.ts`).
"""

from __future__ import annotations

import zlib

import numpy as np

from viewer.planes import Pixels

_GZIP = 31


def residuals(pixels: Pixels) -> bytes:
    """Return a frame of 8 or 16 bits as differences, its high bytes before its low ones.

    Colours come plane by plane: green, and how far red and blue are from it.
    """
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if pixels.ndim == 2:
        return _differences(pixels)
    red, green, blue = (pixels[:, :, i] for i in range(3))
    return b"".join(_differences(each) for each in (green, red - green, blue - green))


def packed(content: bytes) -> bytes:
    """Return content as gzip, by counting bytes and runs only: differences hold little else."""
    packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    return packer.compress(content) + packer.flush()


def _differences(plane: Pixels) -> bytes:
    plane = np.ascontiguousarray(plane)
    bits = plane.itemsize * 8
    signed = (plane - _expected(plane)).view(f"i{plane.itemsize}")
    folded = ((signed << 1) ^ (signed >> (bits - 1))).view(f"u{plane.itemsize}")
    if bits == 8:
        return folded.tobytes()
    return (folded >> 8).astype(np.uint8).tobytes() + folded.astype(np.uint8).tobytes()


def _expected(plane: Pixels) -> Pixels:
    """Return what left, upper and upper left neighbour let expect; sums may wrap."""
    left, up, corner = (np.zeros_like(plane) for _ in range(3))
    left[:, 1:] = plane[:, :-1]
    left[1:, 0] = plane[:-1, 0]
    up[1:], up[0] = plane[:-1], left[0]
    corner[1:, 1:] = plane[:-1, :-1]
    corner[1:, 0], corner[0] = up[1:, 0], left[0]
    least, most = np.minimum(left, up), np.maximum(left, up)
    inner = np.where(corner <= least, most, left + up - corner)
    expected: Pixels = np.where(corner >= most, least, inner)
    return expected
