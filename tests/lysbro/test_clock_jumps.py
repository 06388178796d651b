"""The wall clock of a running exchange jumps by years: it goes by its own count and says so."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from storage import backup
from storage.tables import studies
from tests.hostile.clocks import movable
from tests.lysbro.calling import Desk

pytestmark = pytest.mark.slow

YEAR_S = 31_557_600


@pytest.mark.parametrize("jump_s", [3 * YEAR_S, -3 * YEAR_S])
def test_nothing_expires_waits_or_goes_for_a_clock_that_jumps(
    desk: Desk, slices: Path, tmp_path: Path, jump_s: int
) -> None:
    clock = movable(tmp_path)
    desk = replace(
        desk,
        variables={
            **clock.environment,
            "LYSBRO_QUIET_SECONDS": "3600",
            "LYSBRO_BACKUP_EVERY": "86400",
            "LYSBRO_BACKUPS_KEPT": "1",
        },
    )
    desk.must("import", slices, "--site", "hammer")
    kept = desk.must("backup", "--json").json["key"]
    with subprocess.Popen(
        [sys.executable, "-m", "lysbro", "serve", "--only", "worker"],
        env=desk.environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stderr is not None
        assert any("working" in line for line in worker.stderr)
        clock.move(jump_s)
        (told,) = [next(line for line in worker.stderr if "clock_jumped" in line)]
        assert "wall=" in told
        assert "counted=" in told
        status = desk.process("status").stdout
        clock.move(0)
        assert any("clock_right_again" in line for line in worker.stderr)
        worker.send_signal(signal.SIGTERM)
        worker.stderr.read()
    assert worker.returncode == 0
    (alarm,) = [line for line in status.splitlines() if line.startswith("ALARM")]
    assert "The clock of this machine has jumped: it says " in alarm
    with desk.parts() as parts:
        assert parts.archive.spool_status().instances == 3  # not packed before it is quiet
        with parts.database.read() as conn:
            assert conn.execute(select(studies.c.completeness)).scalars().all() == ["arriving"]
        assert [b.key for b in backup.backups(parts.store)] == [kept]
        assert parts.outbox.dead_letters() == ()
        assert parts.ledger.verify() is None
