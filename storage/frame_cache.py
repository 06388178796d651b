"""Keeps frames in memory within a bound of bytes, and lets many who want one wait for one read.

Knows neither stores nor objects: a key says which bytes, who asks says how they are read.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock

Key = tuple[str, int]
"""The hash of a data set and the number of a frame: the same key is always the same bytes."""

_ENTRY_BYTES = 256  # what an entry takes beside its frame


@dataclass(frozen=True)
class CacheFigures:
    """What a cache has done since its process started, and what it holds."""

    hits: int = 0  # those that waited for a read under way among them
    misses: int = 0
    read_ahead: int = 0  # frames fetched before they were asked for
    size_bytes: int = 0
    limit_bytes: int = 0

    @property
    def hit_ratio(self) -> float:
        """Return the share of frames that cost no read of their own."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0


class _NotRead(Exception):
    """A frame that was to be read ahead was not; who waited for it reads it."""


class FrameCache:
    """Frames, the least recently asked for of them go first. For any number of threads."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._lock = Lock()
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._under_way: dict[Key, Future[bytes]] = {}
        self._size_bytes = 0
        self._hits = self._misses = self._ahead = 0

    def get(self, key: Key, fetch: Callable[[], bytes]) -> bytes:
        """Return what is kept, else what `fetch` reads: once, however many ask at that time.

        What `fetch` raises is raised to all of them, and nothing is kept of it.
        """
        while True:
            with self._lock:
                kept = self._kept.get(key)
                if kept is not None:
                    self._kept.move_to_end(key)
                    self._hits += 1
                    return kept
                reading = self._under_way.get(key)
                if reading is None:
                    mine = self._under_way[key] = Future()
                    self._misses += 1
                    break
            try:
                data = reading.result()
            except _NotRead:
                continue
            with self._lock:
                self._hits += 1
            return data
        try:
            data = fetch()
        except BaseException as error:
            self._end(key, mine, error=error)
            raise
        self._end(key, mine, data=data)
        return data

    def claim(self, keys: Iterable[Key]) -> set[Key]:
        """Return those that nobody keeps or reads; the caller must `give` or `give_up` each."""
        claimed = set()
        with self._lock:
            for key in keys:
                if key not in self._kept and key not in self._under_way:
                    self._under_way[key] = Future()
                    claimed.add(key)
        return claimed

    def give(self, key: Key, data: bytes) -> None:
        """Keep a frame that was claimed, and hand it to those who wait."""
        with self._lock:
            self._ahead += 1
        self._end(key, self._under_way[key], data=data)

    def give_up(self, keys: Iterable[Key]) -> None:
        """Let go of frames that were claimed and not read."""
        for key in keys:
            reading = self._under_way.get(key)
            if reading is not None:
                self._end(key, reading, error=_NotRead())

    def figures(self) -> CacheFigures:
        """Return what it has done and what it holds."""
        with self._lock:
            return CacheFigures(
                self._hits, self._misses, self._ahead, self._size_bytes, self._limit_bytes
            )

    def _end(
        self,
        key: Key,
        reading: Future[bytes],
        *,
        data: bytes | None = None,
        error: BaseException | None = None,
    ) -> None:
        with self._lock:
            del self._under_way[key]
            if data is not None:
                self._keep(key, data)
        if data is not None:
            reading.set_result(data)
        else:
            reading.set_exception(error)

    def _keep(self, key: Key, data: bytes) -> None:
        takes = len(data) + _ENTRY_BYTES
        if takes > self._limit_bytes:
            return
        self._kept[key] = data
        self._size_bytes += takes
        while self._size_bytes > self._limit_bytes:
            _, gone = self._kept.popitem(last=False)
            self._size_bytes -= len(gone) + _ENTRY_BYTES
