"""The texts of both languages: English in the source, bokmål in viewer/translations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LANGUAGES: Mapping[str, str] = MappingProxyType({"en": "English", "nb": "Norsk"})

_FOLDER = Path(__file__).parent / "translations"
_MONTHS: Mapping[str, str] = {
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "nb": "jan. feb. mars april mai juni juli aug. sep. okt. nov. des.",
}


@cache
def pages_of(language: str) -> Mapping[str, Mapping[str, str]]:
    """Return the catalogues of a language by page: English text to translated text."""
    return {
        path.stem: json.loads(path.read_text("utf-8"))
        for path in sorted((_FOLDER / language).glob("*.json"))
    }


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return all texts of a language, every page's catalogue merged."""
    return {text: said for page in pages_of(language).values() for text, said in page.items()}


def mark(text: str) -> str:
    """Return a text as it is, and mark it as one that is translated where it is used."""
    return text


def translate(text: str, language: str, **params: object) -> str:
    """Return a text in a language, its `{name}` places filled in; English where none is known."""
    said = catalogue(language).get(text, text)
    return said.format(**params) if params else said


def day_in(value: date, language: str) -> str:
    """Return a date as `23 Nov 2026`, in a language."""
    dot = "." if language == "nb" else ""
    return f"{value.day}{dot} {_MONTHS[language].split()[value.month - 1]} {value.year}"


def moment_in(value: datetime, language: str, zone: ZoneInfo) -> str:
    """Return a time as `23 Nov 2026, 10:42`, in a language and a time zone."""
    local = value.astimezone(zone)
    return f"{day_in(local.date(), language)}, {local:%H:%M}"


@cache
def zone_of(name: str) -> ZoneInfo:
    """Return a time zone; UTC on a machine that does not know it."""
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        return ZoneInfo("UTC")
