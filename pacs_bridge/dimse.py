"""Reads and writes DIMSE command sets (PS3.7 section 6.3, annex E): bytes in, values out. No I/O.

Command sets are implicit VR little endian, group 0000 only: a dozen lines read them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from casework.errors import Invalid

C_STORE_RQ, C_STORE_RSP = 0x0001, 0x8001
C_GET_RQ, C_GET_RSP = 0x0010, 0x8010
C_FIND_RQ, C_FIND_RSP = 0x0020, 0x8020
C_MOVE_RQ, C_MOVE_RSP = 0x0021, 0x8021
N_SET_RQ, N_SET_RSP = 0x0120, 0x8120
N_CREATE_RQ, N_CREATE_RSP = 0x0140, 0x8140
C_ECHO_RQ, C_ECHO_RSP = 0x0030, 0x8030
C_CANCEL_RQ = 0x0FFF
N_EVENT_REPORT_RQ, N_EVENT_REPORT_RSP = 0x0100, 0x8100
N_ACTION_RQ, N_ACTION_RSP = 0x0130, 0x8130
NO_DATASET = 0x0101
_LOW = 2  # Priority (0000,0700)

MAX_ELEMENTS = 128

_HEAD = struct.Struct("<HHL")
_GROUP_LENGTH = 0x0000
_AFFECTED_CLASS = 0x0002
_REQUESTED_CLASS = 0x0003
_FIELD = 0x0100
_MESSAGE_ID = 0x0110
_RESPONDED_TO = 0x0120
_DESTINATION = 0x0600
_PRIORITY = 0x0700
_DATASET_TYPE = 0x0800
_STATUS = 0x0900
_COMMENT = 0x0902
_ERROR_ID = 0x0903
_AFFECTED_INSTANCE = 0x1000
_REQUESTED_INSTANCE = 0x1001
_EVENT_TYPE = 0x1002
_ACTION_TYPE = 0x1008
_REMAINING, _COMPLETED, _FAILED, _WARNING = 0x1020, 0x1021, 0x1022, 0x1023
_ORIGINATOR_TITLE, _ORIGINATOR_ID = 0x1030, 0x1031


@dataclass(frozen=True)
class SubOperations:
    """How many C-STORE sub-operations there are of each kind; `remaining` None is left out."""

    remaining: int | None
    completed: int
    failed: int
    warning: int


@dataclass(frozen=True)
class Originator:
    """Whose C-MOVE a C-STORE is part of (PS3.7 section 9.1.1.1.7 and 8)."""

    title: str
    message_id: int


@dataclass(frozen=True)
class Command:
    """A command set, by element number of group 0000."""

    elements: Mapping[int, bytes]

    @property
    def field(self) -> int:
        """Return Command Field (0000,0100)."""
        return self._number(_FIELD)

    @property
    def message_id(self) -> int:
        """Return Message ID (0000,0110)."""
        return self._number(_MESSAGE_ID)

    @property
    def responded_to(self) -> int:
        """Return Message ID Being Responded To (0000,0120)."""
        return self._number(_RESPONDED_TO)

    @property
    def status(self) -> int:
        """Return Status (0000,0900) of a response."""
        return self._number(_STATUS)

    @property
    def event_type(self) -> int:
        """Return Event Type ID (0000,1002) of an N-EVENT-REPORT."""
        return self._number(_EVENT_TYPE)

    @property
    def action_type(self) -> int:
        """Return Action Type ID (0000,1008) of an N-ACTION."""
        return self._number(_ACTION_TYPE)

    @property
    def destination(self) -> str:
        """Return Move Destination (0000,0600), empty when there is none."""
        return _uid(self.elements.get(_DESTINATION, b""))

    @property
    def originator(self) -> str:
        """Return Move Originator Application Entity Title (0000,1030), empty without a C-MOVE."""
        return _uid(self.elements.get(_ORIGINATOR_TITLE, b""))

    @property
    def priority(self) -> int:
        """Return Priority (0000,0700); what is none of the three is medium."""
        value = self.elements.get(_PRIORITY, b"")
        return value[0] if value in (b"\x01\x00", b"\x02\x00") else 0

    @property
    def comment(self) -> str:
        """Return Error Comment (0000,0902) as printable text."""
        said = self.elements.get(_COMMENT, b"").decode("latin-1").strip(" \0")
        return "".join(c if c.isprintable() else "?" for c in said)[:64]

    @property
    def sub_operations(self) -> SubOperations:
        """Return the counts of a retrieve's response; those left out are 0, or None."""
        counts = [
            self._number(n) if n in self.elements else None
            for n in (_REMAINING, _COMPLETED, _FAILED, _WARNING)
        ]
        return SubOperations(counts[0], *(count or 0 for count in counts[1:]))

    @property
    def has_dataset(self) -> bool:
        """Tell whether a data set follows (0000,0800)."""
        return self._number(_DATASET_TYPE) != NO_DATASET

    @property
    def affected_class(self) -> str:
        """Return the SOP class that the command is about, affected or requested."""
        return _uid(self.elements.get(_AFFECTED_CLASS) or self.elements.get(_REQUESTED_CLASS, b""))

    @property
    def affected_instance(self) -> str:
        """Return the SOP instance that the command is about, affected or requested."""
        return _uid(
            self.elements.get(_AFFECTED_INSTANCE) or self.elements.get(_REQUESTED_INSTANCE, b"")
        )

    def _number(self, element: int) -> int:
        value = self.elements.get(element, b"")
        if len(value) != 2:
            raise Invalid(
                f"The command set has no usable element (0000,{element:04X}).", code="bad-command"
            )
        return value[0] | value[1] << 8


@lru_cache(maxsize=512)
def _uid(value: bytes) -> str:
    return value.decode("latin-1").strip(" \0")


def read_command(encoded: bytes) -> Command:
    """Return the command set, or raise Invalid when the bytes are none."""
    elements: dict[int, bytes] = {}
    position = 0
    end = len(encoded)
    while position < end:
        if position + 8 > end or len(elements) >= MAX_ELEMENTS:
            raise Invalid("The command set is cut off or endless.", code="bad-command")
        group, element, length = _HEAD.unpack_from(encoded, position)
        position += 8
        if group != 0 or length > end - position:
            raise Invalid("The command set is not one of DIMSE.", code="bad-command")
        elements[element] = encoded[position : position + length]
        position += length
    command = Command(elements)
    _ = command.field, command.has_dataset  # both are in every command set
    return command


def write_response(
    command: Command,
    status: int,
    *,
    comment: str = "",
    with_dataset: bool = False,
    instance: str = "",
    error_id: int | None = None,
    counts: SubOperations | None = None,
) -> bytes:
    """Return the command set of a response (PS3.7 section 9.3); malformed UIDs are not echoed.

    `instance` is the UID of one that was made, where the request names none; `counts` are those of
    a retrieve.
    """
    elements = {
        _FIELD: _us(command.field | 0x8000),
        _RESPONDED_TO: _us(command.message_id),
        _DATASET_TYPE: _us(0x0001 if with_dataset else NO_DATASET),
        _STATUS: _us(status),
    }
    for number, uid in (
        (_AFFECTED_CLASS, command.affected_class),
        (_AFFECTED_INSTANCE, command.affected_instance or instance),
    ):
        if uid and len(uid) <= 64 and uid.replace(".", "").isdigit() and uid.isascii():
            elements[number] = _even(uid.encode("ascii"), b"\0")
    if error_id is not None:
        elements[_ERROR_ID] = _us(error_id)
    if comment:
        elements[_COMMENT] = _even(comment.encode("ascii"), b" ")
    if counts is not None:
        if counts.remaining is not None:
            elements[_REMAINING] = _us(counts.remaining)
        elements[_COMPLETED] = _us(counts.completed)
        elements[_FAILED] = _us(counts.failed)
        elements[_WARNING] = _us(counts.warning)
    return write_elements(elements)


def write_store_request(
    message_id: int,
    sop_class_uid: str,
    sop_instance_uid: str,
    *,
    priority: int = 0,
    originator: Originator | None = None,
) -> bytes:
    """Return the command set of a C-STORE request (PS3.7 section 9.3.1.1); priority 0 is medium."""
    elements = {
        _AFFECTED_CLASS: _even(sop_class_uid.encode("ascii"), b"\0"),
        _FIELD: _us(C_STORE_RQ),
        _MESSAGE_ID: _us(message_id),
        _PRIORITY: _us(priority),
        _DATASET_TYPE: _us(0x0001),
        _AFFECTED_INSTANCE: _even(sop_instance_uid.encode("ascii"), b"\0"),
    }
    if originator is not None:
        elements[_ORIGINATOR_TITLE] = _even(originator.title.encode("ascii"), b" ")
        elements[_ORIGINATOR_ID] = _us(originator.message_id)
    return write_elements(elements)


def write_event_report(
    message_id: int, sop_class_uid: str, sop_instance_uid: str, *, event_type: int
) -> bytes:
    """Return the command set of an N-EVENT-REPORT request with its data set (PS3.7 10.3.1.1)."""
    return write_elements(
        {
            _AFFECTED_CLASS: _even(sop_class_uid.encode("ascii"), b"\0"),
            _FIELD: _us(N_EVENT_REPORT_RQ),
            _MESSAGE_ID: _us(message_id),
            _DATASET_TYPE: _us(0x0001),
            _AFFECTED_INSTANCE: _even(sop_instance_uid.encode("ascii"), b"\0"),
            _EVENT_TYPE: _us(event_type),
        }
    )


def write_action_request(
    message_id: int, sop_class_uid: str, sop_instance_uid: str, *, action_type: int
) -> bytes:
    """Return the command set of an N-ACTION request with its data set (PS3.7 section 10.3.4.1)."""
    return write_elements(
        {
            _REQUESTED_CLASS: _even(sop_class_uid.encode("ascii"), b"\0"),
            _FIELD: _us(N_ACTION_RQ),
            _MESSAGE_ID: _us(message_id),
            _DATASET_TYPE: _us(0x0001),
            _REQUESTED_INSTANCE: _even(sop_instance_uid.encode("ascii"), b"\0"),
            _ACTION_TYPE: _us(action_type),
        }
    )


def write_find_request(message_id: int, sop_class_uid: str) -> bytes:
    """Return the command set of a C-FIND request of medium priority (PS3.7 section 9.3.2.1)."""
    return write_elements(
        {
            _AFFECTED_CLASS: _even(sop_class_uid.encode("ascii"), b"\0"),
            _FIELD: _us(C_FIND_RQ),
            _MESSAGE_ID: _us(message_id),
            _PRIORITY: _us(0),
            _DATASET_TYPE: _us(0x0001),
        }
    )


def write_retrieve_request(message_id: int, sop_class_uid: str, *, destination: str = "") -> bytes:
    """Return the command set of a C-MOVE to a destination, or of a C-GET without one.

    Both of low priority (PS3.7 sections 9.3.3.1 and 9.3.4.1): the peer's own readers come first.
    """
    elements = {
        _AFFECTED_CLASS: _even(sop_class_uid.encode("ascii"), b"\0"),
        _FIELD: _us(C_MOVE_RQ if destination else C_GET_RQ),
        _MESSAGE_ID: _us(message_id),
        _PRIORITY: _us(_LOW),
        _DATASET_TYPE: _us(0x0001),
    }
    if destination:
        elements[_DESTINATION] = _even(destination.encode("ascii"), b" ")
    return write_elements(elements)


def write_elements(elements: Mapping[int, bytes]) -> bytes:
    """Return the encoded command set of these elements, with its group length."""
    body = b"".join(_element(number, elements[number]) for number in sorted(elements))
    return _element(_GROUP_LENGTH, struct.pack("<L", len(body))) + body


def _element(number: int, value: bytes) -> bytes:
    return _HEAD.pack(0, number, len(value)) + value


def _us(value: int) -> bytes:
    return struct.pack("<H", value)


def _even(value: bytes, pad: bytes) -> bytes:
    return value + pad if len(value) % 2 else value
