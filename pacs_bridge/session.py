"""Serves one admitted association: what comes in is stored or answered. Knows no PDU and no socket.

The receiver hands over command sets and bytes of data sets as they come, and sends the replies.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

import structlog

from casework.custody import Door, Origin
from casework.errors import LysbroError
from casework.model import Actor, ApplicationEntity
from pacs_bridge import dimse, query, status
from pacs_bridge.carriers import Peer
from pacs_bridge.commitment import MAX_REQUEST_BYTES
from pacs_bridge.commitment_service import CommitmentService
from pacs_bridge.commitment_user import take_report
from pacs_bridge.desk import Desk
from pacs_bridge.dimse import Command
from pacs_bridge.modality_worklist import find_steps
from pacs_bridge.negotiation import HIERARCHICAL, Context, FindOptions
from pacs_bridge.performed import MAX_STEP_BYTES, change_step, create_step
from pacs_bridge.query import FindRequest
from pacs_bridge.retrieve import RetrieveRequest, retrieve
from pacs_bridge.sinks import DiscardSink, MemorySink, Sink, StoreSink
from pacs_bridge.status import Answer, answer_to_error, comment_of
from pacs_bridge.syntaxes import (
    COMMITMENT,
    FIND_CLASSES,
    GET_CLASSES,
    MODALITY_WORKLIST,
    MOVE_CLASSES,
    PERFORMED_STEP,
    VERIFICATION,
)
from pacs_bridge.whole import Message, OutgoingRequest, Reply

log = structlog.get_logger()

_RETRIEVES = dict.fromkeys(MOVE_CLASSES, dimse.C_MOVE_RQ) | dict.fromkeys(
    GET_CLASSES, dimse.C_GET_RQ
)


_COMMITTING = (dimse.N_ACTION_RQ, dimse.N_EVENT_REPORT_RQ)


class Session:
    """What one requester sends over one association, served in turn."""

    def __init__(
        self,
        desk: Desk,
        entity: ApplicationEntity,
        origin: Origin,
        *,
        relational: frozenset[str] = frozenset(),
        finding: Mapping[str, FindOptions] = MappingProxyType({}),
    ) -> None:
        """`relational` are the retrieve classes for which that was negotiated, `finding` what was
        for query classes."""
        self._desk = desk
        self._entity = entity
        self._origin = origin
        self._relational = relational
        self._finding = finding
        self._afterwards: list[Callable[[], None]] = []  # to be written when nobody waits
        self._commitment = CommitmentService(desk, actor_of(entity), origin)

    @property
    def id(self) -> str:
        """Return the number under which the association is logged."""
        return self._origin.association

    def sink_for(self, context: Context, command: Command) -> Sink:
        """Return what takes the data set of a message, before its first byte has come."""
        is_of_context = context.scu and command.affected_class == context.abstract_syntax
        if command.field == dimse.C_STORE_RQ and is_of_context:
            origin = self._origin
            if command.originator == self._desk.own_title:  # part of a C-MOVE that we asked for
                origin = replace(origin, door=Door.PRIOR)
            return StoreSink(self._desk, origin, context, command)
        if command.field in _COMMITTING and context.abstract_syntax == COMMITMENT:
            return MemorySink(MAX_REQUEST_BYTES)
        if command.field in (dimse.N_CREATE_RQ, dimse.N_SET_RQ):
            return MemorySink(MAX_STEP_BYTES)
        with_identifier = (dimse.C_FIND_RQ, dimse.C_MOVE_RQ, dimse.C_GET_RQ)
        return MemorySink() if command.field in with_identifier else DiscardSink()

    def answers(
        self, message: Message, is_cancelled: Callable[[], bool], peer: Peer | None = None
    ) -> Iterator[Reply]:
        """Give the responses to a message, one at a time, the last one last.

        `peer` is who asks, as one that takes objects over this association (C-GET).
        """
        field, context = message.command.field, message.context
        if field in _COMMITTING and context.abstract_syntax == COMMITMENT:
            is_report = field == dimse.N_EVENT_REPORT_RQ
            answer = self._reported(message) if is_report else self._commitment_answer(message)
            yield self._reply(message, answer)
        elif message.command.affected_class != context.abstract_syntax:
            yield self._reply(message, Answer(status.CLASS_NOT_SUPPORTED, "Other class in context"))
        elif field == dimse.C_ECHO_RQ and context.abstract_syntax == VERIFICATION:
            yield self._reply(message, Answer(status.SUCCESS))
        elif isinstance(message.sink, StoreSink):
            yield self._reply(message, message.sink.finish())
        elif field == dimse.C_FIND_RQ and isinstance(message.sink, MemorySink):
            if context.abstract_syntax in FIND_CLASSES or self._is_worklist(context):
                yield from self._find(message, message.sink.content, is_cancelled)
            else:
                yield self._reply(message, Answer(status.UNRECOGNISED_OPERATION))
        elif field == _RETRIEVES.get(context.abstract_syntax):
            yield from self._retrieve(message, is_cancelled, peer)
        elif field in (dimse.N_CREATE_RQ, dimse.N_SET_RQ):
            held = message.sink.content if isinstance(message.sink, MemorySink) else b""
            yield self._performed(message, held)
        elif field == dimse.C_STORE_RQ and not context.scu:
            yield self._reply(message, Answer(status.NOT_AUTHORISED, "Not negotiated as SCU"))
        elif field == dimse.C_STORE_RQ:
            yield self._reply(message, Answer(status.CANNOT_UNDERSTAND, "There is no data set"))
        else:
            yield self._reply(message, Answer(status.UNRECOGNISED_OPERATION))

    def due(self) -> OutgoingRequest | None:
        """Return a request of ours that waits for this association, or None.

        To be asked about twice a second while nothing else is under way; it costs a question to the
        database only while this requester waits for a report, or when something is to be noted.
        """
        self._write_afterwards()
        report = self._commitment.due()
        if report is None:
            return None
        return OutgoingRequest(report.context, report.command, report.dataset)

    def answered(self, command: Command) -> None:
        """Take the response to what `due` returned; its data set, if any, says nothing."""
        try:
            self._commitment.answered(command)
        except Exception as error:  # process boundary: the lease ends, and it is reported again
            log.error("answer broke", association=self.id, exc_info=error)

    def ended(self) -> None:
        """Leave to others what waits for this association, which has ended."""
        self._write_afterwards()
        try:
            self._commitment.ended()
        except Exception as error:  # process boundary: it waits until its grace has passed
            log.error("ending broke", association=self.id, exc_info=error)

    def _commitment_answer(self, message: Message) -> Answer:
        context, command = message.context, message.command
        if command.affected_class != context.abstract_syntax:
            return Answer(status.NO_SUCH_CLASS, "Other class in context")
        sink = message.sink
        information = sink.content if isinstance(sink, MemorySink) else None
        return self._commitment.requested(context, command, information)

    def _reported(self, message: Message) -> Answer:
        """Take a report on what we asked this node to commit to."""
        held = message.sink.content if isinstance(message.sink, MemorySink) else None
        syntax = message.context.transfer_syntax
        answer = take_report(self._desk.promises, self._entity.title, message.command, held, syntax)
        self._desk.ledger.append(
            None,
            actor=actor_of(self._entity),
            action="commitment-told",
            subject=self._entity.title,
            site=self._entity.site,
            outcome="ok" if answer.is_kept else "refused",
            detail={"status": f"{answer.status:04X}"},
        )
        return answer

    def _find(
        self, message: Message, identifier: bytes, is_cancelled: Callable[[], bool]
    ) -> Iterator[Reply]:
        context = message.context
        request = FindRequest(
            sop_class=context.abstract_syntax,
            transfer_syntax=context.transfer_syntax,
            identifier=identifier,
            entity=self._entity,
            options=self._finding.get(context.abstract_syntax, HIERARCHICAL),
        )
        matches, last = 0, Answer(status.SUCCESS)
        try:
            for found in self._found(request, is_cancelled):
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

    def _found(
        self, request: FindRequest, is_cancelled: Callable[[], bool]
    ) -> Iterator[query.Found]:
        """Give what is found, in the worklist or in the index."""
        desk = self._desk
        if request.sop_class == MODALITY_WORKLIST and desk.scheduled is not None:
            return find_steps(
                request, desk.scheduled, limit=desk.maximum_matches, is_cancelled=is_cancelled
            )
        desk.archive.settle()  # what was acknowledged can be found
        return query.find(
            request,
            desk.index,
            own_title=desk.own_title,
            limit=desk.maximum_matches,
            is_cancelled=is_cancelled,
        )

    def _is_worklist(self, context: Context) -> bool:
        return context.abstract_syntax == MODALITY_WORKLIST and self._desk.scheduled is not None

    def _retrieve(
        self, message: Message, is_cancelled: Callable[[], bool], peer: Peer | None
    ) -> Iterator[Reply]:
        self._write_afterwards()
        command, context, sink = message.command, message.context, message.sink
        request = RetrieveRequest(
            sop_class=context.abstract_syntax,
            transfer_syntax=context.transfer_syntax,
            identifier=sink.content if isinstance(sink, MemorySink) else b"",
            entity=self._entity,
            message_id=command.message_id,
            priority=command.priority,
            destination=command.destination if command.field == dimse.C_MOVE_RQ else None,
            is_relational=context.abstract_syntax in self._relational,
            association=self.id,
        )
        steps = retrieve(
            request,
            self._desk,
            actor=actor_of(self._entity),
            peer=peer,
            is_cancelled=is_cancelled,
            afterwards=self._afterwards.append,
        )
        with contextlib.closing(steps):
            try:
                for step in steps:
                    response = dimse.write_response(
                        command,
                        step.answer.status,
                        comment=step.answer.comment,
                        with_dataset=bool(step.identifier),
                        counts=step.counts,
                    )
                    yield Reply(response, step.identifier)
            except LysbroError as error:  # a part does not answer, or who asks is gone
                log.warning("retrieve broken off", association=self.id, reason=error.code)
                yield self._reply(message, Answer(status.NONE_SENT, comment_of(error.message)))
            except Exception as error:  # process boundary: the peer gets a status
                log.error("retrieve broke", association=self.id, exc_info=error)
                yield self._reply(message, answer_to_error(error))

    def _write_afterwards(self) -> None:
        """Write what the answers before did not wait for."""
        while self._afterwards:
            try:
                self._afterwards.pop(0)()
            except Exception as error:  # process boundary: the answer has gone
                log.error("not noted", association=self.id, exc_info=error)

    def _performed(self, message: Message, dataset: bytes) -> Reply:
        """Begin or change a performed procedure step."""
        command, context = message.command, message.context
        if context.abstract_syntax != PERFORMED_STEP:
            return self._reply(message, Answer(status.UNRECOGNISED_OPERATION))
        serve = create_step if command.field == dimse.N_CREATE_RQ else change_step
        uid = command.affected_instance
        try:
            done = serve(
                self._desk.performed, self._entity, uid, dataset, syntax=context.transfer_syntax
            )
        except Exception as error:  # process boundary: the peer gets a status
            log.error("performed step broke", association=self.id, exc_info=error)
            return self._reply(message, answer_to_error(error))
        log.info(
            "performed step told",
            association=self.id,
            site=self._entity.site,
            step=done.uid[:64],
            status=f"{done.answer.status:04X}",
            reason=done.answer.comment,
        )
        return Reply(
            dimse.write_response(
                command,
                done.answer.status,
                comment=done.answer.comment,
                instance=done.uid,
                error_id=done.error_id,
            )
        )

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
