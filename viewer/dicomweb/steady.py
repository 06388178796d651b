"""Reads a body that must keep coming: one that stands still, or trickles, is given up.

The web server hands a body out as it arrives and waits for ever. So it is read ahead by a thread of
its own, a little at a time; given up, that thread ends when the sender's connection does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, Full, Queue
from types import TracebackType
from typing import Self

from casework.errors import Invalid
from viewer.dicomweb.multipart import Readable
from viewer.problems import TooSlow

_CHUNK_BYTES = 64 << 10
_AHEAD = 8
_LOOK_S = 0.5


class SteadyStream:
    """A body with a pause and a rate that it may not fall below; 0 for the rate: any."""

    def __init__(
        self,
        stream: Readable,
        *,
        pause_s: float,
        floor_rate: float,
        length: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`length` is what the sender has announced; a body that ends before is cut short."""
        self._stream = stream
        self._pause_s = pause_s
        self._floor_rate = floor_rate
        self._length = length
        self._clock = clock
        self._came: Queue[bytes | BaseException] = Queue(_AHEAD)
        self._is_over = threading.Event()
        self._begun_at = clock()
        self._count = 0
        self._at_end = False
        threading.Thread(target=self._pump, name="stow-body", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes as they came, none at the end; raise TooSlow or what was met."""
        if self._at_end:
            return b""
        try:
            came = self._came.get(timeout=self._longest_s)
        except Empty:
            raise _too_slow() from None
        if isinstance(came, BaseException):
            self._at_end = True
            raise came
        self._count += len(came)
        self._at_end = not came
        if not came and self._length is not None and self._count < self._length:
            raise Invalid("The body is cut short. Send it again.", code="bad-request")
        taken_s = self._clock() - self._begun_at
        if came and taken_s > self._pause_s and self._count < self._floor_rate * taken_s:
            raise _too_slow()
        return came

    @property
    def _longest_s(self) -> float | None:
        """Return how long the next bytes may take: a pause, and themselves at the least rate."""
        if not self._floor_rate:
            return None
        return self._pause_s + _CHUNK_BYTES / self._floor_rate

    def _pump(self) -> None:
        came: bytes | BaseException = b"begin"
        while came and not isinstance(came, BaseException):
            try:
                came = self._stream.read(_CHUNK_BYTES)
            except BaseException as error:  # noqa: BLE001 - handed to the one who reads
                came = error
            while not self._is_over.is_set():
                try:
                    self._came.put(came, timeout=_LOOK_S)
                    break
                except Full:
                    continue
            if self._is_over.is_set():
                return


def _too_slow() -> TooSlow:
    return TooSlow(
        "The body came too slowly and was given up. Send what is not stored again.",
        code="too-slow",
    )
