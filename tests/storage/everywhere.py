"""An exchange with a mirror whose images are recompressed, for tests of what crosses the two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import update

from casework.access import Scope
from casework.errors import Unavailable
from storage import care, quotas
from storage.archive import Archive
from storage.backup import back_up
from storage.casebook_tables import sites
from storage.database import Database
from storage.index import Index
from storage.merge import MergeRule
from storage.mirroring import Mirrorer
from storage.mover import Mover, packing_folder
from storage.objects import FolderStore, ObjectInfo
from storage.rows import InstanceRow
from tests.storage.erasing import Clock, files_with, receive
from tests.storage.pictures import Picture, dataset_in

NAME = b"ZEBED^MARK"
STUDY, OTHERS = "1.2.7", "1.2.3"


class World:
    """An archive whose site has its images recompressed, with a mirror, and what works on both."""

    def __init__(self, folder: Path, database: Database, clock: Clock, archive: Archive) -> None:
        self.folder, self.clock, self.archive = folder, clock, archive
        self.database = database
        self.store, self.mirror = FolderStore(folder / "here" / "store"), archive.mirror
        assert archive.mirror is not None
        self.mirrorer = Mirrorer(archive, archive.mirror, backups_kept=5)
        self.merger = Mover(
            archive, quiet_s=60, copies_grace_s=0, grace_s=0, merge=MergeRule(packs=1, quiet_s=60)
        )
        self.payloads: set[bytes] = set()

    def receive(self, *numbers: int, study: str = OTHERS) -> None:
        for number in numbers:
            picture = Picture(seed=number + len(study) * int(study[-1]), frames=2)
            uid = f"{study}.1.{number}"
            data = picture.dataset(uid, study=study, number=number)
            if study == STUDY:
                data = data.replace(b"NESS^KARI ", NAME).replace(b"12345 ", b"77777 ")
                self.payloads.add(picture.pixels[100:140])
            receive(self.archive, data, uid)

    def receive_twin(self, number: int) -> None:
        """Take an image of the others' study in under a UID of the one that goes: quarantined."""
        picture, uid = Picture(seed=70 + number, frames=2), f"{STUDY}.1.{number}"
        data = picture.dataset(uid, study=OTHERS, number=50 + number)
        receive(self.archive, data.replace(b"NESS^KARI ", NAME), uid)
        self.payloads.add(picture.pixels[100:140])

    def pack(self) -> None:
        self.archive.settle()
        Mover(self.archive, quiet_s=60).run_once(self.clock.later(61))  # a new one: all its time
        for row in self.rows(STUDY):  # what the pixels are in the form in which they are kept
            if row.received is not None:
                with self.archive.open_part10(row) as stream:
                    self.payloads.add(stream.read()[-400:-300])

    def merge(self) -> None:
        for _ in range(4):
            self.merger.run_once(self.clock.later(61))

    def back_up(self) -> None:
        back_up(
            self.database, self.store, packing_folder(self.archive.data), now=self.clock.later(1)
        )
        self.clock.later(1)

    def mirrored(self) -> None:
        self.clock.later(301)
        while self.mirrorer.run_once(self.clock()):
            pass

    def rows(self, study: str = OTHERS) -> list[InstanceRow]:
        return Index(self.database).instances_of(
            Scope(sites=None, specialties=None, own_site="centre"), study
        )

    def left(self, *more: bytes) -> list[str]:
        """Return the files of all places in which something of the patient stands."""
        assert self.payloads
        return files_with(self.folder, NAME, *self.payloads, *more)

    def spoil(self, key: str, *, at: int | None = None) -> None:
        spoil(self.folder / "here" / "store" / key, at=at)

    def others_read_back(self, count: int) -> None:
        rows = self.rows()
        assert len(rows) == count
        for row in rows:
            number = int(row.sop_instance_uid.rpartition(".")[2])
            picture = Picture(seed=number + len(OTHERS) * int(OTHERS[-1]), frames=2)
            whole = picture.dataset(row.sop_instance_uid, study=OTHERS, number=number)
            with self.archive.open_as_received(row) as stream:
                assert dataset_in(stream.read()) == whole
        report = care.verify(self.archive)
        assert (report.is_clean, report.orphaned, report.foreign) == (True, (), ())
        with self.database.read() as conn:
            assert quotas.differing(conn) == {}


def spoil(path: Path, *, at: int | None = None) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if at is None else at] ^= 1
    path.write_bytes(data)


class Away(FolderStore):
    """A mirror that is away when it is told to be."""

    is_away = False

    def exists(self, key: str) -> bool:
        self._be_there()
        return super().exists(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        self._be_there()
        yield from super().list(prefix)

    def _be_there(self) -> None:
        if self.is_away:
            raise Unavailable("It is away.", code="store-down")


def let(database: Database) -> None:
    with database.begin() as conn:
        conn.execute(update(sites).where(sites.c.slug == "hammer").values(recompress="htj2k"))
