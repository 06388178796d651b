"""Chooses the template that a case opens with, by what is examined and what is asked. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from casework.templates import Suits, Template


@dataclass(frozen=True)
class Subject:
    """What is known of a case before anybody has looked at it."""

    specialty: str
    modalities: frozenset[str] = frozenset()
    body: str = ""  # parts of the body and descriptions, as they were sent
    category: str = ""
    question: str = ""


def best_template(templates: Sequence[Template], subject: Subject) -> Template | None:
    """Return the template that suits a case best, the earlier of equals; None when none does."""
    rated = [(suitability(each.suits, subject), -at) for at, each in enumerate(templates)]
    best = max(rated, default=(0, 0))
    return templates[-best[1]] if best[0] > 0 else None


def suitability(suits: Suits, subject: Subject) -> int:
    """Return how well something suits a case; 0 when it is for another kind."""
    if suits.specialties and subject.specialty not in suits.specialties:
        return 0
    if suits.modalities and not subject.modalities & set(suits.modalities):
        return 0
    if suits.categories and subject.category and subject.category not in suits.categories:
        return 0
    in_body = _has(suits.body, subject.body)
    if suits.body and not (in_body or (not subject.body and _has(suits.body, subject.question))):
        return 0
    return (
        1
        + 4 * bool(suits.modalities)
        + 4 * in_body
        + 4 * bool(subject.category and suits.categories)
        + 2 * _has(suits.question, subject.question)
    )


def _has(beginnings: Sequence[str], text: str) -> bool:
    """Tell whether a word of a text begins with one of some beginnings."""
    words = re.findall(r"[^\W_]+", text.casefold())
    return any(word.startswith(b.casefold()) for b in beginnings for word in words)
