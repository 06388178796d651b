from datetime import UTC, datetime, timedelta

import pytest

from casework import clocks
from casework.delivery import MAX_ATTEMPTS, next_attempt, wait_s
from casework.model import Priority, Specialty
from casework.patience import LONGEST_WAIT_S
from casework.patience import wait_s as patience_s

T0 = datetime(2026, 3, 1, 9, tzinfo=UTC)

TARGETS = [
    ("radiology", "routine", "3 days"),
    ("radiology", "urgent", "24 hours"),
    ("radiology", "asap", "4 hours"),
    ("radiology", "stat", "1 hours"),
    ("dermatology", "routine", "5 days"),
    ("dermatology", "urgent", "2 days"),
    ("dermatology", "asap", "24 hours"),
    ("dermatology", "stat", "4 hours"),
]


@pytest.mark.parametrize(("specialty", "priority", "target"), TARGETS)
def test_an_answer_is_due_as_its_priority_says(specialty, priority, target):
    number, unit = target.split()
    due = clocks.due_at(T0, Priority(priority), Specialty(specialty))
    assert due == T0 + timedelta(**{unit: int(number)})


def test_every_specialty_and_priority_has_a_target():
    assert len(TARGETS) == len(clocks.TARGETS) == len(Specialty) * len(Priority)


def test_a_pause_moves_the_due_time_by_its_length():
    due = T0 + timedelta(days=3)
    later = clocks.resumed(due, paused_at=T0, now=T0 + timedelta(hours=7))
    assert later == due + timedelta(hours=7)
    assert clocks.resumed(due, paused_at=T0, now=T0 - timedelta(seconds=1)) == due


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
