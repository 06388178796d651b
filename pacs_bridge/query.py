"""Answers C-FIND (PS3.4 annex C) for the patient root and the study root. Knows no association."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from casework.access import scope_of_ae
from casework.errors import Invalid
from casework.model import ApplicationEntity
from pacs_bridge import status
from pacs_bridge.identifier import charset_terms_of, read_identifier, write_identifier
from pacs_bridge.negotiation import HIERARCHICAL, FindOptions
from pacs_bridge.status import Answer
from pacs_bridge.syntaxes import PATIENT_ROOT_FIND, STUDY_ROOT_FIND
from storage.index import Index
from storage.matching import Manner
from storage.query import UNIQUE_KEYS, read_query
from storage.stopping import Stopped

LEVELS: Mapping[str, tuple[str, ...]] = {
    PATIENT_ROOT_FIND: ("PATIENT", "STUDY", "SERIES", "IMAGE"),
    STUDY_ROOT_FIND: ("STUDY", "SERIES", "IMAGE"),
}
"""The levels of each information model, the highest first."""


@dataclass(frozen=True)
class FindRequest:
    """A C-FIND that has come in whole."""

    sop_class: str
    transfer_syntax: str
    identifier: bytes
    entity: ApplicationEntity
    options: FindOptions = HIERARCHICAL


@dataclass(frozen=True)
class Found:
    """One response: its status, and the encoded identifier of a match."""

    answer: Answer
    identifier: bytes = b""


def find(
    request: FindRequest,
    index: Index,
    *,
    own_title: str,
    limit: int,
    is_cancelled: Callable[[], bool],
) -> Iterator[Found]:
    """Give a response for each match within sight of the requester, and the last one.

    Raises Invalid, coded `bad-identifier`, when the query breaks the rules of its model.
    """
    keys = read_identifier(request.identifier, transfer_syntax=request.transfer_syntax)
    level = _level(keys, request.sop_class)
    asked = {k: v for k, v in keys.items() if k not in ("QueryRetrieveLevel", "RetrieveAETitle")}
    options = request.options
    if not options.relational:
        _require_unique_keys(asked, level, request.sop_class)
    terms = charset_terms_of(asked)
    manner = Manner(
        fuzzy=options.fuzzy, combined=options.combined, empty_values=options.empty_values
    )
    unsupported = read_query(level, asked, manner).unsupported
    pending = status.PENDING_WARNING if unsupported else status.PENDING
    matches = index.find(
        scope_of_ae(request.entity),
        level,
        asked,
        limit=limit + 1,
        manner=manner,
        is_stopped=is_cancelled,
    )
    try:
        for number, match in enumerate(matches):
            if is_cancelled():
                raise Stopped
            if number == limit:
                comment = f"More than {limit} match; ask for less"
                yield Found(Answer(status.LIMIT_REACHED, comment))
                return
            values = dict(match) | {"QueryRetrieveLevel": level, "RetrieveAETitle": own_title}
            values["InstanceAvailability"] = "ONLINE"
            encoded = write_identifier(
                values, transfer_syntax=request.transfer_syntax, charset_terms=terms
            )
            yield Found(Answer(pending), encoded)
    except Stopped:
        yield Found(Answer(status.CANCELLED))
        return
    yield Found(Answer(status.SUCCESS))


def _level(keys: Mapping[str, Any], sop_class: str) -> str:
    level = str(keys.get("QueryRetrieveLevel", ""))
    levels = LEVELS[sop_class]
    if level not in levels:
        raise Invalid(
            f"Query level {level or 'missing'}: use {', '.join(levels)}", code="bad-identifier"
        )
    return level


def _require_unique_keys(keys: Mapping[str, Any], level: str, sop_class: str) -> None:
    """PS3.4 C.4.1.2.1: one value of the unique key of each level above, unless relational queries
    were negotiated."""
    levels = LEVELS[sop_class]
    for above in levels[: levels.index(level)]:
        keyword = UNIQUE_KEYS[above]
        value = str(keys.get(keyword, ""))
        if not value or any(c in value for c in "*?\\"):
            raise Invalid(f"Level {level} needs one {keyword}", code="bad-identifier")
