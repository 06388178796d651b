"""Of several connections that stand still, as many are ended as bodies wait: the oldest."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from viewer.dicomweb.silence import Body, SilenceWatch


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wires() -> Iterator[tuple[int, list[socket.socket]]]:
    """Give a port of ours and our ends of three connections to it, the oldest first."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = listening.getsockname()[1]
        ours = []
        for _ in range(3):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            accepted, _ = listening.accept()
            accepted.settimeout(0)
            ours.append(stack.enter_context(accepted))
        yield port, ours


def is_ended(wire: socket.socket) -> bool:
    try:
        return wire.recv(1) == b""
    except BlockingIOError:
        return False


def test_a_request_that_waits_behind_silent_bodies_is_not_ended_with_them(
    wires: tuple[int, list[socket.socket]],
) -> None:
    port, (first, second, waiting) = wires
    clock = Clock()
    watch = SilenceWatch(clock)
    bodies = [Body("127.0.0.1", port, 2.0, 1000.0, waits_since=clock.now) for _ in range(2)]
    for _ in range(5):
        clock.now += 0.6
        watch._look(bodies)
    assert [is_ended(wire) for wire in (first, second, waiting)] == [True, True, False]
    assert all(body.may_be_ended for body in bodies)


def test_a_body_that_moves_is_left_alone(wires: tuple[int, list[socket.socket]]) -> None:
    port, ours = wires
    clock = Clock()
    watch = SilenceWatch(clock)
    body = Body("127.0.0.1", port, 2.0, 1000.0, waits_since=None)
    for _ in range(6):
        clock.now += 0.6
        watch._look([body])
    assert [is_ended(wire) for wire in ours] == [False] * 3
