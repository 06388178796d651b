"""Small pictures of a made-up skin, and what cameras and people do to them."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from derm_capture.raster import Pixels

GPS_NOTE = b"GPS 69.6492 N 18.9553 E"
P3_MARK = b"Display P3"


def skin(width: int = 96, height: int = 64, *, seed: int = 1) -> Pixels:
    """Return skin with a dark spot near one corner, so that a turned picture is seen."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    spot = np.exp(
        -(((x - width * 0.3) / (width * 0.12)) ** 2 + ((y - height * 0.3) / (height * 0.15)) ** 2)
    )
    base = np.array([205.0, 165.0, 140.0]) - spot[..., None] * np.array([120.0, 110.0, 90.0])
    grain = rng.normal(0, 9, (height, width, 1))
    shade = (x / width * 24 - 12)[..., None]
    return np.clip(base + grain + shade, 0, 255).astype(np.uint8)


def jpeg(
    pixels: Pixels,
    *,
    orientation: int = 1,
    sampling: str = "4:2:0",
    exif: bytes | None = None,
    icc: bytes | None = None,
    grey: bool = False,
    **options: Any,
) -> bytes:
    """Return pixels as a JPEG file, with an Exif block that tells of camera and place."""
    image = Image.fromarray(pixels)
    if grey:
        image = image.convert("L")
    else:
        options["subsampling"] = sampling
    buffer = io.BytesIO()
    block = exif_block(orientation) if exif is None else exif
    image.save(
        buffer, "JPEG", quality=90, exif=block, icc_profile=icc, comment=b"a note", **options
    )
    return buffer.getvalue()


def encoded(pixels: Pixels, form: str, *, mode: str = "RGB", **options: Any) -> bytes:
    """Return pixels as a file that Pillow writes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def exif_block(orientation: int = 1) -> bytes:
    """Return an Exif block as a telephone writes it, place and owner included."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F], exif[0x0110], exif[0x0131] = "Nordcam", "Fjellfone 9", "OS 14.2"
    inner = exif.get_ifd(0x8769)
    inner[0x9003], inner[0x9011] = "2026:02:03 10:42:07", "+01:00"
    inner[0x829A], inner[0x8827], inner[0x9209] = IFDRational(1, 50), 200, 0x18
    inner[0xA430], inner[0x927C] = "Kari Nordmann", b"maker" + GPS_NOTE
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (69.0, 38.0, 57.0), "E", (18.0, 57.0, 19.0)
    gps[0x1B] = GPS_NOTE
    return exif.tobytes()


def with_adobe_transform(data: bytes, transform: int) -> bytes:
    """Return a JPEG without JFIF header that says by an Adobe segment what its components are."""
    start = data.index(b"\xff\xe0")
    (length,) = struct.unpack_from(">H", data, start + 2)
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform])
    return data[:start] + adobe + data[start + 2 + length :]


def rgb_jpeg(pixels: Pixels) -> bytes:
    """Return a JPEG whose components are red, green and blue."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95, keep_rgb=True)
    return buffer.getvalue()


def shown(data: bytes) -> Pixels:
    """Return what a decoder shows of a file, without turning it."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def upright(data: bytes, orientation: int) -> Pixels:
    """Return what Pillow shows of a file once it is turned."""
    ways = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
    with Image.open(io.BytesIO(data)) as image:
        shown = image.convert("RGB") if image.mode == "L" else image.copy()
    if orientation in ways:
        shown = shown.transpose(Image.Transpose(ways[orientation]))
    return np.asarray(shown.convert("RGB"))
