"""What every object store can do: keep immutable objects. It never overwrites one.

It deletes one only when told its key: that is done to small packs whose members lie elsewhere, and
to packs that hold what is erased.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Protocol, TypeGuard, runtime_checkable

from casework.errors import Conflict, Invalid, NotFound, Unavailable
from storage.source import read_exactly

_KEY = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class ObjectInfo:
    """One object of a listing."""

    key: str
    size_bytes: int


class ObjectStore(Protocol):
    """A place for immutable objects; `tests/contracts` says how each implementation behaves."""

    def put(self, key: str, source: Path | bytes, *, sha256: str) -> None:
        """Keep the bytes on stable storage under the key.

        The same bytes again are a success; other bytes under the key raise Conflict, and bytes that
        do not have the hash raise Invalid. Nothing is ever overwritten; but where the key is the
        hash of the bytes, a store may put right what was damaged under it.
        """
        ...

    def open_range(self, key: str, offset: int, length: int) -> BinaryIO:
        """Open a stretch of an object for reading, or raise NotFound."""
        ...

    def size(self, key: str) -> int:
        """Return the size of an object, or raise NotFound."""
        ...

    def exists(self, key: str) -> bool:
        """Tell whether there is an object under the key."""
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield every object whose key starts with the prefix, in the order of keys."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object for good; one that is not there is a success."""
        ...

    def erase(self, key: str) -> None:
        """Remove an object with every version that is kept of it; none is a success.

        Where a version may not be removed, Refused says so: then its bytes are still there.
        """
        ...

    def tidy(self) -> int:
        """Remove what puts that were cut short left behind, and nothing of one under way."""
        ...

    def describe(self) -> str:
        """Return where this store is, for an operator; no secret is in it."""
        ...


@runtime_checkable
class LocalFiles(Protocol):
    """A store whose objects are files of this machine, which need no copy in memory."""

    def open_file(self, key: str) -> int:
        """Open an object for reading and return its descriptor, or raise NotFound."""
        ...


def is_local(store: ObjectStore) -> TypeGuard[LocalFiles]:
    """Tell whether the objects of a store are files of this machine."""
    return _has_files(type(store))


@lru_cache(maxsize=64)
def _has_files(kind: type) -> bool:
    # what `isinstance` of a protocol asks at each call takes as long as to open the file
    return hasattr(kind, "open_file")


def read_range(store: ObjectStore, key: str, offset: int, length: int) -> bytes:
    """Return a stretch of an object whole, or raise Unavailable when the object is too short."""
    if is_local(store):
        descriptor = store.open_file(key)
        try:
            data = read_exactly(descriptor, offset, length)
        finally:
            os.close(descriptor)
    else:
        with store.open_range(key, offset, length) as stream:
            data = stream.read()
    if len(data) != length:
        raise Unavailable(
            f"The object {key} has {len(data)} of the {length} bytes wanted at {offset}. "
            "Run `lysbro verify`.",
            code="object-short",
        )
    return data


def sha256_of_object(store: ObjectStore, key: str) -> str:
    """Return the hash of an object, read back from the store."""
    digest = hashlib.sha256()
    with store.open_range(key, 0, store.size(key)) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def require_key(key: str) -> str:
    """Return a key, or raise ValueError: keys are made by Lysbro only, never by a client."""
    if len(key) > 512 or not _KEY.fullmatch(key):
        raise ValueError(f"not a key: {key!r}")
    return key


def no_such_object(key: str) -> NotFound:
    """Return the error for a key without an object."""
    return NotFound(f"The store has no object {key}.", code="no-such-object")


def other_bytes(key: str) -> Conflict:
    """Return the error for a key that holds other bytes."""
    return Conflict(
        f"The store holds other bytes under {key}; they were left as they are. "
        "Run `lysbro verify`.",
        code="object-differs",
    )


def wrong_hash(key: str) -> Invalid:
    """Return the error for bytes that do not have the hash they were announced with."""
    return Invalid(
        f"The bytes for {key} do not have the hash they came with; nothing was kept.",
        code="hash-mismatch",
    )
