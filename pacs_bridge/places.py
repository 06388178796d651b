"""Counts the associations that are open, over every process that receives on one port.

The table is a small file that the processes map: a block for each process, locked by it for as long
as it lives, so that a process that was killed leaves no association behind. Decides no limit.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_PROCESSES = 32
_ENTRIES = 256  # associations of one process
_HOST_BYTES = 48  # an address as text
_HEAD_BYTES = 64
_BLOCK_BYTES = _HEAD_BYTES + _ENTRIES * _HOST_BYTES
_WHOLE = MAX_PROCESSES * _BLOCK_BYTES
_GATE = _WHOLE  # the byte that is locked while the table is read and changed
_FLOCK = struct.Struct("hhqqi4x")


@dataclass(frozen=True)
class Counts:
    """How many associations are open, in all and of one peer."""

    total: int
    of_peer: int


class Places:
    """The places of one process, and sight of all."""

    def __init__(self, path: Path | None = None) -> None:
        """Without a path the process counts alone."""
        self._lock = threading.Lock()
        self._mine: dict[str, int] = {}  # association to entry
        self._descriptor = -1
        if path is None:
            self._table: mmap.mmap | bytearray = bytearray(_BLOCK_BYTES)
            self._blocks = 1
            self._block = 0
            return
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._descriptor, _WHOLE + 1)
        self._table = mmap.mmap(self._descriptor, _WHOLE)
        self._blocks = MAX_PROCESSES
        self._block = self._claim()

    def close(self) -> None:
        """Give the block back."""
        if self._descriptor >= 0:
            if isinstance(self._table, mmap.mmap):
                self._table.close()  # it has a descriptor of its own, which holds the lock too
            os.close(self._descriptor)
            self._descriptor = -1

    @contextlib.contextmanager
    def judging(self, peer_host: str) -> Iterator[Counts]:
        """Give the counts, which stay true until the block is left: nobody else enters."""
        with self._lock, self._gate():
            hosts = [h for block in range(self._blocks) for h in self._hosts(block)]
            yield Counts(len(hosts), hosts.count(_encoded(peer_host)))

    def enter(self, association: str, peer_host: str) -> None:
        """Count an association in; called while judging."""
        taken = set(self._mine.values())
        entry = next((n for n in range(_ENTRIES) if n not in taken), None)
        if entry is None:
            raise OSError(f"more than {_ENTRIES} associations in one process")
        self._mine[association] = entry
        self._write(entry, _encoded(peer_host))

    def leave(self, association: str) -> int:
        """Count an association out; return how many this process has left."""
        with self._lock:
            entry = self._mine.pop(association, None)
            if entry is not None:
                self._write(entry, b"")
            return len(self._mine)

    def _write(self, entry: int, host: bytes) -> None:
        start = self._block * _BLOCK_BYTES + _HEAD_BYTES + entry * _HOST_BYTES
        self._table[start : start + _HOST_BYTES] = host.ljust(_HOST_BYTES, b"\0")

    def _hosts(self, block: int) -> list[bytes]:
        if block != self._block and not self._is_held(block):
            return []
        start = block * _BLOCK_BYTES + _HEAD_BYTES
        entries = bytes(self._table[start : start + _ENTRIES * _HOST_BYTES])
        cut = (entries[n : n + _HOST_BYTES] for n in range(0, len(entries), _HOST_BYTES))
        return [entry.rstrip(b"\0") for entry in cut if entry[0]]

    def _claim(self) -> int:
        for block in range(MAX_PROCESSES):
            with contextlib.suppress(BlockingIOError):
                self._set_lock(fcntl.F_OFD_SETLK, fcntl.F_WRLCK, block * _BLOCK_BYTES)
                start = block * _BLOCK_BYTES
                self._table[start : start + _BLOCK_BYTES] = bytes(_BLOCK_BYTES)
                return block
        raise OSError(f"{MAX_PROCESSES} processes receive already")

    def _is_held(self, block: int) -> bool:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, block * _BLOCK_BYTES, 1, 0)
        found = fcntl.fcntl(self._descriptor, fcntl.F_OFD_GETLK, asked)
        return bool(_FLOCK.unpack(found)[0] != fcntl.F_UNLCK)

    @contextlib.contextmanager
    def _gate(self) -> Iterator[None]:
        if self._descriptor < 0:
            yield
            return
        self._set_lock(fcntl.F_OFD_SETLKW, fcntl.F_WRLCK, _GATE)
        try:
            yield
        finally:
            self._set_lock(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, _GATE)

    def _set_lock(self, command: int, kind: int, start: int) -> None:
        fcntl.fcntl(self._descriptor, command, _FLOCK.pack(kind, os.SEEK_SET, start, 1, 0))


def _encoded(host: str) -> bytes:
    return host.encode("ascii", "replace")[:_HOST_BYTES]
