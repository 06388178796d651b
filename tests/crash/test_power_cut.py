"""A power cut drops what was never synced: nothing that was acknowledged is among it.

The disk is played: of each segment what lay in it at its last sync is left, and of the blocks that
were written since then any part, or nothing, or noise.
"""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from casework.custody import Receipt
from storage.archive import Archive, SpoolLimits
from storage.journal import SEGMENT_HEADER_BYTES
from storage.objects import MemoryStore
from storage.part10 import EXPLICIT_LE
from storage.rows import instance_row
from storage.segments import Segment, segment_paths
from storage.tables import instances
from storage.testing import fresh_database
from tests.storage.building import CT, ORIGIN, dataset

pytestmark = pytest.mark.slow

LIMITS = SpoolLimits(spool_bytes=1 << 30, reserve_bytes=0)


BLOCK = 4096


class Disk:
    """Remembers what of each segment is on stable storage: its bytes at the last sync."""

    def __init__(self, *, is_honest: bool = True) -> None:
        self.synced: dict[str, bytes] = {}
        self._is_honest = is_honest
        self._lock = threading.Lock()

    def sync(self, segment: Segment) -> None:
        content = segment.path.read_bytes()
        if self._is_honest:
            segment.sync()
            with self._lock:
                self.synced[segment.name] = content

    def cut_power(self, spool: Path, after: Path, *, seed: int) -> None:
        """Write what a disk may hold after the cut into another folder."""
        chosen = random.Random(seed)
        after.mkdir(parents=True)
        for path in segment_paths(spool):
            data = path.read_bytes()
            kept = self.synced.get(path.name, data[:SEGMENT_HEADER_BYTES])
            size = chosen.randint(len(kept), max(len(kept), len(data)))
            found = bytearray(kept.ljust(size, b"\x00"))
            for at in range(0, size, BLOCK):  # blocks reach the disk in any order
                become = chosen.choice(("old", "new", "noise"))
                for i in range(at, min(at + BLOCK, size)) if become != "old" else ():
                    if found[i] != data[i]:
                        found[i] = data[i] if become == "new" else chosen.randrange(256)
            (after / path.name).write_bytes(found)


def receive_many(folder: Path, disk: Disk, *, seed: int) -> list[Receipt]:
    """Receive from several threads, and stop in the middle of some objects as a cut does."""
    with fresh_database(folder) as database:
        archive = Archive(
            data=folder, database=database, store=MemoryStore(), limits=LIMITS, sync=disk.sync
        )
        archive.start()

        def receive(number: int) -> Receipt:
            uid = f"1.2.3.{number}"
            side = (8, 40, 400)[number % 3]
            content = dataset(
                uid, rows=side, columns=side, pixels=random.Random(number).randbytes(side**2 * 2)
            )
            with archive.begin(
                ORIGIN, sop_class_uid=CT, sop_instance_uid=uid, transfer_syntax_uid=EXPLICIT_LE
            ) as intake:
                intake.write(content)
                return intake.commit()

        with ThreadPoolExecutor(6) as pool:
            receipts = list(pool.map(receive, range(60)))
        unfinished = [
            archive.begin(
                ORIGIN, sop_class_uid=CT, sop_instance_uid="1.9", transfer_syntax_uid=EXPLICIT_LE
            )
            for _ in range(3)
        ]
        for intake in unfinished:
            intake.write(dataset("1.9", pixels=bytes(400_000))[:-7])
        disk.cut_power(archive.spool.folder, folder / "after" / "spool", seed=seed)
        for intake in unfinished:
            intake.abort()
        archive.close()
    return receipts


def found_after_the_cut(folder: Path, *, is_honest: bool = True) -> dict[str, str]:
    """Start on what the disk holds, with a new database, and return the sound objects."""
    with fresh_database(folder) as database:
        archive = Archive(data=folder, database=database, store=MemoryStore(), limits=LIMITS)
        report = archive.start()
        assert report.rotten == 0 or not is_honest
        archive.settle(timeout_s=30)
        with database.read() as conn:
            rows = [instance_row(row) for row in conn.execute(instances.select())]
        for row in rows:
            assert len(archive.read_dataset(row)) == row.size_bytes
        archive.close()
        return {row.sop_instance_uid: row.sha256 for row in rows}


@pytest.mark.parametrize("run", range(3))
def test_nothing_that_was_acknowledged_is_lost_in_a_power_cut(tmp_path: Path, run: int) -> None:
    receipts = receive_many(tmp_path, Disk(), seed=run)
    assert found_after_the_cut(tmp_path / "after") == {
        r.sop_instance_uid: r.sha256 for r in receipts
    }


def test_the_harness_finds_a_disk_that_does_not_sync(tmp_path: Path) -> None:
    receipts = receive_many(tmp_path, Disk(is_honest=False), seed=0)
    assert len(found_after_the_cut(tmp_path / "after", is_honest=False)) < len(receipts)
