"""Compares the store with the index both ways: what is lost or damaged there, and what is unknown.

Reads whole packs, and what each says of itself; changes nothing but when a pack was last looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, and_, or_, select

from storage import copies, intents, pack_checks
from storage.archive import Archive
from storage.backup import backups, sha256_of_backup
from storage.database import chunks
from storage.erasure_tables import erasure_packs
from storage.objects import sha256_of_object
from storage.pack_reader import BrokenPack, Directory, PackReader
from storage.packs import sha256_of_key
from storage.soundness import fault_of_pack
from storage.tables import copies as copy_rows
from storage.tables import instances, packs


@dataclass
class Compared:
    """What is wrong with packs and backups as a whole."""

    checked: int = 0
    faults: dict[str, str] = field(default_factory=dict)  # packs, by key
    backups: list[str] = field(default_factory=list)  # damaged
    orphaned: list[str] = field(default_factory=list)  # packs without a row, members without one


def compare_packs(
    archive: Archive, faulty: Mapping[str, int], *, hashes: bool, study_uid: str | None
) -> Compared:
    """Look at the packs of a study or at all; without hashes at the listing only.

    `faulty` is how many instances of each pack were found wrong.
    """
    # first the listing, then the index: what is located meanwhile is known to both
    listed = _listed(archive, study_uid)
    with archive.database.read() as conn:
        of_series = _packs_of(conn, study_uid)
        known = of_series | _small_packs_of(conn, study_uid)
        expected = _all_known(conn) | intents.under_way(conn)
        expected |= set(conn.execute(select(erasure_packs.c.key)).scalars())
    found = Compared()
    for key, sha256 in sorted(known.items()):
        fault = fault_of_pack(archive, key, sha256 if hashes else None)
        found.checked += hashes
        if fault:
            found.faults[key] = fault
        elif hashes and key in of_series:
            found.orphaned += _strangers(archive, key)
        if fault or hashes:
            with archive.database.begin() as conn:
                pack_checks.note_check(
                    conn, key, fault=fault, faulty=faulty.get(key, 0), now=archive.clock()
                )
    if hashes and study_uid is None:
        found.backups = list(_damaged_backups(archive))
    strange = [key for key in sorted(listed.keys() - expected) if sha256_of_key(key)]
    if study_uid is not None:
        strange = [key for key in strange if _is_of(archive, key, listed[key], study_uid)]
    found.orphaned += strange
    return found


def _listed(archive: Archive, study_uid: str | None) -> dict[str, int]:
    """Return the objects of the store with their sizes, of a study those of its sites."""
    if study_uid is None:
        return {o.key: o.size_bytes for o in archive.store.list("v1/")}
    with archive.database.read() as conn:
        sites = conn.execute(
            select(instances.c.site).where(instances.c.study_uid == study_uid).distinct()
        ).scalars()
        found = sorted(sites)
    return {o.key: o.size_bytes for site in found for o in archive.store.list(f"v1/{site}/")}


def _packs_of(conn: Connection, study_uid: str | None) -> dict[str, str]:
    asked = select(packs.c.key, packs.c.sha256)
    if study_uid is not None:
        lies_there = select(instances.c.container).where(instances.c.study_uid == study_uid)
        asked = asked.where(or_(packs.c.study_uid == study_uid, packs.c.key.in_(lies_there)))
    return {row.key: row.sha256 for row in conn.execute(asked)}


def _small_packs_of(conn: Connection, study_uid: str | None) -> dict[str, str]:
    if study_uid is None:
        return {key: sha256_of_key(key) or "" for key in copies.containers(conn)}
    asked = (
        select(copy_rows.c.container)
        .join(
            instances,
            and_(
                instances.c.site == copy_rows.c.site,
                instances.c.sop_instance_uid == copy_rows.c.sop_instance_uid,
                instances.c.sha256 == copy_rows.c.sha256,
            ),
        )
        .where(instances.c.study_uid == study_uid)
        .distinct()
    )
    return {key: sha256_of_key(key) or "" for key in conn.execute(asked).scalars()}


def _all_known(conn: Connection) -> set[str]:
    return set(conn.execute(select(packs.c.key)).scalars()) | copies.containers(conn).keys()


def _strangers(archive: Archive, key: str) -> list[str]:
    """Return the members of a pack that the index does not know."""
    try:
        told = _directory(archive, key, archive.store.size(key))
    except BrokenPack as error:
        return [f"all of pack {key}, which {error}"]
    return [
        f"{site} {uid} in pack {key}"
        for site, uid in _unknown(
            archive, [(n.site, n.sop_instance_uid, n.sha256) for n in told.notes]
        )
    ]


def _unknown(
    archive: Archive, members: Sequence[tuple[str, str, str]]
) -> Iterator[tuple[str, str]]:
    known: set[tuple[str, str, str]] = set()
    name = (instances.c.site, instances.c.sop_instance_uid, instances.c.sha256)
    with archive.database.read() as conn:
        for some in chunks(members):
            uids = {uid for _, uid, _ in some}
            found = select(*name).where(instances.c.sop_instance_uid.in_(uids))
            known |= {(row[0], row[1], row[2]) for row in conn.execute(found)}
    for member in members:
        if member not in known:
            yield member[:2]


def _is_of(archive: Archive, key: str, size_bytes: int, study_uid: str) -> bool:
    """Tell whether a pack says that it is of a study; one that says nothing is of none."""
    try:
        return _directory(archive, key, size_bytes).study_uid == study_uid
    except BrokenPack:
        return False


def _directory(archive: Archive, key: str, size_bytes: int) -> Directory:
    return PackReader(archive.store, key, size_bytes).directory()


def _damaged_backups(archive: Archive) -> Iterator[str]:
    for kept in backups(archive.store):
        if sha256_of_object(archive.store, kept.key) != sha256_of_backup(kept.key):
            yield kept.key
