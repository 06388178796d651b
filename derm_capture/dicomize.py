"""Wraps a photograph as a VL Photographic or Dermoscopic Photography object (PS3.3 A.32.4 and
A.32.11).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from casework.identifiers import derived_uid
from derm_capture import anatomy, attributes, stored
from derm_capture.attributes import Names
from derm_capture.colour_card import ColourCard
from derm_capture.colour_note import put_colour_card
from derm_capture.context import CaptureContext, Kind
from derm_capture.context_items import put_context
from derm_capture.photo import Photo
from derm_capture.references import put_references
from derm_capture.scale import Scale
from derm_capture.times import times_of
from storage.part10 import build_file_meta

__all__ = ["CaptureContext", "Wrapped", "names_of", "wrap"]

VL_PHOTOGRAPHIC = "1.2.840.10008.5.1.4.1.1.77.1.4"
DERMOSCOPIC_PHOTOGRAPHY = "1.2.840.10008.5.1.4.1.1.77.1.7"

_PIXEL_DATA = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
_NO_OFFSETS = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
_END_OF_ITEMS = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)

VIDEO_PHOTOGRAPHIC = "1.2.840.10008.5.1.4.1.1.77.1.4.1"
_CLASSES = {Kind.DERMOSCOPIC: DERMOSCOPIC_PHOTOGRAPHY, Kind.CLIP: VIDEO_PHOTOGRAPHIC}


@dataclass(frozen=True)
class Wrapped:
    """A photograph as a DICOM object: its data set in explicit VR little endian with encapsulated
    pixel data, and what stands before that in a file (PS3.10 section 7.1).
    """

    file_meta: bytes
    pieces: Sequence[bytes | memoryview]  # of the data set, in their order
    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: str

    @property
    def dataset(self) -> bytes:
        """Return the data set whole."""
        return b"".join(self.pieces)

    @property
    def part10(self) -> bytes:
        """Return the object as a file."""
        return b"".join((self.file_meta, *self.pieces))

    def write(self, path: Path) -> None:
        """Write the object as a file."""
        with path.open("wb") as file:
            file.writelines((self.file_meta, *self.pieces))


def wrap(
    photo: Photo,
    context: CaptureContext,
    *,
    scale: Scale | None = None,
    card: ColourCard | None = None,
) -> Wrapped:
    """Return the object that always belongs to this photograph in this context; with a scale, the
    object says how large a pixel is, with a colour card, how its colours would be put right.
    """
    site = anatomy.site_of(context.site_code) if context.site_code else None
    names = names_of(photo.data, context)
    times = times_of(photo.camera, context)
    kept = stored.store(photo)
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    attributes.put_identity(ds, context, names, times)
    attributes.put_study(ds, context, times)
    attributes.put_anatomy(ds, context, site)
    attributes.put_equipment(ds, context, photo.camera, kept)
    attributes.put_exposure(ds, photo.camera)
    attributes.put_image(ds, context, kept)
    attributes.put_scale(ds, scale)
    put_colour_card(ds, card)
    attributes.put_procedure(ds, context)
    put_context(ds, context.acquisition)
    put_references(ds, context.links)
    if context.kind is Kind.DERMOSCOPIC:
        attributes.put_dermoscopy(ds, context, names)
    return Wrapped(
        file_meta=file_meta(names, kept.transfer_syntax_uid),
        pieces=(bytes_of(ds), *encapsulated(kept.pieces)),
        sop_class_uid=names.sop_class_uid,
        sop_instance_uid=names.sop_instance_uid,
        study_uid=names.study_uid,
        series_uid=names.series_uid,
        transfer_syntax_uid=kept.transfer_syntax_uid,
    )


def names_of(data: bytes, context: CaptureContext) -> Names:
    """Return the UIDs of the object of these bytes, all derived, so that a repeat names the same.

    A series is of one lesion and one modality; without a lesion, of one place on the body.
    """
    capture = context.capture_id or hashlib.sha256(data).hexdigest()
    who = (context.patient.issuer, context.patient.id)
    study_uid = context.study_uid or derived_uid("photo-study", *who, capture)
    place = f"{context.site_code}{context.laterality}"
    lesion = context.lesion.uid if context.lesion else place
    modality = "DMS" if context.kind is Kind.DERMOSCOPIC else "XC"
    series_uid = derived_uid("photo-series", study_uid, lesion, modality)
    if context.kind is Kind.OTHER:  # each is titled by its own series
        series_uid = derived_uid("attachment-series", study_uid, capture)
    if context.kind is Kind.CLIP:
        series_uid = derived_uid("clip-series", study_uid, lesion)
    return Names(
        sop_class_uid=_CLASSES.get(context.kind, VL_PHOTOGRAPHIC),
        sop_instance_uid=derived_uid("photo", study_uid, capture, context.kind.value),
        study_uid=study_uid,
        series_uid=series_uid,
        frame_of_reference_uid=derived_uid("photo-frame", series_uid, capture),
        modality=modality,
    )


def bytes_of(ds: Dataset) -> bytes:
    """Return a data set as it is stored, without its pixel data."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, ds)
    return bytes(buffer.getvalue())


def encapsulated(frame: Sequence[bytes | memoryview]) -> tuple[bytes | memoryview, ...]:
    """Return the pixel data element of one frame in one fragment, the offset table empty (A.4)."""
    size_bytes = sum(map(len, frame))
    padding = b"\0" * (size_bytes % 2)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, size_bytes + len(padding))
    return _PIXEL_DATA + _NO_OFFSETS + item, *frame, padding + _END_OF_ITEMS


def file_meta(names: Names, transfer_syntax_uid: str) -> bytes:
    """Return what stands before the data set in a file."""
    return build_file_meta(
        sop_class_uid=names.sop_class_uid,
        sop_instance_uid=names.sop_instance_uid,
        transfer_syntax_uid=transfer_syntax_uid,
    )
