"""Answers proposed presentation contexts (PS3.8 section 9.3.3.2) by what an entity may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from casework.model import ApplicationEntity
from pacs_bridge.admission import may_perform, may_query, may_store
from pacs_bridge.syntaxes import (
    FIND_CLASSES,
    PERFORMED_STEP,
    VERIFICATION,
    choose_for_messages,
    choose_for_storage,
    is_storage_class,
)

ACCEPTED = 0
USER_REJECTION = 1
ABSTRACT_SYNTAX_UNSUPPORTED = 3
TRANSFER_SYNTAX_UNSUPPORTED = 4


@dataclass(frozen=True)
class Proposed:
    """A presentation context as proposed."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True)
class Context:
    """A presentation context as answered; the transfer syntax counts only when it was accepted."""

    id: int
    abstract_syntax: str
    result: int
    transfer_syntax: str


def negotiate(
    proposed: Sequence[Proposed],
    entity: ApplicationEntity,
    *,
    service_classes: Mapping[str, str],
    private_classes: bool,
) -> tuple[Context, ...]:
    """Return an answer to each proposed context, in the order of the request."""
    return tuple(
        _answer(context, entity, service_classes=service_classes, private_classes=private_classes)
        for context in proposed
    )


def _answer(
    context: Proposed,
    entity: ApplicationEntity,
    *,
    service_classes: Mapping[str, str],
    private_classes: bool,
) -> Context:
    abstract = context.abstract_syntax
    if abstract == VERIFICATION:
        allowed, chosen = True, choose_for_messages(context.transfer_syntaxes)
    elif abstract in FIND_CLASSES:
        allowed, chosen = may_query(entity), choose_for_messages(context.transfer_syntaxes)
    elif abstract == PERFORMED_STEP:
        allowed, chosen = may_perform(entity), choose_for_messages(context.transfer_syntaxes)
    elif is_storage_class(
        abstract, service_classes=service_classes, private_classes=private_classes
    ):
        allowed, chosen = may_store(entity), choose_for_storage(context.transfer_syntaxes)
    else:
        return _refused(context, ABSTRACT_SYNTAX_UNSUPPORTED)
    if not allowed:
        return _refused(context, USER_REJECTION)
    if chosen is None:
        return _refused(context, TRANSFER_SYNTAX_UNSUPPORTED)
    return Context(context.id, abstract, ACCEPTED, chosen)


def _refused(context: Proposed, result: int) -> Context:
    return Context(context.id, context.abstract_syntax, result, context.transfer_syntaxes[0])
