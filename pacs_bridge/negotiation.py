"""Answers proposed presentation contexts (PS3.8 section 9.3.3.2) by what an entity may do."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from casework.model import ApplicationEntity
from pacs_bridge.admission import (
    may_commit,
    may_perform,
    may_query,
    may_retrieve,
    may_see_worklist,
    may_store,
)
from pacs_bridge.items import Extended, Role, UserInformation
from pacs_bridge.syntaxes import (
    COMMITMENT,
    FIND_CLASSES,
    GET_CLASSES,
    MODALITY_WORKLIST,
    PERFORMED_STEP,
    RETRIEVE_CLASSES,
    VERIFICATION,
    choose_for_messages,
    choose_for_retrieval,
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
    scu: bool = True  # the requestor may invoke operations in it
    scp: bool = False  # the requestor may be asked for operations in it


def negotiate(
    proposed: Sequence[Proposed],
    entity: ApplicationEntity,
    *,
    service_classes: Mapping[str, str],
    private_classes: bool,
    roles: Sequence[Role] = (),
) -> tuple[Context, ...]:
    """Return an answer to each proposed context, in the order of the request.

    A requestor may be the SCP of storage classes when it may retrieve and proposes C-GET, and the
    SCP of storage commitment when it proposes that.
    """
    gets = may_retrieve(entity) and any(c.abstract_syntax in GET_CLASSES for c in proposed)
    role_of = {role.sop_class_uid: role for role in roles}
    return tuple(
        _answer(
            context,
            entity,
            is_storage=is_storage_class(
                context.abstract_syntax,
                service_classes=service_classes,
                private_classes=private_classes,
            ),
            role=role_of.get(context.abstract_syntax),
            gets=gets,
        )
        for context in proposed
    )


_LEVEL_2_FULL, _SIGNATURE_LEVEL_3, _NO_COERCION = 2, 3, 0
_STORAGE_LEVELS = bytes([_LEVEL_2_FULL, 0, _SIGNATURE_LEVEL_3, 0, _NO_COERCION, 0])
"""PS3.4 section B.3.1: everything is kept, bit for bit, and nothing is coerced."""


def answer_items(
    asked: UserInformation, accepted: Iterable[Context], *, max_pdu: int
) -> UserInformation:
    """Return the user information of an acceptance: what was asked is answered, nothing else.

    A window of one operation (PS3.7 D.3.3.3); the roles that the contexts were accepted for, SCP
    for C-GET and reports on commitments alone (D.3.3.4); what a storage SCP is, which retrieves are
    relational and how queries are matched, no longer than it was asked (D.3.3.5, PS3.4 B.3.1,
    C.5.1.1, C.5.2.1); related classes need no answer (D.3.3.6); an identity is not looked at, and
    so not answered (D.3.3.7).
    """
    classes = {context.abstract_syntax: context for context in accepted}
    return UserInformation(
        maximum_length=max_pdu,
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
        implementation_version=IMPLEMENTATION_VERSION_NAME,
        window=None if asked.window is None else (1, 1),
        roles=tuple(
            Role(
                role.sop_class_uid,
                scu=role.scu and classes[role.sop_class_uid].scu,
                scp=role.scp and classes[role.sop_class_uid].scp,
            )
            for role in asked.roles
            if role.sop_class_uid in classes
        ),
        extended=tuple(answer_extended(asked.extended, classes)),
    )


def relational_classes(extended: Iterable[Extended]) -> frozenset[str]:
    """Return the retrieve classes for which relational retrieval was asked, and so is agreed on."""
    return frozenset(
        item.sop_class_uid
        for item in extended
        if item.sop_class_uid in RETRIEVE_CLASSES and item.application_information[:1] == b"\1"
    )


@dataclass(frozen=True)
class FindOptions:
    """How queries of a class are matched, as was negotiated (PS3.4 table C.5-2)."""

    relational: bool = False
    combined: bool = False  # date and time
    fuzzy: bool = False
    empty_values: bool = False


HIERARCHICAL = FindOptions()
"""What counts when nothing was negotiated."""

_FIND_SUPPORTED = bytes([1, 1, 1, 0, 0, 1, 1])
"""Relational queries, combined date-time, fuzzy names, no time zone adjustment, no conversion of
enhanced multi-frame images, empty value and multiple value matching."""


def find_options(extended: Iterable[Extended]) -> Mapping[str, FindOptions]:
    """Return what was asked of each query class, and so is agreed on."""
    return {
        item.sop_class_uid: FindOptions(
            relational=bool(told[0]),
            combined=bool(told[1]),
            fuzzy=bool(told[2]),
            empty_values=bool(told[5]),
        )
        for item in extended
        if item.sop_class_uid in FIND_CLASSES
        for told in [_answer_find(item.application_information).ljust(7, b"\0")]
    }


def answer_extended(extended: Iterable[Extended], classes: Container[str]) -> list[Extended]:
    """Return the answers to extended negotiation of classes that were accepted."""
    answers = (_answer_extended(item) for item in extended if item.sop_class_uid in classes)
    return [answer for answer in answers if answer is not None]


def _answer_find(asked: bytes) -> bytes:
    """Accept a proposal by the same value, or turn it down by 0 (PS3.4 C.5.1.1)."""
    return bytes(
        want & have if want == 1 else 0 for want, have in zip(asked, _FIND_SUPPORTED, strict=False)
    )


def _answer_extended(item: Extended) -> Extended | None:
    asked = item.application_information
    if item.sop_class_uid in FIND_CLASSES and asked:
        return Extended(item.sop_class_uid, _answer_find(asked))
    if item.sop_class_uid in RETRIEVE_CLASSES:
        # relational as asked; no conversion of enhanced multi-frame images (PS3.4 table C.5.2-1)
        told = bytes([asked[:1] == b"\1", 0])
        return Extended(item.sop_class_uid, told[: len(asked)])
    if item.sop_class_uid != VERIFICATION and is_storage_class(
        item.sop_class_uid, service_classes={}, private_classes=True
    ):
        return Extended(item.sop_class_uid, _STORAGE_LEVELS[: len(asked)])
    return None


def _answer(
    context: Proposed,
    entity: ApplicationEntity,
    *,
    is_storage: bool,
    role: Role | None,
    gets: bool,
) -> Context:
    abstract = context.abstract_syntax
    if abstract == VERIFICATION:
        allowed, chosen = True, choose_for_messages(context.transfer_syntaxes)
    elif abstract in FIND_CLASSES:
        allowed, chosen = may_query(entity), choose_for_messages(context.transfer_syntaxes)
    elif abstract == MODALITY_WORKLIST:
        allowed, chosen = may_see_worklist(entity), choose_for_messages(context.transfer_syntaxes)
    elif abstract == COMMITMENT:
        return _answer_commitment(context, entity, role=role)
    elif abstract == PERFORMED_STEP:
        allowed, chosen = may_perform(entity), choose_for_messages(context.transfer_syntaxes)
    elif abstract in RETRIEVE_CLASSES:
        allowed, chosen = may_retrieve(entity), choose_for_messages(context.transfer_syntaxes)
    elif is_storage:
        return _answer_storage(context, entity, role=role, gets=gets)
    else:
        return _refused(context, ABSTRACT_SYNTAX_UNSUPPORTED)
    if not allowed:
        return _refused(context, USER_REJECTION)
    if chosen is None:
        return _refused(context, TRANSFER_SYNTAX_UNSUPPORTED)
    return Context(context.id, abstract, ACCEPTED, chosen)


def _answer_commitment(
    context: Proposed, entity: ApplicationEntity, *, role: Role | None
) -> Context:
    """Accept for asking us, or for reporting on what we asked: a provider proposes the SCP role.

    Whoever is registered may report; what was not asked for is answered so (PS3.4 J.3.3.1.3).
    """
    scp = role is not None and role.scp
    scu = may_commit(entity) and (role is None or role.scu or not scp)
    if not scu and not scp:
        return _refused(context, USER_REJECTION)
    chosen = choose_for_messages(context.transfer_syntaxes)
    if chosen is None:
        return _refused(context, TRANSFER_SYNTAX_UNSUPPORTED)
    return Context(context.id, context.abstract_syntax, ACCEPTED, chosen, scu=scu, scp=scp)


def _answer_storage(
    context: Proposed, entity: ApplicationEntity, *, role: Role | None, gets: bool
) -> Context:
    """Accept for storing, for being stored to by C-GET, or for both (PS3.7 section D.3.3.4)."""
    scp = gets and role is not None and role.scp
    scu = may_store(entity) and (role is None or role.scu or not scp)
    if not scu and not scp:
        return _refused(context, USER_REJECTION)
    if scp:
        chosen = choose_for_retrieval(context.abstract_syntax, context.transfer_syntaxes)
    else:
        chosen = choose_for_storage(context.transfer_syntaxes)
    if chosen is None:
        return _refused(context, TRANSFER_SYNTAX_UNSUPPORTED)
    return Context(context.id, context.abstract_syntax, ACCEPTED, chosen, scu=scu, scp=scp)


def _refused(context: Proposed, result: int) -> Context:
    return Context(context.id, context.abstract_syntax, result, context.transfer_syntaxes[0])
