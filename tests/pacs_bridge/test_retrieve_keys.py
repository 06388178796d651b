"""Identifiers of retrieves: which keys they need at which level, and the list of what failed."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset
from pynetdicom.dsutils import decode

from casework.errors import Invalid
from pacs_bridge.identifier import write_identifier
from pacs_bridge.retrieve_keys import read_selection, write_failed
from pacs_bridge.syntaxes import (
    EXPLICIT_LE,
    IMPLICIT_LE,
    PATIENT_ROOT_GET,
    PATIENT_ROOT_MOVE,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
)
from storage.selection import Selection


def read(model: str, *, relational: bool = False, **keys: Any) -> tuple[str, Selection]:
    encoded = write_identifier(keys, transfer_syntax=EXPLICIT_LE, charset_terms=())
    return read_selection(
        encoded, transfer_syntax=EXPLICIT_LE, sop_class=model, is_relational=relational
    )


LEVEL = "QueryRetrieveLevel"
PATIENT, STUDY = {"PatientID": "p 1"}, {"StudyInstanceUID": "1.2"}
SERIES, IMAGE = {"SeriesInstanceUID": "1.3"}, {"SOPInstanceUID": "1.4"}
TWO = "1.5\\1.6"


@pytest.mark.parametrize("model", [PATIENT_ROOT_MOVE, PATIENT_ROOT_GET])
@pytest.mark.parametrize(
    ("level", "keys", "wanted"),
    [
        ("PATIENT", PATIENT, Selection("p 1")),
        ("PATIENT", PATIENT | {"IssuerOfPatientID": "A"}, Selection("p 1", "A")),
        ("STUDY", PATIENT | STUDY, Selection("p 1", "", ("1.2",))),
        ("STUDY", PATIENT | {"StudyInstanceUID": TWO}, Selection("p 1", "", ("1.5", "1.6"))),
        ("SERIES", PATIENT | STUDY | SERIES, Selection("p 1", "", ("1.2",), ("1.3",))),
        (
            "IMAGE",
            PATIENT | STUDY | SERIES | {"SOPInstanceUID": TWO},
            Selection("p 1", "", ("1.2",), ("1.3",), ("1.5", "1.6")),
        ),
        ("STUDY", PATIENT | STUDY | {"SeriesInstanceUID": ""}, Selection("p 1", "", ("1.2",))),
    ],
)
def test_unique_keys_down_to_the_level_say_what_is_wanted(
    model: str, level: str, keys: dict[str, str], wanted: Selection
) -> None:
    assert read(model, **{LEVEL: level}, **keys) == (level, wanted)


@pytest.mark.parametrize("model", [STUDY_ROOT_MOVE, STUDY_ROOT_GET])
def test_patient_number_is_no_key_of_the_study_root(model: str) -> None:
    found = read(model, **{LEVEL: "STUDY"}, **STUDY, **PATIENT, StudyDate="20260101")

    assert found == ("STUDY", Selection(study_uids=("1.2",)))


@pytest.mark.parametrize("relational", [False, True])
@pytest.mark.parametrize(
    ("model", "keys"),
    [
        (STUDY_ROOT_MOVE, STUDY),
        (STUDY_ROOT_MOVE, {LEVEL: "FRAME"} | STUDY),
        (STUDY_ROOT_MOVE, {LEVEL: "PATIENT"} | PATIENT),
        (STUDY_ROOT_MOVE, {LEVEL: "STUDY"}),
        (STUDY_ROOT_MOVE, {LEVEL: "STUDY", "StudyInstanceUID": "1.2.*"}),
        (STUDY_ROOT_MOVE, {LEVEL: "STUDY", "StudyInstanceUID": "../1"}),
        (STUDY_ROOT_MOVE, {LEVEL: "STUDY", "StudyInstanceUID": "1" * 65}),
        (STUDY_ROOT_MOVE, {LEVEL: "STUDY"} | STUDY | SERIES),
        (PATIENT_ROOT_MOVE, {LEVEL: "PATIENT"} | PATIENT | STUDY),
        (PATIENT_ROOT_MOVE, {LEVEL: "PATIENT", "PatientID": "*"}),
        (PATIENT_ROOT_MOVE, {LEVEL: "PATIENT", "PatientID": "a\\b"}),
        (PATIENT_ROOT_MOVE, {LEVEL: "PATIENT", "PatientID": " "}),
    ],
)
def test_what_names_nothing_or_too_much_is_refused(
    model: str, keys: dict[str, str], relational: bool
) -> None:
    with pytest.raises(Invalid) as refused:
        read(model, relational=relational, **keys)

    assert refused.value.code == "bad-identifier"


@pytest.mark.parametrize(
    ("model", "keys"),
    [
        (PATIENT_ROOT_MOVE, {LEVEL: "STUDY"} | STUDY),
        (STUDY_ROOT_MOVE, {LEVEL: "SERIES"} | SERIES),
        (STUDY_ROOT_MOVE, {LEVEL: "IMAGE"} | SERIES | IMAGE),
        (STUDY_ROOT_MOVE, {LEVEL: "SERIES", "StudyInstanceUID": TWO} | SERIES),
    ],
)
def test_higher_keys_may_be_left_out_when_it_is_relational(
    model: str, keys: dict[str, str]
) -> None:
    with pytest.raises(Invalid):
        read(model, **keys)

    _, wanted = read(model, relational=True, **keys)
    assert not wanted.is_empty


@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE])
@pytest.mark.parametrize("count", [0, 1, 2, 5000])
def test_list_of_what_failed_is_read_back_whole(syntax: str, count: int) -> None:
    uids = [f"1.2.840.99999.{n}" for n in range(count)]

    encoded = write_failed(uids, transfer_syntax=syntax)

    if not uids:
        assert encoded == b""
        return
    found: Dataset = decode(BytesIO(encoded), syntax == IMPLICIT_LE, True)
    value = found[0x00080058].value
    if isinstance(value, bytes):
        value = value.decode().rstrip("\0").split("\\")
    assert [value] == uids if count == 1 else list(value) == uids
