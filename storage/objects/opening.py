"""Chooses the object store that a setting names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from casework.errors import Invalid
from storage.objects.folder import FolderStore
from storage.objects.memory import MemoryStore
from storage.objects.port import ObjectStore
from storage.objects.s3_place import SCHEME, S3Place

SELF_TEST = "store-self-test.json"
"""The file of the data folder that keeps what the S3 server was found to do."""


def tested(store: ObjectStore) -> dict[str, Any] | None:
    """Return what the server of a store was last found to do, without asking it; None: no server,
    or not tried yet.
    """
    return store.last_found() if isinstance(store, _OnAServer) else None


def make_bucket(store: ObjectStore) -> bool:
    """Make the bucket of a store when it is not there; tell whether it was made now."""
    return store.make_bucket() if isinstance(store, _OnAServer) else False


@runtime_checkable
class _OnAServer(Protocol):
    """A store on a server that was tried out."""

    def last_found(self) -> dict[str, Any] | None: ...

    def make_bucket(self) -> bool: ...


def open_store(url: str, data: Path, *, s3: S3Place | None = None) -> ObjectStore:
    """Return the store of a setting: empty (in the data folder), a path, `memory:` or `s3://`.

    Nobody is called yet: while a server is down the exchange starts and receives all the same.
    """
    if url == "memory:":
        return MemoryStore()
    if url.startswith(SCHEME):
        if s3 is None:
            raise Invalid(
                f"LYSBRO_STORE: {url} needs LYSBRO_S3_ACCESS_KEY and LYSBRO_S3_SECRET_KEY.",
                code="settings",
            )
        from storage.objects.s3 import S3Store  # noqa: PLC0415 - the SDK is slow to import

        return S3Store(s3, found_in=data / SELF_TEST)
    if "://" in url and not url.startswith("file://"):
        raise Invalid(
            f"LYSBRO_STORE: {url.partition('://')[0]}:// is not a kind of store that this version "
            "knows. Give the path of a folder, or s3://BUCKET.",
            code="settings",
        )
    path = url.removeprefix("file://")
    return FolderStore(Path(path) if path else data / "store")
