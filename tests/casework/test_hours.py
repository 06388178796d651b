"""Opening hours: counted against a minute-by-minute count, over holidays and moved clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casework.holidays import easter, norwegian_holidays
from casework.hours import Hours, parse_closed_day, parse_week

OSLO = ZoneInfo("Europe/Oslo")
WEEKDAYS = Hours(parse_week("mon-fri 08:00-16:00"), closed_yearly=frozenset({(12, 24)}))
SPLIT = Hours(
    parse_week("mon-thu 07:30-11:30, mon-thu 12:00-15:45, fri 08:00-14:00, sat-sun 10:00-12:00"),
    closed_dates=frozenset({date(2026, 5, 15)}),
)
ROUND = Hours(parse_week("mon-sun 00:00-24:00"))
ALWAYS = Hours(parse_week("always"), keeps_holidays=False)

EASTERS = [
    (1961, "04-02"), (2000, "04-23"), (2008, "03-23"), (2024, "03-31"), (2025, "04-20"),
    (2026, "04-05"), (2027, "03-28"), (2038, "04-25"), (2285, "03-22"),
]  # fmt: skip


@pytest.mark.parametrize(("year", "day"), EASTERS)
def test_easter_falls_where_the_church_has_it(year: int, day: str) -> None:
    assert easter(year) == date.fromisoformat(f"{year}-{day}")


def test_the_holidays_of_2026_are_those_of_the_calendar() -> None:
    told = "01-01 04-02 04-03 04-05 04-06 05-01 05-14 05-17 05-24 05-25 12-25 12-26"
    assert norwegian_holidays(2026) == {date.fromisoformat(f"2026-{d}") for d in told.split()}


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=OSLO)


AFTER = [  # from, working hours, until
    ("2026-11-23T10:00", 24, "2026-11-26T10:00"),
    ("2026-11-27T15:00", 1, "2026-11-27T16:00"),
    ("2026-11-27T15:00", 1.5, "2026-11-30T08:30"),
    ("2026-11-28T12:00", 8, "2026-11-30T16:00"),  # on a Saturday
    ("2026-04-01T12:00", 8, "2026-04-07T12:00"),  # over Easter
    ("2026-12-23T15:00", 2, "2026-12-28T09:00"),  # over Christmas, Eve and weekend
    ("2026-10-23T15:00", 2, "2026-10-26T09:00"),  # the clock goes back on Sunday
]


@pytest.mark.parametrize(("start", "hours", "end"), AFTER)
def test_working_hours_pass_on_working_days_only(start: str, hours: float, end: str) -> None:
    assert WEEKDAYS.after(local(start), timedelta(hours=hours)) == local(end)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_on_which_the_clock_is_moved_is_as_long_as_it_is(day: str, hours: int) -> None:
    start = local(f"{day}T00:00")
    assert ROUND.worked(start, start + timedelta(days=1)) == timedelta(hours=hours)


moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 6, 1)).map(
    lambda at: at.replace(second=0, microsecond=0, tzinfo=UTC)
)
rules = st.sampled_from([WEEKDAYS, SPLIT, ROUND])


def open_minutes(hours: Hours, start: datetime, minutes: int) -> int:
    """Count one minute after the other."""
    count, closed = 0, {}
    for n in range(minutes):
        wall = (start + timedelta(minutes=n)).astimezone(OSLO)
        day, minute = wall.date(), wall.hour * 60 + wall.minute
        if day not in closed:
            closed[day] = hours.is_closed_on(day)
        count += not closed[day] and any(a <= minute < b for a, b in hours.weekly[day.weekday()])
    return count


@settings(max_examples=40, deadline=None)
@given(rules, moments, st.integers(0, 4 * 1440))
def test_open_time_is_what_a_count_of_minutes_gives(hours: Hours, start: datetime, n: int) -> None:
    counted = open_minutes(hours, start, n)
    assert hours.worked(start, start + timedelta(minutes=n)) == timedelta(minutes=counted)


@settings(max_examples=60, deadline=None)
@given(rules, moments, st.integers(0, 100 * 60))
def test_after_is_the_first_moment_at_which_so_much_is_worked(
    hours: Hours, start: datetime, minutes: int
) -> None:
    span = timedelta(minutes=minutes)
    end = hours.after(start, span)
    assert hours.worked(start, end) == span
    before = end - timedelta(minutes=1)
    assert before < start or hours.worked(start, before) < span


def test_hours_that_never_end_are_those_of_the_calendar() -> None:
    start = local("2026-12-24T20:00")
    assert ALWAYS.is_always
    assert ALWAYS.after(start, timedelta(hours=50)) == start + timedelta(hours=50)
    assert ALWAYS.worked(start, start + timedelta(hours=9)) == timedelta(hours=9)


BAD_WEEKS = [
    "", "mon", "mon-fri", "mon-fri 8:00-16:00", "mon 16:00-08:00", "mon 08:00-24:30",
    "mon 08:00-16:61", "xyz 08:00-16:00", "mon-fri 08:00-16:00, wed 15:00-17:00",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_WEEKS)
def test_what_is_no_week_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its words are for people
        parse_week(text)


def test_closed_days_are_of_every_year_or_of_one() -> None:
    assert parse_closed_day("12-24") == (12, 24)
    assert parse_closed_day("2026-05-15") == date(2026, 5, 15)
    for text in ("13-01", "2026-02-30", "Christmas"):
        with pytest.raises(ValueError):  # noqa: PT011
            parse_closed_day(text)
