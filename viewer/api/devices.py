"""The calls about the devices that a site takes pictures with: list, enrol, retire."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Blueprint, Response
from pydantic import Field

from casework.access import may_enrol_devices
from casework.devices import DeviceKind, EnrolledDevice
from casework.errors import Refused
from casework.model import Actor
from viewer.api.calls import Answer, Body, answer, describe, read_body
from viewer.guard import current_actor
from viewer.services import required_devices, services

bp = Blueprint("api_devices", __name__, url_prefix="/api")

_Text = Annotated[str, Field(max_length=64)]


class DeviceBody(Body):
    """A dermatoscope or a camera of the own site; a dermatoscope needs all that it is made of."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    kind: Literal["dermatoscope", "camera"]
    manufacturer: _Text = ""
    model: _Text = ""
    serial: _Text = ""
    software: _Text = ""
    polarization: Literal["", "POLARIZED", "NON_POLARIZED"] = ""
    contact: Literal["", "CONTACT", "NON_CONTACT"] = ""
    immersion: Literal["", "ULTRASOUND_GEL", "ALCOHOL", "WATER", "MINERAL_OIL", "PLASTIC_CAP"] = ""
    magnification: float | None = None

    def device(self, site: str) -> EnrolledDevice:
        """Return the device as casework knows one."""
        given = self.model_dump() | {"kind": DeviceKind(self.kind)}
        return EnrolledDevice(site=site, **given)


class DeviceShape(Answer):
    """A device of a site."""

    id: int
    site: str
    name: str
    kind: str
    manufacturer: str
    model: str
    serial: str
    software: str
    polarization: str
    contact: str
    immersion: str
    magnification: float | None
    in_use: bool

    @classmethod
    def of(cls, device: EnrolledDevice) -> DeviceShape:
        """Return the shape of a device."""
        names = cls.model_fields.keys() - {"in_use", "kind"}
        given = {name: getattr(device, name) for name in names}
        return cls(**given, kind=device.kind.value, in_use=device.is_in_use)


class DeviceList(Answer):
    """The devices of a site."""

    devices: list[DeviceShape]


@bp.get("/devices")
@describe("The devices in use at the own site", answers={200: DeviceList})
def list_devices() -> Response:
    """List what pictures may be said to be taken with: the own site's devices in use."""
    found = required_devices().listed(current_actor().site)
    return answer(DeviceList(devices=[DeviceShape.of(each) for each in found]))


@bp.post("/devices")
@describe("Enrol a device of the own site", body=DeviceBody, answers={201: DeviceShape})
def add_device() -> Response:
    """Enrol a device once, so that each picture taken with it can name it."""
    actor = require_may_enrol()
    added = enrol(read_body(DeviceBody).device(actor.site), actor)
    return answer(DeviceShape.of(added), 201)


@bp.post("/devices/<int:device_id>/retire")
@describe("Take a device of the own site out of use", answers={200: DeviceShape})
def retire_device(device_id: int) -> Response:
    """Take a device out of use; pictures taken with it keep its name. Again changes nothing."""
    actor = require_may_enrol()
    return answer(DeviceShape.of(retire(device_id, actor)))


def require_may_enrol() -> Actor:
    """Return who asks, or raise Refused when their role enrols no devices."""
    actor = current_actor()
    if not may_enrol_devices(actor):
        raise Refused(
            "Only those who refer, and administrators, enrol devices of their site.",
            code="wrong-role",
        )
    return actor


def enrol(device: EnrolledDevice, actor: Actor) -> EnrolledDevice:
    """Keep a device of the actor's site and note it in the audit."""
    added = required_devices().add(device, by=actor)
    services().ledger.append(
        None, actor=actor, action="device-added", subject=str(added.id), site=added.site
    )
    return added


def retire(device_id: int, actor: Actor) -> EnrolledDevice:
    """Take a device of the actor's site out of use and note it in the audit."""
    found = required_devices().retire(device_id, site=actor.site)
    if found.is_in_use:  # as it was before
        services().ledger.append(
            None, actor=actor, action="device-retired", subject=str(device_id), site=found.site
        )
    return required_devices().one(device_id, site=actor.site)
