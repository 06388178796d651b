"""Ports for the processes that tests start: never one that somebody else is given meanwhile."""

from __future__ import annotations

import itertools
import os
import socket

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw2")[2:]) % 3
_COUNT = 4_000  # of each of the processes that run tests side by side: none has another's
_FIRST = 20_000 + _WORKER * _COUNT  # below those that the kernel gives to whoever asks for any port
_numbers = itertools.count(os.getpid() * 61)  # tests of another run begin elsewhere


def free_port() -> int:
    """Return a port that nobody listens on, and that nobody is given by chance."""
    for number in itertools.islice(_numbers, _COUNT):
        port = _FIRST + number % _COUNT
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("no port is free")
