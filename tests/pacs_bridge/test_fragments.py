"""Outgoing messages: cut to the peer's length, and whole again at the other end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casework.errors import Unavailable
from pacs_bridge.fragments import COMMAND, DATASET, cut, fragment_bytes
from pacs_bridge.line import Line
from pacs_bridge.pace import Floor
from pacs_bridge.payload import Payload
from pacs_bridge.sending import send_message
from pacs_bridge.stream import Fragment, PduStream
from tests.pacs_bridge.wire import fed


@given(st.binary(max_size=600), st.integers(7, 400))
def test_fragments_are_no_longer_than_the_peer_takes_and_hold_all(
    content: bytes, peer_max: int
) -> None:
    size = fragment_bytes(peer_max)

    buffers = [bytes(b) for b in cut(5, content, kind=DATASET, size=size, ends=True)]

    pairs = zip(buffers[::2], buffers[1::2], strict=True)
    assert all(len(head + piece) - 6 <= peer_max for head, piece in pairs)
    events = fed(PduStream(), b"".join(buffers))
    assert all(isinstance(e, Fragment) and not e.is_command for e in events)
    assert b"".join(bytes(e.data) for e in events if isinstance(e, Fragment)) == content
    assert [e.is_last for e in events if isinstance(e, Fragment)][-1]


def test_any_length_is_a_megabyte() -> None:
    assert fragment_bytes(0) == (1 << 20) - 6
    assert fragment_bytes(16384) == 16378
    assert next(iter(cut(1, b"x", kind=COMMAND, size=9, ends=True)))[-1] == 3


@pytest.fixture
def pair() -> Iterator[tuple[Line, socket.socket]]:
    """Return our end of a connection and the other."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours = socket.create_connection(listening.getsockname())
        theirs, _ = listening.accept()
        with theirs:
            line = Line(ours, send_timeout_s=0.05)
            yield line, theirs
            line.close()


def payload(*chunks: bytes) -> Payload:
    return Payload(sum(map(len, chunks)), iter(chunks))


@settings(max_examples=20)
@given(st.lists(st.binary(min_size=1, max_size=5000), min_size=1, max_size=5))
def test_chunks_of_any_length_arrive_as_one_data_set(chunks: list[bytes]) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        line = _UnixLine(ours)

        list(send_message(line, 3, b"cc", payload(*chunks), peer_max=1000, floor=Floor()))
        ours.close()
        events = fed(PduStream(), b"".join(iter(lambda: theirs.recv(1 << 16), b"")))

    data = [e for e in events if isinstance(e, Fragment) and not e.is_command]
    assert b"".join(bytes(e.data) for e in data) == b"".join(chunks)
    assert [e.is_last for e in data].count(True) == 1
    assert data[-1].is_last


class _UnixLine(Line):
    """A line over a pair of sockets, which know no TCP."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._is_secure = False


def test_large_object_goes_whole_to_a_peer_that_reads_slowly(
    pair: tuple[Line, socket.socket],
) -> None:
    line, theirs = pair
    chunks = [bytes([n]) * (1 << 20) for n in range(12)]
    got = bytearray()

    def read() -> None:
        while piece := theirs.recv(50_000):
            got.extend(piece)

    reader = threading.Thread(target=read)
    reader.start()
    list(send_message(line, 1, b"cc", payload(*chunks), peer_max=16384, floor=Floor()))
    line.close()
    reader.join(10)

    stream = PduStream()
    events = fed(stream, bytes(got))
    data = b"".join(bytes(e.data) for e in events if isinstance(e, Fragment) and not e.is_command)
    assert data == b"".join(chunks)


@pytest.mark.parametrize(
    ("floor", "code"),
    [(Floor(0, grace_s=0.2), "stalled"), (Floor(1e12, grace_s=0.0), "too-slow")],
)
def test_peer_that_does_not_read_is_given_up(
    pair: tuple[Line, socket.socket], floor: Floor, code: str
) -> None:
    line, _ = pair
    content = payload(*[bytes(1 << 20)] * 20)

    with pytest.raises(Unavailable) as given_up:
        list(send_message(line, 1, b"cc", content, peer_max=0, floor=floor))

    assert given_up.value.code == code


def test_object_that_is_shorter_than_said_is_not_ended(pair: tuple[Line, socket.socket]) -> None:
    line, _ = pair
    short = Payload(10, iter((b"1234",)))

    with pytest.raises(Unavailable) as broken:
        list(send_message(line, 1, b"cc", short, peer_max=0, floor=Floor()))

    assert broken.value.code == "bytes-missing"
