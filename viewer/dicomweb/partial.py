"""Decides which part of a body is asked for (RFC 9110 sections 13 and 14): one range or all."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(r"\s*bytes\s*=\s*([0-9]*)\s*-\s*([0-9]*)\s*", re.IGNORECASE)
_DIGITS = 18


@dataclass(frozen=True)
class Part:
    """Bytes from `start` up to `stop`; `is_whole` when no range that holds was asked for."""

    start: int
    stop: int
    is_whole: bool


def part_of(length: int, *, range_header: str, if_range: str = "", tag: str = "") -> Part | None:
    """Return the part of a body that is wanted, or None when it has no such part (416).

    What is no single range of bytes is taken as no range, as RFC 9110 section 14.2 allows.
    `tag` is the entity tag with its quotes; a date in If-Range never holds.
    """
    whole = Part(0, length, is_whole=True)
    found = _RANGE.fullmatch(range_header)
    if found is None or (if_range and if_range.strip() != tag):
        return whole
    first, last = found.groups()
    if not (first or last) or max(len(first), len(last)) > _DIGITS:
        return whole
    if not first:
        count = min(int(last), length)
        return Part(length - count, length, is_whole=False) if count else None
    if last and int(last) < int(first):
        return whole
    if int(first) >= length:
        return None
    return Part(int(first), min(int(last) + 1 if last else length, length), is_whole=False)
