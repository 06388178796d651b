"""Requests for commitment are read within bounds; reports are what another implementation reads."""

from __future__ import annotations

import contextlib
import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pynetdicom.dsutils import decode, encode

from casework.commitment import Failure, Reference
from casework.errors import Invalid, TooLarge
from pacs_bridge import commitment, dimse
from pacs_bridge.commitment import read_request, write_report
from pacs_bridge.syntaxes import (
    COMMITMENT,
    COMMITMENT_INSTANCE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    is_class_taken,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
SYNTAXES = pytest.mark.parametrize("syntax", [IMPLICIT_LE, EXPLICIT_LE])


def request(transaction: str = "1.2.9", *named: tuple[str, str]) -> Dataset:
    ds = Dataset()
    ds.TransactionUID = transaction
    ds.ReferencedSOPSequence = []
    for sop_class, instance in named:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
        ds.ReferencedSOPSequence.append(item)
    return ds


def encoded(ds: Dataset, syntax: str = IMPLICIT_LE) -> bytes:
    return encode(ds, syntax == IMPLICIT_LE, True) or b""


@SYNTAXES
def test_request_is_read_with_each_instance_once_in_its_order(syntax: str) -> None:
    ds = request("1.2.9", (CT, "1.2.3"), (CT, "1.2.1"), (CT, "1.2.3"), ("1.2.5", "1.2.3"))
    ds.StorageMediaFileSetID = "DISK1"

    read = read_request(encoded(ds, syntax), transfer_syntax=syntax)

    assert read.transaction_uid == "1.2.9"
    assert read.references == (
        Reference(CT, "1.2.3"), Reference(CT, "1.2.1"), Reference("1.2.5", "1.2.3")
    )  # fmt: skip


def test_sequence_of_undefined_length_is_read_too() -> None:
    ds = request("1.2.9", (CT, "1.2.3"))
    ds["ReferencedSOPSequence"].is_undefined_length = True
    ds.ReferencedSOPSequence[0].is_undefined_length_sequence_item = True

    assert len(read_request(encoded(ds), transfer_syntax=IMPLICIT_LE).references) == 1


@pytest.mark.parametrize(
    "ds",
    [
        Dataset(),
        request("1.2.9"),
        request("", (CT, "1.2.3")),
        request("1.2.9", (CT, "")),
        request("1.2.9", ("", "1.2.3")),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_request_without_what_it_must_have_is_refused(ds: Dataset) -> None:
    with pytest.raises(Invalid):
        read_request(encoded(ds), transfer_syntax=IMPLICIT_LE)


@pytest.mark.parametrize(
    "uid", [b"../../etc/passwd", b"1.2<b>", b"1" * 66, b"\xc3\xa5.2.3.", b"1.2\\1.3"]
)
def test_request_with_text_for_a_uid_is_refused(uid: bytes) -> None:
    good = encoded(request("1.2.9", (CT, "1.2.3")))
    padded = uid + b"\0" * (len(uid) % 2)
    element = struct.pack("<HHL", 0x0008, 0x1195, len(padded)) + padded

    with pytest.raises(Invalid):
        read_request(element + good[14:], transfer_syntax=IMPLICIT_LE)


def test_request_that_is_cut_off_is_refused_wherever_it_is_cut() -> None:
    good = encoded(request("1.2.9", (CT, "1.2.3"), (CT, "1.2.4")))

    for end in range(len(good)):
        with pytest.raises(Invalid):
            read_request(good[:end], transfer_syntax=IMPLICIT_LE)


def test_request_for_more_than_may_be_asked_at_once_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commitment, "MAX_REFERENCES", 2)
    ds = request("1.2.9", *((CT, f"1.2.{n}") for n in range(3)))

    with pytest.raises(TooLarge, match="in parts"):
        read_request(encoded(ds), transfer_syntax=IMPLICIT_LE)


@given(st.binary(max_size=400), st.sampled_from([IMPLICIT_LE, EXPLICIT_LE]))
def test_any_bytes_are_read_or_refused(data: bytes, syntax: str) -> None:
    with contextlib.suppress(Invalid):
        read_request(data, transfer_syntax=syntax)


@SYNTAXES
def test_report_of_full_success_is_of_type_1_and_names_every_instance(syntax: str) -> None:
    named = [Reference(CT, "1.2.3"), Reference(CT, "1.2.44")]

    kind, data = write_report("1.2.9", committed=named, failed=[], transfer_syntax=syntax)

    read = decode(BytesIO(data), syntax == IMPLICIT_LE, True)
    assert kind == 1
    assert read.TransactionUID == "1.2.9"
    assert [i.ReferencedSOPInstanceUID for i in read.ReferencedSOPSequence] == ["1.2.3", "1.2.44"]
    assert "FailedSOPSequence" not in read


@SYNTAXES
@pytest.mark.parametrize("committed", [[], [Reference(CT, "1.2.3")]])
def test_report_with_a_failure_is_of_type_2_and_gives_its_reason(
    syntax: str, committed: list[Reference]
) -> None:
    failed = [(Reference(CT, "1.2.44"), Failure.NO_SUCH_OBJECT)]

    kind, data = write_report("1.2.9", committed=committed, failed=failed, transfer_syntax=syntax)

    read = decode(BytesIO(data), syntax == IMPLICIT_LE, True)
    (item,) = read.FailedSOPSequence
    assert kind == 2
    assert (item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) == (CT, "1.2.44")
    assert item.FailureReason == 0x0112
    assert ("ReferencedSOPSequence" in read) == bool(committed)


def test_command_sets_of_the_service_are_read_and_written() -> None:
    written = dimse.write_event_report(7, COMMITMENT, COMMITMENT_INSTANCE, event_type=2)
    read = decode(BytesIO(written), True, True)
    assert (read.CommandField, read.MessageID, read.EventTypeID) == (0x0100, 7, 2)
    assert read.AffectedSOPClassUID == COMMITMENT
    assert read.AffectedSOPInstanceUID == COMMITMENT_INSTANCE
    assert read.CommandDataSetType != dimse.NO_DATASET
    assert dimse.read_command(written).event_type == 2

    action = Dataset()
    action.RequestedSOPClassUID, action.RequestedSOPInstanceUID = COMMITMENT, COMMITMENT_INSTANCE
    action.CommandField, action.MessageID, action.ActionTypeID = 0x0130, 9, 1
    action.CommandDataSetType = 1
    command = dimse.read_command(encoded(action))
    assert (command.field, command.action_type) == (dimse.N_ACTION_RQ, 1)
    answer = decode(BytesIO(dimse.write_response(command, 0x0000)), True, True)
    assert (answer.CommandField, answer.MessageIDBeingRespondedTo) == (0x8130, 9)
    assert answer.AffectedSOPClassUID == COMMITMENT
    assert answer.AffectedSOPInstanceUID == COMMITMENT_INSTANCE
    assert "RequestedSOPClassUID" not in answer
    assert dimse.read_command(dimse.write_response(command, 0x0112)).status == 0x0112


@pytest.mark.parametrize(
    ("uid", "taken"),
    [(CT, True), ("1.3.12.2.1107.5.9.1", True), ("1.2.999.1", True),
     ("1.2.840.10008.1.1", False), ("1.2.840.10008.5.1.4.38.1", False)],
)  # fmt: skip
def test_only_classes_of_the_standard_that_are_no_storage_are_ruled_out(
    uid: str, taken: bool
) -> None:
    assert is_class_taken(uid) is taken
