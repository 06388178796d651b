"""Merges small packs of one series into a larger one, when they have become many and it is quiet.

The members are read back and hashed, the new pack is put and read back, and only then are they
located in it, in one transaction in which the old packs become copies that are superseded. Those
are removed after their grace as other copies are; nothing is deleted here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Connection, bindparam, delete, func, select, update

from casework.custody import CustodyEvent
from casework.errors import Unavailable
from storage import copies, custodian
from storage.archive import Archive
from storage.database import chunks
from storage.disk import free_bytes
from storage.intents import fulfilled
from storage.locate import Pack, keep_pack
from storage.packs import BuiltPack, Member, build_pack
from storage.putting import put_pack
from storage.rows import InstanceRow, instance_row
from storage.tables import IN_SPOOL, instances, packs
from storage.tables import copies as copy_rows
from storage.turns import Turns

log = structlog.get_logger()

_SMALL_PART = 4
"""A pack of at most this part of the largest is small: merging larger ones gains little."""


@dataclass(frozen=True)
class MergeRule:
    """When packs of a series are merged, and how large the pack may become."""

    packs: int = 0  # more small ones than these; 0: never
    quiet_s: float = 21600
    pack_bytes: int = 2 << 30
    pack_members: int = 4000
    turns: Turns | None = None  # where several nodes share the store, one at a time merges

    @property
    def small_bytes(self) -> int:
        """Return the size up to which a pack is small."""
        return self.pack_bytes // _SMALL_PART


@dataclass(frozen=True)
class _Scattered:
    """A series with many small packs, and those that fit into one."""

    site: str
    study_uid: str
    series_uid: str
    keys: tuple[str, ...]


def merge_next(archive: Archive, folder: Path, rule: MergeRule, *, now: datetime) -> int:
    """Merge the packs of one series that needs it; return how many became one.

    Called by the one who holds the packing lock.
    """
    if not rule.packs:
        return 0
    with archive.database.read() as conn:
        series = _next_scattered(conn, rule, now=now, room=free_bytes(folder) // 2)
        if series is None:
            return 0
        members = _members(conn, series.keys)
        ledgers = custodian.lines_of_each(conn, [m.pk for m in members])
    try:
        built = build_pack(
            folder,
            site=series.site,
            study_uid=series.study_uid,
            series_uid=series.series_uid,
            members=[Member(m, ledgers.get(m.pk, ())) for m in members],
            open_part10=archive.open_in_place,
            limits=archive.walk_limits,
        )
    except OSError as error:
        raise Unavailable(
            f"No pack can be written in {folder} ({error.strerror or error}). Look at that disk.",
            code="packing-failed",
        ) from error
    try:
        return _keep(archive, series, members, built, now=now)
    finally:
        built.path.unlink(missing_ok=True)


def _keep(
    archive: Archive,
    series: _Scattered,
    members: Sequence[InstanceRow],
    built: BuiltPack,
    *,
    now: datetime,
) -> int:
    if built.rotten:
        for instance in built.rotten:
            log.error(
                "hash_mismatch",
                sop=instance.sop_instance_uid,
                site=instance.site,
                pack=instance.location.container,
            )
        raise Unavailable(
            f"Packs of the series {series.series_uid} were not merged: {len(built.rotten)} of "
            "their objects cannot be read back whole. Run `lysbro verify --repair`.",
            code="merge-unsound",
        )
    pack = put_pack(
        archive,
        built,
        site=series.site,
        study_uid=series.study_uid,
        series_uid=series.series_uid,
        undone="Nothing was merged",
        now=now,
    )
    with archive.database.begin() as conn:
        _relocate(conn, pack, series.keys, members, built, now=now)
        fulfilled(conn, [built.key])
    log.info("merged", key=built.key, packs=len(series.keys), instances=len(members))
    return len(series.keys)


def _next_scattered(
    conn: Connection, rule: MergeRule, *, now: datetime, room: int
) -> _Scattered | None:
    """Return the series with the most small packs, when it has been quiet and nothing of it waits.

    Small packs that do not fit into one wait for the next time.
    """
    key = (packs.c.site, packs.c.study_uid, packs.c.series_uid)
    lie_there = select(func.count()).where(instances.c.container == packs.c.key).scalar_subquery()
    small = (
        packs.c.size_bytes <= rule.small_bytes,
        packs.c.fault == "",
        packs.c.verified_at.is_not(None),
        packs.c.instance_count == lie_there,  # else it may be the only whole copy of the others
    )
    many = (
        select(*key)
        .where(*small)
        .group_by(*key)
        .having(func.count() > rule.packs, func.max(packs.c.created_at) <= _quiet(rule, now))
        .order_by(func.count().desc(), *key)
    )
    for site, study_uid, series_uid in conn.execute(many):
        of_series = (
            instances.c.site == site,
            instances.c.study_uid == study_uid,
            instances.c.series_uid == series_uid,
        )
        is_moving = conn.execute(
            select(instances.c.pk).where(*of_series, instances.c.location == IN_SPOOL).limit(1)
        ).first()
        if is_moving:
            continue
        chosen: list[str] = []
        size = count = 0
        for row in conn.execute(
            select(packs.c.key, packs.c.size_bytes, packs.c.instance_count)
            .where(
                *small,
                packs.c.site == site,
                packs.c.study_uid == study_uid,
                packs.c.series_uid == series_uid,
            )
            .order_by(packs.c.size_bytes, packs.c.key)
        ):
            size += row.size_bytes
            count += row.instance_count
            if size > min(rule.pack_bytes, room) or count > rule.pack_members:
                break
            chosen.append(row.key)
        if len(chosen) > 1:
            return _Scattered(site, study_uid, series_uid, tuple(chosen))
    return None


def _quiet(rule: MergeRule, now: datetime) -> datetime:
    return now - timedelta(seconds=rule.quiet_s)


def _members(conn: Connection, keys: Sequence[str]) -> list[InstanceRow]:
    return [
        instance_row(row)
        for some in chunks(keys)
        for row in conn.execute(
            select(instances).where(instances.c.container.in_(some)).order_by(instances.c.pk)
        )
    ]


def _relocate(
    conn: Connection,
    pack: Pack,
    old: Sequence[str],
    members: Sequence[InstanceRow],
    built: BuiltPack,
    *,
    now: datetime,
) -> None:
    """Say that the members lie in the new pack, and that the old ones are copies to be removed."""
    if _members(conn, old) != list(members):
        raise Unavailable(
            f"Objects of the series {pack.series_uid} have moved while their packs were merged; "
            "it is tried again.",
            code="merge-overtaken",
        )
    keep_pack(conn, pack, count=len(members), now=now)
    conn.execute(
        update(instances).where(instances.c.pk == bindparam("of_pk")).values(container=pack.key),
        [{"of_pk": p.instance.pk, "offset": p.offset, "length": p.length} for p in built.placed],
    )
    detail = {"pack": pack.key}
    lines = [custodian.Line(m.pk, CustodyEvent.PACKED, now, detail) for m in members]
    lines += [
        custodian.Line(m.pk, CustodyEvent.VERIFIED, pack.verified_at, detail) for m in members
    ]
    custodian.write(conn, lines)
    copies.note(conn, [_as_copy(member) for member in members], now=now)
    for some in chunks(sorted(old)):
        conn.execute(delete(packs).where(packs.c.key.in_(some)))
        conn.execute(
            update(copy_rows)
            .where(copy_rows.c.container.in_(some), copy_rows.c.superseded_at.is_(None))
            .values(superseded_at=now)
        )


def _as_copy(member: InstanceRow) -> copies.Copy:
    where = member.location
    return copies.Copy(
        member.site,
        member.sop_instance_uid,
        member.sha256,
        where.container,
        where.offset,
        where.length,
        where.dataset_offset,
        member.kept_sha256,
    )
