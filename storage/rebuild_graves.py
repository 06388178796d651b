"""Sees to it that a rebuild brings nothing back that was erased: by the tombstones of the store.

What a pack or an older backup still holds is left out, and the erasure is begun again, so that the
worker takes it from there. Deletes nothing in the store.
"""

from __future__ import annotations

import structlog
from sqlalchemy import Connection

from casework.erasure import Tombstone
from storage import tombstones
from storage.archive import Archive
from storage.erasing_rows import note_work, reapply
from storage.rebuild_reading import StudyInPacks
from storage.rebuild_states import FoundInstance
from storage.rebuild_steps import RESTORED
from storage.tombstones import ERASING

log = structlog.get_logger()


class Graves:
    """The tombstones of a store, as one rebuild asks them."""

    def __init__(self, archive: Archive) -> None:
        self._database = archive.database
        self._node = archive.spool.node
        self._stones = tombstones.in_store(archive.store)
        self.left_out = 0

    def keep_shut(self, conn: Connection, *, backup_at: object, casebook: str) -> None:
        """Give every erasure its row, and take out what an older backup has brought back."""
        known = tombstones.known(conn, [stone.id for stone in self._stones])
        new = [stone for stone in self._stones if stone.id not in known]
        tombstones.insert_erasures(conn, self._stones)
        for stone in new:  # of an erasure that the backup had heard of nothing can come back
            is_older = casebook == RESTORED
            reapply(conn, stone, is_older=is_older)
            note_work(conn, stone.id, nodes=[self._node])
            log.warning("erased_again", erasure=stone.id, backup_at=str(backup_at))

    def leave_out(self, read: StudyInPacks) -> None:
        """Drop what is erased from what was read of a study, and note the packs that hold it."""
        for key, found in list(read.found.items()):
            stone = self._of(found)
            if stone is None:
                continue
            del read.found[key]
            self.left_out += 1
            held = [
                pack
                for pack, places in read.places.items()
                if any((c.site, c.sop_instance_uid, c.sha256) == key for c in places)
            ]
            for pack in held:
                read.places[pack] = [
                    c for c in read.places[pack] if (c.site, c.sop_instance_uid, c.sha256) != key
                ]
            with self._database.begin() as conn:
                note_work(conn, stone.id, objects=[key], keys=held, nodes=[self._node])
                tombstones.change(conn, stone.id, state=ERASING, finished_at=None, not_before=None)

    def _of(self, found: FoundInstance) -> Tombstone | None:
        header = found.header
        for stone in self._stones:
            if stone.covers(
                site=found.site,
                study_uid=header.study_uid,
                sop_instance_uid=header.sop_instance_uid,
                sha256=found.sha256,
                received_at=found.received_at,
            ):
                return stone
        return None
