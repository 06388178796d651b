"""File meta information: ours is what the standard asks, theirs is read with patience."""

from __future__ import annotations

import io
import struct

import pydicom
import pytest

from casework.errors import Invalid
from storage.part10 import (
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    BytesSource,
    build_file_meta,
    read_file_meta,
)
from tests.storage.building import CT, dataset, element


def file_of(group: bytes, content: bytes) -> bytes:
    return bytes(128) + b"DICM" + group + content


def test_our_file_meta_is_read_by_others() -> None:
    meta = build_file_meta(
        sop_class_uid=CT,
        sop_instance_uid="1.2.3.4",
        transfer_syntax_uid=EXPLICIT_LE,
        source_ae="ÆØ",
    )
    ds = pydicom.dcmread(io.BytesIO(meta + dataset()))
    assert ds.file_meta.MediaStorageSOPInstanceUID == "1.2.3.4"
    assert ds.file_meta.MediaStorageSOPClassUID == CT
    assert ds.file_meta.TransferSyntaxUID == EXPLICIT_LE
    assert ds.file_meta.ImplementationVersionName == "LYSBRO_1"
    assert ds.PatientID == "12345"
    told = read_file_meta(BytesSource(meta + dataset()))
    assert (told.sop_instance_uid, told.dataset_offset) == ("1.2.3.4", len(meta))


@pytest.mark.parametrize(
    ("content", "syntax"),
    [
        (dataset(), EXPLICIT_LE),
        (dataset(implicit=True), IMPLICIT_LE),
        (dataset(big=True), EXPLICIT_BE),
        (b"", IMPLICIT_LE),
    ],
)
def test_a_missing_transfer_syntax_is_told_from_the_first_element(
    content: bytes, syntax: str
) -> None:
    group = element(0x00020003, "UI", "1.2.3.4")
    told = read_file_meta(BytesSource(file_of(group, content)))
    assert told.transfer_syntax_uid == syntax
    assert told.dataset_offset == 132 + len(group)


def test_a_wrong_group_length_and_implicit_elements_are_borne() -> None:
    group = (
        element(0x00020000, "UL", struct.pack("<L", 7))
        + element(0x00020002, "UI", CT, implicit=True)
        + element(0x00020010, "UI", EXPLICIT_LE)
    )
    told = read_file_meta(BytesSource(file_of(group, dataset())))
    assert (told.sop_class_uid, told.transfer_syntax_uid) == (CT, EXPLICIT_LE)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "bad-structure"),
        (bytes(200), "bad-structure"),
        (file_of(element(0x00020010, "UI", "", length=500), b""), "truncated"),
    ],
)
def test_what_is_no_part_10_file_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_file_meta(BytesSource(data))
    assert caught.value.code == code
