"""Brings person names, dates and times into the one form in which the index compares them."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta

_PLAIN_LETTERS = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ħ": "h", "ı": "i"}
)
_SPACES = re.compile(r" {2,}")
_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_TIME = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{1,6}))?)?)?")
_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})$")
_DATE_TIME = re.compile(r"(\d{4,14})(?:\.(\d{1,6}))?(?:[+-]\d{4})?")


def fold_text(text: str) -> str:
    """Return a text without case and accents; letters that only look accented become plain too."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", bare.translate(_PLAIN_LETTERS))


def fold_name(name: str) -> tuple[str, str, str]:
    """Return the alphabetic, ideographic and phonetic group of a name, folded (PS3.5 6.2.1)."""
    groups = [_fold_group(group) for group in name.split("=")[:3]]
    groups += [""] * (3 - len(groups))
    return groups[0], groups[1], groups[2]


def normal_date(text: str) -> str:
    """Return a date as YYYYMMDD, also from the old form with points; nothing when it is none."""
    found = _DATE.fullmatch(text.strip())
    return "".join(found.groups()) if found else ""


def normal_time(text: str, *, latest: bool = False) -> str:
    """Return the first or latest moment that a time may mean as HHMMSS.FFFFFF, or nothing."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return ""
    hours, minutes, seconds, fraction = found.groups()
    digits = hours + (minutes or "") + (seconds or "")
    whole = digits + "235959"[len(digits) :] if latest else digits.ljust(6, "0")
    return f"{whole}.{(fraction or '').ljust(6, '9' if latest else '0')}"


def normal_date_time(text: str, *, latest: bool = False) -> str:
    """Return a date and time as 14 digits and a fraction, its zone left out; nothing when none."""
    found = _DATE_TIME.fullmatch(text.strip())
    if found is None:
        return ""
    digits, fraction = found.groups()
    rest = "99991231235959" if latest else "00000101000000"
    return f"{digits + rest[len(digits) :]}.{(fraction or '').ljust(6, '9' if latest else '0')}"


def universal_date_time(text: str, *, latest: bool = False) -> str:
    """Return the normal form of a moment in UTC; nothing when the text names no offset from it."""
    offset = _OFFSET.search(text.strip())
    normal = normal_date_time(text, latest=latest)
    if offset is None or not normal:
        return ""
    sign, hours, minutes = offset.groups()
    ahead = timedelta(hours=int(hours), minutes=int(minutes))
    try:
        local = datetime.strptime(normal[:14], "%Y%m%d%H%M%S")
        universal = local - ahead if sign == "+" else local + ahead
    except (ValueError, OverflowError):
        return ""
    return f"{universal:%Y%m%d%H%M%S}".rjust(14, "0") + normal[14:]


def _fold_group(group: str) -> str:
    components = [_SPACES.sub(" ", part).strip() for part in fold_text(group).split("^")]
    return "^".join(components).rstrip("^")
