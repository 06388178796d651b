"""For which reason a reader would ask back what a check of a photograph finds: one table.

So advice at the camera and questions of the specialist can be counted against each other. Judges
no picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REASON_OF_CHECK: Mapping[str, str] = MappingProxyType(
    {
        "focus": "blurred",
        "motion": "blurred",
        "exposure": "too-dark",
        "glare": "too-dark",
        "colour": "too-dark",
        "colour_card": "too-dark",
        "distance": "no-closeup",
        "framing": "incomplete",
        "resolution": "blurred",
        "scale": "need-perpendicular",
        "camera": "blurred",
        "recognizable": "other",
    }
)
"""Check -> one of `questions.REASON_CODES`."""


def reason_of(check: str) -> str:
    """Return the reason code of a check; what is no check of ours is something else."""
    return REASON_OF_CHECK.get(check, "other")
