"""Serves one admitted association: what comes in is stored or answered. Knows no PDU and no socket.

The receiver hands over command sets and bytes of data sets as they come, and sends the replies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import structlog

from casework.custody import Origin
from casework.errors import LysbroError, TooLarge
from casework.model import Actor, ApplicationEntity
from pacs_bridge import dimse, query, status
from pacs_bridge.dimse import Command
from pacs_bridge.identifier import MAX_IDENTIFIER_BYTES
from pacs_bridge.meter import Meter
from pacs_bridge.negotiation import Context
from pacs_bridge.query import FindRequest
from pacs_bridge.status import Answer, answer_to_error, answer_to_receipt
from pacs_bridge.syntaxes import FIND_CLASSES, VERIFICATION
from storage.archive import Archive, Intake
from storage.index import Index
from storage.ledger import Ledger

log = structlog.get_logger()

_PATIENCE_BYTES = 64 << 20  # read beyond a refusal, to be able to answer; then the line is cut


class Sink(Protocol):
    """Takes the bytes of one data set."""

    def write(self, chunk: bytes) -> None:
        """Take the next bytes; raise TooLarge when nobody should send on."""

    def abandon(self) -> None:
        """Forget what came; leaves nothing behind."""


@dataclass(frozen=True)
class Desk:
    """What a session works with."""

    archive: Archive
    index: Index
    ledger: Ledger
    own_title: str
    maximum_matches: int
    max_object_bytes: int
    meter: Meter


@dataclass(frozen=True)
class Message:
    """A DIMSE message that has come in whole."""

    context: Context
    command: Command
    sink: Sink


@dataclass(frozen=True)
class Reply:
    """A response to send: command set, and data set where there is one."""

    command: bytes
    dataset: bytes = b""


class StoreSink:
    """Writes a data set to the archive as it comes; keeps the first failure and answers with it."""

    def __init__(self, desk: Desk, origin: Origin, context: Context, command: Command) -> None:
        self._desk = desk
        self._origin = origin
        self._command = command
        self._size = 0
        self._failure: Exception | None = None
        self._intake: Intake | None = None
        try:
            self._intake = desk.archive.begin(
                origin,
                sop_class_uid=command.affected_class,
                sop_instance_uid=command.affected_instance,
                transfer_syntax_uid=context.transfer_syntax,
            )
        except Exception as error:  # noqa: BLE001 - process boundary: the peer gets a status
            self._fail(error)

    def write(self, chunk: bytes) -> None:
        """Write the next bytes; after a failure only count them."""
        self._size += len(chunk)
        if self._intake is None:
            if self._size > self._desk.max_object_bytes + _PATIENCE_BYTES:
                raise TooLarge("The sender goes on after the limit.", code="endless")
            return
        try:
            if self._size > self._desk.max_object_bytes:
                raise TooLarge(f"Objects over {self._desk.max_object_bytes} bytes are not taken")
            self._intake.write(chunk)
        except Exception as error:  # noqa: BLE001 - process boundary: the peer gets a status
            self._fail(error)

    def finish(self) -> Answer:
        """Make the object durable and answer; success only after the receipt (PS3.4 B.2.3)."""
        intake, self._intake = self._intake, None
        if intake is None:
            return self._answer(self._failure or RuntimeError("finished twice"))
        try:
            receipt = intake.commit()
        except Exception as error:  # noqa: BLE001 - process boundary: the peer gets a status
            intake.abort()
            return self._answer(error)
        log.info(
            "stored",
            sop=receipt.sop_instance_uid,
            site=receipt.site,
            bytes=receipt.size_bytes,
            association=self._origin.association,
        )
        answer = answer_to_receipt(receipt)
        self._desk.meter.received(self._origin.site, receipt.size_bytes, answer.status)
        return answer

    def abandon(self) -> None:
        """Leave nothing of an object whose sender went away."""
        intake, self._intake = self._intake, None
        if intake is not None:
            intake.abort()

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self.abandon()

    def _answer(self, error: Exception) -> Answer:
        answer = answer_to_error(error)
        fields = {"association": self._origin.association, "site": self._origin.site}
        if isinstance(error, LysbroError):
            reason = {"status": f"{answer.status:04X}", "reason": error.code}
            log.warning("not stored", **fields, **reason, message=error.message)
        else:
            log.error("storing broke", **fields, exc_info=error)
        self._desk.meter.received(self._origin.site, 0, answer.status)
        return answer


class DiscardSink:
    """Counts the bytes of a data set that nobody wants, so that its message can be answered."""

    def __init__(self) -> None:
        self._size = 0

    def write(self, chunk: bytes) -> None:
        """Count the next bytes."""
        self._size += len(chunk)
        if self._size > _PATIENCE_BYTES:
            raise TooLarge("The sender goes on with what is not taken.", code="endless")

    def abandon(self) -> None:
        """Do nothing."""


class MemorySink:
    """Holds a short data set, as identifiers are."""

    def __init__(self, limit_bytes: int = MAX_IDENTIFIER_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._chunks: list[bytes] = []
        self._size = 0

    def write(self, chunk: bytes) -> None:
        """Hold the next bytes."""
        self._size += len(chunk)
        if self._size > self._limit_bytes:
            raise TooLarge(f"An identifier has {self._limit_bytes} bytes at most.", code="endless")
        self._chunks.append(bytes(chunk))

    def abandon(self) -> None:
        """Forget the bytes."""
        self._chunks.clear()

    @property
    def content(self) -> bytes:
        """Return all bytes."""
        return b"".join(self._chunks)


class Session:
    """What one requester sends over one association, served in turn."""

    def __init__(self, desk: Desk, entity: ApplicationEntity, origin: Origin) -> None:
        self._desk = desk
        self._entity = entity
        self._origin = origin

    @property
    def id(self) -> str:
        """Return the number under which the association is logged."""
        return self._origin.association

    def sink_for(self, context: Context, command: Command) -> Sink:
        """Return what takes the data set of a message, before its first byte has come."""
        if command.field == dimse.C_STORE_RQ and command.affected_class == context.abstract_syntax:
            return StoreSink(self._desk, self._origin, context, command)
        return MemorySink() if command.field == dimse.C_FIND_RQ else DiscardSink()

    def answers(self, message: Message, is_cancelled: Callable[[], bool]) -> Iterator[Reply]:
        """Give the responses to a message, one at a time, the last one last."""
        field, context = message.command.field, message.context
        if message.command.affected_class != context.abstract_syntax:
            yield self._reply(message, Answer(status.CLASS_NOT_SUPPORTED, "Other class in context"))
        elif field == dimse.C_ECHO_RQ and context.abstract_syntax == VERIFICATION:
            yield self._reply(message, Answer(status.SUCCESS))
        elif isinstance(message.sink, StoreSink):
            yield self._reply(message, message.sink.finish())
        elif field == dimse.C_FIND_RQ and isinstance(message.sink, MemorySink):
            if context.abstract_syntax in FIND_CLASSES:
                yield from self._find(message, message.sink.content, is_cancelled)
            else:
                yield self._reply(message, Answer(status.UNRECOGNISED_OPERATION))
        elif field == dimse.C_STORE_RQ:
            yield self._reply(message, Answer(status.CANNOT_UNDERSTAND, "There is no data set"))
        else:
            yield self._reply(message, Answer(status.UNRECOGNISED_OPERATION))

    def _find(
        self, message: Message, identifier: bytes, is_cancelled: Callable[[], bool]
    ) -> Iterator[Reply]:
        context = message.context
        request = FindRequest(
            sop_class=context.abstract_syntax,
            transfer_syntax=context.transfer_syntax,
            identifier=identifier,
            entity=self._entity,
        )
        matches, last = 0, Answer(status.SUCCESS)
        try:
            self._desk.archive.settle()  # what was acknowledged can be found
            for found in query.find(
                request,
                self._desk.index,
                own_title=self._desk.own_title,
                limit=self._desk.maximum_matches,
                is_cancelled=is_cancelled,
            ):
                last = found.answer
                matches += bool(found.identifier)
                yield self._reply(message, found.answer, found.identifier)
        except LysbroError as error:
            last = _query_answer(error)
            log.info("query refused", association=self.id, reason=error.code, message=error.message)
            yield self._reply(message, last)
        except Exception as error:  # process boundary: the peer gets a status
            last = answer_to_error(error)
            log.error("query broke", association=self.id, exc_info=error)
            yield self._reply(message, last)
        self._note_query(matches, last)

    def _note_query(self, matches: int, last: Answer) -> None:
        log.info("queried", association=self.id, site=self._entity.site, matches=matches)
        self._desk.ledger.append(
            None,
            actor=actor_of(self._entity),
            action="queried",
            subject=self._entity.title,
            site=self._entity.site,
            outcome="ok" if last.is_kept else "refused",
            detail={"matches": matches, "status": f"{last.status:04X}"},
        )

    def _reply(self, message: Message, answer: Answer, dataset: bytes = b"") -> Reply:
        command = dimse.write_response(
            message.command, answer.status, comment=answer.comment, with_dataset=bool(dataset)
        )
        return Reply(command, dataset)


def actor_of(entity: ApplicationEntity) -> Actor:
    """Return the machine that an application entity is, as the audit names it."""
    return Actor(
        id=f"ae:{entity.title}", name=entity.title, site=entity.site, site_kind=entity.site_kind
    )


def _query_answer(error: LysbroError) -> Answer:
    """PS3.4 C.4.1.1.4: what is wrong with an identifier is A900, what is wrong with us is not."""
    answer = answer_to_error(error)
    if error.code in ("bad-identifier", "bad-key", "bad-level", "bad-structure", "truncated"):
        return Answer(status.DOES_NOT_MATCH, answer.comment)
    return answer
