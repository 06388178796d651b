"""What the senders know: what they sent whole, and what was acknowledged."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Kept:
    """An instance that the exchange has, by the bytes that were read back of it."""

    uid: str
    sha256: str
    state: str


class Ledger:
    """Entries are (UID, SHA-256 of the data set as it was sent)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._whole: set[tuple[str, str]] = set()
        self._acknowledged: set[tuple[str, str]] = set()
        self._refused: set[tuple[str, str]] = set()

    @property
    def acknowledged_count(self) -> int:
        with self._lock:
            return len(self._acknowledged)

    def sent_whole(self, uid: str, data: bytes) -> None:
        """Note, before its last byte goes out, that a data set may arrive whole."""
        with self._lock:
            self._whole.add(entry(uid, data))

    def answered(self, uid: str, data: bytes, status: int) -> None:
        """Note what was answered to a data set."""
        with self._lock:
            (self._acknowledged if is_success(status) else self._refused).add(entry(uid, data))

    def missing(self, found: Iterable[Kept]) -> list[tuple[str, str]]:
        """Return what was acknowledged and is not there with its bytes."""
        there = {(kept.uid, kept.sha256) for kept in found}
        return sorted(self._acknowledged - there)

    def never_sent(self, found: Iterable[Kept]) -> list[Kept]:
        """Return what is there and was never sent whole, or was refused every time."""
        refused = self._refused - self._acknowledged
        return [
            kept
            for kept in found
            if (kept.uid, kept.sha256) not in self._whole or (kept.uid, kept.sha256) in refused
        ]


def entry(uid: str, data: bytes) -> tuple[str, str]:
    return uid.strip(" \0"), hashlib.sha256(data).hexdigest()


def is_success(status: int) -> bool:
    """Tell whether a status says that the object was kept (PS3.4 section B.2.3)."""
    return status == 0 or status & 0xF000 == 0xB000
