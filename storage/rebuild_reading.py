"""Reads what packs say of themselves, and walks the headers of what lies in them, study by study.

An object that lies in several packs is found in the largest. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import structlog

from casework.custody import CustodyRow
from casework.errors import Invalid, NotFound
from storage import copies
from storage import rebuild_steps as steps
from storage.archive import Archive
from storage.header import Header
from storage.objects import ObjectInfo
from storage.pack_reader import BrokenPack, Directory, Note, PackReader
from storage.pack_salvage import salvage
from storage.packs import site_of_key
from storage.part10 import walk
from storage.rebuild_states import FoundInstance, ObjectKey
from storage.rebuild_steps import FoundPack
from storage.rows import Location
from storage.tables import IN_PACK

log = structlog.get_logger()


@dataclass
class StudyInPacks:
    """What was read of the packs of one study."""

    packs: list[FoundPack]
    found: dict[ObjectKey, FoundInstance] = field(default_factory=dict)
    places: dict[str, list[copies.Copy]] = field(default_factory=dict)  # by pack
    broken: dict[str, str] = field(default_factory=dict)  # packs
    bad_members: list[str] = field(default_factory=list)


class PacksInStore:
    """The packs of one store, as a rebuild reads them; used by several threads at once."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._database = archive.database
        self._store = archive.store

    def look_at(self, listed: ObjectInfo) -> FoundPack:
        """Return what a pack says of itself, or why it says nothing."""
        try:
            told, damage = self._directory(PackReader(self._store, listed.key, listed.size_bytes))
            if told.site != site_of_key(listed.key):
                raise BrokenPack("is kept under another site than its own")
            if not told.notes:
                raise BrokenPack("has no members")
        except BrokenPack as error:
            log.error("pack_broken", key=listed.key, reason=str(error))
            return FoundPack(listed.key, listed.size_bytes, broken=str(error))
        return FoundPack(
            listed.key,
            listed.size_bytes,
            told.site,
            told.study_uid,
            told.series_uid,
            len(told.notes),
            min(note.received_at for note in told.notes),
            damage=damage,
        )

    def _directory(self, reader: PackReader) -> tuple[Directory, str]:
        """Return what a pack says of itself, and why that is not all; of a broken one what is
        whole.
        """
        try:
            return reader.directory(), ""
        except BrokenPack as error:
            reason = str(error)
        archive = self._archive
        found = salvage(reader, limits=archive.walk_limits, now=archive.clock(), reason=reason)
        log.error("pack_damaged", key=reader.key, reason=reason, whole=len(found.notes))
        return found, f"{reason}; {len(found.notes)} objects in it are whole and were taken over"

    def read_study(self, key: tuple[str, str]) -> StudyInPacks:
        """Walk the headers of a study's instances, each in the largest pack that has it."""
        with self._database.read() as conn:
            read = StudyInPacks(steps.packs_of(conn, *key))
        for pack in read.packs:
            try:
                self._read_pack(pack, read)
            except BrokenPack as error:
                log.error("pack_broken", key=pack.key, reason=str(error))
                read.broken[pack.key] = str(error)
        return read

    def _read_pack(self, pack: FoundPack, read: StudyInPacks) -> None:
        reader = PackReader(self._store, pack.key, pack.size_bytes)
        notes = self._directory(reader)[0].notes
        reader.read_on_for(notes)
        places: list[copies.Copy] = []
        found: dict[ObjectKey, FoundInstance] = {}
        for note in sorted(notes, key=lambda note: note.header_offset):
            key = (note.site, note.sop_instance_uid, note.sha256)
            start = reader.start_of(note)
            place = Location(IN_PACK, pack.key, start, note.length, note.dataset_offset)
            before = read.found.get(key)
            if before is not None:
                read.found[key] = replace(before, ledger=_both(before.ledger, note.ledger))
            else:
                header = self._header(reader, note, start)
                if header is None:
                    name = f"{note.site} {note.sop_instance_uid} in {pack.key}"
                    log.error("member_broken", sop=note.sop_instance_uid, key=pack.key)
                    read.bad_members.append(name)
                    continue
                found[key] = _found(note, header, place)
            places.append(
                copies.Copy(
                    *key, pack.key, start, note.length, note.dataset_offset, note.kept_sha256
                )
            )
        read.found |= found
        read.places[pack.key] = places

    def _header(self, reader: PackReader, note: Note, start: int) -> Header | None:
        """Return a member's header; None when it is not the object that the pack says."""
        source = reader.source(start + note.dataset_offset, note.length - note.dataset_offset)
        try:
            header = walk(
                source,
                transfer_syntax_uid=note.transfer_syntax_uid,
                limits=self._archive.walk_limits,
            )
        except Invalid as error:
            if source.size != note.size_bytes or error.code not in ("bad-structure", "too-large"):
                return None
            # kept under wider limits than those of today, or rotten: `verify` tells which
            return Header(
                note.sop_class_uid,
                note.sop_instance_uid,
                note.study_uid,
                note.series_uid,
                note.transfer_syntax_uid,
                {"SOPInstanceUID": note.sop_instance_uid, "SOPClassUID": note.sop_class_uid},
            )
        except NotFound as error:
            raise BrokenPack("is not there any more") from error
        said = (note.sop_instance_uid, note.study_uid, note.series_uid)
        is_it = (header.sop_instance_uid, header.study_uid, header.series_uid) == said
        return header if is_it and source.size == note.size_bytes else None


def _found(note: Note, header: Header, place: Location) -> FoundInstance:
    return FoundInstance(
        site=note.site,
        sha256=note.sha256,
        size_bytes=note.size_bytes,
        state=note.state,
        received_at=note.received_at,
        ledger=note.ledger,
        header=header,
        place=place,
        kept_sha256=note.kept_sha256,
        received=note.received,
    )


def _both(first: Sequence[CustodyRow], second: Sequence[CustodyRow]) -> Sequence[CustodyRow]:
    """Return the ledger of an object in two packs; a line that both have is told by the first."""
    told = {(line.event, line.at) for line in first}
    return (*first, *(line for line in second if (line.event, line.at) not in told))
