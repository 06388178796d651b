"""Listens for connections, gives each a thread of its own, and ends them all in time.

Who is let in and what is answered is decided elsewhere. Nothing here waits for one peer: the
handshake of TLS is done in the connection's thread.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import replace

import structlog

from casework.errors import Refused
from pacs_bridge.front import Front
from pacs_bridge.handed import Handover
from pacs_bridge.limits import Door, WireLimits
from pacs_bridge.line import Line
from pacs_bridge.link import Caller, Hall, Link
from pacs_bridge.tls import Fresh, fingerprint_of_peer, handshake

log = structlog.get_logger()

_LOOK_S = 0.1
_CUT_S = 2.0


class Receiver:
    """A listening port and the connections that came over it."""

    def __init__(
        self,
        front: Front,
        listening: socket.socket,
        *,
        door: Door,
        limits: WireLimits,
        tls: Fresh | None = None,
    ) -> None:
        self._listening = listening
        self._front = front
        self._door = door
        self._limits = limits
        self._tls = tls
        self._draining = threading.Event()
        handover = Handover(front, limits=limits, draining=self._draining)
        self._hall = Hall(front, limits, self._draining, handover.carry)
        self._open: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        self._acceptor = threading.Thread(target=self._accept, name="dicom-accept", daemon=True)

    @property
    def port(self) -> int:
        """Return the port that is listened on."""
        return int(self._listening.getsockname()[1])

    def start(self) -> None:
        """Start to accept."""
        self._acceptor.start()

    def stop(self, *, drain_s: float) -> None:
        """Accept no more, let messages under way finish, end every association in time."""
        self._draining.set()
        self._acceptor.join()
        self._listening.close()
        deadline = time.monotonic() + drain_s
        for thread in self._threads():
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            late = dict(self._open)
        for thread, connection in late.items():
            log.warning("association cut at the end", association=thread.name)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(_CUT_S)

    def _threads(self) -> list[threading.Thread]:
        with self._lock:
            return list(self._open)

    def _accept(self) -> None:
        self._listening.settimeout(_LOOK_S)
        while not self._draining.is_set():
            try:
                connection, address = self._listening.accept()
            except TimeoutError:
                continue
            except OSError as error:  # no descriptors left, or the peer is gone already
                log.warning("connection not taken", reason=error.strerror)
                self._draining.wait(_LOOK_S)
                continue
            caller = Caller(str(address[0]), int(address[1]))
            if not self._door.enter(caller.host):
                log.warning("connection turned away", peer=caller.host)
                connection.close()
                continue
            self._begin(connection, caller)

    def _begin(self, connection: socket.socket, caller: Caller) -> None:
        thread = threading.Thread(
            target=self._carry,
            args=(connection, caller),
            name=f"dicom-{caller.host}:{caller.port}",
            daemon=True,
        )
        with self._lock:
            self._open[thread] = connection
        try:
            thread.start()
        except RuntimeError:  # no thread is to be had
            log.exception("connection broke", peer=caller.host)
            connection.close()
            self._left(thread, caller)

    def _carry(self, connection: socket.socket, caller: Caller) -> None:
        try:
            if self._tls is not None:
                secured = self._secured(connection, caller, self._tls)
                if secured is None:
                    return
                connection, caller = secured
            line = Line(connection, send_timeout_s=self._limits.pdu_timeout_s)
            Link(self._hall, line, caller).run()
        except OSError as error:
            log.info("connection ended early", peer=caller.host, reason=error.strerror)
            connection.close()
        finally:
            self._left(threading.current_thread(), caller)

    def _secured(
        self, connection: socket.socket, caller: Caller, tls: Fresh
    ) -> tuple[socket.socket, Caller] | None:
        """Shake hands in this connection's own thread, since the acceptor may wait for nobody."""
        try:
            secured = handshake(connection, tls.context(), self._limits.handshake_timeout_s)
        except Refused as refusal:
            self._front.turned_away(caller.host, refusal)
            return None
        with self._lock:
            self._open[threading.current_thread()] = secured
        fingerprint = fingerprint_of_peer(secured)
        return secured, replace(caller, fingerprint=fingerprint, is_secure=True)

    def _left(self, thread: threading.Thread, caller: Caller) -> None:
        with self._lock:
            self._open.pop(thread, None)
        self._door.leave(caller.host)


def listen(host: str, port: int, *, backlog: int = 128) -> socket.socket:
    """Return a socket that listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(backlog)
    except OSError:
        listening.close()
        raise
    return listening
