"""Computes on which days Norway rests: the fixed holidays and those that move with Easter.

Knows nothing of opening hours; days that only a house keeps are for its settings to say.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

_FIXED = ((1, 1), (5, 1), (5, 17), (12, 25), (12, 26))
_FROM_EASTER_DAYS = (-3, -2, 0, 1, 39, 49, 50)
"""Maundy Thursday, Good Friday, Easter Sunday and Monday, Ascension Day, Whit Sunday and Monday."""


def easter(year: int) -> date:
    """Return Easter Sunday of the Gregorian calendar, by golden number, epact and Sunday letter."""
    golden, century = year % 19, year // 100
    leaps_left_out = century - century // 4
    moon_shift = (8 * century + 13) // 25
    epact = (leaps_left_out - moon_shift + 19 * golden + 15) % 30
    full_moon = epact - (epact // 28) * (1 - (29 // (epact + 1)) * ((21 - golden) // 11))
    weekday = (year + year // 4 + full_moon + 2 - leaps_left_out) % 7
    from_march = full_moon - weekday
    month = 3 + (from_march + 40) // 44
    return date(year, month, from_march + 28 - 31 * (month // 4))


@lru_cache(maxsize=64)
def norwegian_holidays(year: int) -> frozenset[date]:
    """Return the public holidays of a year."""
    movable = easter(year)
    fixed = {date(year, month, day) for month, day in _FIXED}
    return frozenset(fixed | {movable + timedelta(days=n) for n in _FROM_EASTER_DAYS})
