"""Small objects made for a test."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from casework.custody import Door, Origin

CT = "1.2.840.10008.5.1.4.1.1.2"
SC = "1.2.840.10008.5.1.4.1.1.7"
ORIGIN = Origin(site="hammer", door=Door.IMPORT)


def ct(instance: str, *, study: str = "1.2.1", series: str = "1.2.2", **values: Any) -> Dataset:
    """Return a CT slice of four pixels with the attributes that a query asks for."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = CT, instance
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.PatientID, ds.PatientName = "hammer-1", "Bjørnson^Åse"
    ds.PatientBirthDate, ds.PatientSex = "19550214", "F"
    ds.StudyDate, ds.StudyTime, ds.StudyID = "20260102", "101500", "S1"
    ds.AccessionNumber, ds.Modality, ds.SeriesNumber = "A1", "CT", 1
    ds.InstanceNumber = 1
    ds.Rows = ds.Columns = 2
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    ds.PixelData = bytes(range(8))
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def part10(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Return the Part 10 file of a data set."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        ds.SOPClassUID,
        ds.SOPInstanceUID,
    )
    meta.TransferSyntaxUID = UID(syntax)
    ds.file_meta = meta
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
