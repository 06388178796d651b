"""Very many peers, connections and descriptors at once: served, or told to come back."""

from __future__ import annotations

import os
import resource
import selectors
import socket
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.hostile.bridge import (
    MIB,
    SLACK_BYTES,
    Bridge,
    must_be_true_of_the_ledger,
    running,
    watched,
)
from tests.hostile.sending import EXPLICIT, Sender, fresh_uid
from tests.pacs_bridge.test_wire import echo_request
from tests.pacs_bridge.wire import (
    CT,
    ECHO,
    IMPLICIT,
    Peer,
    associate_request,
    connected,
    p_data,
)
from tests.storage.building import dataset

pytestmark = pytest.mark.slow

CROWD, IDLE, PLACES = 100, 50, 60
PLACE_BYTES = 2 * MIB  # kept by the allocator for each that was served at once, and used again
CONGESTED = b"\0\x02\x03\x02"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"


def test_hundred_at_once_beside_fifty_that_say_nothing_are_served_or_told_to_come_back(
    tmp_path: Path,
) -> None:
    with (
        running(
            tmp_path,
            dicom_max_associations=PLACES,
            dicom_max_associations_per_peer=PLACES,
            dicom_request_timeout=8,
        ) as bridge,
        watched(bridge, may_be_refused=True, slack_bytes=PLACES * PLACE_BYTES),
        ExitStack() as opened,
    ):
        idle = [opened.enter_context(connected(bridge.port)) for _ in range(IDLE)]
        crowd = [opened.enter_context(connected(bridge.port)) for _ in range(CROWD)]
        answers, slowest_s = answered_at_once(crowd, associate_request([(CT, EXPLICIT)]))

        assert Counter(answers)[3] == CROWD - Counter(answers)[2], answers
        assert Counter(answers)[2] >= PLACES - 2  # two may be the watcher's
        assert slowest_s < 1.0
        for peer, kind in zip(crowd, answers, strict=True):
            if kind == 2:
                uid = fresh_uid()
                assert Sender(peer, bridge).store(uid, dataset(uid)) == 0x0000
        assert len(idle) == IDLE
    # `watched` has seen threads and descriptors come back


def answered_at_once(crowd: list[Peer], request: bytes) -> tuple[list[int], float]:
    """Send all requests; return the kind of each answer and how long the slowest took."""
    answers = [0] * len(crowd)
    began = time.monotonic()
    with selectors.DefaultSelector() as waiting:
        for number, peer in enumerate(crowd):
            peer.send(request)
            waiting.register(peer.socket, selectors.EVENT_READ, number)
        while waiting.get_map():
            ready = waiting.select(timeout=10)
            assert ready, "some were never answered"
            slowest_s = time.monotonic() - began
            for key, _ in ready:
                waiting.unregister(key.fileobj)
                kind, body = crowd[key.data].read_pdu()
                assert kind != 3 or body == CONGESTED
                answers[key.data] = kind
    return answers, slowest_s


def test_places_are_free_again_after_each_of_many_crowds(tmp_path: Path) -> None:
    with (
        running(tmp_path, dicom_max_associations=40, dicom_max_associations_per_peer=40) as bridge,
        watched(bridge, may_be_refused=True, slack_bytes=40 * PLACE_BYTES),
    ):
        sizes = []
        for _ in range(6):
            with ExitStack() as opened:
                crowd = [opened.enter_context(connected(bridge.port)) for _ in range(38)]
                answers, _ = answered_at_once(crowd, associate_request([(ECHO, IMPLICIT)]))
                assert answers == [2] * 38
                for peer in crowd:
                    peer.send(p_data(1, 3, echo_request()))
                assert [peer.response().Status for peer in crowd] == [0] * 38
            bridge.all_are_gone()
            sizes.append(bridge.rss_bytes())
        assert sizes[-1] < sizes[1] + SLACK_BYTES  # the first ones make room, others use it


@pytest.fixture
def many_descriptors() -> object:
    """Let this process, and those that it starts, open 4,096 descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip(f"this machine gives a process no more than {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(4096, soft), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_descriptors")
def test_descriptors_beyond_1024_are_served_like_any_other(tmp_path: Path) -> None:
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with running(tmp_path, held_open=held) as bridge:
            for descriptor in held:
                os.close(descriptor)
            held.clear()
            with watched(bridge):
                serves_everything(bridge)
            must_be_true_of_the_ledger(bridge)
    finally:
        for descriptor in held:
            os.close(descriptor)


def serves_everything(bridge: Bridge) -> None:
    """Store and ask over connections whose descriptors are large."""
    assert bridge.descriptors() > 1100
    with ExitStack() as opened:
        peers = [opened.enter_context(connected(bridge.port)) for _ in range(5)]
        for peer in peers:
            peer.associate([(CT, EXPLICIT), (FIND, IMPLICIT)][:1])
            uid = fresh_uid()
            data = dataset(uid, rows=300, columns=300, pixels=bytes(180_000))
            assert Sender(peer, bridge).store(uid, data) == 0x0000
        asking = opened.enter_context(connected(bridge.port))
        asking.associate([(FIND, IMPLICIT), (CT, EXPLICIT)])
        uid = fresh_uid()
        sending = Sender(asking, bridge)
        sending.send(uid, dataset(uid), context_id=3)
        assert sending.hear(uid, dataset(uid)) == 0x0000
        assert largest_socket(bridge) >= 1024


def largest_socket(bridge: Bridge) -> int:
    folder = Path(f"/proc/{bridge.pid}/fd")
    return max(
        int(link.name) for link in folder.iterdir() if os.readlink(link).startswith("socket:")
    )


def test_connections_that_are_reset_while_they_wait_do_not_stop_the_door(tmp_path: Path) -> None:
    with running(tmp_path) as bridge, watched(bridge, may_be_refused=True):
        for _ in range(300):
            line = socket.create_connection(("127.0.0.1", bridge.port))
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            line.close()
