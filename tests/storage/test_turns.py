"""What one process does for all: one has the turn, and another when that one has died."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.database import Database
from storage.testing import fresh_database
from storage.turns import Turns


class Clock:
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def database(tmp_path: Path, database_server: str) -> Iterator[Database]:
    with fresh_database(tmp_path, server=database_server) as fresh:
        yield fresh


def test_a_turn_is_one_processs_until_it_is_given_back(database: Database) -> None:
    clock = Clock()
    one, two = Turns(database, clock, 60), Turns(database, clock, 60)
    with one.held("merge") as is_ones, two.held("merge") as is_twos:
        assert (is_ones, is_twos) == (True, False)
        with two.held("back up") as other:
            assert other
    with two.held("merge") as is_twos:
        assert is_twos


def test_a_turn_passes_on_when_its_holder_is_not_heard_any_more(database: Database) -> None:
    clock = Clock()
    dead, alive = Turns(database, clock, 60), Turns(database, clock, 60)
    assert dead.take("merge")
    clock.passes(59)
    assert dead.take("merge")  # renewed
    clock.passes(59)
    assert not alive.take("merge")
    clock.passes(1)
    assert alive.take("merge")
    dead.give_back("merge")  # it was thought dead: the turn is not its own any more
    assert not dead.take("merge")
