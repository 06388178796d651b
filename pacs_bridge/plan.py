"""Plans what is proposed for sending objects, and in which form each can go. No I/O.

A context of its own for each SOP class and transfer syntax (PS3.5 section 10); what is more than
128 contexts goes over several associations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

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
    syntaxes = dict.fromkeys((item.transfer_syntax_uid, EXPLICIT_LE, IMPLICIT_LE))
    return {(item.sop_class_uid, syntax): None for syntax in syntaxes}


def choose(accepted: Mapping[Pair, int], item: Kind) -> tuple[int, str] | None:
    """Return the context for an object and the transfer syntax that it goes in, or None.

    As it is stored when that is taken; else uncompressed, when it can be turned into that.
    """
    sop_class, stored = item.sop_class_uid, item.transfer_syntax_uid
    for syntax in _forms(stored):
        if (sop_class, syntax) in accepted:
            return accepted[sop_class, syntax], syntax
    return None


def _forms(stored: str) -> Sequence[str]:
    return (stored, EXPLICIT_LE, IMPLICIT_LE) if stored in CONVERTIBLE else (stored,)
