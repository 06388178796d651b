"""The receive loop: carries one association from its connection to its end, in one thread.

Reads P-DATA from the socket into the session's sinks and sends the answers. The state table says
what may follow what; the stream, the assembler and the session know no socket. An association that
proposes query alone is handed on, with what was read of it.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from threading import Event as Flag

import structlog

from casework.errors import Invalid, LysbroError, Unavailable
from pacs_bridge import dimse, pdu
from pacs_bridge.admission import Rejection
from pacs_bridge.association import EVENT_OF, Association
from pacs_bridge.dimse import Command
from pacs_bridge.front import CONGESTED, Admitted, Front, Request
from pacs_bridge.limits import WireLimits
from pacs_bridge.line import Line
from pacs_bridge.messages import Assembler, Cancel, Response
from pacs_bridge.negotiation import ACCEPTED, Context, answer_items
from pacs_bridge.payload import Payload
from pacs_bridge.pdu import AssociateRequest
from pacs_bridge.plan import Pair
from pacs_bridge.sending import send_message
from pacs_bridge.session import Session
from pacs_bridge.states import P_DATA, Action, Event, State, Timer
from pacs_bridge.stream import Fragment, PduStream, StreamLimits
from pacs_bridge.syntaxes import RETRIEVE_CLASSES, is_query_class
from pacs_bridge.whole import Message, Reply

log = structlog.get_logger()

_CLOSING_S = 2.0  # ARTIM while the peer is waited for to close (PS3.8 section 9.1.5)
_LOOK_CLOCK_S = 0.05  # between looks at the deadlines, which are longer
_LONG = frozenset({dimse.C_FIND_RQ, dimse.C_GET_RQ, dimse.C_MOVE_RQ})  # can be cancelled
_MAX_CANCELS = 16
_LOOK_S = 0.5  # between looks whether the session has something to ask of the peer
_USER, _PROVIDER = 0, 2
_NO_REASON, _UNEXPECTED_PDU, _INVALID_PARAMETER = 0, 2, 6


@dataclass(frozen=True)
class Caller:
    """Who is at the other end of a connection, as far as the connection tells."""

    host: str
    port: int
    fingerprint: str = ""  # of a TLS client certificate that was verified
    is_secure: bool = False


@dataclass(frozen=True)
class Hall:
    """What every link of a receiver shares."""

    front: Front
    limits: WireLimits
    draining: Flag
    hand_over: Callable[[Line, Caller, bytes], None]
    """Carry an association on, whose request (the bytes given) was read already; returns at its
    end."""


class Link:
    """One connection and the association over it."""

    def __init__(self, hall: Hall, line: Line, caller: Caller) -> None:
        self._hall = hall
        self._line = line
        self._caller = caller
        self._association = Association()
        self._stream = PduStream(StreamLimits(hall.limits.max_pdu, hall.limits.request_bytes))
        self._session: Session | None = None
        self._assembler: Assembler | None = None
        self._outstanding = False  # we have asked the peer something
        self._peer_max = 0
        self._handed = False
        now = self._artim = time.monotonic()
        self._heard_at = self._pdu_began = self._looked_at = self._look_next_at = now
        self._message_bytes = 0
        self._waited_s = 0.0  # for the sender, over one message
        self._waiting: deque[Message] = deque()  # to be answered at length
        self._cancelled: set[int] = set()
        self._is_serving = False  # at length; the requester has nothing to say meanwhile
        self._is_midway = False  # in the sending of an object
        self._stored: Command | None = None  # the answer to it
        self.accepted: Mapping[Pair, int] = {}  # contexts over which the requester takes objects

    def run(self) -> None:
        """Serve the association from its request to its end, and leave nothing behind."""
        try:
            self._happens(Event.EVT5)
            while self._association.state is not State.STA1 and not self._handed:
                self._turn()
                while self._waiting and self._association.is_established:
                    self._serve_at_length(self._waiting.popleft())
        except Exception:  # process boundary: one association must not end the others
            log.exception("association broke", peer=self._caller.host)
        finally:
            if self._assembler is not None:
                self._assembler.discard()
            for message in self._waiting:
                message.sink.abandon()
            self._line.close()
            if self._session is not None:
                self._hall.front.ended(self._session)

    def interrupt(self) -> None:
        """End the connection from another thread, whatever is under way."""
        self._line.interrupt()

    def _turn(self) -> None:
        """Read once, take what came, and look at the clock."""
        stream = self._stream
        asked_at = time.monotonic()
        count = self._line.receive_into(stream.space())
        if count == 0:
            self._happens(Event.EVT17)
            return
        now = time.monotonic()
        self._waited_s += now - asked_at
        if count and not self._association.is_over:
            self._heard_at = now
            before = stream.begun
            self._take(count)
            if stream.begun != before:
                self._pdu_began = now
            if self._handed:
                return
        self._look_at_clock(now)

    def _take(self, count: int) -> None:
        try:
            for event in self._stream.received(count):
                if isinstance(event, Fragment):
                    self._take_fragment(event)
                else:
                    self._take_pdu(event)
                if self._association.is_over or self._handed:
                    return
        except LysbroError as error:
            self._violated(error)

    def _take_fragment(self, fragment: Fragment) -> None:
        action = self._happens(Event.EVT10)
        if action.indicates != P_DATA or self._assembler is None:
            return
        if self._assembler.is_quiet:
            self._message_bytes, self._waited_s = 0, 0.0
        self._message_bytes += len(fragment.data)
        whole = self._assembler.take(
            fragment.context_id,
            fragment.data,
            is_command=fragment.is_command,
            is_last=fragment.is_last,
        )
        if isinstance(whole, Message):
            self._take_message(whole)
        elif isinstance(whole, Cancel):
            if len(self._cancelled) < _MAX_CANCELS:
                self._cancelled.add(whole.message_id)
        elif isinstance(whole, Response) and whole.command.field == dimse.C_STORE_RSP:
            self._stored = whole.command
        elif isinstance(whole, Response) and self._session is not None:
            self._outstanding = False
            self._session.answered(whole.command)
        if whole is not None:
            self._heard_at = time.monotonic()

    def _take_message(self, message: Message) -> None:
        """Serve a message at once, or later when that takes long and can be cancelled."""
        if message.command.field not in _LONG:
            self._serve(message)
        elif len(self._waiting) < self._hall.limits.read_ahead:
            self._waiting.append(message)
        else:  # one operation at a time is what was negotiated (PS3.7 section D.3.3.3)
            message.sink.abandon()
            raise Invalid("Too many requests wait for their answers.", code="bad-order")

    def _take_pdu(self, received: pdu.Pdu) -> None:
        action = self._happens(EVENT_OF[type(received)], received)
        if action.indicates == "A-RELEASE indication":
            self._happens(Event.EVT14)

    def _happens(self, event: Event, received: pdu.Pdu | None = None) -> Action:
        """Follow the table and do what the action says."""
        action = self._association.happens(event)
        if action.timer is Timer.STARTED:
            wait_s = self._hall.limits.request_timeout_s
            closes = action.follows is State.STA13
            self._artim = time.monotonic() + (min(_CLOSING_S, wait_s) if closes else wait_s)
        if action.indicates == "A-ASSOCIATE indication" and isinstance(received, AssociateRequest):
            self._decide(received)
        elif action.sends == "A-ABORT":
            self._abort(event)
        elif action.sends == "A-RELEASE-RP":
            self._line.send(pdu.encode(pdu.ReleaseReply()))
        return action

    def _abort(self, event: Event) -> None:
        """PS3.8 section 9.3.8: the user gives no reason, the provider does."""
        source, reason = _USER, _NO_REASON
        if event is not Event.EVT15:
            reason = _INVALID_PARAMETER if event is Event.EVT19 else _UNEXPECTED_PDU
            source = _PROVIDER
        self._line.send(pdu.encode(pdu.Abort(source, reason)))
        self._line.end_sending()

    def _decide(self, request: AssociateRequest) -> None:
        proposed = {context.abstract_syntax for context in request.proposed}
        if any(map(is_query_class, proposed)) and proposed.isdisjoint(RETRIEVE_CLASSES):
            self._handed = True
            self._hall.hand_over(self._line, self._caller, self._stream.replay())
            return
        decision = self._ask_front(request)
        if isinstance(decision, Rejection):
            self._happens(Event.EVT8)
            answer = pdu.AssociateReject(decision.result, decision.source, decision.reason)
            self._line.send(pdu.encode(answer))
            return
        self._happens(Event.EVT7)
        self._accept(request, decision)

    def _ask_front(self, request: AssociateRequest) -> Admitted | Rejection:
        try:
            return self._hall.front.decide(
                Request(
                    called=request.called,
                    calling=request.calling,
                    peer_host=self._caller.host,
                    peer_port=self._caller.port,
                    is_secure=self._caller.is_secure,
                    certificate=self._caller.fingerprint or None,
                    proposed=request.proposed,
                    service_classes={
                        c.sop_class_uid: c.service_class_uid for c in request.user.common_extended
                    },
                    roles=request.user.roles,
                    extended=request.user.extended,
                )
            )
        except Exception:  # process boundary: the peer is told to come back
            log.exception("admission broke", peer=self._caller.host)
            return CONGESTED

    def _accept(self, request: AssociateRequest, admitted: Admitted) -> None:
        limits = self._hall.limits
        accepted = {c.id: c for c in admitted.contexts if c.result == ACCEPTED}
        self._session = admitted.session
        self._peer_max = request.user.maximum_length
        self.accepted = {
            (c.abstract_syntax, c.transfer_syntax): c.id for c in accepted.values() if c.scp
        }
        self._assembler = Assembler(
            admitted.session, accepted, max_command_bytes=limits.command_bytes
        )
        contexts = tuple(pdu.Answered(c.id, c.result, c.transfer_syntax) for c in admitted.contexts)
        user = answer_items(request.user, accepted.values(), max_pdu=limits.max_pdu)
        accept = pdu.AssociateAccept(request.called, request.calling, contexts, user)
        self._line.send(pdu.encode(accept))

    def _serve(self, message: Message) -> None:
        if self._session is None:
            return
        for reply in self._session.answers(message, _never):
            self._send(message.context, reply)

    def _serve_at_length(self, message: Message) -> None:
        """Serve what may be cancelled, and may ask us to store meanwhile.

        When the sending of an object was not brought to its end no answer can follow: abort.
        """
        if self._session is None:
            return
        message_id = message.command.message_id
        self._is_serving = True
        answers = self._session.answers(message, lambda: self._is_cancelled(message_id), self)
        try:
            with contextlib.closing(answers):  # type: ignore[type-var]
                for reply in answers:
                    if self._is_midway or not self._association.is_established:
                        break
                    self._send(message.context, reply)
        finally:
            self._is_serving = False
            self._cancelled.discard(message_id)
            self._heard_at = time.monotonic()
        if self._is_midway and self._association.is_established:
            self._happens(Event.EVT15)

    def _is_cancelled(self, message_id: int) -> bool:
        """Tell whether the requester has cancelled this message (PS3.7 section 9.3.2.3)."""
        while self._line.has_input():
            self._turn()
            self._require_peer()
        return message_id in self._cancelled

    def store(
        self, context_id: int, command: bytes, payload: Payload, *, message_id: int
    ) -> Generator[None, None, Command]:
        """Store an object with the requester (C-GET) and return its answer.

        Raises Unavailable when that cannot be, and the association must end.
        """
        limits = self._hall.limits
        self._is_midway = True
        yield from send_message(
            self._line,
            context_id,
            command,
            payload,
            peer_max=self._peer_max,
            floor=limits.floor,
        )
        deadline = time.monotonic() + self._hall.front.answer_timeout_s
        while (answer := self._answer_to_store()) is None:
            self._turn()
            self._require_peer()
            if time.monotonic() > deadline:
                raise Unavailable("The requester gave no answer to an object.", code="no-answer")
            yield
        if answer.responded_to != message_id:
            raise Unavailable("The requester answered something else.", code="bad-answer")
        self._is_midway = False
        return answer

    def _answer_to_store(self) -> Command | None:
        answer, self._stored = self._stored, None
        return answer

    def _require_peer(self) -> None:
        if not self._association.is_established:
            raise Unavailable("The requester ended the association.", code="gone")

    def _send(self, context: Context, reply: Reply) -> None:
        """Send a command set and its data set, cut to the peer's length (PS3.8 annex D.1)."""
        own = self._hall.limits.max_pdu
        size = max(1, min(self._peer_max or own, own) - 6)
        for content, kind in ((reply.command, 0x01), (reply.dataset, 0x00)):
            for start in range(0, len(content), size):
                piece = content[start : start + size]
                last = 0x02 if start + size >= len(content) else 0x00
                self._association.happens(Event.EVT9)
                head = pdu.encode_fragment_head(context.id, kind | last, len(piece))
                if not self._line.send(head + piece):
                    self._line.interrupt()  # the next read finds the end
                    return

    def _violated(self, error: LysbroError) -> None:
        log.warning(
            "association violated",
            peer=self._caller.host,
            association=self._session.id if self._session else "",
            reason=error.code,
            message=error.message,
        )
        self._happens(Event.EVT19)

    def _look_at_clock(self, now: float) -> None:
        if now < self._look_next_at:
            return
        self._look_next_at = now + _LOOK_CLOCK_S
        state = self._association.state
        if state in (State.STA2, State.STA13):
            if now > self._artim or self._hall.draining.is_set():
                self._happens(Event.EVT18)
            return
        if state is not State.STA6 or self._assembler is None:
            return
        late = self._lateness(now, self._assembler)
        if late:
            log.warning(
                "association ended by us",
                peer=self._caller.host,
                association=self._session.id if self._session else "",
                reason=late,
            )
            self._happens(Event.EVT15)
        elif now - self._looked_at > _LOOK_S and self._assembler.is_quiet and not self._is_serving:
            self._looked_at = self._look_next_at = now
            self._ask_peer()

    def _lateness(self, now: float, assembler: Assembler) -> str:
        """Return why the association must end now; empty while all is well."""
        limits = self._hall.limits
        is_quiet = assembler.is_quiet and not self._stream.is_inside_pdu
        if is_quiet and self._is_serving:
            return ""
        if is_quiet:
            if self._hall.draining.is_set():
                return "closing"
            return "idle" if now - self._heard_at > limits.idle_timeout_s else ""
        if self._stream.is_inside_pdu and now - self._pdu_began > limits.pdu_timeout_s:
            return "slow-pdu"
        is_slow = limits.floor.is_undercut(size_bytes=self._message_bytes, waited_s=self._waited_s)
        if not assembler.is_quiet and is_slow:
            return "slow-message"
        return "idle" if now - self._heard_at > limits.idle_timeout_s else ""

    def _ask_peer(self) -> None:
        """Send what the session wants to ask: a report on storage commitment."""
        if self._session is None or self._outstanding:
            return
        due = self._session.due()
        if due is not None:
            self._outstanding = True
            self._send(due.context, Reply(due.command, due.dataset))


def _never() -> bool:
    """Nothing that is served here can be cancelled."""
    return False
