"""Chooses the object store that a setting names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from casework.errors import Invalid
from storage.objects.folder import FolderStore
from storage.objects.late import LateStore
from storage.objects.memory import MemoryStore
from storage.objects.port import ObjectStore
from storage.objects.s3_place import SCHEME, S3Place

SELF_TEST = "store-self-test.json"
MIRROR_SELF_TEST = "mirror-self-test.json"
"""The files of the data folder that keep what the S3 servers were found to do."""


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


def open_mirror(url: str, data: Path, *, s3: S3Place | None = None) -> LateStore | None:
    """Return the second store that a setting names, or None; it is opened when it is first used."""
    if not url:
        return None

    def open_it() -> ObjectStore:
        return open_store(url, data, s3=s3, setting="LYSBRO_MIRROR", self_test=MIRROR_SELF_TEST)

    name = f"S3 {s3}" if s3 is not None else f"folder {url.removeprefix('file://')}"
    return LateStore(name, open_it)


def open_store(
    url: str,
    data: Path,
    *,
    s3: S3Place | None = None,
    setting: str = "LYSBRO_STORE",
    self_test: str = SELF_TEST,
) -> ObjectStore:
    """Return the store of a setting: empty (in the data folder), a path, `memory:` or `s3://`.

    Nobody is called yet: while a server is down the exchange starts and receives all the same.
    """
    if url == "memory:":
        return MemoryStore()
    if url.startswith(SCHEME):
        if s3 is None:
            raise Invalid(
                f"{setting}: {url} needs the access key and the secret key of its S3 server.",
                code="settings",
            )
        from storage.objects.s3 import S3Store  # noqa: PLC0415 - the SDK is slow to import

        return S3Store(s3, found_in=data / self_test)
    if "://" in url and not url.startswith("file://"):
        raise Invalid(
            f"{setting}: {url.partition('://')[0]}:// is not a kind of store that this version "
            "knows. Give the path of a folder, or s3://BUCKET.",
            code="settings",
        )
    path = url.removeprefix("file://")
    return FolderStore(Path(path) if path else data / "store")
