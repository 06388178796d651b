"""Listens for associations and carries them by pynetdicom: PDUs, states, timers and threads.

Who is let in, what is accepted and what is answered is decided elsewhere, in values without
pynetdicom; another receiver can stand in this one's place.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import structlog
from pydicom.uid import UID
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.ae import ApplicationEntity as NetworkEntity
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import A_ASSOCIATE, P_DATA
from pynetdicom.transport import AssociationServer, RequestHandler

from casework.errors import Refused
from pacs_bridge.front import Admitted, Front
from pacs_bridge.gate import Gate
from pacs_bridge.guard import Door, GuardedSocket, WireLimits
from pacs_bridge.inbox import Inbox
from pacs_bridge.negotiation import ACCEPTED, Context
from pacs_bridge.quiet import quiet_pynetdicom
from pacs_bridge.session import Message, Reply, Session
from pacs_bridge.tls import Fresh, fingerprint_of_peer, handshake
from storage.filemeta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

log = structlog.get_logger()

_WAIT_S = 0.02


class Receiver:
    """A listening port and the associations that came over it."""

    def __init__(
        self,
        front: Front,
        *,
        host: str,
        port: int,
        door: Door,
        limits: WireLimits,
        tls: Fresh | None = None,
    ) -> None:
        quiet_pynetdicom()
        entity = NetworkEntity(ae_title=front.own_title)
        entity.acse_timeout = limits.request_timeout_s
        entity.network_timeout = limits.idle_timeout_s
        entity.maximum_pdu_size = limits.max_pdu
        entity.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        self._server = _Server(entity, (host, port), front, door, limits, tls)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="dicom-accept", daemon=True
        )

    @property
    def port(self) -> int:
        """Return the port that is listened on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Start to accept."""
        self._thread.start()

    def stop(self, *, drain_s: float) -> None:
        """Accept no more, let messages under way finish, end every association in time."""
        self._server.draining.set()
        self._server.stop_accepting()
        self._thread.join()
        deadline = time.monotonic() + drain_s
        for link in self._server.links():
            link.join(max(0.0, deadline - time.monotonic()))
        for link in self._server.links():
            log.warning("association cut at the end", association=link.name)
            link.cut()
            link.join(2.0)


class _Server(AssociationServer):
    """Accepts connections and starts a link for each; never waits for one."""

    def __init__(
        self,
        entity: NetworkEntity,
        address: tuple[str, int],
        front: Front,
        door: Door,
        limits: WireLimits,
        tls: Fresh | None,
    ) -> None:
        self.request_queue_size = limits.backlog
        self.tls = tls
        self.front = front
        self.door = door
        self.limits = limits
        self.draining = threading.Event()
        self._links: set[_Link] = set()
        self._lock = threading.Lock()
        super().__init__(entity, address, entity.ae_title, [], request_handler=_Handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Turn a connection away at once when there is no place for it."""
        if self.door.enter(str(client_address[0])):
            return True
        log.warning("connection turned away", peer=str(client_address[0]))
        return False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say in the log that a connection could not be taken."""
        self.door.leave(str(client_address[0]))
        log.exception("connection broke", peer=str(client_address[0]))

    def service_actions(self) -> None:
        """Do nothing between connections."""

    def stop_accepting(self) -> None:
        """End `serve_forever` and close the listening socket."""
        super(AssociationServer, self).shutdown()
        self.server_close()

    def joined(self, link: _Link) -> None:
        """Take a link in."""
        with self._lock:
            self._links.add(link)

    def left(self, link: _Link) -> None:
        """Take a link out, with its connection."""
        with self._lock:
            self._links.discard(link)
        self.door.leave(link.peer_host)

    def links(self) -> list[_Link]:
        """Return the links that are open."""
        with self._lock:
            return list(self._links)


class _Handler(RequestHandler):
    """Makes a link of an accepted connection."""

    server: _Server

    def handle(self) -> None:
        """Start the link's threads."""
        link = _Link(self.server, str(self.client_address[0]))
        link.acceptor.maximum_length = self.server.limits.max_pdu
        link.acceptor.ae_title = self.server.ae_title
        link.acceptor.address_info = self.local
        link.acceptor.implementation_class_uid = self.ae.implementation_class_uid
        link.acceptor.implementation_version_name = self.ae.implementation_version_name
        link.requestor.address_info = self.remote
        self.server.joined(link)
        link.take(self.request)


class _Link(Association):
    """One association: pynetdicom's states, our admission, our messages."""

    def __init__(self, server: _Server, peer_host: str) -> None:
        super().__init__(server.ae, MODE_ACCEPTOR)
        self.peer_host = peer_host
        self.server = server
        self.session: Session | None = None
        self.inbox = Inbox(self, server.limits)
        self.dimse = self.inbox
        self.dul = _Dul(self)
        self.acse = self._gate = Gate(self, server.front, peer_host=peer_host, admit=self._admit)
        self.acse_timeout = server.ae.acse_timeout  # again, for the timers of the new provider
        self.network_timeout = server.ae.network_timeout
        self._server = server
        self._line: GuardedSocket | None = None
        self._connection: socket.socket | None = None

    def _admit(self, admitted: Admitted) -> None:
        self.session = admitted.session
        accepted = {c.id: c for c in admitted.contexts if c.result == ACCEPTED}
        self.inbox.open(admitted.session, accepted)

    def take(self, connection: socket.socket) -> None:
        """Take the accepted connection that the association goes over, and start."""
        self._connection = connection
        self.start()

    def _open_line(self, connection: socket.socket) -> bool:
        """Shake hands where TLS is asked for: here, since the accept thread may wait for nobody."""
        limits, tls = self.server.limits, self.server.tls
        if tls is not None:
            try:
                secured = handshake(connection, tls.context(), limits.handshake_timeout_s)
            except Refused as refusal:
                self.server.front.turned_away(self.peer_host, refusal)
                return False
            self._gate.certificate = fingerprint_of_peer(secured)
            connection = secured
        self._line = GuardedSocket(self, connection, limits)
        self.dul.socket = self._line
        return True

    def wake(self) -> None:
        """Let the thread that reads and sends look up at once."""
        if self._line is not None:
            self._line.wake()

    def run_reactor(self) -> None:
        """Serve the association from its request to its end, and leave nothing behind."""
        try:
            if self._connection is None or not self._open_line(self._connection):
                return
            self.dul.start()
            self._dul_ready.wait()
            request = self._wait_for_request()
            if request is not None:
                self.requestor.primitive = request
                self.acse.negotiate_association()
            if self.is_established:
                self._run_reactor()
        except Exception:  # process boundary: one association must not end the others
            log.exception("association broke", peer=self.peer_host)
        finally:
            self.cut()
            if self.dul.is_alive():
                self.dul.join(5.0)
            self.inbox.discard()
            if self._line is not None:
                self._line.dispose()
            self.server.left(self)
            self.server.front.ended(self.session)

    def _wait_for_request(self) -> A_ASSOCIATE | None:
        """Return the association request, or None when none comes in time or the peer goes."""
        deadline = time.monotonic() + self.server.limits.request_timeout_s
        while time.monotonic() < deadline and not self.server.draining.is_set():
            primitive: Any = self.dul.receive_pdu(wait=True, timeout=_WAIT_S)
            if primitive is not None:
                return primitive if isinstance(primitive, A_ASSOCIATE) else None
            if self._line is None or self._line.has_ended:
                return None
        return None

    def cut(self) -> None:
        """Close the connection, whatever is under way."""
        self._kill = True
        self.dul.kill_dul()
        if self._line is not None:
            self._line.close()
            self._line.wake()

    def _run_reactor(self) -> None:
        """Serve message after message until the peer leaves, is idle too long, or we stop."""
        while not self._kill:
            message = self.inbox.next_message(_WAIT_S)
            if message is not None:
                self._serve(message)
            if self._is_over():
                self.kill()
                return

    def _is_over(self) -> bool:
        if self.acse.is_release_requested():
            self.acse.send_release(is_response=True)
            self.is_released = True
        elif self.acse.is_aborted() or not self.dul.is_alive():
            self.is_aborted = True
        elif self.dul.idle_timer_expired() or (
            self.server.draining.is_set() and self.inbox.is_quiet
        ):
            self.acse.send_abort(0x00)
            self.is_aborted = True
        else:
            return False
        self.is_established = False
        return True

    def _serve(self, message: Message) -> None:
        if self.session is None:
            return
        message_id = message.command.message_id
        answers = self.session.answers(message, lambda: self.inbox.is_cancelled(message_id))
        with contextlib.closing(answers):  # type: ignore[type-var]
            for reply in answers:
                if self._kill or not self.dul.is_alive():
                    break
                for fragment in self._fragments(message.context, reply):
                    self.dul.send_pdu(fragment)
        self.inbox.served(message)
        self.dul._idle_timer.restart()

    def _fragments(self, context: Context, reply: Reply) -> Iterator[P_DATA]:
        """Cut a reply to the peer's maximum length (PS3.8 annex D.1), 0 meaning any."""
        own = self.server.limits.max_pdu
        size = max(1, min(self.requestor.maximum_length or own, own) - 6)
        for content, kind in ((reply.command, 0x01), (reply.dataset, 0x00)):
            for start in range(0, len(content), size):
                last = 0x02 if start + size >= len(content) else 0x00
                primitive = P_DATA()
                value = bytes([kind | last]) + content[start : start + size]
                primitive.presentation_data_value_list.append((context.id, value))
                yield primitive


class _Dul(DULServiceProvider):
    """pynetdicom's upper layer, waked when there is something to send rather than polling."""

    def __init__(self, link: _Link) -> None:
        super().__init__(link)
        self.daemon = True
        self._run_loop_delay = 0.0
        self._link = link

    def send_pdu(self, primitive: Any) -> None:
        """Queue a primitive and wake the thread that sends it."""
        super().send_pdu(primitive)
        self._link.wake()
