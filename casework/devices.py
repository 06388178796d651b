"""Says what a site's register knows of a dermatoscope or a camera, and judges what is entered.

Keeps nothing, and knows nothing of pictures.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

from casework.errors import Invalid

_MOST_CHARACTERS = 64  # VR LO (PS3.5 section 6.2), counted as old checkers do: in bytes
_MOST_MAGNIFICATION = 1000.0
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\\]")


class DeviceKind(StrEnum):
    """What a device takes pictures as."""

    DERMATOSCOPE = "dermatoscope"
    CAMERA = "camera"


POLARIZATIONS = ("POLARIZED", "NON_POLARIZED")
CONTACTS = ("CONTACT", "NON_CONTACT")
IMMERSIONS = ("ULTRASOUND_GEL", "ALCOHOL", "WATER", "MINERAL_OIL", "PLASTIC_CAP")
"""Enumerated values of PS3.3 C.8.12.13; empty: not known, or it can be switched."""


@dataclass(frozen=True, kw_only=True)
class EnrolledDevice:
    """A device that a site has said it takes pictures with."""

    id: int = 0
    site: str = ""
    name: str  # what people of the site call it
    kind: DeviceKind
    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    software: str = ""
    polarization: str = ""
    contact: str = ""
    immersion: str = ""
    magnification: float | None = None
    retired_at: datetime | None = None

    @property
    def is_in_use(self) -> bool:
        """Tell whether pictures may still be said to be taken with it."""
        return self.retired_at is None


def checked(device: EnrolledDevice) -> EnrolledDevice:
    """Return a device with its texts trimmed, or raise Invalid when an object could not say it.

    A dermatoscope needs manufacturer, model, serial number and software: the Enhanced General
    Equipment module (PS3.3 C.7.5.2) has them as type 1, and nobody is asked again at a picture.
    """
    given = {each.name: getattr(device, each.name) for each in fields(device)}
    given |= {name: text.strip() for name, text in given.items() if type(text) is str}
    found = EnrolledDevice(**given)
    needed = ["name"]
    if found.kind is DeviceKind.DERMATOSCOPE:
        needed += ["manufacturer", "model", "serial", "software"]
    if missing := [name for name in needed if not given[name]]:
        raise Invalid(
            f"The device lacks {', '.join(missing)}. Read it off the device; write 'none' where "
            "it has none.",
            code="device-incomplete",
        )
    for name in ("name", "manufacturer", "model", "serial", "software"):
        if len(given[name].encode()) > _MOST_CHARACTERS or _UNWRITABLE.search(given[name]):
            raise Invalid(
                f"{name}: at most {_MOST_CHARACTERS} characters, no backslash.",
                code="device-field",
            )
    _require_one_of("polarization", found.polarization, POLARIZATIONS)
    _require_one_of("contact", found.contact, CONTACTS)
    _require_one_of("immersion", found.immersion, IMMERSIONS)
    if found.kind is DeviceKind.CAMERA and (
        found.polarization or found.contact or found.immersion or found.magnification
    ):
        raise Invalid(
            "Polarization, contact, immersion and magnification belong to a dermatoscope.",
            code="device-field",
        )
    if found.immersion and found.contact != "CONTACT":
        raise Invalid(
            "An immersion fluid goes with contact only: choose CONTACT, or leave it out.",
            code="device-field",
        )
    if found.magnification is not None and not 0 < found.magnification <= _MOST_MAGNIFICATION:
        raise Invalid(
            f"magnification: give a number above 0, {_MOST_MAGNIFICATION:g} at most.",
            code="device-field",
        )
    return found


def _require_one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value and value not in known:
        raise Invalid(f"{name}: give one of {', '.join(known)}, or nothing.", code="device-field")
