"""Puts an object right whose bytes are damaged, and keeps the damaged ones aside under a name.

The good bytes are in hand before anything is touched, and are read back at the end.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

import structlog

from casework.errors import Conflict, NoRoom, NotFound, Unavailable
from storage.disk import free_bytes, sync_folder
from storage.objects.folder import FolderStore
from storage.objects.late import LateStore
from storage.objects.port import ObjectStore, sha256_of_object

log = structlog.get_logger()

QUARANTINE = "quarantine/"
"""Where damaged bytes are kept: no pack and no backup has such a name."""

_TEMPORARY = ".aside-"
_STALE_S = 86_400
_CHUNK = 1 << 20
_RESERVE_BYTES = 1 << 30
_NAME_CHARS = 16


def fetch(store: ObjectStore, key: str, path: Path) -> str:
    """Write an object to a file, and return the hash of what came; raises NotFound, Unavailable.

    A disk that would be full by it is left alone.
    """
    size = store.size(key)
    room = free_bytes(path.parent)
    if room < size + min(_RESERVE_BYTES, room // 10):
        raise NoRoom(
            f"There is no room for {key} ({size} bytes) in {path.parent}. Make room on that disk.",
            code="no-room-to-copy",
        )
    digest = hashlib.sha256()
    try:
        with store.open_range(key, 0, size) as source, path.open("xb") as target:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                target.write(chunk)
    except OSError as error:
        raise Unavailable(
            f"The object {key} cannot be read from {store.describe()} "
            f"({error.strerror or error}). Look at it, and at the disk of {path.parent}.",
            code="object-unreadable",
        ) from error
    return digest.hexdigest()


def temporary(folder: Path, prefix: str) -> Path:
    """Return a name for a file that nobody has."""
    return folder / f"{prefix}{secrets.token_hex(8)}"


def remove_stale(folder: Path) -> None:
    """Remove what was being kept aside when a process died, a day ago or more."""
    for path in folder.glob(_TEMPORARY + "*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - _STALE_S:
                path.unlink()


def put_right(store: ObjectStore, key: str, source: Path, *, sha256: str) -> str:
    """Let an object be the bytes of a file; return where what was there is now, or nothing."""
    aside = set_aside(store, key, source.parent)
    try:
        store.put(key, source, sha256=sha256)
    except Conflict:  # the damaged ones are kept elsewhere by now
        store.delete(key)
        store.put(key, source, sha256=sha256)
    if sha256_of_object(store, key) != sha256:
        raise Unavailable(
            f"The store gives other bytes back for {key} than were put. Look at the store.",
            code="store-differs",
        )
    return aside


def set_aside(store: ObjectStore, key: str, folder: Path) -> str:
    """Keep the bytes under a key as they are under another, and return that; nothing: no bytes.

    In a folder the file itself moves, for it may not be readable at all; a bucket gets a copy.
    """
    inner = store.opened if isinstance(store, LateStore) else store
    if isinstance(inner, FolderStore):
        return _moved(inner, key)
    path = temporary(folder, _TEMPORARY)
    try:
        found = fetch(store, key, path)
        name = f"{QUARANTINE}{key}.{found[:_NAME_CHARS]}"
        store.put(name, path, sha256=found)
    except NotFound:
        return ""
    finally:
        path.unlink(missing_ok=True)
    log.warning("set_aside", key=key, under=name)
    return name


def _moved(store: FolderStore, key: str) -> str:
    path = store.folder / key
    if not path.is_file():
        return ""
    name = f"{QUARANTINE}{key}.{_mark_of(path)}"
    target = store.folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(path, target)
    for folder in (target.parent, path.parent):
        sync_folder(folder)
    log.warning("set_aside", key=key, under=name)
    return name


def _mark_of(path: Path) -> str:
    """Return what tells these damaged bytes from others, though they may not be readable."""
    with suppress(OSError), path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:_NAME_CHARS]
    return "unreadable." + secrets.token_hex(_NAME_CHARS // 2)
