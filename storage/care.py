"""Looks after what is kept: hashes every object again, compares store and index both ways.

Deletes nothing. A repair points an instance back at a record that still lies whole in the spool,
which the mover then packs again, or else at a copy of it in the store.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import SystemRandom
from typing import Protocol

import structlog
from sqlalchemy import select, update

from casework.custody import CustodyEvent
from casework.errors import Invalid, NotFound, Unavailable
from storage import copies, intents, pack_checks
from storage.archive import Archive
from storage.backup import backups, sha256_of_backup
from storage.custodian import Line, write
from storage.journal import Entry, new_digest, payload_is_whole, scan
from storage.locate import form_values, promote
from storage.mover import packing_lock
from storage.objects import sha256_of_object
from storage.packs import sha256_of_key
from storage.rows import InstanceRow, instance_row
from storage.segments import read_segment_header, segment_paths
from storage.tables import IN_SPOOL, instances, packs

log = structlog.get_logger()

MISSING, CORRUPT, UNREADABLE = "missing", "corrupt", "unreadable"
"""What can be wrong with the bytes of an instance that are read back."""

_PAGE = 500
_CHUNK = 1 << 20


@dataclass(frozen=True)
class VerifyReport:
    """What is wrong between the index, the spool and the store. Names are for an operator."""

    checked: int = 0
    missing: tuple[str, ...] = ()  # in the index, but the bytes are not there
    corrupt: tuple[str, ...] = ()  # the bytes are there and do not have their hash
    orphaned: tuple[str, ...] = ()  # in the store, but not in the index
    repaired: tuple[str, ...] = ()  # of the missing and corrupt, found whole elsewhere

    @property
    def is_clean(self) -> bool:
        """Tell whether every object that is promised is there and whole."""
        return not self.missing and not self.corrupt


class Progress(Protocol):
    """Hears how far a verification is."""

    def __call__(self, *, done: int, total: int) -> None:
        """Hear that `done` of `total` instances are checked."""
        ...


def verify(
    archive: Archive,
    *,
    study_uid: str | None = None,
    sample: int | None = None,
    repair: bool = False,
    progress: Progress | None = None,
) -> VerifyReport:
    """Hash every object again against the index, and the store against it; one study or all.

    Of a sample, so many objects by chance are hashed, and the store is compared by its listing.
    """
    checked = 0
    bad: list[tuple[InstanceRow, str]] = []
    keys = _keys(archive, study_uid)
    if sample is not None and sample < len(keys):
        keys = [keys[i] for i in sorted(SystemRandom().sample(range(len(keys)), sample))]
    for instance in _instances(archive, keys):
        fault = fault_of(archive, instance)
        checked += 1
        if fault:
            bad.append((instance, fault))
        if progress is not None:
            progress(done=checked, total=len(keys))
    missing = [_name(i) for i, fault in bad if fault == MISSING]
    corrupt = [_name(i) for i, fault in bad if fault != MISSING]
    orphaned: list[str] = []
    if study_uid is None:
        faulty = Counter(i.location.container for i, _ in bad)
        lost, rotten, orphaned = _compare_packs(archive, faulty, hashes=sample is None)
        missing += lost
        corrupt += rotten
    repaired = _repair(archive, [i for i, _ in bad]) if repair and bad else []
    log.info(
        "verified",
        checked=checked,
        missing=len(missing),
        corrupt=len(corrupt),
        orphaned=len(orphaned),
        repaired=len(repaired),
    )
    return VerifyReport(checked, tuple(missing), tuple(corrupt), tuple(orphaned), tuple(repaired))


def fault_of(archive: Archive, instance: InstanceRow) -> str:
    """Read an instance back where it lies and return what is wrong with it, or nothing."""
    digest = new_digest(instance.transfer_syntax_uid)
    size = 0
    try:
        with archive.open_in_place(instance) as stream:
            stream.read(instance.location.dataset_offset)
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except NotFound:
        return MISSING
    except (OSError, Unavailable):
        return UNREADABLE
    if digest.hexdigest() != instance.bytes_sha256 or size != instance.size_bytes:
        return CORRUPT
    return _fault_when_restored(archive, instance)


def _fault_when_restored(archive: Archive, instance: InstanceRow) -> str:
    """Return what is wrong with what a recompressed instance gives back, or nothing."""
    received = instance.received
    if received is None:
        return ""
    digest = new_digest(received.restored_syntax)
    try:
        with archive.open_dataset_as_received(instance) as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except Invalid:
        return CORRUPT
    except NotFound:
        return MISSING
    except (OSError, Unavailable):
        return UNREADABLE
    return "" if digest.hexdigest() == received.restored_sha256 else CORRUPT


def _compare_packs(
    archive: Archive, faulty: Mapping[str, int], *, hashes: bool
) -> tuple[list[str], list[str], list[str]]:
    """Return packs that are not in the store, those with other bytes, and objects without a row."""
    # first the listing, then the index: what is located meanwhile is known to both
    listed = {o.key for o in archive.store.list("v1/")}
    with archive.database.read() as conn:
        known = {row.key: row.sha256 for row in conn.execute(select(packs.c.key, packs.c.sha256))}
        known |= {key: sha256_of_key(key) or "" for key in copies.containers(conn)}
        expected = known.keys() | intents.under_way(conn)
    lost: list[str] = []
    rotten: list[str] = []
    for key, sha256 in sorted(known.items()):
        fault = _fault_of_pack(archive, key, sha256 if hashes else None)
        if fault:
            (lost if fault == MISSING else rotten).append(f"pack {key}")
        if fault or hashes:
            with archive.database.begin() as conn:
                pack_checks.note_check(
                    conn, key, fault=fault, faulty=faulty.get(key, 0), now=archive.clock()
                )
    for kept in backups(archive.store) if hashes else ():
        if sha256_of_object(archive.store, kept.key) != sha256_of_backup(kept.key):
            rotten.append(f"backup {kept.key}")
    orphaned = [key for key in sorted(listed - expected) if sha256_of_key(key)]
    return lost, rotten, orphaned


def _fault_of_pack(archive: Archive, key: str, sha256: str | None) -> str:
    """Return what is wrong with a pack as a whole; without a hash, whether it is there."""
    try:
        if sha256 is None:
            return "" if archive.store.exists(key) else MISSING
        return "" if sha256_of_object(archive.store, key) == sha256 else CORRUPT
    except NotFound:
        return MISSING


def _repair(archive: Archive, bad: list[InstanceRow]) -> list[str]:
    """Point instances back at whole records of the spool, else at copies, where there are any."""
    repaired = []
    with packing_lock(archive.data, wait=True):
        whole = _whole_records(archive, {(i.site, i.sop_instance_uid, i.sha256) for i in bad})
        for instance in bad:
            found = whole.get((instance.site, instance.sop_instance_uid, instance.sha256))
            if found is None:
                if _repair_from_copy(archive, instance):
                    repaired.append(_name(instance))
                continue
            segment, entry = found
            now = archive.clock()
            with archive.database.begin() as conn:
                conn.execute(
                    update(instances)
                    .where(instances.c.pk == instance.pk)
                    .values(
                        location=IN_SPOOL,
                        container=segment,
                        offset=entry.payload_offset,
                        length=entry.header.payload_bytes,
                        dataset_offset=entry.header.dataset_offset,
                        **form_values(instance.as_received()),
                    )
                )
                detail = {"repaired_from": "spool", "was_in": instance.location.container}
                write(conn, [Line(instance.pk, CustodyEvent.VERIFIED, now, detail)])
            repaired.append(_name(instance))
            log.info("repaired", sop=instance.sop_instance_uid, segment=segment)
    return repaired


def _repair_from_copy(archive: Archive, instance: InstanceRow) -> bool:
    """Let the copy of an object be its place, and the copy's pack a pack like others."""
    now = archive.clock()
    moved = _in_copy(archive, instance) or _in_copy(archive, instance.as_received())
    if moved is None:
        return False
    place = moved.location
    with archive.database.begin() as conn:
        promote(conn, moved, size_bytes=archive.store.size(place.container), now=now)
        detail = {"repaired_from": "copy", "was_in": instance.location.container}
        write(conn, [Line(instance.pk, CustodyEvent.VERIFIED, now, detail)])
    log.info("repaired", sop=instance.sop_instance_uid, copy=place.container)
    return True


def _in_copy(archive: Archive, instance: InstanceRow) -> InstanceRow | None:
    """Return the instance as it lies whole in a copy of its form, or None."""
    key = (instance.site, instance.sop_instance_uid, instance.sha256)
    with archive.database.read() as conn:
        place = copies.place_of(conn, key, kept_sha256=instance.kept_sha256)
    if place is None:
        return None
    moved = replace(instance, location=place)
    return None if fault_of(archive, moved) else moved


def _whole_records(
    archive: Archive, wanted: set[tuple[str, str, str]]
) -> dict[tuple[str, str, str], tuple[str, Entry]]:
    """Return records of the spool that are the wanted objects and have their hash."""
    found: dict[tuple[str, str, str], tuple[str, Entry]] = {}
    for path in segment_paths(archive.spool.folder):
        try:
            descriptor = archive.spool.open(path.name)
        except NotFound:
            continue
        try:
            for key, entry in _entries(descriptor):
                if key in wanted and key not in found and payload_is_whole(descriptor, entry):
                    found[key] = (path.name, entry)
        finally:
            os.close(descriptor)
    return found


def _entries(descriptor: int) -> Iterator[tuple[tuple[str, str, str], Entry]]:
    header = read_segment_header(descriptor)
    if header is None:
        return
    for part in scan(descriptor, nonce=header.nonce, size=os.fstat(descriptor).st_size):
        if isinstance(part, Entry):
            told = part.header
            yield (told.origin.site, told.sop_instance_uid, told.sha256), part


def _keys(archive: Archive, study_uid: str | None) -> list[int]:
    """Return the instances in the order in which their bytes lie."""
    statement = select(instances.c.pk).order_by(
        instances.c.location, instances.c.container, instances.c.offset
    )
    if study_uid is not None:
        statement = statement.where(instances.c.study_uid == study_uid)
    with archive.database.read() as conn:
        return list(conn.execute(statement).scalars())


def _instances(archive: Archive, keys: Sequence[int]) -> Iterator[InstanceRow]:
    for start in range(0, len(keys), _PAGE):
        page = keys[start : start + _PAGE]
        with archive.database.read() as conn:
            rows = conn.execute(select(instances).where(instances.c.pk.in_(page)))
            by_pk = {row.pk: instance_row(row) for row in rows}
        yield from (by_pk[pk] for pk in page if pk in by_pk)


def _name(instance: InstanceRow) -> str:
    return f"{instance.site} {instance.sop_instance_uid}"
