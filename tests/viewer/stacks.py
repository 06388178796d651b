"""Small series in several planes of one patient, now and a year before, for panes to compare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset

CT = "1.2.840.10008.5.1.4.1.1.2"
AXES = {
    "axial": [1, 0, 0, 0, 1, 0],
    "coronal": [1, 0, 0, 0, 0, -1],
    "sagittal": [0, 1, 0, 0, 0, -1],
}
SIDE_MM = 192.0  # of the cube that is imaged, from the corner of the patient's space


@dataclass(frozen=True)
class Stack:
    """One series through the cube."""

    number: int
    plane: str
    description: str
    slices: int
    size: int = 96
    from_mm: float = 0.0  # of the first slice along the plane's normal
    step_mm: float = 4.0
    modality: str = "CT"
    body_part: str = "HEAD"


@dataclass(frozen=True)
class Visit:
    """One study of a patient."""

    study: str
    patient: str
    day: str = "20261123"
    question: str = "Fall from ladder, on warfarin. Bleeding?"
    description: str = "CT Head"


def objects_of(visit: Visit, *stacks: Stack) -> Iterator[Dataset]:
    """Yield the objects of a study."""
    for stack in stacks:
        for n in range(stack.slices):
            away = stack.from_mm + n * stack.step_mm
            ds = _described(visit, stack, n + 1)
            ds.ImageOrientationPatient = AXES[stack.plane]
            ds.ImagePositionPatient = _origin(stack, away)
            ds.PixelSpacing = [SIDE_MM / stack.size] * 2
            ds.PixelData = _values(stack, away).tobytes()
            ds["PixelData"].VR = "OW"
            yield ds


def _origin(stack: Stack, away: float) -> list[float]:
    return {
        "axial": [0.0, 0.0, away],
        "coronal": [0.0, away, SIDE_MM],
        "sagittal": [away, 0.0, SIDE_MM],
    }[stack.plane]


def _values(stack: Stack, away: float) -> np.ndarray:
    """Return a head of sorts: a ball of brain in a shell of bone, cut where the slice lies."""
    at = (np.arange(stack.size) + 0.5) * SIDE_MM / stack.size - SIDE_MM / 2
    x, y = np.meshgrid(at, at)
    far = np.sqrt(x**2 + y**2 + (away - SIDE_MM / 2) ** 2)
    value = np.full(far.shape, -1000.0)
    value[far < 90] = 900
    value[far < 84] = 35 + 8 * np.sin(x / 9)[far < 84] * np.cos(y / 7)[far < 84]
    value[np.hypot(x - 30, y + 10) + abs(away - SIDE_MM / 2) < 20] = 70
    return (value + 1024).astype(np.int16)


def _described(visit: Visit, stack: Stack, number: int) -> Dataset:
    ds = Dataset()
    told = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": CT,
        "SOPInstanceUID": f"{visit.study}.{stack.number}.{number}",
        "StudyInstanceUID": visit.study,
        "SeriesInstanceUID": f"{visit.study}.{stack.number}",
        "FrameOfReferenceUID": f"{visit.study}.0",
        "PatientID": visit.patient,
        "PatientName": "Fantom^Ola",
        "PatientBirthDate": "19600102",
        "PatientSex": "M",
        "StudyDate": visit.day,
        "SeriesDate": visit.day,
        "StudyTime": "101500",
        "StudyDescription": visit.description,
        "AccessionNumber": "",
        "ReasonForTheRequestedProcedure": visit.question,
        "Modality": stack.modality,
        "SeriesNumber": stack.number,
        "SeriesDescription": stack.description,
        "BodyPartExamined": stack.body_part,
        "InstanceNumber": number,
        "SliceThickness": stack.step_mm,
        "WindowCenter": 40,
        "WindowWidth": 400,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 1,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": stack.size,
        "Columns": stack.size,
    }
    for keyword, value in told.items():
        setattr(ds, keyword, value)
    return ds
