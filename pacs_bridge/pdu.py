"""Reads and writes PDUs of the DICOM upper layer (PS3.8 section 9.3): bytes in, values out. No I/O.

P-DATA-TF is not here: its fragments are cut out of the stream as they come, by `stream`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from casework.errors import Invalid
from pacs_bridge.items import UserInformation, decode_user_information, encode_user_information
from pacs_bridge.negotiation import Proposed

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ = 0x01, 0x02, 0x03
P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = 0x04, 0x05, 0x06, 0x07

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
PROTOCOL_VERSION = 1
MAX_CONTEXTS = 128  # odd numbers from 1 to 255 (PS3.8 section 9.3.2.2)

_CONTEXT_NAME, _CONTEXT_RQ, _CONTEXT_AC, _USER_INFORMATION = 0x10, 0x20, 0x21, 0x50
_ABSTRACT, _TRANSFER = 0x30, 0x40
_HEAD = struct.Struct(">BxL")
_FIXED = struct.Struct(">HH16s16s32x")
_ITEM = struct.Struct(">BxH")


@dataclass(frozen=True)
class AssociateRequest:
    """A-ASSOCIATE-RQ (PS3.8 section 9.3.2)."""

    called: str
    calling: str
    proposed: tuple[Proposed, ...]
    user: UserInformation = field(default_factory=UserInformation)
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = PROTOCOL_VERSION


@dataclass(frozen=True)
class Answered:
    """A presentation context as answered (PS3.8 section 9.3.3.2)."""

    id: int
    result: int
    transfer_syntax: str


@dataclass(frozen=True)
class AssociateAccept:
    """A-ASSOCIATE-AC (PS3.8 section 9.3.3); the titles are those of the request, unjudged."""

    called: str
    calling: str
    contexts: tuple[Answered, ...]
    user: UserInformation = field(default_factory=UserInformation)
    application_context: str = APPLICATION_CONTEXT


@dataclass(frozen=True)
class AssociateReject:
    """A-ASSOCIATE-RJ (PS3.8 section 9.3.4)."""

    result: int
    source: int
    reason: int


@dataclass(frozen=True)
class ReleaseRequest:
    """A-RELEASE-RQ (PS3.8 section 9.3.6)."""


@dataclass(frozen=True)
class ReleaseReply:
    """A-RELEASE-RP (PS3.8 section 9.3.7)."""


@dataclass(frozen=True)
class Abort:
    """A-ABORT (PS3.8 section 9.3.8); source 0 is the service user, 2 the provider."""

    source: int
    reason: int


Pdu = AssociateRequest | AssociateAccept | AssociateReject | ReleaseRequest | ReleaseReply | Abort


def encode(pdu: Pdu) -> bytes:
    """Return the bytes of a PDU."""
    match pdu:
        case AssociateRequest():
            fixed = _fixed(pdu.protocol_version, pdu.called, pdu.calling)
            contexts = b"".join(_proposed(context) for context in pdu.proposed)
            return _associate(ASSOCIATE_RQ, fixed, pdu.application_context, contexts, pdu.user)
        case AssociateAccept():
            fixed = _fixed(PROTOCOL_VERSION, pdu.called, pdu.calling)
            contexts = b"".join(_answered(context) for context in pdu.contexts)
            return _associate(ASSOCIATE_AC, fixed, pdu.application_context, contexts, pdu.user)
        case AssociateReject():
            return _pdu(ASSOCIATE_RJ, bytes([0, pdu.result, pdu.source, pdu.reason]))
        case ReleaseRequest():
            return _pdu(RELEASE_RQ, bytes(4))
        case ReleaseReply():
            return _pdu(RELEASE_RP, bytes(4))
        case Abort():
            return _pdu(ABORT, bytes([0, 0, pdu.source, pdu.reason]))


def decode(kind: int, body: bytes) -> Pdu:
    """Return the PDU of a type and the bytes after its length, or raise Invalid."""
    if kind == ASSOCIATE_RQ:
        return _decode_request(body)
    if kind == ASSOCIATE_AC:
        return _decode_accept(body)
    if len(body) < 4:
        raise Invalid(f"A PDU of type {kind} is too short.", code="bad-pdu")
    if kind == ASSOCIATE_RJ:
        return AssociateReject(body[1], body[2], body[3])
    if kind == RELEASE_RQ:
        return ReleaseRequest()
    if kind == RELEASE_RP:
        return ReleaseReply()
    if kind == ABORT:
        return Abort(body[2], body[3])
    raise Invalid(f"There is no PDU of type {kind}.", code="bad-pdu")


def encode_fragment_head(context_id: int, control: int, length: int) -> bytes:
    """Return the head of a P-DATA-TF that holds one fragment of so many bytes (PS3.8 9.3.5)."""
    return struct.pack(">BxLLBB", P_DATA, length + 6, length + 2, context_id, control)


def _decode_request(body: bytes) -> AssociateRequest:
    version, called, calling = _read_fixed(body)
    application_context, user = "", UserInformation()
    proposed: list[Proposed] = []
    for kind, content in _items(body, _FIXED.size):
        if kind == _CONTEXT_NAME:
            application_context = uid_of(content)
        elif kind == _CONTEXT_RQ:
            proposed.append(_read_proposed(content))
        elif kind == _USER_INFORMATION:
            user = decode_user_information(content)
    if not proposed or len(proposed) > MAX_CONTEXTS:
        raise Invalid(f"{len(proposed)} presentation contexts are proposed.", code="bad-pdu")
    if len({context.id for context in proposed}) != len(proposed):
        raise Invalid("Two presentation contexts have one number.", code="bad-pdu")
    return AssociateRequest(called, calling, tuple(proposed), user, application_context, version)


def _decode_accept(body: bytes) -> AssociateAccept:
    _, called, calling = _read_fixed(body)
    application_context, user = "", UserInformation()
    contexts: list[Answered] = []
    for kind, content in _items(body, _FIXED.size):
        if kind == _CONTEXT_NAME:
            application_context = uid_of(content)
        elif kind == _CONTEXT_AC:
            contexts.append(_read_answered(content))
        elif kind == _USER_INFORMATION:
            user = decode_user_information(content)
    return AssociateAccept(called, calling, tuple(contexts), user, application_context)


def _read_fixed(body: bytes) -> tuple[int, str, str]:
    if len(body) < _FIXED.size:
        raise Invalid("An association PDU is cut off.", code="bad-pdu")
    version, _, called, calling = _FIXED.unpack_from(body)
    return version, called.decode("latin-1").strip(" \0"), calling.decode("latin-1").strip(" \0")


def _read_proposed(content: bytes) -> Proposed:
    context_id = _context_id(content)
    abstract, transfer = "", []
    for kind, value in _items(content, 4):
        if kind == _ABSTRACT:
            abstract = uid_of(value)
        elif kind == _TRANSFER:
            transfer.append(uid_of(value))
    if not abstract or not transfer:
        raise Invalid(f"Presentation context {context_id} lacks a syntax.", code="bad-pdu")
    return Proposed(context_id, abstract, tuple(transfer))


def _read_answered(content: bytes) -> Answered:
    context_id = _context_id(content)
    syntaxes = [uid_of(value) for kind, value in _items(content, 4) if kind == _TRANSFER]
    return Answered(context_id, content[2], syntaxes[0] if syntaxes else "")


def _context_id(content: bytes) -> int:
    if len(content) < 4 or content[0] % 2 == 0:
        raise Invalid("A presentation context has no odd number.", code="bad-pdu")
    return content[0]


def _items(body: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of items that stand one after the other, each within the body."""
    position = start
    while position < len(body):
        if position + 4 > len(body):
            raise Invalid("An item of an association PDU is cut off.", code="bad-pdu")
        kind, length = _ITEM.unpack_from(body, position)
        position += 4
        if position + length > len(body):
            raise Invalid(f"Item {kind:02X} is longer than its PDU.", code="bad-pdu")
        yield kind, body[position : position + length]
        position += length


def uid_of(value: bytes) -> str:
    """Return a UID as a PDU holds it; some peers pad what PS3.8 annex F leaves unpadded."""
    return value.decode("latin-1").strip(" \0")


def _fixed(version: int, called: str, calling: str) -> bytes:
    return _FIXED.pack(version, 0, _title(called), _title(calling))


def _title(title: str) -> bytes:
    return title.encode("latin-1", "replace")[:16].ljust(16)


def _proposed(context: Proposed) -> bytes:
    content = bytes([context.id, 0, 0, 0]) + _item(_ABSTRACT, context.abstract_syntax.encode())
    content += b"".join(_item(_TRANSFER, syntax.encode()) for syntax in context.transfer_syntaxes)
    return _item(_CONTEXT_RQ, content)


def _answered(context: Answered) -> bytes:
    syntax = _item(_TRANSFER, context.transfer_syntax.encode("latin-1"))
    return _item(_CONTEXT_AC, bytes([context.id, 0, context.result, 0]) + syntax)


def _associate(
    kind: int, fixed: bytes, application_context: str, contexts: bytes, user: UserInformation
) -> bytes:
    name = _item(_CONTEXT_NAME, application_context.encode())
    information = _item(_USER_INFORMATION, encode_user_information(user))
    return _pdu(kind, fixed + name + contexts + information)


def _item(kind: int, content: bytes) -> bytes:
    return _ITEM.pack(kind, len(content)) + content


def _pdu(kind: int, body: bytes) -> bytes:
    return _HEAD.pack(kind, len(body)) + body
