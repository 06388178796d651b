"""Plans what is proposed for sending objects, and in which form each can go. No I/O.

A context of its own for each SOP class and transfer syntax (PS3.5 section 10); what is more than
128 contexts goes over several associations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar, runtime_checkable

from casework.identifiers import is_standard_uid
from pacs_bridge.compress import FORMS, LOSSLESS
from pacs_bridge.pdu import MAX_CONTEXTS
from pacs_bridge.syntaxes import EXPLICIT_LE, IMPLICIT_LE
from pacs_bridge.transcode import CONVERTIBLE

Pair = tuple[str, str]
"""A SOP class and a transfer syntax."""

UNCOMPRESSED_FORM = "uncompressed"


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


def batches(objects: Iterable[_Kind], form: str = "") -> Iterator[tuple[list[_Kind], list[Pair]]]:
    """Cut objects into associations of at most 128 contexts, each class with its syntaxes.

    `form` is what the receiver prefers: a key of `FORMS`, or nothing for what is stored.
    """
    batch: list[_Kind] = []
    wanted: dict[Pair, None] = {}
    for item in objects:
        needed = pairs_for(item, form)
        if batch and len(wanted | needed) > MAX_CONTEXTS:
            yield batch, list(wanted)
            batch, wanted = [], {}
        batch.append(item)
        wanted |= needed
    if batch:
        yield batch, list(wanted)


def pairs_for(item: Kind, form: str = "") -> dict[Pair, None]:
    """Propose what is stored, then what it can be turned into; before both what is preferred.

    What is no UID cannot be proposed; the object is then told as not taken.
    """
    if not is_standard_uid(item.sop_class_uid) or not is_standard_uid(item.transfer_syntax_uid):
        return {}
    syntaxes = dict.fromkeys(
        (*preferred_forms(item, form), item.transfer_syntax_uid, *uncompressed_forms(item))
    )
    return {(item.sop_class_uid, syntax): None for syntax in syntaxes}


def uncompressed_forms(item: Kind) -> tuple[str, ...]:
    """Return what an object may be turned into: first what it came in, if it is not kept so."""
    received = received_syntax_of(item)
    return tuple(dict.fromkeys((received or EXPLICIT_LE, EXPLICIT_LE, IMPLICIT_LE)))


def preferred_forms(item: Kind, form: str) -> tuple[str, ...]:
    """Return what an object goes in rather than in what is stored, for who prefers a form.

    What was compressed with loss is never compressed anew, and what has no pixels is left alone.
    """
    stored = item.transfer_syntax_uid
    if form == UNCOMPRESSED_FORM:
        can_change = stored in CONVERTIBLE and stored not in (EXPLICIT_LE, IMPLICIT_LE)
        return uncompressed_forms(item) if can_change or received_syntax_of(item) else ()
    target = FORMS.get(form, "")
    has_pixels = bool(getattr(item, "rows", None))
    if not target or not has_pixels or (received_syntax_of(item) or stored) not in LOSSLESS:
        return ()
    return (target,)


def received_syntax_of(item: Kind) -> str:
    """Return what a recompressed object comes back in; empty when it is kept as it came."""
    return item.received_syntax if isinstance(item, Restorable) else ""


def choices(accepted: Mapping[Pair, int], item: Kind, form: str = "") -> list[tuple[int, str]]:
    """Return the contexts for an object and the transfer syntaxes that it can go in, best first.

    What is preferred; as it is stored; else uncompressed, when it can be turned into that.
    """
    sop_class, stored = item.sop_class_uid, item.transfer_syntax_uid
    can_change = stored in CONVERTIBLE or received_syntax_of(item)
    syntaxes = dict.fromkeys(
        (
            *preferred_forms(item, form),
            stored,
            *(uncompressed_forms(item) if can_change else ()),
        )
    )
    return [
        (accepted[sop_class, syntax], syntax)
        for syntax in syntaxes
        if (sop_class, syntax) in accepted
    ]


def choose(accepted: Mapping[Pair, int], item: Kind) -> tuple[int, str] | None:
    """Return the context for an object and the transfer syntax that it goes in, or None."""
    found = choices(accepted, item)
    return found[0] if found else None
