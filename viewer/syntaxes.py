"""Decides in which transfer syntaxes an object can be given, and what their media types are.

From what the index knows of it; whether a frame really comes out right is proven when it is made.
PS3.18 section 8.7.3. Reads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from casework.errors import LysbroError
from storage.forms import frame_shape
from storage.part10 import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE
from storage.rows import InstanceRow
from viewer.pixels import DECODABLE, decodes_to_rgb, shape_of

OCTETS = "application/octet-stream"
_CODED = "1.2.840.10008.1.2.4."
JPEG_LS, J2K, HTJ2K = _CODED + "80", _CODED + "90", _CODED + "201"
RLE = "1.2.840.10008.1.2.5"
ENCODED = frozenset({JPEG_LS, J2K, HTJ2K, RLE})
"""Lossless forms that are made on request."""

NATIVE = frozenset({IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE, DEFLATED_LE})
_ALWAYS_LOSSY = frozenset({_CODED + "50", _CODED + "51", _CODED + "53"})

_MEDIA: Mapping[str, str] = {
    **dict.fromkeys(("50", "51", "53", "57", "70"), "image/jpeg"),
    **dict.fromkeys(("80", "81"), "image/jls"),
    **dict.fromkeys(("90", "91"), "image/jp2"),
    **dict.fromkeys(("92", "93"), "image/jpx"),
    **dict.fromkeys(("110", "111", "112"), "image/jxl"),
    **dict.fromkeys(("201", "202", "203"), "image/jphc"),
    **dict.fromkeys(("100", "100.1", "101", "101.1"), "video/mpeg"),
    **dict.fromkeys((f"{n}{f}" for n in range(102, 109) for f in ("", ".1")), "video/mp4"),
}
_GREY = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})
_COLOUR = frozenset({"RGB", "YBR_FULL"})
_MADE_FOR = {"image/jls": JPEG_LS, "image/jp2": J2K, "image/jphc": HTJ2K, "image/dicom-rle": RLE}
_LARGEST_FRAME = 128 << 20
_LARGEST_VALUE = 0xFFFFFFFE


def media_of(transfer_syntax_uid: str) -> str:
    """Return the media type of one frame of a transfer syntax."""
    if transfer_syntax_uid == RLE:
        return "image/dicom-rle"
    return _MEDIA.get(transfer_syntax_uid.removeprefix(_CODED), OCTETS)


def default_of(media_type: str) -> str:
    """Return the transfer syntax that is made when a media type is named without one."""
    return _MADE_FOR.get(media_type, "")


def is_video(transfer_syntax_uid: str) -> bool:
    """Tell whether the pixel data of a transfer syntax is one stream."""
    return media_of(transfer_syntax_uid).startswith("video/")


def can_be_made(row: InstanceRow, transfer_syntax_uid: str) -> bool:
    """Tell whether an object in another form can be given in this one, as far as is known."""
    if transfer_syntax_uid == EXPLICIT_LE:
        return _can_be_plain(row)
    return transfer_syntax_uid in ENCODED and _can_be_encoded(row)


def photometric_made(row: InstanceRow) -> str:
    """Return the photometric interpretation of frames that have been decoded."""
    photometric = str(row.attributes.get("PhotometricInterpretation", "")).strip()
    is_colour = frame_shape(row.attributes).samples == 3
    if is_colour and decodes_to_rgb(row.transfer_syntax_uid, photometric):
        return "RGB"
    return photometric


def is_declared_late(row: InstanceRow) -> bool:
    """Tell whether an object is lossy by its form alone, so that its header must say it when it
    is given in another.
    """
    lossy = str(row.attributes.get("LossyImageCompression", "")).strip() == "01"
    return row.transfer_syntax_uid in _ALWAYS_LOSSY and not lossy


def _can_be_plain(row: InstanceRow) -> bool:
    pixel, syntax = row.pixel, row.transfer_syntax_uid
    if pixel is None or not pixel.encapsulated:
        bits = row.attributes.get("BitsAllocated", 16)
        return syntax in NATIVE and (syntax != EXPLICIT_BE or pixel is None or bits in (8, 16))
    return _is_decodable(row)


def _is_decodable(row: InstanceRow) -> bool:
    pixel, shape = row.pixel, frame_shape(row.attributes)
    if pixel is None or pixel.frame_table is None or len(pixel.frame_table) != pixel.frames:
        return False
    if row.transfer_syntax_uid not in DECODABLE or shape.samples not in (1, 3):
        return False
    is_rle = row.transfer_syntax_uid == RLE
    if not is_rle and not _bits_are_low(row.attributes):
        return False
    bits_fit = shape.bits_allocated in ((8, 16, 32, 64) if is_rle else (8, 16))
    return bits_fit and _size_fits(row) and pixel.frames * shape.size_bytes <= _LARGEST_VALUE


def _can_be_encoded(row: InstanceRow) -> bool:
    pixel, shape = row.pixel, frame_shape(row.attributes)
    if pixel is None or not _size_fits(row) or not _bits_are_low(row.attributes):
        return False
    if pixel.encapsulated and not _is_decodable(row):
        return False
    if shape.bits_allocated not in (8, 16) or not 2 <= shape.bits_stored <= shape.bits_allocated:
        return False
    if not pixel.encapsulated and pixel.length < pixel.frames * shape.size_bytes:
        return False
    photometric = photometric_made(row)
    if shape.samples == 1:
        return photometric in _GREY
    return shape.samples == 3 and photometric in _COLOUR and not shape.is_signed


def _bits_are_low(attributes: Mapping[str, Any]) -> bool:
    stored = frame_shape(attributes).bits_stored
    return bool(attributes.get("HighBit", stored - 1) == stored - 1)


def _size_fits(row: InstanceRow) -> bool:
    pixel, shape = row.pixel, frame_shape(row.attributes)
    try:
        shape_of(row.attributes)
    except LysbroError:
        return False
    is_small = 0 < shape.size_bytes <= _LARGEST_FRAME and max(shape.rows, shape.columns) <= 0xFFFF
    return is_small and pixel is not None and pixel.frames >= 1
