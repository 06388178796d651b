"""An object store that is opened when it is first used: one that is away holds nobody up before.

What the disk of a folder says is told as Unavailable here, as a server's silence is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from casework.errors import Unavailable
from storage.objects.port import ObjectInfo, ObjectStore


class LateStore:
    """Another store, opened late; `name` is what an operator calls it."""

    def __init__(self, name: str, open_it: Callable[[], ObjectStore]) -> None:
        self.name = name
        self._open_it = open_it
        self._lock = threading.Lock()
        self._store: ObjectStore | None = None

    def put(self, key: str, source: Path | bytes, *, sha256: str) -> None:
        """Keep the bytes; see `ObjectStore.put`."""
        with self._opened() as store:
            store.put(key, source, sha256=sha256)

    def open_range(self, key: str, offset: int, length: int) -> BinaryIO:
        """Open a stretch of an object."""
        with self._opened() as store:
            return store.open_range(key, offset, length)

    def size(self, key: str) -> int:
        """Return the size of an object."""
        with self._opened() as store:
            return store.size(key)

    def exists(self, key: str) -> bool:
        """Tell whether there is an object under the key."""
        with self._opened() as store:
            return store.exists(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield every object whose key starts with the prefix."""
        with self._opened() as store:
            yield from store.list(prefix)

    def delete(self, key: str) -> None:
        """Remove an object for good."""
        with self._opened() as store:
            store.delete(key)

    def erase(self, key: str) -> None:
        """Remove an object with all its versions; see `ObjectStore.erase`."""
        with self._opened() as store:
            store.erase(key)

    def tidy(self) -> int:
        """Remove what puts that were cut short left behind."""
        with self._opened() as store:
            return store.tidy()

    def describe(self) -> str:
        """Return where this store is; opens nothing."""
        return self.name

    @property
    def opened(self) -> ObjectStore:
        """Return the store itself, or raise Unavailable."""
        with self._opened() as store:
            return store

    @contextmanager
    def _opened(self) -> Iterator[ObjectStore]:
        try:
            with self._lock:
                if self._store is None:
                    self._store = self._open_it()
            yield self._store
        except OSError as error:
            raise Unavailable(
                f"The mirror {self.name} cannot be used ({error.strerror or error}). "
                "Look at that disk.",
                code="mirror-failed",
            ) from error
