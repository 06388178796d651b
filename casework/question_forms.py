"""What a question of a referral is, and for which kinds of skin change. Asks none itself."""

from __future__ import annotations

from dataclasses import dataclass

SKIN = ("mole", "rash", "wound", "nails", "hair", "mucosa")
RADIOLOGY = ("radiology",)


@dataclass(frozen=True)
class Option:
    """One choice of a question."""

    value: str
    label_en: str
    label_nb: str


@dataclass(frozen=True)
class Question:
    """One thing to ask; `categories` are the kinds of skin change it is for, or radiology."""

    key: str
    kind: str  # choice | choices | text | number | duration
    label_en: str
    label_nb: str
    options: tuple[Option, ...] = ()
    categories: tuple[str, ...] = SKIN
    is_first: bool = False  # asked at once; the others stand in the fold below


YES_NO = (
    Option("yes", "Yes", "Ja"),
    Option("no", "No", "Nei"),
    Option("unknown", "Not known", "Vet ikke"),
)
