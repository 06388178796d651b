"""Wraps a photograph as a VL Photographic or Dermoscopic Photography object (PS3.3 A.32.4 and
A.32.11).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from casework.identifiers import derived_uid
from derm_capture import anatomy, attributes, stored
from derm_capture.attributes import Names
from derm_capture.context import CaptureContext, Kind
from derm_capture.photo import Photo
from derm_capture.times import times_of
from storage.part10 import build_file_meta

__all__ = ["CaptureContext", "Wrapped", "wrap"]

VL_PHOTOGRAPHIC = "1.2.840.10008.5.1.4.1.1.77.1.4"
DERMOSCOPIC_PHOTOGRAPHY = "1.2.840.10008.5.1.4.1.1.77.1.7"


@dataclass(frozen=True)
class Wrapped:
    """A photograph as a DICOM object; `dataset` is explicit VR little endian with encapsulated
    pixel data.
    """

    dataset: bytes
    part10: bytes
    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: str


def wrap(photo: Photo, context: CaptureContext) -> Wrapped:
    """Return the object that always belongs to this photograph in this context."""
    site = anatomy.site_of(context.site_code)
    names = _names(photo, context)
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
    attributes.put_context(ds, context)
    if context.kind is Kind.DERMOSCOPIC:
        attributes.put_dermoscopy(ds, context, names)
    ds.PixelData = encapsulate([kept.data], has_bot=False)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    dataset = _bytes_of(ds)
    return Wrapped(
        dataset=dataset,
        part10=_file_meta(names, kept.transfer_syntax_uid) + dataset,
        sop_class_uid=names.sop_class_uid,
        sop_instance_uid=names.sop_instance_uid,
        study_uid=names.study_uid,
        series_uid=names.series_uid,
        transfer_syntax_uid=kept.transfer_syntax_uid,
    )


def _names(photo: Photo, context: CaptureContext) -> Names:
    """Return the UIDs of the object, all derived, so that a repeat names the same object."""
    capture = context.capture_id or hashlib.sha256(photo.data).hexdigest()
    who = (context.patient.issuer, context.patient.id)
    study_uid = context.study_uid or derived_uid("photo-study", *who, capture)
    lesion = context.lesion.uid if context.lesion else ""
    is_dermoscopic = context.kind is Kind.DERMOSCOPIC
    modality = "DMS" if is_dermoscopic else "XC"
    series_uid = derived_uid("photo-series", study_uid, lesion, modality)
    return Names(
        sop_class_uid=DERMOSCOPIC_PHOTOGRAPHY if is_dermoscopic else VL_PHOTOGRAPHIC,
        sop_instance_uid=derived_uid("photo", study_uid, capture, context.kind.value),
        study_uid=study_uid,
        series_uid=series_uid,
        frame_of_reference_uid=derived_uid("photo-frame", series_uid, capture),
        modality=modality,
    )


def _bytes_of(ds: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, ds)
    return bytes(buffer.getvalue())


def _file_meta(names: Names, transfer_syntax_uid: str) -> bytes:
    return build_file_meta(
        sop_class_uid=names.sop_class_uid,
        sop_instance_uid=names.sop_instance_uid,
        transfer_syntax_uid=transfer_syntax_uid,
    )
