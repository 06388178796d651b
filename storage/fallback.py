"""A store that gives what the mirror has where the first one fails, and says so by log and count.

Reads only fall back; whatever is put or deleted, listed or sized, is that of the first store. The
pack that was missing or damaged is flagged, for `lysbro verify --repair`.
"""

from __future__ import annotations

import io
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

import structlog
from sqlalchemy.exc import SQLAlchemyError

from casework.errors import LysbroError, NotFound, Unavailable
from storage import mirror_rows, pack_checks
from storage.database import Database
from storage.erasing_rows import is_erased
from storage.objects import ObjectInfo, ObjectStore

log = structlog.get_logger()

MISSING, CORRUPT, UNREADABLE = "missing", "corrupt", "unreadable"

_FAULTS_FRESH_S = 5.0
_AVOIDED_S = 30.0
_TALLY_EVERY_S = 1.0
_BUFFER_BYTES = 256 << 10


class FallbackStore:
    """The first store with the mirror behind it."""

    def __init__(
        self,
        first: ObjectStore,
        mirror: ObjectStore,
        database: Database,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self.first = first
        self.mirror = mirror
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._faulty: dict[str, str] = {}
        self._faulty_at = float("-inf")
        self._avoided_until = float("-inf")
        self._tally: Counter[str] = Counter()
        self._tallied_at = float("-inf")

    def open_range(self, key: str, offset: int, length: int) -> BinaryIO:
        """Open a stretch of an object, of the mirror's where the store's cannot be had."""
        if self._is_avoided(key) and not self._is_erased(key):
            found = self._of_mirror(key, offset, length)
            if found is not None:
                self._note(self._faulty.get(key, UNREADABLE))
                return found
        try:
            stream = self.first.open_range(key, offset, length)
        except (LysbroError, OSError) as error:
            found = self._instead(key, error, offset, length)
            if found is None:
                raise
            return found
        return cast(
            BinaryIO, io.BufferedReader(_GoingOn(self, key, stream, offset, length), _BUFFER_BYTES)
        )

    def of_mirror(self, key: str, offset: int, length: int, *, fault: str) -> BinaryIO | None:
        """Open the mirror's object because the store's is at fault; None: the mirror cannot."""
        if self._is_erased(key):
            return None
        found = self._of_mirror(key, offset, length)
        self.at_fault(key, fault)
        if found is not None:
            self._note(fault)
        return found

    def instead(self, key: str, error: Exception, offset: int, length: int) -> BinaryIO | None:
        """Open the rest of what the store broke off; None: the mirror cannot."""
        return self._instead(key, error, offset, length)

    def put(self, key: str, source: Path | bytes, *, sha256: str) -> None:
        """Keep the bytes in the first store."""
        self.first.put(key, source, sha256=sha256)

    def size(self, key: str) -> int:
        """Return the size of an object of the first store."""
        return self.first.size(key)

    def exists(self, key: str) -> bool:
        """Tell whether the first store has an object."""
        return self.first.exists(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects of the first store."""
        yield from self.first.list(prefix)

    def delete(self, key: str) -> None:
        """Remove an object of the first store."""
        self.first.delete(key)

    def erase(self, key: str) -> None:
        """Remove an object of the first store with all its versions."""
        self.first.erase(key)

    def tidy(self) -> int:
        """Remove what puts that were cut short left in the first store."""
        return self.first.tidy()

    def describe(self) -> str:
        """Return where the first store is."""
        return self.first.describe()

    def close(self) -> None:
        """Write down what was counted and is not yet."""
        self._write_tally()

    def _is_avoided(self, key: str) -> bool:
        """Tell whether to ask the mirror first: a store that is away costs its whole deadline."""
        now = time.monotonic()
        if now - self._faulty_at >= _FAULTS_FRESH_S:
            self._faulty_at = now
            try:
                with self._database.read() as conn:
                    self._faulty = pack_checks.at_fault(conn)
            except (SQLAlchemyError, LysbroError) as error:
                log.warning("faults_not_read", reason=type(error).__name__)
        return now < self._avoided_until or key in self._faulty

    def _instead(self, key: str, error: Exception, offset: int, length: int) -> BinaryIO | None:
        if isinstance(error, NotFound) and self._is_erased(key):
            return None
        found = self._of_mirror(key, offset, length)
        fault = MISSING if isinstance(error, NotFound) else UNREADABLE
        if isinstance(error, EOFError):
            fault = CORRUPT
        if fault != UNREADABLE:
            self.at_fault(key, fault)
        elif isinstance(error, Unavailable):
            self._avoided_until = time.monotonic() + _AVOIDED_S
        if found is not None:
            log.warning("read_from_mirror", key=key, fault=fault, message=str(error))
            self._note(fault)
        return found

    def _of_mirror(self, key: str, offset: int, length: int) -> BinaryIO | None:
        try:
            return self.mirror.open_range(key, offset, length)
        except (LysbroError, OSError) as error:
            log.warning("mirror_not_read", key=key, message=str(error))
            return None

    def _is_erased(self, key: str) -> bool:
        """Tell whether a pack went with an erasure that has not come to the mirror yet."""
        try:
            with self._database.read() as conn:
                return is_erased(conn, key) and not mirror_rows.is_known(conn, key)
        except (SQLAlchemyError, LysbroError) as error:
            log.warning("erasures_not_read", reason=type(error).__name__)
            return True  # better not read than read after it was erased

    def at_fault(self, key: str, fault: str) -> None:
        """Flag a pack for repair; that this fails must not fail the read."""
        if key in self._faulty:
            return
        self._faulty = self._faulty | {key: fault}
        log.error("pack_at_fault", key=key, fault=fault)
        try:
            with self._database.begin() as conn:
                pack_checks.flag(conn, key, fault=fault, now=self._clock())
        except (SQLAlchemyError, LysbroError, RuntimeError) as error:
            log.warning("fault_not_noted", key=key, reason=type(error).__name__)

    def _note(self, reason: str) -> None:
        with self._lock:
            self._tally[reason] += 1
            if time.monotonic() - self._tallied_at < _TALLY_EVERY_S:
                return
            self._tallied_at = time.monotonic()
        self._write_tally()

    def _write_tally(self) -> None:
        with self._lock:
            counted, self._tally = self._tally, Counter()
        if not counted:
            return
        try:
            with self._database.begin() as conn:
                for reason, count in counted.items():
                    mirror_rows.note_reads(conn, reason, count, now=self._clock())
        except (SQLAlchemyError, LysbroError, RuntimeError) as error:
            log.warning("mirror_reads_not_counted", reason=type(error).__name__)
            with self._lock:
                self._tally += counted


class _GoingOn(io.RawIOBase):
    """A stretch of the store's object that goes on with the mirror's where it breaks off."""

    def __init__(
        self, store: FallbackStore, key: str, stream: BinaryIO, offset: int, length: int
    ) -> None:
        super().__init__()
        self._store = store
        self._key = key
        self._stream = stream
        self._offset = offset
        self._left = length
        self._is_first = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), self._left)
        if not wanted:
            return 0
        try:
            data = self._stream.read(wanted)
            if not data:
                raise EOFError("it is shorter than its index says")
        except (LysbroError, OSError, EOFError) as error:
            instead = None
            if self._is_first:
                instead = self._store.instead(self._key, error, self._offset, self._left)
            if instead is None:
                if isinstance(error, EOFError):
                    return 0
                raise
            self._stream.close()
            self._stream, self._is_first = instead, False
            return self.readinto(buffer)
        buffer[: len(data)] = data
        self._offset += len(data)
        self._left -= len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
