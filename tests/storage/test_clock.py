"""A wall clock that jumps: the count of time goes on, and the jump is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from casework.model import Actor, SiteKind
from storage import backup
from storage.clock import FILE_NAME, JUMP_S, SteadyClock, warn_when_behind
from storage.database import Database
from storage.ledger import Ledger
from storage.objects import MemoryStore

HOUR_S = 3600.0
YEAR_S = 365.25 * 24 * HOUR_S
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ADMIN = Actor("user:1", "Ola", "nordlys", SiteKind.CENTRE)


class Machine:
    """A machine whose two clocks a test moves."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.wall_s = NOON.timestamp()
        self.count_s = 1000.0
        self.opened: list[SteadyClock] = []

    def clock(self) -> SteadyClock:
        """Return the clock of one more process."""
        clock = SteadyClock(self.data, wall=lambda: self.wall_s, count=lambda: self.count_s)
        self.opened.append(clock)
        return clock

    def passes(self, seconds: float) -> None:
        self.wall_s += seconds
        self.count_s += seconds

    def close(self) -> None:
        for clock in self.opened:
            clock.close()
        self.opened.clear()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.close()


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S, 10 * YEAR_S, -20 * YEAR_S])
def test_clock_that_jumps_is_not_followed_and_is_told_once_with_both_times(
    machine: Machine, jump_s: float
) -> None:
    clock = machine.clock()
    machine.passes(10)
    assert (clock(), clock.jump()) == (after(10), None)
    machine.wall_s += jump_s
    with capture_logs() as logs:
        for _ in range(3):
            machine.passes(5)
            clock()
    assert clock() == after(25)
    jump = clock.jump()
    assert jump is not None
    assert (jump.wall, jump.counted, jump.seconds) == (after(25 + jump_s), after(25), jump_s)
    for at in (after(15), after(15 + jump_s)):
        assert f"{at:%Y-%m-%d %H:%M:%S} UTC" in str(logs)
    assert [line["event"] for line in logs] == ["clock_jumped"]
    assert f"{after(25):%H:%M:%S}" in jump.in_words()


def test_clock_that_is_set_right_is_believed_again(machine: Machine) -> None:
    clock = machine.clock()
    machine.wall_s += HOUR_S
    clock()
    machine.wall_s -= HOUR_S
    with capture_logs() as logs:
        assert clock() == after(0)
    assert (clock.jump(), [line["event"] for line in logs]) == (None, ["clock_right_again"])


def test_small_steps_are_followed_however_many(machine: Machine) -> None:
    clock = machine.clock()
    for _ in range(50):
        machine.passes(60)
        machine.wall_s -= JUMP_S / 2
        clock()
    assert clock() == after(50 * JUMP_S / 2)
    assert machine.clock()() == clock()  # and a process that starts later goes by the same


def test_process_that_starts_after_the_jump_goes_by_the_count_of_the_others(
    machine: Machine,
) -> None:
    clock = machine.clock()
    machine.wall_s += YEAR_S
    machine.passes(30)
    assert machine.clock()() == clock() == after(30)


def test_exchange_that_is_started_anew_believes_the_clock(machine: Machine) -> None:
    machine.clock()
    machine.wall_s += YEAR_S
    machine.close()
    assert machine.clock()() == after(YEAR_S)


def test_count_of_an_earlier_run_of_the_machine_is_not_believed(machine: Machine) -> None:
    first = machine.clock()
    text = (machine.data / FILE_NAME).read_text()
    (machine.data / FILE_NAME).write_text(text.replace('"boot": "', '"boot": "0'))
    machine.count_s = 5.0
    assert machine.clock()() == after(0)
    (machine.data / FILE_NAME).write_bytes(os.urandom(100))
    assert machine.clock()() == after(0)
    assert first.jump() is not None


def test_clock_behind_the_audit_is_told_with_both_times(sited: Database) -> None:
    Ledger(sited, lambda: NOON).append(None, actor=ADMIN, action="site-added", subject="hammer")
    with capture_logs() as logs:
        warn_when_behind(sited, NOON + timedelta(hours=1))
        assert logs == []
        warn_when_behind(sited, NOON - timedelta(days=400))
    (told,) = logs
    assert (told["event"], told["audited"]) == ("clock_behind", "2026-03-01 12:00:00 UTC")
    assert told["wall"].startswith("2025-01-25")


def test_newest_backup_is_the_last_made_whatever_the_clock_said(
    sited: Database, tmp_path: Path
) -> None:
    store = MemoryStore()
    keys = []
    for at in (NOON, NOON + timedelta(days=3650), NOON + timedelta(days=1), NOON):
        kept = backup.back_up(sited, store, tmp_path / "packing", now=at)
        assert backup.backups(store)[0].key == kept.key
        keys.append(kept.key)
    backup.remove_older(store, keep=2)
    assert [kept.key for kept in backup.backups(store)] == [keys[3], keys[2]]
