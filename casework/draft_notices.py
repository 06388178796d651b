"""Notices what a draft of findings lacks and where it contradicts itself. Never forbids anything.

Pure: from the draft, its template and what is known of the images. The words for it are the pages'.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from casework.templates import Field, Template, is_positive, missing

_TEXTS = ("findings", "impression", "advice")  # what is written freely
_SIDES: Mapping[str, re.Pattern[str]] = {
    "R": re.compile(r"\b(?:right(?!\s+away)|høyre)\b", re.I),
    "L": re.compile(r"\b(?:left|venstre)\b", re.I),
}
_BOTH = re.compile(r"\b(?:both|bilateral\w*|begge|tosidig\w*)\b", re.I)
_LENGTH = re.compile(r"(?<![\d.,])(\d{1,3}(?:[.,]\d{1,2})?)\s*(mm|cm)\b", re.I)
_EARLIER = re.compile(
    r"\b(?:prior|previous\w*|earlier|before|was|tidligere|forrige|før|var|fra|from)\b", re.I
)
_BLANK = r"[^\S\n]+"
_NEGATION = rf"\b(?:no|without|ingen|ikke|uten){_BLANK}(?:\w+{_BLANK}){{0,2}}?"
_NEAR = 30  # characters before a figure in which a word may say that it is an earlier one


@dataclass(frozen=True)
class Notice:
    """One thing to look at again: what it is, and the words that it is about."""

    code: str
    is_contradiction: bool = False
    about: Mapping[str, str] = field(default_factory=dict)


def notices_of(
    draft: Mapping[str, Any],
    template: Template | None,
    *,
    sides: frozenset[str] = frozenset(),
    language: str = "nb",
) -> Sequence[Notice]:
    """Return what a draft lacks, then where it contradicts itself.

    `sides` are those of the images, L or R.
    """
    return [*_lacks(draft, template, language), *_contradictions(draft, template, sides, language)]


def _lacks(draft: Mapping[str, Any], template: Template | None, language: str) -> Iterator[Notice]:
    if not str(draft.get("impression") or "").strip():
        yield Notice("no-impression")
    if template is None:
        return
    for key in template.required:
        if not _is_said(draft, key):
            yield Notice(f"no-{key.replace('_', '-')}")
    for each in missing(template, draft.get("fields") or {}):
        yield Notice("no-answer", about={"field": each.label.of(language)})
    if template.measurements and not draft.get("measurements") and not _has_figure(template, draft):
        yield Notice("not-measured", about={"what": template.measurements[0].of(language)})


def _has_figure(template: Template, draft: Mapping[str, Any]) -> bool:
    answers = draft.get("fields") or {}
    return any(f.kind == "number" and f.key in answers for f in template.fields)


def _is_said(draft: Mapping[str, Any], key: str) -> bool:
    if key == "findings":
        return bool(draft.get("findings") or draft.get("described"))
    value = draft.get(key)
    return bool(value.strip() if isinstance(value, str) else value)


def _contradictions(
    draft: Mapping[str, Any], template: Template | None, sides: frozenset[str], language: str
) -> Iterator[Notice]:
    text = "\n".join(str(draft.get(key) or "") for key in _TEXTS)
    whole = f"{text}\n{draft.get('described') or ''}"
    yield from _sides(whole, sides)
    if template is not None:
        yield from _denied(text, draft.get("fields") or {}, template, language)
    yield from _measured(whole, draft.get("measurements") or ())
    suspicion, urgency = draft.get("malignancy"), draft.get("urgency")
    if suspicion == "high" and urgency in ("none", "routine"):
        yield Notice("suspicion-without-urgency", True)
    if urgency == "cancer-pathway" and suspicion in ("none", "low"):
        yield Notice("urgency-without-suspicion", True)


def _sides(text: str, sides: frozenset[str]) -> Iterator[Notice]:
    """Yield a side that the text names alone when the images are all of the other."""
    if len(sides) != 1 or _BOTH.search(text):
        return
    (of_images,) = sides
    named = {side for side, pattern in _SIDES.items() if pattern.search(text)}
    if named and of_images not in named:
        yield Notice("other-side", True, {"said": named.pop(), "images": of_images})


def _denied(
    text: str, answers: Mapping[str, Any], template: Template, language: str
) -> Iterator[Notice]:
    """Yield what the text denies though the answers say that it is there."""
    for each in template.fields:
        if each.key in answers and is_positive(each, answers[each.key]) and _denies(text, each):
            yield Notice("denied", True, {"field": each.label.of(language)})


def _denies(text: str, asked: Field) -> bool:
    """Tell whether a text says that there is none of it, in either language."""
    for label in {asked.label.en, asked.label.nb}:
        begins = re.escape(label.split()[-1][:-1] if len(label) > 5 else label)
        words = [re.escape(word) for word in label.split()[:-1]]
        if re.search(_NEGATION + _BLANK.join([*words, begins]), text, re.I):
            return True
    return False


def _measured(text: str, drawn: Sequence[Mapping[str, Any]]) -> Iterator[Notice]:
    """Yield a length of the text that no drawn one has, beside a drawn one that it lacks."""
    lengths = [float(m["value"]) for m in drawn if m.get("unit") == "mm" and m.get("value")]
    said = [
        (found[0], _mm(found[1], found[2]))
        for found in _LENGTH.finditer(text)
        if not _EARLIER.search(text[max(0, found.start() - _NEAR) : found.start()])
    ]
    lost = [each for each in lengths if not any(_is_like(mm, each) for _, mm in said)]
    strange = [(words, mm) for words, mm in said if not any(_is_like(mm, d) for d in lengths)]
    for words, mm in strange:
        if lost:
            nearest = min(lost, key=lambda each: abs(each - mm))
            lost.remove(nearest)
            yield Notice("other-length", True, {"said": words, "drawn": f"{nearest:.1f} mm"})


def _mm(number: str, unit: str) -> float:
    return float(number.replace(",", ".")) * (10 if unit.lower() == "cm" else 1)


def _is_like(said_mm: float, drawn_mm: float) -> bool:
    return abs(said_mm - drawn_mm) <= max(0.6, 0.05 * drawn_mm)
