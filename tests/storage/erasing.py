"""An archive over a folder for tests of erasure: fills it, looks for bytes in every file of it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from casework.custody import Origin
from casework.erasure import Target
from casework.model import Actor, Role, SiteKind
from storage.archive import Archive, SpoolLimits
from storage.database import Database
from storage.erasing import Erasures
from storage.erasure_steps import Eraser
from storage.mover import Mover
from storage.objects import FolderStore, ObjectStore
from storage.part10 import EXPLICIT_LE
from storage.spool import Durability
from tests.storage.archives import Clock
from tests.storage.building import CT, ORIGIN, dataset

NAME, PIXELS = b"ZEBEDEUS^MARKER", b"PIXEL-MARKER-16!"
OTHER = b"OTHER-PIXELS-16!"
PATIENT = b"67890"
ADMIN = Actor("user:1", "Admin", "centre", SiteKind.CENTRE, Role.ADMIN)
STUDY, SERIES = "1.2.7", "1.2.7.1"
REASON = "asked for by the patient, journal 17/25"


@contextmanager
def opened(
    data: Path,
    database: Database,
    clock: Clock,
    *,
    store: ObjectStore | None = None,
    durability: Durability = "disk",
    node: str = "here",
    mirror: ObjectStore | None = None,
) -> Iterator[Archive]:
    """Open an archive over the folder, ready to take objects in."""
    archive = Archive(
        data=data,
        database=database,
        store=store or FolderStore(data / "store"),
        limits=SpoolLimits(spool_bytes=1 << 30, reserve_bytes=0),
        clock=clock,
        durability=durability,
        node=node,
        mirror=mirror,
    )
    archive.start()
    try:
        yield archive
    finally:
        archive.close()


def doomed(number: int, *, pixels: bytes = PIXELS) -> bytes:
    """Return an object of the study that is to go."""
    data = dataset(
        f"{SERIES}.{number}",
        study=STUDY,
        series=SERIES,
        number=number,
        name=NAME.decode(),
        pixels=pixels * 2,
    )
    return data.replace(b"12345 ", PATIENT + b" ")


def receive(archive: Archive, data: bytes, uid: str, *, origin: Origin = ORIGIN) -> None:
    """Take one object in."""
    archive.receive(
        data,
        origin,
        sop_class_uid=CT,
        sop_instance_uid=uid,
        transfer_syntax_uid=EXPLICIT_LE,
    )


def receive_doomed(archive: Archive, *numbers: int) -> None:
    """Take objects of the study that is to go in, and wait until they are in the index."""
    for number in numbers:
        receive(archive, doomed(number), f"{SERIES}.{number}")
    archive.settle()


def receive_others(archive: Archive, *numbers: int) -> None:
    """Take objects of another study of another patient in."""
    for number in numbers:
        data = dataset(f"1.2.3.{number}", number=number, pixels=OTHER * 2)
        receive(archive, data, f"1.2.3.{number}")
    archive.settle()


def receive_twin_in_other_study(archive: Archive, number: int) -> None:
    """Take an object of the other study in under the UID of one that is to go: quarantined."""
    uid = f"{SERIES}.{number}"
    receive(archive, dataset(uid, number=50 + number, name=NAME.decode(), pixels=PIXELS * 2), uid)
    archive.settle()


def pack(archive: Archive, clock: Clock) -> int:
    """Pack all that is quiet."""
    return Mover(archive, quiet_s=60).run_once(clock.later(61)).packs


def erase(archive: Archive, clock: Clock, target: Target | None = None) -> str:
    """Decide on an erasure, and return its number."""
    erasures = Erasures(archive.database, clock, node=archive.spool.node)
    stone = erasures.erase(target or Target(study_uid=STUDY), actor=ADMIN, reason=REASON)
    return stone.id


def finish(archive: Archive, clock: Clock, erasure_id: str) -> str:
    """Carry an erasure out and return its state, with what it waits for."""
    done = Eraser(archive, actor=ADMIN).finish(erasure_id, clock())
    assert done is not None
    return f"{done.state} {done.waits_for}".strip()


def files_with(folder: Path, *needles: bytes) -> list[str]:
    """Return the files in which one of the needles stands, unpacked where they are compressed."""
    found = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if path.suffix == ".zip" and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                data += b"".join(packed.read(name) for name in packed.namelist())
        if any(needle in data for needle in needles):
            found.append(path.relative_to(folder).as_posix())
    return found
