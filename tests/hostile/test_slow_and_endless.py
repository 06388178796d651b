"""Peers that announce much and send little, that never end, or that never wait for an answer."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pacs_bridge import dimse
from tests.hostile.bridge import MIB, Bridge, running
from tests.hostile.conftest import IDLE_S, LARGEST_BYTES, PDU_S, REQUEST_S
from tests.hostile.sending import EXPLICIT, fresh_uid, sender
from tests.pacs_bridge.wire import CT, Peer, associate_request, connected, p_data
from tests.storage.building import dataset

pytestmark = pytest.mark.slow

ABORT = 7
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT = "1.2.840.10008.1.2"
GRACE_S = 10.0  # a message may be slower than the floor rate for so long
LATE_S = 2.5  # a deadline is looked at every quarter of a second; the rest is a busy machine
CLOSING_S = 2.0 + LATE_S  # what still comes after an abort is read for two seconds, and thrown away
FLAT_BYTES = 40 * MIB
STORE_RQ = p_data(1, 3, dimse.write_store_request(1, CT, "1.2.3"))


def ends_within(peer: Peer, limit_s: float, *, drip: bytes = b"", every_s: float = 0.3) -> None:
    """Read until the peer has closed, sending a byte now and then; fail when it is too late."""
    stop = threading.Event()

    def dripping() -> None:
        for byte in drip:
            if stop.wait(every_s):
                return
            try:
                peer.send(bytes([byte]))
            except OSError:
                return

    began = time.monotonic()
    slow = threading.Thread(target=dripping)
    slow.start()
    try:
        while peer.read_pdu()[0] not in (0, ABORT):
            pass
    finally:
        stop.set()
        slow.join()
    lasted_s = time.monotonic() - began
    assert lasted_s < limit_s + LATE_S, f"the place was held for {lasted_s:.1f} s"


@pytest.mark.parametrize("drip", [b"", bytes(1000)], ids=["stalls", "drips"])
@pytest.mark.parametrize(
    ("begun", "limit_s"),
    [
        (b"", REQUEST_S),
        (b"\x01", REQUEST_S),
        (struct.pack(">BxL", 1, 100_000), REQUEST_S),
        (associate_request([(CT, EXPLICIT)])[:-1], REQUEST_S),
    ],
    ids=["nothing", "a byte", "a large request", "all but a byte"],
)
def test_request_that_never_ends_loses_its_place(
    attacked: Bridge, begun: bytes, limit_s: float, drip: bytes
) -> None:
    with connected(attacked.port) as peer:
        peer.send(begun)
        ends_within(peer, limit_s, drip=b"\0" * len(drip))


@pytest.mark.parametrize("drip", [b"", bytes(1000)], ids=["stalls", "drips"])
@pytest.mark.parametrize(
    ("begun", "limit_s"),
    [
        (struct.pack(">BxL", 4, 130_000), PDU_S),
        (STORE_RQ + p_data(1, 0, bytes(99))[:40], PDU_S),
        (STORE_RQ + struct.pack(">BxLLBB", 4, 131_000, 130_996, 1, 0), PDU_S),
        (struct.pack(">BxL", 5, 4), PDU_S),
    ],
    ids=["announced", "half a fragment", "a large fragment", "half a release"],
)
def test_pdu_that_never_ends_loses_its_place(
    attacked: Bridge, begun: bytes, limit_s: float, drip: bytes
) -> None:
    with connected(attacked.port) as peer:
        peer.associate([(CT, EXPLICIT)])
        peer.send(begun)
        ends_within(peer, limit_s, drip=drip)


@pytest.mark.parametrize("drip", [b"", bytes(1000)], ids=["stalls", "drips"])
def test_query_association_that_never_ends_its_pdu_loses_its_place(
    attacked: Bridge, drip: bytes
) -> None:
    with connected(attacked.port) as peer:
        peer.associate([(FIND, IMPLICIT)])
        peer.send(struct.pack(">BxLLBB", 4, 100_000, 99_996, 1, 3))
        ends_within(peer, PDU_S, drip=drip)


def test_message_below_the_floor_rate_loses_its_place(attacked: Bridge) -> None:
    with connected(attacked.port, timeout_s=20) as peer:
        peer.associate([(CT, EXPLICIT)])
        peer.send(STORE_RQ)
        stop = threading.Event()

        def whole_pdus_now_and_then() -> None:
            while not stop.wait(0.2):
                try:
                    peer.send(p_data(1, 0, b"four"))
                except OSError:
                    return

        slow = threading.Thread(target=whole_pdus_now_and_then)
        slow.start()
        try:
            ends_within(peer, GRACE_S)
        finally:
            stop.set()
            slow.join()


def test_message_after_a_long_pause_has_its_own_time(tmp_path: Path) -> None:
    with running(tmp_path, dicom_pdu_timeout=PDU_S) as bridge, sender(bridge) as sending:
        uid = fresh_uid()
        data = dataset(uid)
        assert sending.store(uid, data) == 0x0000
        pause = threading.Event()
        pause.wait(GRACE_S + 2)  # the pause is the matter of the test
        sending.begin(uid)
        pause.wait(0.6)  # long enough for a look at the clock
        sending.bridge.ledger.sent_whole(uid, data)
        sending.peer.send(p_data(1, 2, data))
        assert sending.hear(uid, data) == 0x0000


def test_association_that_says_nothing_loses_its_place(attacked: Bridge) -> None:
    with connected(attacked.port) as peer:
        peer.associate([(CT, EXPLICIT)])
        ends_within(peer, IDLE_S)


def test_message_that_stops_between_pdus_loses_its_place(attacked: Bridge) -> None:
    with connected(attacked.port) as peer:
        peer.associate([(CT, EXPLICIT)])
        peer.send(STORE_RQ + p_data(1, 0, bytes(1000)))
        ends_within(peer, IDLE_S)


@pytest.mark.parametrize("announced", [140_000, 1 << 20, 1 << 30, (1 << 32) - 1])
@pytest.mark.parametrize("kind", [1, 2, 3, 4, 5, 6, 7, 8, 0])
def test_length_beyond_reason_takes_no_memory(attacked: Bridge, kind: int, announced: int) -> None:
    before = attacked.rss_bytes()
    with connected(attacked.port) as peer:
        peer.associate([(CT, EXPLICIT)])
        peer.send(struct.pack(">BxL", kind, announced) + bytes(1000))
        assert peer.read_pdu()[0] in (0, ABORT)
    with connected(attacked.port) as peer:
        peer.send(struct.pack(">BxL", kind, announced) + bytes(1000))
        assert peer.read_pdu()[0] in (0, ABORT)
    assert attacked.peak_bytes() < before + FLAT_BYTES


def endless(make: Callable[[], bytes]) -> Iterator[bytes]:
    while True:
        yield make()


def sent_until_cut(peer: Peer, pieces: Iterator[bytes], *, within_s: float) -> int:
    """Send until the peer closes; return how many bytes went out."""
    sent, began = 0, time.monotonic()
    for piece in pieces:
        try:
            peer.send(piece)
        except OSError:
            return sent
        sent += len(piece)
        lasted_s = time.monotonic() - began
        assert lasted_s < within_s, f"it was taken for {lasted_s:.1f} s"
    return sent


@pytest.mark.parametrize("syntax_class", [(CT, EXPLICIT), (FIND, IMPLICIT)], ids=["own", "handed"])
@pytest.mark.parametrize("size", [0, 10, 60_000], ids=lambda n: f"{n} bytes")
def test_command_that_never_ends_is_cut_and_takes_no_memory(
    attacked: Bridge, syntax_class: tuple[str, str], size: int
) -> None:
    before = attacked.rss_bytes()
    with connected(attacked.port) as peer:
        peer.associate([syntax_class])
        piece = p_data(1, 1, bytes(size)) * (1 if size > 1000 else 500)
        sent_until_cut(peer, endless(lambda: piece), within_s=CLOSING_S)
    assert attacked.peak_bytes() < before + FLAT_BYTES


def test_data_set_over_the_limit_is_told_so_and_one_that_never_ends_is_cut(
    attacked: Bridge,
) -> None:
    before = attacked.rss_bytes()
    uid = fresh_uid()
    with sender(attacked) as sending:
        large = dataset(uid, rows=2000, columns=2000, pixels=bytes(2 * LARGEST_BYTES))
        assert sending.store(uid, large) == 0xA700
        small = dataset(uid)
        assert sending.store(uid, small) == 0x0000
    with sender(attacked) as sending:
        sending.begin(fresh_uid())
        piece = p_data(1, 0, bytes(100_000))
        sent = sent_until_cut(sending.peer, endless(lambda: piece), within_s=20)
    assert sent > 64 * MIB
    assert attacked.peak_bytes() < before + FLAT_BYTES


def test_identifier_that_never_ends_is_cut(attacked: Bridge) -> None:
    before = attacked.rss_bytes()
    find = dimse.write_elements(
        {
            0x0002: FIND.encode() + b"\0" * (len(FIND) % 2),
            0x0100: struct.pack("<H", dimse.C_FIND_RQ),
            0x0110: b"\1\0",
            0x0700: b"\0\0",
            0x0800: b"\1\0",
        }
    )
    with connected(attacked.port) as peer:
        peer.associate([(FIND, IMPLICIT)])
        peer.send(p_data(1, 3, find))
        piece = p_data(1, 0, bytes(100_000))
        sent_until_cut(peer, endless(lambda: piece), within_s=CLOSING_S)
    assert attacked.peak_bytes() < before + FLAT_BYTES


def test_forty_objects_sent_without_waiting_take_the_memory_of_one(attacked: Bridge) -> None:
    before = attacked.rss_bytes()
    objects = []
    for _ in range(40):
        uid = fresh_uid()
        objects.append((uid, dataset(uid, rows=1300, columns=1300, pixels=bytes(3_380_000))))
    with sender(attacked) as sending:
        feeder = threading.Thread(target=lambda: [sending.send(*one) for one in objects])
        feeder.start()
        statuses = [sending.hear(*one) for one in objects]
        feeder.join()

    assert statuses == [0x0000] * 40
    assert attacked.peak_bytes() < before + FLAT_BYTES


def test_peer_that_never_reads_its_answers_loses_its_place(attacked: Bridge) -> None:
    before = attacked.rss_bytes()
    with sender(attacked, timeout_s=3) as sending:
        sending.peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        uid = fresh_uid()
        data = b"no data set"

        def requests() -> Iterator[bytes]:
            request = p_data(1, 3, dimse.write_store_request(1, CT, uid)) + p_data(1, 2, data)
            yield from endless(lambda: request * 100)

        with contextlib.suppress(TimeoutError):  # both stand still: who waits longer is the matter
            sent_until_cut(sending.peer, requests(), within_s=20)
    attacked.all_are_gone(timeout_s=PDU_S + 10)
    assert attacked.peak_bytes() < before + FLAT_BYTES
