"""Reads and writes requests for storage commitment, and reports on them (PS3.4 J.3.2, J.3.3).

No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from casework.commitment import Failure, Reference
from casework.errors import Invalid, TooLarge
from casework.identifiers import is_receivable_uid
from pacs_bridge.encoding import encode_values
from pacs_bridge.syntaxes import IMPLICIT_LE
from storage.source import BytesSource
from storage.walker import Element, Node, WalkLimits, Wanted, walk_structure

REQUEST_COMMITMENT = 1
"""Action Type ID (PS3.4 table J.3-1)."""

ALL_COMMITTED, SOME_FAILED = 1, 2
"""Event Type IDs (PS3.4 table J.3-2)."""

MAX_REQUEST_BYTES = 16 << 20
MAX_REFERENCES = 100_000

_TRANSACTION_UID, _REFERENCED = 0x00081195, 0x00081199
_CLASS, _INSTANCE = 0x00081150, 0x00081155
_WANTED: Wanted = {_TRANSACTION_UID: None, _REFERENCED: {_CLASS: None, _INSTANCE: None}}
_FAILED, _REASON = 0x00081198, 0x00081197
_WANTED_OF_REPORT: Wanted = {
    _TRANSACTION_UID: None,
    _REFERENCED: {_CLASS: None, _INSTANCE: None},
    _FAILED: {_CLASS: None, _INSTANCE: None, _REASON: None},
}
_LIMITS = WalkLimits(max_depth=8, max_elements=10 * MAX_REFERENCES, max_value_bytes=128)


@dataclass(frozen=True)
class Request:
    """A request for commitment: the transaction, and each instance once, in the order given."""

    transaction_uid: str
    references: tuple[Reference, ...]


def read_request(encoded: bytes, *, transfer_syntax: str) -> Request:
    """Return the request, or raise Invalid when the action information is none.

    Raises TooLarge when more instances are named than one transaction may have.
    """
    node = walk_structure(
        BytesSource(encoded),
        implicit=transfer_syntax == IMPLICIT_LE,
        little_endian=True,
        wanted=_WANTED,
        limits=_LIMITS,
    ).node
    transaction = _uid(node, _TRANSACTION_UID, "Transaction UID")
    items = node.get(_REFERENCED, Element(b"SQ", None)).items or ()
    if not items:
        raise Invalid("No instance is named: Referenced SOP Sequence", code="bad-request")
    if len(items) > MAX_REFERENCES:
        raise TooLarge(f"Over {MAX_REFERENCES} instances; ask in parts", code="too-many")
    named = (
        Reference(_uid(item, _CLASS, "SOP Class UID"), _uid(item, _INSTANCE, "SOP Instance UID"))
        for item in items
    )
    return Request(transaction, tuple(dict.fromkeys(named)))


def write_report(
    transaction_uid: str,
    *,
    committed: Sequence[Reference],
    failed: Sequence[tuple[Reference, Failure]],
    transfer_syntax: str,
) -> tuple[int, bytes]:
    """Return the event type and the event information of a report."""
    values: dict[str, Any] = {"TransactionUID": transaction_uid}
    if committed:
        values["ReferencedSOPSequence"] = list(_items(committed))
    if failed:
        values["FailedSOPSequence"] = [
            item | {"FailureReason": int(reason)}
            for item, (_, reason) in zip(_items(r for r, _ in failed), failed, strict=True)
        ]
    encoded = encode_values(values, encoding="ascii", implicit=transfer_syntax == IMPLICIT_LE)
    return (SOME_FAILED if failed else ALL_COMMITTED), encoded


@dataclass(frozen=True)
class ReadReport:
    """A report on a commitment: what is kept, and what is not with the reason of the peer."""

    transaction_uid: str
    committed: tuple[Reference, ...]
    failed: tuple[tuple[Reference, int], ...]


def write_request(
    transaction_uid: str, references: Sequence[Reference], *, transfer_syntax: str
) -> bytes:
    """Return the action information of a request."""
    values = {
        "TransactionUID": transaction_uid,
        "ReferencedSOPSequence": list(_items(references)),
    }
    return encode_values(values, encoding="ascii", implicit=transfer_syntax == IMPLICIT_LE)


def read_report(encoded: bytes, *, transfer_syntax: str) -> ReadReport:
    """Return the report, or raise Invalid when the event information is none."""
    node = walk_structure(
        BytesSource(encoded),
        implicit=transfer_syntax == IMPLICIT_LE,
        little_endian=True,
        wanted=_WANTED_OF_REPORT,
        limits=_LIMITS,
    ).node
    kept = node.get(_REFERENCED, Element(b"SQ", None)).items or ()
    lost = node.get(_FAILED, Element(b"SQ", None)).items or ()
    return ReadReport(
        _uid(node, _TRANSACTION_UID, "Transaction UID"),
        tuple(_reference(item) for item in kept),
        tuple((_reference(item), _reason(item)) for item in lost),
    )


def _reference(item: Node) -> Reference:
    return Reference(_uid(item, _CLASS, "SOP Class UID"), _uid(item, _INSTANCE, "SOP Instance UID"))


def _reason(item: Node) -> int:
    element = item.get(_REASON)
    value = b"" if element is None else element.value or b""
    return value[0] | value[1] << 8 if len(value) == 2 else Failure.PROCESSING


def _items(references: Iterable[Reference]) -> Iterable[dict[str, Any]]:
    for reference in references:
        yield {
            "ReferencedSOPClassUID": reference.sop_class_uid,
            "ReferencedSOPInstanceUID": reference.sop_instance_uid,
        }


def _uid(node: Node, tag: int, name: str) -> str:
    element = node.get(tag)
    text = (element.value or b"").decode("latin-1").strip(" \0") if element is not None else ""
    if not is_receivable_uid(text):
        raise Invalid(f"{name} is missing or is no UID", code="bad-request")
    return text
