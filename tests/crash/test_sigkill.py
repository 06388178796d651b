"""A receiver killed at any moment: at the next start all that it acknowledged is there and whole.

Kill -9 leaves the page cache: this proves the order of steps, not that the disk flushes.
"""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from casework.errors import NotFound
from storage import care
from storage.archive import Archive, SpoolLimits, utc_now
from storage.database import Database
from storage.journal import new_digest
from storage.mover import Mover
from storage.objects import FolderStore
from storage.rows import InstanceRow, instance_row
from storage.segments import segment_paths
from storage.tables import instances
from storage.testing import fresh_database
from tests.crash.writer import EARLY, SOUND, STORE

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = int(os.environ.get("LYSBRO_CRASH_ROUNDS", "6"))
LONGEST_S = 0.6
STARTS_WITHIN_S = 60


@dataclass(frozen=True)
class Round:
    """What one life of the writer promised."""

    acknowledged: dict[str, str]


def live_and_die(data: Path, *, seed: int, variant: str) -> Round:
    """Start the writer, kill it after a random while, and return what it had acknowledged."""
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.writer", str(data), str(seed), variant],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert writer.stdout is not None
    told = bytearray()
    try:
        told += until_first_promise(writer.stdout.fileno())
        # the one pause here: the moment of the kill is the matter of the test
        deadline = time.monotonic() + random.Random(seed).uniform(0, LONGEST_S)
        while (left := deadline - time.monotonic()) > 0:
            told += available(writer.stdout.fileno(), left)
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    told += writer.stdout.read()
    writer.stdout.close()
    assert writer.returncode == -signal.SIGKILL
    lines = told.decode().splitlines()
    return Round(dict(line.split() for line in lines if " " in line))


def until_first_promise(descriptor: int) -> bytes:
    """Read until the writer is at work, however long the machine needs to start it."""
    told = b""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while b" " not in told:
        assert time.monotonic() < deadline, "the writer did not start"
        told += available(descriptor, 1)
    return told


def available(descriptor: int, wait_s: float) -> bytes:
    ready, _, _ = select.select([descriptor], [], [], wait_s)
    if not ready:
        return b""
    data = os.read(descriptor, 1 << 20)
    assert data, "the writer ended by itself"
    return data


def reopened(data: Path, database: Database, *, clock: Callable[[], datetime] = utc_now) -> Archive:
    return Archive(
        data=data,
        database=database,
        store=FolderStore(data / "store"),
        limits=SpoolLimits(spool_bytes=8 << 30, reserve_bytes=0),
        clock=clock,
    )


def lost_after_a_start(data: Path, database: Database, acknowledged: dict[str, str]) -> list[str]:
    """Recover, and return what was acknowledged and is not indexed with its bytes."""
    archive = reopened(data, database)
    report = archive.start()
    assert (report.missing, report.rotten) == (0, 0)
    archive.settle(timeout_s=30)
    with database.read() as conn:
        rows = {row.sop_instance_uid: instance_row(row) for row in conn.execute(instances.select())}
    lost = [
        uid
        for uid, sha256 in acknowledged.items()
        if uid not in rows or not is_whole(archive, rows[uid], sha256)
    ]
    archive.close()
    return lost


def is_whole(archive: Archive, row: InstanceRow, sha256: str) -> bool:
    digest = new_digest(row.transfer_syntax_uid)
    try:
        digest.update(archive.read_dataset(row))
    except NotFound:
        return False
    return bool(digest.hexdigest() == sha256)


@pytest.mark.timeout(300 + 30 * ROUNDS)
def test_nothing_that_was_acknowledged_is_lost_when_the_receiver_is_killed(tmp_path: Path) -> None:
    acknowledged: dict[str, str] = {}
    with fresh_database(tmp_path) as database:
        for seed in range(ROUNDS):
            acknowledged |= live_and_die(tmp_path, seed=seed, variant=SOUND).acknowledged
            assert lost_after_a_start(tmp_path, database, acknowledged) == []
        assert len(acknowledged) >= ROUNDS
        assert database.faults() == []
        archive = reopened(tmp_path, database)
        archive.start()
        assert care.verify(archive).is_clean
        archive.close()


@pytest.mark.timeout(300 + 30 * ROUNDS)
def test_nothing_that_the_store_has_is_lost_with_the_node(tmp_path: Path) -> None:
    """Kill the receiver, and lose its spool whole, with what its index did not know yet."""
    acknowledged: dict[str, str] = {}
    for seed in range(2000, 2000 + max(2, ROUNDS // 4)):
        fresh = tmp_path / str(seed)
        fresh.mkdir()
        with fresh_database(fresh) as database:
            acknowledged = live_and_die(fresh, seed=seed, variant=STORE).acknowledged
            for path in segment_paths(fresh / "spool"):
                path.unlink()
            archive = reopened(fresh, database, clock=lambda: utc_now() + timedelta(hours=1))
            archive.start()  # tells of what was indexed, and lost before the store had it
            assert Mover(archive, quiet_s=1e9).run_once(archive.clock()).failure == ""
            archive.settle(timeout_s=30)
            with database.read() as conn:
                rows = [instance_row(row) for row in conn.execute(instances.select())]
            whole = {r.sop_instance_uid for r in rows if is_whole(archive, r, r.sha256)}
            assert acknowledged.keys() - whole == set()
            archive.close()


@pytest.mark.timeout(300)
def test_the_harness_finds_a_receiver_that_acknowledges_too_early(tmp_path: Path) -> None:
    lost: list[str] = []
    with fresh_database(tmp_path) as database:
        for seed in range(1000, 1012):
            told = live_and_die(tmp_path, seed=seed, variant=EARLY)
            lost += lost_after_a_start(tmp_path, database, told.acknowledged)
            if lost:
                break
    assert lost
