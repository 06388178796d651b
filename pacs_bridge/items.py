"""Reads and writes the user information of association PDUs (PS3.7 annex D.3.3, PS3.8 annex D.1).

What is proposed besides contexts: lengths, implementations, windows, roles, extended negotiation,
identities. Decides nothing; items it does not know are passed over (PS3.8 section 9.3.1).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from casework.errors import Invalid

_MAX_LENGTH, _CLASS_UID, _ASYNCHRONOUS, _ROLE, _VERSION_NAME = 0x51, 0x52, 0x53, 0x54, 0x55
_EXTENDED, _COMMON_EXTENDED, _IDENTITY_RQ, _IDENTITY_AC = 0x56, 0x57, 0x58, 0x59
_ITEM = struct.Struct(">BxH")


@dataclass(frozen=True)
class Role:
    """SCP/SCU Role Selection: what the requestor may be (PS3.7 section D.3.3.4)."""

    sop_class_uid: str
    scu: bool
    scp: bool


@dataclass(frozen=True)
class Extended:
    """SOP Class Extended Negotiation: bytes whose meaning the service gives (PS3.7 D.3.3.5)."""

    sop_class_uid: str
    application_information: bytes


@dataclass(frozen=True)
class CommonExtended:
    """SOP Class Common Extended Negotiation: what a class is like (PS3.7 section D.3.3.6)."""

    sop_class_uid: str
    service_class_uid: str
    related_class_uids: tuple[str, ...] = ()


@dataclass(frozen=True)
class UserIdentity:
    """User Identity as requested (PS3.7 section D.3.3.7); never logged."""

    kind: int
    wants_response: bool
    primary: bytes
    secondary: bytes = b""


@dataclass(frozen=True)
class UserInformation:
    """The user information item of a request or an acceptance."""

    maximum_length: int = 0  # of a P-DATA-TF's content, bytes; 0: any
    implementation_class_uid: str = ""
    implementation_version: str = ""
    window: tuple[int, int] | None = None  # operations invoked and performed; 0: any number
    roles: tuple[Role, ...] = ()
    extended: tuple[Extended, ...] = ()
    common_extended: tuple[CommonExtended, ...] = ()
    identity: UserIdentity | None = None
    identity_response: bytes | None = None


def encode_user_information(user: UserInformation) -> bytes:
    """Return the sub-items, in the order of their types."""
    parts = [_item(_MAX_LENGTH, struct.pack(">L", user.maximum_length))]
    if user.implementation_class_uid:
        parts.append(_item(_CLASS_UID, user.implementation_class_uid.encode()))
    if user.window is not None:
        parts.append(_item(_ASYNCHRONOUS, struct.pack(">HH", *user.window)))
    parts += [
        _item(_ROLE, _counted(r.sop_class_uid.encode()) + bytes([r.scu, r.scp])) for r in user.roles
    ]
    if user.implementation_version:
        parts.append(_item(_VERSION_NAME, user.implementation_version.encode()))
    parts += [
        _item(_EXTENDED, _counted(e.sop_class_uid.encode()) + e.application_information)
        for e in user.extended
    ]
    parts += [_item(_COMMON_EXTENDED, _common(c)) for c in user.common_extended]
    if user.identity is not None:
        parts.append(_item(_IDENTITY_RQ, _identity(user.identity)))
    if user.identity_response is not None:
        parts.append(_item(_IDENTITY_AC, _counted(user.identity_response)))
    return b"".join(parts)


def decode_user_information(content: bytes) -> UserInformation:
    """Return the user information, or raise Invalid when an item is not whole."""
    maximum_length, class_uid, version = 0, "", ""
    window: tuple[int, int] | None = None
    roles: list[Role] = []
    extended: list[Extended] = []
    common: list[CommonExtended] = []
    identity: UserIdentity | None = None
    response: bytes | None = None
    position = 0
    while position < len(content):
        item = _Reader(content, position)
        kind, value = item.byte(), None
        item.byte()
        value = _Reader(item.counted())
        position = item.position
        if kind == _MAX_LENGTH:
            maximum_length = int.from_bytes(value.take(4))
        elif kind == _CLASS_UID:
            class_uid = _text(value.rest())
        elif kind == _ASYNCHRONOUS:
            window = (value.short(), value.short())
        elif kind == _ROLE:
            roles.append(Role(_text(value.counted()), bool(value.byte()), bool(value.byte())))
        elif kind == _VERSION_NAME:
            version = _text(value.rest())
        elif kind == _EXTENDED:
            extended.append(Extended(_text(value.counted()), value.rest()))
        elif kind == _COMMON_EXTENDED:
            common.append(_read_common(value))
        elif kind == _IDENTITY_RQ:
            kind_of_identity, wants_response = value.byte(), bool(value.byte())
            identity = UserIdentity(
                kind_of_identity, wants_response, value.counted(), value.counted()
            )
        elif kind == _IDENTITY_AC:
            response = value.counted()
    return UserInformation(
        maximum_length=maximum_length,
        implementation_class_uid=class_uid,
        implementation_version=version,
        window=window,
        roles=tuple(roles),
        extended=tuple(extended),
        common_extended=tuple(common),
        identity=identity,
        identity_response=response,
    )


class _Reader:
    """Takes bytes off the front of an item; raises Invalid when there are too few."""

    def __init__(self, content: bytes, position: int = 0) -> None:
        self._content = content
        self.position = position

    def take(self, length: int) -> bytes:
        end = self.position + length
        if end > len(self._content):
            raise Invalid("An item of the user information is cut off.", code="bad-pdu")
        taken = self._content[self.position : end]
        self.position = end
        return taken

    def rest(self) -> bytes:
        return self.take(len(self._content) - self.position)

    def byte(self) -> int:
        return self.take(1)[0]

    def short(self) -> int:
        return int.from_bytes(self.take(2))

    def counted(self) -> bytes:
        return self.take(self.short())

    @property
    def is_at_end(self) -> bool:
        return self.position >= len(self._content)


def _read_common(value: _Reader) -> CommonExtended:
    sop_class, service_class = _text(value.counted()), _text(value.counted())
    related: list[str] = []
    if not value.is_at_end:
        listed = _Reader(value.counted())
        while not listed.is_at_end:
            related.append(_text(listed.counted()))
    return CommonExtended(sop_class, service_class, tuple(related))


def _common(item: CommonExtended) -> bytes:
    related = b"".join(_counted(uid.encode()) for uid in item.related_class_uids)
    head = _counted(item.sop_class_uid.encode()) + _counted(item.service_class_uid.encode())
    return head + _counted(related)


def _identity(identity: UserIdentity) -> bytes:
    head = bytes([identity.kind, identity.wants_response])
    return head + _counted(identity.primary) + _counted(identity.secondary)


def _counted(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


def _item(kind: int, content: bytes) -> bytes:
    return _ITEM.pack(kind, len(content)) + content


def _text(value: bytes) -> str:
    return value.decode("latin-1").strip(" \0")
