"""How a client wants an image rendered: the query of a rendered resource (PS3.18 section 8.3.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from casework.errors import Invalid
from viewer.display import Window
from viewer.render import QUALITY

_KNOWN = frozenset({"window", "quality", "accept"})


@dataclass(frozen=True)
class Asked:
    """The window of values, its own when None, and the quality of the JPEG."""

    window: Window | None = None
    quality: int = QUALITY


def asked(query: Mapping[str, str]) -> Asked:
    """Return what a query asks for; raise Invalid for what is not done here."""
    other = sorted(query.keys() - _KNOWN)
    if other:
        raise Invalid(
            f"Images are rendered with window and quality, not with {other[0]}.",
            code="bad-request",
        )
    return Asked(_window(query.get("window", "")), _quality(query.get("quality", "")))


def _window(text: str) -> Window | None:
    if not text:
        return None
    parts = text.split(",")
    try:
        center, width = float(parts[0]), float(parts[1])
    except (ValueError, IndexError):
        center, width = 0.0, 0.0
    fits = isfinite(center) and isfinite(width) and width >= 1
    if not fits or [p.lower() for p in parts[2:]] not in ([], ["linear"]):
        raise Invalid("A window is CENTER,WIDTH or CENTER,WIDTH,linear.", code="bad-request")
    return Window(center, width)


def _quality(text: str) -> int:
    if not text:
        return QUALITY
    if not text.isdecimal() or len(text) > 3 or not 1 <= int(text) <= 100:
        raise Invalid("The quality of a JPEG is 1 to 100.", code="bad-request")
    return int(text)
