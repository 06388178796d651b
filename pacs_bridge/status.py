"""The one table from what went wrong to a DIMSE status. Sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from casework.custody import Receipt
from casework.errors import Conflict, Invalid, NoRoom, NotFound, Refused, TooLarge, Unavailable

SUCCESS = 0x0000
PENDING = 0xFF00
PENDING_WARNING = 0xFF01  # some optional keys were not matched
CANCELLED = 0xFE00
LIMIT_REACHED = 0xB001
SOME_FAILED = 0xB000  # of the sub-operations of a retrieve, or were answered with a warning
KEPT_WITH_WARNING = 0xB007
OUT_OF_RESOURCES = 0xA700
TOO_MANY_MATCHES = 0xA701  # of a retrieve
NONE_SENT = 0xA702  # unable to perform sub-operations
UNKNOWN_DESTINATION = 0xA801
DOES_NOT_MATCH = 0xA900  # data set does not match SOP class; identifier does not match SOP class
CANNOT_UNDERSTAND = 0xC000
AMBIGUOUS_PATIENT = 0xC001  # of a retrieve: unable to process
BROKEN = 0xC211  # a defect of ours: logged with its trace
INVALID_VALUE = 0x0106
PROCESSING_FAILURE = 0x0110
DUPLICATE_INSTANCE = 0x0111
NO_SUCH_INSTANCE = 0x0112
NO_SUCH_EVENT_TYPE = 0x0113
INVALID_ARGUMENT = 0x0115
INVALID_INSTANCE = 0x0117
NO_SUCH_CLASS = 0x0118
MISSING_ATTRIBUTE = 0x0120
CLASS_NOT_SUPPORTED = 0x0122
NO_SUCH_ACTION = 0x0123
NOT_AUTHORISED = 0x0124
UNRECOGNISED_OPERATION = 0x0211
MISTYPED_ARGUMENT = 0x0212
RESOURCE_LIMITATION = 0x0213

MAX_COMMENT_CHARS = 64  # Error Comment (0000,0902) is LO


@dataclass(frozen=True)
class Answer:
    """A status with the sentence that goes into Error Comment."""

    status: int
    comment: str = ""

    @property
    def is_kept(self) -> bool:
        """Tell whether the object was kept: success, or a warning (PS3.4 B.2.3)."""
        return self.status == SUCCESS or self.status & 0xF000 == 0xB000


INVALID_CODES: Mapping[str, int] = {
    "truncated": 0xC000,
    "bad-structure": 0xC001,
    "uid-missing": DOES_NOT_MATCH,
    "uid-mismatch": DOES_NOT_MATCH,
    "uid-malformed": INVALID_INSTANCE,
    "unknown-class": CLASS_NOT_SUPPORTED,
}
"""Codes of Invalid that have a status of their own (PS3.4 B.2.3, PS3.7 annex C)."""

TABLE: tuple[tuple[type[Exception], int], ...] = (
    (NoRoom, OUT_OF_RESOURCES),
    (TooLarge, OUT_OF_RESOURCES),
    (Unavailable, OUT_OF_RESOURCES),
    (Refused, NOT_AUTHORISED),
    (Conflict, PROCESSING_FAILURE),
    (NotFound, DOES_NOT_MATCH),
    (Invalid, CANNOT_UNDERSTAND),
)
"""Error types and their status, the narrower type first."""


def answer_to_error(error: Exception) -> Answer:
    """Return the answer to an error; one that the table does not have is a defect of ours."""
    for kind, status in TABLE:
        if not isinstance(error, kind):
            continue
        if isinstance(error, Invalid):
            return Answer(INVALID_CODES.get(error.code, status), comment_of(str(error)))
        return Answer(status, comment_of(str(error)))
    return Answer(BROKEN, "Lysbro failed; its log has the reason")


def answer_to_receipt(receipt: Receipt) -> Answer:
    """Return the answer to a durable object: success, or a warning that says what is odd."""
    if receipt.warning:
        return Answer(KEPT_WITH_WARNING, comment_of(receipt.warning))
    return Answer(SUCCESS)


def comment_of(text: str) -> str:
    """Return a text as an Error Comment: default repertoire, no backslash, 64 characters."""
    plain = "".join(c if " " <= c <= "~" and c != "\\" else "?" for c in text)
    if len(plain) <= MAX_COMMENT_CHARS:
        return plain
    return plain[: MAX_COMMENT_CHARS - 3].rstrip() + "..."
