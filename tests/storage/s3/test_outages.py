"""Outages of a real S3 server, seen through what receives and what packs.

Down, slow, answering 5xx, cutting uploads, losing answers, flipping bytes: receiving goes on,
nothing is said to be stored that is not, and afterwards the spool drains by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from casework.access import Scope
from casework.errors import Unavailable
from storage import care
from storage.archive import Archive
from storage.index import Index
from storage.journal import new_digest
from storage.mover import Mover
from storage.objects.s3 import S3Store
from storage.part10 import EXPLICIT_LE
from tests.flows.waiting import until
from tests.storage.archives import Clock, OpenArchive
from tests.storage.building import CT, ORIGIN, dataset
from tests.storage.s3.fault_proxy import FaultProxy, serve
from tests.storage.s3.servers import Server, impatient

pytestmark = pytest.mark.peers

OBJECTS = 12
QUIET_S = 60.0


@pytest.fixture(params=["rclone", "swift"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with serve(server.port) as running:
        yield running


@pytest.fixture
def store(server: Server, proxy: FaultProxy, tmp_path: Path) -> Iterator[S3Store]:
    place = impatient(server.place(port=proxy.port))
    opened = S3Store(place, found_in=tmp_path / "self-test.json")
    yield opened
    opened.close()


def receive(archive: Archive, number: int, *, pixels: int = 32) -> str:
    """Take an object in, in a series of its own of three, and return its hash."""
    uid = f"1.2.3.{number}"
    content = dataset(
        uid, series=f"1.2.9.{number // 3}", number=number, pixels=bytes(range(32)) * (pixels // 32)
    )
    receipt = archive.receive(
        content,
        ORIGIN,
        sop_class_uid=CT,
        sop_instance_uid=uid,
        transfer_syntax_uid=EXPLICIT_LE,
    )
    return receipt.sha256


def receive_all(archive: Archive) -> dict[str, str]:
    found = {f"1.2.3.{n}": receive(archive, n) for n in range(OBJECTS)}
    archive.settle()
    return found


def drain(archive: Archive, mover: Mover, store: S3Store, clock: Clock) -> None:
    """Let the mover work as the worker does, until nothing waits; time passes between its runs."""
    for _ in range(40):
        report = mover.run_once(clock.later(QUIET_S))
        if report.failure:
            wait_for_the_breaker(store)
        elif not archive.spool_status().instances:
            return
    raise AssertionError(f"the spool did not drain: {report.failure}")


def wait_for_the_breaker(store: S3Store) -> None:
    """Let the breaker's pause pass: it counts by the clock of the machine."""

    def answers() -> bool:
        try:
            store.exists("v1/none")
        except Unavailable:
            return False
        return True

    until(answers, "the store to be asked again", timeout_s=40)


def require_all_in_the_store(
    archive: Archive, acknowledged: dict[str, str], everything: Scope
) -> None:
    """Every acknowledged object lies in a pack and has its hash; nothing is left over."""
    assert archive.spool_status().instances == 0
    index = Index(archive.database)
    for uid, sha256 in acknowledged.items():
        row = index.instance(everything, uid)
        assert row is not None
        assert row.location.where == "pack"
        digest = new_digest(row.transfer_syntax_uid)
        digest.update(archive.read_dataset(row))
        assert row.sha256 == sha256 == digest.hexdigest()
    report = care.verify(archive)
    assert (report.missing, report.corrupt, report.orphaned) == ((), (), ())
    assert report.checked == len(acknowledged)


DOWN: dict[str, dict[str, Any]] = {
    "refusing": {"kind": "refuse"},
    "answering 500": {"kind": "status", "status": 500},
    "answering 503": {"kind": "status", "status": 503},
    "silent": {"kind": "delay", "seconds": 3.0},
    "cutting uploads": {"kind": "cut-request", "method": "PUT", "at_byte": 700},
    "losing every answer": {"kind": "lose-answer"},
    "cutting every answer": {"kind": "cut-answer", "at_byte": 3, "method": "GET"},
}


@pytest.mark.parametrize("how", sorted(DOWN))
def test_while_the_store_is_away_receiving_goes_on_and_afterwards_the_spool_drains(
    how: str,
    open_archive: OpenArchive,
    proxy: FaultProxy,
    store: S3Store,
    clock: Clock,
    everything: Scope,
) -> None:
    archive = open_archive()
    mover = Mover(archive, quiet_s=QUIET_S)
    proxy.tell(**DOWN[how])
    acknowledged = receive_all(archive)
    for _ in range(3):
        report = mover.run_once(clock.later(QUIET_S + 5))
        assert report.packed == 0
        assert report.failure
    status = archive.spool_status()
    assert status.instances == OBJECTS
    assert status.waiting_bytes > 0
    assert status.oldest_at is not None
    assert status.packing_failure
    row = Index(archive.database).instance(everything, "1.2.3.1")
    assert row is not None
    assert row.location.where == "spool"
    assert archive.read_dataset(row)  # reading serves what the spool has
    proxy.heal()
    wait_for_the_breaker(store)
    drain(archive, mover, store, clock)
    assert archive.spool_status().packing_failure == ""
    require_all_in_the_store(archive, acknowledged, everything)
    assert len(list(store.list("v1/"))) == OBJECTS // 3


def test_an_answer_that_is_lost_leaves_one_object_and_no_conflict(
    open_archive: OpenArchive, proxy: FaultProxy, store: S3Store, clock: Clock, everything: Scope
) -> None:
    archive = open_archive()
    store.capabilities()
    acknowledged = receive_all(archive)
    fault = proxy.tell("lose-answer", method="PUT", path="/v1/", times=4)
    mover = Mover(archive, quiet_s=QUIET_S)
    drain(archive, mover, store, clock)
    assert fault.hit == 4
    lost = [s.status for s in proxy.seen if s.method == "PUT" and not s.is_answer_delivered]
    assert 200 in lost  # the server had done it before its answer was lost
    require_all_in_the_store(archive, acknowledged, everything)


def test_a_byte_that_is_flipped_on_its_way_there_is_found(
    open_archive: OpenArchive, proxy: FaultProxy, store: S3Store, clock: Clock, everything: Scope
) -> None:
    archive = open_archive()
    store.capabilities()
    acknowledged = receive_all(archive)
    fault = proxy.tell("flip-request", method="PUT", path="/v1/", at_byte=400, times=3)
    mover = Mover(archive, quiet_s=QUIET_S)
    drain(archive, mover, store, clock)
    assert fault.hit == 3
    require_all_in_the_store(archive, acknowledged, everything)


def test_while_every_byte_is_flipped_on_its_way_back_nothing_is_verified(
    open_archive: OpenArchive, proxy: FaultProxy, store: S3Store, clock: Clock, everything: Scope
) -> None:
    archive = open_archive()
    store.capabilities()
    acknowledged = receive_all(archive)
    proxy.tell("flip-answer", method="GET", path="/v1/", at_byte=400)
    mover = Mover(archive, quiet_s=QUIET_S)
    report = mover.run_once(clock.later(QUIET_S + 5))
    assert (report.packed, archive.spool_status().instances) == (0, OBJECTS)
    proxy.heal()
    drain(archive, mover, store, clock)
    require_all_in_the_store(archive, acknowledged, everything)


def test_with_durability_store_nothing_is_acknowledged_while_the_store_is_away(
    open_archive: OpenArchive, proxy: FaultProxy, store: S3Store, clock: Clock
) -> None:
    archive = open_archive("store")
    receive(archive, 1)
    proxy.tell("refuse")
    for number in (2, 3):
        with pytest.raises(Unavailable) as caught:
            receive(archive, number)
        assert caught.value.code == "store-down"
        assert store.place.endpoint in caught.value.message
    proxy.heal()
    wait_for_the_breaker(store)
    clock.later(120)
    receive(archive, 2)


def test_the_time_to_drain_follows_from_the_last_packs(
    open_archive: OpenArchive, proxy: FaultProxy, store: S3Store, clock: Clock
) -> None:
    archive = open_archive()
    receive_all(archive)
    assert archive.spool_status().drain_s is None  # no pack has been timed yet
    mover = Mover(archive, quiet_s=QUIET_S)
    drain(archive, mover, store, clock)
    assert archive.spool_status().drain_s == 0
    proxy.tell("refuse")
    for number in range(100, 100 + OBJECTS):
        receive(archive, number)
    archive.settle()
    left_s = archive.spool_status().drain_s
    assert left_s is not None
    assert 0 < left_s < 600
