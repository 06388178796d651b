"""What pydicom makes of an image's values, and what our pages do, both as 8-bit pixels."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels import pixel_array
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut

from storage.part10 import BytesSource, read_file_meta, walk
from viewer.display import Display, needs_header
from viewer.frame_source import Shown, as_shown
from viewer.groups import groups_of
from viewer.pixels import BIG_ENDIAN, decode, shape_of

Greys = NDArray[Any]


@dataclass(frozen=True)
class Compared:
    """Both pictures of a frame, or the values where no window or table makes greys of them."""

    ours: Greys
    theirs: Greys
    step: float  # how far they may be apart


def compare(path: Path) -> Compared:
    """Return the first frame of a file as we send and draw it, and as pydicom has it."""
    ds = pydicom.dcmread(path)
    shown, display = shown_of(path.read_bytes(), ds)
    stored = pixel_array(ds, index=0)
    if shown.is_colour:
        return Compared(_eight(shown.pixels), _colours(ds, stored), 1.0)
    whole = _with_groups(ds)
    values = apply_modality_lut(stored, whole)
    if not (display.windows or display.tables) or "BitsStored" not in ds:
        ours = shown.pixels.astype(np.float64) * display.slope + display.intercept
        return Compared(ours, values.astype(np.float64), max(1e-4, abs(display.slope)))
    theirs = _in_255(apply_voi_lut(values, whole, index=0), whole)
    if display.is_inverted:
        theirs = 255 - theirs
    ours = page_greys(shown.pixels, display)
    if display.padding is not None:  # stays black on our pages
        low, high = display.padding
        is_padding = (stored >= low) & (stored <= high)
        theirs = np.where(is_padding, 0, theirs)
    return Compared(ours, theirs, 1.0)


def page_greys(pixels: Greys, display: Display) -> Greys:
    """Return what `greys.ts` draws of the values that are sent: the same formula, in numpy."""
    values = pixels.astype(np.float64) * display.slope + display.intercept
    if display.tables:
        table = display.tables[0]
        entries = np.frombuffer(table.greys, np.uint8)
        at = np.floor(values + 0.5).astype(np.int64) - table.first
        greys = entries[np.clip(at, 0, entries.size - 1)].astype(np.float64)
    else:
        window = display.windows[0]
        center, width = window.center, window.width
        if display.function == "SIGMOID":
            greys = 255 / (1 + np.exp(np.clip(-4 * (values - center) / width, -700, 700)))
        else:
            is_exact = display.function == "LINEAR_EXACT" or width < 1
            middle, span = (center, width) if is_exact else (center - 0.5, width - 1)
            greys = np.where(values > middle + span / 2, 255.0, 0.0)
            inside = (values > middle - span / 2) & (values <= middle + span / 2)
            if span > 0:
                greys = np.where(inside, ((values - middle) / span + 0.5) * 255, greys)
    if display.is_inverted:
        greys = 255 - greys
    if display.padding is not None:
        low, high = display.padding
        greys = np.where((pixels >= low) & (pixels <= high), 0, greys)
    return np.clip(np.rint(greys), 0, 255)


def shown_of(data: bytes, ds: Dataset) -> tuple[Shown, Display]:
    """Return the first frame of a file as it is sent."""
    source = BytesSource(data)
    meta = read_file_meta(source)
    syntax = meta.transfer_syntax_uid
    attributes = walk(data[meta.dataset_offset :], transfer_syntax_uid=syntax).attributes
    decoded = decode(_first_frame(ds, attributes), syntax, attributes)
    header = None
    if needs_header(str(ds.SOPClassUID), attributes):
        header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    shown = as_shown(decoded, attributes, header, 1)
    return shown, shown.display


def _first_frame(ds: Dataset, attributes: Any) -> bytes:
    names = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
    data = bytes(next(ds[name].value for name in names if name in ds))
    if ds.file_meta.TransferSyntaxUID.is_encapsulated:
        return next(generate_frames(data, number_of_frames=attributes.get("NumberOfFrames", 1)))
    is_swapped = ds.file_meta.TransferSyntaxUID == BIG_ENDIAN and ds["PixelData"].VR == "OW"
    if is_swapped and attributes["BitsAllocated"] == 8:
        data = np.frombuffer(data, ">u2").astype("<u2").tobytes()
    return data[: (shape_of(attributes).native_bits + 7) // 8]


def _with_groups(ds: Dataset) -> Dataset:
    """Return a header in which what functional groups say stands where pydicom looks."""
    whole = Dataset()
    for element in ds:
        if element.tag.group < 0x7FE0:
            whole[element.tag] = element
    whole.file_meta = ds.file_meta
    for group in groups_of(ds, 1):
        for keyword in (
            "RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "VOILUTFunction",
        ):  # fmt: skip
            if keyword in group:
                whole[keyword] = group[keyword]
    return whole


def _in_255(values: Greys, ds: Dataset) -> Greys:
    """Return what pydicom gives as greys: it spreads over the range of the stored values."""
    tables = ds.get("VOILUTSequence")
    if tables:
        bits = int(tables[0].LUTDescriptor[2])
        return values.astype(np.float64) * 255 / ((1 << bits) - 1)
    bits = int(ds.BitsStored)
    if ds.get("ModalityLUTSequence"):
        bits, signed = int(ds.ModalityLUTSequence[0].LUTDescriptor[2]), False
    else:
        signed = int(ds.PixelRepresentation) == 1
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if "RescaleSlope" in ds and not ds.get("ModalityLUTSequence"):
        slope, intercept = float(ds.RescaleSlope), float(ds.RescaleIntercept)
        low, high = low * slope + intercept, high * slope + intercept
    return (values.astype(np.float64) - low) / (high - low) * 255


def _colours(ds: Dataset, stored: Greys) -> Greys:
    if ds.PhotometricInterpretation == "PALETTE COLOR":
        colours = apply_color_lut(stored, ds)
        is_wide = int(ds.RedPaletteColorLookupTableDescriptor[2]) == 16
        return (colours >> 8 if is_wide else colours)[:, :, :3].astype(np.float64)
    return _eight(stored[:, :, :3])


def _eight(pixels: Greys) -> Greys:
    wide = pixels.dtype.itemsize > 1
    return (pixels >> (8 * (pixels.dtype.itemsize - 1)) if wide else pixels).astype(np.float64)
