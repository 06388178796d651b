"""Decides what an object names as its equipment: the enrolled device, or what the picture says.

Writes no attribute.
"""

from __future__ import annotations

from dataclasses import dataclass

from derm_capture.context import Device
from derm_capture.exif import Camera


@dataclass(frozen=True)
class Made:
    """What took a picture, as an object names it; empty where nobody knows."""

    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    software: str = ""

    def __bool__(self) -> bool:
        return any((self.manufacturer, self.model, self.serial, self.software))

    def filled_from(self, other: Made) -> Made:
        """Return this, with the other's values where it has none."""
        return Made(
            self.manufacturer or other.manufacturer,
            self.model or other.model,
            self.serial or other.serial,
            self.software or other.software,
        )


@dataclass(frozen=True)
class Equipment:
    """What an object names: the device, and the camera behind it when that is another one."""

    device: Made
    behind: Made | None = None


def made_with(device: Device, camera: Camera, *, is_dermoscopic: bool) -> Equipment:
    """Return the equipment of a picture.

    A dermatoscope goes before the telephone that it sits on, which is named beside it. Of a camera
    the picture knows more than a register: what it says counts, and the register fills the rest
    only where it is of the same model. A serial number never gets to another model.
    """
    told = Made(device.manufacturer, device.model, device.serial, device.software)
    seen = Made(camera.make, camera.model, camera.serial, camera.software)
    if device.is_camera:
        same = not seen.model or _alike(seen.model, told.model)
        return Equipment(seen.filled_from(told) if same else seen)
    if is_dermoscopic and (told.model or told.manufacturer):
        return Equipment(told, behind=seen if seen and seen != told else None)
    return Equipment(told.filled_from(seen))


def _alike(one: str, other: str) -> bool:
    return one.casefold().split() == other.casefold().split()
