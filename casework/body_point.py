"""Judges where on a drawing of the body a referral points to. Draws nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from casework.errors import Invalid

VIEWS: tuple[str, ...] = (
    "front",
    "back",
    "left",
    "right",
    "head-front",
    "head-left",
    "head-right",
    "head-back",
    "head-top",
    *(f"{part}-{side}" for side in "RL" for part in ("eye", "ear", "ear-behind")),
    *(f"{part}-{side}" for side in "RL" for part in ("hand-palm", "hand-back")),
    *(f"{part}-{side}" for side in "RL" for part in ("foot-top", "foot-sole")),
    "genital-f",
    "genital-m",
)
"""The views of the body map. Kept referrals name them: a name once given stays."""

_DIGITS = 4  # a ten-thousandth of a view is less than a pixel of any screen


def normal_point(value: Any) -> dict[str, Any] | None:
    """Return a point of the body map as `{view, x, y}`, or None for none; raise Invalid else.

    `x` and `y` run from 0 to 1 over the width and the height of the view, from its top left.
    """
    if value in (None, "", {}):
        return None
    if not isinstance(value, Mapping):
        raise _wrong("an object with view, x and y")
    if value.get("view") not in VIEWS:
        raise _wrong(f"on one of the views {', '.join(VIEWS)}")
    return {
        "view": value["view"],
        "x": _share(value.get("x")),
        "y": _share(value.get("y")),
    }


def _share(given: Any) -> float:
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not is_number or not math.isfinite(given) or not 0 <= given <= 1:
        raise _wrong("on the view: x and y are numbers from 0 to 1")
    return round(float(given), _DIGITS)


def _wrong(wanted: str) -> Invalid:
    return Invalid(f"clinical.map must be {wanted}.", code="invalid-answer")
