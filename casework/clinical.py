"""Reads the clinical answers of a referral, and its consents, into their form.

Answers are brought into form to help the reader; nobody is stopped from referring by how they
wrote something. The questions themselves are data in `questions` and are found here too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from casework.body_point import normal_point
from casework.consents import RECORD
from casework.errors import Invalid
from casework.questions import (
    CONSENTS,
    DURATION_UNITS,
    OTHER_REASONS,
    QUESTIONS,
    RADIOLOGY,
    REASON_CODES,
    SKIN,
    Option,
    Question,
)

__all__ = [
    "CONSENTS",
    "DURATION_UNITS",
    "QUESTIONS",
    "RADIOLOGY",
    "REASON_CODES",
    "SKIN",
    "Option",
    "Question",
    "normal_clinical",
    "normal_consent",
    "reason_label",
]

_BY_KEY: Mapping[str, Question] = {question.key: question for question in QUESTIONS}
_DURATION = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*([^\W\d_]+)\.?\s*")
_UNIT_OF: Mapping[str, str] = {
    name: unit.value
    for unit in DURATION_UNITS
    for name in (unit.label_en, unit.label_nb, unit.label_en.removesuffix("s"))
} | {"dag": "days", "uke": "weeks", "måned": "months"}
_TRUE = {"yes": True, "true": True, "ja": True, "no": False, "false": False, "nei": False}


def normal_clinical(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return answers in their form; what is not understood stays as it was written."""
    found = {}
    for key, value in _plain_object(body, "clinical").items():
        read = _read(key, value)
        if read not in (None, "", []):
            found[key] = read
    return found


def normal_consent(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return consents as yes or no, with whatever was said of who agreed, when and how."""
    kinds = {consent.value for consent in CONSENTS}
    found: dict[str, Any] = {}
    for key, value in _plain_object(body, "consent").items():
        if key == RECORD:  # is written here, not sent in
            continue
        if key not in kinds:
            found[key] = _value(value, f"consent.{key}")
            continue
        given = _TRUE.get(value.strip().casefold()) if isinstance(value, str) else value
        if not isinstance(given, bool):
            raise _wrong(f"consent.{key}", "true or false")
        found[key] = given
    return found


def reason_label(code: str, *, language: str = "en") -> str:
    """Return what a reason for asking back says to a person; other texts stay as they are."""
    for reason in (*REASON_CODES, *OTHER_REASONS):
        if reason.value == code:
            return reason.label_nb if language == "nb" else reason.label_en
    return code


def _read(key: str, value: Any) -> Any:
    if key == "map":
        return normal_point(value)
    question = _BY_KEY.get(key)
    return _value(value, f"clinical.{key}") if question is None else _answer(question, value)


def _answer(question: Question, value: Any) -> Any:
    name = f"clinical.{question.key}"
    match question.kind:
        case "choice":
            return _choice(question.options, _text(value, name))
        case "choices":
            given = value if isinstance(value, list | tuple) else [value]
            chosen = [_choice(question.options, _text(each, name)) for each in given if each]
            something = [each for each in chosen if each != "none"]
            return something or chosen[:1]  # who names something has not none as well
        case "number":
            return _number(value, name)
        case "duration":
            return _duration(value, name)
        case _:
            return _text(value, name)


def _choice(options: Sequence[Option], text: str) -> str:
    folded = text.casefold()
    for option in options:
        if folded in {option.value, option.label_en.casefold(), option.label_nb.casefold()}:
            return option.value
    return text


def _number(value: Any, name: str) -> float | int | str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = _text(value, name)
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


def _duration(value: Any, name: str) -> dict[str, Any] | str:
    if isinstance(value, Mapping):
        unit = _text(value.get("unit", ""), f"{name}.unit")
        number = _number(value.get("value", ""), f"{name}.value")
        return (
            {"value": number, "unit": _UNIT_OF.get(unit.casefold(), unit)} if number != "" else ""
        )
    text = _text(value, name)
    found = _DURATION.fullmatch(text)
    unit_word = _UNIT_OF.get(found[2].casefold()) if found else None
    if found is None or unit_word is None:
        return text
    return {"value": _number(found[1], name), "unit": unit_word}


def _text(value: Any, name: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(name, "text")
    return value.strip()


def _value(value: Any, name: str) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_text(each, name) for each in value]
    return _text(value, name)


def _plain_object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if not isinstance(body, Mapping) or not all(isinstance(key, str) for key in body):
        raise _wrong(name, "an object of named answers")
    return body


def _wrong(name: str, wanted: str) -> Invalid:
    return Invalid(f"{name} must be {wanted}.", code="invalid-answer")
