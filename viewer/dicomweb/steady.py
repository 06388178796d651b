"""Reads a body that must keep coming: one that stands still, or trickles, is given up."""

from __future__ import annotations

import time
from collections.abc import Callable

from casework.errors import Invalid
from viewer.dicomweb.multipart import Readable
from viewer.dicomweb.silence import Body
from viewer.problems import TooSlow

CHUNK_BYTES = 64 << 10
"""Read at one time: the web server gives no less before the end."""


class SteadyStream:
    """A body with a rate that it may not fall below for longer than a pause; 0 for it: any."""

    def __init__(
        self,
        stream: Readable,
        body: Body,
        *,
        length: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`length` is what the sender has announced; a body that ends before is cut short."""
        self._stream = stream
        self._body = body
        self._length = length
        self._clock = clock
        self._begun_at = clock()
        self._count = 0

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes as they come, none at the end; raise TooSlow, or cut short."""
        self._body.waits_since = self._clock()
        try:
            came = self._stream.read(min(size, CHUNK_BYTES) if size > 0 else CHUNK_BYTES)
        finally:
            self._body.waits_since = None
        self._count += len(came)
        if not came and (self._length is None or self._count < self._length):
            if self._body.may_be_ended:
                raise _too_slow()
            if self._length is not None:
                raise Invalid("The body is cut short. Send it again.", code="bad-request")
        taken_s = self._clock() - self._begun_at
        is_late = taken_s > self._body.pause_s
        if came and is_late and self._count < self._body.floor_rate * taken_s:
            raise _too_slow()
        return came


def _too_slow() -> TooSlow:
    return TooSlow(
        "The body came too slowly and was given up. Send what is not stored again.",
        code="too-slow",
    )
