"""Wraps a document as Encapsulated PDF (PS3.3 A.45.1): its bytes as they are, in its case."""

from __future__ import annotations

import hashlib

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from casework.identifiers import derived_uid
from derm_capture import attributes
from derm_capture.attributes import Names
from derm_capture.context import CaptureContext
from derm_capture.dicomize import Wrapped, bytes_of, file_meta
from derm_capture.exif import Camera
from derm_capture.text import long_text
from derm_capture.times import times_of

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
_EXPLICIT_LE = "1.2.840.10008.1.2.1"
_MOST_TITLE = 1024  # PS3.5 6.2, VR ST


def wrap_pdf(document: bytes, context: CaptureContext) -> Wrapped:
    """Return the object that always belongs to this document in this case; who wrote it when is
    not known, so the time is that of the case.
    """
    capture = context.capture_id or hashlib.sha256(document).hexdigest()
    names = Names(
        sop_class_uid=ENCAPSULATED_PDF,
        sop_instance_uid=derived_uid("document", context.study_uid, capture),
        study_uid=context.study_uid,
        series_uid=derived_uid("attachment-series", context.study_uid, capture),
        frame_of_reference_uid="",
        modality="DOC",
    )
    times = times_of(Camera(), context)
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    attributes.put_identity(ds, context, names, times)
    attributes.put_study(ds, context, times)
    ds.SeriesDescription = long_text(context.title or "Document")
    ds.Manufacturer = "Lysbro"
    ds.ConversionType = "WSD"
    ds.AcquisitionDateTime = ""  # type 2: when it was made is not known
    ds.BurnedInAnnotation = "YES"  # a document of a patient names the patient
    ds.DocumentTitle = context.title[:_MOST_TITLE]
    ds.ConceptNameCodeSequence = Sequence([])
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    ds.EncapsulatedDocumentLength = len(document)
    return Wrapped(
        file_meta=file_meta(names, _EXPLICIT_LE),
        pieces=(bytes_of(ds),),
        sop_class_uid=names.sop_class_uid,
        sop_instance_uid=names.sop_instance_uid,
        study_uid=names.study_uid,
        series_uid=names.series_uid,
        transfer_syntax_uid=_EXPLICIT_LE,
    )
