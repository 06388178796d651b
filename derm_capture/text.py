"""Fits free text into the value representations that take it (PS3.5 section 6.2)."""

from __future__ import annotations


def _plain(text: str) -> str:
    return " ".join("".join(c if c.isprintable() and c != "\\" else " " for c in text).split())


def _fit(text: str, most: int) -> str:
    """Return the start of a text that fits in so many bytes of UTF-8: old checkers count bytes,
    not characters.
    """
    return text.encode()[:most].decode(errors="ignore").strip()


def long_text(text: str) -> str:
    """Return a text as a Long String (LO): no backslash, no control character, 64 at most."""
    return _fit(_plain(text), 64)


def short_string(text: str) -> str:
    """Return a text as a Short String (SH): 16 at most."""
    return _fit(_plain(text), 16)


def person(name: str) -> str:
    """Return a name as a Person Name (PN): up to three groups of 64 and five components."""
    groups = [group.split("^")[:5] for group in _plain(name).split("=")[:3]]
    return "=".join(_fit("^".join(parts), 64).rstrip("^ ") for parts in groups)
