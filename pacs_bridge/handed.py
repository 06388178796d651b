"""Carries associations that propose query/retrieve by pynetdicom: PDUs, states, timers, threads.

They come from the receive loop with the request that was read already, behind the same admission
and over a guarded socket with the same limits. What is answered is decided in `session`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from threading import Event as Flag
from typing import Any

import structlog
from pydicom.uid import UID
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.ae import ApplicationEntity as NetworkEntity
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import InvalidEventError
from pynetdicom.pdu_primitives import A_ASSOCIATE, P_DATA
from pynetdicom.transport import AddressInformation

from pacs_bridge.front import Admitted, Front
from pacs_bridge.gate import Gate
from pacs_bridge.guard import GuardedSocket
from pacs_bridge.inbox import Inbox
from pacs_bridge.limits import WireLimits
from pacs_bridge.line import Line
from pacs_bridge.link import Caller
from pacs_bridge.negotiation import ACCEPTED, Context
from pacs_bridge.quiet import quiet_pynetdicom
from pacs_bridge.session import Session
from pacs_bridge.whole import Message, Reply
from storage.filemeta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

log = structlog.get_logger()

_WAIT_S = 0.02


class Handover:
    """Where the receive loop hands associations over to."""

    def __init__(self, front: Front, *, limits: WireLimits, draining: Flag) -> None:
        quiet_pynetdicom()
        self.front = front
        self.limits = limits
        self.draining = draining
        self.entity = NetworkEntity(ae_title=front.own_title)
        self.entity.acse_timeout = limits.request_timeout_s
        self.entity.network_timeout = limits.idle_timeout_s
        self.entity.maximum_pdu_size = limits.max_pdu
        self.entity.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        self.entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME

    def carry(self, line: Line, caller: Caller, request: bytes) -> None:
        """Serve an association to its end, beginning with the request that was read of it."""
        link = _Link(self, caller)
        link.connect(GuardedSocket(link, line.connection, self.limits, read_already=request))
        link.acceptor.maximum_length = self.limits.max_pdu
        link.acceptor.ae_title = self.entity.ae_title
        link.acceptor.address_info = AddressInformation.from_tuple(
            line.connection.getsockname()[:2]
        )
        link.acceptor.implementation_class_uid = self.entity.implementation_class_uid
        link.acceptor.implementation_version_name = self.entity.implementation_version_name
        link.requestor.address_info = AddressInformation.from_tuple((caller.host, caller.port))
        link.start()
        link.join()


class _Link(Association):
    """One association: pynetdicom's states, our admission, our messages."""

    def __init__(self, house: Handover, caller: Caller) -> None:
        super().__init__(house.entity, MODE_ACCEPTOR)
        self.daemon = True
        self.peer_host = caller.host
        self.house = house
        self.session: Session | None = None
        self.inbox = Inbox(self, house.limits)
        self.dimse = self.inbox
        self.dul = _Dul(self)
        self.acse = Gate(self, house.front, caller=caller, admit=self._admit)
        self.acse_timeout = house.entity.acse_timeout  # again, for the timers of the new provider
        self.network_timeout = house.entity.network_timeout
        self._line: GuardedSocket | None = None

    def _admit(self, admitted: Admitted) -> None:
        self.session = admitted.session
        accepted = {c.id: c for c in admitted.contexts if c.result == ACCEPTED}
        self.inbox.open(admitted.session, accepted)

    def connect(self, line: GuardedSocket) -> None:
        """Take the connection that the association goes over."""
        self._line = line
        self.dul.socket = line

    def wake(self) -> None:
        """Let the thread that reads and sends look up at once."""
        if self._line is not None:
            self._line.wake()

    def run_reactor(self) -> None:
        """Serve the association from its request to its end, and leave nothing behind."""
        try:
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
            self.dul.join(5.0)
            self.inbox.discard()
            if self._line is not None:
                self._line.dispose()
            self.house.front.ended(self.session)

    def _wait_for_request(self) -> A_ASSOCIATE | None:
        """Return the association request, or None when none comes in time or the peer goes."""
        deadline = time.monotonic() + self.house.limits.request_timeout_s
        while time.monotonic() < deadline and not self.house.draining.is_set():
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
            self.house.draining.is_set() and self.inbox.is_quiet
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

        def is_cancelled() -> bool:
            return self.inbox.is_cancelled(message_id) or self._has_gone()

        answers = self.session.answers(message, is_cancelled)
        with contextlib.closing(answers):  # type: ignore[type-var]
            for reply in answers:
                if self._has_gone():
                    break
                for fragment in self._fragments(message.context, reply):
                    self.dul.send_pdu(fragment)
        self.inbox.served(message)
        self.dul._idle_timer.restart()

    def _has_gone(self) -> bool:
        """Tell whether nobody is there any more to be answered."""
        ended = self._line is None or self._line.has_ended
        return self._kill or ended or not self.dul.is_alive() or self.acse.is_aborted()

    def _fragments(self, context: Context, reply: Reply) -> Iterator[P_DATA]:
        """Cut a reply to the peer's maximum length (PS3.8 annex D.1), 0 meaning any."""
        own = self.house.limits.max_pdu
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

    def run_reactor(self) -> None:
        """Read and send until the end; what a peer sends out of order ends this association alone.

        pynetdicom's thread dies of it; that the thread is dead is how the association learns it.
        """
        try:
            super().run_reactor()
        except (InvalidEventError, ValueError) as error:
            log.warning(
                "association violated",
                peer=self._link.peer_host,
                reason="bad-pdu",
                message=str(error),
            )
        except Exception:  # process boundary: one association must not end the others
            log.exception("association broke", peer=self._link.peer_host)

    def send_pdu(self, primitive: Any) -> None:
        """Queue a primitive and wake the thread that sends it."""
        super().send_pdu(primitive)
        self._link.wake()
