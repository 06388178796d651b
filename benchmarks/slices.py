"""Makes a series of a noisy phantom for the benchmark of looking: no two slices are alike."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

SIDE = 512
NOISE_HU = 12.0
_NOISES = 16


def write_phantom(folder: Path, count: int) -> str:
    """Write a study of one CT series into a new folder; return its Study Instance UID."""
    folder.mkdir(parents=True)
    study = f"2.25.{uuid.uuid4().int}"
    series = f"{study}.1"
    random = np.random.default_rng(count)
    noises = [random.normal(0, NOISE_HU, (SIDE, SIDE)) for _ in range(_NOISES)]
    for number in range(1, count + 1):
        values = _slice(number / count) + np.roll(noises[number % _NOISES], number * 7)
        ds = _header(study, series, number, count)
        ds.PixelData = np.clip(values, 0, 4095).astype(np.uint16).tobytes()
        ds["PixelData"].VR = "OW"
        ds.save_as(folder / f"{number:05}.dcm", enforce_file_format=True)
    return str(study)


def _slice(height: float) -> NDArray[np.float64]:
    """Return stored values of a body with a spine, two lungs and a lump that moves."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    values = np.zeros((SIDE, SIDE))
    values[(x / 0.42) ** 2 + (y / 0.33) ** 2 < 1] = 1064
    for side in (-1, 1):
        values[((x - side * 0.2) / 0.13) ** 2 + (y / 0.22) ** 2 < 1] = 200
    values[x**2 + (y - 0.2) ** 2 < 0.04**2] = 1700
    middle = 0.25 * np.sin(2 * np.pi * height)
    values[(x - middle) ** 2 + (y + 0.05) ** 2 < 0.05**2] = 1090 + 40 * height
    return values + 30 * np.cos(9 * x) * np.sin(7 * y + 6 * height) * (values > 0)


def _header(study: str, series: str, number: int, count: int) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet, ds.ImageType = "ISO_IR 192", ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, f"{series}.{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber = "20260102", "101500", f"B{count}"
    ds.StudyID, ds.Modality, ds.Manufacturer = "1", "CT", "Phantom"
    ds.StudyDescription = ds.SeriesDescription = f"Phantom of {count} slices"
    ds.PatientName, ds.PatientID = f"Phantom^{count}", f"phantom-{count}"
    ds.PatientBirthDate, ds.PatientSex, ds.BodyPartExamined = "19700101", "O", "CHEST"
    ds.SeriesNumber, ds.InstanceNumber, ds.SliceThickness = 1, number, 1.0
    ds.ImagePositionPatient = [-180, -180, number * 1.0]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.FrameOfReferenceUID, ds.PixelSpacing = f"{study}.9", [0.7, 0.7]
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = 40, 400
    ds.Rows = ds.Columns = SIDE
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds
