"""Puts right what verifying has found, from the mirror, the spool or a copy; loses no damaged byte.

A pack that the mirror has whole comes back under its own name. Else its objects are gathered from
wherever each is whole, written as a new pack, read back, and only then located in it. What was
damaged is kept under `quarantine/`, unless something of it is nowhere else. Each object that was
repaired gets a line in its ledger that says from where.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import BinaryIO

import structlog
from sqlalchemy import Connection, bindparam, delete, update

from casework.custody import CustodyEvent
from casework.errors import LysbroError, NotFound, Refused
from storage import copies, custodian, mirror_rows, pack_checks, remade
from storage.archive import Archive
from storage.backup import sha256_of_backup
from storage.checked_reading import has_its_hash
from storage.custodian import Line, write_to_staying
from storage.disk import open_stretch
from storage.intents import fulfilled
from storage.journal import Entry, payload_is_whole, scan
from storage.locate import Pack, form_values, keep_pack, promote
from storage.mover import packing_folder, packing_lock
from storage.objects.aside import fetch, put_right, remove_stale, set_aside, temporary
from storage.pack_reader import BrokenPack, PackReader
from storage.packs import BuiltPack, Member, build_pack, sha256_of_key
from storage.putting import put_pack
from storage.rows import InstanceRow, Location
from storage.segments import read_segment_header, segment_paths
from storage.soundness import fault_of, fault_of_pack
from storage.tables import IN_PACK, IN_SPOOL, instances, packs

log = structlog.get_logger()

MIRROR, SPOOL, COPY, PACK, IN_PLACE = "mirror", "spool", "copy", "pack", ""
_TEMPORARY = ".repair-"

_Key = tuple[str, str, str]
_Record = tuple[str, Entry]


@dataclass(frozen=True)
class _Source:
    """From where an object can be had whole, how, and the instance as its file is there."""

    name: str
    instance: InstanceRow
    open: Callable[[], BinaryIO]


@dataclass
class Repaired:
    """What was put right, from where, and where the damaged bytes are."""

    instances: dict[int, str] = field(default_factory=dict)  # by row, from where
    packs: dict[str, str] = field(default_factory=dict)  # by key, from where
    backups: dict[str, str] = field(default_factory=dict)
    set_aside: list[str] = field(default_factory=list)


def repair(
    archive: Archive,
    *,
    bad: Sequence[InstanceRow],
    bad_packs: Mapping[str, str],
    bad_backups: Sequence[str] = (),
) -> Repaired:
    """Put right what can be; what cannot is left as it is, and is not in the answer."""
    done = Repaired()
    with packing_lock(archive.data, wait=True):
        mending = _Mending(archive, bad, done)
        for key in bad_backups:
            if mending.from_mirror(key, sha256_of_backup(key)):
                done.backups[key] = MIRROR
        in_packs = {i.location.container for i in bad if not i.location.in_spool}
        for key in sorted(in_packs | bad_packs.keys()):
            try:
                mending.pack(key)
            except (LysbroError, OSError, BrokenPack) as error:
                log.error("not_repaired", key=key, reason=str(error))
        for instance in bad:
            if instance.location.in_spool:
                mending.spooled(instance)
    if done.instances or done.packs:
        remade.forget_all(archive.data)  # it may have been made from what was damaged
    return done


class _Mending:
    """One repair: the damaged objects, and the whole records of the spool that may stand in."""

    def __init__(self, archive: Archive, bad: Sequence[InstanceRow], done: Repaired) -> None:
        self._archive = archive
        self._bad = {i.pk: i for i in bad}
        self._done = done
        self._folder = packing_folder(archive.data)
        remove_stale(self._folder)
        for stale in self._folder.glob(_TEMPORARY + "*"):
            stale.unlink(missing_ok=True)
        self._records: dict[_Key, _Record] | None = None

    def pack(self, key: str) -> None:
        """Put a pack right as a whole, else its objects in another."""
        archive = self._archive
        with archive.database.read() as conn:
            members = pack_checks.members(conn, key)
        sha256 = sha256_of_key(key)
        if not fault_of_pack(archive, key, sha256):
            self._find_in_it(key, [m for m in members if m.pk in self._bad])
            return
        if self.from_mirror(key, sha256):
            self._is_whole_again(key, members)
            return
        if not self._is_wanted(key):
            return
        found = [self._source(m) for m in members]
        sources = [source for source in found if source is not None]
        if len(sources) < len(members):  # of the others nothing better is known: they stay
            sources = [s for s in sources if s.name != IN_PLACE]
        if sources:
            self._gather(sources)
        with archive.database.read() as conn:
            left = pack_checks.members(conn, key)
            is_a_copy = key in copies.containers(conn)
        if left:
            faulty = sum(1 for m in left if m.pk in self._bad)
            with archive.database.begin() as conn:
                pack_checks.note_faulty(conn, key, faulty=faulty)
        if left or is_a_copy:
            return
        aside = set_aside(archive.store, key, self._folder)
        if aside:
            self._done.set_aside.append(aside)
            self._remove(key)
        with archive.database.begin() as conn:
            conn.execute(delete(packs).where(packs.c.key == key))
        self._done.packs[key] = "its objects" if members else "nothing lay in it"

    def _remove(self, key: str) -> None:
        """Remove damaged bytes that are kept aside and are nobody's place any more."""
        try:
            self._archive.store.delete(key)
        except Refused as error:  # no right to delete: they take room, and no more
            log.warning("damaged_pack_stays", key=key, reason=error.message)

    def from_mirror(self, key: str, sha256: str | None) -> bool:
        """Let an object be as the mirror has it; tell whether it is."""
        mirror = self._archive.mirror
        if mirror is None or sha256 is None:
            return False
        path = temporary(self._folder, _TEMPORARY)
        try:
            if fetch(mirror, key, path) != sha256:
                log.error("mirror_damaged", key=key)
                return False
            aside = put_right(self._archive.store, key, path, sha256=sha256)
        except LysbroError as error:
            log.warning("not_repaired_from_mirror", key=key, reason=error.message)
            return False
        finally:
            path.unlink(missing_ok=True)
        if not self._is_wanted(key):  # it was erased, or merged, while it came back
            for name in filter(None, (key, aside)):
                self._archive.store.erase(name)
            return False
        if aside:
            self._done.set_aside.append(aside)
        log.info("repaired", key=key, source=MIRROR)
        return True

    def _is_wanted(self, key: str) -> bool:
        mirror = self._archive.mirror
        if mirror is not None and sha256_of_backup(key):
            return mirror.exists(key)
        with self._archive.database.read() as conn:
            return mirror_rows.is_known(conn, key) or bool(pack_checks.members(conn, key))

    def spooled(self, instance: InstanceRow) -> None:
        """Point an object of the spool at another whole record, else at its copy in the store."""
        record = self._whole_records().get(_key_of(instance))
        now = self._archive.clock()
        if record is not None:
            segment, entry = record
            with self._archive.database.begin() as conn:
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
                write_to_staying(conn, [_line(instance, SPOOL, now)])
            self._done.instances[instance.pk] = SPOOL
            return
        copy = self._copy_of(instance)
        if copy is None:
            return
        with self._archive.database.begin() as conn:
            size = self._archive.store.size(copy.location.container)
            promote(conn, copy, size_bytes=size, now=now)
            write_to_staying(conn, [_line(instance, COPY, now)])
        self._done.instances[instance.pk] = COPY
        log.info("repaired", sop=instance.sop_instance_uid, copy=copy.location.container)

    def _is_whole_again(self, key: str, members: Sequence[InstanceRow]) -> None:
        """Note that a pack came back, and each object of it that is whole since."""
        archive, now = self._archive, self._archive.clock()
        mended = [m for m in members if m.pk in self._bad and not fault_of(archive, m)]
        left = sum(1 for m in members if m.pk in self._bad) - len(mended)
        with archive.database.begin() as conn:
            fault = pack_checks.CORRUPT if left else ""
            pack_checks.note_check(conn, key, fault=fault, faulty=left, now=now)
            write_to_staying(conn, [_line(m, MIRROR, now) for m in mended])
        self._done.packs[key] = MIRROR
        self._done.instances |= {m.pk: MIRROR for m in mended}

    def _find_in_it(self, key: str, misplaced: Sequence[InstanceRow]) -> None:
        """Put right where objects lie in a pack that is whole, as the pack itself says it."""
        archive, now = self._archive, self._archive.clock()
        reader = PackReader(archive.store, key, archive.store.size(key))
        notes = {
            (n.site, n.sop_instance_uid, n.sha256, n.kept_sha256): n
            for n in reader.directory().notes
        }
        for instance in misplaced:
            note = notes.get((*_key_of(instance), instance.kept_sha256))
            if note is None:
                continue
            start = reader.start_of(note)
            where = Location(IN_PACK, key, start, note.length, note.dataset_offset)
            if fault_of(archive, replace(instance, location=where)):
                continue
            with archive.database.begin() as conn:
                conn.execute(
                    update(instances)
                    .where(instances.c.pk == instance.pk)
                    .values(
                        offset=where.offset,
                        length=where.length,
                        dataset_offset=where.dataset_offset,
                    )
                )
                write_to_staying(conn, [_line(instance, PACK, now)])
            self._done.instances[instance.pk] = PACK

    def _source(self, instance: InstanceRow) -> _Source | None:
        """Return from where an object can be had whole, and how."""
        archive = self._archive
        if instance.pk not in self._bad:
            return _Source(IN_PLACE, instance, lambda: archive.open_in_place(instance))
        record = self._whole_records().get(_key_of(instance))
        if record is not None:
            segment, entry = record
            at, header = entry.payload_offset, entry.header
            return _Source(
                SPOOL,
                _of_lengths(instance.as_received(), header.payload_bytes, header.dataset_offset),
                lambda: open_stretch(archive.spool.open(segment), at, header.payload_bytes),
            )
        copy = self._copy_of(instance)
        if copy is not None:
            where = copy.location
            return _Source(
                COPY,
                _of_lengths(
                    replace(copy, location=instance.location), where.length, where.dataset_offset
                ),
                lambda: archive.open_in_place(copy),
            )
        data = self._in_mirror(instance)
        return None if data is None else _Source(MIRROR, instance, lambda: io.BytesIO(data))

    def _copy_of(self, instance: InstanceRow) -> InstanceRow | None:
        """Return the instance as it lies whole in a copy, of the form that is kept or received."""
        return self._copy_in_form(instance) or self._copy_in_form(instance.as_received())

    def _copy_in_form(self, instance: InstanceRow) -> InstanceRow | None:
        key = _key_of(instance)
        with self._archive.database.read() as conn:
            place = copies.place_of(conn, key, kept_sha256=instance.kept_sha256)
        if place is None or place.container == instance.location.container:
            return None
        copy = replace(instance, location=place)
        return None if fault_of(self._archive, copy) else copy

    def _in_mirror(self, instance: InstanceRow) -> bytes | None:
        """Return an object out of a mirror's pack that is damaged itself, but not there."""
        mirror, where = self._archive.mirror, instance.location
        if mirror is None:
            return None
        try:
            with mirror.open_range(where.container, where.offset, where.length) as stream:
                data = stream.read()
        except (LysbroError, OSError):
            return None
        return data if has_its_hash(instance, data) else None

    def _gather(self, sources: Sequence[_Source]) -> None:
        """Write objects as a new pack of their series, and say that they lie in it."""
        archive, first = self._archive, sources[0].instance
        by_pk = {source.instance.pk: source for source in sources}
        with archive.database.read() as conn:
            ledgers = custodian.lines_of_each(conn, list(by_pk))
        built = build_pack(
            self._folder,
            site=first.site,
            study_uid=first.study_uid,
            series_uid=first.series_uid,
            members=[Member(s.instance, ledgers.get(pk, ())) for pk, s in by_pk.items()],
            open_part10=lambda member: by_pk[member.pk].open(),
            limits=archive.walk_limits,
        )
        try:
            if built.placed:
                self._keep(first, built, {pk: source.name for pk, source in by_pk.items()})
        finally:
            built.path.unlink(missing_ok=True)

    def _keep(self, first: InstanceRow, built: BuiltPack, names: Mapping[int, str]) -> None:
        archive, now = self._archive, self._archive.clock()
        pack = put_pack(
            archive,
            built,
            site=first.site,
            study_uid=first.study_uid,
            series_uid=first.series_uid,
            undone="Nothing was changed",
            now=now,
        )
        with archive.database.begin() as conn:
            keep_pack(conn, pack, count=len(built.placed), now=now)
            _relocate(conn, built, pack, names, now=now)
            fulfilled(conn, [built.key])
        mended = {p.instance.pk for p in built.placed} & self._bad.keys()
        self._done.instances |= {pk: names[pk] for pk in mended}
        log.info("repaired", key=built.key, instances=len(mended), moved=len(built.placed))

    def _whole_records(self) -> dict[_Key, _Record]:
        """Return records of the spool that are the damaged objects and have their hash."""
        if self._records is None:
            wanted = {_key_of(i) for i in self._bad.values()}
            self._records = _records_of(self._archive, wanted)
        return self._records


def _relocate(
    conn: Connection, built: BuiltPack, pack: Pack, names: Mapping[int, str], *, now: datetime
) -> None:
    conn.execute(
        update(instances)
        .where(instances.c.pk == bindparam("of_pk"))
        .values(location=IN_PACK, container=pack.key),
        [
            {
                "of_pk": p.instance.pk,
                "offset": p.offset,
                "length": p.length,
                "dataset_offset": p.instance.location.dataset_offset,
                **form_values(p.instance),
            }
            for p in built.placed
        ],
    )
    lines = []
    for placed in built.placed:
        detail = {"pack": pack.key}
        if names[placed.instance.pk]:
            detail["repaired_from"] = names[placed.instance.pk]
            detail["was_in"] = placed.instance.location.container
        pk = placed.instance.pk
        lines.append(Line(pk, CustodyEvent.PACKED, now, {"pack": pack.key}))
        lines.append(Line(pk, CustodyEvent.VERIFIED, pack.verified_at, detail))
    write_to_staying(conn, lines)


def _of_lengths(instance: InstanceRow, length: int, dataset_offset: int) -> InstanceRow:
    """Return an instance with the lengths that its file has where it is taken from."""
    where = replace(instance.location, length=length, dataset_offset=dataset_offset)
    return replace(instance, location=where)


def _line(instance: InstanceRow, source: str, now: datetime) -> Line:
    detail = {"repaired_from": source, "was_in": instance.location.container}
    return Line(instance.pk, CustodyEvent.VERIFIED, now, detail)


def _key_of(instance: InstanceRow) -> _Key:
    return (instance.site, instance.sop_instance_uid, instance.sha256)


def _records_of(archive: Archive, wanted: set[_Key]) -> dict[_Key, _Record]:
    found: dict[_Key, _Record] = {}
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


def _entries(descriptor: int) -> Iterator[tuple[_Key, Entry]]:
    header = read_segment_header(descriptor)
    if header is None:
        return
    for part in scan(descriptor, nonce=header.nonce, size=os.fstat(descriptor).st_size):
        if isinstance(part, Entry):
            told = part.header
            yield (told.origin.site, told.sop_instance_uid, told.sha256), part
