"""Listens for HL7 over MLLP, gives each connection a thread, and ends them all in time.

What is answered is decided elsewhere. A message that has come whole is answered before the
connection ends, also when Lysbro is stopping.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from casework.errors import LysbroError, Refused, Unavailable
from pacs_bridge.hl7_desk import Came, Hl7Desk
from pacs_bridge.limits import Door
from pacs_bridge.mllp import Unframer, framed
from pacs_bridge.receiver import listen
from pacs_bridge.tls import Fresh, TlsFiles, fingerprint_of_peer, handshake, server_context

log = structlog.get_logger()

_LOOK_S = 0.2
_CUT_S = 2.0
_PORTION = 65_536


@dataclass(frozen=True)
class Hl7Settings:
    """What the HL7 face is told; defaults are safe ones."""

    host: str = "127.0.0.1"
    port: int = 2575  # 0 picks a free one
    tls_files: TlsFiles | None = None  # None: in the clear
    max_bytes: int = 1 << 20  # of one message
    max_connections: int = 20
    message_timeout_s: float = 30.0  # from the first to the last byte of a message
    idle_timeout_s: float = 600.0  # a connection without a message
    handshake_timeout_s: float = 5.0
    drain_s: float = 15.0


def bind(settings: Hl7Settings) -> socket.socket:
    """Return a listening socket; Unavailable when it cannot be had."""
    try:
        return listen(settings.host, settings.port, backlog=settings.max_connections)
    except OSError as error:
        raise Unavailable(
            f"Cannot listen on {settings.host}:{settings.port} for HL7 ({error.strerror}). "
            "Free the port or choose another with LYSBRO_HL7_PORT.",
            code="port-taken",
        ) from error


class Hl7Service:
    """Takes HL7 messages between `start` and `stop`."""

    def __init__(
        self,
        settings: Hl7Settings,
        desk: Hl7Desk,
        *,
        site_of_certificate: Callable[[str], str | None],
        listening: socket.socket | None = None,
    ) -> None:
        """`listening` is given where other processes listen on the same port."""
        self._settings = settings
        self._desk = desk
        self._site_of_certificate = site_of_certificate
        files = settings.tls_files
        self._tls = None if files is None else Fresh(lambda: server_context(files))
        self._listening = listening
        self._door = Door(
            total=settings.max_connections, per_peer=settings.max_connections, spare=0
        )
        self._stopping = threading.Event()
        self._open: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        self._acceptor = threading.Thread(target=self._accept, name="hl7-accept", daemon=True)

    @property
    def port(self) -> int:
        """Return the port that is listened on."""
        if self._listening is None:
            raise Unavailable("HL7 is not listened for. Start it first.")
        return int(self._listening.getsockname()[1])

    def start(self) -> None:
        """Start to listen; raise Unavailable when the address cannot be had."""
        if self._listening is None:
            self._listening = bind(self._settings)
        self._acceptor.start()

    def stop(self) -> None:
        """Accept no more, answer what has come whole, end every connection."""
        self._stopping.set()
        if self._acceptor.is_alive():
            self._acceptor.join()
        if self._listening is not None:
            self._listening.close()
        deadline = time.monotonic() + self._settings.drain_s
        with self._lock:
            threads = list(self._open)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            late = dict(self._open)
        for thread, connection in late.items():
            log.warning("hl7 connection cut at the end", connection=thread.name)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(_CUT_S)

    def _accept(self) -> None:
        listening = self._listening
        assert listening is not None  # noqa: S101 - start has bound it
        listening.settimeout(_LOOK_S)
        while not self._stopping.is_set():
            try:
                connection, address = listening.accept()
            except TimeoutError:
                continue
            except OSError as error:  # no descriptors left, or the peer is gone already
                log.warning("hl7 connection not taken", reason=error.strerror)
                self._stopping.wait(_LOOK_S)
                continue
            peer = str(address[0])
            if not self._door.enter(peer):
                log.warning("hl7 connection turned away", peer=peer)
                connection.close()
                continue
            self._begin(connection, peer)

    def _begin(self, connection: socket.socket, peer: str) -> None:
        thread = threading.Thread(
            target=self._carry, args=(connection, peer), name=f"hl7-{peer}", daemon=True
        )
        with self._lock:
            self._open[thread] = connection
        try:
            thread.start()
        except RuntimeError:  # no thread is to be had
            log.exception("hl7 connection broke", peer=peer)
            connection.close()
            self._left(thread, peer)

    def _carry(self, connection: socket.socket, peer: str) -> None:
        try:
            connection, came = self._secured(connection, peer)
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._serve(connection, came)
        except LysbroError as error:
            log.warning("hl7 connection refused", peer=peer, reason=error.code)
        except OSError as error:
            log.info("hl7 connection ended early", peer=peer, reason=error.strerror)
        except Exception:  # process boundary: one connection must not end the others
            log.exception("hl7 connection broke", peer=peer)
        finally:
            connection.close()
            self._left(threading.current_thread(), peer)

    def _secured(self, connection: socket.socket, peer: str) -> tuple[socket.socket, Came]:
        if self._tls is None:
            return connection, Came(peer)
        secured = handshake(connection, self._tls.context(), self._settings.handshake_timeout_s)
        with self._lock:
            self._open[threading.current_thread()] = secured
        site = self._site_of_certificate(fingerprint_of_peer(secured))
        if site is None:
            secured.close()
            raise Refused("Its certificate is bound to no site.", code="certificate-unknown")
        return secured, Came(peer, site)

    def _serve(self, connection: socket.socket, came: Came) -> None:
        """Answer messages in turn until the peer ends, is silent too long, or breaks the rules."""
        settings = self._settings
        unframer = Unframer(max_bytes=settings.max_bytes)
        connection.settimeout(_LOOK_S)
        heard_at = began_at = time.monotonic()
        while True:
            try:
                portion = connection.recv(_PORTION)
            except (TimeoutError, ssl.SSLWantReadError):
                portion = None
            now = time.monotonic()
            if portion == b"":
                if unframer.is_inside:
                    log.warning("hl7 message cut off", peer=came.peer)
                return
            if portion:
                was_inside = unframer.is_inside
                for message in unframer.received(portion):
                    self._answer(connection, message, came)
                    heard_at = now = time.monotonic()
                    was_inside = False
                if not was_inside:
                    began_at = now
            if self._stopping.is_set() and not unframer.is_inside:
                return
            is_slow = unframer.is_inside and now - began_at > settings.message_timeout_s
            if is_slow or now - heard_at > settings.idle_timeout_s:
                log.info(
                    "hl7 connection ended", peer=came.peer, reason="slow" if is_slow else "idle"
                )
                return

    def _answer(self, connection: socket.socket, message: bytes, came: Came) -> None:
        judged = self._desk.receive(message, came)
        if judged is None:
            raise Refused("What came is no HL7 message.", code="not-hl7")
        connection.settimeout(self._settings.message_timeout_s)
        connection.sendall(framed(judged.answer))
        connection.settimeout(_LOOK_S)

    def _left(self, thread: threading.Thread, peer: str) -> None:
        with self._lock:
            self._open.pop(thread, None)
        self._door.leave(peer)
