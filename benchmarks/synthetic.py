"""Makes DICOM objects for a benchmark: CT slices of noise, each under UIDs of its own."""

from __future__ import annotations

import io
import uuid
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

_STUDY, _SERIES, _INSTANCE = (f"2.25.{digit * 39}" for digit in "123")
_NUMBER = b"IS\x06\x0099999 "  # the instance number of the template, as it is encoded


def write_series(folder: Path, count: int, side: int) -> int:
    """Write a series of slices of `side` x `side` x 16 bit into a new folder; return its bytes."""
    folder.mkdir(parents=True)
    template = _template(side)
    study, series = _new_uid(), _new_uid()
    template = template.replace(_STUDY.encode(), study).replace(_SERIES.encode(), series)
    for number in range(count):
        content = template.replace(_INSTANCE.encode(), _new_uid())
        content = content.replace(_NUMBER, _NUMBER.replace(b"99999", f"{number + 1:05}".encode()))
        (folder / f"{number:05}.dcm").write_bytes(content)
    return len(template) * count


def _new_uid() -> bytes:
    """Return a UID of the 2.25 arc with a fixed length (PS3.5 section B.2)."""
    number = uuid.uuid4().int % 9 * 10**38 + 10**38 + uuid.uuid4().int % 10**38
    return f"2.25.{number}".encode()


def _template(side: int) -> bytes:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, _INSTANCE
    ds.StudyInstanceUID, ds.SeriesInstanceUID = _STUDY, _SERIES
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber, ds.StudyID = "20260102", "101500", "B1", "1"
    ds.Modality, ds.Manufacturer, ds.StudyDescription = "CT", "Noise", "Benchmark"
    ds.PatientName, ds.PatientID = "Benchmark^Noise", "bench-1"
    ds.PatientBirthDate, ds.PatientSex = "19700101", "O"
    ds.SeriesNumber, ds.InstanceNumber, ds.SliceThickness = 1, 99999, 1.0
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.RescaleIntercept, ds.RescaleSlope = [0.5, 0.5], -1024, 1
    ds.Rows = ds.Columns = side
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    noise = np.random.default_rng(side).integers(0, 4096, side * side, dtype=np.uint16)
    ds.PixelData = noise.tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
