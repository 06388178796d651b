"""Gets one frame ready to be looked at: reads it, decodes it, applies what a window cannot express.

Modality tables and palettes are applied here, so that those who draw need a window only.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels.processing import apply_color_lut

from casework.errors import Invalid
from storage.archive import Archive
from storage.index import InstanceRow
from storage.part10 import DEFLATED_LE
from viewer.attributes import first
from viewer.display import Display, Window, display_of, display_of_frame, needs_header
from viewer.overlays import Overlay, needs_words, overlays_of
from viewer.photo_bytes import as_png, embedded_profile, with_profile
from viewer.pixels import BIG_ENDIAN, JPEG_BASELINE, NATIVE, Decoded, decode, shape_of
from viewer.planes import Pixels
from viewer.scales import Scale
from viewer.shutters import Shutters, shutters_of
from viewer.supplemental import is_partly_coloured, with_colours
from viewer.voi_tables import VoiTable, modality_table

_HEADERS_KEPT = 32


@dataclass(frozen=True)
class Shown:
    """A frame that needs a window only: grey values with their display, or RGB."""

    pixels: Pixels
    is_colour: bool
    display: Display
    is_reduced: bool = False  # wider values have been brought to 16 bits


@dataclass(frozen=True)
class Photograph:
    """A photograph as a browser shows it, with its colour profile inside."""

    data: bytes
    media_type: str
    profile: bytes


@dataclass(frozen=True)
class Over:
    """What lies over a frame."""

    overlays: tuple[Overlay, ...]
    shutters: Shutters


class FrameSource:
    """Reads frames of an archive; keeps the few headers that it had to open."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._headers: OrderedDict[tuple[int, str], Dataset] = OrderedDict()
        self._lock = Lock()

    def decoded(self, ref: InstanceRow, frame: int) -> Decoded:
        """Return the stored values of a frame, colour as RGB."""
        shape_of(ref.attributes)  # the limits hold before a byte is read
        read = self._archive.read_frame(ref, frame)
        return decode(self._in_byte_order(ref, read.data), read.transfer_syntax_uid, ref.attributes)

    def shown(self, ref: InstanceRow, frame: int) -> Shown:
        """Return a frame as it is to be shown."""
        decoded = self.decoded(ref, frame)
        is_clear = not needs_header(ref.sop_class_uid, ref.attributes)
        return as_shown(decoded, ref.attributes, None if is_clear else self.header(ref), frame)

    def over(self, ref: InstanceRow, frame: int) -> Over:
        """Return the overlays and shutters of a frame."""
        header = self.header(ref)
        words = self._words(ref, frame) if needs_words(header) else None
        return Over(overlays_of(header, frame, words), shutters_of(header))

    def _words(self, ref: InstanceRow, frame: int) -> bytes | None:
        """Return the 16-bit words of a native frame, little endian, with all their bits."""
        if int(first(ref.attributes.get("BitsAllocated"), 0)) != 16:
            return None
        read = self._archive.read_frame(ref, frame)
        if read.transfer_syntax_uid == BIG_ENDIAN:
            return np.frombuffer(read.data, ">u2").astype("<u2").tobytes()
        return read.data if read.transfer_syntax_uid in NATIVE else None

    def photograph(self, ref: InstanceRow) -> Photograph:
        """Return a photograph as received when it is a JPEG, else without loss as a PNG."""
        shape_of(ref.attributes)
        if ref.transfer_syntax_uid == JPEG_BASELINE:
            jpeg = self._archive.read_frame(ref, 1).data
            inside = embedded_profile(jpeg)
            profile = inside or self._profile(ref)
            return Photograph(
                jpeg if inside else with_profile(jpeg, profile), "image/jpeg", profile
            )
        profile = self._profile(ref)
        return Photograph(as_png(self.decoded(ref, 1).pixels, profile), "image/png", profile)

    def _profile(self, ref: InstanceRow) -> bytes:
        return bytes(self.header(ref).get("ICCProfile") or b"")

    def header(self, ref: InstanceRow) -> Dataset:
        """Return the header of an object, up to its pixels."""
        key = (ref.pk, ref.sha256)
        with self._lock:
            if key in self._headers:
                self._headers.move_to_end(key)
                return self._headers[key]
        try:
            header = dcmread(io.BytesIO(self._head_bytes(ref)), stop_before_pixels=True)
        except (InvalidDicomError, ValueError, EOFError, KeyError) as error:
            raise Invalid("The object's header cannot be read.", code="bad-structure") from error
        with self._lock:
            self._headers[key] = header
            while len(self._headers) > _HEADERS_KEPT:
                self._headers.popitem(last=False)
        return header

    def _head_bytes(self, ref: InstanceRow) -> bytes:
        """Return the file up to its pixels; whole where they lie inside a deflated data set."""
        if ref.pixel is None or ref.transfer_syntax_uid == DEFLATED_LE:
            return self._archive.read_part10(ref)
        with self._archive.open_part10(ref) as stream:  # which cannot seek, as dcmread must
            return stream.read(ref.location.dataset_offset + ref.pixel.offset)

    def _in_byte_order(self, ref: InstanceRow, data: bytes) -> bytes:
        """Return 8-bit samples in order where they came as big-endian words (PS3.5 8.1.1)."""
        if ref.transfer_syntax_uid != BIG_ENDIAN or ref.pixel is None:
            return data
        if int(first(ref.attributes.get("BitsAllocated"), 16)) != 8:
            return data
        vr = self._archive.read_dataset(ref)[ref.pixel.offset - 8 : ref.pixel.offset - 6]
        if vr != b"OW" or len(data) % 2:
            return data
        return np.frombuffer(data, ">u2").astype("<u2").tobytes()


def as_shown(
    decoded: Decoded, attributes: Mapping[str, Any], header: Dataset | None, frame: int
) -> Shown:
    """Return decoded values as they are to be shown; the header where the index is not enough."""
    if header is None:
        shown = Shown(decoded.pixels, decoded.is_colour, display_of(attributes))
        return _within_16_bits(shown)
    display = display_of_frame(attributes, header, frame)
    if decoded.photometric == "PALETTE COLOR":
        return Shown(_through_palette(decoded.pixels, header), True, display)
    if decoded.is_colour:
        return Shown(decoded.pixels, True, display)
    pixels = decoded.pixels
    table = modality_table(header)
    if table is not None:
        pixels = table.applied(pixels)
        display = replace(display, slope=1.0, intercept=0.0)
    if is_partly_coloured(header):
        return Shown(with_colours(pixels, decoded.pixels, header, display), True, display)
    if not display.windows:
        display = replace(display, windows=tuple(map(_spread_of, display.tables[:1])))
    return _within_16_bits(Shown(pixels, False, display))


def _through_palette(indices: Pixels, header: Dataset) -> Pixels:
    try:
        colours = apply_color_lut(indices, header)
    except (ValueError, AttributeError, IndexError) as error:
        raise Invalid("The image's palette cannot be read.", code="bad-structure") from error
    if colours.dtype != np.uint8:
        entries_bits = int(header.RedPaletteColorLookupTableDescriptor[2])
        colours = (colours >> 8 if entries_bits == 16 else colours).astype(np.uint8)
    return np.ascontiguousarray(colours[:, :, :3])


def _spread_of(table: VoiTable) -> Window:
    """Return the range that a VOI table spreads, as a window (PS3.3 C.11.2.1.1)."""
    count = len(table.greys)
    return Window(table.first + count / 2, float(count), table.label)


def _within_16_bits(shown: Shown) -> Shown:
    """Return values of at most 16 bits; wider ones keep their range and lose fine steps."""
    pixels = shown.pixels
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2:
        return shown
    if pixels.dtype.kind in "iu" and not pixels.size:
        return shown
    finite = np.nan_to_num(pixels.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(finite.min()), float(finite.max())
    if pixels.dtype.kind in "iu" and low >= 0 and high <= 0xFFFF:
        return replace(shown, pixels=pixels.astype(np.uint16))
    step = (high - low) / 0xFFFF or 1.0
    quantised = np.rint((finite - low) / step).astype(np.uint16)
    display = replace(
        shown.display,
        slope=shown.display.slope * step,
        intercept=shown.display.intercept + shown.display.slope * low,
        padding=None,
        scales=tuple(
            Scale(each.slope * step, each.intercept + each.slope * low, each.unit)
            for each in shown.display.scales
        ),
    )
    return Shown(quantised, shown.is_colour, display, is_reduced=True)
