"""The criteria against plain readings of the standard, in Python and in SQL."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Integer, String, literal, select

from storage.criteria import Criterion, Empty, Like, Moments
from storage.database import Database
from storage.folding import normal_date, normal_time, universal_date_time
from storage.matching import criterion, moments

QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def in_sql(database: Database, wanted: Criterion, *values: Any, kind: Any = String) -> bool:
    columns = [literal(value, kind) for value in values]
    with database.read() as conn:
        return conn.execute(select(literal(1)).where(wanted.clause(*columns))).first() is not None


def fits(pattern: str, text: str) -> bool:
    """Tell whether a text fits a pattern, letter by letter (C.2.2.2.4)."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(fits(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and fits(pattern[1:], text[1:])


@QUICK
@given(
    pattern=st.text(alphabet="ab%_\\'*?[", max_size=7), text=st.text(alphabet="ab%_'[", max_size=7)
)
def test_pattern_fits_as_a_plain_reading_has_it(
    migrated: Database, pattern: str, text: str
) -> None:
    wanted = Like(pattern)
    expected = fits(pattern, text)
    if text:  # nothing that is stored is the empty text in Python's form
        assert wanted.covers(text) is expected
    assert in_sql(migrated, wanted, text) is expected


_DAYS = st.dates().map(lambda day: f"{day:%Y%m%d}".rjust(8, "0"))
_TIMES = st.times().map(lambda time: f"{time:%H%M%S.%f}")


@QUICK
@given(
    days=st.tuples(_DAYS, _DAYS).map(sorted),
    times=st.tuples(_TIMES, _TIMES),
    day=_DAYS,
    time=_TIMES,
    is_open=st.sampled_from(["", "low", "high"]),
)
def test_date_and_time_together_are_one_moment(
    migrated: Database, days: list[str], times: tuple[str, str], day: str, time: str, is_open: str
) -> None:
    low, high = (days[0] + times[0], days[1] + times[1])
    asked_days = f"{'' if is_open == 'low' else days[0]}-{'' if is_open == 'high' else days[1]}"
    wanted = moments(criterion("StudyDate", asked_days), criterion("StudyTime", "-".join(times)))
    assert isinstance(wanted, Moments)
    for at in (day + time, low, high):
        expected = (is_open == "low" or low <= at) and (is_open == "high" or at <= high)
        stored = at[:8], at[8:]
        assert wanted.covers(list(stored)) is expected
        assert in_sql(migrated, wanted, normal_date(stored[0]), normal_time(stored[1])) is expected


def test_day_and_time_of_another_form_stay_apart() -> None:
    several = criterion("StudyTime", "10\\11")
    assert moments(criterion("StudyDate", "20260101"), several) is None
    assert moments(None, criterion("StudyTime", "10")) is None
    assert moments(criterion("StudyDate", "20260101"), None) is None


@QUICK
@given(
    at=st.datetimes(datetime(1900, 1, 2), datetime(2100, 1, 1)),
    offsets=st.tuples(*[st.integers(-12, 14)] * 2),
    later_s=st.integers(-3600, 3600),
)
def test_moments_with_an_offset_are_compared_in_utc(
    at: datetime, offsets: tuple[int, int], later_s: int
) -> None:
    def written(moment: datetime, hours: int) -> str:
        zone = timezone(timedelta(hours=hours))
        return f"{moment.replace(tzinfo=timezone.utc).astimezone(zone):%Y%m%d%H%M%S%z}"  # noqa: UP017

    one, other = offsets
    asked = written(at, one) + "-" + written(at + timedelta(minutes=30), one)
    wanted = criterion("AcquisitionDateTime", asked)
    assert wanted is not None
    stored = written(at + timedelta(seconds=later_s), other)
    assert wanted.covers(stored) is (0 <= later_s <= 1800)


@pytest.mark.parametrize(
    ("text", "universal"),
    [
        ("20260102101530+0100", "20260102091530.000000"),
        ("20260102101530.25-0330", "20260102134530.250000"),
        ("2026-0500", "20260101050000.000000"),
        ("20260102101530", ""),
        ("20261332+0100", ""),
        ("00010101+1400", ""),
    ],
)
def test_moment_in_utc(text: str, universal: str) -> None:
    assert universal_date_time(text) == universal


@pytest.mark.parametrize(
    ("value", "is_empty"), [(None, True), ("", True), ([], True), ("A", False), (0, False)]
)
def test_no_value_is_what_is_not_there(value: Any, is_empty: bool) -> None:
    assert Empty().covers(value) is is_empty


def test_no_value_in_sql_is_no_text_or_no_number(migrated: Database) -> None:
    assert in_sql(migrated, Empty(), "")
    assert not in_sql(migrated, Empty(), "A")
    assert not in_sql(migrated, Empty(), "", "B")
    assert in_sql(migrated, Empty(), None, kind=Integer)
    assert not in_sql(migrated, Empty(), 0, kind=Integer)
