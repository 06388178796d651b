"""Decides what goes together as one visit of a patient, and what is taken over to the next lesion.

One lesion is one case. The visit has the number of its first case; the others carry it among their
answers. Keeps nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from casework.model import Case

VISIT = "visit"
"""The key among the clinical answers under which a case names the first one of its visit."""

SHARED = (
    "category", "treatment", "medication", "immunosuppressed", "anticoagulant", "allergies",
    "own_skin_cancer", "family_skin_cancer", "skin_type", "sun", "pregnant", "interpreter",
    "history",
)  # fmt: skip
"""Answers that are of the patient rather than of one lesion: asked once a visit."""


def visit_of(case: Case) -> str:
    """Return the number of a case's visit: that of its first case, which may be itself."""
    return str(case.referral.clinical.get(VISIT) or case.id)


def taken_over(case: Case) -> dict[str, Any]:
    """Return the answers that a further lesion of the same visit begins with."""
    clinical: Mapping[str, Any] = case.referral.clinical
    return {key: clinical[key] for key in SHARED if key in clinical} | {VISIT: visit_of(case)}


def lacks(case: Case, pictures: int) -> tuple[str, ...]:
    """Return what a draft lacks before it can be sent, in the order of the page's steps."""
    clinical = case.referral.clinical
    wanted = (
        ("where", bool(clinical.get("site"))),
        ("pictures", pictures > 0),
        ("question", bool(case.referral.question.strip())),
        ("consent", bool(case.referral.consent.get("care"))),
    )
    return tuple(name for name, is_there in wanted if not is_there)
