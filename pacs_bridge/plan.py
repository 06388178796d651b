"""Plans what is proposed for sending objects, and in which form each can go. No I/O.

A context of its own for each SOP class and transfer syntax (PS3.5 section 10); what is more than
128 contexts goes over several associations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar, runtime_checkable

from casework.identifiers import is_standard_uid
from pacs_bridge.pdu import MAX_CONTEXTS
from pacs_bridge.syntaxes import EXPLICIT_LE, IMPLICIT_LE
from pacs_bridge.transcode import CONVERTIBLE

Pair = tuple[str, str]
"""A SOP class and a transfer syntax."""


class Kind(Protocol):
    """What an object is, as a context is proposed for it."""

    @property
    def sop_class_uid(self) -> str:
        """Return the SOP Class UID."""

    @property
    def transfer_syntax_uid(self) -> str:
        """Return the transfer syntax that the data set is in."""


@runtime_checkable
class Restorable(Protocol):
    """An object that may be kept in another form than the one in which it was received."""

    @property
    def received_syntax(self) -> str:
        """Return the transfer syntax in which it comes back; empty when it is kept as it came."""


_Kind = TypeVar("_Kind", bound=Kind)


def batches(objects: Iterable[_Kind]) -> Iterator[tuple[list[_Kind], list[Pair]]]:
    """Cut objects into associations of at most 128 contexts, each class with its syntaxes."""
    batch: list[_Kind] = []
    wanted: dict[Pair, None] = {}
    for item in objects:
        needed = pairs_for(item)
        if batch and len(wanted | needed) > MAX_CONTEXTS:
            yield batch, list(wanted)
            batch, wanted = [], {}
        batch.append(item)
        wanted |= needed
    if batch:
        yield batch, list(wanted)


def pairs_for(item: Kind) -> dict[Pair, None]:
    """Propose what is stored, then what it can be turned into.

    What is no UID cannot be proposed; the object is then told as not taken.
    """
    if not is_standard_uid(item.sop_class_uid) or not is_standard_uid(item.transfer_syntax_uid):
        return {}
    syntaxes = dict.fromkeys((item.transfer_syntax_uid, *uncompressed_forms(item)))
    return {(item.sop_class_uid, syntax): None for syntax in syntaxes}


def uncompressed_forms(item: Kind) -> tuple[str, ...]:
    """Return what an object may be turned into: first what it came in, if it is not kept so."""
    received = received_syntax_of(item)
    return tuple(dict.fromkeys((received or EXPLICIT_LE, EXPLICIT_LE, IMPLICIT_LE)))


def received_syntax_of(item: Kind) -> str:
    """Return what a recompressed object comes back in; empty when it is kept as it came."""
    return item.received_syntax if isinstance(item, Restorable) else ""


def choose(accepted: Mapping[Pair, int], item: Kind) -> tuple[int, str] | None:
    """Return the context for an object and the transfer syntax that it goes in, or None.

    As it is stored when that is taken; else uncompressed, when it can be turned into that.
    """
    sop_class, stored = item.sop_class_uid, item.transfer_syntax_uid
    can_change = stored in CONVERTIBLE or received_syntax_of(item)
    for syntax in (stored, *(uncompressed_forms(item) if can_change else ())):
        if (sop_class, syntax) in accepted:
            return accepted[sop_class, syntax], syntax
    return None
