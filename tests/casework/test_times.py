from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from casework import clocks
from casework.clocks import STANDARD, Clocks, Outlook, parse_targets
from casework.delivery import MAX_ATTEMPTS, next_attempt, wait_s
from casework.hours import Hours, parse_week
from casework.model import Priority, Specialty
from casework.patience import LONGEST_WAIT_S
from casework.patience import wait_s as patience_s

T0 = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday, ten o'clock in Oslo
RADIOLOGY, DERMATOLOGY = Specialty.RADIOLOGY, Specialty.DERMATOLOGY
ROUTINE, URGENT, ASAP, STAT = Priority.ROUTINE, Priority.URGENT, Priority.ASAP, Priority.STAT


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Oslo"))


DUE = [
    (RADIOLOGY, ROUTINE, "2026-03-05T10:00"),  # three working days
    (RADIOLOGY, URGENT, "2026-03-03T10:00"),
    (RADIOLOGY, ASAP, "2026-03-02T14:00"),
    (RADIOLOGY, STAT, "2026-03-02T11:00"),
    (DERMATOLOGY, ROUTINE, "2026-03-09T10:00"),  # five working days
    (DERMATOLOGY, URGENT, "2026-03-04T10:00"),
    (DERMATOLOGY, ASAP, "2026-03-03T10:00"),
    (DERMATOLOGY, STAT, "2026-03-02T14:00"),
]


@pytest.mark.parametrize(("specialty", "priority", "due"), DUE)
def test_an_answer_is_due_as_its_priority_says(specialty, priority, due):
    assert STANDARD.due_at(T0, priority, specialty) == local(due)


def test_every_specialty_and_priority_has_a_target():
    assert len(DUE) == sum(len(STANDARD.targets[each]) for each in Specialty) == 8


@pytest.mark.parametrize(
    "text", ["", "routine=3wd", "routine=0h urgent=1h asap=1h stat=1h", "routine=3w urgent=1h"]
)
def test_targets_that_say_too_little_are_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - its words are for people
        parse_targets(text)


@pytest.mark.parametrize("priority", [URGENT, ASAP, STAT])
def test_a_pause_moves_a_time_of_the_calendar_by_its_length(priority):
    due = STANDARD.due_at(T0, priority, RADIOLOGY)
    later = STANDARD.resumed(due, priority, RADIOLOGY, paused_at=T0, now=T0 + timedelta(hours=7))
    assert later == due + timedelta(hours=7)
    back = T0 - timedelta(seconds=1)
    assert STANDARD.resumed(due, priority, RADIOLOGY, paused_at=T0, now=back) == due


PAUSES = [  # due, paused, gone on, due then
    ("2026-03-05T10:00", "2026-03-02T12:00", "2026-03-02T14:00", "2026-03-05T12:00"),
    ("2026-03-05T10:00", "2026-03-02T12:00", "2026-03-03T09:00", "2026-03-05T15:00"),
    ("2026-03-05T10:00", "2026-03-02T18:00", "2026-03-03T07:00", "2026-03-05T10:00"),  # a night
    ("2026-03-06T15:00", "2026-03-06T14:00", "2026-03-09T09:00", "2026-03-09T10:00"),
    ("2026-03-03T10:00", "2026-03-04T10:00", "2026-03-04T12:00", "2026-03-03T12:00"),  # late
]


@pytest.mark.parametrize(("due", "paused", "now", "later"), PAUSES)
def test_a_pause_moves_a_time_of_work_by_the_work_in_it(due, paused, now, later):
    moved = STANDARD.resumed(
        local(due), ROUTINE, RADIOLOGY, paused_at=local(paused), now=local(now)
    )
    assert moved == local(later)


def test_another_priority_keeps_the_pauses():
    due = STANDARD.due_at(T0, ROUTINE, RADIOLOGY)
    paused = STANDARD.resumed(due, ROUTINE, RADIOLOGY, paused_at=T0, now=T0 + timedelta(hours=2))
    moved = STANDARD.moved(paused, RADIOLOGY, submitted_at=T0, before=ROUTINE, after=URGENT)
    assert moved == STANDARD.due_at(T0, URGENT, RADIOLOGY) + timedelta(hours=2)
    same = STANDARD.moved(due, RADIOLOGY, submitted_at=T0, before=ROUTINE, after=STAT)
    assert same == STANDARD.due_at(T0, STAT, RADIOLOGY)


FORECASTS = [  # now, due, priority, outlook, read by
    ("2026-03-02T10:00", "2026-03-02T09:59", URGENT, Outlook.LATE, "2026-03-02T10:00"),
    ("2026-03-02T10:00", "2026-03-02T14:00", ASAP, Outlook.TODAY, "2026-03-02T14:00"),
    ("2026-03-06T10:00", "2026-03-07T10:00", URGENT, Outlook.TODAY, "2026-03-06T16:00"),
    ("2026-03-06T18:00", "2026-03-07T18:00", URGENT, Outlook.CLOSED, "2026-03-06T18:00"),
    ("2026-03-05T10:00", "2026-03-06T10:00", URGENT, Outlook.FINE, "2026-03-06T10:00"),
    ("2026-03-06T10:00", "2026-03-09T10:30", ROUTINE, Outlook.FINE, "2026-03-09T10:30"),
    ("2026-03-07T10:00", "2026-03-09T10:30", ROUTINE, Outlook.TODAY, "2026-03-09T10:30"),
    ("2026-03-06T10:00", "2026-03-09T08:00", ROUTINE, Outlook.TODAY, "2026-03-06T16:00"),
]


@pytest.mark.parametrize(("now", "due", "priority", "outlook", "read_by"), FORECASTS)
def test_a_case_says_whether_it_will_be_late(now, due, priority, outlook, read_by):
    found = STANDARD.forecast(local(due), priority, RADIOLOGY, now=local(now))
    assert (found.outlook, found.read_by) == (outlook, local(read_by))


def test_what_is_left_is_counted_by_the_clock_of_the_priority():
    now, due = local("2026-03-06T15:00"), local("2026-03-09T09:00")
    working = STANDARD.forecast(due, ROUTINE, RADIOLOGY, now=now)
    assert (working.left, working.is_working) == (timedelta(hours=2), True)
    calendar = STANDARD.forecast(due, URGENT, RADIOLOGY, now=now)
    assert (calendar.left, calendar.is_working) == (timedelta(hours=66), False)


def test_a_department_that_never_closes_counts_every_hour():
    always = Hours(parse_week("always"), keeps_holidays=False)
    open_all_hours = Clocks(dict.fromkeys(Specialty, always))
    saturday = local("2026-03-07T20:00")
    due = open_all_hours.due_at(saturday, ROUTINE, RADIOLOGY)
    assert due == saturday + timedelta(days=3)
    found = open_all_hours.forecast(due, ROUTINE, RADIOLOGY, now=saturday)
    assert found.outlook is Outlook.FINE
    assert clocks.STANDARD.hours[RADIOLOGY].is_always is False


RETRIES = [
    (1, 5), (2, 10), (3, 20), (4, 40), (5, 80), (6, 160), (7, 320), (8, 640), (9, 1280),
    (10, 2560), (11, 3600), (12, 3600), (59, 3600), (60, None), (61, None),
]  # fmt: skip


@pytest.mark.parametrize(("attempts", "seconds"), RETRIES)
def test_a_failed_delivery_waits_longer_each_time_up_to_an_hour(attempts, seconds):
    expected = None if seconds is None else T0 + timedelta(seconds=seconds)
    assert next_attempt(attempts, now=T0) == expected


def test_a_delivery_is_tried_over_a_weekend():
    in_all = sum(wait_s(n) for n in range(1, MAX_ATTEMPTS))
    assert timedelta(days=2) < timedelta(seconds=in_all) < timedelta(days=3)


PATIENCE = [
    ("account:a", 1, 0), ("account:a", 2, 0), ("account:a", 3, 1), ("account:a", 4, 2),
    ("account:a", 8, 32), ("account:a", 13, 900), ("account:a", 10_000, 900),
    ("address:1", 9, 0), ("address:1", 10, 1), ("address:1", 12, 4), ("address:1", 500, 900),
]  # fmt: skip


@pytest.mark.parametrize(("key", "failures", "seconds"), PATIENCE)
def test_failed_sign_ins_make_wait_longer_but_never_for_good(key, failures, seconds):
    assert patience_s(key, failures, last_at=T0, now=T0) == seconds
    half = T0 + timedelta(seconds=seconds / 2)
    assert patience_s(key, failures, last_at=T0, now=half) == seconds / 2
    assert patience_s(key, failures, last_at=T0, now=T0 + timedelta(seconds=LONGEST_WAIT_S)) == 0
