"""Answers C-FIND of the modality worklist (PS3.4 annex K). Knows no association."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pacs_bridge import status
from pacs_bridge.identifier import charset_terms_of, read_identifier, write_identifier
from pacs_bridge.query import FindRequest, Found
from pacs_bridge.status import Answer
from storage.scheduled import Scheduled, read_step_query


def find_steps(
    request: FindRequest,
    scheduled: Scheduled,
    *,
    limit: int,
    is_cancelled: Callable[[], bool],
) -> Iterator[Found]:
    """Give a response for each scheduled step within sight of the requester, and the last one.

    Raises Invalid, coded `bad-identifier`, when the query breaks the rules of its model.
    """
    keys = read_identifier(request.identifier, transfer_syntax=request.transfer_syntax)
    query = read_step_query(keys)
    terms = charset_terms_of(keys)
    pending = status.PENDING_WARNING if query.unsupported else status.PENDING
    entity = request.entity
    steps = scheduled.steps(site=entity.site, title=entity.title, query=query)
    for number, step in enumerate(steps):
        if is_cancelled():
            yield Found(Answer(status.CANCELLED))
            return
        if number == limit:
            comment = f"More than {limit} match; ask for less"
            yield Found(Answer(status.LIMIT_REACHED, comment))
            return
        encoded = write_identifier(
            step, transfer_syntax=request.transfer_syntax, charset_terms=terms
        )
        yield Found(Answer(pending), encoded)
    yield Found(Answer(status.SUCCESS))
