"""Decides which time an object carries: the camera's, else the phone's, else that of the case.

Reads no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from derm_capture.context import CaptureContext
from derm_capture.exif import Camera

_ZERO = timedelta()
_UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)
"""For a picture wrapped offline without any time: visibly none, and the same on every repeat."""


@dataclass(frozen=True)
class Times:
    """When the study began and the picture was taken, in the zone of the capture."""

    study: datetime
    taken: datetime

    @property
    def content(self) -> datetime:
        """Return when it was taken, on the clock by which the study's times are told."""
        return self.taken.astimezone(timezone(self.study.utcoffset() or _ZERO))

    @property
    def offset(self) -> str:
        """Return the offset from UTC of the object's times (PS3.3 C.12.1.1.8), such as +0100.

        One for all of them: a picture of a later season is told on the study's clock.
        """
        return f"{self.study:%z}"[:5]

    @property
    def acquired(self) -> str:
        """Return when it was taken with the offset of that moment (VR DT)."""
        return f"{self.taken:%Y%m%d%H%M%S%z}"[:19]


def times_of(camera: Camera, context: CaptureContext) -> Times:
    """Return the times of an object; a camera that names no zone is in that of the practice."""
    zone = ZoneInfo(context.timezone)
    taken = camera.taken_at
    if taken is not None and taken.tzinfo is None:
        taken = taken.replace(tzinfo=zone)
    taken = taken or context.captured_at or context.study_at or _UNKNOWN
    return Times(study=(context.study_at or taken).astimezone(zone), taken=taken.astimezone(zone))
