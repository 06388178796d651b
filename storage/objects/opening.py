"""Chooses the object store that a setting names."""

from __future__ import annotations

from pathlib import Path

from casework.errors import Invalid
from storage.objects.folder import FolderStore
from storage.objects.memory import MemoryStore
from storage.objects.port import ObjectStore


def open_store(url: str, data: Path) -> ObjectStore:
    """Return the store of a setting: empty (in the data folder), a path, or `memory:`."""
    if url == "memory:":
        return MemoryStore()
    if "://" in url and not url.startswith("file://"):
        raise Invalid(
            f"LYSBRO_STORE: {url.partition('://')[0]}:// is not a kind of store that this version "
            "knows. Give the path of a folder.",
            code="settings",
        )
    path = url.removeprefix("file://")
    return FolderStore(Path(path) if path else data / "store")
