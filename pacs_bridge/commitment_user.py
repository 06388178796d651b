"""Asks a node for storage commitment, and takes what it reports: on that association or a new one.

PS3.4 J.3.2 and J.3.3 as user. Knows no queue of what is to be asked; what is reported goes to
`storage.promises`.
"""

from __future__ import annotations

import structlog

from casework.errors import Invalid, LysbroError, Refused, Unavailable
from casework.model import ApplicationEntity
from pacs_bridge import dimse, status
from pacs_bridge.commitment import (
    ALL_COMMITTED,
    REQUEST_COMMITMENT,
    SOME_FAILED,
    read_report,
    write_request,
)
from pacs_bridge.dimse import Command
from pacs_bridge.outbound import Sending
from pacs_bridge.requestor import Offer, Requestor, requested
from pacs_bridge.sinks import MemorySink
from pacs_bridge.status import Answer, comment_of
from pacs_bridge.syntaxes import COMMITMENT, COMMITMENT_INSTANCE, EXPLICIT_LE, IMPLICIT_LE
from pacs_bridge.whole import Message
from storage.promises import Promise, Promises

log = structlog.get_logger()

SAME_ASSOCIATION_S = 2.0
"""So long a report is waited for on the association of its request; later ones open their own."""

REPORT_STATUSES = frozenset(
    {
        status.SUCCESS,
        status.NO_SUCH_INSTANCE,
        status.NO_SUCH_EVENT_TYPE,
        status.INVALID_ARGUMENT,
        status.PROCESSING_FAILURE,
    }
)
"""Every status that a report is answered with."""


def ask(
    promise: Promise,
    node: ApplicationEntity,
    sending: Sending,
    promises: Promises,
    *,
    wait_s: float = SAME_ASSOCIATION_S,
) -> None:
    """Ask a node to commit to what it was sent; return once it has taken the request.

    Raises Unavailable or Refused when it has not.
    """
    pairs = [(COMMITMENT, EXPLICIT_LE), (COMMITMENT, IMPLICIT_LE)]
    offer = Offer(pairs, sending.calling, sending.wait, sending.floor, sending.tls)
    with requested(node, offer) as peer:
        found = next((pair for pair in pairs if pair in peer.accepted), None)
        if found is None:
            raise Refused(
                f"{node.title} takes no requests for storage commitment. Turn them off with "
                f"'lysbro ae set {node.title} --no-commit', or have {sending.calling} allowed.",
                code="not-proposed",
            )
        context_id, syntax = peer.accepted[found], found[1]
        _request(promise, node, peer, context_id, syntax)
        try:
            _wait_for_report(promise, node, peer, promises, wait_s)
        except Unavailable as error:  # it left after it had taken the request: it reports later
            log.info("no report on this association", to=node.title, reason=error.code)


def take_report(
    promises: Promises, title: str, command: Command, information: bytes | None, syntax: str
) -> Answer:
    """Keep what a node reports on a commitment, and return the answer to it."""
    if command.affected_instance != COMMITMENT_INSTANCE:
        return Answer(status.NO_SUCH_INSTANCE, "Not the well-known instance")
    try:
        if command.event_type not in (ALL_COMMITTED, SOME_FAILED):
            return Answer(status.NO_SUCH_EVENT_TYPE)
        if information is None:
            raise Invalid("There is no event information", code="bad-report")
        report = read_report(information, transfer_syntax=syntax)
        known = promises.report(
            title, report.transaction_uid, committed=report.committed, failed=report.failed
        )
    except Invalid as error:
        return Answer(status.INVALID_ARGUMENT, comment_of(error.message))
    except LysbroError as error:
        log.warning("report not kept", by=title, reason=error.code)
        return Answer(status.PROCESSING_FAILURE, comment_of(error.message))
    except Exception as error:  # process boundary: the peer gets a status, and reports again
        log.error("report broke", by=title, exc_info=error)
        return Answer(status.PROCESSING_FAILURE, "Lysbro failed; its log has the reason")
    if not known:
        return Answer(status.INVALID_ARGUMENT, "This was not asked for")
    log.info(
        "commitment told",
        by=title,
        transaction=report.transaction_uid,
        committed=len(report.committed),
        failed=len(report.failed),
    )
    return Answer(status.SUCCESS)


def _request(
    promise: Promise, node: ApplicationEntity, peer: Requestor, context_id: int, syntax: str
) -> None:
    command = dimse.write_action_request(
        1, COMMITMENT, COMMITMENT_INSTANCE, action_type=REQUEST_COMMITMENT
    )
    information = write_request(promise.transaction_uid, promise.references, transfer_syntax=syntax)
    answer = peer.request(context_id, command, information, message_id=1, answer=dimse.N_ACTION_RSP)
    if answer.status != status.SUCCESS:
        raise Unavailable(
            f"{node.title} answered the request for storage commitment with {answer.status:04X}"
            + (f" ('{answer.comment}')" if answer.comment else "")
            + ". Ask its operator why.",
            code="not-taken",
        )


def _wait_for_report(
    promise: Promise, node: ApplicationEntity, peer: Requestor, promises: Promises, wait_s: float
) -> None:
    for message in peer.requests(wait_s):
        answer = _report_of(message, node, promises)
        response = dimse.write_response(message.command, answer.status, comment=answer.comment)
        peer.respond(message.context.id, response)
        if answer.status == status.SUCCESS:
            return


def _report_of(message: Message, node: ApplicationEntity, promises: Promises) -> Answer:
    if message.command.field != dimse.N_EVENT_REPORT_RQ:
        return Answer(status.UNRECOGNISED_OPERATION)
    content = message.sink.content if isinstance(message.sink, MemorySink) else None
    syntax = message.context.transfer_syntax
    return take_report(promises, node.title, message.command, content, syntax)
