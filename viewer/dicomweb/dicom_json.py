"""The DICOM JSON model (PS3.18 Annex F), made of keywords and plain values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

MEDIA_TYPE = "application/dicom+json"

_WHOLE = frozenset({"IS", "SS", "US", "SL", "UL", "SV", "UV"})
_REAL = frozenset({"DS", "FL", "FD"})
_ONE_TEXT = frozenset({"LT", "ST", "UT", "UR"})
_PN_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


@lru_cache(maxsize=8192)
def tag_of(keyword: str) -> str:
    """Return the eight hexadecimal digits of a keyword's tag; empty for an unknown one."""
    tag = tag_for_keyword(keyword)
    return "" if tag is None else f"{tag:08X}"


def keyword_of(name: str) -> str:
    """Return the keyword of a keyword or of eight digits; empty when unknown."""
    if tag_for_keyword(name) is not None:
        return name
    try:
        return keyword_for_tag(int(name, 16)) if len(name) == 8 else ""
    except ValueError:
        return ""


def to_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return keywords with plain values as DICOM JSON, in the order of their tags."""
    elements = {}
    for keyword, value in values.items():
        tag = tag_of(keyword)
        if tag:
            elements[tag] = element(dictionary_VR(tag_for_keyword(keyword) or 0), value)
    return dict(sorted(elements.items()))


def element(vr: str, value: Any) -> dict[str, Any]:
    """Return one element; without a value it has its VR only (PS3.18 F.2.5)."""
    vr = vr.split(" or ", maxsplit=1)[0]
    given = [v for v in _listed(vr, value) if v not in {None, ""}] if vr != "SQ" else value or []
    if not given:
        return {"vr": vr}
    return {"vr": vr, "Value": [_one(vr, v) for v in given]}


def _listed(vr: str, value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str) and vr not in _ONE_TEXT:
        return value.split("\\")
    return [value]


def _one(vr: str, value: Any) -> Any:
    if vr == "SQ":
        return to_json(value)
    if vr == "PN":
        groups = zip(_PN_GROUPS, str(value).split("="), strict=False)
        return {group: text for group, text in groups if text}
    try:
        if vr in _WHOLE:
            return int(value)
        if vr in _REAL:
            return float(value)
    except ValueError:
        return str(value)
    return str(value)
