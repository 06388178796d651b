"""Wires the photograph intake to the web application, whose `PhotoDoor` it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from casework.custody import Door, Origin
from casework.errors import Invalid
from casework.identifiers import derived_uid
from casework.model import Actor, Case
from derm_capture import anatomy, intake, photo, quality
from derm_capture.dicomize import CaptureContext
from lysbro.wiring import Parts


class PhotoIntake:
    """Judges and takes photographs for the capture pages."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        settings = parts.settings
        self._limits = photo.PhotoLimits(max_bytes=settings.max_photo_bytes, max_pixels=settings.max_photo_pixels)

    def assess(self, data: bytes) -> list[dict[str, Any]]:
        """Return the advice on a photograph; raise Invalid when it is none."""
        return [asdict(advice) for advice in quality.assess(photo.open_photo(data, limits=self._limits))]
