"""Handles the bytes of photographs: their colour profile, its name, and a small copy in sRGB.

The kept object is never touched; a profile that only the object has is put into the answer.
"""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from casework.errors import Invalid, TooLarge
from viewer.codestreams import stated_size
from viewer.pixels import LIMITS
from viewer.planes import Pixels

_MARK = b"ICC_PROFILE\x00"
_PART = 65_519  # bytes of a profile in one APP2 segment (ICC.1 annex B.4)


def embedded_profile(jpeg: bytes) -> bytes:
    """Return the ICC profile of a JPEG stream, or nothing."""
    try:
        with Image.open(io.BytesIO(jpeg)) as image:
            found = image.info.get("icc_profile")
    except (UnidentifiedImageError, OSError, ValueError):
        return b""
    return found if isinstance(found, bytes) else b""


def with_profile(jpeg: bytes, profile: bytes) -> bytes:
    """Return the JPEG with a profile in APP2 segments, before its other segments but JFIF's."""
    if not profile or jpeg[:2] != b"\xff\xd8":
        return jpeg
    parts = [profile[i : i + _PART] for i in range(0, len(profile), _PART)]
    if len(parts) > 255:
        return jpeg
    segments = b"".join(
        b"\xff\xe2" + struct.pack(">H", 2 + len(_MARK) + 2 + len(part)) + _MARK
        + bytes((number, len(parts))) + part
        for number, part in enumerate(parts, 1)
    )  # fmt: skip
    at = 2
    if jpeg[2:4] == b"\xff\xe0":
        at = 4 + int.from_bytes(jpeg[4:6], "big")
    return jpeg[:at] + segments + jpeg[at:]


def as_png(pixels: Pixels, profile: bytes) -> bytes:
    """Return RGB pixels without loss, with their profile."""
    if pixels.dtype != np.uint8:
        pixels = (pixels >> (8 * (pixels.dtype.itemsize - 1))).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1, icc_profile=profile or None)
    return out.getvalue()


def profile_name(profile: bytes) -> str:
    """Return what a profile calls itself, or nothing when there is none that can be read."""
    if not profile:
        return ""
    try:
        text = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError):
        return ""
    return " ".join(text.split())[:80]


def as_srgb(data: bytes, profile: bytes, *, longest: int) -> Image.Image:
    """Return a small copy with its colours in sRGB."""
    size = stated_size(data)
    if size is not None and size[0] * size[1] > LIMITS.max_pixels:
        raise TooLarge("The photograph is larger than is shown here.", code="image-too-large")
    try:
        with Image.open(io.BytesIO(data)) as opened:
            opened.draft("RGB", (longest, longest))
            image = ImageOps.contain(opened.convert("RGB"), (longest, longest))
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise Invalid("The photograph cannot be decoded.", code="undecodable") from error
    if not profile:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, OSError):
        return image
    return converted if converted is not None else image
