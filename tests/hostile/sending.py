"""Senders that may break off anywhere, and write down what they sent and what was answered."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pacs_bridge import dimse
from tests.hostile.bridge import Bridge
from tests.pacs_bridge.wire import CT, Peer, connected, p_data

EXPLICIT = "1.2.840.10008.1.2.1"
ROOT = "1.2.826.0.1.3680043.9.7433"

_numbers = itertools.count(1)


def fresh_uid() -> str:
    """Return a UID of always the same length that no other object of this run has."""
    return f"{ROOT}.{1_000_000_000 + next(_numbers)}"


@dataclass
class Sender:
    """One association."""

    peer: Peer
    bridge: Bridge
    sop_class: str = CT
    _messages: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def begin(self, uid: str, *, context_id: int = 1) -> None:
        """Send the command of a C-STORE."""
        number = next(self._messages) & 0xFFFF
        request = dimse.write_store_request(number, self.sop_class, uid)
        self.peer.send(p_data(context_id, 3, request))

    def send(
        self, uid: str, data: bytes, *, context_id: int = 1, piece_bytes: int = 60_000
    ) -> None:
        """Send a whole object and do not wait for the answer."""
        self.begin(uid, context_id=context_id)
        pieces = cut(data, piece_bytes)
        for piece in pieces[:-1]:
            self.peer.send(p_data(context_id, 0, piece))
        self.bridge.ledger.sent_whole(uid, data)
        self.peer.send(p_data(context_id, 2, pieces[-1]))

    def hear(self, uid: str, data: bytes) -> int:
        """Return the status of the next response, written down."""
        status = int(self.peer.response().Status)
        self.bridge.ledger.answered(uid, data, status)
        return status

    def store(self, uid: str, data: bytes, *, piece_bytes: int = 60_000) -> int:
        """Store an object and return the status."""
        self.send(uid, data, piece_bytes=piece_bytes)
        return self.hear(uid, data)


@contextmanager
def sender(
    bridge: Bridge,
    *,
    sop_class: str = CT,
    syntax: str = EXPLICIT,
    calling: str = "HAMMER_CT",
    timeout_s: float = 20.0,
) -> Iterator[Sender]:
    """Give an association with one storage context; it is cut, not released."""
    with connected(bridge.port, timeout_s=timeout_s) as peer:
        peer.associate([(sop_class, syntax)], calling=calling)
        yield Sender(peer, bridge, sop_class)


def cut(data: bytes, piece_bytes: int) -> list[bytes]:
    return [data[i : i + piece_bytes] for i in range(0, len(data), piece_bytes)] or [b""]
