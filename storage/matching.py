"""Reads the keys of a query (PS3.4 C.2.2.2): one key becomes one criterion, or none.

Knows no table and no query level.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydicom.datadict import dictionary_VR

from casework.errors import Invalid
from storage.criteria import (
    RANGE_VRS,
    WORD_BREAKS,
    AnyOf,
    Between,
    Criterion,
    Item,
    Like,
    Name,
    OneNumber,
    OneOf,
    Words,
)
from storage.folding import fold_name, fold_text, normal_date, normal_date_time, normal_time

WILDCARD_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
"""PS3.4 C.2.2.2.4: only these may carry `*` and `?`."""

MAX_KEY_CHARS = 16_384

_INTEGER_VRS = frozenset({"IS", "US", "UL", "UV", "SS", "SL", "SV"})
_NUMBER_VRS = _INTEGER_VRS | {"DS", "FL", "FD"}
_WHOLE_TEXT_VRS = frozenset({"LT", "ST", "UT", "UR"})  # a backslash is a character of theirs
_ZONE_AFTER = re.compile(r"\d{4,}(?:\.\d+)?-(0\d{3}|1[0-2]\d{2})")

Key = str | Sequence[Mapping[str, Any]]
"""What a query asks of one attribute: its value, or the item of a sequence."""


def vr_of(keyword: str) -> str:
    """Return the VR of a keyword, or nothing for one that DICOM does not know."""
    try:
        return dictionary_VR(keyword)
    except KeyError:
        return ""


def criterion(keyword: str, key: Key, *, fuzzy: bool = False) -> Criterion | None:
    """Return what a key asks of the attribute, or None when it matches everything (C.2.2.2.3)."""
    vr = vr_of(keyword)
    if not isinstance(key, str):
        return _item(key, fuzzy=fuzzy)
    if len(key) > MAX_KEY_CHARS:
        raise Invalid(f"The key {keyword} is too long to search for.", code="bad-key")
    values = [key] if vr in _WHOLE_TEXT_VRS else key.split("\\")
    cleaned = [value.strip(" \0") if vr != "PN" else value.rstrip(" \0") for value in values]
    given = [value for value in cleaned if value]
    if not given or any(set(value) == {"*"} for value in given):
        return None
    if vr == "UI" or (vr not in {"PN", *RANGE_VRS} and not _has_wildcard(vr, given)):
        return _exact(keyword, vr, given)
    options = tuple(_one(keyword, vr, value, fuzzy=fuzzy) for value in given)
    known = tuple(option for option in options if option is not None)
    if len(known) < len(options):
        return None
    return known[0] if len(known) == 1 else AnyOf(known)


def _has_wildcard(vr: str, values: Iterable[str]) -> bool:
    return vr in WILDCARD_VRS and any("*" in value or "?" in value for value in values)


def _exact(keyword: str, vr: str, values: Sequence[str]) -> Criterion:
    if vr not in _NUMBER_VRS:
        return OneOf(tuple(values))
    try:
        return OneNumber(tuple(_number(vr, value) for value in values))
    except ValueError:
        raise Invalid(
            f"The key {keyword} asks for a number, not for this.", code="bad-key"
        ) from None


def _number(vr: str, text: str) -> float:
    number = float(text)
    if not abs(number) < 1 << 53:
        raise ValueError(text)
    return int(number) if vr in _INTEGER_VRS and number == int(number) else number


def _one(keyword: str, vr: str, value: str, *, fuzzy: bool) -> Criterion | None:
    if vr == "PN":
        return _fuzzy_name(value) if fuzzy else _name(value)
    if vr in RANGE_VRS:
        return _range(keyword, vr, value)
    return Like(value) if _has_wildcard(vr, [value]) else OneOf((value,))


def _range(keyword: str, vr: str, value: str) -> Criterion:
    low, dash, high = value.rpartition("-")
    if not dash or (vr == "DT" and _ZONE_AFTER.fullmatch(value)):
        low = high = value
    first, last = _bound(vr, low), _bound(vr, high, latest=True)
    if (low.strip() and not first) or (high.strip() and not last) or not (first or last):
        raise Invalid(
            f"The key {keyword} is neither a value nor a range of type {vr} (PS3.5 6.2).",
            code="bad-key",
        )
    return Between(vr, first, last)


def _bound(vr: str, text: str, *, latest: bool = False) -> str:
    if vr == "DA":
        return normal_date(text)
    normal = normal_time if vr == "TM" else normal_date_time
    return normal(text, latest=latest)


def _name(value: str) -> Name | None:
    count = min(3, value.count("=") + 1)
    groups = tuple(_group(group) for group in fold_name(value)[:count])
    return Name(groups) if any(groups) else None


def _group(group: str) -> Criterion | None:
    if not group or set(group) <= {"*", "^"}:
        return None
    if not _has_wildcard("PN", [group]):
        return OneOf((group,))
    if group.endswith("^*"):  # trailing delimiters do not count, so `DOE^*` means DOE alone too
        bare = group[:-1].rstrip("^")
        alone = Like(bare) if _has_wildcard("PN", [bare]) else OneOf((bare,))
        return AnyOf((alone, Like(group)))
    return Like(group)


def _fuzzy_name(value: str) -> Name | None:
    words = [w for w in WORD_BREAKS.split(re.sub(r"[*?]", "", fold_text(value))) if w]
    return Name((Words(tuple(words)),)) if words else None


def _item(key: Sequence[Mapping[str, Any]], *, fuzzy: bool) -> Criterion | None:
    """A query's sequence has one item; one without values asks for the whole sequence back."""
    wanted = {
        keyword: found
        for keyword, value in (key[0].items() if key else ())
        if (found := criterion(keyword, value, fuzzy=fuzzy)) is not None
    }
    return Item(wanted) if wanted else None
