"""The templates that come with Lysbro, read once from their texts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from casework.template_text import parsed
from casework.templates import Template

SHIPPED_VERSION = 1
NAMES = (
    "ct-head", "ct-chest", "chest-xray", "mr-msk", "us-abdomen",
    "pigmented-lesion", "rash", "wound",
)  # fmt: skip


def shipped_text(name: str) -> str | None:
    """Return the text of a template as it is shipped, or None when there is none of that name."""
    if name not in NAMES:
        return None
    return files("casework").joinpath("shipped", f"{name}.txt").read_text("utf-8")


@cache
def shipped() -> Mapping[str, Template]:
    """Return every shipped template by its name, in the order in which they are offered."""
    return MappingProxyType(
        {name: parsed(name, shipped_text(name) or "", version=SHIPPED_VERSION) for name in NAMES}
    )
