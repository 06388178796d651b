"""An erasure that is killed at any step is carried out by whoever comes next, and loses nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from casework.model import Site, SiteKind
from storage.backup import back_up
from storage.database import open_database
from storage.mirroring import Mirrorer
from storage.mover import packing_folder
from storage.objects import FolderStore
from storage.people import People
from storage.testing import fresh_url
from tests.crash.eraser import HEADER_FIRST, SOUND
from tests.storage.erasing import (
    NAME,
    PIXELS,
    Clock,
    files_with,
    opened,
    pack,
    receive_doomed,
    receive_others,
    receive_twin_in_other_study,
)

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """Give a data folder with a mixed pack, one that is to go, a spool, a backup and a mirror."""
    data, clock = tmp_path / "filled", Clock()
    data.mkdir()
    clock.later(-3600)  # it is put on here, and the erasure must come after
    with fresh_url(data) as url:
        database = open_database(url, data=data)
    People(database, clock).add_site(Site("hammer", "Hammer", SiteKind("hospital")))
    mirror = FolderStore(data / "mirror")
    with opened(data, database, clock, mirror=mirror) as archive:
        receive_others(archive, 1, 2, 3)
        receive_doomed(archive, 1, 2)
        receive_twin_in_other_study(archive, 2)
        assert pack(archive, clock) == 2
        receive_doomed(archive, 3)
        back_up(database, archive.store, packing_folder(data), now=clock())
        mirrorer = Mirrorer(archive, mirror)
        while mirrorer.run_once(clock()):
            pass
    database.close()
    assert files_with(data, NAME, PIXELS)
    return data


def rounds(filled: Path, variant: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash.eraser", filled, filled.with_name("work"), variant],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.splitlines()


def test_an_erasure_killed_at_every_step_is_carried_out_by_the_next_process(filled: Path) -> None:
    told = rounds(filled, SOUND)
    assert len(told) > 20
    assert [line.split(" ", 2)[2] for line in told] == ["ok"] * len(told)
    assert [line.split(" ", 2)[1] for line in told] == ["killed"] * (len(told) - 1) + ["ended"]


def test_an_order_of_steps_that_is_wrong_is_seen(filled: Path) -> None:
    told = rounds(filled, HEADER_FIRST)
    assert "killed bytes in spool/" in told[-1]
    assert all(line.endswith(" killed ok") for line in told[:-1])
