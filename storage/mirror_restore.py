"""Puts back into the store what only the mirror has left; what lies there whole is not touched.

Each object is fetched, hashed against its name, put and read back. Goes on where it was stopped:
what is there by then is passed over by its size, and hashed by `lysbro verify` afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog

from casework.errors import NotFound
from storage import belonging, tombstones
from storage.backup import PREFIX, sha256_of_backup
from storage.objects import ObjectInfo, ObjectStore, read_range
from storage.objects.aside import fetch, put_right, temporary
from storage.packs import sha256_of_key

log = structlog.get_logger()

_TEMPORARY = ".restore-"


@dataclass
class Restored:
    """What came back from the mirror."""

    objects: int = 0
    size_bytes: int = 0
    there: int = 0  # lay in the store already
    damaged: list[str] = field(default_factory=list)  # in the mirror, and so not put back
    set_aside: list[str] = field(default_factory=list)  # what lay in the store and was not whole


class Progress(Protocol):
    """Hears how far it is."""

    def __call__(self, *, done: int, total: int) -> None:
        """Hear that `done` of `total` objects of the mirror have been looked at."""
        ...


def restore_from_mirror(
    store: ObjectStore, mirror: ObjectStore, folder: Path, *, progress: Progress | None = None
) -> Restored:
    """Fill the store from the mirror: tombstones and marks, then backups, then packs."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for stale in folder.glob(_TEMPORARY + "*"):
        stale.unlink(missing_ok=True)
    done = Restored()
    _restore_small(store, mirror, done)
    listed = list(_ours(mirror))
    for number, (found, sha256) in enumerate(listed, 1):
        _restore(store, mirror, folder, found, sha256, done)
        if progress is not None:
            progress(done=number, total=len(listed))
    log.info(
        "restored_from_mirror", objects=done.objects, there=done.there, damaged=len(done.damaged)
    )
    return done


def _restore_small(store: ObjectStore, mirror: ObjectStore, done: Restored) -> None:
    """Put back what says what was erased, before anything of it could be; and whose store it is."""
    for prefix in (tombstones.PREFIX, belonging.PREFIX):
        for found in mirror.list(prefix):
            if store.exists(found.key):
                continue
            data = read_range(mirror, found.key, 0, found.size_bytes)
            sha256 = hashlib.sha256(data).hexdigest()
            promised = tombstones.sha256_of_stone(found.key)
            if promised is not None and not sha256.startswith(promised):
                done.damaged.append(found.key)
                log.error("mirror_damaged", key=found.key)
                continue
            store.put(found.key, data, sha256=sha256)


def _ours(mirror: ObjectStore) -> Iterator[tuple[ObjectInfo, str]]:
    for prefix, sha256_of in ((PREFIX, sha256_of_backup), ("v1/", sha256_of_key)):
        for found in mirror.list(prefix):
            sha256 = sha256_of(found.key)
            if sha256 is not None:
                yield found, sha256


def _restore(
    store: ObjectStore,
    mirror: ObjectStore,
    folder: Path,
    found: ObjectInfo,
    sha256: str,
    done: Restored,
) -> None:
    try:
        if store.size(found.key) == found.size_bytes:
            done.there += 1
            return
    except NotFound:
        pass
    path = temporary(folder, _TEMPORARY)
    try:
        if fetch(mirror, found.key, path) != sha256:
            done.damaged.append(found.key)
            log.error("mirror_damaged", key=found.key)
            return
        aside = put_right(store, found.key, path, sha256=sha256)
    finally:
        path.unlink(missing_ok=True)
    done.objects += 1
    done.size_bytes += found.size_bytes
    if aside:
        done.set_aside.append(aside)
