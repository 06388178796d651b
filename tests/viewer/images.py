"""Builders of small images for the tests of the reading room."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from casework.model import (
    Case,
    CaseDossier,
    CaseState,
    Patient,
    Priority,
    Referral,
    Specialty,
    StudyOfCase,
)
from storage.header import PixelLayout
from storage.index import InstanceRow, Location

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
EXPLICIT = "1.2.840.10008.1.2.1"
CT = "1.2.840.10008.5.1.4.1.1.2"


def attributes_of(pixels: NDArray[Any], **more: Any) -> dict[str, Any]:
    """Return what a header says of an array."""
    bits = pixels.dtype.itemsize * 8
    return {
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": 3 if pixels.ndim == 3 else 1,
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": 1 if pixels.dtype.kind == "i" else 0,
        "PhotometricInterpretation": "RGB" if pixels.ndim == 3 else "MONOCHROME2",
        "Modality": "CT",
        **more,
    }


def gradient(rows: int = 16, columns: int = 24, kind: str = "int16") -> NDArray[Any]:
    """Return an image whose values all differ."""
    return (np.arange(rows * columns).reshape(rows, columns) - 100).astype(kind)


def row(uid: str = "1.2.3.1", **changes: Any) -> InstanceRow:
    """Return an instance as the index gives it; `attributes` are added to those of a CT slice."""
    attributes = attributes_of(gradient()) | {
        "SOPClassUID": CT,
        "SeriesNumber": 2,
        "SeriesDescription": "head",
        "PixelSpacing": [0.5, 0.5],
        "WindowCenter": 40,
        "WindowWidth": 80,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
    }
    attributes |= changes.pop("attributes", {})
    values: dict[str, Any] = {
        "pk": 1,
        "site": "hammer",
        "study_uid": "1.2.3",
        "series_uid": "1.2.3.0",
        "sop_instance_uid": uid,
        "sop_class_uid": CT,
        "transfer_syntax_uid": EXPLICIT,
        "sha256": "ab" * 32,
        "size_bytes": 1000,
        "number": 1,
        "rows": attributes["Rows"],
        "columns": attributes["Columns"],
        "frames": None,
        "attributes": {k: v for k, v in attributes.items() if v is not None},
        "pixel": PixelLayout(0, 100, encapsulated=False, frames=1),
        "location": Location("spool", "s", 0, 1000, 300),
        "state": "current",
        "received_at": NOW,
    }
    return InstanceRow(**(values | changes))


def dossier(specialty: Specialty = Specialty.RADIOLOGY) -> CaseDossier:
    """Return a case with one study."""
    case = Case(
        id="7K3M-2QXF",
        state=CaseState.SUBMITTED,
        specialty=specialty,
        priority=Priority.ROUTINE,
        site="hammer",
        site_name="Hammer sykehus",
        patient=Patient("1", name="A^B"),
        referral=Referral("Bleeding?"),
        created_at=NOW,
        version=1,
    )
    return CaseDossier(case, studies=(StudyOfCase("1.2.3", "hammer"),))
