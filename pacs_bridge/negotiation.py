"""Answers proposed presentation contexts (PS3.8 section 9.3.3.2) by what an entity may do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from casework.model import ApplicationEntity
from pacs_bridge.admission import may_commit, may_perform, may_query, may_store
from pacs_bridge.items import Extended, Role, UserInformation
from pacs_bridge.syntaxes import (
    COMMITMENT,
    FIND_CLASSES,
    PERFORMED_STEP,
    VERIFICATION,
    choose_for_messages,
    choose_for_storage,
    is_storage_class,
)
from storage.filemeta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

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


_LEVEL_2_FULL, _SIGNATURE_LEVEL_3, _NO_COERCION = 2, 3, 0
_STORAGE_LEVELS = bytes([_LEVEL_2_FULL, 0, _SIGNATURE_LEVEL_3, 0, _NO_COERCION, 0])
"""PS3.4 section B.3.1: everything is kept, bit for bit, and nothing is coerced."""


def answer_items(
    asked: UserInformation, accepted: Iterable[Context], *, max_pdu: int
) -> UserInformation:
    """Return the user information of an acceptance: what was asked is answered, nothing else.

    A window of one operation (PS3.7 D.3.3.3); roles as SCU only, as we are the SCP (D.3.3.4);
    what a storage SCP is, no longer than it was asked (D.3.3.5, PS3.4 B.3.1); related classes need
    no answer (D.3.3.6); an identity is not looked at, and so not answered (D.3.3.7).
    """
    classes = {context.abstract_syntax for context in accepted}
    return UserInformation(
        maximum_length=max_pdu,
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
        implementation_version=IMPLEMENTATION_VERSION_NAME,
        window=None if asked.window is None else (1, 1),
        roles=tuple(
            Role(role.sop_class_uid, scu=role.scu, scp=False)
            for role in asked.roles
            if role.sop_class_uid in classes
        ),
        extended=tuple(
            Extended(item.sop_class_uid, _STORAGE_LEVELS[: len(item.application_information)])
            for item in asked.extended
            if item.sop_class_uid in classes
            and item.sop_class_uid != VERIFICATION
            and is_storage_class(item.sop_class_uid, service_classes={}, private_classes=True)
        ),
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
    elif abstract == COMMITMENT:
        allowed, chosen = may_commit(entity), choose_for_messages(context.transfer_syntaxes)
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
