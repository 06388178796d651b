"""Writes a message to a line in few calls, and gives it up when the peer takes it too slowly.

Gives way to its caller again and again, so that the caller can look at something else meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from casework.errors import Unavailable
from pacs_bridge.fragments import COMMAND, DATASET, cut, fragment_bytes
from pacs_bridge.line import Line
from pacs_bridge.pace import Floor
from pacs_bridge.payload import Payload
from storage.disk import Buffer

_MOST_BUFFERS = 512  # of one gathering write; the kernel takes 1024


def send_message(
    line: Line, context_id: int, command: bytes, payload: Payload, *, peer_max: int, floor: Floor
) -> Iterator[None]:
    """Send a command with its data set; gives way after each write.

    Raises Unavailable when the peer is gone, reads nothing for as long as the floor's grace, or
    less than the floor over the message. Then the message is not whole, and the line is spent.
    """
    size = fragment_bytes(peer_max)
    taker = _Taker(line, floor)
    buffers: list[Buffer] = list(cut(context_id, command, kind=COMMAND, size=size, ends=True))
    left = payload.size_bytes
    held = b""
    for chunk in _read(payload):
        left -= len(chunk)
        content = held + chunk if held else chunk
        whole = len(content) if not left else len(content) - len(content) % size
        view = memoryview(content)
        buffers += cut(context_id, view[:whole], kind=DATASET, size=size, ends=not left)
        held = bytes(view[whole:])
        yield from taker.take(buffers)
        buffers = []
    if left:
        raise Unavailable("An object is not as long as the index says.", code="bytes-missing")


def _read(payload: Payload) -> Iterator[bytes]:
    try:
        yield from payload.chunks
    except OSError as error:
        raise Unavailable("An object cannot be read on.", code="bytes-missing") from error


class _Taker:
    """Hands buffers to the line and keeps the time of the whole message."""

    def __init__(self, line: Line, floor: Floor) -> None:
        self._line = line
        self._floor = floor
        self._sent = 0
        self._began = self._moved = time.monotonic()

    def take(self, buffers: list[Buffer]) -> Iterator[None]:
        position = 0
        while position < len(buffers):
            count = self._write(buffers[position : position + _MOST_BUFFERS])
            while position < len(buffers) and count >= len(buffers[position]):
                count -= len(buffers[position])
                position += 1
            if count:
                buffers[position] = memoryview(buffers[position])[count:]
            yield

    def _write(self, buffers: list[Buffer]) -> int:
        try:
            count = self._line.write(buffers)
        except OSError as error:
            raise Unavailable("The peer went away.", code="gone") from error
        now = time.monotonic()
        self._sent += count
        if count:
            self._moved = now
        elif now - self._moved > self._floor.grace_s:
            raise Unavailable("The peer does not read what it is sent.", code="stalled")
        if self._floor.is_undercut(size_bytes=self._sent, waited_s=now - self._began):
            raise Unavailable("The peer reads too slowly what it is sent.", code="too-slow")
        return count
