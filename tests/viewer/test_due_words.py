"""What is said of a running clock: how long there is, and whether the case will be late."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from casework.access import scope_of
from casework.model import Priority, Specialty
from lysbro.settings import load
from storage.due import count_by
from tests.viewer.conftest import World
from viewer.due_words import time_left, within_words


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Oslo"))


TOLD = [  # now, due, what is said
    ("2026-03-02T10:00", "2026-03-02T09:30", "30 min late"),
    ("2026-03-02T10:00", "2026-03-02T14:00", "4 h left"),
    ("2026-03-05T10:00", "2026-03-06T10:00", "24 h left"),
    ("2026-03-06T10:00", "2026-03-07T10:00", "24 h left, late unless read today"),
    ("2026-03-06T18:00", "2026-03-07T18:00", "24 h left, due before anyone is in again"),
    ("2026-03-07T10:00", "2026-03-10T08:00", "2 days left, late unless read Mon"),
]


@pytest.mark.parametrize(("now", "due", "told"), TOLD)
def test_a_case_says_whether_it_will_be_late(
    shared_world: World, now: str, due: str, told: str
) -> None:
    case_id = shared_world.derm_case()
    scope = scope_of(shared_world.actors["referrer@fjord"])
    case = shared_world.parts.casebook.dossier(scope, case_id).case
    case = replace(case, due_at=local(due), priority=Priority.URGENT)
    with shared_world.app.test_request_context("/"):
        text, tone = time_left(case, local(now))
    assert text == told
    assert tone == ("act" if "late" in told or "before" in told else "")


def test_a_target_is_said_by_its_own_clock(shared_world: World) -> None:
    with shared_world.app.test_request_context("/"):
        assert within_words(Priority.ROUTINE, Specialty.DERMATOLOGY) == "within 5 working days"
        assert within_words(Priority.URGENT, Specialty.DERMATOLOGY) == "within 2 days"
        assert within_words(Priority.STAT, Specialty.RADIOLOGY) == "within 1 h"


@pytest.mark.parametrize("hours", ["always", "mon-fri 08:00-16:00"])
def test_a_case_that_is_made_of_a_study_is_due_by_the_clocks_of_the_exchange(
    world: World, hours: str
) -> None:
    clocks = load(environment={"LYSBRO_HOURS_RADIOLOGY": hours}).clocks
    count_by(world.parts.database, clocks)
    study = world.store("hammer")
    case_id = world.case_of("hammer", study.StudyInstanceUID)
    scope = scope_of(world.actors["radiologist@centre"])
    case = world.parts.casebook.dossier(scope, case_id).case
    assert case.submitted_at is not None
    due = clocks.due_at(case.submitted_at, Priority.ROUTINE, Specialty.RADIOLOGY)
    assert case.due_at is not None
    assert abs((case.due_at - due).total_seconds()) < 1
