"""Serves storage commitment on one association: takes requests, and reports over it while it lasts.

What cannot be reported here any more is left in the queue, for a new association.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from casework.custody import Origin
from casework.errors import Invalid, LysbroError, NoRoom, TooLarge
from casework.model import Actor, SiteKind
from pacs_bridge import dimse, status
from pacs_bridge.commitment import REQUEST_COMMITMENT, read_request, write_report
from pacs_bridge.desk import Desk
from pacs_bridge.dimse import Command
from pacs_bridge.negotiation import Context
from pacs_bridge.status import Answer, comment_of
from pacs_bridge.syntaxes import COMMITMENT, COMMITMENT_INSTANCE
from storage.commitments import Asked, Commitment, Commitments

log = structlog.get_logger()

ANSWER_LEASE_S = 60.0
BRIDGE = Actor(id="system:bridge", name="Lysbro", site="", site_kind=SiteKind.CENTRE)
_LAST_MESSAGE_ID = 0xFFFF


@dataclass(frozen=True)
class Report:
    """An N-EVENT-REPORT to send: the context, the command set and the event information."""

    context: Context
    command: bytes
    dataset: bytes


class CommitmentService:
    """Storage commitment as one requester uses it over one association."""

    def __init__(self, desk: Desk, actor: Actor, origin: Origin) -> None:
        self._desk = desk
        self._actor = actor
        self._origin = origin
        self._context: Context | None = None  # of the last request, while a report may be due
        self._message_id = 0
        self._under_way: Commitment | None = None

    @property
    def _queue(self) -> Commitments:
        return self._desk.commitments

    def requested(self, context: Context, command: Command, information: bytes | None) -> Answer:
        """Take a request (N-ACTION) and answer it; success only once it is kept.

        PS3.4 J.3.2.1.3: success says that the request was received, not that anything is committed.
        """
        try:
            asked = self._read(context, command, information)
            number = self._queue.request(asked, wait_s=self._desk.commitment_wait_s)
        except LysbroError as error:
            answer = answer_to_error(error)
            log.info(
                "commitment refused",
                association=self._origin.association,
                reason=error.code,
                message=error.message,
            )
            self._note(self._origin.association, answer, instances=0)
            return answer
        except Exception as error:  # process boundary: the peer gets a status
            log.error("commitment broke", association=self._origin.association, exc_info=error)
            return Answer(status.PROCESSING_FAILURE, "Lysbro failed; its log has the reason")
        self._context = context
        log.info(
            "commitment requested",
            association=self._origin.association,
            id=number,
            transaction=asked.transaction_uid,
            instances=len(asked.references),
        )
        answer = Answer(status.SUCCESS)
        self._note(asked.transaction_uid, answer, instances=len(asked.references))
        return answer

    def due(self) -> Report | None:
        """Return a report that can go over this association now; asks only while one is awaited."""
        if self._context is None or self._under_way is not None:
            return None
        try:
            association = self._origin.association
            found = self._queue.lease_report_of(association, lease_s=ANSWER_LEASE_S)
            if found is None:
                if not self._queue.is_awaited(association):
                    self._context = None
                return None
            return self._report(found, self._context)
        except Exception as error:  # process boundary: the worker will report instead
            log.error("report broke", association=self._origin.association, exc_info=error)
            return None

    def answered(self, command: Command) -> None:
        """Take the response to the report that is under way; others are passed over."""
        found = self._under_way
        if (
            found is None
            or command.field != dimse.N_EVENT_REPORT_RSP
            or command.responded_to != self._message_id
        ):
            return
        self._under_way = None
        if command.status == status.SUCCESS:
            self._queue.reported(found)
            self._desk.ledger.append(
                None,
                actor=BRIDGE,
                action="commitment-reported",
                subject=found.transaction_uid,
                site=found.site,
                detail={"to": found.ae_title, "association": self._origin.association},
            )
        else:
            self._queue.failed(found, f"{found.ae_title} answered {command.status:04X}.")
        log.info(
            "commitment reported",
            association=self._origin.association,
            id=found.id,
            transaction=found.transaction_uid,
            status=f"{command.status:04X}",
        )

    def ended(self) -> None:
        """Leave what is not reported to a new association; the old one is gone."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            reason = "The association ended before the report was answered."
            self._queue.failed(under_way, reason, at_once=True)
        if self._context is not None:
            self._context = None
            self._queue.association_ended(self._origin.association)

    def _read(self, context: Context, command: Command, information: bytes | None) -> Asked:
        if command.affected_instance != COMMITMENT_INSTANCE:
            raise Invalid("Not the well-known instance", code="other-instance")
        if command.action_type != REQUEST_COMMITMENT:
            raise Invalid(f"There is no action {command.action_type}", code="no-such-action")
        if information is None:
            raise Invalid("There is no action information", code="bad-request")
        read = read_request(information, transfer_syntax=context.transfer_syntax)
        return Asked(
            site=self._origin.site,
            ae_title=self._origin.calling_ae,
            association=self._origin.association,
            transaction_uid=read.transaction_uid,
            references=read.references,
        )

    def _report(self, found: Commitment, context: Context) -> Report:
        results = self._queue.results(found)
        event_type, dataset = write_report(
            found.transaction_uid,
            committed=results.committed,
            failed=results.failed,
            transfer_syntax=context.transfer_syntax,
        )
        self._message_id = self._message_id % _LAST_MESSAGE_ID + 1
        self._under_way = found
        command = dimse.write_event_report(
            self._message_id, COMMITMENT, COMMITMENT_INSTANCE, event_type=event_type
        )
        return Report(context, command, dataset)

    def _note(self, subject: str, answer: Answer, *, instances: int) -> None:
        self._desk.ledger.append(
            None,
            actor=self._actor,
            action="commitment-requested",
            subject=subject,
            site=self._origin.site,
            outcome="ok" if answer.is_kept else "refused",
            detail={"instances": instances, "status": f"{answer.status:04X}"},
        )


REQUEST_CODES = {
    "other-instance": status.NO_SUCH_INSTANCE,
    "no-such-action": status.NO_SUCH_ACTION,
    "too-many": status.RESOURCE_LIMITATION,
    "bad-command": status.MISTYPED_ARGUMENT,
}
"""Codes of Invalid that have a status of their own in an N-ACTION response (PS3.7 10.1.4.1.10)."""

REQUEST_STATUSES = frozenset(
    {
        status.SUCCESS,
        status.PROCESSING_FAILURE,
        status.INVALID_ARGUMENT,
        status.NO_SUCH_CLASS,
        *REQUEST_CODES.values(),
    }
)
"""Every status of an N-ACTION response."""


def answer_to_error(error: LysbroError) -> Answer:
    """Return the answer to a request that was not taken."""
    comment = comment_of(error.message)
    if isinstance(error, NoRoom | TooLarge):
        return Answer(status.RESOURCE_LIMITATION, comment)
    if isinstance(error, Invalid):
        return Answer(REQUEST_CODES.get(error.code, status.INVALID_ARGUMENT), comment)
    return Answer(status.PROCESSING_FAILURE, comment)
