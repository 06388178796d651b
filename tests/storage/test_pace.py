"""How long what waits in the spool will take, by the pace of the last packs."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.pace import Pace, Trip, drain_s


def test_the_time_to_drain_is_what_waits_at_the_pace_of_the_last_packs() -> None:
    trips = [Trip(1_000_000, 1.0), Trip(3_000_000, 1.0)]
    assert drain_s(10_000_000, trips) == pytest.approx(5)
    assert drain_s(0, trips) == 0
    assert drain_s(0, []) == 0
    assert drain_s(10, []) is None


def test_the_last_twenty_trips_are_kept_for_other_processes(tmp_path: Path) -> None:
    pace = Pace(tmp_path)
    assert pace.trips() == []
    for number in range(25):
        pace.note(Trip(number, 0.5))
    assert Pace(tmp_path).trips() == [Trip(n, 0.5) for n in range(5, 25)]
    (tmp_path / "pace.json").write_text("torn")
    assert pace.trips() == []
