"""Command sets: what is written can be read, and what is no command set is refused."""

from __future__ import annotations

import contextlib
import struct
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom import dimse_messages, dimse_primitives
from pynetdicom.dsutils import decode

from casework.errors import Invalid
from pacs_bridge import dimse
from tests.pacs_bridge.pdus import uids

CT = "1.2.840.10008.5.1.4.1.1.2"


def test_store_request_reads_back() -> None:
    command = dimse.read_command(dimse.write_store_request(7, CT, "1.2.3"))

    assert (command.field, command.message_id) == (dimse.C_STORE_RQ, 7)
    assert command.has_dataset
    assert (command.affected_class, command.affected_instance) == (CT, "1.2.3")


def test_store_request_is_a_command_set_to_another_implementation() -> None:
    read = decode(BytesIO(dimse.write_store_request(7, CT, "1.2.33")), True, True)

    assert read.CommandField == 1
    assert read.AffectedSOPClassUID == CT
    assert read.AffectedSOPInstanceUID == "1.2.33"
    assert read.Priority == 0


def test_response_answers_the_request_and_says_why() -> None:
    request = dimse.read_command(dimse.write_store_request(7, CT, "1.2.3"))

    read = decode(BytesIO(dimse.write_response(request, 0xA700, comment="full")), True, True)

    assert read.CommandField == dimse.C_STORE_RSP
    assert read.MessageIDBeingRespondedTo == 7
    assert (read.Status, read.ErrorComment) == (0xA700, "full")
    assert read.CommandDataSetType == dimse.NO_DATASET
    assert (read.AffectedSOPClassUID, read.AffectedSOPInstanceUID) == (CT, "1.2.3")


@pytest.mark.parametrize("uid", ["../../etc", "1.2\0.3", "1" * 65, "1.2<b>", "\xb2.3"])
def test_response_does_not_echo_a_malformed_uid(uid: str) -> None:
    request = dimse.Command(
        {0x0100: b"\x01\0", 0x0110: b"\x07\0", 0x0800: b"\x01\0", 0x1000: uid.encode("latin-1")}
    )

    read = decode(BytesIO(dimse.write_response(request, 0x0117)), True, True)

    assert "AffectedSOPInstanceUID" not in read


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\0\0\0\1",
        b"\0\0\0\1\xff\xff\xff\x7f",
        b"\x08\0\x16\0\2\0\0\0ab",  # an element of group 0008
        struct.pack("<HHLH", 0, 0x0100, 2, 1),  # no data set type
        b"".join(struct.pack("<HHL", 0, n, 0) for n in range(200)),
    ],
)
def test_what_is_no_command_set_is_refused(encoded: bytes) -> None:
    with pytest.raises(Invalid, match=r"command set|element"):
        dimse.read_command(encoded)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_command_set_or_refused(encoded: bytes) -> None:
    with contextlib.suppress(Invalid):
        assert dimse.read_command(encoded).field >= 0


numbers = st.integers(0, 0xFFFF)
statuses = st.sampled_from((0x0000, 0x0110, 0x0117, 0x0122, 0xA700, 0xA900, 0xB007, 0xC000, 0xC001))
comments = st.text(
    st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\"), max_size=64
).filter(lambda text: text == text.strip())


def encoded_by_theirs(primitive: Any, kind: type) -> bytes:
    """Return the command set that pynetdicom makes of a primitive."""
    message = kind()
    message.primitive_to_message(primitive)
    pieces = [
        value[1:]
        for pdata in message.encode_msg(1, 16382)
        for _, value in pdata.presentation_data_value_list
        if value[0] & 1
    ]
    return b"".join(pieces)


def read_by_theirs(encoded: bytes) -> Any:
    """Return the primitive that pynetdicom reads out of a command set."""
    kinds = {
        dimse.C_STORE_RQ: dimse_messages.C_STORE_RQ,
        dimse.C_STORE_RSP: dimse_messages.C_STORE_RSP,
        dimse.C_FIND_RSP: dimse_messages.C_FIND_RSP,
        dimse.C_ECHO_RSP: dimse_messages.C_ECHO_RSP,
    }
    command_set = decode(BytesIO(encoded), True, True)
    message = kinds[command_set.CommandField]()
    message.command_set = command_set
    return message.message_to_primitive()


def store_of(message_id: int, sop_class: str, instance: str) -> dimse_primitives.C_STORE:
    primitive = dimse_primitives.C_STORE()
    primitive.MessageID, primitive.Priority = message_id, 0
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = sop_class, instance
    primitive.DataSet = BytesIO(b"data")
    return primitive


@given(numbers, uids, uids)
@settings(deadline=None)
def test_store_request_is_the_same_both_ways(message_id: int, sop_class: str, uid: str) -> None:
    ours = dimse.write_store_request(message_id, sop_class, uid)
    theirs = encoded_by_theirs(store_of(message_id, sop_class, uid), dimse_messages.C_STORE_RQ)

    assert ours == theirs
    read = read_by_theirs(ours)
    assert (read.MessageID, read.AffectedSOPClassUID, read.AffectedSOPInstanceUID) == (
        message_id, sop_class, uid,
    )  # fmt: skip
    command = dimse.read_command(theirs)
    assert (command.message_id, command.affected_class, command.affected_instance) == (
        message_id, sop_class, uid,
    )  # fmt: skip
    assert command.has_dataset


@given(numbers, uids, uids, statuses, comments)
@settings(deadline=None)
def test_store_response_is_read_the_same_by_another_implementation(
    message_id: int, sop_class: str, uid: str, status: int, comment: str
) -> None:
    request = dimse.read_command(dimse.write_store_request(message_id, sop_class, uid))

    read = read_by_theirs(dimse.write_response(request, status, comment=comment))

    assert read.MessageIDBeingRespondedTo == message_id
    assert (read.AffectedSOPClassUID, read.AffectedSOPInstanceUID) == (sop_class, uid)
    assert read.Status == status
    assert (read.ErrorComment or "") == comment


@given(numbers, uids, st.booleans())
@settings(deadline=None)
def test_query_and_echo_of_another_implementation_are_read_and_answered(
    message_id: int, sop_class: str, is_query: bool
) -> None:
    primitive: Any = dimse_primitives.C_FIND() if is_query else dimse_primitives.C_ECHO()
    primitive.MessageID, primitive.AffectedSOPClassUID = message_id, sop_class
    kind = dimse_messages.C_ECHO_RQ
    if is_query:
        primitive.Priority, primitive.Identifier = 2, BytesIO(b"identifier")
        kind = dimse_messages.C_FIND_RQ

    command = dimse.read_command(encoded_by_theirs(primitive, kind))

    assert command.field == (dimse.C_FIND_RQ if is_query else dimse.C_ECHO_RQ)
    assert (command.message_id, command.affected_class) == (message_id, sop_class)
    assert command.has_dataset is is_query
    answer = dimse.write_response(command, 0xFF00 if is_query else 0, with_dataset=is_query)
    read = read_by_theirs(answer)
    assert (read.MessageIDBeingRespondedTo, read.AffectedSOPClassUID) == (message_id, sop_class)
    assert dimse.read_command(answer).has_dataset is is_query


@given(numbers)
def test_cancel_of_another_implementation_is_read(message_id: int) -> None:
    primitive = dimse_primitives.C_CANCEL()
    primitive.MessageIDBeingRespondedTo = message_id

    command = dimse.read_command(encoded_by_theirs(primitive, dimse_messages.C_CANCEL_RQ))

    assert (command.field, command.responded_to) == (dimse.C_CANCEL_RQ, message_id)


@pytest.mark.parametrize("extra", ["", "AffectedSOPInstanceUID"])
def test_request_of_a_named_instance_is_read_by_what_it_requests(extra: str) -> None:
    primitive = dimse_primitives.N_ACTION()
    primitive.MessageID, primitive.ActionTypeID = 3, 1
    primitive.RequestedSOPClassUID = "1.2.840.10008.1.20.1"
    primitive.RequestedSOPInstanceUID = "1.2.840.10008.1.20.1.1"
    primitive.ActionInformation = BytesIO(b"what")

    encoded = encoded_by_theirs(primitive, dimse_messages.N_ACTION_RQ)
    elements = dict(dimse.read_command(encoded).elements)
    if extra:
        elements[0x1000] = b"1.2.3\0"
    command = dimse.Command(elements)

    assert command.affected_class == "1.2.840.10008.1.20.1"
    assert command.affected_instance == ("1.2.3" if extra else "1.2.840.10008.1.20.1.1")


def test_every_cut_of_a_command_set_is_refused_or_a_shorter_one() -> None:
    encoded = dimse.write_store_request(7, CT, "1.2.3")
    whole = dimse.read_command(encoded)
    for length in range(len(encoded)):
        with contextlib.suppress(Invalid):
            assert dimse.read_command(encoded[:length]) != whole


@given(st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=40), max_size=20))
def test_elements_are_read_as_they_were_written(elements: dict[int, bytes]) -> None:
    elements |= {0x0100: b"\1\0", 0x0800: b"\1\1"}
    elements.pop(0, None)

    read = dimse.read_command(dimse.write_elements(elements))

    assert {number: read.elements[number] for number in elements} == elements
