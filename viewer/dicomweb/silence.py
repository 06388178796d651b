"""Ends connections on which a body stands still, since the web server waits for one without end.

A read that has begun cannot be called off from within, and an answer that is given meanwhile stops
the whole process. So the connection's receiving half is shut: the read ends, and the answer goes
out. Touches connections of this process to its own port only, by what the kernel says of them.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import structlog

log = structlog.get_logger()

_TCP_INFO_BYTES = 192
_COUNTS_AT = 120  # tcpi_bytes_acked, tcpi_bytes_received (linux/tcp.h)
_SHORTEST_LOOK_S = 0.1
_LOOKS = 4  # within a pause


@dataclass
class Body:
    """A body that is being read: from where, how slowly it may come, since when a read waits."""

    address: str  # of the connection's other end
    port: int  # of ours
    pause_s: float
    floor_rate: float  # 0: it may come as slowly as it will
    waits_since: float | None = None
    may_be_ended: bool = False  # a connection from there was; which one, its end will tell

    def comes_from(self, peer: str) -> bool:
        """Tell whether it comes from an address, as the kernel writes it."""
        return self.address.removeprefix("::ffff:") == peer


@dataclass(frozen=True)
class _Seen:
    at: float
    acked: int
    received: int


class SilenceWatch:
    """Looks after the bodies that are being read, in a thread that lives while there are any."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._bodies: list[Body] = []
        self._lock = threading.Lock()
        self._is_running = False
        self._seen: dict[int, _Seen] = {}  # by the number of the socket
        self._wake = threading.Event()

    @contextmanager
    def over(self, body: Body) -> Iterator[Body]:
        """Look after a body until the block is left."""
        with self._lock:
            self._bodies.append(body)
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="silence", daemon=True).start()
        try:
            yield body
        finally:
            with self._lock:
                self._bodies.remove(body)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._bodies:
                    self._is_running = False
                    self._seen.clear()
                    return
                bodies = list(self._bodies)
            with suppress(OSError):
                self._look(bodies)
            self._wake.wait(max(min(body.pause_s for body in bodies) / _LOOKS, _SHORTEST_LOOK_S))

    def _look(self, bodies: list[Body]) -> None:
        now = self._clock()
        late = [
            body
            for body in bodies
            if body.floor_rate
            and body.waits_since is not None
            and now - body.waits_since > body.pause_s / _LOOKS
        ]
        if not late:
            self._seen.clear()
            return
        with ExitStack() as stack:
            silent: dict[str, dict[int, socket.socket]] = {}  # a copy of ours may be listed too
            for inode, connection in _connections({body.port for body in late}):
                stack.enter_context(connection)
                with suppress(OSError):  # gone meanwhile
                    peer = str(connection.getpeername()[0]).removeprefix("::ffff:")
                    of_it = [body for body in late if body.comes_from(peer)]
                    if of_it and self._is_silent(inode, connection, of_it[0], now):
                        silent.setdefault(peer, {})[inode] = connection
            for peer, connections in silent.items():
                self._end(peer, connections, [body for body in late if body.comes_from(peer)])

    def _end(self, peer: str, silent: dict[int, socket.socket], of_it: list[Body]) -> None:
        """End as many silent connections as bodies wait there, the oldest: a request that waits
        for its turn behind them is silent too, and came later.
        """
        for inode in sorted(silent)[: len(of_it)]:  # numbers of sockets grow
            del self._seen[inode]
            for body in of_it:
                body.may_be_ended = True
            log.warning("connection ended", door="stow", peer=peer, reason="too-slow")
            with suppress(OSError):
                silent[inode].shutdown(socket.SHUT_RD)

    def _is_silent(self, inode: int, connection: socket.socket, body: Body, now: float) -> bool:
        """Tell whether a connection has stood still for the pause; what moved begins anew."""
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        acked, received = struct.unpack_from("<QQ", info.ljust(_COUNTS_AT + 16, b"\0"), _COUNTS_AT)
        before = self._seen.setdefault(inode, _Seen(now, acked, received))
        passed_s = now - before.at
        if passed_s < body.pause_s:
            return False
        if acked == before.acked and received - before.received < body.floor_rate * passed_s:
            return True
        del self._seen[inode]
        return False


def _connections(ports: set[int]) -> Iterator[tuple[int, socket.socket]]:
    """Yield the TCP connections of this process to these ports of ours, each with its number."""
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
            if not target.startswith("socket:["):
                continue
            # a copy: what is looked at and shut is the same, whatever becomes of the number
            connection = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        try:
            is_tcp = connection.family in {socket.AF_INET, socket.AF_INET6}
            is_ours = is_tcp and connection.getsockname()[1] in ports
            connection.getpeername()
        except OSError:
            is_ours = False
        if is_ours:
            yield int(target[8:-1]), connection
        else:
            connection.close()
