"""What a DICOMweb client will take: the Accept header as media ranges (PS3.18 section 8.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from flask import request

ANY = "*/*"
_ITEM = re.compile(r'(?:[^,"]|"[^"]*"?)+')
_OPTION = re.compile(r';\s*([^=;\s"]+)\s*=\s*("[^"]*"?|[^;"]*)')


@dataclass(frozen=True)
class Wanted:
    """One media range; for multipart/related the type of its parts."""

    multipart: bool
    media_type: str
    transfer_syntax: str  # "*" for any; empty when not said
    refused: frozenset[str] = frozenset()
    """Media types that lie in the range and are refused by another (`q=0`)."""

    def takes(self, media_type: str) -> bool:
        """Tell whether a media type lies in the range."""
        return media_type not in self.refused and matches(media_type, self.media_type)


def wanted() -> tuple[Wanted, ...]:
    """Return the media ranges of this request; `accept` in the query comes before the header.

    PS3.18 section 8.3.3.1. A plus sign in a query that nobody has escaped has become a blank.
    """
    asked = re.sub(r"\bdicom (json|xml)\b", r"dicom+\1", request.args.get("accept", "").strip())
    return ranges_of(asked or request.headers.get("Accept") or ANY)


@lru_cache(maxsize=256)
def ranges_of(text: str) -> tuple[Wanted, ...]:
    """Return the media ranges of an Accept header, the most wanted first.

    What is refused (`q=0`) is none; of ranges that are wanted alike the narrower comes first.
    """
    ranges = [_range(item.strip()) for item in _ITEM.findall(text) if item.strip()]
    refused = frozenset(w.media_type for quality, w in ranges if quality <= 0 and not w.multipart)
    kept = [(quality, w) for quality, w in ranges if quality > 0]
    in_order = sorted(kept, key=lambda pair: (-pair[0], _breadth(pair[1].media_type)))
    return tuple(
        Wanted(w.multipart, w.media_type, w.transfer_syntax, refused)
        if refused and _breadth(w.media_type)
        else w
        for _, w in in_order
    )


def matches(media_type: str, wanted_type: str) -> bool:
    """Tell whether a media type lies in a range."""
    if wanted_type in {ANY, media_type}:
        return True
    return wanted_type.endswith("/*") and media_type.startswith(wanted_type[:-1])


def _breadth(media_type: str) -> int:
    return 2 if media_type == ANY else int(media_type.endswith("/*"))


def _range(item: str) -> tuple[float, Wanted]:
    """Return a quality and a range; RFC 2045 quotes a type as a parameter, and many do not."""
    media_type = item.partition(";")[0].strip().lower()
    options = {name.lower(): value.strip(' "') for name, value in _OPTION.findall(item)}
    multipart = media_type == "multipart/related"
    inner = options.get("type", ANY).lower() if multipart else media_type
    return _quality(options), Wanted(multipart, inner, options.get("transfer-syntax", ""))


def _quality(options: Mapping[str, str]) -> float:
    try:
        return float(options.get("q", "1"))
    except ValueError:
        return 0.0
