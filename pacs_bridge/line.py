"""One accepted connection: read into given memory, in moments, and written whole. Judges nothing.

The kernel keeps the time of a read, so that no call of its own is spent on waiting.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
from collections.abc import Sequence

from storage.disk import Buffer

MOMENT_S = 0.25  # a read gives up after this, so that deadlines are looked at


class Line:
    """A connected socket, in the clear or in TLS."""

    def __init__(self, connection: socket.socket, *, send_timeout_s: float) -> None:
        self.connection = connection
        self._is_secure = isinstance(connection, ssl.SSLSocket)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._is_secure:
            connection.settimeout(MOMENT_S)
            self._send_timeout_s = send_timeout_s
        else:
            connection.setblocking(True)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(MOMENT_S))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(send_timeout_s))
        acknowledge_at_once(connection)

    def receive_into(self, memory: memoryview) -> int | None:
        """Return how many bytes have come, 0 at the end of the stream, None when none came."""
        try:
            count = self.connection.recv_into(memory)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            return None
        except OSError:  # reset, or closed by us: no more will come
            return 0
        if count:
            acknowledge_at_once(self.connection)
        return count

    def send(self, data: bytes) -> bool:
        """Send all of it; False when the peer does not read in time or is gone."""
        try:
            if self._is_secure:
                self.connection.settimeout(self._send_timeout_s)
            self.connection.sendall(data)
            if self._is_secure:
                self.connection.settimeout(MOMENT_S)
        except OSError:
            return False
        return True

    def write(self, buffers: Sequence[Buffer]) -> int:
        """Send the beginning of these buffers; return how many bytes went, 0 when none could.

        What did not go must be what is written next. Raises OSError when the peer is gone.
        """
        try:
            if self._is_secure:
                return self.connection.send(b"".join(buffers[:2]))
            return self.connection.sendmsg(buffers)
        except (TimeoutError, BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return 0

    def has_input(self) -> bool:
        """Tell whether something can be read at once, the end of the stream too."""
        if isinstance(self.connection, ssl.SSLSocket) and self.connection.pending():
            return True
        return self._is_ready(select.POLLIN)

    def has_room(self) -> bool:
        """Tell whether a few bytes can be sent without waiting."""
        return self._is_ready(select.POLLOUT)

    def _is_ready(self, event: int) -> bool:
        poll = select.poll()  # select() fails at descriptors of 1024 and more
        try:
            poll.register(self.connection.fileno(), event)
            return bool(poll.poll(0))
        except (OSError, ValueError):
            return True  # closed: a read or write says so

    def end_sending(self) -> None:
        """Let the peer see the end of what we send; what it still sends can be read."""
        if not self._is_secure:
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End the connection; a read that waits returns."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()

    def interrupt(self) -> None:
        """Let a read or write that waits in another thread end."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def acknowledge_at_once(connection: socket.socket) -> None:
    """Many modalities send with Nagle on, and wait for our delayed acknowledgement otherwise."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def _timeval(seconds: float) -> bytes:
    whole = int(seconds)
    return struct.pack("ll", whole, int((seconds - whole) * 1e6))
