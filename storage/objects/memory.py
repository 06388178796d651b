"""An object store in memory: for trials and for tests of what stands on a store."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from storage.objects.port import ObjectInfo, no_such_object, other_bytes, require_key, wrong_hash


class MemoryStore:
    """Objects that last as long as the process."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def put(self, key: str, source: Path | bytes, *, sha256: str) -> None:
        """Keep the bytes; see `ObjectStore.put`."""
        require_key(key)
        data = source if isinstance(source, bytes) else source.read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise wrong_hash(key)
        with self._lock:
            if self._objects.setdefault(key, data) != data:
                raise other_bytes(key)

    def open_range(self, key: str, offset: int, length: int) -> BinaryIO:
        """Open a stretch of an object."""
        return io.BytesIO(self._get(key)[offset : offset + length])

    def size(self, key: str) -> int:
        """Return the size of an object."""
        return len(self._get(key))

    def exists(self, key: str) -> bool:
        """Tell whether there is an object under the key."""
        return require_key(key) in self._objects

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield every object whose key starts with the prefix."""
        with self._lock:
            found = [ObjectInfo(k, len(v)) for k, v in sorted(self._objects.items())]
        yield from (o for o in found if o.key.startswith(prefix))

    def delete(self, key: str) -> None:
        """Remove an object; see `ObjectStore.delete`."""
        with self._lock:
            self._objects.pop(require_key(key), None)

    def erase(self, key: str) -> None:
        """Remove an object; see `ObjectStore.erase`."""
        self.delete(key)

    def tidy(self) -> int:
        """Remove what puts that were cut short left behind: nothing here."""
        return 0

    def describe(self) -> str:
        """Return where this store is."""
        return "memory (lost when the process ends)"

    def _get(self, key: str) -> bytes:
        data = self._objects.get(require_key(key))
        if data is None:
            raise no_such_object(key)
        return data
