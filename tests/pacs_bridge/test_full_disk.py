"""A full spool: the sender is told to come back, nothing is lost, and room is used as it comes."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from pacs_bridge import dimse
from storage.rows import instance_row
from storage.segments import Segment
from storage.tables import instances
from tests.pacs_bridge.conftest import House, open_house
from tests.pacs_bridge.test_wire import dataset, echo_request, echo_s, element
from tests.pacs_bridge.wire import CT, ECHO, IMPLICIT, Peer, connected, p_data

SMALL_DISK_BYTES = 64 << 20
OBJECT_BYTES = 1 << 20
FRAGMENT_BYTES = 16_000
OUT_OF_RESOURCES = 0xA700
KEPT = {0x0000, 0xB007}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a data folder whose spool is a real file system of 64 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    spool = tmp_path / "spool"
    spool.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "tmpfs", str(spool)]
    done = subprocess.run(mounting, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(spool)], check=True)


def nothing_kept_back(house: House) -> None:
    """Let the disk itself say that it is full."""
    house.archive.spool.reserve_bytes = 0


def a_tenth_kept_back(house: House) -> None:
    """Leave the reserve as it is by default."""


def fill(house: House) -> Callable[[], None]:
    """Fill the disk to the last byte, and return how to free it again."""
    filler = house.archive.spool.folder / "filler"
    with filler.open("wb", buffering=0) as stream, suppress(OSError):
        while stream.write(bytes(1 << 16)):
            pass
    return filler.unlink


def lower_the_limit(house: House) -> Callable[[], None]:
    """Let the spool be at its limit, and return how to raise it again."""
    spool = house.archive.spool
    before = spool.limits
    spool.limits = replace(before, spool_bytes=1)

    def raise_it() -> None:
        spool.limits = before

    return raise_it


def sent(number: int, size_bytes: int = OBJECT_BYTES) -> tuple[str, bytes]:
    uid = f"1.2.3.{number}"
    return uid, dataset(instance=uid) + element(0x7FE0, 0x0010, os.urandom(size_bytes))


def store(peer: Peer, data: bytes, *, instance: str) -> int:
    """Store a data set in many fragments and return the status."""
    peer.send(p_data(1, 3, dimse.write_store_request(1, CT, instance)))
    for start in range(0, len(data), FRAGMENT_BYTES):
        is_last = start + FRAGMENT_BYTES >= len(data)
        peer.send(p_data(1, 2 if is_last else 0, data[start : start + FRAGMENT_BYTES]))
    return int(peer.response().Status)


@pytest.mark.parametrize("size_bytes", [20_000, OBJECT_BYTES])
@pytest.mark.parametrize(
    ("prepare", "exhaust"),
    [(nothing_kept_back, fill), (a_tenth_kept_back, fill), (a_tenth_kept_back, lower_the_limit)],
)
def test_a_full_spool_refuses_for_now_and_takes_again_without_a_restart(
    small_disk: Path,
    prepare: Callable[[House], None],
    exhaust: Callable[[House], Callable[[], None]],
    size_bytes: int,
) -> None:
    acknowledged: set[str] = set()
    with open_house(small_disk) as house:
        prepare(house)
        with connected(house.port) as peer:
            peer.associate([(CT, IMPLICIT), (ECHO, IMPLICIT)])
            for number in range(5):
                uid, content = sent(number, size_bytes)
                assert store(peer, content, instance=uid) in KEPT
                acknowledged.add(uid)
            make_room = exhaust(house)
            refused = 0
            for number in range(5, 60):  # what room there is ahead of small objects is used up
                uid, content = sent(number, size_bytes)
                status = store(peer, content, instance=uid)
                assert status in KEPT | {OUT_OF_RESOURCES}
                refused += status == OUT_OF_RESOURCES
                acknowledged |= {uid} if status in KEPT else set()
            assert refused >= 1
            peer.send(p_data(3, 3, echo_request()))
            assert peer.response().Status == 0x0000
            assert echo_s(house.port) < 5
            make_room()
            for number in range(60, 65):
                uid, content = sent(number, size_bytes)
                assert store(peer, content, instance=uid) in KEPT
                acknowledged.add(uid)
        house.archive.settle()
        assert house.archive.spool_status().failure == ""
        assert kept(house) == acknowledged
        house.archive.close()
        report = house.archive.__class__(
            data=small_disk,
            database=house.database,
            store=house.archive.store,
            limits=house.archive.spool.limits,
        ).start()
        assert (report.rotten, report.missing) == (0, 0)


def test_a_disk_that_does_not_sync_stops_storing_and_nothing_else(tmp_path: Path) -> None:
    def broken(segment: Segment) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with open_house(tmp_path) as house, connected(house.port) as peer:
        peer.associate([(CT, IMPLICIT), (ECHO, IMPLICIT)])
        uid, content = sent(1, 1000)
        assert store(peer, content, instance=uid) in KEPT
        house.archive.settle()
        house.archive.spool._commit._sync = broken  # noqa: SLF001 - as the disk breaks now
        for number in (2, 3):
            uid, content = sent(number, 1000)
            assert store(peer, content, instance=uid) == OUT_OF_RESOURCES
        peer.send(p_data(3, 3, echo_request()))
        assert peer.response().Status == 0x0000
        assert echo_s(house.port) < 5
        assert "Input/output error" in house.archive.spool_status().failure
        assert kept(house) == {"1.2.3.1"}


def kept(house: House) -> set[str]:
    """Return the objects that are in the index and have their bytes."""
    with house.database.read() as conn:
        rows = [instance_row(row) for row in conn.execute(instances.select())]
    for row in rows:
        assert len(house.archive.read_dataset(row)) == row.size_bytes
    return {row.sop_instance_uid for row in rows}
