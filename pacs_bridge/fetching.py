"""Fetches objects of a study from a node, as the user of C-GET and C-MOVE (PS3.4 C.4.2, C.4.3).

Over our own codec, in one thread: what comes by C-GET streams into the archive as it comes, and is
answered with success once it is durable. What is fetched, and from whom, the caller decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from casework.errors import LysbroError, NoRoom, Unavailable
from casework.model import ApplicationEntity
from pacs_bridge import dimse, pdu
from pacs_bridge.caller import Caller, connected
from pacs_bridge.dimse import C_STORE_RQ, Command
from pacs_bridge.fragments import COMMAND, cut, fragment_bytes
from pacs_bridge.identifier import write_identifier
from pacs_bridge.items import Role, UserInformation
from pacs_bridge.line import Line
from pacs_bridge.messages import Assembler, Response
from pacs_bridge.negotiation import Context, Proposed
from pacs_bridge.pace import Floor
from pacs_bridge.payload import Payload
from pacs_bridge.plan import Pair
from pacs_bridge.prior_finding import Calling
from pacs_bridge.sending import send_message
from pacs_bridge.sinks import DiscardSink, Sink
from pacs_bridge.status import (
    PENDING,
    PENDING_WARNING,
    UNRECOGNISED_OPERATION,
    Answer,
    answer_to_error,
    answer_to_receipt,
)
from pacs_bridge.stream import Fragment
from pacs_bridge.syntaxes import EXPLICIT_LE, IMPLICIT_LE, STUDY_ROOT_GET, STUDY_ROOT_MOVE
from pacs_bridge.whole import Message
from storage.archive import Intake
from storage.disk import Buffer

log = structlog.get_logger()

Begin = Callable[[Command, str], Intake]
"""Begins to take an object in: its C-STORE command, and its transfer syntax."""

_SEND_S = 10.0
_UIDS_AT_ONCE = 100
_FLOOR = Floor()


@dataclass(frozen=True)
class Told:
    """How a node says a retrieve has gone."""

    status: int
    completed: int
    failed: int
    warning: int
    comment: str = ""


@dataclass
class Kept:
    """What has come over one association."""

    objects: int = 0
    size_bytes: int = 0
    refused: list[str] = field(default_factory=list)  # why objects were not kept


class Fetcher(Caller):
    """Our side of an established association with a node that we fetch from."""

    def __init__(self, line: Line, node: ApplicationEntity, calling: Calling, begin: Begin) -> None:
        super().__init__(line, node)
        self._calling = calling
        self._begin = begin
        self._assembler: Assembler | None = None
        self._offered: Mapping[str, Context] = {}
        self._message_id = 0
        self.kept = Kept()

    @property
    def offers_get(self) -> bool:
        """Tell whether the node gives objects over this association."""
        return STUDY_ROOT_GET in self._offered

    @property
    def offers_move(self) -> bool:
        """Tell whether the node sends objects to whom we name."""
        return STUDY_ROOT_MOVE in self._offered

    def negotiate(self, pairs: Sequence[Pair]) -> None:
        """Ask for the association; raise Refused or Unavailable when it is not had.

        We are to be the SCP of the storage classes, and not their SCU (PS3.7 section D.3.3.4).
        Without any, C-MOVE alone is proposed.
        """
        ways = {1: STUDY_ROOT_GET, 3: STUDY_ROOT_MOVE} if pairs else {3: STUDY_ROOT_MOVE}
        proposed = [Proposed(n, way, (EXPLICIT_LE, IMPLICIT_LE)) for n, way in ways.items()]
        proposed += [Proposed(2 * n + 5, pair[0], (pair[1],)) for n, pair in enumerate(pairs)]
        roles = tuple(
            Role(uid, scu=False, scp=True) for uid in dict.fromkeys(pair[0] for pair in pairs)
        )
        contexts = self._ask(
            proposed,
            UserInformation(roles=roles),
            calling=self._calling.title,
            within_s=self._calling.wait.association_s,
        )
        self._assembler = Assembler(self, contexts)
        self._offered = {
            c.abstract_syntax: c
            for c in contexts.values()
            if c.abstract_syntax == STUDY_ROOT_MOVE
            or (c.abstract_syntax == STUDY_ROOT_GET and len(contexts) > 1 + (3 in contexts))
        }

    def get(
        self, keys: Mapping[str, object], *, progress: Callable[[], None] = lambda: None
    ) -> Told:
        """Have objects sent over this very association (C-GET), and return how it went."""
        return self._retrieve(STUDY_ROOT_GET, keys, "", progress)

    def move(
        self,
        keys: Mapping[str, object],
        *,
        destination: str,
        progress: Callable[[], None] = lambda: None,
    ) -> Told:
        """Have objects sent to a destination (C-MOVE), and return how it went."""
        return self._retrieve(STUDY_ROOT_MOVE, keys, destination, progress)

    def sink_for(self, context: Context, command: Command) -> Sink:
        """Return what takes the data set of a message that the node sends us."""
        if command.field == C_STORE_RQ and command.affected_class == context.abstract_syntax:
            return _Taking(self._begin, context, command)
        return DiscardSink()

    def release(self) -> None:
        """End the association in order, waiting a little for the peer to agree."""
        self._leave(self._calling.wait.association_s)

    def abort(self) -> None:
        """End the association at once; leave nothing of an object that is not whole."""
        if self._assembler is not None:
            self._assembler.discard()
        super().abort()

    def _retrieve(
        self,
        sop_class: str,
        keys: Mapping[str, object],
        destination: str,
        progress: Callable[[], None],
    ) -> Told:
        context = self._offered[sop_class]
        self._message_id = self._message_id % 0xFFFF + 1
        command = dimse.write_retrieve_request(self._message_id, sop_class, destination=destination)
        identifier = write_identifier(
            keys, transfer_syntax=context.transfer_syntax, charset_terms=()
        )
        payload = Payload(len(identifier), iter((identifier,)))
        for _ in send_message(
            self._line, context.id, command, payload, peer_max=self._peer_max, floor=_FLOOR
        ):
            pass
        heard = time.monotonic()
        while True:
            events = self._received()
            now = time.monotonic()
            if events:
                heard = now
                progress()
            elif now - heard > self._calling.wait.answer_s:
                raise Unavailable(f"{self._node.title} gave no answer in time.", code="no-answer")
            for event in events:
                told = self._heard(event)
                if told is not None:
                    return told

    def _heard(self, event: Fragment | pdu.Pdu) -> Told | None:
        """Take what has come; return how the retrieve went once that is told."""
        if not isinstance(event, Fragment) or self._assembler is None:
            raise Unavailable(f"{self._node.title} ended the association.", code="aborted")
        whole = self._assembler.take(
            event.context_id, event.data, is_command=event.is_command, is_last=event.is_last
        )
        if isinstance(whole, Message):
            self._answer(whole)
        elif isinstance(whole, Response):
            command = whole.command
            if command.responded_to != self._message_id:
                raise Unavailable(f"{self._node.title} answered something else.", code="bad-answer")
            if command.status not in (PENDING, PENDING_WARNING):
                counts = command.sub_operations
                return Told(
                    command.status,
                    counts.completed,
                    counts.failed,
                    counts.warning,
                    command.comment,
                )
        return None

    def _answer(self, message: Message) -> None:
        """Answer one C-STORE: success only after what it brought is durable (PS3.4 B.2.3)."""
        answer = Answer(UNRECOGNISED_OPERATION)
        sink = message.sink
        if isinstance(sink, _Taking):
            answer = sink.finish()
            if sink.is_kept:
                self.kept.objects += 1
                self.kept.size_bytes += sink.size_bytes
            elif sink.why:
                self.kept.refused.append(sink.why)
        response = dimse.write_response(message.command, answer.status, comment=answer.comment)
        size = fragment_bytes(self._peer_max)
        pieces = cut(message.context.id, response, kind=COMMAND, size=size, ends=True)
        if not self._line.send(b"".join(pieces)):
            raise self._gone()
        if isinstance(sink, _Taking) and isinstance(sink.failure, NoRoom | Unavailable):
            raise sink.failure  # ours: whatever more the node sends would fail as well


@contextmanager
def fetching(
    node: ApplicationEntity, pairs: Sequence[Pair], *, calling: Calling, begin: Begin
) -> Iterator[Fetcher]:
    """Give an association with a node, released at the end, aborted on the way of an error.

    A node that is registered as TLS only is called over TLS, never in the clear. Raises Unavailable
    when the node cannot be reached, Refused when it rejects us.
    """
    connection = connected(node, calling.tls, within_s=calling.wait.connect_s)
    line = Line(connection, send_timeout_s=_SEND_S)
    fetcher = Fetcher(line, node, calling, begin)
    try:
        fetcher.negotiate(pairs)
        yield fetcher
    except BaseException:
        fetcher.abort()
        raise
    fetcher.release()


def whole_study(study_uid: str) -> list[Mapping[str, object]]:
    """Return the identifier that asks for all of a study."""
    return [{"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": study_uid}]


def some_objects(study_uid: str, missing: Mapping[str, str]) -> list[Mapping[str, object]]:
    """Return the identifiers that ask for these objects, UID to series (PS3.4 C.4.2.1.4).

    Each names one series and at most a hundred of its objects.
    """
    of_series: dict[str, list[str]] = {}
    for uid, series_uid in missing.items():
        of_series.setdefault(series_uid, []).append(uid)
    return [
        {
            "QueryRetrieveLevel": "IMAGE",
            "StudyInstanceUID": study_uid,
            "SeriesInstanceUID": series_uid,
            "SOPInstanceUID": uids[start : start + _UIDS_AT_ONCE],
        }
        for series_uid, uids in of_series.items()
        for start in range(0, len(uids), _UIDS_AT_ONCE)
    ]


class _Taking:
    """Writes a data set to the archive as it comes; keeps the first failure and answers with it."""

    def __init__(self, begin: Begin, context: Context, command: Command) -> None:
        self.failure: Exception | None = None
        self.size_bytes = 0
        self.is_kept = False
        self._intake: Intake | None = None
        try:
            self._intake = begin(command, context.transfer_syntax)
        except Exception as error:  # noqa: BLE001 - process boundary: the peer gets a status
            self.failure = error

    @property
    def why(self) -> str:
        """Return why it was not kept."""
        return self.failure.message if isinstance(self.failure, LysbroError) else ""

    def write(self, chunk: Buffer) -> None:
        """Write the next bytes; after a failure only count them."""
        self.size_bytes += len(chunk)
        if self._intake is None:
            return
        try:
            self._intake.write(chunk)
        except Exception as error:  # noqa: BLE001 - process boundary: the peer gets a status
            self.failure = error
            self.abandon()

    def finish(self) -> Answer:
        """Make the object durable and return what to answer."""
        intake, self._intake = self._intake, None
        if intake is None:
            return answer_to_error(self.failure or RuntimeError("finished twice"))
        try:
            receipt = intake.commit()
        except Exception as error:
            intake.abort()
            self.failure = error
            if not isinstance(error, LysbroError):
                log.exception("storing broke")
            return answer_to_error(error)
        self.is_kept = True
        return answer_to_receipt(receipt)

    def abandon(self) -> None:
        """Leave nothing of an object that did not come whole."""
        intake, self._intake = self._intake, None
        if intake is not None:
            intake.abort()
