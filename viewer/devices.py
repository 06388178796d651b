"""The page of a site's dermatoscopes and cameras: what there is, with a form to enrol one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from casework.devices import CONTACTS, IMMERSIONS, POLARIZATIONS, DeviceKind, EnrolledDevice
from casework.errors import Invalid, LysbroError
from casework.model import Role
from viewer.api.devices import enrol, retire
from viewer.error_words import error_in
from viewer.guard import current_actor, require_role
from viewer.languages import language
from viewer.services import required_devices
from viewer.texts import mark

bp = Blueprint("devices", __name__, url_prefix="/admin/devices")

_enrolling = require_role(Role.REFERRER, Role.ADMIN)
_FIELDS = (
    "name", "kind", "manufacturer", "model", "serial", "software", "polarization", "contact",
    "immersion", "magnification",
)  # fmt: skip
WORDS = {
    "dermatoscope": mark("Dermatoscope"),
    "camera": mark("Camera"),
    "POLARIZED": mark("polarized"),
    "NON_POLARIZED": mark("not polarized"),
    "CONTACT": mark("in contact"),
    "NON_CONTACT": mark("without contact"),
    "ULTRASOUND_GEL": mark("ultrasound gel"),
    "ALCOHOL": mark("alcohol"),
    "WATER": mark("water"),
    "MINERAL_OIL": mark("mineral oil"),
    "PLASTIC_CAP": mark("plastic cap"),
}


@bp.get("")
@_enrolling
def page() -> str:
    """Show the devices of the own site and the form."""
    return _page()


@bp.post("")
@_enrolling
def add() -> Response | tuple[str, int]:
    """Enrol a device; or show the form again as it was filled in, with the reason."""
    given = {name: request.form.get(name, "").strip()[:200] for name in _FIELDS}
    try:
        enrol(_device(given), current_actor())
    except LysbroError as error:
        return _page(message=error_in(error.message, language()), given=given), 422
    return redirect(url_for("devices.page"))


@bp.post("/<int:device_id>/retire")
@_enrolling
def take_out(device_id: int) -> Response:
    """Take a device out of use; pictures taken with it keep its name."""
    retire(device_id, current_actor())
    return redirect(url_for("devices.page"))


def _page(**more: Any) -> str:
    return render_template(
        "devices.html",
        devices=required_devices().listed(current_actor().site, retired=True),
        kinds=[kind.value for kind in DeviceKind],
        polarizations=POLARIZATIONS,
        contacts=CONTACTS,
        immersions=IMMERSIONS,
        device_words=WORDS,
        **({"given": {}, "message": ""} | more),
    )


def _device(given: dict[str, str]) -> EnrolledDevice:
    if given["kind"] not in list(DeviceKind):
        raise Invalid("Choose what it is: a dermatoscope or a camera.", code="device-field")
    told: dict[str, Any] = {
        **given,
        "kind": DeviceKind(given["kind"]),
        "magnification": _number(given["magnification"]),
    }
    return EnrolledDevice(site=current_actor().site, **told)


def _number(text: str) -> float | None:
    if not text:
        return None
    try:
        return float(text.replace(",", "."))
    except ValueError as error:
        raise Invalid("The magnification must be a number.", code="device-field") from error
