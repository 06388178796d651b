"""Fits 8-bit pixels into a viewport, writes on them what was asked for, and encodes them.

PS3.18 section 8.3.5. Knows nothing of objects or of the web.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image, ImageCms, ImageDraw, ImageFont

from casework.errors import Invalid
from viewer.display import Window
from viewer.photo_bytes import with_profile
from viewer.planes import Pixels

JPEG, PNG, GIF, JP2 = "image/jpeg", "image/png", "image/gif", "image/jp2"
MEDIA_TYPES = (JPEG, PNG, GIF, JP2)
"""What pictures are encoded as, the usual one first."""

_WITHOUT_PROFILE = frozenset({GIF, JP2})
_SMALLEST_PT, _LARGEST_PT = 9, 40
_FONT = Path(__file__).parent / "static" / "fonts" / "DejaVuSans.ttf"


@dataclass(frozen=True)
class Viewport:
    """The size that a picture is fitted into, and the region of the image that it is of.

    A width or height of the region below zero flips it; None is up to the edge.
    """

    width: int
    height: int
    x: float = 0.0
    y: float = 0.0
    source_width: float | None = None
    source_height: float | None = None

    @property
    def has_region(self) -> bool:
        """Tell whether it is of a part of the image, or flips it."""
        return bool(self.x or self.y or self.source_width or self.source_height)


@dataclass(frozen=True)
class Asked:
    """How an image is rendered: its own window when None, its own function when empty."""

    window: Window | None = None
    function: str = ""
    quality: int = 85
    viewport: Viewport | None = None
    profile: str = ""  # no | yes | srgb; empty is no
    annotation: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Tell whether only a window and a quality are asked for."""
        return not (self.function or self.viewport or self.profile in {"yes", "srgb"}) and not (
            self.annotation
        )


@dataclass(frozen=True)
class Texts:
    """Lines that are written on a picture: at its upper left and at its lower left."""

    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


def fitted(pixels: Pixels, *, aspect: float, viewport: Viewport | None) -> Pixels:
    """Return the region of an image that is wanted, flipped and scaled, its pixels square.

    The whole of the region is seen, as large as the viewport allows (PS3.18 section 8.3.5.1.3).
    """
    if viewport is not None:
        pixels = _region(pixels, viewport)
    rows, columns = pixels.shape[:2]
    height, width = (rows * aspect, columns) if aspect > 1 else (rows, columns / aspect)
    scale = 1.0
    if viewport is not None:
        scale = min(viewport.width / width, viewport.height / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if size == (columns, rows):
        return np.ascontiguousarray(pixels)
    shrinks = size[0] <= columns and size[1] <= rows
    way = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize(size, way))


def annotated(pixels: Pixels, texts: Texts) -> Pixels:
    """Return a picture with lines written on it, white with a black edge, no wider than it is."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    draw = ImageDraw.Draw(image)
    white, black = (255, 0) if image.mode == "L" else ((255, 255, 255), (0, 0, 0))
    lines = len(texts.above) + len(texts.below)
    points = _points(image.size, lines, (*texts.above, *texts.below))
    font, step = ImageFont.truetype(_FONT, points), round(points * 1.25)
    top = image.height - step * len(texts.below) - 2
    places = [(2 + n * step, text) for n, text in enumerate(texts.above)]
    places += [(top + n * step, text) for n, text in enumerate(texts.below)]
    for y, text in places:
        draw.text((3, y), text, fill=white, font=font, stroke_width=1, stroke_fill=black)
    return np.asarray(image)


def encoded(pixels: Pixels, media_type: str, *, quality: int, profile: bytes = b"") -> bytes:
    """Return a picture as a file of a media type."""
    if profile and media_type in _WITHOUT_PROFILE:
        raise Invalid(f"{media_type} carries no colour profile here.", code="bad-request")
    pixels = np.ascontiguousarray(pixels)
    if media_type == JPEG:
        return with_profile(bytes(imagecodecs.jpeg8_encode(pixels, level=quality)), profile)
    if media_type == JP2:
        return bytes(imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="JP2"))
    out = io.BytesIO()
    image = Image.fromarray(pixels)
    if media_type == GIF:
        image.save(out, "GIF")
    else:
        image.save(out, "PNG", compress_level=3, icc_profile=profile or None)
    return out.getvalue()


def animated(pictures: Iterable[Pixels], *, frame_ms: float) -> bytes:
    """Return pictures as one GIF that moves; one of them is in memory at a time."""
    images = (Image.fromarray(np.ascontiguousarray(each)) for each in pictures)
    first, out = next(images), io.BytesIO()
    step_ms = max(20, round(frame_ms))  # what is faster is shown slowly by browsers
    first.save(out, "GIF", save_all=True, append_images=images, duration=step_ms, loop=0)
    return out.getvalue()


def srgb_profile() -> bytes:
    """Return the ICC profile of sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def in_srgb(pixels: Pixels, profile: bytes) -> Pixels:
    """Return RGB of another profile in sRGB; a profile that cannot be read changes nothing."""
    if not profile:
        return pixels
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        image = Image.fromarray(np.ascontiguousarray(pixels))
        turned = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, OSError):
        return pixels
    return pixels if turned is None else np.asarray(turned)


def _region(pixels: Pixels, viewport: Viewport) -> Pixels:
    rows, columns = pixels.shape[:2]
    width = columns - viewport.x if viewport.source_width is None else viewport.source_width
    height = rows - viewport.y if viewport.source_height is None else viewport.source_height
    left, top = round(viewport.x), round(viewport.y)
    right, bottom = round(viewport.x + abs(width)), round(viewport.y + abs(height))
    if not (0 <= left < right <= columns and 0 <= top < bottom <= rows):
        raise Invalid(
            f"The viewport's region does not lie in the image of {columns} x {rows} pixels.",
            code="bad-request",
        )
    cut = pixels[top:bottom, left:right]
    return cut[:: -1 if height < 0 else 1, :: -1 if width < 0 else 1]


def _points(size: tuple[int, int], lines: int, texts: Sequence[str]) -> int:
    """Return the size of the letters: a fortieth of the height, as small as it must be to fit."""
    points = min(_LARGEST_PT, max(14, size[1] // 40))
    while points > _SMALLEST_PT:
        font = ImageFont.truetype(_FONT, points)
        widest = max((font.getlength(text) for text in texts), default=0)
        if widest <= size[0] - 6 and lines * points * 1.25 <= size[1] - 4:
            break
        points -= 1
    return points
