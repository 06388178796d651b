"""What a broken or hostile peer sends: each is answered or cut off, and the next one is served."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from casework.access import Scope
from casework.errors import Unavailable
from pacs_bridge import dimse
from storage.segments import segment_paths
from tests.flows.waiting import until
from tests.pacs_bridge.conftest import House, open_house
from tests.pacs_bridge.wire import CT, ECHO, IMPLICIT, Peer, associate_request, connected, p_data

pytestmark = pytest.mark.slow

ABORT, REJECT, ACCEPT = 7, 3, 2
STORE = [(CT, IMPLICIT)]
ALL = Scope(sites=None, specialties=None, own_site="")


def element(group: int, number: int, value: bytes) -> bytes:
    return struct.pack("<HHL", group, number, len(value)) + value


def uid(text: str) -> bytes:
    return text.encode() + b"\0" * (len(text) % 2)


def dataset(*, sop_class: str = CT, instance: str = "1.2.3", study: str = "1.2.1") -> bytes:
    parts = [(0x0008, 0x0016, sop_class), (0x0008, 0x0018, instance)]
    parts += [(0x0020, 0x000D, study), (0x0020, 0x000E, "1.2.2")]
    return b"".join(element(g, n, uid(text)) for g, n, text in parts if text)


def store(peer: Peer, data: bytes, *, instance: str = "1.2.3", sop_class: str = CT) -> int:
    """Store a data set in context 1 and return the status."""
    peer.send(p_data(1, 3, dimse.write_store_request(1, sop_class, instance)))
    peer.send(p_data(1, 2, data))
    return int(peer.response().Status)


def echo_s(port: int) -> float:
    """Return how long an association with a C-ECHO takes."""
    started = time.monotonic()
    with connected(port) as peer:
        peer.associate([(ECHO, IMPLICIT)])
        peer.send(p_data(1, 3, echo_request()))
        assert peer.response().Status == 0x0000
    return time.monotonic() - started


def echo_request() -> bytes:
    return dimse.write_elements(
        {
            0x0002: uid(ECHO),
            0x0100: struct.pack("<H", dimse.C_ECHO_RQ),
            0x0110: struct.pack("<H", 1),
            0x0800: struct.pack("<H", dimse.NO_DATASET),
        }
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("wire")
    with open_house(folder, object_bytes=1 << 20, request_timeout_s=0.6, pdu_timeout_s=0.6) as h:
        yield h


@pytest.fixture(autouse=True)
def still_serves(house: House) -> Iterator[None]:
    """After each test the listener answers a C-ECHO within two seconds."""
    yield
    assert echo_s(house.port) < 2.0


@pytest.mark.parametrize(
    ("data", "instance", "status"),
    [
        (dataset()[:-3], "1.2.3", 0xC000),
        (dataset() + b"\x10\0\x10\0\xff\xff\0\0DOE", "1.2.3", 0xC000),
        (b"no data set at all, but text that goes on for a while", "1.2.3", 0xC000),
        (b"", "1.2.3", 0xA900),
        (dataset(study=""), "1.2.3", 0xA900),
        (dataset(instance=""), "1.2.3", 0xA900),
        (dataset(instance="1.2.9"), "1.2.3", 0xA900),
        (dataset(sop_class="1.2.840.10008.5.1.4.1.1.4"), "1.2.3", 0xA900),
        (dataset(study="../../etc/passwd"), "1.2.3", 0x0117),
        (dataset(), "../../etc/passwd", 0x0117),
        (dataset(), "1.2.3<script>", 0x0117),
        (dataset(), "1" * 66, 0x0117),
        (dataset() + element(0x7FE0, 0x0010, bytes(1 << 20)), "1.2.3", 0xA700),
    ],
)
def test_what_must_not_be_kept_gets_its_status_and_leaves_nothing(
    house: House, data: bytes, instance: str, status: int
) -> None:
    with connected(house.port) as peer:
        peer.associate(STORE)
        got = store_in_pieces(peer, data, instance)

        assert f"{got:04X}" == f"{status:04X}"
        house.archive.settle()
        assert list(house.index.find(ALL, "STUDY", {"StudyInstanceUID": "1.2.1"}, limit=5)) == []


def store_in_pieces(peer: Peer, data: bytes, instance: str) -> int:
    peer.send(p_data(1, 3, dimse.write_store_request(1, CT, instance)))
    pieces = [data[i : i + 100_000] for i in range(0, len(data), 100_000)] or [b""]
    for piece in pieces[:-1]:
        peer.send(p_data(1, 0, piece))
    peer.send(p_data(1, 2, pieces[-1]))
    return int(peer.response().Status)


def test_association_goes_on_after_a_refused_object(house: House) -> None:
    good = dataset(instance="1.2.77", study="1.2.70")
    with connected(house.port) as peer:
        peer.associate(STORE)

        assert store(peer, dataset()[:-3]) == 0xC000
        assert store(peer, good, instance="1.2.77") == 0x0000

    house.archive.settle()
    row = house.index.instance(ALL, "1.2.77")
    assert house.archive.read_dataset(row) == good


def test_command_and_data_set_in_one_pdu_are_taken(house: House) -> None:
    data = dataset(instance="1.2.78", study="1.2.70")
    request = dimse.write_store_request(1, CT, "1.2.78")
    command, content = p_data(1, 3, request)[6:], p_data(1, 2, data)[6:]
    with connected(house.port) as peer:
        peer.associate(STORE)
        peer.send(struct.pack(">BBL", 4, 0, len(command) + len(content)) + command + content)

        assert peer.response().Status == 0x0000


def test_class_other_than_the_contexts_is_refused(house: House) -> None:
    mr = "1.2.840.10008.5.1.4.1.1.4"
    with connected(house.port) as peer:
        peer.associate(STORE)

        assert store(peer, dataset(sop_class=mr), sop_class=mr) == 0x0122


def test_store_without_a_data_set_is_answered(house: House) -> None:
    request = {0x0002: uid(CT), 0x0100: b"\1\0", 0x0110: b"\1\0", 0x0800: b"\1\1"}
    with connected(house.port) as peer:
        peer.associate(STORE)
        peer.send(p_data(1, 3, dimse.write_elements(request)))

        assert peer.response().Status == 0xC000


def test_operation_that_is_not_offered_is_answered(house: House) -> None:
    request = {0x0002: uid(CT), 0x0100: b"\x30\1", 0x0110: b"\1\0", 0x0800: b"\1\1"}  # N-ACTION
    with connected(house.port) as peer:
        peer.associate(STORE)
        peer.send(p_data(1, 3, dimse.write_elements(request)))

        assert peer.response().Status == 0x0211


@pytest.mark.parametrize(
    "junk",
    [
        b"GET / HTTP/1.1\r\nHost: lysbro\r\n\r\n",
        bytes(64),
        b"\xff" * 64,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS client hello
        struct.pack(">BBL", 1, 0, 1 << 30) + bytes(100),
        struct.pack(">BBL", 1, 0, 20) + bytes(20),
        struct.pack(">BBL", 4, 0, 6) + bytes(6),  # data before an association
        b"\x01\x00\x00\x00",
        associate_request(STORE)[:80],
        b"",
    ],
)
def test_junk_in_place_of_a_request_ends_the_connection_in_time(house: House, junk: bytes) -> None:
    started = time.monotonic()
    with connected(house.port) as peer:
        peer.send(junk)

        kinds = [peer.read_pdu()[0]]
        while kinds[-1]:
            kinds.append(peer.read_pdu()[0])
    assert set(kinds) <= {0, ABORT}
    assert time.monotonic() - started < 3.0


def test_pdu_that_announces_too_much_is_aborted_before_it_is_read(house: House) -> None:
    with connected(house.port) as peer:
        peer.associate(STORE)
        peer.send(struct.pack(">BBL", 4, 0, 1 << 31))

        kind, body = peer.read_pdu()
    assert (kind, body) == (ABORT, b"\0\0\x02\x06")


def test_half_a_pdu_frees_its_place_in_time(house: House) -> None:
    with connected(house.port) as peer:
        peer.associate(STORE)
        started = time.monotonic()
        peer.send(p_data(1, 3, dimse.write_store_request(1, CT, "1.2.3"))[:-10])

        assert peer.read_pdu()[0] in (0, ABORT)
        assert time.monotonic() - started < 3.0


@pytest.mark.parametrize(
    "fragments",
    [
        [p_data(1, 1, bytes(40_000)), p_data(1, 1, bytes(40_000))],  # an endless command
        [p_data(1, 3, b"not a command set")],
        [p_data(1, 2, dataset())],  # a data set without its command
        [p_data(5, 3, dimse.write_store_request(1, CT, "1.2.3"))],  # a context not accepted
        [p_data(1, 3, dimse.write_store_request(1, CT, "1.2.3"))] * 2,
        [struct.pack(">BBL", 4, 0, 4) + struct.pack(">L", 99)],  # a fragment longer than its PDU
    ],
)
def test_violation_of_the_protocol_aborts_the_association(
    house: House, fragments: list[bytes]
) -> None:
    with connected(house.port) as peer:
        peer.associate(STORE)
        for fragment in fragments:
            peer.send(fragment)

        assert peer.read_pdu()[0] == ABORT


def test_connection_cut_inside_a_data_set_leaves_nothing(house: House) -> None:
    with connected(house.port) as peer:
        peer.associate(STORE)
        peer.send(p_data(1, 3, dimse.write_store_request(1, CT, "1.2.66")))
        peer.send(p_data(1, 0, dataset(instance="1.2.66", study="1.2.60")))

    assert echo_s(house.port) < 2.0
    house.archive.settle()
    assert list(house.index.find(ALL, "STUDY", {"StudyInstanceUID": "1.2.60"}, limit=5)) == []


def test_objects_sent_without_waiting_are_all_answered_in_order(house: House) -> None:
    with connected(house.port) as peer:
        peer.associate(STORE)
        for n in range(12):
            data = dataset(instance=f"1.2.500.{n}", study="1.2.500")
            peer.send(p_data(1, 3, dimse.write_store_request(n + 1, CT, f"1.2.500.{n}")))
            peer.send(p_data(1, 2, data))

        answers = [peer.response() for _ in range(12)]
    assert [a.MessageIDBeingRespondedTo for a in answers] == list(range(1, 13))
    assert {a.Status for a in answers} == {0x0000}


def test_one_association_too_many_is_told_so(tmp_path: Path) -> None:
    with (
        open_house(tmp_path, maximum_associations=2) as full,
        connected(full.port) as first,
        connected(full.port) as second,
    ):
        first.associate(STORE)
        second.associate(STORE)
        with connected(full.port) as third:
            third.send(associate_request(STORE))

            assert third.read_pdu() == (REJECT, b"\0\x02\x03\x02")
        assert full.meter.rejections == ["limit-total"]


def test_one_peer_does_not_take_all_places(tmp_path: Path) -> None:
    with open_house(tmp_path, maximum_per_peer=1) as busy, connected(busy.port) as first:
        first.associate(STORE)
        with connected(busy.port) as second:
            second.send(associate_request(STORE))

            assert second.read_pdu() == (REJECT, b"\0\x02\x03\x02")
        assert busy.meter.rejections == ["limit-peer"]


def test_idle_association_is_aborted(tmp_path: Path) -> None:
    with open_house(tmp_path, idle_timeout_s=0.3) as impatient, connected(impatient.port) as peer:
        peer.associate(STORE)

        assert peer.read_pdu()[0] == ABORT


def test_silent_connections_do_not_keep_others_out(tmp_path: Path) -> None:
    with open_house(tmp_path, maximum_associations=4, maximum_per_peer=4) as house_of_few:
        silent = [connected(house_of_few.port) for _ in range(8)]
        for one in silent:
            one.__enter__()
        try:
            assert echo_s(house_of_few.port) < 2.0
        finally:
            for one in silent:
                one.__exit__(None, None, None)


def test_connections_that_close_at_once_give_their_places_back(tmp_path: Path) -> None:
    with open_house(tmp_path, maximum_associations=2, maximum_per_peer=2) as house_of_few:
        for _ in range(30):
            with connected(house_of_few.port):
                pass
            assert echo_s(house_of_few.port) < 2.0


def test_stop_does_not_wait_for_those_who_say_nothing(tmp_path: Path) -> None:
    with open_house(tmp_path) as stopping, connected(stopping.port), connected(stopping.port) as p:
        p.associate(STORE)
        started = time.monotonic()
        stopping.bridge.stop()

        assert time.monotonic() - started < 3.0
        assert p.read_pdu()[0] == ABORT


def test_stop_lets_the_object_under_way_arrive(tmp_path: Path) -> None:
    data = dataset(instance="1.2.91", study="1.2.90")
    with open_house(tmp_path) as stopping, connected(stopping.port) as peer:
        peer.associate(STORE)
        peer.send(p_data(1, 3, dimse.write_store_request(1, CT, "1.2.91")))
        peer.send(p_data(1, 0, data[:20]))
        until(lambda: segment_paths(stopping.archive.spool.folder), "the object to be under way")
        stop = threading.Thread(target=stopping.bridge.stop)
        stop.start()
        until(lambda: refuses(stopping), "the port to be closed")
        peer.send(p_data(1, 2, data[20:]))

        assert peer.response().Status == 0x0000
        assert peer.read_pdu()[0] == ABORT
        stop.join(5)
        assert not stop.is_alive()
        stopping.archive.settle()
        assert stopping.archive.read_dataset(stopping.index.instance(ALL, "1.2.91")) == data


def refuses(house: House) -> bool:
    """Tell whether the bridge has stopped to listen."""
    try:
        port = house.port
    except Unavailable:
        return True
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_many_associations_leave_no_thread_and_no_descriptor(house: House) -> None:
    echo_s(house.port)
    until(lambda: house.meter.open_now == 0, "the last association to end")
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(40):
        echo_s(house.port)
    until(lambda: house.meter.open_now == 0, "the last association to end")

    until(lambda: threading.active_count() <= threads, "the threads to end")
    until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors, "the descriptors to close")


def test_caller_is_told_to_come_back_when_nobody_can_be_looked_up(tmp_path: Path) -> None:
    with open_house(tmp_path) as broken:
        with broken.database.begin() as conn:
            conn.execute(text("ALTER TABLE aes RENAME TO gone"))
        with connected(broken.port) as peer:
            peer.send(associate_request(STORE))

            assert peer.read_pdu() == (REJECT, b"\0\x02\x03\x01")
        with broken.database.begin() as conn:
            conn.execute(text("ALTER TABLE gone RENAME TO aes"))
        assert echo_s(broken.port) < 2.0
