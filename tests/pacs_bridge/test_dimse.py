"""Command sets: what is written can be read, and what is no command set is refused."""

from __future__ import annotations

import contextlib
import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.dsutils import decode

from casework.errors import Invalid
from pacs_bridge import dimse

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
