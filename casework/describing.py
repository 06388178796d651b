"""Gives findings the words that follow from their answers, so that nothing is signed unsaid.

The answers to a template become `described`; an interval without a text becomes the follow-up's.
Every rendering of a reply shows these texts. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from casework.errors import Invalid
from casework.templates import Template, Words, read_answers, text_of

_UNITS: Mapping[str, tuple[Words, Words]] = {
    "D": (Words("1 day", "1 dag"), Words("{n} days", "{n} dager")),
    "W": (Words("1 week", "1 uke"), Words("{n} weeks", "{n} uker")),
    "M": (Words("1 month", "1 måned"), Words("{n} months", "{n} måneder")),
    "Y": (Words("1 year", "1 år"), Words("{n} years", "{n} år")),
}
_CHECK = Words("Check in {span}.", "Kontroll om {span}.")
_SUSPICION: Mapping[str, Words] = {
    "none": Words("No suspicion of malignancy", "Ingen mistanke om malignitet"),
    "low": Words("Low suspicion of malignancy", "Lav mistanke om malignitet"),
    "moderate": Words("Moderate suspicion of malignancy", "Moderat mistanke om malignitet"),
    "high": Words("High suspicion of malignancy", "Høy mistanke om malignitet"),
}


def with_words(findings: Mapping[str, Any], template: Template | None) -> dict[str, Any]:
    """Return normal findings with what their answers say; Invalid when they do not fit."""
    answers, language = findings.get("fields") or {}, str(findings.get("language") or "nb")
    if template is None:
        if answers:
            raise Invalid(
                "The findings have answers but no template that they belong to. "
                "Choose the template again.",
                code="template-missing",
            )
        said: dict[str, Any] = {"described": "", "template_version": 0}
    else:
        read = read_answers(template, answers)
        said = {
            "fields": read,
            "described": text_of(template, read, language),
            "template_version": template.version,
        }
    interval = str(findings.get("follow_up_interval") or "")
    if interval and not findings.get("follow_up"):
        said["follow_up"] = interval_text(interval, language)
    return {**findings, **said}


def suspicion_text(content: Mapping[str, Any], language: str = "") -> str:
    """Return how much malignancy is suspected; in the findings' own language where none is named.

    Empty when nothing is said of it.
    """
    words = _SUSPICION.get(str(content.get("malignancy") or ""), Words())
    return words.of(language or str(content.get("language") or "nb"))


def interval_text(interval: str, language: str) -> str:
    """Return an interval (ISO 8601, as P3M) as the sentence of a follow-up."""
    number, unit = interval[1:-1], interval[-1]
    one, many = _UNITS[unit]
    span = (one if number == "1" else many).of(language).replace("{n}", number)
    return _CHECK.of(language).replace("{span}", span)
