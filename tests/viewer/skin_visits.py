"""Visits at which a lesion was photographed: through the API, and as objects that came by DICOM."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.retakes import RETAKES, Retake, gain, take_again
from casework.custody import Door, Origin
from casework.model import Patient
from derm_capture.context import CaptureContext, Kind, Lesion
from derm_capture.dicomize import wrap
from derm_capture.photo import open_photo
from derm_capture.raster import Pixels
from derm_capture.scale import Scale
from tests.derm_capture.pictures import jpeg
from tests.viewer.conftest import World

SAMPLES = Path(__file__).resolve().parents[2] / "lysbro" / "samples" / "photos"
FOREARM = "70559009"
NUMBER = "13116900216"
AGAIN = Retake("a year later", "mild", 12, 1.1, 0.04, 0.03, (gain(0.95, 1.05, 0.05),))


def sample(name: str = "dermoscopic.jpg") -> Pixels:
    return open_photo((SAMPLES / name).read_bytes()).working


def again(pixels: Pixels, how: Retake = AGAIN, *, seed: int = 4) -> tuple[Pixels, Any]:
    taken = take_again(pixels, how, seed=seed)
    return taken.pixels, taken.matrix


def as_jpeg(pixels: Pixels) -> bytes:
    return jpeg(pixels, exif=b"")


def upload(
    world: World, case_id: str, data: bytes, *, site: str = "fjord", **said: str
) -> dict[str, Any]:
    """Hand a photograph in by the API and return what became of it."""
    form = {
        "kind": "dermoscopic", "site_code": FOREARM, "laterality": "L", "lesion": "A",
        "photo": (io.BytesIO(data), "p.jpg"), **said,
    }  # fmt: skip
    answer = world.client(f"referrer@{site}").post(f"/api/cases/{case_id}/photos", data=form)
    assert answer.status_code == 201, answer.text
    return dict(answer.get_json())


def import_earlier(
    world: World,
    data: bytes,
    *,
    site: str = "fjord",
    day: date = date(2025, 1, 14),
    lesion: Lesion | None = None,
    kind: Kind = Kind.DERMOSCOPIC,
    number: str = NUMBER,
    issuer: str = "",
    mm_per_pixel: float | None = None,
    capture_id: str = "",
) -> str:
    """Take in an object of an earlier visit as it comes from elsewhere; return its UID."""
    at = datetime(day.year, day.month, day.day, 10, tzinfo=UTC)
    context = CaptureContext(
        patient=Patient(number, issuer, "Nordmann^Kari", date(1969, 11, 13), "F"),
        kind=kind,
        site_code=FOREARM,
        laterality="L",
        lesion=lesion,
        study_at=at,
        captured_at=at,
        capture_id=capture_id or f"{day}-{kind}-{site}",
    )
    scale = Scale(mm_per_pixel, 80, 1.0) if mm_per_pixel else None
    made = wrap(open_photo(data), context, scale=scale)
    origin = Origin(site=site, door=Door.IMPORT, association="test")
    world.parts.archive.receive_part10(made.part10, origin)
    world.parts.archive.settle()
    return made.sop_instance_uid


def ellipse(axes: tuple[int, int]) -> Pixels:
    """Return skin with a clear lesion of this size."""
    import cv2  # noqa: PLC0415

    rng = np.random.default_rng(2)
    pixels = np.full((480, 640, 3), (205, 165, 140), np.float32)
    cv2.ellipse(pixels, (320, 240), axes, 20, 0, 360, (90, 60, 45), -1, cv2.LINE_AA)
    pixels = cv2.GaussianBlur(pixels, (0, 0), 2) + rng.normal(0, 5, pixels.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8)


__all__ = [
    "AGAIN", "FOREARM", "NUMBER", "RETAKES", "again", "as_jpeg", "ellipse", "import_earlier",
    "sample", "upload",
]  # fmt: skip
