"""Which of the reader's reasons each check of a photograph stands for: one set of words for both.

What a check warns of when the picture is taken is what a reader would ask a new one for, so that
the two can be compared. A table; the checks themselves are the capture face's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

REASON_OF_CHECK: Mapping[str, str] = MappingProxyType(
    {
        "focus": "blurred",
        "motion": "blurred",
        "resolution": "blurred",
        "distance": "no-closeup",
        "framing": "cut-off",
        "exposure": "too-dark",
        "glare": "too-dark",
        "colour": "too-dark",
        "colour_card": "too-dark",
        "scale": "need-perpendicular",
        "camera": "blurred",
        "recognizable": "other",
        "clock": "other",
    }
)
"""Codes of `Advice.check` and of `questions.REASON_CODES`."""

_ONLY_TELLS = frozenset({"scale", "camera", "recognizable", "clock"})
"""Checks for which nobody asks for a new picture: they do not count beside the reader's words."""


def reason_of(check: str) -> str:
    """Return the reason code of a check; what is no check of ours is something else."""
    return REASON_OF_CHECK.get(check, "other")


def reasons_of(checks: Iterable[str]) -> set[str]:
    """Return the reasons that checks stand for, of those that a reader would ask again for."""
    return {REASON_OF_CHECK[c] for c in checks if c in REASON_OF_CHECK and c not in _ONLY_TELLS}


_EXPECTED = {"overview": "no-overview", "closeup": "no-closeup"}


def lacking(kinds: Iterable[str]) -> set[str]:
    """Return the reasons for which the pictures of a case fall short by what is not among them."""
    there = set(kinds) - {""}
    return {reason for kind, reason in _EXPECTED.items() if there and kind not in there}
