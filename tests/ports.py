"""Ports for the processes that tests start: never one that somebody else is given meanwhile."""

from __future__ import annotations

import itertools
import os
import socket

_FIRST, _COUNT = 20_000, 12_000  # below those that the kernel gives to whoever asks for any port
_numbers = itertools.count(os.getpid() * 61)  # tests that run beside these begin elsewhere


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
