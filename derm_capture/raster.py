"""Decodes pictures that are not kept as they are to upright 8-bit RGB, and says what was changed
on the way.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import pi_heif
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from casework.errors import Invalid
from derm_capture.profile import without_names
from derm_capture.srgb import DISPLAY_P3, SRGB

Pixels = NDArray[np.uint8]

DECODER_ERRORS = (
    OSError, ValueError, SyntaxError, RuntimeError, IndexError, KeyError, TypeError, EOFError,
    OverflowError, ZeroDivisionError, MemoryError, NotImplementedError, AttributeError,
    UserWarning, struct.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
    ImageCms.PyCMSError,
)  # fmt: skip
"""What Pillow and libheif raise on foreign bytes."""

JPEG_METHOD = "ISO_10918_1"
"""Lossy Image Compression Method (0028,2114) of JPEG (PS3.3 C.7.6.1.1.5.1)."""

_SIXTEEN_BITS = frozenset({"I;16", "I;16B", "I;16L", "I;16N", "I"})
_PILLOW_NAMES = {"png": "PNG", "webp": "WEBP", "tiff": "TIFF", "bmp": "BMP", "avif": "AVIF"}


@dataclass(frozen=True, eq=False)
class Raster:
    """A decoded picture: upright pixels, their RGB profile or nothing, what was changed, whether
    it was lossy.
    """

    pixels: Pixels
    icc: bytes = b""
    changes: tuple[str, ...] = ()
    lossy_method: str = ""  # Lossy Image Compression Method (0028,2114); empty: lossless so far


def decode_heif(data: bytes) -> Raster:
    """Return the primary picture of an HEIC file; libheif applies its rotation (ISO 23008-12 irot,
    imir).
    """
    picture: Any = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
    image = Image.frombytes(
        picture.mode, picture.size, bytes(picture.data), "raw", picture.mode, picture.stride
    )
    changes = ["10 bits a sample reduced to 8"] if picture.info.get("bit_depth", 8) > 8 else []
    icc = picture.info.get("icc_profile") or _profile_in_numbers(data)
    return _raster(image, icc, changes, "ISO_23008_2")


def decode(data: bytes, name: str) -> Raster:
    """Return the picture of a PNG, WebP, TIFF, BMP or AVIF file, turned upright."""
    with Image.open(io.BytesIO(data), formats=[_PILLOW_NAMES[name]]) as image:
        changes = _bits_lost(image, name, data)
        method = _lossy_method(image, name, data)
        icc = image.info.get("icc_profile") or b""
        if name == "avif":
            icc = icc or _profile_in_numbers(data)
            image.info.pop("xmp", None)  # its properties alone turn it (ISO 23008-12 6.5.10)
        image.load()
        return _raster(ImageOps.exif_transpose(image), icc, changes, method)


def decode_jpeg(data: bytes | BinaryIO, icc: bytes, *, at_least: int | None = None) -> Raster:
    """Return the pixels of a JPEG stream, not turned; reduced while decoding when a long side will
    do.
    """
    changes: list[str] = []
    source = io.BytesIO(data) if isinstance(data, bytes) else data
    try:
        with Image.open(source, formats=["JPEG"]) as image:
            if at_least is not None:
                scale = at_least / max(image.size)
                image.draft(None, tuple(max(1, int(side * scale)) for side in image.size))  # type: ignore[arg-type]
            image.load()
            return _raster(image, icc, changes, JPEG_METHOD)
    except DECODER_ERRORS as error:
        if not isinstance(data, bytes):
            raise damaged() from error
        samples = _decode_unusual(data)
    if samples.dtype != np.uint8:
        changes.append("12 bits a sample reduced to 8")
        samples = (samples >> 4).astype(np.uint8)
    return _raster(Image.fromarray(samples), icc, changes, JPEG_METHOD)


def _decode_unusual(data: bytes) -> NDArray[Any]:
    """Return the samples of a stream that Pillow does not know: 12 bits, or a lossless process."""
    try:
        samples: NDArray[Any] = imagecodecs.jpeg_decode(data)
    except DECODER_ERRORS as error:
        raise Invalid(
            "The picture is damaged, or of a kind of JPEG that no phone makes. Take it again.",
            code="damaged",
        ) from error
    return samples


def _no_usual_colours() -> Invalid:
    return Invalid(
        "This picture has no usual colours. Save it as JPEG or PNG and choose it again.",
        code="unsupported-format",
    )


def damaged() -> Invalid:
    """Return the refusal of a picture whose samples are not what its header says."""
    return Invalid("The picture is damaged and cannot be read. Take it again.", code="damaged")


def turn(pixels: Pixels, orientation: int) -> Pixels:
    """Return pixels turned upright as an Exif orientation asks."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def usable_profile(icc: bytes, space: bytes = b"RGB ") -> bytes:
    """Return a profile, without names in it, when it is one for this colour space (ICC.1 section
    7.2), else nothing.
    """
    return without_names(icc) if icc[36:40] == b"acsp" and icc[16:20] == space else b""


def _raster(image: Image.Image, icc: bytes, changes: list[str], method: str) -> Raster:
    if image.mode == "CMYK":
        changes.append("converted from CMYK to sRGB")
        image, icc = _from_cmyk(image, usable_profile(icc, b"CMYK")), SRGB
    elif image.mode in ("LAB", "F"):
        raise _no_usual_colours()
    elif image.mode in _SIXTEEN_BITS:
        image = _upper_bits(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        if rgba.getchannel("A").getextrema() != (255, 255):
            changes.append("transparent parts laid on white")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    pixels = np.ascontiguousarray(np.asarray(image.convert("RGB"), dtype=np.uint8))
    return Raster(pixels, usable_profile(icc), tuple(changes), method)


def _upper_bits(image: Image.Image) -> Image.Image:
    """Return the upper eight bits of a grey picture; one grey may stand for what is transparent."""
    wide = np.clip(np.asarray(image, dtype=np.int64), 0, 0xFFFF)
    grey = Image.fromarray((wide >> 8).astype(np.uint8))
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(wide == clear, 0, 255).astype(np.uint8)))
    return grey


def _from_cmyk(image: Image.Image, icc: bytes) -> Image.Image:
    if not icc:
        return image.convert("RGB")
    converted = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(icc)),
        ImageCms.createProfile("sRGB"),
        outputMode="RGB",
    )
    return converted or image.convert("RGB")


def _bits_lost(image: Image.Image, name: str, data: bytes) -> list[str]:
    bits = 8
    if name == "png":
        bits = data[24]
    elif name == "avif":
        bits = _avif_bits(data)
    elif name == "tiff":
        told = image.tag_v2.get(258, (8,))  # type: ignore[attr-defined]
        bits = max(told if isinstance(told, tuple) else (told,))
    if bits > 16:
        raise _no_usual_colours()
    return [f"{bits} bits a sample reduced to 8"] if bits > 8 else []


def _avif_bits(data: bytes) -> int:
    """Return the bits of a sample, as the configuration of the AV1 stream says (AV1-ISOBMFF
    2.3.3).
    """
    at = data.find(b"av1C\x81")
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10


def _profile_in_numbers(data: bytes) -> bytes:
    """Return the profile of the primaries that an HEIC or AVIF file names by their number (ISO
    14496-12 12.1.5, ITU-T H.273 8.1); nothing for sRGB.
    """
    at = data.find(b"colrnclx")
    return DISPLAY_P3 if at >= 0 and data[at + 8 : at + 10] == b"\0\x0c" else b""


def _lossy_method(image: Image.Image, name: str, data: bytes) -> str:
    if name == "webp":
        return "" if _has_lossless_chunk(data) else "WEBP"
    if name == "avif":
        return "AVIF"
    return JPEG_METHOD if image.info.get("compression") in ("jpeg", "tiff_jpeg") else ""


def _has_lossless_chunk(data: bytes) -> bool:
    position = 12
    while position + 8 <= len(data):
        if data[position : position + 4] == b"VP8L":
            return True
        position += 8 + int.from_bytes(data[position + 4 : position + 8], "little")
        position += position % 2
    return False
