"""An association that we ask for and store over, carried by our own codec in one thread.

For all that is sent: each object costs one gathering write and one read. What is sent, and in which
context, is decided by the caller.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from casework.errors import LysbroError, Refused, Unavailable
from casework.model import ApplicationEntity
from pacs_bridge import pdu
from pacs_bridge.dimse import C_STORE_RSP, N_EVENT_REPORT_RQ, Command
from pacs_bridge.fragments import COMMAND, cut, fragment_bytes
from pacs_bridge.items import UserInformation
from pacs_bridge.line import MOMENT_S, Line
from pacs_bridge.messages import Assembler, Response
from pacs_bridge.negotiation import ACCEPTED, Context, Proposed
from pacs_bridge.pace import Floor
from pacs_bridge.payload import Payload
from pacs_bridge.plan import Pair
from pacs_bridge.scu import Wait, reason_of, secure_context
from pacs_bridge.sending import send_message
from pacs_bridge.sinks import DiscardSink, MemorySink, Sink
from pacs_bridge.stream import Fragment, PduStream, StreamLimits
from pacs_bridge.tls import TlsFiles
from pacs_bridge.whole import Message
from storage.filemeta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_MAX_PDU = 131072
_TLS_SEND_S = 10.0
_LEAVING_S = 5.0
_TRANSIENT = 2
_MAX_REPORT_BYTES = 16 << 20
_ABORT = pdu.encode(pdu.Abort(0, 0))


@dataclass(frozen=True)
class Offer:
    """What an association is asked for with."""

    pairs: Sequence[Pair]
    calling: str
    wait: Wait
    floor: Floor
    tls: TlsFiles | None = None


class Requestor:
    """Our side of an established association."""

    def __init__(self, line: Line, node: ApplicationEntity, offer: Offer) -> None:
        self._line = line
        self._node = node
        self._wait = offer.wait
        self._floor = offer.floor
        self._stream = PduStream(StreamLimits(_MAX_PDU))
        self._peer_max = 0
        self._assembler: Assembler | None = None
        self._takes_requests = False
        self._requests: deque[Message] = deque()
        self.accepted: Mapping[Pair, int] = {}

    def negotiate(self, offer: Offer) -> None:
        """Ask for the association; raise Refused or Unavailable when it is not had."""
        proposed = tuple(
            Proposed(2 * n + 1, sop_class, (syntax,))
            for n, (sop_class, syntax) in enumerate(offer.pairs)
        )
        user = UserInformation(
            maximum_length=_MAX_PDU,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version=IMPLEMENTATION_VERSION_NAME,
        )
        request = pdu.AssociateRequest(self._node.title, offer.calling, proposed, user)
        if not self._line.send(pdu.encode(request)):
            raise self._gone()
        answer = self._first_pdu(offer.wait.association_s)
        if isinstance(answer, pdu.AssociateReject):
            raise _rejection(self._node, answer)
        if not isinstance(answer, pdu.AssociateAccept):
            raise self._gone()
        self._peer_max = answer.user.maximum_length
        abstract = {context.id: context.abstract_syntax for context in proposed}
        contexts = {
            c.id: Context(c.id, abstract[c.id], ACCEPTED, c.transfer_syntax)
            for c in answer.contexts
            if c.result == ACCEPTED and c.id in abstract
        }
        self._assembler = Assembler(_Reports(), contexts)
        self.accepted = {(c.abstract_syntax, c.transfer_syntax): c.id for c in contexts.values()}

    def store(
        self, context_id: int, command: bytes, payload: Payload, *, message_id: int
    ) -> Generator[None, None, Command]:
        """Send one object and return the peer's answer; gives way while it waits.

        Raises Unavailable when none comes in time, or the peer goes or breaks the rules: then the
        association is spent.
        """
        yield from self._send(context_id, command, payload)
        return (yield from self._response(message_id, C_STORE_RSP))

    def request(
        self, context_id: int, command: bytes, dataset: bytes, *, message_id: int, answer: int
    ) -> Command:
        """Send another request with a data set and return the peer's response; waits for it."""
        self._takes_requests = True
        payload = Payload(len(dataset), iter((dataset,)))
        steps = self._exchange(context_id, command, payload, message_id, answer)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                response: Command = end.value
                return response

    def requests(self, within_s: float) -> Iterator[Message]:
        """Give the requests that the peer makes over this association within a while."""
        deadline = time.monotonic() + within_s
        while True:
            while self._requests:
                yield self._requests.popleft()
            if time.monotonic() > deadline:
                return
            for event in self._received():
                self._take(event)

    def respond(self, context_id: int, response: bytes) -> None:
        """Answer a request of the peer."""
        size = fragment_bytes(self._peer_max)
        if not self._line.send(
            b"".join(cut(context_id, response, kind=COMMAND, size=size, ends=True))
        ):
            raise self._gone()

    def release(self) -> None:
        """End the association in order, waiting a little for the peer to agree."""
        if self._line.send(pdu.encode(pdu.ReleaseRequest())):
            with suppress(LysbroError):  # all was answered: how the peer leaves changes nothing
                self._first_pdu(min(self._wait.association_s, _LEAVING_S))
        self._line.close()

    def abort(self) -> None:
        """End the association at once."""
        if self._line.has_room():
            self._line.send(_ABORT)
        self._line.close()

    def _exchange(
        self, context_id: int, command: bytes, payload: Payload, message_id: int, answer: int
    ) -> Generator[None, None, Command]:
        yield from self._send(context_id, command, payload)
        return (yield from self._response(message_id, answer))

    def _send(self, context_id: int, command: bytes, payload: Payload) -> Iterator[None]:
        return send_message(
            self._line, context_id, command, payload, peer_max=self._peer_max, floor=self._floor
        )

    def _response(self, message_id: int, field: int) -> Generator[None, None, Command]:
        deadline = time.monotonic() + self._wait.answer_s
        while True:
            for event in self._received():
                answer = self._take(event)
                if answer is not None:
                    if answer.field != field or answer.responded_to != message_id:
                        raise Unavailable(
                            f"{self._node.title} answered something else.", code="bad-answer"
                        )
                    return answer
            if time.monotonic() > deadline:
                raise Unavailable(f"{self._node.title} gave no answer in time.", code="no-answer")
            yield

    def _take(self, event: Fragment | pdu.Pdu) -> Command | None:
        """Return the response that an event ends; a request is kept where one may come."""
        if not isinstance(event, Fragment) or self._assembler is None:
            raise Unavailable(f"{self._node.title} ended the association.", code="aborted")
        whole = self._assembler.take(
            event.context_id, event.data, is_command=event.is_command, is_last=event.is_last
        )
        if whole is None:
            return None
        if isinstance(whole, Message) and self._takes_requests:
            self._requests.append(whole)
            return None
        if not isinstance(whole, Response):
            raise Unavailable(f"{self._node.title} asks instead of answering.", code="bad-answer")
        return whole.command

    def _first_pdu(self, within_s: float) -> pdu.Pdu:
        """Return the next PDU that is no data."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            for event in self._received():
                if not isinstance(event, Fragment):
                    return event
        raise Unavailable(f"{self._node.title} does not answer.", code="no-answer")

    def _received(self) -> list[Fragment | pdu.Pdu]:
        """Return what has come, waiting a moment for it."""
        count = self._line.receive_into(self._stream.space())
        if count == 0:
            raise self._gone()
        return self._stream.received(count) if count else []

    def _gone(self) -> Unavailable:
        return Unavailable(f"{self._node.title} closed the connection.", code="gone")


@contextmanager
def requested(node: ApplicationEntity, offer: Offer) -> Iterator[Requestor]:
    """Give an association with a node, released at the end, aborted on the way of an error.

    A node that is registered as TLS only is called over TLS, never in the clear. Raises Unavailable
    when the node cannot be reached, Refused when it rejects us.
    """
    context = secure_context(node, offer.tls) if node.tls_only else None
    connection = _connect(node, context, offer.wait)
    line = Line(connection, send_timeout_s=MOMENT_S if context is None else _TLS_SEND_S)
    requestor = Requestor(line, node, offer)
    try:
        requestor.negotiate(offer)
        yield requestor
    except BaseException:
        requestor.abort()
        raise
    requestor.release()


def _connect(node: ApplicationEntity, context: ssl.SSLContext | None, wait: Wait) -> socket.socket:
    where = f"{node.title} at {node.host}:{node.port}"
    try:
        plain = socket.create_connection((node.host, node.port or 0), timeout=wait.connect_s)
    except OSError as error:
        reason = error.strerror or "no answer in time"
        raise Unavailable(f"{where} cannot be reached ({reason}).", code="unreachable") from error
    if context is None:
        return plain
    try:
        return context.wrap_socket(plain, server_hostname=node.host)
    except (OSError, ValueError) as error:
        plain.close()
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise Unavailable(
            f"{where} gives no TLS connection that can be trusted ({reason}).", code="no-tls"
        ) from error


_REASONS = {
    (1, 1, 2): "application context not supported",
    (1, 1, 3): "calling AE title not recognised",
    (1, 1, 7): "called AE title not recognised",
    (2, 3, 1): "temporary congestion",
    (2, 3, 2): "local limit exceeded",
}
"""Result, source and reason of an A-ASSOCIATE-RJ in words (PS3.8 section 9.3.4)."""


def _rejection(node: ApplicationEntity, answer: pdu.AssociateReject) -> Refused:
    """Return why we are not let in; who is only busy now is told from who does not know us."""
    key = answer.result, answer.source, answer.reason
    words = f", {_REASONS[key]}" if key in _REASONS else ""
    code = "/".join(map(str, key))
    return Refused(
        f"{node.title} rejected us ({code}{words}).",
        code="busy" if answer.result == _TRANSIENT else "rejected",
    )


class _Reports:
    """Holds reports on what we asked for; nobody asks us anything else over our associations."""

    def sink_for(self, context: Context, command: Command) -> Sink:
        if command.field == N_EVENT_REPORT_RQ:
            return MemorySink(_MAX_REPORT_BYTES)
        return DiscardSink()
