"""How a client wants an image rendered: the query of a rendered resource (PS3.18 section 8.3.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite

from casework.errors import Invalid
from viewer.display import Window
from viewer.picture import Asked, Viewport
from viewer.render import QUALITY

_KNOWN = frozenset(
    {"accept", "annotation", "charset", "iccprofile", "quality", "viewport", "window"}
)
_OF_THUMBNAILS = frozenset({"accept", "charset", "viewport"})
_FUNCTIONS = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}
_PROFILES = frozenset({"no", "yes", "srgb"})
_ANNOTATIONS = frozenset({"patient", "technique"})
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}(?:\.[0-9]{1,9})?")
_LONGEST, _MOST_PIXELS = 8192, 1 << 24
THUMBNAIL = Viewport(256, 256)


def asked(query: Mapping[str, str]) -> Asked:
    """Return what a query asks for; raise Invalid for what is not done here."""
    _require_known(query, _KNOWN)
    window, function = _window(query.get("window", ""))
    return Asked(
        window=window,
        function=function,
        quality=_quality(query.get("quality", "")),
        viewport=_viewport(query.get("viewport", "")),
        profile=_profile(query.get("iccprofile", "")),
        annotation=_annotation(query.get("annotation", "")),
    )


def asked_of_thumbnail(query: Mapping[str, str]) -> Asked:
    """Return what is asked for of a thumbnail: its size alone (PS3.18 section 8.3.5.2)."""
    _require_known(query, _OF_THUMBNAILS)
    viewport = _viewport(query.get("viewport", "")) or THUMBNAIL
    if viewport.has_region:
        raise _bad("The viewport of a thumbnail is WIDTH,HEIGHT.")
    return Asked(viewport=viewport)


def _require_known(query: Mapping[str, str], known: frozenset[str]) -> None:
    other = sorted(query.keys() - known)
    if other:
        names = ", ".join(sorted(known - {"accept", "charset"}))
        raise _bad(f"Images are rendered with {names}, not with {other[0]}.")


def _window(text: str) -> tuple[Window | None, str]:
    if not text:
        return None, ""
    parts = text.split(",")
    try:
        center, width = float(parts[0]), float(parts[1])
    except (ValueError, IndexError):
        center, width = 0.0, 0.0
    name = parts[2].strip().lower().replace("_", "-") if len(parts) == 3 else "linear"
    least = 1 if name == "linear" else 0
    fits = isfinite(center) and isfinite(width) and width >= least and width > 0
    if not fits or len(parts) > 3 or name not in _FUNCTIONS:
        raise _bad(
            "A window is CENTER,WIDTH or CENTER,WIDTH,FUNCTION, the function linear, linear-exact "
            "or sigmoid."
        )
    return Window(center, width), _FUNCTIONS[name] if len(parts) == 3 else ""


def _quality(text: str) -> int:
    if not text:
        return QUALITY
    if not text.isdecimal() or len(text) > 3 or not 1 <= int(text) <= 100:
        raise _bad("The quality of a JPEG is 1 to 100.")
    return int(text)


def _viewport(text: str) -> Viewport | None:
    if not text:
        return None
    parts = [part.strip() for part in text.split(",")]
    numbers = [float(part) if _NUMBER.fullmatch(part) else None for part in parts]
    region = numbers[2:]
    is_read = all(n is not None or not part for n, part in zip(numbers, parts, strict=True))
    width, height = (*numbers, None, None)[:2]
    if not is_read or len(parts) not in (2, 6) or not _is_size(width) or not _is_size(height):
        raise _bad(
            "A viewport is WIDTH,HEIGHT or WIDTH,HEIGHT,X,Y,SOURCE_WIDTH,SOURCE_HEIGHT in whole "
            f"pixels, up to {_LONGEST} a side; a source width or height below zero flips the image."
        )
    if (width or 0) * (height or 0) > _MOST_PIXELS:
        raise _bad(f"A viewport has {_MOST_PIXELS} pixels at most.")
    x, y, source_width, source_height = (*region, None, None, None, None)[:4]
    return Viewport(
        int(width or 0), int(height or 0), x or 0.0, y or 0.0, source_width, source_height
    )


def _is_size(value: float | None) -> bool:
    return value is not None and value == int(value) and 1 <= value <= _LONGEST


def _profile(text: str) -> str:
    name = text.strip().lower()
    if name and name not in _PROFILES:
        raise _bad("A colour profile is no, yes or srgb; others are not made here.")
    return name


def _annotation(text: str) -> tuple[str, ...]:
    names = {part.strip().lower() for part in text.split(",") if part.strip()}
    if names - _ANNOTATIONS:
        raise _bad("An annotation is patient, technique or both.")
    return tuple(sorted(names))


def _bad(message: str) -> Invalid:
    return Invalid(message, code="bad-request")
