"""Several processes receive on one port: all is kept, limits count over all, one may fall."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from pynetdicom.dsutils import encode

from pacs_bridge import dimse
from tests.flows.conftest import Exchange, make_exchange
from tests.flows.waiting import until
from tests.pacs_bridge.making import ct
from tests.pacs_bridge.wire import CT, Peer, associate_request, connected, p_data

pytestmark = pytest.mark.slow

EXPLICIT = "1.2.840.10008.1.2.1"
PROCESSES = 3
PER_PEER = 5


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    exchange = make_exchange(
        tmp_path_factory.mktemp("many") / "data",
        LYSBRO_DICOM_PROCESSES=str(PROCESSES),
        LYSBRO_DICOM_MAX_ASSOCIATIONS_PER_PEER=str(PER_PEER),
    )
    exchange.start(only="bridge")
    until(lambda: len(receivers(exchange)) == PROCESSES, "the processes", alive=exchange.alive)
    try:
        yield exchange
    finally:
        if exchange.alive():
            assert exchange.stop() == 0


def receivers(exchange: Exchange) -> list[int]:
    """Return the processes that receive: those that say that they listen and are alive."""
    assert exchange.process is not None
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            parent = (entry / "stat").read_text().rpartition(") ")[2].split()[1]
        except OSError:
            continue
        if b"lysbro.receiving" in words and int(parent) == exchange.process.pid:
            found.append(int(entry.name))
    return found


def send(exchange: Exchange, uids: list[str]) -> None:
    with connected(exchange.dicom_port, timeout_s=30) as peer:
        peer.associate([(CT, EXPLICIT)])
        for uid in uids:
            peer.send(p_data(1, 3, dimse.write_store_request(1, CT, uid)))
            peer.send(p_data(1, 2, encode(ct(uid), False, True) or b""))
            assert peer.response().Status == 0x0000


def test_all_that_was_acknowledged_over_all_processes_is_kept(many: Exchange) -> None:
    shares = [[f"1.2.3.{share}.{n}" for n in range(20)] for share in range(4)]

    with ThreadPoolExecutor(4) as senders:
        list(senders.map(lambda uids: send(many, uids), shares))

    until(lambda: '"instances": 80' in many.must("status", "--json"), "the index to follow")


def test_limit_of_a_peer_counts_over_all_processes(many: Exchange) -> None:
    request = associate_request([(CT, EXPLICIT)])
    with ExitStack() as stack:
        answers = []
        for _ in range(PER_PEER + 3):
            peer: Peer = stack.enter_context(connected(many.dicom_port, timeout_s=30))
            peer.send(request)
            answers.append(peer.read_pdu()[0])

    assert answers == [2] * PER_PEER + [3] * 3


def test_process_that_falls_is_started_again_while_the_others_go_on(many: Exchange) -> None:
    before = receivers(many)

    os.kill(before[0], signal.SIGKILL)

    send(many, ["1.2.3.99.1"])
    until(
        lambda: len(now := receivers(many)) == PROCESSES and before[0] not in now,
        "another in its place",
        alive=many.alive,
    )
    send(many, ["1.2.3.99.2"])
