"""Takes what is erased out of the mirror, once the store has nothing of it any more.

What stays of a pack is in the mirror in another pack before the old one leaves it. While the
mirror is away, or is not the one that was filled, the erasure waits and says so. Holds up no
packing.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from casework.errors import LysbroError, NotFound, Unavailable
from storage import mirror_rows, tombstones
from storage.archive import Archive
from storage.backup_erase import clear_backups
from storage.copies import ObjectKey
from storage.erasure_aside import Sought, clear_aside, names_any
from storage.mirroring import require_filled
from storage.objects import ObjectStore
from storage.pack_reader import BrokenPack, Note, PackReader
from storage.packs import sha256_of_key

log = structlog.get_logger()


def bury_in_mirror(archive: Archive, sought: Sought) -> None:
    """Put the tombstones into the mirror; it is not waited for: that comes with its packs."""
    if archive.mirror is None or archive.spool_status().mirroring_failure:
        return
    try:
        require_filled(archive.database, archive.mirror)
        for stone in sought.stones:
            tombstones.bury(archive.mirror, stone)
    except (LysbroError, OSError) as error:
        log.warning("tombstone_not_mirrored", message=str(error))


def clear_mirror(archive: Archive, packing: Path, sought: Sought, objects: set[ObjectKey]) -> None:
    """Take what is erased out of the mirror, or raise Unavailable with what is waited for."""
    mirror = archive.mirror
    if mirror is None:
        with archive.database.read() as conn:
            if mirror_rows.is_any(conn):
                raise _not_set()
        return
    try:
        require_filled(archive.database, mirror)
        for stone in sought.stones:
            tombstones.bury(mirror, stone)
        gone = _gone(archive, mirror, sought)
        waits = [_clear_pack(archive, mirror, key, sought) for key in gone]
        clear_aside(mirror, sought)
        with _scratch(packing) as folder:
            clear_backups(
                mirror, folder, sought.stones, objects, before=lambda key: _forget(archive, key)
            )
    except (LysbroError, OSError) as error:
        code = error.code if isinstance(error, LysbroError) else "mirror-failed"
        raise Unavailable(
            f"It is not out of the mirror {mirror.describe()} yet: {error}", code=code
        ) from error
    for reason in filter(None, waits):
        raise Unavailable(
            f"It is not out of the mirror {mirror.describe()} yet: {reason}", code="mirror-behind"
        )


@contextmanager
def _scratch(packing: Path) -> Iterator[Path]:
    """Give an empty folder that is ours alone; what is left in it is of one who was stopped."""
    folder = packing / "erasing-mirror"
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in folder.iterdir():
            left.unlink(missing_ok=True)
        yield folder
    except BlockingIOError as error:
        raise Unavailable("another process is at it", code="mirror-taken") from error
    finally:
        os.close(descriptor)


def _gone(archive: Archive, mirror: ObjectStore, sought: Sought) -> list[str]:
    """Return packs that the store does not have, and the mirror may: all others are alike."""
    gone = {key for key in sought.keys if not archive.store.exists(key)}
    for site in sought.sites:
        listed = {o.key for o in mirror.list(f"v1/{site}/") if sha256_of_key(o.key)}
        gone |= listed - {o.key for o in archive.store.list(f"v1/{site}/")}
    return sorted(gone)


def _clear_pack(archive: Archive, mirror: ObjectStore, key: str, sought: Sought) -> str:
    """Take a pack out of the mirror when it holds something erased; return what it waits for."""
    with archive.database.read() as conn:
        is_known = mirror_rows.is_known(conn, key)
    try:
        size = mirror.size(key)
    except NotFound:
        if key in sought.keys:
            _forget(archive, key)
            mirror.erase(key)  # versions of it may be hidden
        return ""
    notes: tuple[Note, ...] = ()
    try:
        notes = PackReader(mirror, key, size).directory().notes
        holds = any(map(sought.goes, notes))
    except BrokenPack:
        holds = key in sought.keys or names_any(mirror, key, size, sought.uids)
    if not holds:
        return ""
    if is_known:
        return f"{key} is missing in the store, and others are in it. Run `lysbro verify --repair`."
    staying = [note for note in notes if not sought.goes(note)]
    with archive.database.read() as conn:
        are_there = all(
            mirror_rows.is_replaced(conn, site=n.site, sop_instance_uid=n.sop_instance_uid)
            for n in staying
        )
    if not are_there:
        return f"what stays of {key} is not copied there yet"
    _forget(archive, key)
    mirror.erase(key)
    log.info("erased_in_mirror", key=key)
    return ""


def _not_set() -> Unavailable:
    return Unavailable(
        "It may be in a mirror, and none is set here. Set LYSBRO_MIRROR; if that mirror is gone "
        "for good, say so: `lysbro mirror --forget`.",
        code="mirror-not-set",
    )


def _forget(archive: Archive, key: str) -> None:
    """Drop the row first: by rows of what it has not any more a mirror looks like another one."""
    with archive.database.begin() as conn:
        mirror_rows.forget(conn, key)
