"""Decides which time an object carries: the camera's, else the phone's, else that of the case.

Reads no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from derm_capture.context import CaptureContext
from derm_capture.exif import Camera

_UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)
"""For a picture wrapped offline without any time: visibly none, and the same on every repeat."""


@dataclass(frozen=True)
class Times:
    """When the study began and the picture was taken, in the zone of the capture."""

    study: datetime
    taken: datetime

    @property
    def offset(self) -> str:
        """Return the offset from UTC as PS3.3 C.12.1.1.8 writes it, such as +0100."""
        return f"{self.taken:%z}"[:5]


def times_of(camera: Camera, context: CaptureContext) -> Times:
    """Return the times of an object; a camera that names no zone is in that of the practice."""
    zone = ZoneInfo(context.timezone)
    taken = camera.taken_at
    if taken is not None and taken.tzinfo is None:
        taken = taken.replace(tzinfo=zone)
    taken = taken or context.captured_at or context.study_at or _UNKNOWN
    return Times(study=(context.study_at or taken).astimezone(zone), taken=taken.astimezone(zone))
