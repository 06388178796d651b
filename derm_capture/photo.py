"""Opens what a person gives as a photograph, or refuses it with a code and a sentence.

Nothing is kept or written.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import pi_heif
from PIL import Image

from casework.errors import Invalid, TooLarge
from derm_capture import jpeg, jpeg_whole, raster
from derm_capture.colour_card import ColourCard, find_colour_card
from derm_capture.exif import Camera, read_exif
from derm_capture.faces import face_score
from derm_capture.jpeg import Jpeg
from derm_capture.raster import Pixels, Raster
from derm_capture.scale import Scale, find_scale

WORKING_SIDE = 1024
"""Long side in pixels of the picture that quality is judged on: a threshold means nothing without
a size.
"""


@dataclass(frozen=True)
class PhotoLimits:
    """What a photograph may be, at most."""

    max_bytes: int = 64 << 20
    max_pixels: int = 80_000_000


class Format(StrEnum):
    """The file formats that photographs come in."""

    JPEG = "jpeg"
    PNG = "png"
    HEIC = "heic"
    AVIF = "avif"
    WEBP = "webp"
    TIFF = "tiff"
    BMP = "bmp"


@dataclass(frozen=True, eq=False)
class Photo:
    """A photograph that opens: what came in, and what its camera and its file say of it."""

    data: bytes
    format: Format
    rows: int  # upright
    columns: int
    camera: Camera
    icc: bytes  # of the RGB pixels; empty when the file brings none that is right
    changes: tuple[str, ...] = ()  # what decoding changed in the pixels
    lossy_method: str = ""
    stream: Jpeg | None = None  # JPEG only
    _decoded: Pixels | None = None

    @cached_property
    def working(self) -> Pixels:
        """Return the upright picture, its long side WORKING_SIDE at most; Invalid when damaged."""
        if self._decoded is not None or self.stream is None:
            return _small(self.pixels())
        return raster.turn(_small(_look(self.stream).pixels), self.camera.orientation)

    @cached_property
    def scale(self) -> Scale | None:
        """Return the size of a pixel where the scale card is in the picture."""
        found = find_scale(self.working)
        factor = max(self.rows, self.columns) / max(self.working.shape[:2])
        return None if found is None else found.at(factor)

    @cached_property
    def colour_card(self) -> ColourCard | None:
        """Return what a colour card in the picture says of its colours."""
        return find_colour_card(self.working)

    @cached_property
    def face_score(self) -> float:
        """Return how sure it is that there is a face in the picture, 0 to 1."""
        return face_score(self.working)

    def as_copy_of(self, rows: int, columns: int) -> Photo:
        """Return this small upright copy as the photograph of so many pixels that it was made of;
        Invalid when it cannot be.
        """
        stored = self.stream or self
        skew = stored.rows * columns - stored.columns * rows
        if max(rows, columns) < max(stored.rows, stored.columns) or abs(skew) > rows + columns:
            raise Invalid(
                f"A copy of {stored.rows} rows and {stored.columns} columns is none of a picture "
                f"of {rows} and {columns}. Send the photograph itself.",
                code="not-a-copy",
            )
        return replace(self, rows=rows, columns=columns, camera=replace(self.camera, orientation=1))

    def pixels(self) -> Pixels:
        """Return all pixels, upright, 8-bit RGB."""
        if self._decoded is not None:
            return self._decoded
        if self.stream is None:
            raise ValueError("a photograph has decoded pixels or a JPEG stream")
        decoded = raster.decode_jpeg(jpeg.without_metadata(self.stream), self.stream.icc)
        return raster.turn(decoded.pixels, self.camera.orientation)


_VIDEO_BRANDS = frozenset(
    {b"isom", b"iso2", b"mp41", b"mp42", b"avc1", b"qt  ", b"M4V ", b"3gp4", b"3gp5"}
)
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1"})
_HEIC_SEQUENCES = frozenset({b"hevc", b"hevx", b"msf1", b"avis"})
_SCALES = (1, 2, 4, 8)  # by which a JPEG decoder reduces
_SVG = re.compile(rb"<svg[\s>]", re.IGNORECASE)


def open_photo(data: bytes, *, limits: PhotoLimits | None = None, look: bool = True) -> Photo:
    """Return the photograph, or raise Invalid (TooLarge) with a code and what to do.

    Without a look at it, a JPEG that is kept as it is is read by its markers alone: much faster,
    and damage within its coded samples is not found.
    """
    limits = limits or PhotoLimits()
    if len(data) > limits.max_bytes:
        raise TooLarge(
            f"The picture has {len(data) / 1e6:.0f} MB; {limits.max_bytes / 1e6:.0f} MB is "
            "the most. Choose a smaller one.",
            code="too-many-bytes",
        )
    kind = sniff(data)
    if kind is Format.JPEG:
        return _open_jpeg(data, limits, look=look)
    try:
        _check_container(data, kind, limits)
        decoded = (
            raster.decode_heif(data) if kind is Format.HEIC else raster.decode(data, kind.value)
        )
        camera = _camera_of(data, kind)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(limits) from error
    except raster.DECODER_ERRORS as error:
        raise _unreadable(error) from error
    return _photo(data, kind, camera, decoded)


def sniff(data: bytes) -> Format:
    """Return the format that the first bytes show, or raise Invalid; names and types of files are
    not asked.
    """
    if jpeg.is_jpeg(data):
        return Format.JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return Format.PNG
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Format.WEBP
    if data[:4] in (b"II*\x00", b"MM\x00*"):
        return Format.TIFF
    if data[:2] == b"BM" and len(data) > 26:
        return Format.BMP
    if data[4:8] == b"ftyp":
        return _sniff_boxes(data)
    if data.startswith(b"\x1a\x45\xdf\xa3") or (data[:4] == b"RIFF" and data[8:12] == b"AVI "):
        raise _film()
    raise _refused(data)


def _sniff_boxes(data: bytes) -> Format:
    brand = data[8:12]
    if brand in _HEIC_SEQUENCES:
        raise _animated()
    if brand == b"avif" or (brand == b"mif1" and b"avif" in data[16:64]):
        return Format.AVIF
    if brand in _HEIC_BRANDS:
        return Format.HEIC
    if brand in _VIDEO_BRANDS:
        raise _film()
    raise _not_an_image()


def _refused(data: bytes) -> Invalid:
    if data[:6] in (b"GIF87a", b"GIF89a"):
        if data.count(b"\x00\x21\xf9\x04") > 1:
            return _animated()
        return _unsupported("GIF pictures have too few colours")
    if data.startswith((b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51")):
        return _unsupported("JPEG 2000 pictures are not taken")
    if _SVG.search(data[:2000]):
        return Invalid(
            "This is a drawing (SVG), no photograph. Take or choose a photograph.", code="vector"
        )
    return _not_an_image()


def _open_jpeg(data: bytes, limits: PhotoLimits, *, look: bool) -> Photo:
    stream = jpeg.read_jpeg(data)
    _check_pixels(stream.columns, stream.rows, limits)
    camera = read_exif(stream.exif, xmp=stream.xmp)
    turned = camera.orientation in (5, 6, 7, 8)
    photo = Photo(
        data=data,
        format=Format.JPEG,
        rows=stream.columns if turned else stream.rows,
        columns=stream.rows if turned else stream.columns,
        camera=camera,
        icc=raster.usable_profile(stream.icc),
        lossy_method="" if stream.process in jpeg.LOSSLESS else raster.JPEG_METHOD,
        stream=stream,
    )
    if jpeg.is_usual(stream) and not look:
        return photo
    seen = _look(stream)
    seen_as = replace(photo, icc=seen.icc, changes=seen.changes)
    seen_as.__dict__["working"] = raster.turn(_small(seen.pixels), camera.orientation)
    return seen_as


def _look(stream: Jpeg) -> Raster:
    """Return the picture reduced, or raise Invalid when its samples are not what it says."""
    if not (jpeg_whole.has_all_scans(stream) and jpeg_whole.has_all_intervals(stream)):
        raise raster.damaged()
    if jpeg_whole.can_watch(stream):
        watched = jpeg_whole.Watched(stream)
        seen = raster.decode_jpeg(watched, stream.icc, at_least=WORKING_SIDE)
        is_whole = watched.was_needed
    else:
        seen = raster.decode_jpeg(jpeg.without_metadata(stream), stream.icc, at_least=WORKING_SIDE)
        is_whole = True
    size = seen.pixels.shape[:2]
    if not any((-(-stream.rows // n), -(-stream.columns // n)) == size for n in _SCALES):
        raise raster.damaged()  # a decoder made something else of a spoiled stream
    if not is_whole or (jpeg_whole.needs_comparing(stream) and _shows_noise(stream, seen)):
        raise raster.damaged()
    return seen


def _shows_noise(stream: Jpeg, seen: Raster) -> bool:
    """Tell whether noise behind the samples changes the picture: then some of them are missing."""
    plain, side, long_side = seen.pixels, WORKING_SIDE, max(stream.rows, stream.columns)
    if not jpeg_whole.can_watch(stream) and long_side >= 4 * WORKING_SIDE:
        side = long_side // 2  # much reduced, it lacks the details that alone may be spoiled
        plain = raster.decode_jpeg(jpeg.without_metadata(stream), b"", at_least=side).pixels
    noisy = raster.decode_jpeg(jpeg_whole.with_noise(stream), b"", at_least=side).pixels
    return not np.array_equal(plain, noisy)


def _photo(data: bytes, kind: Format, camera: Camera, decoded: Raster) -> Photo:
    rows, columns = decoded.pixels.shape[:2]
    return Photo(
        data=data,
        format=kind,
        rows=rows,
        columns=columns,
        camera=camera,
        icc=decoded.icc,
        changes=decoded.changes,
        lossy_method=decoded.lossy_method,
        _decoded=decoded.pixels,
    )


def _check_container(data: bytes, kind: Format, limits: PhotoLimits) -> None:
    """Refuse, before a pixel is decoded, what holds several pictures or too large a one."""
    if kind is Format.PNG:  # the sizes stand in the first chunk (ISO 15948, IHDR)
        _check_pixels(int.from_bytes(data[16:20]), int.from_bytes(data[20:24]), limits)
        _check_animation(data)
    if kind is Format.HEIC:
        width, height = pi_heif.open_heif(io.BytesIO(data)).size
        _check_pixels(width, height, limits)
        return
    with Image.open(io.BytesIO(data), formats=[kind.value.upper()]) as image:
        _check_pixels(*image.size, limits)
        if getattr(image, "n_frames", 1) > 1:
            raise _animated()


def _check_animation(data: bytes) -> None:
    """Refuse a PNG that says twice, or wrongly, that it moves (PNG third edition, 11.3.6.1): which
    of its pictures is meant, nobody knows.
    """
    at, counts = 8, []
    while at + 12 <= len(data) and data[at + 4 : at + 8] != b"IDAT":
        if data[at + 4 : at + 8] == b"acTL":
            counts.append(int.from_bytes(data[at + 8 : at + 12]))
        at += 12 + int.from_bytes(data[at : at + 4])
    if len(counts) > 1 or 0 in counts:
        raise raster.damaged()


def _check_pixels(width: int, height: int, limits: PhotoLimits) -> None:
    if width * height > limits.max_pixels:
        raise _too_many_pixels(limits)


def _camera_of(data: bytes, kind: Format) -> Camera:
    if kind is Format.TIFF:
        return read_exif(data)
    info: Any
    if kind is Format.HEIC:
        info = pi_heif.open_heif(io.BytesIO(data)).info
    else:
        with Image.open(io.BytesIO(data), formats=[kind.value.upper()]) as image:
            info = dict(image.info)
    block = info.get("exif") or b""
    return read_exif(bytes(block).removeprefix(b"Exif\x00\x00"))


def _small(pixels: Pixels) -> Pixels:
    rows, columns = pixels.shape[:2]
    scale = WORKING_SIDE / max(rows, columns)
    if scale >= 1:
        return pixels
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _unreadable(error: BaseException) -> Invalid:
    if "truncat" in str(error).lower() or isinstance(error, EOFError):
        return Invalid(
            "The picture is cut off: its end is missing. Take or choose it again.", code="truncated"
        )
    return raster.damaged()


def _too_many_pixels(limits: PhotoLimits) -> TooLarge:
    return TooLarge(
        f"The picture has more than {limits.max_pixels / 1e6:.0f} million pixels. "
        "Choose a smaller one.",
        code="too-many-pixels",
    )


def _animated() -> Invalid:
    return Invalid("This file holds several pictures. Choose a single photograph.", code="animated")


def _film() -> Invalid:
    return Invalid("This is a film. Take or choose a photograph.", code="video")


def _unsupported(what: str) -> Invalid:
    return Invalid(f"{what}. Choose a JPEG, HEIC or PNG file.", code="unsupported-format")


def _not_an_image() -> Invalid:
    return Invalid(
        "This file is no photograph that can be read. Choose a JPEG, HEIC or PNG file.",
        code="not-an-image",
    )
