"""Short ways from a picture to a wrapped object and back, for the tests."""

from __future__ import annotations

import io
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from pydicom.dataset import FileDataset
from pydicom.encaps import generate_fragments

from casework.model import Patient
from derm_capture.context import CaptureContext, Kind
from derm_capture.dicomize import Wrapped, wrap
from derm_capture.photo import open_photo
from derm_capture.raster import Pixels
from derm_capture.stored import JPEG_LS_LOSSLESS

CHIN, FOREARM = "23747009", "70559009"
PATIENT = Patient(
    "13886512345", "2.16.578.1.12.4.1.4.1", "LUNDE^MÁRJÁ ØYGUNN", date(1971, 6, 18), "F"
)
MADE = datetime(2026, 2, 3, 9, 30, tzinfo=UTC)


def context(**given: Any) -> CaptureContext:
    fields = {
        "patient": PATIENT,
        "kind": Kind.CLOSEUP,
        "site_code": CHIN,
        "study_uid": "2.25.1000",
        "study_at": MADE,
        "case_id": "7K3M-2QXF",
        "capture_id": "photo-1",
    }
    return CaptureContext(**(fields | given))


def wrapped(data: bytes, **given: Any) -> Wrapped:
    return wrap(open_photo(data), context(**given))


def read(made: Wrapped) -> FileDataset:
    return pydicom.dcmread(io.BytesIO(made.part10))


def stream_of(made: Wrapped) -> bytes:
    return list(generate_fragments(read(made).PixelData))[1]


def pixels_of(made: Wrapped) -> Pixels:
    """Return what a decoder makes of the object, as RGB; pydicom brings none for JPEG-LS."""
    if made.transfer_syntax_uid == JPEG_LS_LOSSLESS:
        return np.asarray(imagecodecs.jpegls_decode(stream_of(made)), dtype=np.uint8)
    array = pydicom.pixels.pixel_array(io.BytesIO(made.part10))
    return np.asarray(array if array.ndim == 3 else np.stack([array] * 3, axis=-1), dtype=np.uint8)


def dciodvfy(made: Wrapped, folder: Path) -> list[str]:
    """Return the lines of the checker that begin with Error or Warning."""
    path = folder / "object.dcm"
    path.write_bytes(made.part10)
    run = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    lines = (run.stdout + run.stderr).splitlines()
    return [line for line in lines if line.startswith(("Error", "Warning"))]
