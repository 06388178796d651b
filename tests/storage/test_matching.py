"""Attribute matching (PS3.4 C.2.2.2): one table of cases, asked of Python and of SQL alike."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import literal, select

from casework.errors import Invalid
from storage.database import Database
from storage.folding import fold_name, normal_date, normal_date_time, normal_time
from storage.matching import criterion, vr_of

CASES: list[tuple[str, str, Any, bool]] = [
    # keyword, query, stored, matches
    # single value: case counts, padding does not
    ("AccessionNumber", "A1", "A1", True),
    ("AccessionNumber", "a1", "A1", False),
    ("AccessionNumber", "A1 ", "A1", True),
    ("AccessionNumber", "A1", "A12", False),
    ("AccessionNumber", "A1", "", False),
    ("PatientID", "0123", "123", False),
    ("StudyDescription", "CT [thorax]", "CT [thorax]", True),
    # universal
    ("AccessionNumber", "", "A1", True),
    ("AccessionNumber", "", "", True),
    ("AccessionNumber", "*", "", True),
    ("AccessionNumber", "**", "A1", True),
    ("PatientName", "*", "", True),
    # wildcards, and what means something to LIKE only
    ("AccessionNumber", "A*", "A1", True),
    ("AccessionNumber", "A*", "A", True),
    ("AccessionNumber", "A?", "A", False),
    ("AccessionNumber", "A?", "A1", True),
    ("AccessionNumber", "a*", "A1", False),
    ("AccessionNumber", "*1", "A1", True),
    ("AccessionNumber", "?*", "", False),
    ("PatientID", "_123*", "1123", False),
    ("PatientID", "_123*", "_123", True),
    ("PatientID", "%123*", "1123", False),
    ("PatientID", "%*", "%123", True),
    ("PatientID", "%", "1123", False),
    ("PatientID", "_123", "1123", False),
    ("StudyDescription", "[ab]*", "a", False),
    ("StudyDescription", "[ab]*", "[ab]c", True),
    ("StudyDescription", "x!*", "x!y", True),
    ("Modality", "C?", "CT", True),
    # a backslash parts values
    ("Modality", "CT\\MR", "MR", True),
    ("Modality", "CT\\MR", "US", False),
    ("Modality", "C*\\MR", "CR", True),
    ("AccessionNumber", "A1\\B*", "B2", True),
    # UIDs: a list, never wildcards
    ("StudyInstanceUID", "1.2.3", "1.2.3", True),
    ("StudyInstanceUID", "1.2.3\\1.2.4", "1.2.4", True),
    ("StudyInstanceUID", "1.2.3\\1.2.4", "1.2.5", False),
    ("StudyInstanceUID", "1.2.*", "1.2.3", False),
    ("StudyInstanceUID", "1.2.3\0", "1.2.3", True),
    # dates
    ("StudyDate", "20250301", "20250301", True),
    ("StudyDate", "20250301", "2025.03.01", True),
    ("StudyDate", "20250301", "20250302", False),
    ("StudyDate", "20250301-20250331", "20250301", True),
    ("StudyDate", "20250301-20250331", "20250331", True),
    ("StudyDate", "20250301-20250331", "20250401", False),
    ("StudyDate", "20250301-", "20260101", True),
    ("StudyDate", "20250301-", "20250228", False),
    ("StudyDate", "-20250301", "20250301", True),
    ("StudyDate", "-20250301", "", False),
    ("StudyDate", "20250301-", "", False),
    ("StudyDate", "", "", True),
    # times: a shorter one means all of its moments
    ("StudyTime", "101530", "101530", True),
    ("StudyTime", "101530", "101530.25", True),
    ("StudyTime", "1015", "101559.999999", True),
    ("StudyTime", "1015", "1016", False),
    ("StudyTime", "10", "1015", True),
    ("StudyTime", "10:15", "101500", True),
    ("StudyTime", "1000-1200", "120030", True),
    ("StudyTime", "1000-1200", "120100", False),
    ("StudyTime", "1000-", "2359", True),
    ("StudyTime", "-1000", "100059", True),
    ("StudyTime", "2200-0200", "2300", False),  # a range does not cross midnight
    ("AcquisitionDateTime", "20250301", "20250301101530.5", True),
    ("AcquisitionDateTime", "20250301-20250302", "20250302235959", True),
    ("AcquisitionDateTime", "20250301-20250302", "20250303", False),
    ("AcquisitionDateTime", "202503-", "20250301101530+0100", True),
    ("AcquisitionDateTime", "20250301101530-0500", "20250301101530-0500", True),
    # names: case, accents, groups, trailing delimiters
    ("PatientName", "ness^kari", "NESS^KARI", True),
    ("PatientName", "NESS", "NESS^KARI", False),
    ("PatientName", "NESS*", "Ness^Kari", True),
    ("PatientName", "NESS^*", "Ness^Kari", True),
    ("PatientName", "NESS^*", "Ness", True),
    ("PatientName", "N?SS^*", "Ness", True),
    ("PatientName", "NESS^*", "Nesset^Kari", False),
    ("PatientName", "NESS^KARI^^", "NESS^KARI", True),
    ("PatientName", "NESS^KARI", "NESS^KARI^^^", True),
    ("PatientName", "bjorn*", "BJØRN^ÅSE", True),
    ("PatientName", "Bjørn^Åse", "BJORN^ASE", True),
    ("PatientName", "AERLIG*", "Ærlig^Per", True),
    ("PatientName", "muller*", "Müller^Ida", True),
    ("PatientName", "strasse*", "Straße^Ida", True),
    ("PatientName", "Yamada^Tarou", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
    ("PatientName", "山田*", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
    ("PatientName", "やまだ^たろう", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
    ("PatientName", "Yamada*=山田*", "Yamada^Tarou=山田^太郎", True),
    ("PatientName", "Yamada*=鈴木*", "Yamada^Tarou=山田^太郎", False),
    ("PatientName", "=山田*", "Yamada^Tarou=山田^太郎", True),
    ("PatientName", "=Yamada*", "Yamada^Tarou=山田^太郎", False),
    ("PatientName", "NE_S*", "NESS^KARI", False),
    ("PatientName", "^", "NESS^KARI", True),
    # numbers
    ("InstanceNumber", "7", 7, True),
    ("InstanceNumber", "007", 7, True),
    ("InstanceNumber", "7", 8, False),
    ("InstanceNumber", "7\\8", 8, True),
    ("Rows", "512", 512, True),
]

FUZZY = [
    ("kari", "NESS^KARI", True),
    ("kar nes", "NESS^KARI", True),
    ("ness, kari", "NESS^KARI", True),
    ("ari", "NESS^KARI", False),
    ("kari per", "NESS^KARI", False),
    ("anne", "NESS^KARI-ANNE", True),
    ("moe", "NESS MOE^KARI", True),
    ("bjor*", "ÅS^BJØRN", True),
    ("100%", "NESS^KARI", False),
    ("太郎", "Yamada^Tarou=山田^太郎", True),
    ("tarou 太郎", "Yamada^Tarou=山田^太郎", False),
]


def _stored_columns(keyword: str, stored: Any) -> tuple[Any, ...]:
    """Return a stored value in the form in which the index keeps it in columns."""
    normal = {"DA": normal_date, "TM": normal_time, "DT": normal_date_time, "PN": fold_name}
    convert = normal.get(vr_of(keyword), lambda value: value)
    converted = convert(stored)
    return converted if isinstance(converted, tuple) else (converted,)


def _in_sql(database: Database, keyword: str, query: str, stored: Any, *, fuzzy: bool) -> bool:
    wanted = criterion(keyword, query, fuzzy=fuzzy)
    if wanted is None:
        return True
    columns = [literal(value) for value in _stored_columns(keyword, stored)]
    with database.read() as conn:
        return conn.execute(select(literal(1)).where(wanted.clause(*columns))).first() is not None


def _in_python(keyword: str, query: str, stored: Any, *, fuzzy: bool) -> bool:
    wanted = criterion(keyword, query, fuzzy=fuzzy)
    return wanted is None or wanted.covers(stored)


def test_each_key_matches_as_the_standard_says(database: Database) -> None:
    wrong = [
        (keyword, query, stored, expected, where)
        for keyword, query, stored, expected in CASES
        for where, found in (
            ("sql", _in_sql(database, keyword, query, stored, fuzzy=False)),
            ("python", _in_python(keyword, query, stored, fuzzy=False)),
        )
        if found is not expected
    ]
    assert wrong == []


def test_fuzzy_names_match_by_the_beginnings_of_words(database: Database) -> None:
    wrong = [
        (query, stored, expected, where)
        for query, stored, expected in FUZZY
        for where, found in (
            ("sql", _in_sql(database, "PatientName", query, stored, fuzzy=True)),
            ("python", _in_python("PatientName", query, stored, fuzzy=True)),
        )
        if found is not expected
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("keyword", "query"),
    [
        ("StudyDate", "yesterday"),
        ("StudyDate", "-"),
        ("StudyDate", "20250301-x"),
        ("StudyDate", "2025"),
        ("StudyTime", "1015-1"),
        ("InstanceNumber", "seven"),
        ("InstanceNumber", "9" * 400),
        ("Rows", "nan"),
        ("AccessionNumber", "A" * 20_000),
    ],
)
def test_a_key_that_is_no_value_of_its_type_is_refused(keyword: str, query: str) -> None:
    with pytest.raises(Invalid, match=keyword):
        criterion(keyword, query)


def test_a_sequence_matches_when_one_item_does() -> None:
    stored = [
        {"ScheduledProcedureStepID": "S1", "RequestedProcedureID": "R1"},
        {"ScheduledProcedureStepID": "S2", "RequestedProcedureID": "R2"},
    ]

    def matches(**item: str) -> bool:
        wanted = criterion("RequestAttributesSequence", [item])
        return wanted is None or wanted.covers(stored)

    assert matches(ScheduledProcedureStepID="S2")
    assert matches(ScheduledProcedureStepID="S*", RequestedProcedureID="R1")
    assert not matches(ScheduledProcedureStepID="S2", RequestedProcedureID="R1")
    assert matches(ScheduledProcedureStepID="")
    assert criterion("RequestAttributesSequence", []) is None


def test_one_of_several_stored_values_is_enough() -> None:
    wanted = criterion("ImageType", "LOCALIZER")
    assert wanted is not None
    assert wanted.covers(["ORIGINAL", "PRIMARY", "LOCALIZER"])
    assert not wanted.covers(["ORIGINAL", "PRIMARY"])
    assert not wanted.covers(None)


_TEXT = st.text(alphabet="aAbÅø%_\\*?[]^ -é山", max_size=6)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(query=_TEXT, stored=_TEXT)
def test_sql_and_python_say_the_same_of_any_text(
    migrated: Database, query: str, stored: str
) -> None:
    stored = stored.strip(" ")
    with migrated.read() as conn:
        for keyword in ("AccessionNumber", "PatientName"):
            for fuzzy in (False, True):
                wanted = criterion(keyword, query, fuzzy=fuzzy)
                if wanted is None:
                    continue
                if keyword == "AccessionNumber" and "\\" in stored:
                    continue  # a stored value of this VR has no backslash
                columns = [literal(v) for v in _stored_columns(keyword, stored)]
                row = conn.execute(select(literal(1)).where(wanted.clause(*columns))).first()
                assert (row is not None) == wanted.covers(stored), (keyword, query, stored)
