"""Turns a JPEG picture and makes a progressive one baseline on its coefficients: no sample is
coded anew.
"""

from __future__ import annotations

import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jpeglib
import numpy as np
from numpy.typing import NDArray

from casework.errors import Invalid
from derm_capture import jpeg
from derm_capture.jpeg import Colour, Jpeg

Blocks = NDArray[np.int16]

TRANSPOSED = frozenset({5, 6, 7, 8})
"""Exif orientations that swap rows and columns (Exif 3.0 section 4.6.5, Orientation)."""
_FLIPPED_ACROSS = frozenset({2, 3, 6, 7})  # left and right, seen in the upright picture
_FLIPPED_DOWN = frozenset({3, 4, 7, 8})

_LIBRARY = threading.Lock()  # the library keeps the markers of the file it reads in globals


@dataclass(frozen=True)
class Coefficients:
    """The quantised coefficients of each component, as (block rows, block columns, 8, 8), and
    their tables.
    """

    components: tuple[Blocks, ...]
    tables: NDArray[np.uint16]
    table_of: tuple[int, ...]
    sampling: NDArray[np.int32]  # (component, vertical and horizontal)
    rows: int
    columns: int


def can_transform(stream: Jpeg, orientation: int) -> bool:
    """Tell whether a picture can be turned upright without loss: what is flipped must end with a
    whole MCU.
    """
    if (
        stream.colour not in (Colour.YCC, Colour.GREY)
        or stream.precision != 8
        or stream.wide_tables
    ):
        return False
    if stream.process not in (jpeg.SOF_BASELINE, jpeg.SOF_EXTENDED, jpeg.SOF_PROGRESSIVE):
        return False
    width, height = (8, 8) if stream.colour is Colour.GREY else stream.mcu
    across, down = stream.columns % width == 0, stream.rows % height == 0
    if orientation in TRANSPOSED:
        across, down = down, across
    needs_across, needs_down = orientation in _FLIPPED_ACROSS, orientation in _FLIPPED_DOWN
    return (across or not needs_across) and (down or not needs_down)


def transform(stream: Jpeg, *, orientation: int) -> Jpeg:
    """Return the upright baseline stream of a picture; its coefficients are those of the source."""
    wanted = turned(read_coefficients(jpeg.without_metadata(stream)), orientation)
    made = jpeg.read_jpeg(_write(wanted, stream.colour))
    if not _same(read_coefficients(made.data), wanted):
        raise Invalid("The picture could not be turned without loss.", code="not-lossless")
    return made


def turned(source: Coefficients, orientation: int) -> Coefficients:
    """Return the coefficients of the picture turned as an Exif orientation asks."""
    components, tables, sampling = source.components, source.tables, source.sampling
    rows, columns = source.rows, source.columns
    if orientation in TRANSPOSED:
        components = tuple(c.transpose(1, 0, 3, 2) for c in components)
        tables, sampling = tables.transpose(0, 2, 1), sampling[:, ::-1]
        rows, columns = columns, rows
    odd = np.where(np.arange(8) % 2, -1, 1).astype(
        np.int16
    )  # a mirrored odd cosine changes its sign
    if orientation in _FLIPPED_ACROSS:
        components = tuple(c[:, ::-1] * odd for c in components)
    if orientation in _FLIPPED_DOWN:
        components = tuple(c[::-1] * odd[:, None] for c in components)
    return Coefficients(
        tuple(np.ascontiguousarray(c) for c in components),
        np.ascontiguousarray(tables),
        source.table_of,
        np.ascontiguousarray(sampling),
        rows,
        columns,
    )


def read_coefficients(data: bytes) -> Coefficients:
    """Return the coefficients of a stream of one or three components."""
    with _LIBRARY, tempfile.TemporaryDirectory(prefix="lysbro-") as folder:
        path = Path(folder, "in.jpg")
        path.write_bytes(data)
        try:
            found: Any = jpeglib.read_dct(str(path))
            found.load()
        except OSError as error:
            raise Invalid(
                "The picture is damaged and cannot be read. Take it again.", code="damaged"
            ) from error
        components = [found.Y, found.Cb, found.Cr] if found.has_chrominance else [found.Y]
    return Coefficients(
        tuple(np.array(c, dtype=np.int16) for c in components),
        np.array(found.qt, dtype=np.uint16),
        tuple(int(n) for n in found.quant_tbl_no),
        np.array(found.samp_factor, dtype=np.int32),
        int(found.height),
        int(found.width),
    )


def _write(wanted: Coefficients, colour: Colour) -> bytes:
    space = jpeglib.Colorspace["JCS_GRAYSCALE" if colour is Colour.GREY else "JCS_YCbCr"]
    luma, blue, red = (*wanted.components, None, None)[:3]
    picture = jpeglib.DCTJPEG(
        path=None,
        content=None,
        height=wanted.rows,
        width=wanted.columns,
        block_dims=np.array([c.shape[:2] for c in wanted.components], dtype=np.int32),
        samp_factor=np.array([[1, 1]]) if colour is Colour.GREY else wanted.sampling,
        jpeg_color_space=space,
        num_scans=1,
        quant_tbl_no=np.array(wanted.table_of),
        markers=[],
        huffmans=None,
        Y=luma,
        Cb=blue,
        Cr=red,
        K=None,
        qt=wanted.tables,
        progressive_mode=False,
    )
    with _LIBRARY, tempfile.TemporaryDirectory(prefix="lysbro-") as folder:
        path = Path(folder, "out.jpg")
        picture.write_dct(str(path), flags=["+OPTIMIZE_CODING"])
        return path.read_bytes()


def _same(one: Coefficients, other: Coefficients) -> bool:
    return (
        (one.rows, one.columns) == (other.rows, other.columns)
        and len(one.components) == len(other.components)
        and all(np.array_equal(a, b) for a, b in zip(one.components, other.components, strict=True))
        and all(
            np.array_equal(one.tables[a], other.tables[b])
            for a, b in zip(one.table_of, other.table_of, strict=True)
        )
    )
