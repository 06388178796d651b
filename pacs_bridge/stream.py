"""Cuts what comes over a connection into PDUs: bytes in, events out. No I/O, and no bytes kept.

The fragments of P-DATA-TF (PS3.8 section 9.3.5) are given out as they come, in pieces, so that a
PDU of any length needs no more memory than the buffer. Lengths are judged before a byte of what
they announce is taken.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import NamedTuple

from casework.errors import Invalid
from pacs_bridge.pdu import ABORT, ASSOCIATE_AC, ASSOCIATE_RQ, P_DATA, Pdu, decode

BUFFER_BYTES = 512 << 10
_LEAST_SPACE = 64 << 10  # less room than this, and what is left is moved to the front
_SLACK_BYTES = 1024  # some peers count a PDU's length without its items' headers
_SMALL_BYTES = 1024  # of the PDUs that have four bytes, with room for what others may add
_PDU_HEAD = struct.Struct(">BxL")
_PDV_HEAD = struct.Struct(">LBB")
_IS_COMMAND, _IS_LAST = 0x01, 0x02  # message control header (PS3.8 annex E.2)


class Fragment(NamedTuple):
    """A piece of a command set or data set; its bytes are good until more are received."""

    context_id: int
    is_command: bool
    data: memoryview
    is_last: bool  # the command set or data set ends with this piece


@dataclass(frozen=True)
class StreamLimits:
    """Lengths of PDUs that are taken, in bytes."""

    max_pdu: int = 131072
    request_bytes: int = 131072  # of an A-ASSOCIATE PDU


class PduStream:
    """The receiving side of one connection."""

    def __init__(self, limits: StreamLimits | None = None) -> None:
        self._limits = limits or StreamLimits()
        self._buffer = memoryview(mmap.mmap(-1, BUFFER_BYTES))  # goes back whole, as no heap does
        self._start = 0  # of what is received and not yet read
        self._end = 0
        self._kind = 0  # of the PDU that is being read
        self._pdu_left = 0  # bytes of it that have not been read
        self._pdv_left = 0
        self._context_id = 0
        self._control = 0
        self._body = bytearray()
        self._request = b""
        self._behind = 0  # where the bytes behind the request begin
        self.begun = 0  # PDUs whose head has come

    @property
    def is_inside_pdu(self) -> bool:
        """Tell whether a PDU has begun that has not ended."""
        return self._kind != 0 or self._start < self._end

    def replay(self) -> bytes:
        """Return the association request and what came with it behind it, as they were received.

        Good until there is more: what was read behind the request still lies in the buffer.
        """
        return self._request + bytes(self._buffer[self._behind : self._end])

    def space(self) -> memoryview:
        """Return where the next bytes go; what fragments pointed to is written over."""
        if self._start == self._end:
            self._start = self._end = 0
        elif BUFFER_BYTES - self._end < _LEAST_SPACE:
            left = bytes(self._buffer[self._start : self._end])
            self._buffer[: len(left)] = left
            self._start, self._end = 0, len(left)
        return self._buffer[self._end :]

    def received(self, count: int) -> list[Fragment | Pdu]:
        """Return what so many bytes, written to `space`, have completed, or raise Invalid."""
        self._end += count
        found: list[Fragment | Pdu] = []
        while self._step(found):
            pass
        return found

    def _step(self, found: list[Fragment | Pdu]) -> bool:
        """Read one thing; False when more bytes are needed for it."""
        available = self._end - self._start
        if self._pdv_left:
            if not available:
                return False
            self._take_fragment(min(available, self._pdv_left), found)
            return True
        if self._kind == P_DATA:
            if available < _PDV_HEAD.size:
                return False
            self._begin_fragment(found)
            return True
        if self._kind:
            return self._take_body(available, found)
        if available < _PDU_HEAD.size:
            return False
        self._begin_pdu()
        return True

    def _begin_pdu(self) -> None:
        kind, length = _PDU_HEAD.unpack_from(self._buffer, self._start)
        if length > self._longest(kind):
            raise Invalid(f"A PDU of {length} bytes was announced.", code="pdu-too-long")
        if kind == P_DATA and length < _PDV_HEAD.size:
            raise Invalid("A P-DATA-TF has no fragment.", code="bad-pdu")
        if not ASSOCIATE_RQ <= kind <= ABORT:
            raise Invalid(f"There is no PDU of type {kind}.", code="bad-pdu")
        self._start += _PDU_HEAD.size
        self._kind, self._pdu_left = kind, length
        self.begun += 1

    def _longest(self, kind: int) -> int:
        if kind == P_DATA:
            return self._limits.max_pdu + _SLACK_BYTES
        if kind in (ASSOCIATE_RQ, ASSOCIATE_AC):
            return self._limits.request_bytes
        return _SMALL_BYTES

    def _begin_fragment(self, found: list[Fragment | Pdu]) -> None:
        length, self._context_id, self._control = _PDV_HEAD.unpack_from(self._buffer, self._start)
        self._start += _PDV_HEAD.size
        self._pdu_left -= 4 + length
        if length < 2 or self._pdu_left < 0 or 0 < self._pdu_left < _PDV_HEAD.size:
            raise Invalid("A fragment does not end where its PDU does.", code="bad-pdu")
        self._pdv_left = length - 2
        if not self._pdv_left:
            self._take_fragment(0, found)

    def _take_fragment(self, length: int, found: list[Fragment | Pdu]) -> None:
        start = self._start
        self._start += length
        self._pdv_left -= length
        control = self._control
        found.append(
            Fragment(
                self._context_id,
                bool(control & _IS_COMMAND),
                self._buffer[start : start + length],
                not self._pdv_left and bool(control & _IS_LAST),
            )
        )
        if not self._pdv_left and not self._pdu_left:
            self._kind = 0

    def _take_body(self, available: int, found: list[Fragment | Pdu]) -> bool:
        taken = min(available, self._pdu_left)
        self._body += self._buffer[self._start : self._start + taken]
        self._start += taken
        self._pdu_left -= taken
        if self._pdu_left:
            return False
        kind, body = self._kind, bytes(self._body)
        self._kind = 0
        self._body.clear()
        if kind == ASSOCIATE_RQ:
            self._request = _PDU_HEAD.pack(kind, len(body)) + body
            self._behind = self._start
        found.append(decode(kind, body))
        return True
