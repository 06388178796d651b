"""An association that we ask for and store over, carried by our own codec in one thread.

For all that is sent: each object costs one gathering write and one read. What is sent, and in which
context, is decided by the caller.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from casework.errors import Unavailable
from casework.model import ApplicationEntity
from pacs_bridge import pdu
from pacs_bridge.caller import Caller, connected
from pacs_bridge.dimse import C_STORE_RSP, N_EVENT_REPORT_RQ, Command
from pacs_bridge.fragments import COMMAND, cut, fragment_bytes
from pacs_bridge.items import UserInformation
from pacs_bridge.line import MOMENT_S, Line
from pacs_bridge.messages import Assembler, Response
from pacs_bridge.negotiation import Context, Proposed
from pacs_bridge.pace import Floor
from pacs_bridge.payload import Payload
from pacs_bridge.plan import Pair
from pacs_bridge.scu import Wait
from pacs_bridge.sending import send_message
from pacs_bridge.sinks import DiscardSink, MemorySink, Sink
from pacs_bridge.stream import Fragment
from pacs_bridge.tls import TlsFiles
from pacs_bridge.whole import Message

_TLS_SEND_S = 10.0
_MAX_REPORT_BYTES = 16 << 20


@dataclass(frozen=True)
class Offer:
    """What an association is asked for with."""

    pairs: Sequence[Pair]
    calling: str
    wait: Wait
    floor: Floor
    tls: TlsFiles | None = None


class Requestor(Caller):
    """Our side of an established association."""

    def __init__(self, line: Line, node: ApplicationEntity, offer: Offer) -> None:
        super().__init__(line, node)
        self._wait = offer.wait
        self._floor = offer.floor
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
        contexts = self._ask(
            proposed, UserInformation(), calling=offer.calling, within_s=offer.wait.association_s
        )
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
        self._leave(self._wait.association_s)

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


@contextmanager
def requested(node: ApplicationEntity, offer: Offer) -> Iterator[Requestor]:
    """Give an association with a node, released at the end, aborted on the way of an error.

    A node that is registered as TLS only is called over TLS, never in the clear. Raises Unavailable
    when the node cannot be reached, Refused when it rejects us.
    """
    connection = connected(node, offer.tls, within_s=offer.wait.connect_s)
    line = Line(connection, send_timeout_s=_TLS_SEND_S if node.tls_only else MOMENT_S)
    requestor = Requestor(line, node, offer)
    try:
        requestor.negotiate(offer)
        yield requestor
    except BaseException:
        requestor.abort()
        raise
    requestor.release()


class _Reports:
    """Holds reports on what we asked for; nobody asks us anything else over our associations."""

    def sink_for(self, context: Context, command: Command) -> Sink:
        if command.field == N_EVENT_REPORT_RQ:
            return MemorySink(_MAX_REPORT_BYTES)
        return DiscardSink()
