"""Destinations and requesters that fail: the right status in bounded time, with what failed."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pynetdicom import evt

from pacs_bridge import dimse, pdu
from pacs_bridge.items import UserInformation
from pacs_bridge.pdu import Answered, AssociateAccept, AssociateRequest
from tests.pacs_bridge.conftest import House, open_house
from tests.pacs_bridge.retrieving import (
    RETRIEVER,
    Told,
    associated,
    bad,
    fill,
    get,
    identifier,
    know,
    listening,
    move,
    settled,
    slices,
)
from tests.ports import free_port

pytestmark = pytest.mark.slow

ASKED = identifier("STUDY", StudyInstanceUID="1.2.1")
UIDS = {f"1.2.2.{n}" for n in range(1, 6)}
PIXELS = bytes(512 << 10)  # more than the buffers of a connection on this machine take at once


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Return a house that waits for nobody longer than a second."""
    with open_house(
        tmp_path_factory.mktemp("failing"),
        retrieve_connect_timeout_s=1.0,
        retrieve_association_timeout_s=1.0,
        retrieve_answer_timeout_s=1.0,
        pdu_timeout_s=1.0,
        retrieve_pending_every=1,
        retrieve_pending_s=0.3,
    ) as opened:
        fill(opened, *slices(5, Rows=512, Columns=512, PixelData=PIXELS))
        know(opened, RETRIEVER, "hammer", 0)
        yield opened


def read_pdu(connection: socket.socket) -> tuple[int, bytes]:
    head = connection.recv(6, socket.MSG_WAITALL)
    if len(head) < 6:
        raise OSError("closed")
    kind, length = struct.unpack(">BxL", head)
    return kind, connection.recv(length, socket.MSG_WAITALL)


def accept(connection: socket.socket, *, max_pdu: int = 16384) -> None:
    """Accept all that is proposed."""
    kind, body = read_pdu(connection)
    request = pdu.decode(kind, body)
    assert isinstance(request, AssociateRequest)
    contexts = tuple(Answered(c.id, 0, c.transfer_syntaxes[0]) for c in request.proposed)
    user = UserInformation(maximum_length=max_pdu, implementation_class_uid="1.2.3")
    connection.sendall(pdu.encode(AssociateAccept(request.called, request.calling, contexts, user)))


def silent(connection: socket.socket) -> None:
    """Say nothing at all."""


def reject(connection: socket.socket) -> None:
    read_pdu(connection)
    connection.sendall(pdu.encode(pdu.AssociateReject(1, 1, 7)))


def close(connection: socket.socket) -> None:
    connection.close()


def silent_after(connection: socket.socket) -> None:
    """Accept, and read nothing."""
    accept(connection)


def deaf(connection: socket.socket) -> None:
    """Accept and read all, and answer nothing."""
    accept(connection)
    connection.settimeout(5)
    while connection.recv(1 << 16):
        pass


def close_midway(connection: socket.socket) -> None:
    accept(connection)
    read_pdu(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def abort_midway(connection: socket.socket) -> None:
    accept(connection)
    read_pdu(connection)
    connection.sendall(pdu.encode(pdu.Abort(0, 0)))


def noise(connection: socket.socket) -> None:
    read_pdu(connection)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def accept_nothing(connection: socket.socket) -> None:
    kind, body = read_pdu(connection)
    request = pdu.decode(kind, body)
    assert isinstance(request, AssociateRequest)
    contexts = tuple(Answered(c.id, 3, c.transfer_syntaxes[0]) for c in request.proposed)
    connection.sendall(pdu.encode(AssociateAccept(request.called, request.calling, contexts)))
    read_pdu(connection)
    connection.sendall(pdu.encode(pdu.ReleaseReply()))


def moved(house: House) -> tuple[Told, float]:
    started = time.monotonic()
    with associated(house) as association:
        last = move(association, ASKED)[-1]
        assert association.is_established
    return last, time.monotonic() - started


def close_after_two(connection: socket.socket) -> None:
    """Take two objects, and go away in the middle of the third."""
    accept(connection, max_pdu=0)
    for number in (1, 2):
        read_pdu(connection)  # the command
        while read_pdu(connection)[1][5] != 2:
            pass
        command = dimse.read_command(
            dimse.write_store_request(number, "1.2.840.10008.5.1.4.1.1.2", f"1.2.2.{number}")
        )
        answer = dimse.write_response(command, 0x0000)
        connection.sendall(pdu.encode_fragment_head(1, 3, len(answer)) + answer)
    read_pdu(connection)
    connection.close()


def test_destination_that_goes_in_the_middle_leaves_the_rest_failed(house: House) -> None:
    with bad(close_after_two) as node:
        know(house, "PACS", "hammer", node.port)
        last, _ = moved(house)

    assert (last.status, last.counts) == (0xB000, (None, 2, 3, 0))
    assert last.failed == ["1.2.2.3", "1.2.2.4", "1.2.2.5"]


@pytest.mark.parametrize(
    "treat",
    [
        silent, reject, close, silent_after, deaf, close_midway, abort_midway, noise,
        accept_nothing,
    ],
)  # fmt: skip
def test_destination_that_fails_is_told_in_time_with_the_whole_list(
    house: House, treat: Callable[[socket.socket], None]
) -> None:
    with bad(treat) as node:
        know(house, "PACS", "hammer", node.port)
        last, took_s = moved(house)

    assert (last.status, last.counts) == (0xA702, (None, 0, 5, 0))
    assert set(last.failed) == UIDS
    assert took_s < 6


def test_destination_that_is_not_there_is_told_at_once(house: House) -> None:
    know(house, "PACS", "hammer", free_port())

    last, took_s = moved(house)

    assert (last.status, set(last.failed)) == (0xA702, UIDS)
    assert took_s < 3


def test_object_that_breaks_a_destination_fails_alone(house: House) -> None:
    with listening() as node:

        def answer(uid: str) -> int:
            if len(node.arrived) == 3:
                raise SystemError  # pynetdicom answers C211
            return 0

        node.answer = answer
        know(house, "PACS", "hammer", node.port)
        last, _ = moved(house)

    assert (last.status, last.counts, last.failed) == (0xB000, (None, 4, 1, 0), ["1.2.2.3"])


def test_slow_destination_is_waited_for_and_told_of_meanwhile(house: House) -> None:
    with listening() as node:

        def answer(uid: str) -> int:
            if uid == "1.2.2.1":
                time.sleep(0.9)
            return 0

        node.answer = answer
        know(house, "PACS", "hammer", node.port)
        with associated(house) as association:
            responses = move(association, ASKED)

    assert responses[-1].status == 0x0000
    assert (5, 0, 0, 0) in {r.counts for r in responses}  # before the first has arrived


def test_requester_of_a_get_that_goes_silent_is_given_up(tmp_path: Path) -> None:
    with open_house(
        tmp_path, retrieve_answer_timeout_s=0.5, pdu_timeout_s=1.0, idle_timeout_s=30
    ) as house:
        fill(house, *slices(3))
        know(house, RETRIEVER, "hammer", 0)

        def never(event: evt.Event) -> int:
            time.sleep(1.5)
            return 0

        with associated(house, take=never) as association:
            started = time.monotonic()
            (*_, last) = get(association, ASKED)
            took_s = time.monotonic() - started
        settled(house)
        entry = house.ledger.entries(limit=1)[0]

    assert took_s < 4
    assert last.status == -1
    assert (entry.outcome, entry.detail["sent"], entry.detail["remaining"]) == ("failed", 0, 3)


def test_requester_that_leaves_ends_the_move_and_what_went_is_noted(house: House) -> None:
    with listening() as node:
        node.answer = lambda uid: time.sleep(0.2) or 0  # type: ignore[func-returns-value]
        know(house, "PACS", "hammer", node.port)
        with associated(house) as association:
            responses = association.send_c_move(ASKED, "PACS", "1.2.840.10008.5.1.4.1.2.2.2")
            next(responses)
            association.abort()
        settled(house)
        entry = house.ledger.entries(limit=1)[0]

    assert 0 < entry.detail["sent"] < 5
    assert entry.detail["remaining"] == 5 - entry.detail["sent"]
    assert len(node.arrived) < 5
