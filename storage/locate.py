"""Says where instances lie as they move from the spool into packs, and what waits to be moved.

Called by the mover, which writes and verifies the packs first. Touches no bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, or_, select, update

from casework.custody import CustodyEvent
from storage import copies, custodian
from storage.database import chunks, insert_if_absent
from storage.forms import Received
from storage.header import PixelLayout
from storage.packs import sha256_of_key
from storage.positions import lies_with
from storage.rows import InstanceRow, instance_row
from storage.tables import IN_PACK, IN_SPOOL, instances, packs
from storage.urgent import of_sites, series_asked_for


@dataclass(frozen=True)
class ReadySeries:
    """The instances of a series that wait in the spool, quarantined ones among them."""

    site: str
    study_uid: str
    series_uid: str
    instances: tuple[InstanceRow, ...]


@dataclass(frozen=True)
class Pack:
    """A pack that has been written to the store and read back."""

    key: str
    site: str
    study_uid: str
    series_uid: str
    sha256: str
    size_bytes: int
    verified_at: datetime


@dataclass(frozen=True)
class Form:
    """Another form than that in which an instance was received, as it lies in a pack."""

    transfer_syntax_uid: str
    size_bytes: int
    dataset_offset: int
    kept_sha256: str
    pixel: PixelLayout
    received: Received


@dataclass(frozen=True)
class Packed:
    """Where the Part 10 file of one instance lies in a pack, and in which form if another."""

    instance_pk: int
    offset: int
    length: int
    form: Form | None = None


@dataclass(frozen=True)
class LiveRecord:
    """An instance that a segment of the spool still has to keep."""

    instance_pk: int
    offset: int
    length: int


def series_ready_to_pack(
    conn: Connection,
    *,
    node: str | None,
    now: datetime,
    quiet_s: float,
    large_bytes: int | None,
    limit: int,
    sites: Collection[str] | None = None,
    but_sites: Collection[str] = (),
) -> list[ReadySeries]:
    """Return series in the spool that a commitment asks for, have been quiet, or have grown large.

    Those that are asked for come first, then the oldest. Of each only what lies with this node; of
    all sites, of some, or of all but some.
    """
    last_at = func.max(instances.c.received_at)
    ready = last_at <= now - timedelta(seconds=quiet_s)
    if large_bytes is not None:
        ready = or_(ready, func.sum(instances.c.length) >= large_bytes)
    keys = (instances.c.site, instances.c.study_uid, instances.c.series_uid)
    found = conn.execute(
        select(*keys)
        .where(instances.c.location == IN_SPOOL, lies_with(node), of_sites(sites, but_sites))
        .group_by(*keys)
        .having(ready)
        .order_by(last_at, *keys)
        .limit(limit)
    ).all()
    urgent = series_asked_for(conn, node=node, limit=limit, sites=sites, but_sites=but_sites)
    ready_keys = dict.fromkeys([*urgent, *((row[0], row[1], row[2]) for row in found)])
    return [ReadySeries(*key, _spooled(conn, node, *key)) for key in list(ready_keys)[:limit]]


def located(conn: Connection, pack: Pack, members: Sequence[Packed], *, now: datetime) -> int:
    """Say that instances lie in a verified pack now; return how many moved.

    One that has moved already stays where it is, so that doing this again is harmless.
    """
    spooled: set[int] = set()
    for some in chunks(sorted(member.instance_pk for member in members)):
        spooled |= set(
            conn.execute(
                select(instances.c.pk)
                .where(instances.c.pk.in_(some), instances.c.location == IN_SPOOL)
                .with_for_update()
            ).scalars()
        )
    moving = [member for member in members if member.instance_pk in spooled]
    if not moving:
        return 0
    keep_pack(conn, pack, count=len(members), now=now)
    place = update(instances).where(instances.c.pk == bindparam("of_pk"))
    place = place.values(location=IN_PACK, container=pack.key)
    for values in (_places(moving), _places_of_forms(moving)):
        if values:
            conn.execute(place, values)
    changed = [
        custodian.Line(
            m.instance_pk,
            CustodyEvent.RECOMPRESSED,
            m.form.received.recompressed_at,
            recompression_detail(m.form),
        )
        for m in moving
        if m.form is not None
    ]
    detail = {"pack": pack.key}
    packed = [custodian.Line(m.instance_pk, CustodyEvent.PACKED, now, detail) for m in moving]
    verified = [
        custodian.Line(m.instance_pk, CustodyEvent.VERIFIED, pack.verified_at, detail)
        for m in moving
    ]
    custodian.write(conn, changed + packed + verified)
    return len(moving)


def are_there(conn: Connection, pks: Sequence[int]) -> bool:
    """Tell whether instances still have their rows: an erasure may have taken some."""
    count = 0
    for some in chunks(pks):
        asked = select(func.count()).where(instances.c.pk.in_(some))
        count += int(conn.execute(asked).scalar_one())
    return count == len(pks)


def recompression_detail(form: Form | InstanceRow) -> dict[str, Any]:
    """Return what the ledger tells of a recompression: from what, to what, both hashes."""
    received = form.received
    if received is None:
        raise ValueError("an instance that is kept as it came")
    return {
        "from": received.transfer_syntax_uid,
        "to": form.transfer_syntax_uid,
        "received_bytes": received.size_bytes,
        "kept_bytes": form.size_bytes,
        "kept_sha256": form.kept_sha256,
        "restored_sha256": received.restored_sha256,
    }


def promote(conn: Connection, instance: InstanceRow, *, size_bytes: int, now: datetime) -> None:
    """Let a small pack, read back just now, be the place of one of its members for good.

    The instance is given in the form in which it lies there.
    """
    where = instance.location
    members = copies.containers(conn).get(where.container, 1)
    pack = Pack(
        key=where.container,
        site=instance.site,
        study_uid=instance.study_uid,
        series_uid=instance.series_uid,
        sha256=sha256_of_key(where.container) or "",
        size_bytes=size_bytes,
        verified_at=now,
    )
    keep_pack(conn, pack, count=members, now=now)
    conn.execute(
        update(instances)
        .where(instances.c.pk == instance.pk)
        .values(
            location=IN_PACK,
            container=where.container,
            offset=where.offset,
            length=where.length,
            dataset_offset=where.dataset_offset,
            **form_values(instance),
        )
    )


def form_of(instance: InstanceRow) -> Form | None:
    """Return the form in which a row says that its instance lies, or None when as it came."""
    if instance.received is None or instance.pixel is None:
        return None
    return Form(
        instance.transfer_syntax_uid,
        instance.size_bytes,
        instance.location.dataset_offset,
        instance.kept_sha256,
        instance.pixel,
        instance.received,
    )


def form_values(instance: InstanceRow) -> dict[str, Any]:
    """Return the columns that say in which form an instance lies."""
    return {
        "transfer_syntax_uid": instance.transfer_syntax_uid,
        "size_bytes": instance.size_bytes,
        "pixel": None if instance.pixel is None else instance.pixel.as_json(),
        "kept_sha256": instance.kept_sha256,
        "received": None if instance.received is None else instance.received.as_json(),
    }


def keep_pack(conn: Connection, pack: Pack, *, count: int, now: datetime) -> None:
    """Give a pack that was read back its row."""
    insert_if_absent(conn, packs, [_pack_values(pack, count=count, now=now)])


def live_records(conn: Connection, segment: str) -> list[LiveRecord]:
    """Return what a segment still has to keep; once there is nothing it may be released."""
    found = conn.execute(
        select(instances.c.pk, instances.c.offset, instances.c.length)
        .where(instances.c.location == IN_SPOOL, instances.c.container == segment)
        .order_by(instances.c.offset)
    )
    return [LiveRecord(row.pk, row.offset, row.length) for row in found]


def _places(moving: Sequence[Packed]) -> list[dict[str, Any]]:
    return [
        {"of_pk": m.instance_pk, "offset": m.offset, "length": m.length}
        for m in moving
        if m.form is None
    ]


def _places_of_forms(moving: Sequence[Packed]) -> list[dict[str, Any]]:
    return [
        {
            "of_pk": m.instance_pk,
            "offset": m.offset,
            "length": m.length,
            "dataset_offset": m.form.dataset_offset,
            "transfer_syntax_uid": m.form.transfer_syntax_uid,
            "size_bytes": m.form.size_bytes,
            "kept_sha256": m.form.kept_sha256,
            "pixel": m.form.pixel.as_json(),
            "received": m.form.received.as_json(),
        }
        for m in moving
        if m.form is not None
    ]


def _spooled(
    conn: Connection, node: str | None, site: str, study_uid: str, series_uid: str
) -> tuple[InstanceRow, ...]:
    found = conn.execute(
        select(instances)
        .where(
            instances.c.location == IN_SPOOL,
            lies_with(node),
            instances.c.site == site,
            instances.c.study_uid == study_uid,
            instances.c.series_uid == series_uid,
        )
        .order_by(instances.c.number.asc().nulls_last(), instances.c.pk)
    )
    return tuple(instance_row(row) for row in found)


def _pack_values(pack: Pack, *, count: int, now: datetime) -> dict[str, object]:
    return {
        "key": pack.key,
        "site": pack.site,
        "study_uid": pack.study_uid,
        "series_uid": pack.series_uid,
        "sha256": pack.sha256,
        "size_bytes": pack.size_bytes,
        "instance_count": count,
        "created_at": now,
        "verified_at": pack.verified_at,
        "checked_at": pack.verified_at,
    }
