"""Keeps a connection that pynetdicom carries within bounds: length and time of a PDU.

Wraps its socket, which has neither, and gives back first what was read of the connection already.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import time

import structlog
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

from pacs_bridge.limits import WireLimits
from pacs_bridge.line import acknowledge_at_once

log = structlog.get_logger()

_PDU_HEAD_BYTES = 6
_SLACK_BYTES = 1024  # some peers count a PDU's length without its items' headers
_READ_BYTES = 256 << 10
_IDLE_WAIT_MS = 50
_LEAST_S = 0.25  # for a request that lay here already while this machine was busy


class GuardedSocket(AssociationSocket):
    """A connection that never buffers more, nor waits longer, than its limits say."""

    def __init__(
        self,
        assoc: Association,
        connection: socket.socket,
        limits: WireLimits,
        *,
        read_already: bytes = b"",
    ) -> None:
        super().__init__(assoc, client_socket=connection)
        self._limits = limits
        self._read_already = memoryview(read_already)
        self._opened_at = time.monotonic()
        self._deadline = 0.0
        self._has_ended = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()  # select() fails at descriptors of 1024 and more
        self._poll.register(connection.fileno(), select.POLLIN)
        self._poll.register(self._wake, select.POLLIN)

    def wake(self) -> None:
        """Let a waiting `ready` return, because there is something to send."""
        with contextlib.suppress(OSError):
            os.eventfd_write(self._wake, 1)

    @property
    def has_ended(self) -> bool:
        """Tell whether nothing more can be read: the peer left, was too slow or was refused."""
        return self._has_ended or self.socket is None

    def dispose(self) -> None:
        """Give back what the guard holds itself; the connection is closed by then."""
        os.close(self._wake)

    @property
    def ready(self) -> bool:
        """Tell whether there is something to read; waits a moment for it, or for `wake`."""
        if self.socket is None or not self._is_connected:
            time.sleep(0.001)
            return False
        if self._read_already or (isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()):
            return True
        readable = False
        for descriptor, _ in self._poll.poll(_IDLE_WAIT_MS):
            if descriptor == self._wake:
                with contextlib.suppress(OSError):
                    os.eventfd_read(self._wake)
            else:
                readable = True
        return readable

    def recv(self, nr_bytes: int) -> bytearray:
        """Return exactly so many bytes, fewer at the end of the stream; OSError past a limit."""
        connection = self.socket
        if connection is None:
            raise OSError("the connection is closed")
        if nr_bytes == _PDU_HEAD_BYTES:
            self._deadline = self._next_deadline()
        elif nr_bytes > self._longest():
            self._refuse(connection, nr_bytes)
        content = bytearray(nr_bytes)
        try:
            filled = self._fill(connection, memoryview(content))
        except OSError:
            self._has_ended = True
            raise
        self._has_ended = filled < nr_bytes
        return content[:filled]

    def _fill(self, connection: socket.socket, view: memoryview) -> int:
        filled = min(len(view), len(self._read_already))
        view[:filled] = self._read_already[:filled]
        self._read_already = self._read_already[filled:]
        while filled < len(view):
            remaining_s = self._deadline - time.monotonic()
            if remaining_s <= 0:
                raise TimeoutError("a PDU was not sent in time")
            connection.settimeout(remaining_s)
            count = connection.recv_into(view[filled : filled + _READ_BYTES])
            if not count:
                break
            acknowledge_at_once(connection)
            filled += count
        return filled

    def send(self, bytestream: bytes) -> None:
        """Send all of it; a peer that does not read in time loses the connection."""
        connection = self.socket
        try:
            if connection is None:
                raise OSError("the connection is closed")
            connection.settimeout(self._limits.pdu_timeout_s)
            connection.sendall(bytestream)
        except OSError:
            self.event_queue.put("Evt17")

    def _shutdown_socket(self) -> None:
        """Close the connection, even one that its peer has left already."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()

    def _next_deadline(self) -> float:
        now = time.monotonic()
        if self.assoc.is_established:
            return now + self._limits.pdu_timeout_s
        return max(self._opened_at + self._limits.request_timeout_s, now + _LEAST_S)

    def _longest(self) -> int:
        if self.assoc.is_established:
            return self._limits.max_pdu + _SLACK_BYTES
        return self._limits.request_bytes

    def _refuse(self, connection: socket.socket, announced: int) -> None:
        """Abort before anything is allocated (PS3.8 section 9.3.8: invalid parameter value)."""
        self._has_ended = True
        log.warning("pdu refused", peer=str(self.assoc.requestor.address), bytes=announced)
        with contextlib.suppress(OSError):
            connection.settimeout(1.0)
            connection.sendall(b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x06")
        raise OSError(f"a PDU of {announced} bytes was announced")
