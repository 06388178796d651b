"""The reply as its referrer reads it, and its PDF."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pypdf
import pytest

from casework.model import (
    Case,
    CaseDossier,
    CaseState,
    Patient,
    Priority,
    Referral,
    Report,
    Specialty,
)
from viewer.reply_view import Image, diagnoses_of, images_of, reply_as_of, reply_of
from viewer.report_pdf import render_report

SIGNED = datetime(2026, 11, 23, 9, 42, tzinfo=UTC)
FINDINGS = {
    "impression": "Suspected melanoma",
    "findings": "Asymmetric lesion, 7 x 5 mm.",
    "advice": "Excise with 2 mm margin.",
    "diagnoses": [
        {"text": "Melanoma", "code": "C43.5", "system": "ICD-10", "certainty": 4},
        {"text": "Naevus"},
    ],
    "urgency": "cancer-pathway",
    "safety_net": "It bleeds.",
    "measurements": [
        {"instance_uid": "1.2.3", "frame": 2, "label": "Longest", "value": 7.1, "unit": "mm"}
    ],
    "key_images": [{"instance_uid": "1.2.3", "frame": 2}, {"instance_uid": "1.2.4", "frame": 1}],
}


def report(version: int, kind: str = "original", **content: Any) -> Report:
    return Report(
        version=version,
        kind=kind,
        uid=f"2.25.{version}",
        content=content or FINDINGS,
        sha256="ab" * 32,
        signed_by="Dr. Elle Sárá",
        signed_by_id="user:4",
        signed_at=SIGNED + timedelta(hours=version),
    )


def dossier(*reports: Report, **changes: Any) -> CaseDossier:
    case = Case(
        id="7K3M-2QXF",
        state=CaseState.SIGNED,
        specialty=Specialty.DERMATOLOGY,
        priority=Priority.ROUTINE,
        site="fjord",
        site_name="Fjordgata legekontor",
        patient=Patient("13116900216", name="ŠÁRÁ^Elle", birth_date=date(1969, 11, 13), sex="F"),
        referral=Referral("Benign?", referrer="Dr. Ingrid Solbakken"),
        created_at=SIGNED - timedelta(days=1),
        version=4,
    )
    return CaseDossier(replace(case, **changes), reports=reports)


def text_of(pdf: bytes) -> str:
    pages = pypdf.PdfReader(io.BytesIO(pdf)).pages
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in pages))


def test_an_answer_when_nothing_is_signed_is_none() -> None:
    assert reply_of([]) is None


def test_an_addendum_stands_beside_the_answer() -> None:
    reply = reply_of([report(2, "addendum", impression="More"), report(1)])
    assert reply is not None
    assert reply.answer.version == 1
    assert [each.version for each in reply.addenda] == [2]
    assert reply.latest_at == SIGNED + timedelta(hours=2)


def test_a_correction_replaces_all_that_was_signed_before_it() -> None:
    reply = reply_of([report(1), report(2, "addendum"), report(3, "correction", impression="No")])
    assert reply is not None
    assert reply.answer.version == 3
    assert [each.version for each in reply.replaced] == [1, 2]
    assert not reply.is_urgent


def test_an_urgent_addendum_makes_the_reply_urgent() -> None:
    calm, urgent = {"impression": "Benign"}, {"impression": "No", "urgency": "priority"}
    reply = reply_of([report(1, **calm), report(2, "addendum", **urgent)])
    assert reply is not None
    assert reply.is_urgent


def test_a_reply_as_of_a_version_knows_nothing_later() -> None:
    first = report(1)
    reply = reply_as_of(dossier(first, report(2, "correction", impression="No")), first)
    assert reply is not None
    assert reply.answer is first


def test_each_image_is_named_once() -> None:
    assert images_of([report(1)]) == (Image("1.2.3", 2), Image("1.2.4", 1))


def test_a_diagnosis_may_leave_its_certainty_open() -> None:
    assert [each.certainty for each in diagnoses_of(FINDINGS)] == [4, None]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "en",
            ["Suspected cancer", "What to do", "Come back if", "Melanoma (ICD-10 C43.5), likely"],
        ),
        ("nb", ["Mistanke om kreft", "Hva som bør gjøres", "13. nov. 1969, kvinne", "sannsynlig"]),
    ],
)
def test_the_pdf_says_the_answer_in_the_language(language: str, expected: list[str]) -> None:
    signed = report(1)
    said = text_of(render_report(dossier(signed), signed, language=language))
    for text in [*expected, "Suspected melanoma", "Elle ŠÁRÁ", "7K3M-2QXF", "Dr. Elle Sárá"]:
        assert text in said


def test_the_same_report_gives_the_same_pdf() -> None:
    signed = report(1)
    first, second = (render_report(dossier(signed), signed, language="en") for _ in range(2))
    assert first == second


def test_a_short_report_fits_one_page_and_a_long_one_is_whole() -> None:
    short, long = report(1), report(1, impression="I " * 4000 + "end-of-it", findings="F " * 9000)
    one = render_report(dossier(short), short, language="en")
    many = render_report(dossier(long), long, language="en")
    assert len(pypdf.PdfReader(io.BytesIO(one)).pages) == 1
    assert len(pypdf.PdfReader(io.BytesIO(many)).pages) > 1
    assert "end-of-it" in text_of(many)


def test_markup_in_a_name_stays_text() -> None:
    named = dossier(report(1), patient=Patient("1", name="<b>Åse</b>^<script>"))
    said = text_of(render_report(named, report(1), language="en"))
    assert "<script> <b>Åse</b>" in said


def test_the_letters_of_northern_sami_are_there() -> None:
    letters = "áčđŋšŧž ÁČĐŊŠŦŽ"
    signed = report(1, impression=letters)
    assert letters in text_of(render_report(dossier(signed), signed, language="en"))
