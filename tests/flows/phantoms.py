"""Images whose every value and length is known, as files for the reading room to show."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

SIZE = 256
SPACING_MM = 0.7
BLOCK = 32  # each block of so many pixels has one value
SLICES = 12
VOLUME_SIZE, VOLUME_SLICES = 128, 40
CT, XC = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.77.1.4"
P3 = (200, 120, 100)  # in Display P3; in sRGB it is
IN_SRGB = (214, 116, 95)


def values(number: int) -> NDArray[np.int16]:
    """Return the stored values of a slice: 64 blocks, from -1024 HU up."""
    blocks = np.arange(64).reshape(8, 8) * 40 + number
    return np.kron(blocks, np.ones((BLOCK, BLOCK))).astype(np.int16)


def greys(hounsfield: NDArray[Any], center: float, width: float) -> NDArray[Any]:
    """Return what PS3.3 C.11.2.1.2.1 makes of values."""
    return np.clip(((hounsfield - (center - 0.5)) / (width - 1) + 0.5) * 255, 0, 255)


def write_series(folder: Path, study: str, **more: Any) -> None:
    """Write a CT series of blocks."""
    for number in range(1, SLICES + 1):
        ds = object_of(CT, study, number, Modality="CT", SeriesDescription="Phantom", **more)
        ds.PixelSpacing = [SPACING_MM, SPACING_MM]
        ds.ImagePositionPatient = [0, 0, number * 2.0]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.WindowCenter, ds.WindowWidth = 40, 400
        ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.Rows = ds.Columns = SIZE
        ds.PixelData = values(number).tobytes()
        ds["PixelData"].VR = "OW"
        write(ds, folder / f"{study}-{number:02}.dcm", ExplicitVRLittleEndian)


def volume_values(number: int) -> NDArray[np.int16]:
    """Return a slice of a volume: values rise evenly to the left, the back and the head of the
    patient, and a rod of 3,000 lies along the patient in the middle.
    """
    y, x = np.mgrid[0:VOLUME_SIZE, 0:VOLUME_SIZE]
    plain = 1000 + 2 * x + 4 * y + 8 * number
    rod = np.hypot(x - VOLUME_SIZE / 2, y - VOLUME_SIZE / 2) < 5
    return np.where(rod, 3000, plain).astype(np.int16)


def write_volume(folder: Path, study: str, *, without: int | None = None) -> None:
    """Write a CT series of slices that make a volume; or one with a slice missing."""
    for number in range(VOLUME_SLICES):
        if number == without:
            continue
        ds = object_of(CT, study, number + 1, Modality="CT", SeriesDescription="Volume")
        ds.PixelSpacing = [1.0, 1.0]
        ds.ImagePositionPatient = [-64.0, -64.0, number * 3.0]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.WindowCenter, ds.WindowWidth = 1000, 2000
        ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.Rows = ds.Columns = VOLUME_SIZE
        ds.PixelData = volume_values(number).tobytes()
        ds["PixelData"].VR = "OW"
        write(ds, folder / f"{study}-{number:02}.dcm", ExplicitVRLittleEndian)


def write_photograph(folder: Path, study: str, profile: bytes, **more: Any) -> None:
    """Write a photograph of one colour whose profile only the object has."""
    jpeg = io.BytesIO()
    Image.new("RGB", (640, 480), P3).save(jpeg, "JPEG", quality=98, subsampling=0)
    ds = object_of(XC, study, 1, Modality="XC", SeriesDescription="Photograph", **more)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "", "CLOSEUP"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "YBR_FULL_422", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.Rows, ds.Columns = 480, 640
    ds.ICCProfile = profile
    ds.LossyImageCompression = "01"
    ds.PixelData = encapsulate([jpeg.getvalue()])
    ds["PixelData"].VR = "OB"
    write(ds, folder / f"{study}.dcm", JPEGBaseline8Bit)


def display_p3() -> bytes:
    """Return a profile with the primaries of Display P3 and the curve of sRGB."""
    srgb = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    primaries = {
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
    }
    for i in range(int.from_bytes(srgb[128:132], "big")):
        at = 132 + 12 * i
        name, place = bytes(srgb[at : at + 4]), int.from_bytes(srgb[at + 4 : at + 8], "big")
        for k, value in enumerate(primaries.get(name, ())):
            fixed = round(value * 65536).to_bytes(4, "big", signed=True)
            srgb[place + 8 + 4 * k : place + 12 + 4 * k] = fixed
    return bytes(srgb)


def object_of(sop_class: str, study: str, number: int, **more: Any) -> Dataset:
    """Return an object of a study with what every object says."""
    ds = Dataset()
    told = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": sop_class,
        "SOPInstanceUID": f"{study}.1.{number}",
        "StudyInstanceUID": study,
        "SeriesInstanceUID": f"{study}.1",
        "PatientID": study,
        "PatientName": "Fantom^Ola",
        "PatientBirthDate": "19600102",
        "PatientSex": "M",
        "StudyDate": "20261123",
        "StudyTime": "101500",
        "StudyDescription": "Phantom",
        "AccessionNumber": "",
        "SeriesNumber": 1,
        "InstanceNumber": number,
        "ReasonForTheRequestedProcedure": "Is every value where it should be?",
    }
    for keyword, value in (told | more).items():
        setattr(ds, keyword, value)
    return ds


def write(ds: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> None:
    """Write an object as a file."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
