"""Keeps which dermatoscopes and cameras a site takes pictures with.

`casework.devices` judges what is entered; who may enter it is asked of `casework.access`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from casework.devices import DeviceKind, EnrolledDevice, checked
from casework.errors import Conflict, Invalid, NotFound
from casework.model import Actor
from storage.casebook_tables import sites
from storage.database import Database
from storage.photo_tables import devices

_FIELDS = tuple(name for name in EnrolledDevice.__dataclass_fields__ if name not in {"id"})


class Devices:
    """The devices of the sites of one exchange."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def add(self, device: EnrolledDevice, *, by: Actor) -> EnrolledDevice:
        """Enrol a device and return it with its number; raise when it cannot be."""
        found = checked(device)
        values = {name: getattr(found, name) for name in _FIELDS}
        values |= {"kind": found.kind.value, "retired_at": None}
        with self._database.begin() as conn:
            if conn.execute(select(sites.c.slug).where(sites.c.slug == found.site)).first() is None:
                raise Invalid(f"There is no site {found.site}.", code="no-such-site")
            same = select(devices.c.id).where(
                devices.c.site == found.site,
                devices.c.name == found.name,
                devices.c.retired_at.is_(None),
            )
            if conn.execute(same).first() is not None:
                raise Conflict(
                    f"{found.site} has a device {found.name} already. Give another name, or retire "
                    "the other first.",
                    code="device-known",
                )
            made = conn.execute(
                insert(devices)
                .values(**values, added_at=self._clock(), added_by=by.id)
                .returning(devices)
            )
            return _as_device(made.one())

    def retire(self, device_id: int, *, site: str | None = None) -> EnrolledDevice:
        """Take a device out of use and return it as it was; with `site`, only one of that site is
        there at all.
        """
        with self._database.begin() as conn:
            found = _device(conn, device_id, site)
            if found is None:
                raise _no_device(device_id)
            if found.is_in_use:
                conn.execute(
                    update(devices)
                    .where(devices.c.id == device_id)
                    .values(retired_at=self._clock())
                )
            return found

    def one(self, device_id: int, *, site: str) -> EnrolledDevice:
        """Return a device of a site, in use or retired, or raise NotFound."""
        with self._database.read() as conn:
            found = _device(conn, device_id, site)
        if found is None:
            raise _no_device(device_id)
        return found

    def listed(self, site: str | None = None, *, retired: bool = False) -> Sequence[EnrolledDevice]:
        """Return devices by site and name: of one site or of all, those in use or all there were.

        Dermatoscopes come first: theirs is the picture that cannot do without.
        """
        wanted = [] if site is None else [devices.c.site == site]
        if not retired:
            wanted.append(devices.c.retired_at.is_(None))
        asked = (
            select(devices)
            .where(*wanted)
            .order_by(devices.c.site, devices.c.kind.desc(), devices.c.name, devices.c.id)
        )
        with self._database.read() as conn:
            return [_as_device(row) for row in conn.execute(asked)]

    def in_use(self, device_id: int, *, site: str) -> EnrolledDevice:
        """Return a device in use of a site, or raise NotFound: another site's does not exist."""
        found = self.one(device_id, site=site)
        if not found.is_in_use:
            raise _no_device(device_id)
        return found


def _device(conn: Connection, device_id: int, site: str | None) -> EnrolledDevice | None:
    wanted = [devices.c.id == device_id]
    if site is not None:
        wanted.append(devices.c.site == site)
    row = conn.execute(select(devices).where(*wanted)).one_or_none()
    return None if row is None else _as_device(row)


def _no_device(device_id: int) -> NotFound:
    return NotFound(
        f"There is no device {device_id} in use here. Choose one of the list, or enrol it.",
        code="no-such-device",
    )


def _as_device(row: Row[Any]) -> EnrolledDevice:
    found = row._mapping
    values = {name: found[name] for name in (*_FIELDS, "id")}
    return EnrolledDevice(**values | {"kind": DeviceKind(found["kind"])})
