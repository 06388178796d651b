"""Reads the keys of a query (PS3.4 C.2.2.2): one key becomes one criterion, or none.

Knows no table and no query level.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import dictionary_VR

from casework.errors import Invalid, TooLarge
from storage.criteria import (
    RANGE_VRS,
    WORD_BREAKS,
    AnyOf,
    Between,
    Criterion,
    Empty,
    Item,
    Like,
    Moments,
    Name,
    OneNumber,
    OneOf,
    Words,
    like_pattern,
)
from storage.folding import (
    fold_name,
    fold_text,
    normal_date,
    normal_date_time,
    normal_time,
    universal_date_time,
)

WILDCARD_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
"""PS3.4 C.2.2.2.4: only these may carry `*` and `?`."""

MAX_KEY_CHARS = 16_384
MAX_VALUES = 10_000
"""The most values that one key may list: UIDs, numbers, or texts without wildcards."""

MAX_OPTIONS = 50
"""The most patterns, ranges and names that one key may list, and words of a fuzzy name."""

NO_VALUE = '""'
"""Asks for attributes without a value where empty value matching was agreed on (C.2.2.2.7)."""

PAIRS: Mapping[str, str] = {
    "StudyDate": "StudyTime",
    "SeriesDate": "SeriesTime",
    "ContentDate": "ContentTime",
    "PerformedProcedureStepStartDate": "PerformedProcedureStepStartTime",
    "ScheduledProcedureStepStartDate": "ScheduledProcedureStepStartTime",
}
"""Dates, each with the time that makes a moment of it."""

_MAX_UIDS_CHARS = 1 << 20
_MAX_LIKE_BYTES = 50_000  # SQLite takes no longer pattern
_INTEGER_VRS = frozenset({"IS", "US", "UL", "UV", "SS", "SL", "SV"})
_NUMBER_VRS = _INTEGER_VRS | {"DS", "FL", "FD"}
_WHOLE_TEXT_VRS = frozenset({"LT", "ST", "UT", "UR"})  # a backslash is a character of theirs
_A_DATE_TIME = r"\d{4,14}(?:\.\d{1,6})?(?:\+\d{4}|-(?:0\d|1[0-2])\d{2})?"
_DATE_TIMES = re.compile(rf"({_A_DATE_TIME})?(-)?({_A_DATE_TIME})?")


@dataclass(frozen=True)
class Manner:
    """How keys are matched, beyond what they say: as was negotiated or asked for beside them."""

    fuzzy: bool = False  # names, by the beginnings of their words
    combined: bool = False  # a date and its time, as one moment
    empty_values: bool = False  # two quotation marks stand for no value


LITERAL = Manner()

Key = str | Sequence[Mapping[str, Any]]
"""What a query asks of one attribute: its value, or the item of a sequence."""


def vr_of(keyword: str) -> str:
    """Return the VR of a keyword, or nothing for one that DICOM does not know."""
    try:
        return dictionary_VR(keyword)
    except KeyError:
        return ""


def criterion(
    keyword: str, key: Key, *, fuzzy: bool = False, empty_values: bool = False
) -> Criterion | None:
    """Return what a key asks of the attribute, or None when it matches everything (C.2.2.2.3).

    Fuzzy names and the matching of empty values are asked for beside the key. Raises Invalid,
    coded `bad-key`, or TooLarge for a longer list than is looked for.
    """
    vr = vr_of(keyword)
    if not isinstance(key, str):
        return _item(keyword, key, fuzzy=fuzzy, empty_values=empty_values)
    if vr == "SQ" and key.strip(" \0"):
        raise Invalid(f"The key {keyword} asks for items, not for this.", code="bad-key")
    if len(key) > (_MAX_UIDS_CHARS if vr == "UI" else MAX_KEY_CHARS):
        raise Invalid(f"The key {keyword} is too long to search for.", code="bad-key")
    if empty_values and key.strip(" \0") == NO_VALUE:
        return Empty()
    values = [key] if vr in _WHOLE_TEXT_VRS else key.split("\\")
    bare = (value.replace("\0", "") for value in values)  # no stored text has one
    cleaned = [value.strip(" ") if vr != "PN" else value.rstrip(" ") for value in bare]
    given = list(dict.fromkeys(value for value in cleaned if value))
    if not given or any(set(value) == {"*"} for value in given):
        return None
    if vr == "UI" or (vr not in {"PN", *RANGE_VRS} and not _has_wildcard(vr, given)):
        _refuse_more(keyword, given, MAX_VALUES)
        return _exact(keyword, vr, given)
    _refuse_more(keyword, given, MAX_OPTIONS)
    options = tuple(_one(keyword, vr, value, fuzzy=fuzzy) for value in given)
    known = tuple(option for option in options if option is not None)
    if len(known) < len(options):
        return None
    return known[0] if len(known) == 1 else AnyOf(known)


def moments(day: Criterion | None, time: Criterion | None) -> Moments | None:
    """Return a day and a time as one range of moments; None when the two are not of that form."""
    if not isinstance(day, Between) or not isinstance(time, Between):
        return None
    last = time.high or "235959.999999"
    return Moments((day.low, time.low if day.low else ""), (day.high, last if day.high else ""))


def _refuse_more(keyword: str, values: Sequence[str], most: int) -> None:
    if len(values) > most:
        raise TooLarge(f"{keyword} lists {len(values)} values. Ask for {most} at most.")


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
    if not _has_wildcard(vr, [value]):
        return OneOf((value,))
    _refuse_long(value)
    return Like(value)


def _range(keyword: str, vr: str, value: str) -> Criterion:
    low, high = _ends(vr, value)
    first, last = _bound(vr, low), _bound(vr, high, latest=True)
    if (low.strip() and not first) or (high.strip() and not last) or not (first or last):
        raise Invalid(
            f"The key {keyword} is neither a value nor a range of type {vr} (PS3.5 6.2).",
            code="bad-key",
        )
    if vr != "DT":
        return Between(vr, first, last)
    utc = universal_date_time(low), universal_date_time(high, latest=True)
    return Between(vr, first, last, *utc)


def _ends(vr: str, value: str) -> tuple[str, str]:
    """Return the two ends of a range; a single value is both of them."""
    if vr != "DT":
        low, dash, high = value.rpartition("-")
        return (low, high) if dash else (value, value)
    found = _DATE_TIMES.fullmatch(value.replace(" ", ""))
    if found is None or not (found[2] or found[1]):
        return value, value
    return (found[1] or "", found[3] or "") if found[2] else (value, value)


def _bound(vr: str, text: str, *, latest: bool = False) -> str:
    if vr == "DA":
        return normal_date(text)
    normal = normal_time if vr == "TM" else normal_date_time
    return normal(text, latest=latest)


def _refuse_long(pattern: str) -> None:
    if len(like_pattern(pattern).encode()) > _MAX_LIKE_BYTES:
        raise Invalid("A pattern is too long to search for.", code="bad-key")


def _name(value: str) -> Name | None:
    count = min(3, value.count("=") + 1)
    groups = tuple(_group(group) for group in fold_name(value)[:count])
    return Name(groups) if any(groups) else None


def _group(group: str) -> Criterion | None:
    if not group or set(group) <= {"*", "^"}:
        return None
    if not _has_wildcard("PN", [group]):
        return OneOf((group,))
    _refuse_long(group)
    if group.endswith("^*"):  # trailing delimiters do not count, so `DOE^*` means DOE alone too
        bare = group[:-1].rstrip("^")
        alone = Like(bare) if _has_wildcard("PN", [bare]) else OneOf((bare,))
        return AnyOf((alone, Like(group)))
    return Like(group)


def _fuzzy_name(value: str) -> Name | None:
    parts = WORD_BREAKS.split(re.sub(r"[*?]", "", fold_text(value)))
    words = tuple(dict.fromkeys(part for part in parts if part))
    _refuse_more("A fuzzy name", words, MAX_OPTIONS)
    return Name((Words(words),)) if words else None


def _item(
    keyword: str, key: Sequence[Mapping[str, Any]], *, fuzzy: bool, empty_values: bool
) -> Criterion | None:
    """A query's sequence has one item; one without values asks for the whole sequence back."""
    if len(key) > 1:
        raise Invalid(f"The key {keyword} may have one item (PS3.4 C.2.2.2.6).", code="bad-key")
    wanted = {
        name: found
        for name, value in (key[0].items() if key else ())
        if (found := criterion(name, value, fuzzy=fuzzy, empty_values=empty_values)) is not None
    }
    return Item(wanted) if wanted else None
