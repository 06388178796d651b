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
    }
)
"""Codes of `Advice.check` and of `questions.REASON_CODES`. A check that is not here only tells."""


def reasons_of(checks: Iterable[str]) -> set[str]:
    """Return the reasons that checks stand for."""
    return {REASON_OF_CHECK[check] for check in checks if check in REASON_OF_CHECK}


_EXPECTED = {"overview": "no-overview", "closeup": "no-closeup"}


def lacking(kinds: Iterable[str]) -> set[str]:
    """Return the reasons for which the pictures of a case fall short by what is not among them."""
    there = set(kinds) - {""}
    return {reason for kind, reason in _EXPECTED.items() if there and kind not in there}
