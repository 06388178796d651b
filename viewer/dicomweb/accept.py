"""What a DICOMweb client will take: the Accept header as media ranges (PS3.18 section 8.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from flask import request
from werkzeug.http import parse_options_header

ANY = "*/*"
_ITEM = re.compile(r'(?:[^,"]|"[^"]*")+')


@dataclass(frozen=True)
class Wanted:
    """One media range; for multipart/related the type of its parts."""

    multipart: bool
    media_type: str
    transfer_syntax: str  # "*" for any; empty when not said


def wanted() -> tuple[Wanted, ...]:
    """Return the media ranges of this request; `accept` in the query comes before the header."""
    return ranges_of(request.args.get("accept") or request.headers.get("Accept") or ANY)


@lru_cache(maxsize=256)
def ranges_of(text: str) -> tuple[Wanted, ...]:
    """Return the media ranges of an Accept header, the most wanted first."""
    ranges = [_range(item.strip()) for item in _ITEM.findall(text) if item.strip()]
    return tuple(w for _, w in sorted(ranges, key=lambda pair: -pair[0]))


def _range(item: str) -> tuple[float, Wanted]:
    media_type, options = parse_options_header(item)
    media_type = media_type.lower()
    multipart = media_type == "multipart/related"
    inner = options.get("type", ANY).lower() if multipart else media_type
    return _quality(options), Wanted(multipart, inner, options.get("transfer-syntax", ""))


def _quality(options: Mapping[str, str]) -> float:
    try:
        return float(options.get("q", "1"))
    except ValueError:
        return 0.0


def matches(media_type: str, wanted_type: str) -> bool:
    """Tell whether a media type lies in a range."""
    if wanted_type in {ANY, media_type}:
        return True
    return wanted_type.endswith("/*") and media_type.startswith(wanted_type[:-1])
