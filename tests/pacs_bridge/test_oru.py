"""A signed reply as ORU^R01: read by a strict parser, whole, and the same again when sent again."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hypothesis import given, settings
from hypothesis import strategies as st

from casework.model import (
    Case,
    CaseDossier,
    CaseState,
    Patient,
    Priority,
    Referral,
    Report,
    Specialty,
    StudyOfCase,
)
from pacs_bridge.hl7_text import Parsed, parse
from pacs_bridge.oru import Envelope, control_id, result

AT = datetime(2026, 3, 2, 9, 42, tzinfo=UTC)
PDF = b"%PDF-1.7 \xe5\n%%EOF\n"
SAID: dict[str, Any] = {
    "impression": "No melanoma.\nBenign naevus | harmless & small.",
    "findings": "Symmetric, 4 mm.",
    "advice": "Keep it.",
    "safety_net": "Come back if it bleeds.",
    "diagnoses": [{"text": "Naevus", "code": "D22.5", "system": "icd-10"}, {"text": "Other^one"}],
    "measurements": [{"kind": "length", "value": 4.1, "unit": "mm"}, {"kind": "angle"}],
}
ENVELOPE = Envelope("LYSBRO", "NORDLYS", "EPJ", "FJORDGATA")


def report(version: int = 1, kind: str = "original", **said: Any) -> Report:
    return Report(version, kind, "2.25.7", {**SAID, **said}, "0" * 64, "Dr Elle Sárá", "user:3", AT)


def dossier(patient: Patient | None = None) -> CaseDossier:
    who = patient or Patient("13116900216", "2.16.578.1.12.4.1.4.1", "ØVERÅS^KARI^B^DR^JR",
                             date(1969, 11, 13), "F")  # fmt: skip
    case = Case(
        "ABCD-EFGH", CaseState.SIGNED, Specialty.DERMATOLOGY, Priority.ROUTINE, "fjordgata",
        "Fjordgata legekontor", who, Referral("Is it?"), AT, 1, submitted_at=AT,
    )  # fmt: skip
    return CaseDossier(case, (StudyOfCase("1.2.840.99", "fjordgata"),))


def sent(*standing: Report, envelope: Envelope = ENVELOPE, pdf: bytes | None = None) -> Parsed:
    return parse(result(dossier(), standing, standing[-1], envelope, pdf=pdf))


def texts(message: Parsed, kind: str = "TX") -> list[str]:
    return [s.lines(5) for s in message.segments if s.name == "OBX" and s.text(2) == kind]


def test_a_strict_parser_takes_the_message_and_finds_the_parts() -> None:
    message = result(dossier(), [report()], report(), ENVELOPE, pdf=PDF)
    read = parse_message(message.decode(), validation_level=VALIDATION_LEVEL.STRICT)
    assert read.validate()
    head, patient, request = read.msh, read.oru_r01_patient_result, None
    assert head.msh_9.to_er7() == "ORU^R01^ORU_R01"
    group = patient.oru_r01_order_observation
    request = group.obr
    assert request.obr_3.to_er7() == "ABCD-EFGH^LYSBRO"
    assert request.obr_25.to_er7() == "F"
    assert patient.oru_r01_patient.pid.pid_5.to_er7() == "ØVERÅS^KARI^B^JR^DR"


def test_the_whole_reply_is_in_lines_of_text_codes_and_a_document() -> None:
    message = sent(report(), pdf=PDF)
    assert texts(message) == [
        "No melanoma.", "Benign naevus | harmless & small.", "Symmetric, 4 mm.", "Keep it.",
        "Come back if it bleeds.", "4.1 mm",
    ]  # fmt: skip
    coded = [s.raw(5) for s in message.segments if s.name == "OBX" and s.text(2) == "CE"]
    assert coded == ["D22.5^Naevus^I10", "^Other\\S\\one"]
    (study,) = texts(message, "ST")
    assert study == "1.2.840.99"
    (document,) = [s for s in message.segments if s.name == "OBX" and s.text(2) == "ED"]
    parts = document.raw(5).split("^")
    assert (len(parts), all(parts)) == (5, True)  # some refuse a document whose parts are empty
    assert base64.b64decode(parts[4]) == PDF
    numbers = [int(s.text(1)) for s in message.segments if s.name == "OBX"]
    assert numbers == list(range(1, len(numbers) + 1))


def test_measurements_are_said_with_their_names_and_what_they_rest_on() -> None:
    stats = {"mean": 43.2, "sd": 5.1, "min": 20.0, "max": 60.0, "unit": "HU"}
    marks = [
        {"kind": "ellipse", "value": 508.6, "unit": "mm²", "stats": stats, "label": "Cyst"},
        {"kind": "bidirectional", "value": 20.0, "unit": "mm", "stats": {"short": 9.5}},
        {"kind": "length", "value": 9.5, "unit": "mm", "calibration": "detector"},
        {"kind": "arrow", "value": None, "unit": "", "label": "edge"},
    ]
    for charset in ("utf-8", "8859/1"):
        message = sent(report(measurements=marks), envelope=replace(ENVELOPE, charset=charset))
        found = [
            (s.text(3, 2), s.lines(5)) for s in message.segments
            if s.name == "OBX" and s.text(3) == "MEASUREMENT"
        ]  # fmt: skip
        assert found == [
            ("Cyst", "mean 43.2 HU, SD 5.1, min 20, max 60; 508.6 mm²"),
            ("Long and short axis", "20.0 × 9.5 mm"),
            ("Length", "9.5 mm (at the detector, not in the patient)"),
        ]


def test_a_correction_and_an_addendum_are_sent_whole_under_the_same_number() -> None:
    first = report()
    corrected = report(2, "correction", impression="Melanoma in situ.")
    added = replace(report(2, "addendum", impression="Photograph again."), version=2)
    for message, impressions in (
        (sent(corrected), ["Melanoma in situ."]),
        (sent(first, added), ["No melanoma.", "Photograph again."]),
    ):
        order = message.first("OBR")
        assert order is not None
        assert (order.text(3), order.text(25)) == ("ABCD-EFGH", "C")
        assert {s.text(11) for s in message.segments if s.name == "OBX"} == {"C"}
        assert set(impressions) <= set(texts(message))


def test_the_same_version_is_the_same_message() -> None:
    assert result(dossier(), [report()], report(), ENVELOPE) == result(
        dossier(), [report()], report(), ENVELOPE
    )
    assert len(control_id("ABCD-EFGH", 10**9)) <= 20


def test_a_receiver_of_latin_1_gets_latin_1() -> None:
    message = result(dossier(), [report()], report(), replace(ENVELOPE, charset="8859/1"))
    assert b"\xd8VER\xc5S" in message
    assert parse(message).header.text(18) == "8859/1"


@pytest.mark.parametrize(
    ("patient", "number"),
    [
        (Patient("1", "2.16.578.1"), "1^^^&2.16.578.1&ISO"),
        (Patient("1", "HOSP^A"), "1^^^HOSP\\S\\A"),
        (Patient("A|1", ""), "A\\F\\1^^^fjordgata"),
    ],
)
def test_a_number_is_told_with_who_gave_it(patient: Patient, number: str) -> None:
    read = parse(result(dossier(patient), [report()], report(), ENVELOPE))
    told = read.first("PID")
    assert told is not None
    assert told.raw(3) == number


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=80))
def test_any_text_arrives_as_it_was_written(text: str) -> None:
    read = sent(report(impression=text, findings="", advice="", safety_net="", measurements=[]))
    lines = [line.strip() for line in text.strip().split("\n") if line.strip()]
    assert texts(read) == lines


def test_every_code_the_answers_and_the_suspicion_are_sent_too() -> None:
    codes = [{"system": "icd-10", "code": "C43.9"}, {"system": "icpc-2", "code": "S77"}]
    melanoma = {"text": "Melanoma", "system": "sct", "code": "93655004", "codes": codes}
    message = sent(report(diagnoses=[melanoma], described="To the eye: Uneven.", malignancy="high"))
    coded = [
        (s.raw(4), s.raw(5)) for s in message.segments if s.name == "OBX" and s.text(2) == "CE"
    ]
    assert coded == [
        ("1.1", "S77^Melanoma^ICPC2"),
        ("1.1.2", "C43.9^Melanoma^I10"),
        ("1.1.3", "93655004^Melanoma^SCT"),
    ]
    assert {"To the eye: Uneven.", "Høy mistanke om malignitet"} <= set(texts(message))
