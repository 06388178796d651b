"""Renders frames as JPEGs that anybody can show: small previews, or whole in a given window.

Neither is for diagnosis. The cache can be thrown away at any time.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace

import imagecodecs
import numpy as np
from PIL import Image

from casework.errors import Invalid, TooLarge
from storage.index import InstanceRow
from viewer.display import Window
from viewer.frame_source import FrameSource, Shown
from viewer.greys import windowed
from viewer.photo_bytes import as_srgb
from viewer.picture import (
    JPEG,
    Asked,
    Texts,
    animated,
    annotated,
    encoded,
    fitted,
    in_srgb,
    srgb_profile,
)
from viewer.pixels import DECODABLE, JPEG_BASELINE
from viewer.planes import Pixels
from viewer.preview_cache import PreviewCache

QUALITY = 85
LONGEST = 1024
_VERSION = "2"  # of how previews are made: another number makes all of them anew
_LARGEST_ANIMATION = 200_000_000

Stills = Callable[[int], Pixels]
"""Gives a frame of a video, as RGB, by its number."""


class Renderer:
    """Makes previews and keeps them."""

    def __init__(self, source: FrameSource, cache: PreviewCache) -> None:
        self._source = source
        self._cache = cache

    def preview(self, ref: InstanceRow, frame: int, *, stills: Stills | None = None) -> bytes:
        """Return a frame as a JPEG of at most 1,024 pixels a side; `stills` as in `picture`."""
        key = f"{ref.sha256}-{frame}-{_VERSION}"
        kept = self._cache.get(key)
        if kept is not None:
            return kept
        if stills is not None:
            made = bytes(
                imagecodecs.jpeg8_encode(_fitted(stills(frame), 1.0, LONGEST), level=QUALITY)
            )
        elif is_photograph(ref):
            made = self._photo(ref)
        else:
            made = preview_of(self._source.shown(ref, frame))
        self._cache.put(key, made)
        return made

    def kept(self, key: str, make: Callable[[], bytes]) -> bytes:
        """Return a picture that is kept under a key, made where it is not."""
        found = self._cache.get(f"{key}-{_VERSION}")
        if found is None:
            found = make()
            self._cache.put(f"{key}-{_VERSION}", found)
        return found

    def rendered(
        self,
        ref: InstanceRow,
        frame: int,
        *,
        window: Window | None = None,
        quality: int = QUALITY,
    ) -> bytes:
        """Return a frame as a JPEG with all its pixels, in its own window or a given one."""
        key = f"{ref.sha256}-{frame}-{_VERSION}-whole-{window}-{quality}"
        kept = self._cache.get(key)
        if kept is not None:
            return kept
        longest = max(ref.rows or 1, ref.columns or 1)
        if is_photograph(ref):
            made = self._photo(ref, longest=longest, quality=quality)
        else:
            shown = self._source.shown(ref, frame)
            made = preview_of(shown, window=window, longest=longest, quality=quality)
        self._cache.put(key, made)
        return made

    def picture(
        self,
        ref: InstanceRow,
        frame: int,
        how: Asked,
        *,
        media_type: str = JPEG,
        texts: Texts | None = None,
        stills: Stills | None = None,
    ) -> bytes:
        """Return a frame as it is asked for; `stills` gives the frames of a video."""
        if how.is_plain and media_type == JPEG and stills is None:
            return self.rendered(ref, frame, window=how.window, quality=how.quality)
        key = f"{ref.sha256}-{frame}-{_VERSION}-{media_type}-{how}-{texts}"
        kept = self._cache.get(key)
        if kept is not None:
            return kept
        pixels, profile = self._drawn(ref, frame, how, texts, stills)
        made = encoded(pixels, media_type, quality=how.quality, profile=profile)
        self._cache.put(key, made)
        return made

    def animation(self, ref: InstanceRow, how: Asked, *, frame_ms: float) -> bytes:
        """Return all frames of an object as one GIF, or raise TooLarge."""
        frames, size = ref.pixel.frames if ref.pixel else 1, (ref.rows or 1) * (ref.columns or 1)
        if how.viewport is not None:
            size = min(size, how.viewport.width * how.viewport.height)
        if frames * size > _LARGEST_ANIMATION:
            raise TooLarge(
                "The moving picture would be too large. Ask for a smaller viewport, or for frames.",
                code="image-too-large",
            )
        if how.profile in {"yes", "srgb"}:
            raise Invalid("image/gif carries no colour profile here.", code="bad-request")

        def pictures() -> Iterator[Pixels]:
            for number in range(1, frames + 1):
                yield self._drawn(ref, number, how, None, None)[0]

        return animated(pictures(), frame_ms=frame_ms)

    def _drawn(
        self, ref: InstanceRow, frame: int, how: Asked, texts: Texts | None, stills: Stills | None
    ) -> tuple[Pixels, bytes]:
        """Return the pixels of a picture and the profile that goes with them, if one does."""
        if stills is not None:
            pixels, profile, aspect = stills(frame), b"", 1.0
        else:
            pixels, profile, aspect = self._greys_or_colours(ref, frame, how)
        if pixels.ndim == 2:
            profile = b""
        elif how.profile == "yes":
            profile = profile or srgb_profile()
        elif profile or how.profile == "srgb":
            pixels, profile = in_srgb(pixels, profile), b""
            if how.profile == "srgb":
                profile = srgb_profile()
        pixels = fitted(pixels, aspect=aspect, viewport=how.viewport)
        return pixels if texts is None else annotated(pixels, texts), profile

    def _greys_or_colours(
        self, ref: InstanceRow, frame: int, how: Asked
    ) -> tuple[Pixels, bytes, float]:
        if is_photograph(ref):
            photograph = self._source.photograph(ref)
            longest = max(ref.rows or 1, ref.columns or 1)
            image = as_srgb(photograph.data, b"", longest=longest)
            return np.asarray(image), photograph.profile, 1.0
        shown = self._source.shown(ref, frame)
        display = shown.display
        if how.function:
            display = replace(display, function=how.function)
        profile = b""
        if shown.is_colour and how.profile:
            profile = bytes(self._source.header(ref).get("ICCProfile") or b"")
        return eight_bits(replace(shown, display=display), how.window), profile, display.aspect

    def _photo(self, ref: InstanceRow, *, longest: int = LONGEST, quality: int = QUALITY) -> bytes:
        photograph = self._source.photograph(ref)
        image = as_srgb(photograph.data, photograph.profile, longest=longest)
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality)
        return out.getvalue()


def can_be_shown(ref: InstanceRow) -> bool:
    """Tell whether an object has pixels that can be decoded here."""
    return ref.pixel is not None and bool(ref.rows) and ref.transfer_syntax_uid in DECODABLE


def is_photograph(ref: InstanceRow) -> bool:
    """Tell whether an object is a colour photograph, which a browser shows in its own colours."""
    attributes = ref.attributes
    if (ref.frames or 1) != 1 or attributes.get("SamplesPerPixel") != 3:
        return False
    if attributes.get("Modality") in {"XC", "DMS", "GM", "ES", "OP"}:
        return True
    return attributes.get("Modality") in {"OT", "DOC"} and ref.transfer_syntax_uid == JPEG_BASELINE


def preview_of(
    shown: Shown,
    *,
    window: Window | None = None,
    longest: int = LONGEST,
    quality: int = QUALITY,
) -> bytes:
    """Return a frame as a JPEG, in its default window unless another is given."""
    small = _fitted(eight_bits(shown, window), shown.display.aspect, longest)
    return bytes(imagecodecs.jpeg8_encode(small, level=quality))


def eight_bits(shown: Shown, window: Window | None) -> Pixels:
    """Return a frame as 8-bit greys in a window, or as RGB."""
    pixels = shown.pixels if shown.is_colour else windowed(shown.pixels, shown.display, window)
    if pixels.dtype != np.uint8:
        pixels = (pixels >> (8 * (pixels.dtype.itemsize - 1))).astype(np.uint8)
    return pixels


def _fitted(pixels: Pixels, aspect: float, longest: int) -> Pixels:
    """Return the image with square pixels, no longer than it may be."""
    rows, columns = pixels.shape[:2]
    height, width = (rows * aspect, columns) if aspect > 1 else (rows, columns / aspect)
    scale = min(1.0, longest / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if size == (columns, rows):
        return np.ascontiguousarray(pixels)
    try:
        return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
    except ValueError as error:
        raise Invalid("The image cannot be brought to its size.") from error
