"""Turns an object into a lossless compressed transfer syntax, for a peer that prefers one.

What comes out is decoded again and compared: what a codec cannot carry is not sent in its form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import imagecodecs
import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from casework.errors import Invalid
from pacs_bridge.transcode import FAULTS, decoded, encoded, not_convertible
from storage import codec
from storage.forms import FrameShape

JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
HTJ2K = "1.2.840.10008.1.2.4.201"
RLE = "1.2.840.10008.1.2.5"

FORMS: Mapping[str, str] = {"jpeg-ls": JPEG_LS, "jpeg-2000": JPEG_2000, "htj2k": HTJ2K, "rle": RLE}
"""The transfer syntax of each lossless form that a destination may prefer."""

LOSSLESS = frozenset(
    {
        "1.2.840.10008.1.2",
        "1.2.840.10008.1.2.1",
        "1.2.840.10008.1.2.1.99",
        "1.2.840.10008.1.2.2",
        "1.2.840.10008.1.2.4.57",
        "1.2.840.10008.1.2.4.70",
        "1.2.840.10008.1.2.4.202",
        *FORMS.values(),
    }
)
"""Transfer syntaxes that say that nothing was lost, and can be left for another."""

_KINDS = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL")


def to_lossless(part10: bytes, target: str, *, source: str) -> bytes:
    """Return the data set in a lossless compressed form; Invalid when it cannot be in that."""
    ds = decoded(part10, source=source)
    try:
        shape = _shape(ds)
        frames = _frames(ds, shape)
        if target == RLE:
            return _as_rle(ds)
        coded = [_encode(frame, shape, target) for frame in frames]
        _put(ds, coded)
        return encoded(ds, implicit=False)
    except Invalid as error:
        raise not_convertible(source) from error
    except FAULTS as error:
        raise not_convertible(source) from error


def _shape(ds: Dataset) -> FrameShape:
    if "PixelData" not in ds or ds.PhotometricInterpretation not in _KINDS:
        raise ValueError("it has no pixels of a kind that is compressed")
    if ds.BitsAllocated not in (8, 16):
        raise ValueError("it has pixels of another depth")
    return FrameShape(
        rows=int(ds.Rows),
        columns=int(ds.Columns),
        samples=int(ds.SamplesPerPixel),
        bits_allocated=int(ds.BitsAllocated),
        bits_stored=int(ds.BitsStored),
        is_signed=bool(ds.PixelRepresentation),
    )


def _frames(ds: Dataset, shape: FrameShape) -> list[bytes]:
    """Return the native frames, colour by pixel."""
    count = int(ds.get("NumberOfFrames") or 1)
    content = bytes(ds.PixelData)
    if len(content) < count * shape.size_bytes:
        raise ValueError("it has fewer pixels than its header says")
    size = shape.size_bytes
    frames = [content[n * size : (n + 1) * size] for n in range(count)]
    if shape.samples > 1 and int(ds.get("PlanarConfiguration") or 0) == 1:
        kind = np.dtype(f"<u{shape.bits_allocated // 8}")
        planes = (shape.samples, shape.rows, shape.columns)
        frames = [
            np.frombuffer(f, kind).reshape(planes).transpose(1, 2, 0).tobytes() for f in frames
        ]
        ds.PixelData = b"".join(frames) + b"\0" * (count * size % 2)
        ds.PlanarConfiguration = 0
    return frames


def _encode(frame: bytes, shape: FrameShape, target: str) -> bytes:
    if target == JPEG_2000:
        return _as_jpeg_2000(frame, shape)
    which = codec.CODEC_OF[target]
    coded = codec.encode(frame, shape, which)
    if codec.decode(coded, shape, which) != frame:
        raise ValueError("the codec does not give the frame back")
    return coded


def _as_jpeg_2000(frame: bytes, shape: FrameShape) -> bytes:
    kind = np.dtype(f"<{'i' if shape.is_signed else 'u'}{shape.bits_allocated // 8}")
    size = (shape.rows, shape.columns)
    pixels = np.frombuffer(frame, kind)
    pixels = pixels.reshape(size if shape.samples == 1 else (*size, shape.samples))
    options: dict[str, Any] = {"codecformat": "j2k", "reversible": True, "mct": False}
    coded = bytes(imagecodecs.jpeg2k_encode(pixels, level=0, **options))
    if not np.array_equal(
        np.asarray(imagecodecs.jpeg2k_decode(coded)).reshape(pixels.shape), pixels
    ):
        raise ValueError("the codec does not give the frame back")
    return coded


def _as_rle(ds: Dataset) -> bytes:
    before = bytes(ds.PixelData)
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian  # by now
    ds.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    content = encoded(ds, implicit=False)
    ds.decompress(decoding_plugin="pydicom", as_rgb=False, generate_instance_uid=False)
    if bytes(ds.PixelData)[: len(before)] != before and ds.SamplesPerPixel == 1:
        raise ValueError("the codec does not give the frame back")
    return content


def _put(ds: Dataset, coded: list[bytes]) -> None:
    del ds["PixelData"]
    ds.add_new(0x7FE00010, "OB", encapsulate([c + b"\0" * (len(c) % 2) for c in coded]))
    ds["PixelData"].is_undefined_length = True
