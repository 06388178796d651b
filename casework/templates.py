"""What a template of findings is, and how its answers become the sentences of a reply.

Pure. How one is written as text is `template_text`; which one a case gets, `template_choice`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from casework.errors import Invalid

KINDS = ("choice", "number", "text", "checkbox")
MAX_FIELD_TEXT = 2_000
_VALUE = "{value}"


@dataclass(frozen=True)
class Words:
    """A text in both languages."""

    en: str = ""
    nb: str = ""

    def of(self, language: str) -> str:
        """Return the text in a language; English for one that we do not speak."""
        return self.nb if language == "nb" else self.en

    def __bool__(self) -> bool:
        return bool(self.en or self.nb)


@dataclass(frozen=True)
class Choice:
    """One answer of a field: its word in the list, and the sentence it becomes."""

    value: str
    label: Words
    says: Words
    is_normal: bool = False


@dataclass(frozen=True)
class Field:
    """One thing that is looked at."""

    key: str
    kind: str
    label: Words
    says: Words = Words()  # of a tick, a number or a text; `{value}` is what was written
    denies: Words = Words()  # of a tick that is known to be absent
    unit: str = ""
    low: float | None = None
    high: float | None = None
    is_required: bool = False
    choices: tuple[Choice, ...] = ()

    @property
    def normal(self) -> str | bool | None:
        """Return the answer that means nothing wrong, or None when no answer does."""
        if self.kind == "checkbox":
            return False
        return next((choice.value for choice in self.choices if choice.is_normal), None)


@dataclass(frozen=True)
class Section:
    """A part of the body or of the question, with one sentence for when all of it is normal."""

    title: Words
    normal: Words
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Offer:
    """A text that is offered: for one diagnosis or for any; with the interval of a control."""

    text: Words
    diagnosis: str = ""
    interval: str = ""  # ISO 8601, as P3M


@dataclass(frozen=True)
class Suits:
    """What a template is for; what is empty asks nothing."""

    specialties: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    body: tuple[str, ...] = ()  # beginnings of words
    categories: tuple[str, ...] = ()
    question: tuple[str, ...] = ()  # beginnings of words that speak for it


@dataclass(frozen=True)
class Template:
    """A form for the findings of one kind of examination."""

    name: str
    version: int
    title: Words
    suits: Suits
    sections: tuple[Section, ...]
    diagnoses: tuple[str, ...] = ()
    advice: tuple[Offer, ...] = ()
    follow_ups: tuple[Offer, ...] = ()
    safety_nets: tuple[Offer, ...] = ()
    measurements: tuple[Words, ...] = ()
    required: tuple[str, ...] = ()

    @property
    def fields(self) -> Iterator[Field]:
        """Yield every field in its order."""
        return (field for section in self.sections for field in section.fields)


def all_normal(template: Template) -> dict[str, str | bool]:
    """Return the answers that say that nothing is wrong."""
    return {f.key: f.normal for f in template.fields if f.normal is not None}


def read_answers(template: Template, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers to a template's fields in their form; Invalid names what is not.

    What is empty is no answer.
    """
    known = {field.key: field for field in template.fields}
    if unknown := sorted(str(key) for key in given if key not in known):
        raise Invalid(
            f"The template {template.name} has no field {', '.join(unknown)}.",
            code="unknown-field",
        )
    return {
        key: _answer(field, given[key])
        for key, field in known.items()
        if given.get(key) not in (None, "")
    }


def text_of(template: Template, answers: Mapping[str, Any], language: str) -> str:
    """Return the answers in sentences: one line for each section that has any."""
    lines = (
        (section.title.of(language), " ".join(_sentences(section, answers, language)))
        for section in template.sections
    )
    return "\n".join(f"{title}: {said}" for title, said in lines if said)


def missing(template: Template, answers: Mapping[str, Any]) -> Sequence[Field]:
    """Return the required fields that have no answer."""
    return [field for field in template.fields if field.is_required and field.key not in answers]


def is_positive(field: Field, answer: Any) -> bool:
    """Tell whether an answer says that there is something."""
    if field.kind == "checkbox":
        return answer is True
    return field.kind == "choice" and field.normal is not None and answer != field.normal


def _sentences(section: Section, answers: Mapping[str, Any], language: str) -> Iterator[str]:
    answered = [field for field in section.fields if field.key in answers]
    if not answered:
        return
    normal = [field for field in section.fields if field.normal is not None]
    is_normal = answered == normal and all(answers[f.key] == f.normal for f in normal)
    if is_normal and section.normal:
        yield section.normal.of(language)
        return
    for field in answered:
        if said := _sentence(field, answers[field.key], language):
            yield said


def _sentence(field: Field, answer: Any, language: str) -> str:
    label = field.label.of(language)
    if field.kind == "checkbox":
        return field.says.of(language) or f"{label}." if answer else field.denies.of(language)
    if field.kind == "choice":
        choice = next(each for each in field.choices if each.value == answer)
        return choice.says.of(language) or f"{label}: {choice.label.of(language)}."
    value = _decimal(answer, language) if field.kind == "number" else str(answer)
    if field.says:
        return field.says.of(language).replace(_VALUE, value)
    said = f"{label}: {value} {field.unit}".rstrip()
    return said if said.endswith((".", "!", "?")) else f"{said}."


def _decimal(number: float, language: str) -> str:
    text = f"{number:g}" if abs(number) < 1e6 else str(number)
    return text.replace(".", ",") if language == "nb" else text


def _answer(field: Field, value: Any) -> Any:
    if field.kind == "checkbox":
        if not isinstance(value, bool):
            raise _wrong(field, "true or false")
        return value
    if field.kind == "choice":
        if value not in [choice.value for choice in field.choices]:
            raise _wrong(field, "one of " + ", ".join(choice.value for choice in field.choices))
        return str(value)
    if field.kind == "number":
        return _number(field, value)
    if not isinstance(value, str) or len(value) > MAX_FIELD_TEXT:
        raise _wrong(field, f"a text of at most {MAX_FIELD_TEXT} characters")
    return value.strip()


def _number(field: Field, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(field, "a number")
    low, high = field.low, field.high
    if (low is not None and value < low) or (high is not None and value > high):
        raise _wrong(field, f"from {low:g} to {high:g}")
    return float(value)


def _wrong(field: Field, wanted: str) -> Invalid:
    return Invalid(f"{field.label.en} must be {wanted}.", code="invalid-field")
