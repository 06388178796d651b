"""Reads values out of indexed attributes, where one value stands alone and several are a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def first(value: Any, default: Any) -> Any:
    """Return the first of several values, the value itself, or the default when there is none."""
    if isinstance(value, list | tuple):
        return value[0] if value else default
    return default if value is None else value


def as_list(value: Any) -> list[Any]:
    """Return the values of an element as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def is_recognizable(attributes: Mapping[str, Any]) -> bool:
    """Tell whether an object says that somebody can be recognised in it (0028,0302)."""
    return attributes.get("RecognizableVisualFeatures") == "YES"
