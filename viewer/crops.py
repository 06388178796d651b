"""Makes the pictures that go with a signed reply: a frame in its reader's window with the marks on
it, and a closer one of a mark.

The same report and the same object give the same bytes. Decides neither which pictures there are
nor who sees them; none of them is for diagnosis.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from storage.index import InstanceRow
from viewer.display import Window
from viewer.drawn_marks import Placing, Point, extent_of, marked, points_of
from viewer.frame_source import FrameSource
from viewer.photo_bytes import as_srgb
from viewer.render import eight_bits, is_photograph

WHOLE, CLOSE = 720, 560
"""The longest side of the picture of a whole frame, and of a closer one."""

_SHARPEST = 4096  # a photograph is decoded no larger than this for a closer picture
_AROUND = 1.9  # of a mark that much is seen, as times of its own extent
_LEAST_PART = 0.14  # and at least this part of the image, so that one sees where it is
_QUALITY = 82


@dataclass(frozen=True)
class View:
    """How a frame is shown: its window, greys swapped, turned clockwise and then mirrored."""

    window: Window | None = None
    is_inverted: bool = False
    quarter_turns: int = 0
    is_mirrored: bool = False


def whole(
    source: FrameSource,
    ref: InstanceRow,
    frame: int,
    view: View,
    marks: Sequence[Mapping[str, Any]],
    *,
    is_blurred: bool = False,
) -> bytes:
    """Return a frame whole, with its marks, as a JPEG in sRGB; blurred past recognition if told."""
    image = _pixels(source, ref, frame, view, longest=WHOLE)
    box = (0.0, 0.0, float(ref.columns or 1), float(ref.rows or 1))
    if is_blurred:
        return _jpeg(_turned(image, view).filter(ImageFilter.GaussianBlur(max(image.size) / 24)))
    return _jpeg(marked(_turned(image, view), marks, _placing(image.size, box, view)))


def close(
    source: FrameSource,
    ref: InstanceRow,
    frame: int,
    view: View,
    marks: Sequence[Mapping[str, Any]],
    of: Mapping[str, Any],
) -> bytes:
    """Return what lies around one mark, with all marks, as a JPEG in sRGB."""
    image = _pixels(source, ref, frame, view, longest=_SHARPEST)
    columns, rows = ref.columns or 1, ref.rows or 1
    across, down = image.width / columns, image.height / rows
    left, top, right, bottom = _around(of, columns, rows)
    cut = image.crop(
        (round(left * across), round(top * down), round(right * across), round(bottom * down))
    )
    scale = CLOSE / max(cut.size)
    size = max(1, round(cut.width * scale)), max(1, round(cut.height * scale))
    cut = cut.resize(size, Image.Resampling.BICUBIC)
    place = _placing(cut.size, (left, top, right, bottom), view)
    return _jpeg(marked(_turned(cut, view), marks, place))


def _pixels(
    source: FrameSource, ref: InstanceRow, frame: int, view: View, *, longest: int
) -> Image.Image:
    """Return a frame with square pixels, no longer than it may be; small ones are enlarged."""
    if is_photograph(ref):
        photograph = source.photograph(ref)
        return as_srgb(photograph.data, photograph.profile, longest=longest).convert("RGB")
    shown = source.shown(ref, frame)
    pixels = eight_bits(shown, view.window)
    if view.is_inverted and not shown.is_colour:
        pixels = 255 - pixels
    image = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    aspect = shown.display.aspect
    height, width = image.height * max(aspect, 1.0), image.width / min(aspect, 1.0)
    long = max(height, width)
    scale = min(longest, max(long, WHOLE)) / long
    size = max(1, round(width * scale)), max(1, round(height * scale))
    way = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    return image if size == image.size else image.resize(size, way)


def _around(mark: Mapping[str, Any], columns: int, rows: int) -> tuple[float, float, float, float]:
    """Return the square around a mark, within the image."""
    left, top, right, bottom = extent_of(str(mark.get("kind") or ""), points_of(mark))
    side = max((right - left) * _AROUND, (bottom - top) * _AROUND, _LEAST_PART * max(columns, rows))
    wide, high = min(side, columns), min(side, rows)
    x = min(max((left + right - wide) / 2, 0), columns - wide)
    y = min(max((top + bottom - high) / 2, 0), rows - high)
    return x, y, x + wide, y + high


def _turned(image: Image.Image, view: View) -> Image.Image:
    ways = {
        1: Image.Transpose.ROTATE_270,
        2: Image.Transpose.ROTATE_180,
        3: Image.Transpose.ROTATE_90,
    }
    way = ways.get(view.quarter_turns % 4)
    image = image if way is None else image.transpose(way)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if view.is_mirrored else image


def _placing(size: tuple[int, int], box: tuple[float, float, float, float], view: View) -> Placing:
    """Return what gives the place on the turned picture of a place in the image."""
    left, top, right, bottom = box

    def place(point: Point) -> Point:
        wide, high = size
        x = (point[0] - left) / (right - left) * wide
        y = (point[1] - top) / (bottom - top) * high
        for _ in range(view.quarter_turns % 4):
            x, y, wide, high = high - y, x, high, wide
        return (wide - x, y) if view.is_mirrored else (x, y)

    return place


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()
