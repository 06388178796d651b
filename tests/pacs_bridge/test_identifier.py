"""Identifiers: keys in, answers out, in the character set that holds them."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset
from pynetdicom.dsutils import decode, encode

from casework.errors import Invalid
from pacs_bridge.identifier import charset_terms_of, read_identifier, write_identifier
from pacs_bridge.syntaxes import EXPLICIT_LE, IMPLICIT_LE

JAPANESE = "Yamada^Tarou=山田^太郎=やまだ^たろう"
SYNTAXES = pytest.mark.parametrize("syntax", [IMPLICIT_LE, EXPLICIT_LE])


def query(**values: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def encoded(ds: Dataset, syntax: str) -> bytes:
    return encode(ds, syntax == IMPLICIT_LE, True) or b""


def decoded(data: bytes, syntax: str) -> Dataset:
    return decode(BytesIO(data), syntax == IMPLICIT_LE, True)


@SYNTAXES
def test_keys_are_read_with_the_empty_ones_and_sequences(syntax: str) -> None:
    item = query(ScheduledProcedureStepID="S1", Modality="")
    ds = query(
        SpecificCharacterSet="ISO_IR 100",
        QueryRetrieveLevel="STUDY",
        PatientName="Bjørn*",
        StudyDate="20260101-20260131",
        StudyInstanceUID=["1.2.3", "1.2.4"],
        ModalitiesInStudy="",
        Rows=512,
        RequestAttributesSequence=[item],
        ProcedureCodeSequence=[],
    )

    keys = read_identifier(encoded(ds, syntax), transfer_syntax=syntax)

    assert keys == {
        "SpecificCharacterSet": "ISO_IR 100",
        "QueryRetrieveLevel": "STUDY",
        "PatientName": "Bjørn*",
        "StudyDate": "20260101-20260131",
        "StudyInstanceUID": "1.2.3\\1.2.4",
        "ModalitiesInStudy": "",
        "Rows": "512",
        "RequestAttributesSequence": [{"ScheduledProcedureStepID": "S1", "Modality": ""}],
        "ProcedureCodeSequence": [],
    }
    assert charset_terms_of(keys) == ("ISO_IR 100",)


def test_private_elements_are_left_out() -> None:
    ds = query(QueryRetrieveLevel="STUDY")
    ds.add_new(0x00091001, "LO", "theirs")

    assert read_identifier(encoded(ds, EXPLICIT_LE), transfer_syntax=EXPLICIT_LE) == {
        "QueryRetrieveLevel": "STUDY"
    }


@pytest.mark.parametrize(
    ("syntax", "data"),
    [
        (EXPLICIT_LE, b"\x08\x00\x52\x00CS\xff\x00STUDY"),
        (IMPLICIT_LE, b"\x08\x00\x52\x00\xff\xff\x00\x00STUDY "),
        (IMPLICIT_LE, b"\x08\x00"),
    ],
)
def test_what_is_cut_off_is_refused(syntax: str, data: bytes) -> None:
    with pytest.raises(Invalid):
        read_identifier(data, transfer_syntax=syntax)


@SYNTAXES
def test_answer_reads_back_with_numbers_lists_and_sequences(syntax: str) -> None:
    values = {
        "StudyInstanceUID": "1.2.3",
        "ModalitiesInStudy": ["CT", "SR"],
        "NumberOfStudyRelatedInstances": 28,
        "Rows": 512,
        "SliceThickness": 2.5,
        "PatientName": "DOE^JOHN",
        "StudyDate": "",
        "RequestAttributesSequence": [{"RequestedProcedureID": "P1"}],
        "SpecificCharacterSet": "ISO_IR 101",
    }

    ds = decoded(write_identifier(values, transfer_syntax=syntax, charset_terms=()), syntax)

    assert ds.StudyInstanceUID == "1.2.3"
    assert list(ds.ModalitiesInStudy) == ["CT", "SR"]
    assert (ds.NumberOfStudyRelatedInstances, ds.Rows) == (28, 512)
    assert float(ds.SliceThickness) == 2.5
    assert ds.StudyDate == ""
    assert ds.RequestAttributesSequence[0].RequestedProcedureID == "P1"
    assert "SpecificCharacterSet" not in ds  # nothing outside the default repertoire


@pytest.mark.parametrize(
    ("terms", "name", "expected"),
    [
        (("ISO_IR 100",), "Bjørnson^Åse", "ISO_IR 100"),
        (("ISO_IR 192",), "Bjørnson^Åse", "ISO_IR 192"),
        ((), "Bjørnson^Åse", "ISO_IR 192"),
        (("ISO_IR 6",), "Bjørnson^Åse", "ISO_IR 192"),
        (("LATIN1",), "Bjørnson^Åse", "ISO_IR 192"),
        (("ISO_IR 100",), "Máhtte^Šuoŋŋá", "ISO_IR 192"),
        (("ISO_IR 110",), "Máhtte^Šuoŋŋá", "ISO_IR 110"),
        (("ISO_IR 144",), "Люкceмбypг", "ISO_IR 144"),
        (("ISO_IR 126",), "Διονυσιος", "ISO_IR 126"),
        (("ISO_IR 126",), "Люкceмбypг", "ISO_IR 192"),
        (("ISO_IR 13",), "ﾔﾏﾀﾞ^ﾀﾛｳ", "ISO_IR 13"),
        (("ISO_IR 13",), "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎", "ISO_IR 192"),
        (("", "ISO 2022 IR 87"), JAPANESE, ["", "ISO 2022 IR 87"]),
        (("", "ISO 2022 IR 87"), "山¥^太郎", "ISO_IR 192"),
        (
            ("ISO 2022 IR 13", "ISO 2022 IR 87"),
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
            ["ISO 2022 IR 13", "ISO 2022 IR 87"],
        ),
        (("", "ISO 2022 IR 149"), "Hong^Gildong=洪^吉洞=홍^길동", ["", "ISO 2022 IR 149"]),
        (("GB18030",), "Wang^XiaoDong=王^小东", "GB18030"),
        (
            ("ISO 2022 IR 100", "ISO 2022 IR 144"),
            "Bjørn Люк Åse^Ола",
            ["ISO 2022 IR 100", "ISO 2022 IR 144"],
        ),
        (("ISO 2022 IR 100", "ISO 2022 IR 144"), "Bjørn^山田", "ISO_IR 192"),
    ],
)
def test_answer_is_in_the_requesters_character_set_where_that_holds_it(
    terms: tuple[str, ...], name: str, expected: str | list[str]
) -> None:
    data = write_identifier({"PatientName": name}, transfer_syntax=EXPLICIT_LE, charset_terms=terms)

    ds = decoded(data, EXPLICIT_LE)
    assert ds.SpecificCharacterSet == expected
    assert str(ds.PatientName) == name
