"""Answers C-MOVE and C-GET (PS3.4 C.4.2, C.4.3): finds what is asked for, has it sent, and counts.

How objects travel is `carriers`, what is noted of it `retrieve_record`. Knows no association.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from casework.access import Scope, scope_of_ae, seen_by_both
from casework.errors import Invalid, LysbroError
from casework.identifiers import normal_ae_title
from casework.model import Actor, ApplicationEntity, SiteKind
from pacs_bridge import status
from pacs_bridge.admission import may_retrieve
from pacs_bridge.carriers import Carrier, Peer, Way, over_the_same, rows_of, to_a_node
from pacs_bridge.desk import Desk, Retrieval
from pacs_bridge.dimse import Originator, SubOperations
from pacs_bridge.retrieve_keys import read_selection, write_failed
from pacs_bridge.retrieve_record import Afterwards, Record
from pacs_bridge.status import Answer, comment_of
from pacs_bridge.tally import MAX_SUB_OPERATIONS, Pace, Tally
from storage.selection import Selected, select_instances

log = structlog.get_logger()

_LET_GO_S = 1.0  # so long an object on its way to a destination is not broken off by a cancel


@dataclass(frozen=True)
class RetrieveRequest:
    """A C-MOVE, or a C-GET where there is no destination, that has come in whole."""

    sop_class: str
    transfer_syntax: str
    identifier: bytes
    entity: ApplicationEntity
    message_id: int
    priority: int = 0
    destination: str | None = None
    is_relational: bool = False
    association: str = ""


@dataclass(frozen=True)
class Step:
    """One response: its status, counts and identifier."""

    answer: Answer
    counts: SubOperations | None = None
    identifier: bytes = b""


def retrieve(
    request: RetrieveRequest,
    desk: Desk,
    *,
    actor: Actor,
    peer: Peer | None,
    is_cancelled: Callable[[], bool],
    afterwards: Afterwards,
) -> Generator[Step, None, None]:
    """Give the pending responses and the last one.

    `peer` is who asks, for C-GET; `afterwards` takes what is written once the answer has gone.
    What breaks the association with who asks ends this with an error.
    """
    tally, ended = Tally(0), Answer(status.NONE_SENT)
    record = Record(
        desk,
        actor,
        request.entity,
        how=_how(request),
        association=request.association,
        afterwards=afterwards,
    )
    try:
        try:
            level, carrier, selected = _prepared(request, desk, peer)
        except LysbroError as error:
            ended = _refusal(error)
            log.info("retrieve refused", association=request.association, reason=error.code)
            yield Step(ended)
            return
        tally = Tally(len(selected))
        record.begin(selected, level=level)
        cancelled = yield from _carried(
            request, desk.retrieval, carrier, selected, record, tally, is_cancelled
        )
        ended, counts = tally.final(is_cancelled=cancelled)
        failed = write_failed(tally.failed, transfer_syntax=request.transfer_syntax)
        yield Step(ended, counts, failed)
    finally:
        record.end(ended, tally)


def _prepared(
    request: RetrieveRequest, desk: Desk, peer: Peer | None
) -> tuple[str, Carrier, list[Selected]]:
    """Return the level, what carries the objects, and what they are."""
    level, wanted = read_selection(
        request.identifier,
        transfer_syntax=request.transfer_syntax,
        sop_class=request.sop_class,
        is_relational=request.is_relational,
    )
    scope, carrier = _route(request, desk, peer)
    desk.archive.settle()  # what was acknowledged can be retrieved
    selected = select_instances(desk.archive.database, scope, wanted, limit=MAX_SUB_OPERATIONS)
    if len(selected) > MAX_SUB_OPERATIONS:
        raise Invalid(f"More than {MAX_SUB_OPERATIONS} match; ask for less", code="too-many")
    return level, carrier, selected


def _route(request: RetrieveRequest, desk: Desk, peer: Peer | None) -> tuple[Scope, Carrier]:
    """Return whose sight counts, and what carries the objects.

    Only what both see is moved from one to the other; to whom nothing could be moved is unknown.
    """
    own = scope_of_ae(request.entity)
    if request.destination is None:
        if peer is None:
            raise Invalid("There is no association to store over.", code="no-association")
        return own, over_the_same(desk.archive, peer, priority=request.priority)
    title = normal_ae_title(request.destination)
    node = desk.people.ae(title) if desk.people is not None and title else None
    if node is None or not may_retrieve(node) or not node.host or not node.port:
        raise Invalid("The move destination is not known here", code="unknown-destination")
    if node.site != request.entity.site and SiteKind.CENTRE not in (
        node.site_kind,
        request.entity.site_kind,
    ):
        raise Invalid("The move destination is not known here", code="unknown-destination")
    originator = Originator(request.entity.title, request.message_id)
    carrier = to_a_node(
        rows_of(desk.archive),
        node,
        calling=desk.own_title,
        wait=desk.retrieval.wait,
        floor=desk.retrieval.floor,
        tls=desk.tls_files,
        way=Way(request.priority, originator=originator),
    )
    return seen_by_both(own, scope_of_ae(node)), carrier


def _carried(
    request: RetrieveRequest,
    limits: Retrieval,
    carrier: Carrier,
    selected: Sequence[Selected],
    record: Record,
    tally: Tally,
    is_cancelled: Callable[[], bool],
) -> Generator[Step, None, bool]:
    """Have the objects sent, telling of it as it goes on; return whether it was cancelled."""
    pks = {each.row.sop_instance_uid: each.row.pk for each in selected}
    told_at = time.monotonic()
    pace = Pace(every=limits.pending_every, seconds=limits.pending_s, now=told_at)
    with contextlib.closing(carrier([each.row for each in selected])) as outcomes:
        for outcome in outcomes:
            now = time.monotonic()
            if outcome is not None:
                tally.take(outcome)
                record.take(pks[outcome.sop_instance_uid], outcome)
                told_at = now
            elif request.destination is None:
                continue  # in the middle of an object nothing else can be said by C-GET
            may_stop = outcome is not None or now - told_at > _LET_GO_S
            if tally.remaining and may_stop and is_cancelled():
                return True
            if pace.is_due(done=int(outcome is not None), now=now) and tally.remaining:
                yield Step(Answer(status.PENDING), tally.pending())
    return False


REFUSALS: Mapping[str, int] = {
    "unknown-destination": status.UNKNOWN_DESTINATION,
    "too-many": status.TOO_MANY_MATCHES,
    "ambiguous-patient": status.AMBIGUOUS_PATIENT,
}
"""Codes of errors that have a status of their own (PS3.4 tables C.4-2 and C.4-3)."""


def _refusal(error: LysbroError) -> Answer:
    """What is wrong with the identifier is A900; what is wrong with us leaves nothing counted."""
    otherwise = status.DOES_NOT_MATCH if isinstance(error, Invalid) else status.TOO_MANY_MATCHES
    return Answer(REFUSALS.get(error.code, otherwise), comment_of(error.message))


def _how(request: RetrieveRequest) -> Mapping[str, Any]:
    if request.destination is None:
        return {"by": "C-GET", "to": request.entity.title}
    shown = ascii(normal_ae_title(request.destination))[1:-1][:32]
    return {"by": "C-MOVE", "to": shown}
