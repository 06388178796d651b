"""Decides which objects may be kept in another lossless form, and why not the others.

From the header's values alone; whether the frames come back the same is proven, not decided.
"""

from __future__ import annotations

from storage.filemeta import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE
from storage.forms import frame_shape
from storage.rows import InstanceRow

RLE = "1.2.840.10008.1.2.5"
NATIVE = frozenset({EXPLICIT_LE, IMPLICIT_LE, DEFLATED_LE})
_GREY = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})
_COLOUR = frozenset({"RGB", "YBR_FULL"})
_LARGEST_FRAME = 128 << 20


def why_not(instance: InstanceRow) -> str:
    """Return why an instance stays as it came, in one word; empty when it may be recompressed."""
    syntax, pixel = instance.transfer_syntax_uid, instance.pixel
    if pixel is None:
        return "no-pixels"
    if syntax == EXPLICIT_BE:
        return "big-endian"
    if syntax not in NATIVE and syntax != RLE:
        return "compressed"
    if syntax == RLE and (pixel.frame_table is None or len(pixel.frame_table) != pixel.frames):
        return "frames-unknown"
    return _unfit_pixels(instance) or _unfit_size(instance)


def _unfit_pixels(instance: InstanceRow) -> str:
    attributes, shape = instance.attributes, frame_shape(instance.attributes)
    photometric = str(attributes.get("PhotometricInterpretation", "")).strip()
    high_bit = attributes.get("HighBit", shape.bits_stored - 1)
    if shape.bits_allocated not in (8, 16) or not 2 <= shape.bits_stored <= shape.bits_allocated:
        return "bits"
    if high_bit != shape.bits_stored - 1:
        return "bits"
    if attributes.get("LossyImageCompression") == "01":
        return "lossy"
    if shape.samples == 1:
        return "" if photometric in _GREY else "photometric"
    if shape.samples != 3 or photometric not in _COLOUR or shape.is_signed:
        return "photometric"
    # the compressed form has colour by pixel, and the header would have to say so (PS3.5 8.2.3)
    return "" if attributes.get("PlanarConfiguration", 0) == 0 else "colour-by-plane"


def _unfit_size(instance: InstanceRow) -> str:
    pixel, shape = instance.pixel, frame_shape(instance.attributes)
    if pixel is None or not 0 < shape.size_bytes <= _LARGEST_FRAME:
        return "size"
    if max(shape.rows, shape.columns) > 0xFFFF or pixel.frames < 1:
        return "size"
    if pixel.encapsulated:
        return ""
    spare = pixel.length - pixel.frames * shape.size_bytes
    return "" if spare in (0, 1) else "length"
