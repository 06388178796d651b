"""Frames of the minimal lower layer protocol (HL7 2.5.1 appendix C): bytes in, messages out.

Knows no socket and does not look into messages.
"""

from __future__ import annotations

from collections.abc import Iterator

from casework.errors import TooLarge

START, END, RETURN = b"\x0b", b"\x1c", b"\r"

MAX_NOISE_BYTES = 65_536


def framed(message: bytes) -> bytes:
    """Return a message in its frame."""
    return START + message + END + RETURN


class Unframer:
    """Takes messages out of what comes over one connection, in whatever portions it comes.

    Bytes between two frames are passed over. A frame that begins within another takes its place:
    the sender has given the first one up. Holds one message at most.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held = bytearray()
        self._is_inside = False
        self._noise = 0

    @property
    def is_inside(self) -> bool:
        """Tell whether a message has begun and not ended."""
        return self._is_inside

    def received(self, data: bytes) -> Iterator[bytes]:
        """Give the messages that are whole with these bytes.

        Raises TooLarge for a message over the limit, or for much that is no message.
        """
        rest = memoryview(data)
        while rest:
            if not self._is_inside:
                rest = self._to_start(rest)
                continue
            portion = bytes(rest)
            end = portion.find(END)
            begun = portion.rfind(START, 0, end if end >= 0 else len(portion))
            if begun >= 0:
                self._held.clear()
            self._hold(portion[begun + 1 : end if end >= 0 else len(portion)])
            if end < 0:
                return
            message = bytes(self._held)
            self._held.clear()
            self._is_inside = False
            rest = rest[end + 1 :]
            yield message

    def _to_start(self, rest: memoryview) -> memoryview:
        portion = bytes(rest)
        start = portion.find(START)
        passed = portion if start < 0 else portion[:start]
        self._noise += len(passed.strip(b"\r\n"))
        if self._noise > MAX_NOISE_BYTES:
            raise TooLarge("What comes is no HL7 over MLLP.", code="not-mllp")
        if start < 0:
            return rest[:0]
        self._is_inside, self._noise = True, 0
        return rest[start + 1 :]

    def _hold(self, portion: bytes) -> None:
        if len(self._held) + len(portion) > self._max_bytes:
            raise TooLarge(
                f"A message is larger than {self._max_bytes} bytes (LYSBRO_HL7_MAX_BYTES).",
                code="message-too-large",
            )
        self._held += portion
